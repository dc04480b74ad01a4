"""From a file to decoded frames: opened as a stranger's file has to be, and decoded no further than was asked.

Between two key frames there is no shorter way to a frame than through all those that it is built on. What no wanted
frame is built on is left out, and where nothing is regular, frames are counted from the start.
"""

import contextlib
import io
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np

from torchfakes_utils.errors import DamagedError, InputError
from torchfakes_utils.io import declared
from torchfakes_utils.io.display import Frame, Header
from torchfakes_utils.io.limits import MOST_DECODED_PIXELS, MOST_FRAME_PIXELS, MOST_FRAMES, MOST_STREAMS

# A file, or what is in one.
Source = Path | str | bytes

# Containers of films, by FFmpeg's names. Others of its formats are scripts rather than films: a playlist of a few bytes
# names further files and addresses to read, and a stranger's file must not reach into this machine or network.
CONTAINERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpeg,mpegts,mpegvideo,flv,asf,ogg,h264,hevc,ivf,mjpeg,mxf,dv"
# FFmpeg decodes the first pictures of every stream to learn of what kind they are.
_OPTIONS = {
    "format_whitelist": CONTAINERS,
    "protocol_whitelist": "file",
    "max_pixels": str(MOST_FRAME_PIXELS),
    "max_streams": str(MOST_STREAMS),
}
# What a file says in another encoding is no reason not to decode it; from version 19 on PyAV sees to that itself.
HOW: dict[str, Any] = {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}


def name_of(source: Source) -> str:
    """How a message calls a file, or what is in one."""
    return "these bytes" if isinstance(source, bytes) else str(source)


def undecodable(path: Source) -> DamagedError:
    """What is raised where not one frame decodes."""
    why = "no frame of this video can be decoded; it may be truncated: download or copy it again"
    return DamagedError(f"{name_of(path)}: {why}")


@contextlib.contextmanager
def open_film(path: Source) -> "Iterator[tuple[av.container.InputContainer, av.VideoStream]]":
    """Open a file that holds a film, and say which of its streams that is.

    Raises:
        InputError: whatever is wrong with it, in one line.
        MemoryError: it asks for more than there is.
    """
    name = name_of(path)
    with contextlib.closing(_opened(path, name)) as container:
        stream = _film_in(container, name)
        context = stream.codec_context
        if context is None:
            raise InputError(f"{name}: nothing here decodes this kind of video; convert it to H.264")
        if context.width * context.height > MOST_FRAME_PIXELS:
            size = f"{context.width} x {context.height}"
            raise InputError(f"{name}: frames of {size} pixels; 8K is the most: scale it down")
        yield container, stream


def _opened(path: Source, name: str) -> av.container.InputContainer:
    if not isinstance(path, bytes) and not Path(path).is_file():
        raise InputError(f"{name}: no such video file")
    if (len(path) if isinstance(path, bytes) else Path(path).stat().st_size) == 0:
        raise DamagedError(f"{name}: this file is empty; download or copy it again")
    # Without "file:", FFmpeg takes a name such as "concat:a|b" for an order.
    target = io.BytesIO(path) if isinstance(path, bytes) else f"file:{path}"
    # torchvision 0.24 and before turns PyAV's log on when it is imported. FFmpeg's threads then ask for Python's lock
    # to write what they find wrong with a film, while PyAV holds it and waits for these threads to end: for ever.
    av.logging.set_level(None)
    try:
        if why := declared.too_much(path):
            raise (DamagedError if why.endswith(declared.BROKEN) else InputError)(f"{name}: {why}")
        container: av.container.InputContainer = av.open(target, mode="r", options=_OPTIONS, **HOW)
    except MemoryError:
        raise
    except (av.FFmpegError, OSError, ValueError) as error:  # a ValueError: a name with a null byte
        why = f"not a video that can be read ({getattr(error, 'strerror', None) or error})"
        kind = DamagedError if isinstance(error, (av.error.InvalidDataError, av.error.EOFError)) else InputError
        raise kind(f"{name}: {why}; is it truncated, or another kind of file?") from error
    return container


def _film_in(container: av.container.InputContainer, name: str) -> av.VideoStream:
    """The stream that a player shows: covers are none, and what the file calls the default goes first."""
    streams = container.streams.video
    films = [stream for stream in streams if not stream.disposition & av.stream.Disposition.attached_pic]
    if not films:
        what = "sound with a cover picture, no film" if streams else "no video stream"
        why = "is it sound only, or a recording that never began?"
        raise InputError(f"{name}: holds {what}; {why}")
    return max(films, key=lambda stream: bool(stream.disposition & av.stream.Disposition.default))


def _packets(container: av.container.InputContainer, stream: av.VideoStream) -> "Iterator[av.Packet[av.VideoStream]]":
    """The compressed packets of a stream, as far as they can be read."""
    try:
        yield from container.demux(stream)
    except MemoryError:
        raise
    except av.FFmpegError:  # the file ends within a packet
        return


@dataclass(frozen=True)
class Listing:
    """What is known of a film's frames without decoding them.

    Attributes:
        times: when each frame that is shown is, in order, in units of `base`; None where not all are known.
        keys: times of the packets with which decoding can begin, in order.
        shown: how many that is.
        packets: how many there are, those included whose frame is not shown.
        base: seconds.
        rate: frames a second, as the file says.
    """

    times: np.ndarray | None
    keys: np.ndarray
    shown: int
    packets: int
    base: float
    rate: float

    @property
    def regular(self) -> bool:
        """Whether each packet holds a frame that is shown, which can be known by its time."""
        return self.times is not None and len(np.unique(self.times)) == self.packets


def listing(path: Source) -> Listing:
    """Read a film's packets; decodes nothing.

    Raises:
        InputError: it cannot be opened, or has more than `MOST_FRAMES`.
        MemoryError: as `open_film`.
    """
    shown: list[int | None] = []
    keys: list[int] = []
    packets = 0
    with open_film(path) as (container, stream):
        for packet in _packets(container, stream):
            if not packet.size:
                continue
            packets += 1
            if packets > MOST_FRAMES:
                raise InputError(f"{name_of(path)}: more than {MOST_FRAMES:,} frames; cut out a part")
            if not packet.is_discard:
                shown.append(packet.pts)
            if packet.is_keyframe and packet.pts is not None:
                keys.append(packet.pts)
        rate = stream.average_rate or stream.guessed_rate
        base = float(stream.time_base) if stream.time_base else 0.0
    times = None if None in shown else np.sort(np.asarray(shown, np.int64))
    keys_in_order = np.sort(np.asarray(keys, np.int64))
    return Listing(times, keys_in_order, len(shown), packets, base, float(rate) if rate else 25.0)


@dataclass
class _Decoder:
    """Decodes one film, opened once or several times, and counts what that comes to.

    Attributes:
        path: the film.
        threads: that decode; 0 for as many as there are cores.
        pixels: that have been decoded.
    """

    path: Source
    threads: int = 0
    pixels: int = 0

    @contextlib.contextmanager
    def opened(self, kind: str) -> "Iterator[tuple[av.container.InputContainer, av.VideoStream]]":
        """The film, to be decoded by threads of a kind."""
        with open_film(self.path) as (container, stream):
            stream.thread_type = kind
            stream.codec_context.thread_count = self.threads or _threads(stream.codec_context)
            # A stream may change its size on the way.
            stream.codec_context.options = {"max_pixels": str(MOST_FRAME_PIXELS)}
            yield container, stream

    def decode(self, packet: "av.Packet[av.VideoStream]") -> list[av.VideoFrame]:
        """The frames that a packet completes.

        Raises:
            InputError: too much has been decoded.
            av.FFmpegError: it is damaged.
        """
        context = packet.stream.codec_context
        self.pixels += context.width * context.height
        if self.pixels > MOST_DECODED_PIXELS:
            most = f"{MOST_DECODED_PIXELS // 10**9} thousand million pixels"
            raise InputError(f"{name_of(self.path)}: more than {most} to be decoded; cut out a part, or scale it down")
        return packet.decode()


def _threads(context: av.VideoCodecContext) -> int:
    """As many as there are cores, as far as memory bears it: each holds a frame."""
    return min(os.cpu_count() or 1, 4 if context.width * context.height > MOST_FRAME_PIXELS // 4 else 8)


def _decode_all(
    decoder: _Decoder, kind: str = "AUTO", times: np.ndarray | None = None, start: int = 0
) -> Iterator[tuple[int, Frame]]:
    """Index (from `start`) and frame, in the order of display, for all that decodes undamaged.

    Where all times are known, a frame's index is that of its time: before it others may be missing.
    """
    with decoder.opened(kind) as (container, stream):
        header = Header.of(stream)
        index, packets, count = 0, 0, 0
        for packet in _packets(container, stream):
            packets += bool(packet.size)
            try:
                frames = decoder.decode(packet)
            except MemoryError:
                raise
            except av.FFmpegError:  # one damaged packet; those after it may be sound
                if kind == "AUTO":
                    break
                continue
            count += len(frames)
            for frame in frames:
                index = max(index, _place(frame, times, index))
                # The decoder fills what a damaged frame lacks with grey or smear, which no detector should learn.
                if index >= start and not frame.is_corrupt:
                    yield index, Frame(frame, header)
                index += 1
    if kind == "AUTO" and count < packets:
        # Threads that decode ahead lose, with a damaged packet and sometimes without a word, the sound frames that
        # were under way beside it: all there is, in a short file. What is missing comes without such threads.
        yield from _decode_all(decoder, "SLICE", times, index)


def _place(frame: av.VideoFrame, times: np.ndarray | None, counted: int) -> int:
    """The index of a frame by its time; `counted` where no frame has that time."""
    if times is None or frame.pts is None:
        return counted
    at = int(np.searchsorted(times, frame.pts))
    return at if at < len(times) and times[at] == frame.pts else counted


def decode(
    path: Source,
    wanted: Sequence[int] | None = None,
    threads: int = 0,
    known: Listing | None = None,
    whole: bool = False,
) -> Iterator[tuple[int, Frame, bool]]:
    """Index and frame of all wanted frames that decode, and of others on the way, with whether it is a wanted one.

    Args:
        path: the film.
        wanted: increasing indices; None for all.
        threads: that decode; 0 for as many as there are cores.
        known: the film's `listing`, where it has been made already.
        whole: go through the whole film, and give all that is decoded: in a film that is not too long, every frame that
            another is built on; else at least a key frame now and then.

    Raises:
        InputError: as `open_film`; or too much would have to be decoded.
        MemoryError: as `open_film`.
    """
    decoder = _Decoder(path, threads)
    if wanted is None:
        yield from ((index, frame, True) for index, frame in _decode_all(decoder))
        return
    left = set(wanted)
    with contextlib.suppress(IrregularError):  # whatever is left is found by counting
        for index, frame in decode_few(path, wanted, threads, known, decoder, whole):
            yield index, frame, index in left
            left.discard(index)
    if not left:
        return
    known = known or listing(path)
    times = known.times if known.regular else None
    for index, frame in _decode_all(decoder, "SLICE" if threads == 1 else "AUTO", times):
        yield index, frame, index in left
        if index >= wanted[-1] and not whole:  # beyond it, where the decoder dropped that frame as damaged
            return


class IrregularError(Exception):
    """A stream whose frames cannot be known by their times."""


# From so many frames a wanted one on, it pays to leave others undecoded.
_SPARSE = 3

# Pixels up to which a whole film is gone through frame by frame: some forty seconds of 1080p, five minutes of 360p. In
# longer ones key frames are enough, of which a thousand at most are wanted.
_SHORT, _MOST_KEYS = 2 * 10**9, 1000


def decode_few(
    path: Source,
    wanted: Sequence[int],
    threads: int,
    known: Listing | None = None,
    decoder: _Decoder | None = None,
    whole: bool = False,
) -> Iterator[tuple[int, Frame]]:
    """The wanted frames of a long video, without decoding what no other frame is built on; with `whole` others, too.

    In H.264 as FaceForensics++ has it, about every second frame is such a one (a B-frame that is no reference); and
    where a key frame lies between two wanted ones, all before it is left out. Which frame a packet holds is known
    before decoding from its time: the n-th time in order is that of the n-th frame.

    The arguments are those of `decode`.

    Raises:
        IrregularError: anything unusual; the frames up to here are right.
        InputError, MemoryError: as `decode`.
    """
    if known is None and 0 < _said_length(path) < _SPARSE * len(wanted):
        raise IrregularError
    known = known or listing(path)
    times = known.times
    if known.packets < _SPARSE * len(wanted) or times is None or not known.regular or wanted[-1] >= known.packets:
        raise IrregularError
    decoder = decoder or _Decoder(path, threads)
    with decoder.opened("SLICE" if threads == 1 else "AUTO") as (container, stream):
        header = Header.of(stream)
        context = stream.codec_context
        if whole and known.packets * context.width * context.height <= _SHORT:
            yield from (
                (index, Frame(frame, header)) for index, frame in _references(decoder, container, stream, times, wanted)
            )
            return
        keys = np.intersect1d(times, known.keys, return_indices=True)[1] if whole else np.zeros(0, int)
        keys = keys[:: len(keys) // _MOST_KEYS + 1].tolist()
        index_of = {int(times[index]): index for index in sorted({*wanted, *keys})}
        before = {time: int(np.searchsorted(known.keys, time, "right")) for time in index_of}
        starts = {time: int(known.keys[number - 1]) if number else None for time, number in before.items()}
        found = _towards(decoder, container, stream, list(index_of), starts)
        for time, frame in zip(index_of, found, strict=False):
            if frame.pts != time:
                raise IrregularError
            yield index_of[time], Frame(frame, header)


def _references(
    decoder: _Decoder,
    container: av.container.InputContainer,
    stream: av.VideoStream,
    times: np.ndarray,
    wanted: Sequence[int],
) -> Iterator[tuple[int, av.VideoFrame]]:
    """The wanted frames, and all that others are built on."""
    asked = set(times[np.asarray(wanted)].tolist())
    for packet in _packets(container, stream):
        stream.codec_context.skip_frame = "DEFAULT" if packet.pts in asked or not packet.size else "NONREF"
        try:
            frames = decoder.decode(packet)
        except MemoryError:
            raise
        except av.FFmpegError as error:
            raise IrregularError from error
        for frame in frames:
            index = int(np.searchsorted(times, -1 if frame.pts is None else frame.pts))
            if frame.is_corrupt or index == len(times) or times[index] != frame.pts:
                raise IrregularError
            yield index, frame


def _said_length(path: Source) -> int:
    """How many frames there are, as the file says; 0 where it does not."""
    with open_film(path) as (_, stream):
        return stream.frames


def _towards(
    decoder: _Decoder,
    container: av.container.InputContainer,
    stream: av.VideoStream,
    times: Sequence[int],
    starts: dict[int, int | None],
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
            frames = decoder.decode(packet)
        except MemoryError:
            raise
        except (StopIteration, av.FFmpegError) as error:
            raise IrregularError from error
        for frame in frames:
            if frame.is_corrupt:
                raise IrregularError
            if left and frame.pts in starts:
                left.pop()
                yield frame
