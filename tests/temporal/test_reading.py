"""A clip as a network for films is shown it."""

import numpy as np
import pytest
from PIL import Image

from torchfakes_utils.errors import InputError
from torchfakes_utils.io.video import write_video
from torchfakes_utils.temporal.config import View
from torchfakes_utils.temporal.reading import Known, known_faces, read_clip, ticks_of, whole_windows

from helpers.films import drawn, film_table

FACES, FRAMES = View(0.8, 12.5, 48), View(0.8, 12.5, 32, faces=False)


@pytest.fixture
def film(tmp_path):
    """Three seconds at 25 frames a second, and where its face is."""
    times = np.arange(75) / 25
    path = write_video(tmp_path / "film.mp4", drawn(5 * np.sin(5 * times), 5 * np.cos(5 * times)), fps=25, crf=8)
    return path, Known(np.array([0, 30, 60]), np.array([[4, 4, 60, 60]] * 3, float))


def test_faces_and_whole_frames_are_shown_at_one_rate(film):
    path, known = film
    faces, frames = read_clip(path, FACES, known), read_clip(path, FRAMES)
    assert faces.pictures.shape == (38, 48, 48, 3) and frames.pictures.shape == (38, 32, 32, 3)
    assert np.diff(faces.times) == pytest.approx(0.08) and set(faces.shots.tolist()) == {0}


def test_of_a_long_clip_the_middle_is_read(film):
    found = read_clip(film[0], FRAMES, most_seconds=1.6)
    assert len(found.times) == 20 and found.times[0] == pytest.approx(0.72)


def test_what_moves_in_the_film_moves_in_the_crops(film):
    path, known = film
    found = read_clip(path, FACES, known)
    height = [
        float(np.average(np.arange(48), weights=picture[:, 6:18, 0].mean(axis=1) - 39)) for picture in found.pictures
    ]
    moved = np.corrcoef(height, np.sin(5 * found.times))[0, 1]
    assert moved > 0.95


def test_what_has_no_face_or_no_time_is_refused_in_one_line(film, tmp_path):
    Image.new("RGB", (64, 64)).save(tmp_path / "photo.png")
    (tmp_path / "frames").mkdir()
    Image.new("RGB", (64, 64)).save(tmp_path / "frames" / "0.png")
    for path, view, why in (
        (film[0], FACES, "no face is known in it"), (tmp_path / "photo.png", FRAMES, "a photo"),
        (tmp_path / "frames", FRAMES, "a folder of pictures"), (tmp_path / "none.mp4", FRAMES, "no such"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=why) as caught:
            read_clip(path, view)
        assert "\n" not in str(caught.value)


def test_no_window_reaches_over_a_cut_or_over_what_is_missing():
    shots = np.array([0] * 12 + [-1] + [1] * 12)
    assert whole_windows(np.array([0, 2, 3, 12, 13, 15]), 10, shots).tolist() == [0, 2, 13, 15]


def test_a_table_of_faces_tells_where_each_clip_has_its_face(tmp_path):
    import pandas as pd

    table = film_table(tmp_path, people=2, seconds=1.0)
    known = known_faces(pd.read_csv(table.parent / "faces" / "faces.csv", dtype={"clip_id": str}))
    assert len(known) == 4 and known["youtube", "c23", "000"].squares.tolist() == [[4, 4, 60, 60]] * 2


def test_pictures_at_hand_are_cut_as_those_of_a_file(film):
    path, known = film
    from torchfakes_utils.io.video import read_frames

    _, frames = read_frames(path)
    found = read_clip(path, FACES, known)
    places = np.arange(0, 20, 2)
    part = ticks_of(list(frames), np.arange(75) / 25, places, FACES, known)
    assert np.abs(part.pictures.astype(int) - found.pictures[:10].astype(int)).max() <= 1
