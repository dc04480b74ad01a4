"""Folders called real and fake, and what else other people's data lies in: recognised, or the way out is named."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from torchfakes_utils.cli.main import main
from torchfakes_utils.datasets.layouts import index_clips, recognise
from torchfakes_utils.errors import InputError
from torchfakes_utils.io.tables import EXTRACTED_COLUMNS, FAILURE_COLUMNS, INDEX_COLUMNS, read_table

from helpers.scenes import moving, person


def touch(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()


def indexed(root: Path, **more: str) -> list[dict]:
    return read_table(index_clips(root, **more), INDEX_COLUMNS).to_dict("records")


@pytest.mark.parametrize(
    ("real", "fake", "methods"),
    [
        ("real", "fake", {"real", "fake"}),
        ("REAL", "FAKE", {"REAL", "FAKE"}),
        ("original", "Deepfakes", {"original", "Deepfakes"}),
        ("originals", "deepfakes", {"originals", "Deepfakes"}),
        ("0", "1", {"real", "fake"}),
        ("real_videos", "fake_videos", {"real_videos", "fake_videos"}),
        ("data/real/films", "data/fake/films", {"real", "fake"}),
    ],
)
def test_labels_by_folder(tmp_path: Path, real: str, fake: str, methods: set[str]) -> None:
    touch(tmp_path, *[f"{real}/a{n}.mp4" for n in range(4)], *[f"{fake}/a{n}_b.MP4" for n in range(4)])
    assert recognise(tmp_path) == "labelled"
    clips = indexed(tmp_path)
    assert {clip["method"] for clip in clips} == methods
    assert [clip["label"] for clip in clips] == [0] * 4 + [1] * 4
    # A fake is on the side of the clip that it is made from, whose name it has.
    split = {clip["clip_id"]: clip["split"] for clip in clips if not clip["label"]}
    fakes = [clip for clip in clips if clip["label"]]
    assert all(clip["split"] == split[clip["original_id"]] for clip in fakes)
    assert set(split.values()) == {"train", "val", "test"}


def test_flat_faceforensics_has_its_official_split(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    names = ["071", "054", "720", "672", "953", "974"]
    touch(tmp_path, *[f"original/{name}.mp4" for name in names])
    touch(tmp_path, *[f"Deepfakes/{a}_{b}.mp4" for a, b in zip(names[::2], names[1::2], strict=True)])
    clips = {clip["clip_id"]: clip for clip in indexed(tmp_path)}
    assert [clips[name]["split"] for name in names] == ["train"] * 2 + ["val"] * 2 + ["test"] * 2
    fake = clips["953_974"]
    columns = ("method", "target_id", "source_id", "original_id", "split")
    assert [fake[name] for name in columns] == ["Deepfakes", "953", "974", "953", "test"]
    assert clips["071"]["method"] == "youtube"
    assert not caplog.text


def test_folders_that_are_the_split(tmp_path: Path) -> None:
    for split, count in (("train", 30), ("Test", 4)):
        for label in ("real", "fake"):
            touch(tmp_path, *[f"{split}/{label}/{number:05d}.jpg" for number in range(count)])
    clips = indexed(tmp_path)
    assert len({(clip["method"], clip["clip_id"]) for clip in clips}) == 68
    counts = {split: sum(clip["split"] == split for clip in clips) for split in ("train", "val", "test")}
    assert counts["test"] == 8 and counts["train"] + counts["val"] == 60 and 4 <= counts["val"] <= 12
    assert {clip["path"].split("/")[0] for clip in clips if clip["split"] == "test"} == {"Test"}


def test_what_is_in_no_such_folder_is_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    touch(
        tmp_path, "real/a.jpg", "fake/a.jpg", "b.jpg", "samples/c.mp4", "real/fake/d.jpg", "real/._a.jpg", "real/x.txt"
    )
    touch(tmp_path, "faces/extraction.json", "faces/crops/real/unknown/a/0.png", "real/a.png")
    assert [clip["clip_id"] for clip in indexed(tmp_path)] == ["a", "a_png", "a"]
    assert "3 files left out: in no folder that says real or fake (first: " in caplog.text


def test_a_linked_folder_is_entered_once(tmp_path: Path) -> None:
    touch(tmp_path / "disk", "a.mp4", "b.mp4")
    touch(tmp_path / "set", "fake/a.mp4")
    (tmp_path / "set/real").symlink_to(tmp_path / "disk")
    (tmp_path / "disk/again").symlink_to(tmp_path / "set")
    assert [clip["path"] for clip in indexed(tmp_path / "set")] == ["real/a.mp4", "real/b.mp4", "fake/a.mp4"]


def test_a_name_that_no_table_can_hold_costs_no_other(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    touch(tmp_path, "real/a.mp4", "fake/b.mp4")
    try:
        touch(tmp_path, "real/gr\udcf6\udcdfe.mp4")
    except (OSError, UnicodeEncodeError):
        pytest.skip("this system has no such names")
    assert [clip["clip_id"] for clip in indexed(tmp_path)] == ["a", "b"]
    assert "1 files left out: their names are in no encoding" in caplog.text


def test_numbered_pictures_are_a_film(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for number in (0, 9, 10):
        touch(tmp_path, f"real/frames/anna/{number}.png", f"fake/frames/anna_ben/frame_{number}.png")
    touch(tmp_path, "real/frames/carl/face.png", "real/frames/carl/hat.png")
    clips = {clip["clip_id"]: clip["path"] for clip in indexed(tmp_path)}
    assert clips == {
        "anna": "real/frames/anna", "anna_ben": "fake/frames/anna_ben",
        "carl-face": "real/frames/carl/face.png", "carl-hat": "real/frames/carl/hat.png",
    }  # fmt: skip
    assert "2 folders of numbered pictures are taken for films" in caplog.text


def test_frames_of_deepfakebench(tmp_path: Path) -> None:
    for name in ("original_sequences/youtube/c23/frames/071", "manipulated_sequences/Deepfakes/c23/frames/071_054"):
        touch(tmp_path, f"{name}/000.png", f"{name}/010.png")
    clips = indexed(tmp_path)
    assert [clip["path"][-10:] for clip in clips] == ["frames/071", "es/071_054"]
    assert [clip["split"] for clip in clips] == ["train", "train"]
    assert clips[1]["original_id"] == "071"


def test_endings_and_folders_in_capitals(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    touch(tmp_path, "Original_Sequences/youtube/C23/Videos/071.MP4", "Original_Sequences/youtube/C23/Videos/054.avi")
    touch(
        tmp_path, "Original_Sequences/youtube/C23/Videos/054.mp4", "manipulated_sequences/Mine/c23/videos/071_054.mp4"
    )
    touch(tmp_path, "manipulated_sequences/Deepfakes/c23/videos/071_054.Mov")
    clips = indexed(tmp_path)
    assert [(clip["clip_id"], clip["compression"]) for clip in clips] == [
        (name, "c23") for name in ("054", "071", "071_054")
    ]
    assert "054.avi: left out; 054.mp4 is there, too" in caplog.text
    assert "1 files left out: not named as in FaceForensics++" in caplog.text and "Mine" in caplog.text


def test_dfdc_below(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for part in ("00", "01"):
        fake = {"label": "FAKE", "original": f"{part}real.mp4"}
        entries = {f"{part}real.mp4": {"label": "REAL"}, f"{part}fake.mp4": fake, "gone.mp4": fake}
        touch(tmp_path, f"dfdc/{part}/{part}real.MP4", f"dfdc/{part}/{part}fake.mp4")
        (tmp_path / f"dfdc/{part}/metadata.json").write_text(json.dumps(entries))
    for root in (tmp_path, tmp_path / "dfdc"):
        assert sorted(clip["clip_id"] for clip in indexed(root)) == ["00fake", "00real", "01fake", "01real"]
    assert "2 videos left out: they are not there (first: " in caplog.text


def test_dfdc_contradicts_itself(tmp_path: Path) -> None:
    touch(tmp_path, "a.mp4", "x/b.mp4")
    (tmp_path / "labels.csv").write_text("filename,label\na.mp4,1\na.mp4,0\n")
    with pytest.raises(InputError, match=r"labels.csv: .*listed twice.*--from-csv"):
        index_clips(tmp_path)


def test_the_way_out_of_an_unknown_folder(tmp_path: Path) -> None:
    touch(tmp_path, "people/anna.mp4", "people/ben.mp4")
    with pytest.raises(InputError, match=r"begins `path,label` and then `people/anna.mp4,0`.*--from-csv"):
        index_clips(tmp_path)
    touch(tmp_path, "zoo/Celeb-real/id0_0000.mp4")
    with pytest.raises(InputError, match=r"in zoo there is a data set \(celeb-df\); give .*zoo"):
        index_clips(tmp_path)


def test_deepfakedetection_alone(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    for number in range(1, 5):
        name = f"{number:02d}__walking_outside"
        fake = f"{number:02d}_{number % 4 + 1:02d}__walking_outside__YVGY8LOK"
        touch(tmp_path, f"original_sequences/actors/c23/videos/{name}.mp4")
        touch(tmp_path, f"manipulated_sequences/DeepFakeDetection/c23/videos/{fake}.mp4")
    assert main(["clips", str(tmp_path)]) == 0
    assert "to train on it, --split strict" in capsys.readouterr().err
    assert main(["clips", str(tmp_path), "--split", "strict"]) == 0
    assert "by split: (none)" in capsys.readouterr().out


# --- onwards


def saved(path: Path, picture: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path)


@pytest.mark.slow
def test_from_photos_and_frames_to_faces(tmp_path: Path, portraits: list) -> None:
    """A photo is a clip of one frame, a folder of pictures one of many, in the order of their numbers."""
    for number in range(4):
        saved(tmp_path / f"set/real/{number}.png", person(portraits, number))
        saved(tmp_path / f"set/fake/{number}.jpg", person(portraits, number))
    for index, frame in enumerate(moving(person(portraits, 1), 12)):
        saved(tmp_path / f"set/real/film/{index}.png", frame)
    saved(tmp_path / "set/fake/wall.png", np.full((90, 120, 3), 128, np.uint8))
    (tmp_path / "set/fake/broken.jpg").write_bytes(b"\xff\xd8\xff")
    assert main(["clips", str(tmp_path / "set")]) == 0
    assert main(["extract", str(tmp_path / "set"), "--out", str(tmp_path / "faces"), "--frames", "4"]) == 1
    faces = read_table(tmp_path / "faces/faces.csv", EXTRACTED_COLUMNS)
    assert faces["clip_id"].value_counts().to_dict() == {"film": 4} | dict.fromkeys("0123", 2)
    assert faces.loc[faces["clip_id"] == "film", "frame"].tolist() == [1, 4, 7, 10]
    failures = read_table(tmp_path / "faces/failures.csv", FAILURE_COLUMNS)
    assert sorted(failures["clip_id"]) == ["broken", "wall"]
    # A picture that is added to a film is noticed.
    saved(tmp_path / "set/real/film/12.png", person(portraits, 1))
    assert main(["extract", str(tmp_path / "set"), "--out", str(tmp_path / "faces"), "--frames", "4"]) == 1
    again = read_table(tmp_path / "faces/faces.csv", EXTRACTED_COLUMNS)
    assert again.loc[again["clip_id"] == "film", "frame"].tolist() == [1, 4, 8, 11]


def test_frames_in_folders_called_0_and_1_are_films_where_real_and_fake_are_said(tmp_path: Path) -> None:
    touch(
        tmp_path,
        *[f"{label}/anna/{take}/{n:03d}.png" for label in ("real", "fake") for take in (0, 1, 2) for n in (1, 2)],
    )
    assert {clip["path"] for clip in indexed(tmp_path)} == {
        f"{label}/anna/{take}" for label in ("real", "fake") for take in (0, 1, 2)
    }


def test_pictures_that_may_be_frames_are_named_where_they_are_dealt_out_one_by_one(tmp_path: Path, caplog) -> None:
    touch(
        tmp_path, *[f"{label}/{film}_{n}.png" for label in ("real", "fake") for film in ("aa", "bb") for n in range(6)]
    )
    indexed(tmp_path)
    assert "24 pictures share a name but for its number (first: fake/aa_0.png)" in caplog.text
    caplog.clear()
    touch(tmp_path / "b", *[f"{label}/{n:05d}.jpg" for label in ("real", "fake") for n in range(12)])
    indexed(tmp_path / "b")
    assert "share a name" not in caplog.text


def test_the_example_of_a_table_does_not_call_a_fake_real(tmp_path: Path) -> None:
    touch(tmp_path, "fake_1.mp4", "real_1.mp4")
    with pytest.raises(InputError, match="then `fake_1.mp4,1`"):
        index_clips(tmp_path)
