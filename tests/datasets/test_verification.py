"""A download is checked file by file; what is damaged or missing is named, what was found whole is not read again."""

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from torchfakes_utils.cli.main import main
from torchfakes_utils.datasets import verification
from torchfakes_utils.datasets.verification import MANIFEST_COLUMNS, Wanted, verify
from torchfakes_utils.errors import DamagedError, InputError

SWAP = "manipulated_sequences/FaceSwap/c23/videos/000_001.mp4"


@pytest.fixture
def folder(tiny_ffpp: Path, tmp_path: Path) -> Path:
    root = tmp_path / "ffpp"
    shutil.copytree(tiny_ffpp, root)
    return root


def manifest(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "manifest.csv", keep_default_na=False).set_index("path")


def test_everything_is_there(folder: Path) -> None:
    found = verify(folder, progress=False)
    assert (found.files, found.damaged, found.missing, found.whole) == (18 + 12, [], [], True)
    table = manifest(folder)
    assert table.reset_index().columns.tolist() == MANIFEST_COLUMNS
    assert table.loc[SWAP, "bytes"] == (folder / SWAP).stat().st_size
    assert table.loc[SWAP, "frames"] == 8
    assert len(table.loc[SWAP, "sha256"]) == 64
    assert found.bytes == table["bytes"].sum()


def test_damaged_files_are_named_and_deleted_if_wished(folder: Path) -> None:
    (folder / SWAP).write_bytes((folder / SWAP).read_bytes()[:700])
    (folder / "original_sequences/youtube/c23/videos/001.mp4").write_bytes(b"")
    mask = "manipulated_sequences/Deepfakes/masks/videos/000_001.mp4"
    (folder / mask).write_text("<html>")
    found = verify(folder, progress=False)
    assert [path for path, _ in found.damaged] == ["original_sequences/youtube/c23/videos/001.mp4", SWAP, mask]
    assert "is empty" in dict(found.damaged)["original_sequences/youtube/c23/videos/001.mp4"]
    assert manifest(folder).loc[mask, "reason"].startswith("not a video")
    assert verify(folder, progress=False, delete_damaged=True).damaged == found.damaged
    assert not (folder / SWAP).exists()
    assert SWAP not in manifest(folder).index
    assert verify(folder, progress=False).whole


def test_what_was_found_whole_is_not_read_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    verify(folder, progress=False)
    read = []
    real = verification.probe
    monkeypatch.setattr(verification, "probe", lambda path: (read.append(path.name), real(path))[1])
    before = (folder / "manifest.csv").read_bytes()
    assert verify(folder, progress=False).whole
    assert read == []
    assert (folder / "manifest.csv").read_bytes() == before
    (folder / SWAP).write_bytes((folder / SWAP).read_bytes()[:700])
    assert [path for path, _ in verify(folder, progress=False).damaged] == [SWAP]
    assert not verify(folder, progress=False).whole  # a damaged one is tried each time
    (folder / "manifest.csv").write_text("mine\n")
    with pytest.raises(InputError, match=r"manifest\.csv: is there, and not what would be written"):
        verify(folder, progress=False)
    assert (folder / "manifest.csv").read_text() == "mine\n"


# What may keep a sound film from being read.
NUMBERS = (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.EACCES, errno.EIO, errno.ESTALE, errno.EPERM)
AT_FAULT = [
    *(OSError(number, os.strerror(number)) for number in NUMBERS),
    MemoryError(),
    InputError("x: 8K is the most"),
]


@pytest.mark.slow
@pytest.mark.parametrize("error", AT_FAULT, ids=lambda error: getattr(error, "strerror", None) or type(error).__name__)
@pytest.mark.parametrize("wrapped", [False, True])
def test_what_cannot_be_read_is_not_deleted(folder, monkeypatch, error, wrapped) -> None:
    real = verification.probe

    def refuses(path: Path) -> object:
        if path.name != "000_001.mp4":
            return real(path)
        if wrapped and isinstance(error, OSError):  # as `io.decoding` does it
            raise InputError(f"{path}: not a video that can be read") from error
        raise error

    monkeypatch.setattr(verification, "probe", refuses)
    found = verify(folder, progress=False, delete_damaged=True)
    assert SWAP in dict(found.damaged) and found.deleted == []
    assert (folder / SWAP).is_file()


def test_films_that_cannot_be_opened_for_lack_of_something_are_not_deleted(folder, monkeypatch) -> None:
    """Whatever the decoder then says: a film that was sound a moment ago is as damaged."""
    real, worked = verification.probe, []

    def fails_after_a_while(path: Path) -> object:
        worked.append(path)
        if len(worked) > 20:
            raise DamagedError(f"{path}: no frame of this video can be decoded")
        return real(path)

    monkeypatch.setattr(verification, "probe", fails_after_a_while)
    found = verify(folder, progress=False, delete_damaged=True)
    assert found.damaged and found.deleted == []
    assert len([path for path in folder.rglob("*.mp4") if path.is_file()]) == 30


@pytest.mark.slow
@pytest.mark.parametrize("lacking", ["RLIMIT_NOFILE", "RLIMIT_AS"])
def test_nothing_is_deleted_where_descriptors_or_memory_lack(folder: Path, lacking: str) -> None:
    code = (
        "import resource, sys; from torchfakes_utils.datasets import verification as v\n"
        "kind = getattr(resource, sys.argv[2]); used = int(open('/proc/self/statm').read().split()[0]) * 4096\n"
        "resource.setrlimit(kind, (14 if kind == resource.RLIMIT_NOFILE else used + 30_000_000,) * 2)\n"
        "v.verify(sys.argv[1], workers=32, progress=False, delete_damaged=True)"
    )
    command = [sys.executable, "-c", code, str(folder), lacking]
    subprocess.run(command, capture_output=True, timeout=120, check=False)  # it may well fail
    assert len(list(folder.rglob("*.mp4"))) == 30


def test_a_link_goes_and_what_it_leads_to_stays_and_a_folder_too(folder: Path, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs.mp4"
    theirs.write_bytes((folder / SWAP).read_bytes()[:700])
    (folder / SWAP).unlink()
    (folder / SWAP).symlink_to(theirs)
    other = folder / "original_sequences/youtube/c23/videos/001.mp4"
    other.unlink()
    other.mkdir()
    (other / "notes.txt").write_text("mine")
    verify(folder, progress=False, delete_damaged=True)
    assert theirs.is_file() and (other / "notes.txt").read_text() == "mine"


def test_stopped_half_way_the_rest_is_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verification, "_KEPT_EVERY", 10)
    real = verification._manifest_row
    seen = []

    def stop(root: Path, path: str, before: dict | None) -> dict:
        seen.append(path)
        if len(seen) > 15:
            raise KeyboardInterrupt
        return real(root, path, before)

    monkeypatch.setattr(verification, "_manifest_row", stop)
    with pytest.raises(KeyboardInterrupt):
        verify(folder, progress=False, workers=1)
    assert len(manifest(folder)) == 10


def test_counts_against_what_was_asked_for(folder: Path) -> None:
    def missing(**wanted: object) -> list[str]:
        return verify(folder, Wanted(**wanted), progress=False).missing

    assert missing() == []
    assert missing(num_videos=6) == []
    assert missing(num_videos=7, compressions=["c23"], methods=["youtube", "FaceSwap", "Face2Face"]) == [
        "Face2Face c23: 0 of 7 videos", "FaceSwap c23: 6 of 7 videos", "youtube c23: 6 of 7 videos",
    ]  # fmt: skip
    assert missing(complete=True, methods=["youtube"]) == ["youtube c23: 6 of 1000 videos"]
    assert missing(num_videos=2000, methods=["DeepFakeDetection", "actors"], compressions=["c40"]) == [
        "DeepFakeDetection c40: 0 of 2000 videos", "actors c40: 0 of 363 videos",
    ]  # fmt: skip
    shutil.rmtree(folder / "manipulated_sequences/FaceSwap/masks")
    assert missing(num_videos=6, masks=True) == ["FaceSwap masks: 0 of 6 videos"]


def test_masks_are_looked_at_with_their_videos_only(folder: Path) -> None:
    found = verify(folder, Wanted(methods=["FaceSwap"]), progress=False)
    assert found.files == 12
    assert len(verify(folder, Wanted(methods=["youtube"]), progress=False).damaged) == 0
    assert len(manifest(folder)) == 18  # what was known of the other part is kept


def test_wrong_folder_and_names(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        verify(tmp_path / "nowhere", progress=False)
    with pytest.raises(InputError, match="unknown method"):
        verify(folder, Wanted(methods=["Deepfaker"]), progress=False)
    with pytest.raises(InputError, match="no videos found"):
        verify(tmp_path, progress=False)


def test_command(folder: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["verify", str(folder)]) == 0
    assert "30 files" in capsys.readouterr().out
    (folder / SWAP).write_bytes(b"x" * 50)
    assert main(["verify", str(folder), "--num-videos", "7"]) == 1
    err = capsys.readouterr().err
    assert f"{SWAP}: not a video" in err
    assert "missing: youtube c23: 6 of 7 videos" in err
