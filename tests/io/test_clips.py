"""A clip is a film, a photo or a folder of pictures, and gives its frames in the same way."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from torchfakes_utils.errors import InputError
from torchfakes_utils.io.clips import below, clips_in, frames_at, is_film, is_picture, length, size
from torchfakes_utils.io.video import write_video


def saved(path: Path, shade: int, edge: int = 32) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((edge, edge, 3), shade, np.uint8)).save(path)
    return path


def shades(path: Path, indices: list[int]) -> dict[int, int]:
    return {index: round(float(frame.mean())) for index, frame in frames_at(path, indices)}


def test_three_kinds_of_clips(tmp_path: Path) -> None:
    frames = [np.full((32, 32, 3), shade, np.uint8) for shade in (40, 80, 120)]
    film = write_video(tmp_path / "film.mp4", frames, crf=0)
    photo = saved(tmp_path / "photo.PNG", 80)
    for number, shade in ((2, 40), (9, 80), (10, 120)):
        saved(tmp_path / f"folder/frame{number}.png", shade)
    (tmp_path / "folder/notes.txt").write_text("none of them")
    assert [length(path) for path in (film, photo, tmp_path / "folder")] == [3, 1, 3]
    assert shades(film, [0, 2]) == pytest.approx({0: 40, 2: 120}, abs=2)
    assert shades(photo, [0]) == {0: 80}
    assert shades(tmp_path / "folder", [0, 1, 2]) == {0: 40, 1: 80, 2: 120}
    assert size(photo) == photo.stat().st_size
    assert size(tmp_path / "folder") == sum(path.stat().st_size for path in (tmp_path / "folder").glob("*.png"))
    assert size(tmp_path / "absent") == -1


def test_what_is_no_clip_is_said(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="empty: a folder without pictures"):
        length(tmp_path / "empty")
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(InputError, match=r"broken.jpg: this photo cannot be read"):
        list(frames_at(tmp_path / "broken.jpg", [0]))
    saved(tmp_path / "mixed/0.png", 1), saved(tmp_path / "mixed/1.png", 1, 48)
    with pytest.raises(InputError, match=r"mixed: its pictures differ in size \(1.png\)"):
        list(frames_at(tmp_path / "mixed", [0, 1]))


def test_a_damaged_picture_costs_its_film_one_frame(tmp_path: Path) -> None:
    saved(tmp_path / "film/0.png", 10), saved(tmp_path / "film/2.png", 30)
    (tmp_path / "film/1.png").write_bytes(b"\x89PNG")
    assert shades(tmp_path / "film", [0, 1, 2]) == {0: 10, 2: 30}


def test_clips_in_a_folder(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("B.MP4", "a.mov", "a.mp4", "._a.mp4", "notes.txt"):
        (tmp_path / "Videos" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "Videos" / name).touch()
    found, others = clips_in(tmp_path)
    assert {name: path.name for name, path in found.items()} == {"B": "B.MP4", "a": "a.mp4"}
    assert [path.name for path in others] == ["notes.txt"]
    assert "a.mov: left out; a.mp4 is there, too" in caplog.text
    assert clips_in(tmp_path / "absent") == ({}, [])


def test_by_their_endings() -> None:
    assert (
        is_film(Path("a.MP4")) and is_film(Path("a.mkv")) and not is_film(Path("._a.mp4")) and not is_film(Path("mp4"))
    )
    assert is_picture(Path("a.JPEG")) and not is_picture(Path("a.jpeg.part")) and not is_picture(Path("a\udcf6.png"))


def test_names_in_another_case(tmp_path: Path) -> None:
    (tmp_path / "One/TWO").mkdir(parents=True)
    assert below(tmp_path, "one", "two") == tmp_path / "One/TWO"
    assert below(tmp_path, "one", "three") == tmp_path / "One/three"
