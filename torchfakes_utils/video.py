"""Frames out of a video file and back into one, by PyAV (FFmpeg inside a wheel: nothing to install system-wide).

A video is decoded once, from its start, in one pass: between two key frames there is no shorter way to a frame, and
FaceForensics++ clips are so short (10 to 30 s) that they hold only a few key frames.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from torchfakes_utils.errors import InputError
from torchfakes_utils.tables import atomic_write


@dataclass(frozen=True)
class VideoInfo:
    """What a video file says of itself.

    Attributes:
        frames: how many there are (as the file says, or counted where it does not say).
        fps: frames a second; 25 where the file does not say.
        width: pixels, as displayed (after the rotation that phones record).
        height: pixels, as displayed.
    """

    frames: int
    fps: float
    width: int
    height: int


def probe(path: Path | str) -> VideoInfo:
    """Length, rate and size of a video; decodes its first frame, so that a file that passes can be read.

    Raises:
        InputError: the file is absent, is no video, or no frame of it decodes.
    """
    total, fps = length(path)
    _, first = next(_decode(path), (0, None))
    if first is None:
        raise InputError(
            f"{path}: no frame of this video can be decoded; it may be truncated: download or copy it again"
        )
    height, width = _to_rgb(first).shape[:2]
    return VideoInfo(total, fps, width, height)


def spread(count: int, total: int) -> np.ndarray:
    """Frame indices spread evenly over a video: the centres of `count` equal segments of it.

    Neighbouring frames are nearly the same picture, so a clip's first frames would be a poor sample of it.

    Args:
        count: how many frames are wanted, at least 1.
        total: how many there are, at least 0.

    Returns:
        min(count, total) increasing indices in [0, total).
    """
    if count < 1 or total < 0:
        raise ValueError(f"{count} frames out of {total}?")
    if count >= total:
        return np.arange(total)
    return ((2 * np.arange(count) + 1) * total) // (2 * count)  # in whole numbers: no rounding that differs by machine


def read_frames(
    path: Path | str, indices: Iterable[int] | None = None, count: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Read some frames of a video, or all of them.

    Frames are as displayed: the rotation that phones record is applied. Of a truncated file come those of the wanted
    frames that decode; with `count`, where not one of them does, the last frame that decodes stands in.

    Args:
        path: the video file.
        indices: which frames, counted from 0; order and repetition do not matter.
        count: instead of `indices`, how many frames, evenly spread (see `spread`).

    Returns:
        The indices that were read (N,), increasing, and the frames (N, H, W, 3), uint8, RGB.

    Raises:
        InputError: the file is absent, is no video, or none of the wanted frames decodes.
    """
    if indices is not None and count is not None:
        raise ValueError("give indices or count, not both")
    wanted = None if indices is None else sorted({int(index) for index in indices})
    if count is not None:
        wanted = spread(count, length(path)[0]).tolist()
    found, frames = zip(*frames_at(path, wanted, stand_in=count is not None), strict=True)
    return np.asarray(found), np.stack(frames)


def frames_at(
    path: Path | str, wanted: Sequence[int] | None, threads: int = 0, stand_in: bool = False
) -> Iterator[tuple[int, np.ndarray]]:
    """Index and frame, one after the other, so that a long video needs no more memory than one of its frames.

    Args:
        path: the video file.
        wanted: increasing indices without repetition, counted from 0; None for all frames.
        threads: that decode; 0 for as many as there are cores, 1 where several videos are read at once.
        stand_in: give the last frame that decodes, where not one of the wanted ones does.

    Yields:
        Index and (H, W, 3) uint8 RGB, of one size throughout; at least one.

    Raises:
        InputError: the file is absent, is no video, or none of the wanted frames decodes.
    """
    if wanted is not None and (not len(wanted) or wanted[0] < 0):
        raise ValueError(f"frame indices count from 0, and at least one is needed; got {list(wanted[:3])}")
    first, last = None, None
    for index, frame, is_wanted in _wanted(path, wanted, threads):
        last = index, frame
        if is_wanted:
            array = _to_rgb(frame, like=first)
            first = array if first is None else first
            yield index, array
    if last is None:
        raise InputError(
            f"{path}: no frame of this video can be decoded; it may be truncated: download or copy it again"
        )
    if first is None and not stand_in:
        raise InputError(f"{path}: the wanted frames are not in this video; it ends with frame {last[0]}")
    if first is None:
        yield last[0], _to_rgb(last[1])


def write_video(
    path: Path | str,
    frames: Iterable[np.ndarray],
    fps: float = 25,
    crf: int = 23,
    gray: bool = False,
    preset: str = "medium",
) -> Path:
    """Encode frames as H.264 (yuv420p, the one variant that every browser plays) in an mp4 file, whole or not at all.

    The same frames give the same bytes on any number of cores: x264 runs in one thread, because its output depends
    on how many it has. Whoever encodes many videos runs several processes instead.

    Args:
        path: the file to write; its folder is made.
        frames: (H, W, 3) uint8 RGB each, H and W even and the same for all; or (H, W) with `gray`. An iterator will do.
        fps: frames a second.
        crf: x264's constant rate factor, 0 (lossless) to 51; FaceForensics++ calls 23 high quality and 40 low.
        gray: frames are grey (a mask); colour is left neutral.
        preset: x264's trade of encoding time for file size, "ultrafast" to "veryslow".

    Returns:
        The path.

    Raises:
        InputError: the file cannot be written.
        ValueError: there is no frame, or a size that cannot be encoded.
    """
    frames = iter(frames)
    first = next(frames, None)
    if first is None:
        raise ValueError(f"{path}: a video needs at least one frame")
    height, width = first.shape[:2]
    if height % 2 or width % 2:
        raise ValueError(f"{path}: {width}x{height} cannot be encoded; width and height have to be even")
    with (
        atomic_write(path) as temporary,
        # The index goes to the front: a browser can start at once, and a cut-off download can still be read.
        av.open(str(temporary), "w", format="mp4", options={"movflags": "+faststart"}) as container,
    ):
        stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001))
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.options = {"crf": str(crf), "preset": preset, "threads": "1"}
        for array in _chain(first, frames):
            if array.shape[:2] != (height, width):
                raise ValueError(f"{path}: frames of different sizes, {first.shape} and {array.shape}")
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(array), format="gray" if gray else "rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return Path(path)


def _chain(first: np.ndarray, rest: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    yield first
    yield from rest


def _open(path: Path | str) -> av.container.InputContainer:
    """Open a file that holds a video stream; every way in which that can fail becomes one line."""
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such video file")
    if path.stat().st_size == 0:
        raise InputError(f"{path}: this file is empty; download or copy it again")
    try:
        container = av.open(str(path), metadata_errors="replace")
    except av.FFmpegError as error:
        raise InputError(
            f"{path}: not a video that can be read ({error.strerror}); is it truncated, or another kind of file?"
        ) from error
    if not container.streams.video:
        container.close()
        raise InputError(f"{path}: holds no video stream; is it sound only, or a recording that never began?")
    return container


def length(path: Path | str) -> tuple[int, float]:
    """How many frames a video has, and how many a second; decodes nothing.

    The number is the header's, or counted where the header does not say; a damaged file may hold fewer that decode.

    Raises:
        InputError: the file is absent, is no video, or holds no frames.
    """
    with _open(path) as container:
        stream = container.streams.video[0]
        rate = stream.average_rate or stream.guessed_rate
        total = stream.frames or sum(bool(packet.size) for packet in _packets(container, stream))
    if total < 1:
        raise InputError(f"{path}: this video holds no frames; download or copy it again")
    return total, float(rate) if rate else 25.0


def _packets(container: av.container.InputContainer, stream: av.VideoStream) -> Iterator[av.Packet]:
    """The compressed packets of a stream, as far as they can be read."""
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except av.FFmpegError:  # the file ends within a packet
            return
        if packet is None:
            return
        yield packet


def _decode(
    path: Path | str, kind: str = "AUTO", start: int = 0, threads: int = 0
) -> Iterator[tuple[int, av.VideoFrame]]:
    """Index (from `start`) and frame, in the order of display, for all that decodes undamaged."""
    with _open(path) as container:
        stream = container.streams.video[0]
        stream.thread_type = kind
        stream.codec_context.thread_count = threads
        index, packets = 0, 0
        for packet in _packets(container, stream):
            packets += bool(packet.size)
            try:
                frames = packet.decode()
            except av.FFmpegError:  # one damaged packet; those after it may be sound
                if kind == "AUTO":
                    break
                continue
            for frame in frames:
                # The decoder fills what a damaged frame lacks with grey or smear, which no detector should learn.
                if index >= start and not frame.is_corrupt:
                    yield index, frame
                index += 1
    if kind == "AUTO" and index < packets:
        # Threads that decode ahead lose, with a damaged packet and sometimes without a word, the sound frames that
        # were under way beside it: all there is, in a short file. What is missing comes without such threads.
        yield from _decode(path, "SLICE", start=index)


def _wanted(path: Path | str, wanted: Sequence[int] | None, threads: int) -> Iterator[tuple[int, av.VideoFrame, bool]]:
    """Index and frame of all wanted frames that decode, and of others on the way, with whether it is a wanted one."""
    if wanted is None:
        yield from ((index, frame, True) for index, frame in _decode(path, threads=threads))
        return
    left = list(reversed(wanted))
    try:
        for index, frame in _decode_few(path, wanted, threads):
            left.pop()
            yield index, frame, True
    except _IrregularError:
        pass  # whatever is left is found by counting
    if not left:
        return
    for index, frame in _decode(path, "SLICE" if threads == 1 else "AUTO", threads=threads):
        while left and left[-1] < index:
            left.pop()  # the decoder dropped that frame as damaged
        yield index, frame, bool(left) and left[-1] == index
        if left and left[-1] == index:
            left.pop()
        if not left:
            return


class _IrregularError(Exception):
    """A stream whose frames cannot be known by their times."""


# From so many frames a wanted one on, it pays to leave others undecoded.
_SPARSE = 3


def _decode_few(path: Path | str, wanted: Sequence[int], threads: int) -> Iterator[tuple[int, av.VideoFrame]]:
    """The wanted frames of a long video, without decoding what no other frame is built on.

    In H.264 as FaceForensics++ has it, about every second frame is such a one (a B-frame that is no reference). Which
    frame a packet holds is known before decoding from its time: the n-th time in order is that of the n-th frame.

    Raises:
        _IrregularError: anything unusual; the frames up to here are right.
    """
    with _open(path) as container:
        stream = container.streams.video[0]
        if stream.frames < _SPARSE * len(wanted):
            raise _IrregularError
        times = [None if packet.is_discard else packet.pts for packet in _packets(container, stream) if packet.size]
    if None in times or len(set(times)) < len(times) or wanted[-1] >= len(times):
        raise _IrregularError
    times.sort()
    index_of = {times[index]: index for index in wanted}
    ahead = iter(wanted)
    with _open(path) as container:
        stream = container.streams.video[0]
        stream.thread_type = "SLICE" if threads == 1 else "AUTO"
        stream.codec_context.thread_count = threads
        for packet in _packets(container, stream):
            stream.codec_context.skip_frame = "DEFAULT" if packet.pts in index_of else "NONREF"
            try:
                frames = packet.decode()
            except av.FFmpegError as error:
                raise _IrregularError from error
            for frame in frames:
                if frame.is_corrupt:
                    raise _IrregularError
                if frame.pts in index_of:
                    if index_of[frame.pts] != next(ahead):
                        raise _IrregularError
                    yield index_of[frame.pts], frame
                    if index_of[frame.pts] == wanted[-1]:
                        return
    raise _IrregularError


def _to_rgb(frame: av.VideoFrame, like: np.ndarray | None = None) -> np.ndarray:
    """(H, W, 3) uint8 as displayed; scaled to the size of `like` where a stream changes its size on the way."""
    quarter_turns = round(frame.rotation / 90) % 4
    width, height = frame.width, frame.height
    if like is not None:
        height, width = like.shape[:2] if quarter_turns % 2 == 0 else like.shape[1::-1]
    array = frame.to_ndarray(format="rgb24", width=width, height=height)
    return np.ascontiguousarray(np.rot90(array, quarter_turns))
