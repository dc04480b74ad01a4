"""Frames in, frames out, and every broken file that people have."""

import contextlib
import struct
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from torchfakes_utils.errors import InputError
from torchfakes_utils.io import decoding
from torchfakes_utils.io.media import open_media
from torchfakes_utils.io.video import (
    VideoInfo,
    frame_times,
    frames_at,
    join_films,
    length,
    probe,
    read_frames,
    spread,
    write_video,
)

from helpers.scenes import moving


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory, portraits: list[np.ndarray]) -> Path:
    """Thirty frames, 192x160; low quality, so that most of the file is not its first frame."""
    frames = moving(portraits[0][:160], 30)
    noise = np.random.default_rng(0)
    noisy = [np.clip(frame + noise.normal(0, 12, frame.shape), 0, 255).astype(np.uint8) for frame in frames]
    return write_video(tmp_path_factory.mktemp("video") / "clip.mp4", noisy, fps=25)


def cut(path: Path, share: float, out: Path) -> Path:
    """The first part of a file, as a download that broke off leaves it."""
    data = path.read_bytes()
    out.write_bytes(data[: int(len(data) * share)])
    return out


@given(count=st.integers(1, 500), total=st.integers(0, 2000))
def test_spread_is_even_unique_and_inside(count: int, total: int) -> None:
    """Neighbouring gaps differ by at most one frame, and as much is left out at the start as at the end."""
    indices = spread(count, total)
    assert len(indices) == min(count, total)
    if len(indices):
        assert indices[0] >= 0
        assert indices[-1] < total
        assert abs(indices[0] - (total - 1 - indices[-1])) <= 1
    gaps = np.diff(indices)
    assert (gaps >= 1).all()
    assert not len(gaps) or gaps.max() - gaps.min() <= 1


@pytest.mark.parametrize(("count", "total"), [(0, 10), (-1, 10), (3, -1)])
def test_spread_refuses_nonsense(count: int, total: int) -> None:
    with pytest.raises(ValueError, match="frames out of"):
        spread(count, total)


def test_probe(clip: Path) -> None:
    assert probe(clip) == VideoInfo(frames=30, width=192, height=160)


@pytest.mark.parametrize("threads", [0, 1])
@pytest.mark.parametrize("wanted", [[0], [29], [7, 8, 21], [3, 9, 15, 21, 27]])
def test_frames_that_are_left_out_change_nothing(clip: Path, wanted: list[int], threads: int) -> None:
    """Of a long video only what is needed is decoded; the pixels are those of decoding all of it."""
    decoded = list(decoding.decode_few(clip, wanted, threads))
    assert [index for index, _ in decoded] == wanted
    every = read_frames(clip)[1]
    for index, array in frames_at(clip, wanted, threads):
        assert np.array_equal(array, every[index])


def test_what_no_frame_is_built_on_is_not_decoded(clip: Path) -> None:
    with av.open(str(clip)) as container:
        stream = container.streams.video[0]
        stream.thread_type, stream.codec_context.thread_count = "SLICE", 1
        stream.codec_context.skip_frame = "NONREF"
        kept = sum(len(packet.decode()) for packet in container.demux(stream))
    assert kept < 25  # of 30: else there would be nothing to save


def test_streams_that_are_not_regular_are_counted(clip: Path, tmp_path: Path) -> None:
    short = [0, 10, 20]
    bare = tmp_path / "bare.h264"  # no container, so no times
    with av.open(str(clip)) as source, av.open(str(bare), "w", format="h264") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.size:
                packet.stream = stream
                target.mux(packet)
    with pytest.raises(decoding.IrregularError):
        list(decoding.decode_few(bare, short, 1))
    assert [index for index, _ in frames_at(bare, short)] == short


def test_what_is_written_is_read(tmp_path: Path, portraits: list[np.ndarray]) -> None:
    frames = moving(portraits[1], 5)
    path = write_video(tmp_path / "new" / "a.mp4", iter(frames), crf=5)
    indices, read = read_frames(path)
    assert indices.tolist() == [0, 1, 2, 3, 4]
    assert read.dtype == np.uint8
    assert read.shape == (5, 192, 192, 3)
    difference = np.abs(read.astype(int) - np.stack(frames))
    assert difference.mean() < 3
    assert [entry.name for entry in path.parent.iterdir()] == ["a.mp4"]  # nothing temporary stays


def test_quality_and_determinism(tmp_path: Path, portraits: list[np.ndarray]) -> None:
    frames = moving(portraits[0])
    first = write_video(tmp_path / "a.mp4", frames).read_bytes()
    assert write_video(tmp_path / "b.mp4", frames).read_bytes() == first
    assert len(write_video(tmp_path / "c.mp4", frames, crf=40).read_bytes()) < len(first) / 2


def test_any_browser_can_play_it(clip: Path) -> None:
    with av.open(str(clip)) as container:
        codec = container.streams.video[0].codec_context
        assert (codec.name, codec.pix_fmt) == ("h264", "yuv420p")
    data = clip.read_bytes()
    assert data.find(b"moov") < data.find(b"mdat")


def test_masks_keep_black_and_white(tmp_path: Path) -> None:
    mask = np.zeros((64, 96), np.uint8)
    mask[16:48, 16:64] = 255
    _, read = read_frames(write_video(tmp_path / "mask.mp4", [mask] * 4))
    assert read.shape == (4, 64, 96, 3)
    assert ((read[..., 0] > 127) == (mask > 127)).mean() > 0.99
    assert np.abs(read[..., 0].astype(int) - read[..., 2]).max() <= 2
    assert read.min() <= 3
    assert read.max() >= 252


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        ([], "at least one frame"),
        ([np.zeros((63, 64, 3), np.uint8)], "64x63"),
        ([np.zeros((64, 64, 3), np.uint8), np.zeros((64, 32, 3), np.uint8)], "different sizes"),
    ],
)
def test_frames_that_cannot_be_encoded(tmp_path: Path, frames: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        write_video(tmp_path / "a.mp4", frames)
    assert list(tmp_path.iterdir()) == []


def test_output_folder_that_cannot_be_made(tmp_path: Path, portraits: list[np.ndarray]) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match="cannot write there"):
        write_video(tmp_path / "file" / "a.mp4", portraits)


def test_frames_by_index(clip: Path) -> None:
    everything = read_frames(clip)[1]
    indices, frames = read_frames(clip, [17, 3, 3, 29, 99])
    assert indices.tolist() == [3, 17, 29]
    assert np.array_equal(frames, everything[[3, 17, 29]])


def test_frames_by_count(clip: Path) -> None:
    assert read_frames(clip, count=3)[0].tolist() == [5, 15, 25]
    assert len(read_frames(clip, count=99)[0]) == 30


@pytest.mark.parametrize("arguments", [{"indices": []}, {"indices": [-1]}, {"count": 0}, {"indices": [1], "count": 1}])
def test_frames_that_make_no_sense(clip: Path, arguments: dict) -> None:
    with pytest.raises(ValueError, match="."):
        read_frames(clip, **arguments)


def test_frames_past_the_end(clip: Path) -> None:
    with pytest.raises(InputError, match="ends with frame 29"):
        read_frames(clip, [30])


def test_container_that_does_not_say_how_long_it_is(clip: Path, tmp_path: Path) -> None:
    path = tmp_path / "stream.ts"
    frames = read_frames(clip)[1]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 192, 160, "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame)))
        container.mux(stream.encode())
    with av.open(str(path)) as container:
        assert container.streams.video[0].frames == 0
    assert probe(path).frames == 30
    assert read_frames(path, count=3)[0].tolist() == [5, 15, 25]


@pytest.mark.parametrize(("matrix", "turns"), [((0, 1, -1, 0), -1), ((0, -1, 1, 0), 1), ((-1, 0, 0, -1), 2)])
def test_rotation_of_phones(clip: Path, tmp_path: Path, matrix: tuple, turns: int) -> None:
    """The track header of an mp4 holds a 3x3 matrix; a, b, c, d = 0, 1, -1, 0 turns by 90 degrees clockwise."""
    data = bytearray(clip.read_bytes())
    start = data.find(b"tkhd") + 44
    a, b, c, d = (value * 0x10000 for value in matrix)
    data[start : start + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 0x40000000)
    path = tmp_path / "turned.mp4"
    path.write_bytes(data)
    upright = read_frames(clip, [0, 5])[1]
    assert np.array_equal(read_frames(path, [0, 5])[1], np.rot90(upright, turns, axes=(1, 2)))
    size = (160, 192) if turns % 2 else (192, 160)
    assert (probe(path).width, probe(path).height) == size


def test_truncated_file_gives_what_decodes(clip: Path, tmp_path: Path) -> None:
    path = cut(clip, 0.7, tmp_path / "cut.mp4")
    indices, frames = read_frames(path)
    assert 1 <= len(indices) < 30
    assert indices.tolist() == list(range(len(indices)))
    assert np.array_equal(frames[:3], read_frames(clip)[1][:3])
    with av.open(str(path)) as container:
        container.streams.video[0].thread_type = "NONE"
        sound = 0
        for packet in container.demux(container.streams.video[0]):
            with contextlib.suppress(av.FFmpegError):
                sound += len(packet.decode())
    assert len(indices) == sound  # threads that decode ahead lose none of them
    assert probe(path).frames == 30  # what the header promises
    some, _ = read_frames(path, count=30)
    assert 1 <= len(some) < 30
    # Not one of the wanted frames is left: the last one that is stands in.
    short = cut(clip, 0.45, tmp_path / "short.mp4")
    assert len(read_frames(short, count=1)[0]) == 1
    with pytest.raises(InputError, match="ends with frame"):
        read_frames(short, [29])


@pytest.mark.parametrize(
    ("share", "message"), [(0.0005, "not a video that can be read"), (0.03, "no frame of this video can be decoded")]
)
def test_truncated_file_of_which_nothing_decodes(clip: Path, tmp_path: Path, share: float, message: str) -> None:
    path = cut(clip, share, tmp_path / "cut.mp4")
    for read in (probe, read_frames, lambda path: read_frames(path, count=4)):
        with pytest.raises(InputError, match=message) as caught:
            read(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)


def test_damage_within_a_file(clip: Path, tmp_path: Path) -> None:
    data = bytearray(clip.read_bytes())
    half = len(data) * 6 // 10
    data[half : half + 400] = bytes(400)
    path = tmp_path / "damaged.mp4"
    path.write_bytes(data)
    indices, frames = read_frames(path, count=30)
    assert 1 <= len(indices) <= 30
    assert len(indices) == len(frames)


def test_no_thread_of_ffmpeg_waits_for_pythons_lock(clip: Path, tmp_path: Path) -> None:
    """With PyAV's log on, as torchvision leaves it, threads that read damaged films waited for each other for ever."""
    data = bytearray(clip.read_bytes())
    for at in range(len(data) // 3, len(data) - 400, 900):
        data[at : at + 40] = bytes(40)
    path = tmp_path / "damaged.mp4"
    path.write_bytes(data)
    av.logging.set_level(av.logging.ERROR)
    try:
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda _: len(read_frames(path, count=30)[0]), range(40)))
        assert min(found) > 0 and av.logging.get_level() is None
    finally:
        av.logging.set_level(None)


def without_frames(path: Path, flags: str = "faststart") -> None:
    with av.open(str(path), "w", format="mp4", options={"movflags": flags}) as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        container.start_encoding()


def only_sound(path: Path) -> None:
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=16000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        sound.sample_rate = 16000
        container.mux(stream.encode(sound))
        container.mux(stream.encode())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "no such video file"),
        (lambda path: path.mkdir(), "no such video file"),
        (lambda path: path.write_bytes(b""), "this file is empty"),
        (lambda path: path.write_text("<html>404: not found</html>\n" * 20), "not a video that can be read"),
        (without_frames, "holds no video stream"),
        (lambda path: without_frames(path, "empty_moov+frag_keyframe"), "no frame"),
        (only_sound, "holds no video stream"),
    ],
)
def test_what_is_no_video(tmp_path: Path, make: object, message: str) -> None:
    path = tmp_path / "000.mp4"
    make(path)
    for read in (probe, read_frames, lambda path: read_frames(path, count=4)):
        with pytest.raises(InputError, match=message) as caught:
            read(path)
        assert "000.mp4" in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_frames_are_known_by_their_time_where_the_first_do_not_decode(tmp_path: Path) -> None:
    """What is missing at the beginning moves nothing, and the end is not taken for missing."""
    from cases.films import headless

    media = open_media(headless(tmp_path), 6)
    assert media.indices.tolist()[-1] >= 50 and media.times[-1] == pytest.approx(media.indices[-1] / 25)
    dark = [float(picture.mean()) for picture in media.pictures]
    assert abs(dark[-1] - dark[0]) > 1, "the other person is seen"
    short, tail = tmp_path / "short.mkv", []
    headless(tmp_path, 5, short.name)
    for path in (tmp_path / "film.mkv", short):
        found = dict(frames_at(path, range(length(path))))
        tail.append(found[max(found)])
    assert np.array_equal(*tail)


@pytest.mark.slow
def test_a_film_that_changes_its_size_keeps_its_pixels_and_its_proportions(tmp_path: Path) -> None:
    from cases.films import call

    small, large, _ = (open_media(call(tmp_path, sizes), 3).pictures for sizes in (
        ((160, 90), (640, 360)), ((640, 360), (640, 360)), ((640, 360), (360, 640))))  # fmt: skip
    assert [picture.shape for picture in small] == [(360, 640, 3)] * 3
    assert np.abs(small[-1].astype(int) - large[-1]).mean() < 4
    turned = open_media(tmp_path / "call.webm", 4).pictures[-1]  # the last one that was made
    assert turned.shape == (360, 640, 3) and not turned[:, :200].any() and not turned[:, -200:].any()
    assert turned[:, 230:410].mean() > 60


def test_joined_films_are_their_very_frames_in_turn_and_last_as_long_as_wanted(clip, portraits, tmp_path):
    other = write_video(tmp_path / "other.mp4", moving(portraits[1][:160], 10), fps=25)
    joined = join_films(tmp_path / "joined.mp4", [clip, other], 3)
    assert length(joined) == 30 + 10 + 30 + 10, "each to its end"
    np.testing.assert_allclose(np.diff(frame_times(joined)), 0.04, atol=1e-6)
    frames = read_frames(joined)[1]
    once = np.concatenate([read_frames(one)[1] for one in (clip, other)])
    assert (frames == np.concatenate([once, once])).all(), "nothing was encoded anew"


def test_films_that_cannot_be_joined_leave_nothing(clip, tmp_path):
    (tmp_path / "bad.mp4").write_bytes(b"no film")
    with pytest.raises(InputError, match=r"bad\.mp4"):
        join_films(tmp_path / "joined.mp4", [clip, tmp_path / "bad.mp4"], 60)
    assert not (tmp_path / "joined.mp4").exists()
