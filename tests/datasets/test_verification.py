"""A download is checked file by file; what is damaged or missing is named, what was found whole is not read again."""

import shutil
from pathlib import Path

import pandas as pd
import pytest

from torchfakes_utils.cli.main import main
from torchfakes_utils.datasets import verification
from torchfakes_utils.datasets.verification import MANIFEST_COLUMNS, Wanted, verify
from torchfakes_utils.errors import InputError

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
    (folder / "manifest.csv").write_text("nonsense\n")
    assert verify(folder, progress=False).files == 30


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
