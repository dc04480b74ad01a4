"""What an MP4 claims is held against its length before anybody makes room for it."""

import av
import numpy as np
import pytest

from torchfakes_utils.io.declared import too_much

from cases import CASES, bombs
from cases.boxes import Track, movie, picture_entry
from cases.encode import PLAIN, Coding, encode, film, shot

CLAIMS = [name for name, case in CASES.items() if case.row == "claimed samples"]


@pytest.mark.parametrize("name", CLAIMS)
def test_claims_are_refused_in_one_line(tmp_path, name):
    path = CASES[name].make(tmp_path)
    why = too_much(path)
    assert ("samples" in why or "tracks" in why) and "\n" not in why
    assert too_much(path.read_bytes()) == why


def test_what_is_there_may_be_said(tmp_path):
    fragments = Coding(container={"movflags": "frag_keyframe+empty_moov"})
    for number, coding in enumerate((PLAIN, fragments, Coding(container={"movflags": "faststart"}))):
        assert too_much(film(tmp_path / f"{number}.mp4", [shot(1, 0)], coding=coding)) == ""
    assert too_much(film(tmp_path / "film.mkv", [shot(1, 0)])) == ""
    assert too_much(b"") == too_much(b"RIFF") == too_much(bytes(10_000)) == ""


def test_sound_without_compression_has_many_samples(tmp_path):
    path = tmp_path / "film.mov"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=48_000)
        stream.codec_context.layout = "mono"
        for start in range(0, 5_000_000, 1_000_000):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1_000_000), np.int16), format="s16", layout="mono")
            frame.sample_rate, frame.pts = 48_000, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    assert too_much(path) == ""


def test_tracks_are_counted(tmp_path):
    tracks = [Track(picture_entry(b"png ", 64, 64), 1)] * 101
    assert "more than 100 tracks" in too_much(movie(bytes(64), tracks))
    assert too_much(movie(bytes(64), tracks[:40])) == ""


def test_samples_of_all_tracks_are_added_up(tmp_path):
    assert "more than 1,000,000 frames" in too_much(bombs.tiny_packets(tmp_path, packets=1_000_001))
    assert too_much(bombs.tiny_packets(tmp_path, packets=1_000_000)) == ""
    tracks = [Track(picture_entry(b"png ", 64, 64), 900_000)] * 5
    assert "more than 4,000,000 samples" in too_much(movie(bytes(900_000), tracks))


def test_boxes_that_lead_nowhere_are_left_to_ffmpeg(tmp_path):
    assert too_much(CASES["boxes within boxes"].make(tmp_path)) == ""
    assert too_much(encode(tmp_path / "a.mp4", [np.zeros((64, 64, 3), np.uint8)]).read_bytes()[:-20]) == ""
