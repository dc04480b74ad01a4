"""A fake takes the place of its original's face where their frames correspond; whatever is stopped resumes."""

import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from torchfakes_utils.datasets.faceforensics import write_clips
from torchfakes_utils.errors import InputError
from torchfakes_utils.faces import clip as clip_faces
from torchfakes_utils.faces.config import ExtractionConfig
from torchfakes_utils.faces.detection import Detections, FaceDetector
from torchfakes_utils.faces.extraction import extract_faces
from torchfakes_utils.faces.tracking import DETECTED, REUSED, Track
from torchfakes_utils.io.tables import EXTRACTED_COLUMNS, FACE_COLUMNS, FAILURE_COLUMNS, read_table
from torchfakes_utils.io.video import read_frames, write_video

from helpers.scenes import moving, person

QUICK = ExtractionConfig(frames=3, size=64)
REAL = "original_sequences/youtube/c23/videos/000.mp4"
FAKE = "manipulated_sequences/FaceSwap/c23/videos/000_001.mp4"


@pytest.fixture
def pair(tiny_ffpp: Path, tmp_path: Path) -> Path:
    """One person and one fake of them."""
    root = tmp_path / "ffpp"
    for path in (REAL, FAKE):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(tiny_ffpp / path, root / path)
    shutil.copytree(tiny_ffpp / "splits", root / "splits")
    write_clips(root)
    return root


def rows(out: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows of the real clip and of the fake."""
    faces = read_table(out / "faces.csv", EXTRACTED_COLUMNS)
    return faces[faces["label"] == 0].reset_index(drop=True), faces[faces["label"] == 1].reset_index(drop=True)


def extracted(root: Path, config: ExtractionConfig = QUICK) -> tuple[pd.DataFrame, pd.DataFrame]:
    extract_faces(root, root / "faces", config, progress=False, overwrite=True)
    return rows(root / "faces")


WHERE = ["frame", "x1", "y1", "x2", "y2", "landmarks", "probability"]


# --- sharing


def test_fake_is_cut_where_its_original_is(pair: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    searched = []
    detect = FaceDetector.detect

    def search(self: FaceDetector, frames: list[np.ndarray], finer: float = 1.0) -> list[Detections]:
        searched.extend(frames)
        return detect(self, frames, finer)

    monkeypatch.setattr(FaceDetector, "detect", search)
    real, fake = extracted(pair)
    assert len(searched) == 3, "faces are looked for in one clip of two"
    assert real[WHERE].equals(fake[WHERE])
    assert set(real["found"]) == {DETECTED}
    assert set(fake["found"]) == {REUSED}
    frame = read_frames(pair / FAKE, [fake["frame"][0]])[1][0]
    x1, y1, x2, y2 = fake.loc[0, ["x1", "y1", "x2", "y2"]].astype(int)
    inside = frame[max(y1, 0) : y2, max(x1, 0) : x2].mean()  # the crop is the fake's, not the original's
    assert inside == pytest.approx(crop(pair / "faces" / fake["path"][0]).mean(), abs=4)
    assert abs(inside - crop(pair / "faces" / real["path"][0]).mean()) > 0.5


def crop(path: Path) -> np.ndarray:
    import cv2

    return cv2.imread(str(path))


def test_every_fake_for_itself_if_wished(pair: Path) -> None:
    _, fake = extracted(pair, ExtractionConfig(frames=3, size=64, reuse=False))
    assert set(fake["found"]) == {DETECTED}


def test_shorter_fake_takes_the_frames_that_it_has(pair: Path, portraits: list[np.ndarray]) -> None:
    frames = read_frames(pair / FAKE)[1]
    write_video(pair / FAKE, frames[:6], preset="ultrafast")
    real, fake = extracted(pair, ExtractionConfig(frames=8, size=64))
    assert real["frame"].tolist() == list(range(8))
    assert fake["frame"].tolist() == list(range(6))
    assert set(fake["found"]) == {REUSED}
    assert real.loc[:5, WHERE].equals(fake[WHERE])


@pytest.mark.parametrize("trouble", ["too short", "too long", "shifted", "another size", "another film"])
def test_what_does_not_correspond_is_found_afresh(pair: Path, portraits: list[np.ndarray], trouble: str) -> None:
    frames = list(read_frames(pair / FAKE)[1])
    frames = {
        "too short": frames[:3],
        "too long": frames + frames[::-1],
        "shifted": [np.roll(frame, 40, axis=1) for frame in frames],
        "another size": [frame[:, 10:-10] for frame in frames],
        "another film": moving(person(portraits, 3)),
    }[trouble]
    write_video(pair / FAKE, frames, preset="ultrafast")
    real, fake = extracted(pair)
    assert set(fake["found"]) == {DETECTED}
    assert len(real) == len(fake) == 3


def test_face_that_shows_in_the_fake_only_is_not_lost(pair: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the detector misses the original's face (here: at the end, so that no gap is filled), the fake's counts."""
    follow = clip_faces.track_face

    def miss(*arguments: object) -> Track:
        return Track(**{name: value[:2] for name, value in vars(follow(*arguments)).items()})

    whole = extracted(pair)[1]
    shutil.rmtree(pair / "faces")
    monkeypatch.setattr(clip_faces, "track_face", miss)
    real, fake = extracted(pair)
    assert len(real) == 2
    assert fake["found"].tolist() == [REUSED, REUSED, DETECTED]
    assert fake["frame"].tolist() == whole["frame"].tolist()
    edges = ["x1", "y1", "x2", "y2"]
    assert np.allclose(fake.loc[2, edges].astype(float), whole.loc[2, edges].astype(float), atol=12)


def test_fakes_of_an_original_that_cannot_be_used(pair: Path) -> None:
    (pair / REAL).write_bytes(b"")
    extract_faces(pair, pair / "faces", QUICK, progress=False)
    real, fake = rows(pair / "faces")
    assert real.empty
    assert set(fake["found"]) == {DETECTED}
    faceless = [np.full((192, 192, 3), 90, np.uint8)] * 8
    write_video(pair / REAL, faceless, preset="ultrafast")
    _, fake = extracted(pair)
    assert set(fake["found"]) == {DETECTED}
    assert set(fake["original_id"]) == {"000"}  # by its target, which is one film
    assert read_table(pair / "faces/failures.csv", FAILURE_COLUMNS)["clip_id"].tolist() == ["000"]


def test_fake_that_is_damaged_where_its_original_is_not(pair: Path) -> None:
    (pair / FAKE).write_bytes((pair / FAKE).read_bytes()[:900])
    extract_faces(pair, pair / "faces", QUICK, progress=False)
    failures = read_table(pair / "faces/failures.csv", FAILURE_COLUMNS)
    assert failures["clip_id"].tolist() == ["000_001"]


def test_original_that_comes_later_changes_its_fakes(pair: Path) -> None:
    """The result depends on what is there, not on the order in which it came."""
    whole = (pair / REAL).read_bytes()
    (pair / REAL).unlink()
    write_clips(pair)
    extract_faces(pair, pair / "faces", QUICK, progress=False)
    assert set(rows(pair / "faces")[1]["found"]) == {DETECTED}
    (pair / REAL).write_bytes(whole)
    write_clips(pair)
    extract_faces(pair, pair / "faces", QUICK, progress=False)
    assert set(rows(pair / "faces")[1]["found"]) == {REUSED}


def nothing_to_detect(self: FaceDetector, frames: list[np.ndarray], finer: float = 1.0) -> list[Detections]:
    assert not frames, "nothing is to be detected any more"
    return []


def test_fake_that_comes_later_finds_its_originals_face_remembered(pair: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = (pair / FAKE).read_bytes()
    (pair / FAKE).unlink()
    write_clips(pair)
    extract_faces(pair, pair / "faces", QUICK, progress=False)
    (pair / FAKE).write_bytes(whole)
    write_clips(pair)
    monkeypatch.setattr(FaceDetector, "detect", nothing_to_detect)
    extract_faces(pair, pair / "faces", QUICK, progress=False)
    real, fake = rows(pair / "faces")
    assert real[WHERE].equals(fake[WHERE])
    monkeypatch.undo()
    extract_faces(pair, pair / "at once", QUICK, progress=False)
    assert (pair / "at once/faces.csv").read_bytes() == (pair / "faces/faces.csv").read_bytes()


# --- storing


@pytest.mark.parametrize(("image_format", "magic"), [("jpg", b"\xff\xd8"), ("webp", b"RIFF"), ("png", b"\x89PNG")])
def test_crops_are_stored_as_asked_for_and_the_table_says_how(pair: Path, image_format: str, magic: bytes) -> None:
    _, fake = extracted(pair, ExtractionConfig(frames=1, size=64, image_format=image_format, quality=80))
    assert (pair / "faces" / fake["path"][0]).read_bytes().startswith(magic)
    quality = "lossless" if image_format == "png" else "80"
    assert fake.loc[0, ["crop_size", "crop_format", "crop_quality"]].tolist() == [64, image_format, quality]


def test_lower_quality_is_smaller(pair: Path) -> None:
    sizes = []
    for quality in (20, 95):
        _, fake = extracted(pair, ExtractionConfig(frames=1, size=64, image_format="jpg", quality=quality))
        sizes.append((pair / "faces" / fake["path"][0]).stat().st_size)
    assert sizes[0] < sizes[1]


# --- nothing lost


def test_two_runs_at_once_are_refused(pair: Path) -> None:
    from filelock import FileLock

    (pair / "faces").mkdir()
    with (
        FileLock(pair / "faces/.torchfakes-lock"),
        pytest.raises(InputError, match="another extraction is writing there"),
    ):
        extract_faces(pair, pair / "faces", QUICK, progress=False)
    assert extract_faces(pair, pair / "faces", QUICK, progress=False).faces == 6


KILLED = """
import os, signal, sys, time
from pathlib import Path
from torchfakes_utils.faces.config import ExtractionConfig
from torchfakes_utils.faces.extraction import extract_faces
import facenet_pytorch, random

root, out, seed = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
config = ExtractionConfig(frames=3, size=64)

def child(folder):
    pid = os.fork()
    if pid == 0:
        try:
            extract_faces(root, folder, config, progress=False)
            os._exit(0)
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(1)
    return pid

for folder in ("warm", "undisturbed"):
    start = time.perf_counter()
    assert os.waitpid(child(out / folder), 0)[1] == 0
    whole = time.perf_counter() - start
dice, killed, folder = random.Random(seed), 0, 0
while killed < 20:
    pid = child(out / f"killed{folder}")
    time.sleep(dice.uniform(0, whole / 2))
    os.kill(pid, signal.SIGKILL)
    if os.WIFSIGNALED(os.waitpid(pid, 0)[1]):
        killed += 1
    else:
        folder += 1  # it was done before: on to a fresh folder
assert os.waitpid(child(out / f"killed{folder}"), 0)[1] == 0
print(folder + 1)
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork, to start twenty runs within seconds")
def test_killed_twenty_times_the_tables_are_those_of_an_undisturbed_run(tiny_ffpp: Path, tmp_path: Path) -> None:
    write_clips(tiny_ffpp)
    seed = random.randrange(10**6)  # other moments each time; it stands in the message of a failure
    result = subprocess.run(
        [sys.executable, "-c", KILLED, str(tiny_ffpp), str(tmp_path), str(seed)], capture_output=True, text=True
    )
    assert result.returncode == 0, f"seed {seed}: {result.stderr}"
    wanted = tree(tmp_path / "undisturbed")
    assert sum(name.endswith(".png") for name in wanted) == 54
    for folder in range(int(result.stdout)):
        assert tree(tmp_path / f"killed{folder}") == wanted, f"seed {seed}"


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_old_tables_without_originals_still_work(pair: Path) -> None:
    clips = pd.read_csv(pair / "clips.csv", dtype=str, keep_default_na=False).drop(columns="original_id")
    clips.to_csv(pair / "clips.csv", index=False)
    _, fake = extracted(pair)
    assert set(fake["found"]) == {DETECTED}
    assert set(fake["original_id"]) == {"000"}  # by its target, which is one film
    assert read_table(pair / "faces/faces.csv", FACE_COLUMNS).columns.tolist() == EXTRACTED_COLUMNS
