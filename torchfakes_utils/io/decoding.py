"""From a file to decoded frames: opened as a stranger's file has to be, and decoded no further than was asked.

Between two key frames there is no shorter way to a frame than through all those that it is built on. What no wanted
frame is built on is left out, and where nothing is regular, frames are counted from the start.
"""

import contextlib
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

import av
import numpy as np

from torchfakes_utils.errors import InputError

# A file, or what is in one.
Source = Path | str | bytes

# Containers of films, by FFmpeg's names. Others of its formats are scripts rather than films: a playlist of a few bytes
# names further files and addresses to read, and a stranger's file must not reach into this machine or network.
_CONTAINERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpeg,mpegts,mpegvideo,flv,asf,ogg,h264,hevc,ivf,mjpeg,mxf,dv"
_OPTIONS = {"format_whitelist": _CONTAINERS, "protocol_whitelist": "file"}

# Pixels of a frame: 8K UHD. A decoder holds some twenty frames at once, and a forged header asks for any size.
_MOST_PIXELS = 7680 * 4320


def name_of(source: Source) -> str:
    """How a message calls a file, or what is in one."""
    return "these bytes" if isinstance(source, bytes) else str(source)


def undecodable(path: Source) -> InputError:
    """What is raised where not one frame decodes."""
    why = "no frame of this video can be decoded; it may be truncated: download or copy it again"
    return InputError(f"{name_of(path)}: {why}")


def open_video(path: Source) -> av.container.InputContainer:
    """Open a file that holds a video stream.

    Raises:
        InputError: whatever is wrong with it, in one line.
    """
    name = name_of(path)
    if not isinstance(path, bytes) and not Path(path).is_file():
        raise InputError(f"{name}: no such video file")
    if (len(path) if isinstance(path, bytes) else Path(path).stat().st_size) == 0:
        raise InputError(f"{name}: this file is empty; download or copy it again")
    # Without "file:", FFmpeg takes a name such as "concat:a|b" for an order.
    target = io.BytesIO(path) if isinstance(path, bytes) else f"file:{path}"
    try:
        container = av.open(target, mode="r", metadata_errors="replace", options=_OPTIONS)
    except (av.FFmpegError, OSError, ValueError) as error:  # a ValueError: a name with a null byte
        why = f"not a video that can be read ({getattr(error, 'strerror', None) or error})"
        raise InputError(f"{name}: {why}; is it truncated, or another kind of file?") from error
    if not container.streams.video:
        container.close()
        raise InputError(f"{name}: holds no video stream; is it sound only, or a recording that never began?")
    context = container.streams.video[0].codec_context
    if context is None:
        container.close()  # type: ignore[unreachable]  # PyAV's hints leave out that a stream may have no decoder
        raise InputError(f"{name}: nothing here decodes this kind of video; convert it to H.264")
    if context.width * context.height > _MOST_PIXELS:
        container.close()
        raise InputError(f"{name}: frames of {context.width} x {context.height} pixels; 8K is the most: scale it down")
    return container


def packets_of(container: av.container.InputContainer, stream: av.VideoStream) -> "Iterator[av.Packet[av.VideoStream]]":
    """The compressed packets of a stream, as far as they can be read."""
    with contextlib.suppress(av.FFmpegError):  # the file ends within a packet
        yield from container.demux(stream)


def _prepare(stream: av.VideoStream, kind: str, threads: int) -> None:
    stream.thread_type = kind
    stream.codec_context.thread_count = threads
    # A stream may change its size on the way.
    stream.codec_context.options = {"max_pixels": str(_MOST_PIXELS)}


def decode(path: Source, kind: str = "AUTO", start: int = 0, threads: int = 0) -> Iterator[tuple[int, av.VideoFrame]]:
    """Index (from `start`) and frame, in the order of display, for all that decodes undamaged."""
    with open_video(path) as container:
        stream = container.streams.video[0]
        _prepare(stream, kind, threads)
        index, packets = 0, 0
        for packet in packets_of(container, stream):
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
        yield from decode(path, "SLICE", start=index)


def decode_wanted(
    path: Source, wanted: Sequence[int] | None, threads: int
) -> Iterator[tuple[int, av.VideoFrame, bool]]:
    """Index and frame of all wanted frames that decode, and of others on the way, with whether it is a wanted one."""
    if wanted is None:
        yield from ((index, frame, True) for index, frame in decode(path, threads=threads))
        return
    left = set(wanted)
    with contextlib.suppress(IrregularError):  # whatever is left is found by counting
        for index, frame in decode_few(path, wanted, threads):
            left.remove(index)
            yield index, frame, True
    for index, frame in decode(path, "SLICE" if threads == 1 else "AUTO", threads=threads) if left else ():
        yield index, frame, index in left
        if index >= wanted[-1]:  # beyond it, where the decoder dropped that frame as damaged
            return


class IrregularError(Exception):
    """A stream whose frames cannot be known by their times."""


# From so many frames a wanted one on, it pays to leave others undecoded.
_SPARSE = 3


def decode_few(path: Source, wanted: Sequence[int], threads: int) -> Iterator[tuple[int, av.VideoFrame]]:
    """The wanted frames of a long video, without decoding what no other frame is built on.

    In H.264 as FaceForensics++ has it, about every second frame is such a one (a B-frame that is no reference); and
    where a key frame lies between two wanted ones, all before it is left out. Which frame a packet holds is known
    before decoding from its time: the n-th time in order is that of the n-th frame.

    Raises:
        IrregularError: anything unusual; the frames up to here are right.
    """
    with open_video(path) as container:
        stream = container.streams.video[0]
        if stream.frames < _SPARSE * len(wanted):
            raise IrregularError
        packets = [packet for packet in packets_of(container, stream) if packet.size]
        times = sorted(packet.pts for packet in packets if packet.pts is not None and not packet.is_discard)
        count = len(packets)
        keys = [packet.pts for packet in packets if packet.is_keyframe and packet.pts is not None]
        del packets
    if len(set(times)) < count or wanted[-1] >= count:  # without a time of its own, a frame cannot be known by it
        raise IrregularError
    index_of = {times[index]: index for index in wanted}
    starts = {time: max((key for key in keys if key <= time), default=None) for time in index_of}
    with open_video(path) as container:
        stream = container.streams.video[0]
        _prepare(stream, "SLICE" if threads == 1 else "AUTO", threads)
        found = _towards(container, stream, list(index_of), starts)
        for time, frame in zip(index_of, found, strict=False):
            if frame.pts != time:
                raise IrregularError
            yield index_of[time], frame


def _towards(
    container: av.container.InputContainer, stream: av.VideoStream, times: Sequence[int], starts: dict[int, int | None]
) -> Iterator[av.VideoFrame]:
    """The frames of all these times, else an IrregularError; from one to the next by the last key frame between."""
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
            raise IrregularError from error
        for frame in frames:
            if frame.is_corrupt:
                raise IrregularError
            if left and frame.pts in starts:
                left.pop()
                yield frame


def to_rgb(frame: av.VideoFrame, like: np.ndarray | None = None) -> np.ndarray:
    """(H, W, 3) uint8 as displayed; scaled to the size of `like` where a stream changes its size on the way."""
    quarter_turns = round(frame.rotation / 90) % 4
    width, height = frame.width, frame.height
    if like is not None:
        height, width = like.shape[:2] if quarter_turns % 2 == 0 else like.shape[1::-1]
    array = frame.to_ndarray(format="rgb24", width=width, height=height)
    return np.ascontiguousarray(np.rot90(array, quarter_turns))
