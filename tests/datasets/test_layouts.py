"""Celeb-DF, DFDC and tables of one's own become the same table; whatever cannot be used is named."""

import json
from pathlib import Path

import pytest

from torchfakes_utils.cli.main import main
from torchfakes_utils.datasets.layouts import index_clips, recognise
from torchfakes_utils.errors import InputError
from torchfakes_utils.io.tables import INDEX_COLUMNS, read_table


def touch(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()


# --- Celeb-DF


@pytest.fixture
def celeb(tmp_path: Path) -> Path:
    touch(tmp_path, *[f"Celeb-real/id{person}_{take:04d}.mp4" for person in range(12) for take in range(3)])
    touch(tmp_path, *[f"Celeb-synthesis/id{a}_id{(a + 1) % 12}_{take:04d}.mp4" for a in range(12) for take in range(3)])
    touch(tmp_path, "YouTube-real/00000.mp4", "YouTube-real/00170.mp4", "Celeb-real/notes.mp4")
    (tmp_path / "List_of_testing_videos.txt").write_text(
        "1 YouTube-real/00170.mp4\n1 Celeb-real/id1_0000.mp4\n0 Celeb-synthesis/id1_id2_0000.mp4\n"
    )
    return tmp_path


def test_celeb_df(celeb: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert recognise(celeb) == "celeb-df"
    clips = read_table(index_clips(celeb), INDEX_COLUMNS)
    assert clips["method"].value_counts().to_dict() == {"Celeb-real": 36, "Celeb-synthesis": 36, "YouTube-real": 2}
    assert "notes.mp4: left out" in caplog.text
    by_name = clips.set_index("clip_id")
    fake = by_name.loc["id1_id2_0000"]
    columns = ["label", "target_id", "source_id", "original_id", "split", "compression"]
    assert fake[columns].tolist() == [1, "id1", "id2", "id1_0000", "test", "unknown"]
    # In their list 1 means real; what it says of labels is not read at all.
    assert by_name.loc[["00170", "id1_0000"], "label"].tolist() == [0, 0]
    assert by_name.index[by_name["split"] == "test"].tolist() == ["id1_0000", "00170", "id1_id2_0000"]
    assert set(clips["split"]) == {"train", "val", "test"}
    film = clips["original_id"].where(clips["label"] == 1, clips["clip_id"])
    assert (clips[clips["split"] != "test"].groupby(film)["split"].nunique() == 1).all()


def test_celeb_df_strictly(celeb: Path, caplog: pytest.LogCaptureFixture) -> None:
    clips = read_table(index_clips(celeb, rule="strict"), INDEX_COLUMNS)
    used = clips[clips["split"] != ""]
    sides: dict[str, set] = {}
    for row in used.itertuples():
        for name in {row.target_id, row.source_id} - {""}:
            sides.setdefault(name, set()).add(row.split)
    assert all(len(found) == 1 for found in sides.values())
    assert len(used) < len(clips)
    assert "show two people of different sides" in caplog.text


def test_celeb_df_without_its_list(celeb: Path) -> None:
    (celeb / "List_of_testing_videos.txt").write_text("nothing\n")
    with pytest.raises(InputError, match="lines such as"):
        index_clips(celeb)
    (celeb / "List_of_testing_videos.txt").unlink()
    with pytest.raises(InputError, match="it comes with Celeb-DF v2"):
        index_clips(celeb)


def test_celeb_dfs_list_by_a_windows_editor(celeb: Path) -> None:
    text = (celeb / "List_of_testing_videos.txt").read_text()
    before = read_table(index_clips(celeb), INDEX_COLUMNS)
    (celeb / "List_of_testing_videos.txt").write_bytes(
        text.replace("/", "\\").replace("\n", "\r\n").encode("utf-8-sig")
    )
    assert read_table(index_clips(celeb), INDEX_COLUMNS).equals(before)
    (celeb / "List_of_testing_videos.txt").write_bytes(text.encode("utf-16"))
    with pytest.raises(InputError, match=r"testing_videos\.txt: cannot be read \(no text in UTF-8\)"):
        index_clips(celeb)


# --- DFDC


def dfdc_part(root: Path, number: int, originals: int) -> None:
    entries = {}
    for index in range(originals):
        real = f"real{number}x{index}.mp4"
        entries[real] = {"label": "REAL", "split": "train"}
        for fake in range(3):
            entries[f"fake{number}x{index}x{fake}.mp4"] = {"label": "FAKE", "split": "train", "original": real}
    folder = root / f"dfdc_train_part_{number}"
    touch(folder, *entries)
    (folder / "metadata.json").write_text(json.dumps(entries))


def test_dfdc_training_parts(tmp_path: Path) -> None:
    dfdc_part(tmp_path, 0, 30)
    dfdc_part(tmp_path, 7, 30)
    assert recognise(tmp_path) == "dfdc"
    clips = read_table(index_clips(tmp_path), INDEX_COLUMNS)
    assert clips["method"].value_counts().to_dict() == {"DFDC": 180, "DFDC-real": 60}
    fake = clips[clips["clip_id"] == "fake7x2x1"].iloc[0]
    assert fake["original_id"] == "real7x2"
    assert fake["path"] == "dfdc_train_part_7/fake7x2x1.mp4"
    assert (clips.groupby("target_id")["split"].nunique() == 1).all()
    assert set(clips["split"]) == {"train", "val", "test"}


def test_one_dfdc_part_and_its_test_set(tmp_path: Path) -> None:
    dfdc_part(tmp_path, 0, 10)
    clips = read_table(index_clips(tmp_path / "dfdc_train_part_0"), INDEX_COLUMNS)
    assert len(clips) == 40
    assert clips["path"][0] == "real0x0.mp4"
    test = tmp_path / "test"
    touch(test, "a.mp4", "b.mp4")
    (test / "labels.csv").write_text("filename,label\na.mp4,1\nb.mp4,0\n")
    clips = read_table(index_clips(test), INDEX_COLUMNS)
    assert clips[["clip_id", "label", "split"]].to_numpy().tolist() == [["b", 0, "test"], ["a", 1, "test"]]
    (test / "labels.csv").unlink()
    (test / "metadata.json").write_text('{"a.mp4": {"is_fake": 1}, "b.mp4": {"is_fake": 0}}')
    assert read_table(index_clips(test), INDEX_COLUMNS)["label"].tolist() == [0, 1]


def test_fake_of_an_original_that_is_not_there_shares_nothing(tmp_path: Path) -> None:
    touch(tmp_path, "a.mp4", "b.mp4")
    entries = {"a.mp4": {"label": "FAKE", "original": "gone.mp4"}, "b.mp4": {"label": "REAL"}}
    (tmp_path / "metadata.json").write_text(json.dumps(entries))
    clips = read_table(index_clips(tmp_path), INDEX_COLUMNS)
    assert clips["original_id"].tolist() == ["", ""]


@pytest.mark.parametrize("text", ["{", "[]", '{"a.mp4": {"label": "MAYBE"}}', '{"a.mp4": {}}', '{"a.mp4": 3}'])
def test_dfdc_of_another_form(tmp_path: Path, text: str) -> None:
    (tmp_path / "metadata.json").write_text(text)
    with pytest.raises(InputError, match=r"metadata.json: not a table as DFDC has it"):
        index_clips(tmp_path)


@pytest.mark.parametrize("name", ["a/..", "../a.mp4", "a/../b.mp4", "/a.mp4", "C:a.mp4", "..", "", "a\0.mp4"])
def test_dfdc_names_nothing_out_of_its_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "metadata.json").write_text(json.dumps({name: {"label": "REAL"}}))
    with pytest.raises(InputError, match=r"metadata.json: .* is no video beside it"):
        index_clips(tmp_path)


def test_nothing_there(tmp_path: Path) -> None:
    assert recognise(tmp_path) == ""
    with pytest.raises(InputError, match="no videos found, and no photos"):
        index_clips(tmp_path)
    with pytest.raises(InputError, match="no videos found. Celeb-DF"):
        index_clips(tmp_path, layout="celeb-df")
    with pytest.raises(InputError, match="no videos found. DFDC"):
        index_clips(tmp_path, layout="dfdc")
    with pytest.raises(InputError, match="unknown layout 'imagenet'; choose from faceforensics, .*, labelled"):
        index_clips(tmp_path, layout="imagenet")
    with pytest.raises(InputError, match="unknown split"):
        index_clips(tmp_path, layout="dfdc", rule="loose")
    with pytest.raises(InputError, match="no such folder"):
        index_clips(tmp_path / "nowhere", layout="dfdc")


def test_options_that_are_for_faceforensics_only(celeb: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["clips", str(celeb), "--methods", "Deepfakes"]) == 2
    assert "--methods and --compressions are for FaceForensics++" in capsys.readouterr().err
    assert main(["clips", str(celeb), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    # Celeb-DF's own split holds clips apart, not people: most of its test shows somebody from training.
    assert said["leaks"]["test"]["target_in_train"] > 0.5


def test_dfdc_with_a_mark_of_utf_8_and_with_one_film_twice(tmp_path: Path) -> None:
    touch(tmp_path, "a.mp4", "b.mp4")
    (tmp_path / "metadata.json").write_text(
        '\ufeff{"a.mp4": {"label": "REAL"}, "b.mp4": {"label": "FAKE"}}', encoding="utf-8"
    )
    assert read_table(index_clips(tmp_path), INDEX_COLUMNS)["label"].tolist() == [0, 1]
    (tmp_path / "metadata.json").write_text('{"a.mp4": {"label": "REAL"}, "a.mp4": {"label": "FAKE"}}')
    with pytest.raises(InputError, match=r"metadata\.json: .*names 'a\.mp4' twice"):
        index_clips(tmp_path)
