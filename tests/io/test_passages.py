"""Passages of a film: frames by their times, whatever the film's rate, and a refusal in one line of what has none."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from torchfakes_utils.errors import InputError
from torchfakes_utils.io.limits import Limits
from torchfakes_utils.io.passages import Pace, clock, clock_of, open_passages, window_starts
from torchfakes_utils.io.reader import Reader
from torchfakes_utils.io.video import write_video

PACE = Pace(0.8, 12.5, 16)
HERE = Limits(own_process=False)


def a_film(path, frames: int, fps: float, size: int = 64):
    """Every frame has its number as its brightness."""
    return write_video(path, (np.full((size, size, 3), 2 * index, np.uint8) for index in range(frames)), fps=fps, crf=1)


@given(st.floats(12.5, 120), st.floats(2, 15), st.floats(1, 8))
def test_a_clock_shows_the_frame_that_is_nearest_in_time(fps, rate, seconds):
    times = np.arange(int(fps * seconds) + 2) / fps
    ticks = clock(times, rate)
    shown = times[ticks]
    wanted = np.arange(len(ticks)) / rate
    assert np.abs(shown - wanted).max() <= 0.5 / fps + 1e-9
    assert (np.diff(ticks) >= 0).all() and times[-1] - wanted[-1] < 1 / rate + 1e-2


def test_a_phone_that_skips_frames_is_shown_by_its_times():
    times = np.array([0.0, 0.04, 0.08, 0.30, 0.34, 0.38, 0.42])
    assert clock(times, 12.5).tolist() == [0, 2, 2, 3, 3, 6]


@given(st.integers(0, 300), st.integers(1, 40), st.integers(1, 40), st.none() | st.integers(1, 20))
def test_windows_lie_in_the_clip_and_cover_both_ends(ticks, length, step, most):
    starts = window_starts(ticks, length, step, most)
    assert (np.diff(starts) > 0).all() and (len(starts) > 0) == (ticks >= length)
    assert most is None or len(starts) <= most
    if len(starts):
        assert starts[0] >= 0 and starts[-1] + length <= ticks
    if len(starts) > 1:
        assert starts[0] == 0 and starts[-1] + length == ticks
        assert most is not None or np.diff(starts).max() <= step


@pytest.mark.parametrize(("times", "why"), [
    (np.zeros(1), "a film of one frame"),
    (np.arange(5) / 25, "0.16 s long, and this detector looks at 0.8 s at a time"),
    (np.arange(40) / 6, "6 frames a second, and this network looks at 12.5"),
])  # fmt: skip
def test_what_has_no_passage_is_refused_in_one_line(times, why):
    with pytest.raises(InputError, match=why) as caught:
        clock_of(times, 12.5, 10, "film.mp4")
    assert "\n" not in str(caught.value) and str(caught.value).startswith("film.mp4: ")


@pytest.mark.parametrize("fps", [12.5, 15, 24, 25, 29.97, 60])
def test_passages_of_any_rate_show_the_same_moments(tmp_path, fps):
    media = open_passages(a_film(tmp_path / "film.mp4", round(fps * 2), fps), PACE, HERE)
    begins = PACE.windows(media.duration)
    for start in begins:
        for tick in range(PACE.ticks):
            assert np.abs(media.times - start - tick / 12.5).min() <= 0.5 / fps + 2e-3
    assert media.kind == "video" and len(set(media.shots.tolist())) == 1


def test_of_a_long_film_few_windows_are_read_and_they_lie_all_over_it(tmp_path):
    pace = Pace(0.8, 12.5, 3)
    media = open_passages(a_film(tmp_path / "film.mp4", 120, 12.5, size=32), pace, HERE)
    assert len(media.indices) == 30 and media.indices[0] == 0 and media.indices[-1] == 119


def test_frames_that_would_not_fit_into_memory_are_made_smaller(tmp_path):
    film = a_film(tmp_path / "film.mp4", 25, 12.5, size=128)
    limits = Limits(own_process=False, memory=25 * 3 * 64 * 64)
    media = open_passages(film, PACE, limits)
    assert sum(picture.nbytes for picture in media.pictures) <= limits.memory


def test_a_cut_is_seen(tmp_path):
    generator = np.random.default_rng(0)
    scenes = [np.kron(generator.integers(0, 255, (8, 8, 3)), np.ones((16, 16, 1))).astype(np.uint8) for _ in range(2)]
    film = write_video(tmp_path / "film.mp4", [scenes[0]] * 20 + [scenes[1]] * 20, fps=12.5)
    media = open_passages(film, PACE, HERE)
    assert set(media.shots[media.indices < 20].tolist()) == {0} and set(media.shots[media.indices >= 20].tolist()) == {
        1
    }


def test_the_process_that_reads_gives_the_same(tmp_path):
    film = a_film(tmp_path / "film.mp4", 40, 25)
    here, there = open_passages(film, PACE, HERE), Reader(Limits()).open_passages(film, PACE)
    assert (here.indices == there.indices).all() and here.times == pytest.approx(there.times)
    assert all((one == other).all() for one, other in zip(here.pictures, there.pictures, strict=True))
    Image.new("RGB", (64, 64)).save(tmp_path / "photo.png")
    with pytest.raises(InputError, match="a photo or an animation, and this detector looks at films"):
        Reader(Limits()).open_passages(tmp_path / "photo.png", PACE)


@pytest.mark.parametrize("content", [b"", b"no film at all" * 50, b"\x89PNG\r\n\x1a\n" + bytes(40)])
def test_files_that_are_no_films_are_refused_in_one_line(tmp_path, content):
    path = tmp_path / "thing.mp4"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        open_passages(path, PACE, HERE)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_truncated_film_is_read_as_far_as_it_goes_or_refused_in_one_line(tmp_path, share):
    film = a_film(tmp_path / "film.mp4", 60, 25, size=96)
    film.write_bytes(film.read_bytes()[: round(film.stat().st_size * share)])
    pictures: list[np.ndarray] = []
    try:
        media = open_passages(film, PACE, HERE, pictures)
    except InputError as error:
        said = str(error)
    else:
        said = "; ".join(media.notes)
        assert 0 < len(media.pictures) == len(media.times) == len(media.indices)
    assert "\n" not in said
