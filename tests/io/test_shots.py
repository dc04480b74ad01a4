"""Shots: cuts and fades are found, flashes and people who move are none; short shots are looked at, too."""

import av
import numpy as np
import pytest

from torchfakes_utils.io.decoding import listing
from torchfakes_utils.io.shots import BURST, ShotReader, enough_frames
from torchfakes_utils.io.video import frames_at, spread, write_video

WALLS = np.random.default_rng(0).uniform(0, 255, (4, 6, 8, 3))


def wall(number, seed=0):
    """One of four pictures, (72, 96, 3), with some noise."""
    noise = np.random.default_rng(seed).normal(0, 3, (72, 96, 3))
    return np.clip(WALLS[number].repeat(12, 0).repeat(12, 1) + noise, 0, 255).astype(np.uint8)


def film(path, shots, **how):
    """So many frames of each wall, with a square that moves across."""
    frames = []
    for number, count in shots:
        for index in range(count):
            frames.append(wall(number, index))
            frames[-1][30:50, (2 * index) % 70 : (2 * index) % 70 + 20] = 255
    return write_video(path, frames, preset="veryfast", **how)


def read(path, frames=8, most=64):
    known = listing(path)
    reader = ShotReader(path, frames, most, known=known)
    return reader, sorted(index for index, _ in reader.read(known.shown))


def near(shots, expected, off=2):
    """Whether these are the shots, but for frames that no other is built on."""
    return len(shots) == len(expected) and all(
        first <= low <= first + off and last - off <= high <= last
        for (low, high), (first, last) in zip(shots, expected, strict=True)
    )


def test_a_film_of_one_shot_is_read_as_ever(tmp_path):
    path = film(tmp_path / "film.mp4", [(0, 90)])
    reader = ShotReader(path, 8, 64)
    read_now = dict(reader.read(90))
    assert reader.shots.ends == [(0, 89)] and list(read_now) == spread(8, 90).tolist()
    plain = dict(frames_at(path, spread(8, 90).tolist()))
    assert all(np.array_equal(read_now[index], plain[index]) for index in plain)


@pytest.mark.parametrize("preset", ["ultrafast", "veryfast"])  # without B-frames and key frames at cuts; with both
def test_every_shot_is_found_and_looked_at(tmp_path, preset):
    path = write_video(
        tmp_path / "film.mp4",
        [wall(number, index) for number, count in ((0, 50), (1, 8), (0, 40), (2, 12)) for index in range(count)],
        preset=preset,
    )
    reader, indices = read(path, frames=6)
    assert near(reader.shots.ends, [(0, 49), (50, 57), (58, 97), (98, 109)])
    assert np.bincount(reader.shots.shot_of(indices)).tolist() >= [BURST] * 4
    assert set(spread(6, 110).tolist()) <= set(indices) and reader.unseen == 0


def test_of_too_many_shots_those_are_looked_at_that_show_something_new(tmp_path):
    path = film(tmp_path / "film.mp4", [(0, 12), (1, 12), (0, 12), (1, 12), (0, 12), (1, 12), (2, 12)])
    reader, indices = read(path, frames=1, most=3)
    assert len(reader.shots.ends) == 7 and len(indices) == 3 and reader.unseen == 4
    assert {(0, 2, 4), (1, 3, 5), (6,)} == {
        next(group for group in ((0, 2, 4), (1, 3, 5), (6,)) if shot in group) for shot in reader.shots.shot_of(indices)
    }


def test_a_flash_is_no_cut(tmp_path):
    frames = [wall(0, index) for index in range(60)]
    frames[20] = np.minimum(frames[20].astype(int) + 150, 255).astype(np.uint8)
    reader, _ = read(write_video(tmp_path / "film.mp4", frames))
    assert near(reader.shots.ends, [(0, 59)])


def test_whoever_runs_out_of_the_picture_and_who_bobs_in_it_is_no_cut_and_no_fade(tmp_path):
    """Each frame changes much, and looks like a mixture of those around it."""
    edges = [
        90,
        *range(90, -300, -45),
        *[-300] * 10,
        *range(-300, 91, 45),
        *(90 + round(9 * np.sin(at / 4)) for at in range(60)),
    ]
    frames = []
    for index, left in enumerate(edges):
        frames.append(np.full((180, 320, 3), 200, np.uint8) - (index % 3))
        frames[-1][40:, max(left, 0) : max(left + 140, 0)] = np.clip(wall(3)[:1, :1] // 3, 0, 90)
    reader, _ = read(write_video(tmp_path / "film.mp4", frames))
    assert reader.shots.ends == [(0, len(edges) - 1)]


def test_a_fade_belongs_to_neither_shot(tmp_path):
    shares = np.concatenate([np.zeros(40), np.linspace(0, 1, 26), np.ones(40)])
    frames = [((1 - share) * wall(0, 1) + share * wall(1, 2)).astype(np.uint8) for share in shares]
    reader, indices = read(write_video(tmp_path / "film.mp4", frames), frames=20)
    assert near(reader.shots.ends, [(0, 42), (63, 105)], off=8)
    shot = dict(zip(indices, reader.shots.shot_of(indices).tolist(), strict=True))
    assert all(shot[index] == -1 for index in indices if 44 <= index <= 61) and set(shot.values()) == {-1, 0, 1}


def test_in_a_long_film_cuts_are_found_between_key_frames(tmp_path, monkeypatch):
    monkeypatch.setattr("torchfakes_utils.io.decoding._SHORT", 0)
    path = write_video(
        tmp_path / "film.mp4", [wall(index // 47 % 2, index) for index in range(235)], preset="ultrafast"
    )
    container = av.open(str(tmp_path / "keys.mp4"), "w")
    stream = container.add_stream("libx264", rate=25, options={"g": "30", "preset": "ultrafast"})
    stream.width, stream.height, stream.pix_fmt = 96, 72, "yuv420p"
    for _, frame in frames_at(path, None):
        container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, "rgb24")))
    container.mux(stream.encode())
    container.close()
    reader, _ = read(tmp_path / "keys.mp4")
    assert near(reader.shots.ends, [(47 * at, 47 * at + 46) for at in range(5)], off=12)


def test_a_long_film_gets_more_frames_up_to_four_times_as_many():
    assert [enough_frames(16, seconds) for seconds in (1, 160, 300, 10_000)] == [16, 16, 30, 64]
    assert enough_frames(100, 300) == 100


@pytest.mark.parametrize("count", [1, 2])
def test_whoever_is_there_for_a_moment_is_no_flash(tmp_path, count):
    frames = [wall(0, index) for index in range(60)]
    frames[20 : 20 + count] = [wall(1, index) for index in range(count)]
    reader, indices = read(write_video(tmp_path / "film.mp4", frames, preset="ultrafast"))
    assert reader.shots.ends == [(0, 19), (20, 19 + count), (20 + count, 59)]
    assert set(range(20, 20 + count)) <= set(indices)


def test_a_moment_of_nothing_is_no_shot(tmp_path):
    frames = [wall(0, index) for index in range(60)]
    frames[20:22] = [np.zeros_like(frames[0])] * 2
    reader, _ = read(write_video(tmp_path / "film.mp4", frames, preset="ultrafast"))
    assert len(reader.shots.ends) == 1
