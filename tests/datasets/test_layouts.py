"""Celeb-DF, DFDC and tables of one's own become the same table; whatever cannot be used is named."""

import json
from pathlib import Path

import pandas as pd
import pytest

from torchfakes_utils.cli.main import main
from torchfakes_utils.datasets.layouts import from_csv, index_clips, recognise, write_from_csv
from torchfakes_utils.datasets.splits import deal
from torchfakes_utils.errors import InputError
from torchfakes_utils.faces.config import ExtractionConfig
from torchfakes_utils.faces.extraction import extract_faces
from torchfakes_utils.io.tables import CLIP_COLUMNS, EXTRACTED_COLUMNS, INDEX_COLUMNS, read_table
from torchfakes_utils.io.video import write_video

from helpers.scenes import moving, person


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
    assert recognise(tmp_path) == "faceforensics"
    with pytest.raises(InputError, match="no videos found. Celeb-DF"):
        index_clips(tmp_path, layout="celeb-df")
    with pytest.raises(InputError, match="no videos found. DFDC"):
        index_clips(tmp_path, layout="dfdc")
    with pytest.raises(InputError, match="unknown layout 'imagenet'; choose from faceforensics, celeb-df, dfdc"):
        index_clips(tmp_path, layout="imagenet")
    with pytest.raises(InputError, match="unknown split"):
        index_clips(tmp_path, layout="dfdc", rule="loose")
    with pytest.raises(InputError, match="no such folder"):
        index_clips(tmp_path / "nowhere", layout="dfdc")


# --- a table of one's own


def written(tmp_path: Path, text: str) -> Path:
    (tmp_path / "mine.csv").write_text(text)
    return tmp_path / "mine.csv"


def test_the_least_that_a_table_needs(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    touch(tmp_path, "a/one.mp4")
    clips = from_csv(written(tmp_path, "path,label\na/one.mp4,0\na/two.mp4, 1\n"))
    assert clips.columns.tolist() == INDEX_COLUMNS
    assert clips["clip_id"].tolist() == ["one", "two"]
    assert clips["method"].tolist() == ["real", "fake"]
    assert clips["target_id"].tolist() == ["one", "two"]
    assert set(clips["compression"]) == {"unknown"}
    assert set(clips["split"]) <= {"train", "val", "test"}
    assert "1 of 2 videos are not there" in caplog.text


def test_everything_that_a_table_may_say_is_kept(tmp_path: Path) -> None:
    row = {
        "clip_id": "007_008", "path": "x.mp4", "label": "1", "method": "Swap", "compression": "c23", "target_id": "007",
        "source_id": "008", "split": "val", "original_id": "007",
    }  # fmt: skip
    clips = from_csv(written(tmp_path, ",".join(row) + ",note\n" + ",".join(row.values()) + ",mine\n"))
    assert clips.astype(str).to_dict("records") == [row]


def test_people_who_forge_each_other_stay_together(tmp_path: Path) -> None:
    lines = ["path,label,target_id,source_id,original_id"]
    for pair in range(60):
        a, b = f"a{pair}", f"b{pair}"
        lines += [f"{a}.mp4,0,{a},,", f"{b}.mp4,0,{b},,", f"{a}_{b}.mp4,1,{a},{b},{a}", f"{a}x.mp4,1,,,{a}"]
    clips = from_csv(written(tmp_path, "\n".join(lines)))
    pair = clips["clip_id"].str.extract(r"(\d+)")[0]
    assert (clips.groupby(pair)["split"].nunique() == 1).all()
    assert set(clips["split"]) == {"train", "val", "test"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not a table in CSV format"),
        ("path,label\n", "holds no rows"),
        ("file,label\na,1\n", "lacks the column path"),
        ("a,b\n1,2\n", "lacks the column path and label"),
        ("path,label\na,1\nb,2\nc,fake\n", "line 3, 4: label is neither 1"),
        ("path,label\na,9\n" + "b,9\n" * 5, "line 2, 3, 4 and 3 more: label"),
        ("path,label\n,1\n", "line 2: path is empty"),
        ("path,label,split\na,1,training\n", "line 2: split is none of train, val, test"),
        ("path,label\nx/a.mp4,1\ny/a.mp4,1\n", "line 3: method, compression and clip_id are taken"),
    ],
)
def test_rows_that_cannot_be_used_are_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        from_csv(written(tmp_path, text))


def test_table_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such table"):
        from_csv(tmp_path / "mine.csv")


# --- onwards


def test_from_a_table_to_faces(tmp_path: Path, portraits: list, capsys: pytest.CaptureFixture) -> None:
    """Any layout goes the whole way: a real clip and a "fake" of it, cut alike."""
    for name in ("one", "two"):
        write_video(tmp_path / f"videos/{name}.mp4", moving(person(portraits, 1)), preset="ultrafast")
    written(tmp_path, "path,label,original_id\nvideos/one.mp4,0,\nvideos/two.mp4,1,one\n")
    assert main(["clips", str(tmp_path), "--from-csv", str(tmp_path / "mine.csv"), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["real"], said["fake"]) == (1, 1)
    extract_faces(tmp_path, tmp_path / "faces", ExtractionConfig(frames=2, size=64, methods=("fake",)), progress=False)
    faces = read_table(tmp_path / "faces/faces.csv", EXTRACTED_COLUMNS)
    assert faces["found"].tolist() == ["detected"] * 2 + ["reused"] * 2
    elsewhere = write_from_csv(tmp_path / "mine.csv", tmp_path / "other/clips.csv")
    assert read_table(elsewhere, CLIP_COLUMNS)["path"].tolist() == ["../videos/one.mp4", "../videos/two.mp4"]


def test_options_that_are_for_faceforensics_only(celeb: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["clips", str(celeb), "--methods", "Deepfakes"]) == 2
    assert "--methods and --compressions are for FaceForensics++" in capsys.readouterr().err
    assert main(["clips", str(celeb), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    # Celeb-DF's own split holds clips apart, not people: most of its test shows somebody from training.
    assert said["leaks"]["test"]["target_in_train"] > 0.5


def test_split_by_digest_needs_no_seed() -> None:
    assert deal(["a", "b"]) == deal(["b", "a"])
    assert pd.Series(deal([str(number) for number in range(100)])).nunique() == 3
