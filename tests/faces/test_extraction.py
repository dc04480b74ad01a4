"""Faces are found, followed and cut; a clip that cannot be used is a row with a reason, never the end."""

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from torchfakes_utils.crops.scope import data_name, is_practice
from torchfakes_utils.datasets.faceforensics import write_clips
from torchfakes_utils.datasets.mini.config import MINI_FILE
from torchfakes_utils.errors import InputError
from torchfakes_utils.faces import clip as clip_faces
from torchfakes_utils.faces.config import ExtractionConfig
from torchfakes_utils.faces.detection import square_crop
from torchfakes_utils.faces.extraction import extract_faces, select_clips
from torchfakes_utils.faces.parts import Clip, Part
from torchfakes_utils.faces.quality import variance_of_laplacian
from torchfakes_utils.io.tables import (
    CLIP_COLUMNS,
    CLIP_KEY,
    EXTRACTED_COLUMNS,
    FACE_COLUMNS,
    FAILURE_COLUMNS,
    read_table,
    write_table,
)
from torchfakes_utils.io.video import read_frames, write_video

from helpers.scenes import moving

QUICK = ExtractionConfig(frames=3, size=64)


@pytest.fixture
def copied(tiny_ffpp: Path, tmp_path: Path) -> Path:
    """Two people of the tiny data set and their FaceSwap fakes, to be spoilt; 4 clips."""
    root = tmp_path / "ffpp"
    for name in ("000", "001"):
        path = f"original_sequences/youtube/c23/videos/{name}.mp4"
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(tiny_ffpp / path, root / path)
    for name in ("000_001", "001_000"):
        path = f"manipulated_sequences/FaceSwap/c23/videos/{name}.mp4"
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(tiny_ffpp / path, root / path)
    shutil.copytree(tiny_ffpp / "splits", root / "splits")
    write_clips(root)
    return root


def test_extraction(tiny_faces: Path, tiny_ffpp: Path) -> None:
    faces = read_table(tiny_faces / "faces.csv", FACE_COLUMNS)
    clips = read_table(tiny_ffpp / "clips.csv", CLIP_COLUMNS)
    assert faces.columns.tolist() == EXTRACTED_COLUMNS
    assert faces.groupby(CLIP_KEY).size().tolist() == [4] * 18
    joined = faces.merge(clips, on=CLIP_KEY, suffixes=("", "_clip"))
    for column in ("label", "target_id", "source_id", "split"):
        assert (joined[column] == joined[f"{column}_clip"]).all()
    assert (faces["original_id"] == faces["target_id"]).all()  # here each person has one film, which is called so
    assert read_table(tiny_faces / "failures.csv", FAILURE_COLUMNS).empty
    settings = json.loads((tiny_faces / "extraction.json").read_text())
    assert settings["crop_scale"] == 1.3
    assert settings["size"] == 64
    assert sorted(faces["frame"].unique()) == [1, 3, 5, 7]


def test_of_which_data_set_the_crops_are_is_kept_wherever_they_lie(copied: Path, tmp_path: Path) -> None:
    out = tmp_path / "far" / "crops"
    extract_faces(copied, out, QUICK, progress=False)
    assert (data_name(out / "faces.csv"), is_practice(out / "faces.csv")) == (copied.name, False)
    record, faces = out / "extraction.json", (out / "faces.csv").read_bytes()
    made_before = {name: value for name, value in json.loads(record.read_text()).items() if name != "data"}
    record.write_text(json.dumps(made_before))
    assert data_name(out / "faces.csv") == "crops"
    (copied / MINI_FILE).write_text("{}")
    again = extract_faces(copied, out, QUICK, progress=False)
    assert again.seconds < 5 and (out / "faces.csv").read_bytes() == faces, "it is taken up, not refused"
    assert json.loads(record.read_text())["data"] == {"name": copied.name, "practice": True}
    assert is_practice(out / "faces.csv") and data_name(out / "faces.csv") == f"Mini-FF++ ({copied.name})"
    record.write_text(json.dumps(made_before | {"data": "mine"}))
    with pytest.raises(InputError, match=r"extraction.json: data is no data set; run `torchfakes extract` again"):
        is_practice(out / "faces.csv")


def test_a_list_of_clips_elsewhere_hides_no_practice_data(copied: Path, tmp_path: Path) -> None:
    (copied / MINI_FILE).write_text("{}")
    (tmp_path / "lists").mkdir()
    write_clips(copied, tmp_path / "lists" / "clips.csv")
    extract_faces(tmp_path / "lists", tmp_path / "out", QUICK, progress=False)
    assert is_practice(tmp_path / "out" / "faces.csv")


def test_large_crops_are_said_to_be_enlarged_where_they_are(copied: Path, caplog) -> None:
    for size, said in ((192, True), (160, False)):
        caplog.clear()
        out = copied / f"faces-{size}"
        extract_faces(copied, out, ExtractionConfig(frames=1, size=size), progress=False)
        assert ("4 of 4 crops are enlarged to 192 px, which adds no detail" in caplog.text) == said


def test_a_row_describes_its_crop(tiny_faces: Path, tiny_ffpp: Path) -> None:
    row = read_table(tiny_faces / "faces.csv", FACE_COLUMNS).iloc[0]
    assert row["path"] == f"crops/youtube/c23/000/{row['frame']:05d}.png"
    crop = cv2.imread(str(tiny_faces / row["path"]))[:, :, ::-1]
    assert crop.shape == (64, 64, 3)
    frame = read_frames(tiny_ffpp / "original_sequences/youtube/c23/videos/000.mp4", [row["frame"]])[1][0]
    again, _ = square_crop(frame, row[["x1", "y1", "x2", "y2"]], scale=1, size=64)
    assert np.array_equal(crop, again)
    assert row["sharpness"] == pytest.approx(variance_of_laplacian(np.ascontiguousarray(crop)), abs=0.001)
    landmarks = np.array(row["landmarks"].split(), float).reshape(5, 2)
    assert ((landmarks > 0) & (landmarks < 64)).all()
    assert landmarks[0, 0] < landmarks[1, 0]
    assert 0.9 <= row["probability"] <= 1


def spoil(root: Path) -> None:
    """Of the four clips of `copied` one is left whole."""
    videos = root / "original_sequences/youtube/c23/videos"
    (videos / "001.mp4").write_text("<html>404: not found</html>\n" * 20)
    swapped = root / "manipulated_sequences/FaceSwap/c23/videos"
    (swapped / "000_001.mp4").write_bytes((swapped / "000_001.mp4").read_bytes()[:900])
    write_video(swapped / "001_000.mp4", [np.full((192, 192, 3), 90, np.uint8)] * 5)


def test_clips_that_cannot_be_used_are_rows_with_reasons(copied: Path, tmp_path: Path) -> None:
    spoil(copied)
    out = tmp_path / "out"
    report = extract_faces(copied, out, QUICK, progress=False)
    assert (report.clips, report.faces, report.failures) == (4, 3, 3)
    failures = read_table(out / "failures.csv", FAILURE_COLUMNS).set_index("clip_id")
    assert failures.loc["001", "reason"].startswith("not a video that can be read")
    assert "can be" in failures.loc["000_001", "reason"]
    assert failures.loc["001_000", "reason"] == "no face in the 3 frames looked at"
    assert failures.loc["001", "path"] == "original_sequences/youtube/c23/videos/001.mp4"
    assert read_table(out / "faces.csv", FACE_COLUMNS)["clip_id"].unique().tolist() == ["000"]


def test_clip_that_is_gone(copied: Path, tmp_path: Path) -> None:
    (copied / "original_sequences/youtube/c23/videos/000.mp4").unlink()
    assert extract_faces(copied, tmp_path / "out", QUICK, progress=False).failures == 1
    assert "no such video file" in (tmp_path / "out" / "failures.csv").read_text()


def test_truncated_clip_still_gives_what_it_has(copied: Path, tmp_path: Path, portraits: list[np.ndarray]) -> None:
    path = copied / "original_sequences/youtube/c23/videos/000.mp4"
    data = write_video(path, moving(portraits[0], 20)).read_bytes()
    path.write_bytes(data[: len(data) * 9 // 10])
    out = tmp_path / "out"
    assert extract_faces(copied, out, ExtractionConfig(frames=20, size=64), progress=False).failures == 0
    crops = (read_table(out / "faces.csv", FACE_COLUMNS)["clip_id"] == "000").sum()
    assert 3 <= crops < 20


def test_second_run_does_only_what_is_new(copied: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    whole = (copied / "original_sequences/youtube/c23/videos/001.mp4").read_bytes()
    spoil(copied)
    extract_faces(copied, out, QUICK, progress=False)
    tried = []
    write_part = clip_faces.write_part

    def write(out: Path, clip: Clip, part: Part) -> None:
        tried.append(Path(clip["path"]).name)
        write_part(out, clip, part)

    monkeypatch.setattr(clip_faces, "write_part", write)
    before = (out / "faces.csv").read_bytes()
    assert extract_faces(copied, out, QUICK, progress=False).failures == 3
    assert tried == []
    assert (out / "faces.csv").read_bytes() == before
    # A clip that was downloaded again, a crop that was deleted, a record that was damaged: each is done again.
    (copied / "original_sequences/youtube/c23/videos/001.mp4").write_bytes(whole)
    next((out / "crops/youtube/c23/000").iterdir()).unlink()
    (out / ".parts/FaceSwap/c23/001_000.json").write_text("{")
    assert extract_faces(copied, out, QUICK, progress=False).failures == 2
    assert sorted(set(tried)) == ["000.mp4", "001.mp4", "001_000.mp4"]
    assert (out / "faces.csv").read_bytes().startswith(before)


def test_splits_are_those_of_the_table_as_it_is_now(copied: Path, tmp_path: Path) -> None:
    extract_faces(copied, tmp_path / "out", QUICK, progress=False)
    clips = read_table(copied / "clips.csv", CLIP_COLUMNS)
    write_table(clips.assign(split="test"), copied / "clips.csv")
    extract_faces(copied, tmp_path / "out", QUICK, progress=False)
    assert set(read_table(tmp_path / "out" / "faces.csv", FACE_COLUMNS)["split"]) == {"test"}


def test_another_configuration_needs_another_folder(copied: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    extract_faces(copied, out, QUICK, progress=False)
    wider = ExtractionConfig(frames=3, size=64, crop_scale=1.6, methods=("FaceSwap",), batch=2)
    with pytest.raises(InputError, match=r"with crop_scale 1.3 \(now 1.6\); choose another folder, or --overwrite"):
        extract_faces(copied, out, wider, progress=False)
    before = read_table(out / "faces.csv", FACE_COLUMNS)
    extract_faces(copied, out, wider, progress=False, overwrite=True)
    after = read_table(out / "faces.csv", FACE_COLUMNS)
    assert ((after["x2"] - after["x1"]) > (before["x2"] - before["x1"])).all()
    # Which clips, and on what hardware, is no matter of how they are cut.
    extract_faces(
        copied, out, ExtractionConfig(frames=3, size=64, crop_scale=1.6, batch=4, device="cpu"), progress=False
    )
    (out / "extraction.json").write_text("broken")
    with pytest.raises(InputError, match=r"extraction\.json: cannot be read .*; choose another folder"):
        extract_faces(copied, out, wider, progress=False)


def test_choice_of_clips(copied: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    clips = read_table(copied / "clips.csv", CLIP_COLUMNS)
    rest = clips.assign(compression="c40", path=clips["path"].str.replace("c23", "c40"))
    write_table(pd.concat([rest, clips]), copied / "clips.csv")

    def selected(**settings: object) -> set[tuple[str, str]]:
        chosen = select_clips(copied, ExtractionConfig(**settings))
        return {(clip["method"], clip["compression"]) for clip in chosen}

    assert selected() == {("youtube", "c23"), ("FaceSwap", "c23")}
    assert caplog.messages == ["of 2 compressions only 'c23' is taken; --compression takes another"]
    assert selected(compression="c40") == {("youtube", "c40"), ("FaceSwap", "c40")}
    assert selected(methods=("FaceSwap",), compression="c40") == {("youtube", "c40"), ("FaceSwap", "c40")}
    write_table(rest, copied / "clips.csv")
    assert selected() == {("youtube", "c40"), ("FaceSwap", "c40")}
    with pytest.raises(InputError, match="no clips for raw; it holds c40, FaceSwap, youtube"):
        selected(compression="raw")
    with pytest.raises(InputError, match="unknown method 'Deepfaker'"):
        selected(methods=("Deepfaker",))
    write_table(pd.concat([rest, rest]), copied / "clips.csv")
    with pytest.raises(InputError, match="names .* twice, or another by the same name"):
        selected()


def test_folder_without_clips_csv(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no clips.csv; make it with `torchfakes clips"):
        extract_faces(tmp_path, tmp_path / "out", QUICK, progress=False)
    assert not (tmp_path / "out").exists()


def test_table_without_clips(tmp_path: Path) -> None:
    write_table(pd.DataFrame(columns=CLIP_COLUMNS), tmp_path / "clips.csv")
    with pytest.raises(InputError, match="no clips for any compression; it holds no clips"):
        extract_faces(tmp_path, tmp_path / "out", QUICK, progress=False)


def test_not_one_face_in_the_data_set(copied: Path, tmp_path: Path) -> None:
    for path in copied.rglob("*.mp4"):
        path.write_bytes(b"")
    with pytest.raises(InputError, match=r"not one face in 4 clips; the reasons are in .*failures\.csv"):
        extract_faces(copied, tmp_path / "out", QUICK, progress=False)
    assert (tmp_path / "out" / "failures.csv").read_text().count("this file is empty") == 4


def test_output_that_cannot_be_written(copied: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match="cannot write there"):
        extract_faces(copied, tmp_path / "file" / "out", QUICK, progress=False)
    # The disk fills up half-way: that ends the run; it is no clip's fault.
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(InputError, match="cannot write there .No space left"):
        extract_faces(copied, tmp_path / "out", QUICK, progress=False)
    assert not (tmp_path / "out" / "failures.csv").exists()


def full(self: Path, data: bytes) -> int:
    raise OSError(28, "No space left on device")


def test_unexpected_error_in_every_clip_ends_the_run_with_its_first_line(
    copied: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when a library has changed: no table without a face comes of it, and nothing is tried for a whole night."""
    tried = []

    def length(path: Path) -> int:
        tried.append(path)
        raise TypeError("open() got an unexpected keyword argument\nand more")

    monkeypatch.setattr(clip_faces, "length", length)
    with pytest.raises(
        InputError, match=r"\.mp4: unexpected TypeError: open\(\) got an unexpected keyword argument; and"
    ):
        extract_faces(copied, tmp_path / "out", QUICK, progress=False)
    assert not (tmp_path / "out" / "faces.csv").exists()
    assert 1 <= len(tried) < 30


def test_unexpected_error_is_a_row_and_tried_again(
    copied: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames_in = clip_faces.length

    def length(path: Path) -> int:
        if path.name == "001.mp4":
            raise ZeroDivisionError("a bug")
        return frames_in(path)

    with monkeypatch.context() as patched:
        patched.setattr(clip_faces, "length", length)
        assert extract_faces(copied, tmp_path / "out", QUICK, progress=False).failures == 1
    assert "unexpected ZeroDivisionError: a bug" in (tmp_path / "out" / "failures.csv").read_text()
    assert extract_faces(copied, tmp_path / "out", QUICK, progress=False).failures == 0
