import logging

import pytest

from torchfakes_utils.audio.protocols import index_recordings
from torchfakes_utils.audio.voices import read_recordings
from torchfakes_utils.errors import InputError


def put(root, path, content=""):
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(content)


def asvspoof_2019(root):
    folder = "LA/ASVspoof2019_LA_cm_protocols/ASVspoof2019.LA.cm"
    put(root, f"{folder}.train.trn.txt", "LA_0079 LA_T_1138215 - - bonafide\nLA_0079 LA_T_1271820 - A01 spoof\n")
    put(root, f"{folder}.dev.trl.txt", "LA_0069 LA_D_1047731 - - bonafide\n")
    put(root, f"{folder}.eval.trl.txt", "LA_0039 LA_E_2834763 - A11 spoof\n\n")
    for part, name in (("train", "T_1138215"), ("train", "T_1271820"), ("dev", "D_1047731"), ("eval", "E_2834763")):
        put(root, f"LA/ASVspoof2019_LA_{part}/flac/LA_{name}.flac")
    return {"LA_T_1138215": (0, "speech", "LA_0079", "train", ""),
            "LA_T_1271820": (1, "A01", "LA_0079", "train", ""),
            "LA_D_1047731": (0, "speech", "LA_0069", "val", ""),
            "LA_E_2834763": (1, "A11", "LA_0039", "test", "")}  # fmt: skip


def asvspoof_2021(root):
    put(root, "keys/LA/CM/trial_metadata.txt", "LA_0009 LA_E_9332881 alaw ita_tx A07 spoof notrim eval\n")
    put(root, "keys/DF/CM/trial_metadata.txt",
        "LA_0043 DF_E_2000026 mp3m4a asvspoof bonafide bonafide notrim eval - - - - -\n"
        "LA_0023 DF_E_2000011 nocodec asvspoof A14 spoof notrim progress traditional_vocoder - - - -\n")  # fmt: skip
    put(root, "keys/DF/ASV/trial_metadata.txt", "of the speaker verifier, and not ours\n")
    put(root, "ASVspoof2021_LA_eval/flac/LA_E_9332881.flac")
    for name in ("DF_E_2000026", "DF_E_2000011"):
        put(root, f"ASVspoof2021_DF_eval/flac/{name}.flac")
    return {"LA_E_9332881": (1, "A07", "LA_0009", "test", "alaw ita_tx"),
            "DF_E_2000026": (0, "speech", "LA_0043", "test", "mp3m4a"),
            "DF_E_2000011": (1, "A14", "LA_0023", "test", "nocodec")}  # fmt: skip


def asvspoof_5(root):
    put(root, "ASVspoof5.train.tsv", "T_4850 T_0000000000 F - - - AC3 A05 spoof -\n"
                                     "T_0001 T_0000000001 M - - - - bonafide bonafide -\n")  # fmt: skip
    put(root, "ASVspoof5.dev.track_1.tsv", "D_4461 D_0000000169 F - - - AC1 A14 spoof -\n")
    put(root, "ASVspoof5.eval.track_1.tsv", "E_1607 E_0009538969 M C05 6 E_0003 AC2 A29 spoof -\n")
    for place in ("flac_T/T_0000000000", "flac_T/T_0000000001", "flac_D/D_0000000169", "flac_E_eval/E_0009538969"):
        put(root, f"{place}.flac")
    return {"T_0000000000": (1, "A05", "T_4850", "train", ""), "T_0000000001": (0, "speech", "T_0001", "train", ""),
            "D_0000000169": (1, "A14", "D_4461", "val", ""),
            "E_0009538969": (1, "A29", "E_1607", "test", "C05")}  # fmt: skip


@pytest.mark.parametrize("make", [asvspoof_2019, asvspoof_2021, asvspoof_5])
def test_a_protocol_becomes_a_table(tmp_path, make):
    wanted = make(tmp_path)
    rows = read_recordings(index_recordings(tmp_path)).set_index("clip_id")
    columns = ["label", "method", "target_id", "split", "compression"]
    assert {name: tuple(row) for name, row in zip(rows.index, rows[columns].to_numpy(), strict=True)} == wanted
    assert all((tmp_path / path).is_file() for path in rows["path"])


def test_what_a_protocol_names_and_is_not_there_is_one_line(tmp_path, caplog):
    asvspoof_5(tmp_path)
    (tmp_path / "flac_D/D_0000000169.flac").unlink()
    with caplog.at_level(logging.WARNING):
        rows = read_recordings(index_recordings(tmp_path))
    assert len(rows) == 3 and len(caplog.records) == 1
    assert "1 of 4 recordings that its protocol names are not there, such as flac_D/" in caplog.text


def test_wavefake_is_split_by_what_is_read(tmp_path):
    for number in range(40):
        name = f"LJ001-{number:04d}"
        put(tmp_path, f"LJSpeech-1.1/wavs/{name}.wav")
        put(tmp_path, f"generated_audio/ljspeech_melgan/{name}_gen.wav")
        put(tmp_path, f"generated_audio/ljspeech_hifiGAN/{name}_generated.wav")
        put(tmp_path, f"generated_audio/ljspeech_waveglow/{name}.wav")
    rows = read_recordings(index_recordings(tmp_path))
    assert rows["method"].value_counts().to_dict() == dict.fromkeys(
        ["speech", "ljspeech_melgan", "ljspeech_hifiGAN", "ljspeech_waveglow"], 40
    )
    passage = rows["original_id"].where(rows["label"] == 1, rows["clip_id"])
    assert (rows.groupby(passage)["split"].nunique() == 1).all() and set(rows["split"]) == {"train", "val", "test"}
    assert set(rows["target_id"]) == {"LJ"} and set(passage) == {f"LJ001-{number:04d}" for number in range(40)}


def test_folders_called_real_and_fake_are_split_by_speaker(tmp_path):
    for speaker in "abcdefgh":
        for label in ("real", "fake"):
            put(tmp_path, f"{label}/{speaker}/1.wav"), put(tmp_path, f"{label}/{speaker}/2.MP3")
    put(tmp_path, "real/a/.hidden.wav"), put(tmp_path, "real/a/notes.txt")
    rows = read_recordings(index_recordings(tmp_path))
    assert len(rows) == 32 and rows["label"].sum() == 16
    assert (rows.groupby("target_id")["split"].nunique() == 1).all()


@pytest.mark.parametrize(
    ("path", "content", "said"),
    [
        ("ASVspoof5.train.tsv", "T_1 T_2 F\n", "line 1 has 3 of 9 columns"),
        ("ASVspoof5.train.tsv", "T_1 T_2 F - - - AC3 A05 fake -\n", "neither bonafide nor spoof"),
        ("ASVspoof5.train.tsv", "T_1 T_2 F - - - AC3 A05 spoof -\n", "none of the 1 recordings"),
        ("ASVspoof5.train.tsv", "", "none of the 0 recordings"),
        ("readme.txt", "", "no data set of sound that is known here"),
    ],
)
def test_what_is_no_protocol_is_one_line(tmp_path, path, content, said):
    put(tmp_path, path, content)
    with pytest.raises(InputError, match=said) as caught:
        index_recordings(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_folder_or_layout_that_is_not_there_is_one_line(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        index_recordings(tmp_path / "none")
    with pytest.raises(InputError, match="asvspoof-2019, asvspoof-5, asvspoof-2021, wavefake, labelled"):
        index_recordings(tmp_path, layout="vctk")
