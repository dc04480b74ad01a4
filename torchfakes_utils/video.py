"""Frames out of a video file and back into one, by PyAV (FFmpeg inside a wheel: nothing to install system-wide).

A video is decoded once, from its start, in one pass: between two key frames there is no shorter way to a frame, and
FaceForensics++ clips are so short (10 to 30 s) that they hold only a few key frames.
"""

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from torchfakes_utils.errors import InputError
from torchfakes_utils.tables import atomic_write

# A file, or what is in one.
Source = Path | str | bytes

# Containers of films, by FFmpeg's names. Others of its formats are scripts rather than films: a playlist of a few bytes
# names further files and addresses to read, and a stranger's file must not reach into this machine or network.
_CONTAINERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpeg,mpegts,mpegvideo,flv,asf,ogg,h264,hevc,ivf,mjpeg,mxf,dv"
_OPTIONS = {"format_whitelist": _CONTAINERS, "protocol_whitelist": "file"}

# Pixels of a frame: 8K UHD. A decoder holds some twenty frames at once, and a forged header asks for any size.
_MOST_PIXELS = 7680 * 4320


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


def probe(path: Source) -> VideoInfo:
    """Length, rate and size of a video; decodes its first frame, so that a file that passes can be read.

    Raises:
        InputError: the file is absent, is no video, or no frame of it decodes.
    """
    total, fps = length(path)
    _, first = next(_decode(path), (0, None))
    if first is None:
        raise _undecodable(path)
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
    path: Source, indices: Iterable[int] | None = None, count: int | None = None
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
    path: Source, wanted: Sequence[int] | None, threads: int = 0, stand_in: bool = False
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
        raise _undecodable(path)
    if first is None and not stand_in:
        raise InputError(f"{name_of(path)}: the wanted frames are not in this video; it ends with frame {last[0]}")
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


def name_of(source: Source) -> str:
    """How a message calls a file, or what is in one."""
    return "these bytes" if isinstance(source, bytes) else str(source)


def _undecodable(path: Source) -> InputError:
    return InputError(
        f"{name_of(path)}: no frame of this video can be decoded; it may be truncated: download or copy it again"
    )


def _open(path: Source) -> av.container.InputContainer:
    """Open a file that holds a video stream; every way in which that can fail becomes one line."""
    name = name_of(path)
    if not isinstance(path, bytes) and not Path(path).is_file():
        raise InputError(f"{name}: no such video file")
    if (len(path) if isinstance(path, bytes) else Path(path).stat().st_size) == 0:
        raise InputError(f"{name}: this file is empty; download or copy it again")
    # Without "file:", FFmpeg takes a name such as "concat:a|b" for an order.
    target = io.BytesIO(path) if isinstance(path, bytes) else f"file:{path}"
    try:
        container = av.open(target, metadata_errors="replace", options=_OPTIONS)
    except (av.FFmpegError, OSError, ValueError) as error:  # a ValueError: a name with a null byte
        why = getattr(error, "strerror", None) or error
        raise InputError(
            f"{name}: not a video that can be read ({why}); is it truncated, or another kind of file?"
        ) from error
    if not container.streams.video:
        container.close()
        raise InputError(f"{name}: holds no video stream; is it sound only, or a recording that never began?")
    context = container.streams.video[0].codec_context
    if context is None:
        container.close()
        raise InputError(f"{name}: nothing here decodes this kind of video; convert it to H.264")
    if context.width * context.height > _MOST_PIXELS:
        container.close()
        raise InputError(f"{name}: frames of {context.width} x {context.height} pixels; 8K is the most: scale it down")
    return container


def frame_times(path: Source) -> np.ndarray:
    """When each frame is shown, in seconds from the first; decodes nothing.

    Phones record as many frames a second as the light allows, so the n-th frame's time is not n times anything.

    Returns:
        (N,) float64, increasing: a time for each frame that a packet announces; a damaged one may not decode.

    Raises:
        InputError: the file is absent, is no video, or holds no frames.
    """
    with _open(path) as container:
        stream = container.streams.video[0]
        rate = stream.average_rate or stream.guessed_rate
        shown = [packet.pts for packet in _packets(container, stream) if packet.size and not packet.is_discard]
        base = float(stream.time_base) if stream.time_base else 0.0
    if not shown:
        raise InputError(f"{name_of(path)}: this video holds no frames; download or copy it again")
    if None in shown or base <= 0:
        return np.arange(len(shown)) / (float(rate) if rate else 25.0)
    ordered = np.sort(np.asarray(shown, np.float64))
    return (ordered - ordered[0]) * base


def length(path: Source) -> tuple[int, float]:
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
        raise InputError(f"{name_of(path)}: this video holds no frames; download or copy it again")
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


def _prepare(stream: av.VideoStream, kind: str, threads: int) -> None:
    stream.thread_type = kind
    stream.codec_context.thread_count = threads
    # A stream may change its size on the way.
    stream.codec_context.options = {"max_pixels": str(_MOST_PIXELS)}


def _decode(
    path: Source, kind: str = "AUTO", start: int = 0, threads: int = 0
) -> Iterator[tuple[int, av.VideoFrame]]:
    """Index (from `start`) and frame, in the order of display, for all that decodes undamaged."""
    with _open(path) as container:
        stream = container.streams.video[0]
        _prepare(stream, kind, threads)
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


def _wanted(path: Source, wanted: Sequence[int] | None, threads: int) -> Iterator[tuple[int, av.VideoFrame, bool]]:
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


def _decode_few(path: Source, wanted: Sequence[int], threads: int) -> Iterator[tuple[int, av.VideoFrame]]:
    """The wanted frames of a long video, without decoding what no other frame is built on.

    In H.264 as FaceForensics++ has it, about every second frame is such a one (a B-frame that is no reference); and
    where a key frame lies between two wanted ones, all before it is left out. Which frame a packet holds is known
    before decoding from its time: the n-th time in order is that of the n-th frame.

    Raises:
        _IrregularError: anything unusual; the frames up to here are right.
    """
    with _open(path) as container:
        stream = container.streams.video[0]
        if stream.frames < _SPARSE * len(wanted):
            raise _IrregularError
        packets = [packet for packet in _packets(container, stream) if packet.size]
        times = [None if packet.is_discard else packet.pts for packet in packets]
        keys = [packet.pts for packet in packets if packet.is_keyframe and packet.pts is not None]
        del packets
    if None in times or len(set(times)) < len(times) or wanted[-1] >= len(times):
        raise _IrregularError
    times.sort()
    index_of = {times[index]: index for index in wanted}
    starts = {time: max((key for key in keys if key <= time), default=None) for time in index_of}
    with _open(path) as container:
        stream = container.streams.video[0]
        _prepare(stream, "SLICE" if threads == 1 else "AUTO", threads)
        found = _towards(container, stream, list(index_of), starts)
        for time, frame in zip(index_of, found, strict=False):
            if frame.pts != time:
                raise _IrregularError
            yield index_of[time], frame
            if index_of[time] == wanted[-1]:
                return
    raise _IrregularError


def _towards(
    container: av.container.InputContainer, stream: av.VideoStream, times: Sequence[int], starts: dict[int, int | None]
) -> Iterator[av.VideoFrame]:
    """The frames of some times, as far as they come; from one to the next by the last key frame between them."""
    left = list(reversed(times))
    packets, reached = container.demux(stream), stream.start_time or 0
    while left:
        start = starts[left[-1]]
        try:
            if start is not None and start > reached:
                container.seek(start, stream=stream)
                packets, reached = container.demux(stream), start  # never twice, wherever a broken index leads
            packet = next(packets)
            reached = max(reached, packet.pts or reached)
            stream.codec_context.skip_frame = "DEFAULT" if packet.pts in starts else "NONREF"
            frames = packet.decode()
        except (StopIteration, av.FFmpegError) as error:
            raise _IrregularError from error
        for frame in frames:
            if frame.is_corrupt:
                raise _IrregularError
            if left and frame.pts in starts:
                left.pop()
                yield frame


def _to_rgb(frame: av.VideoFrame, like: np.ndarray | None = None) -> np.ndarray:
    """(H, W, 3) uint8 as displayed; scaled to the size of `like` where a stream changes its size on the way."""
    quarter_turns = round(frame.rotation / 90) % 4
    width, height = frame.width, frame.height
    if like is not None:
        height, width = like.shape[:2] if quarter_turns % 2 == 0 else like.shape[1::-1]
    array = frame.to_ndarray(format="rgb24", width=width, height=height)
    return np.ascontiguousarray(np.rot90(array, quarter_turns))
