"""Frames out of a video file and back into one, by PyAV (FFmpeg inside a wheel: nothing to install system-wide).

Frames are counted as they are displayed, from 0; times are in seconds from the first.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, cycle
from pathlib import Path

import av
import numpy as np

from torchfakes_utils.errors import DamagedError, InputError
from torchfakes_utils.io.decoding import Listing, Source, decode, listing, name_of, open_film, undecodable
from torchfakes_utils.io.display import of_one_size
from torchfakes_utils.io.files import atomic_write
from torchfakes_utils.io.limits import MOST_FRAME_PIXELS


@dataclass(frozen=True)
class VideoInfo:
    """What a video file says of itself.

    Attributes:
        frames: how many there are (as the file says, or counted where it does not say).
        width: pixels, as displayed (after the rotation that phones record).
        height: pixels, as displayed.
    """

    frames: int
    width: int
    height: int


def probe(path: Source) -> VideoInfo:
    """Length, rate and size of a video; decodes its first frame, so that a file that passes can be read.

    Raises:
        InputError: the file is absent, is no video, or no frame of it decodes.
    """
    total = length(path)
    _, first, _ = next(decode(path), (0, None, True))
    if first is None:
        raise undecodable(path)
    height, width = first.to_rgb().shape[:2]
    return VideoInfo(total, width, height)


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
        wanted = spread(count, length(path)).tolist()
    found, frames = zip(*frames_at(path, wanted, stand_in=count is not None), strict=True)
    return np.asarray(found), np.stack(of_one_size(frames))


def frames_at(
    path: Source,
    wanted: Sequence[int] | None,
    threads: int = 0,
    stand_in: bool = False,
    known: Listing | None = None,
    glance: Callable[[int, av.VideoFrame], None] | None = None,
    most: int = MOST_FRAME_PIXELS,
) -> Iterator[tuple[int, np.ndarray]]:
    """Index and frame, one after the other, so that a long video needs no more memory than one of its frames.

    Args:
        wanted: increasing indices without repetition, counted from 0; None for all frames.
        threads: that decode; 0 for as many as there are cores, 1 where several videos are read at once.
        stand_in: give the last frame that decodes, where not one of the wanted ones does.
        known: the film's `listing`, where it has been made already.
        glance: is given every frame that is decoded, as it comes from the decoder, with its index; the whole film is
            then gone through, see `decode`.
        most: pixels of each; larger ones are made smaller.

    Yields:
        Index and (H, W, 3) uint8 RGB, at least one; of several sizes, where the film changes its own
        (see `display.of_one_size`).

    Raises:
        InputError: the file is absent, is no video, or none of the wanted frames decodes.
    """
    if wanted is not None and (not len(wanted) or wanted[0] < 0):
        raise ValueError(f"frame indices count from 0, and at least one is needed; got {list(wanted[:3])}")
    last, given = None, False
    for index, frame, is_wanted in decode(path, wanted, threads, known, whole=glance is not None):
        last = index, frame
        if glance is not None:
            glance(index, frame.decoded)
        if is_wanted:
            given = True
            yield index, frame.to_rgb(most)
    if last is None:
        raise undecodable(path)
    if not given and not stand_in:
        raise InputError(f"{name_of(path)}: the wanted frames are not in this video; it ends with frame {last[0]}")
    if not given:
        yield last[0], last[1].to_rgb(most)


def write_video(
    path: Path | str, frames: Iterable[np.ndarray], fps: float = 25, crf: int = 23, preset: str = "medium"
) -> Path:
    """Encode frames as H.264 (yuv420p, the one variant that every browser plays) in an mp4 file, whole or not at all.

    The same frames give the same bytes on any number of cores: x264 runs in one thread, because its output depends
    on how many it has. Whoever encodes many videos runs several processes instead.

    Args:
        path: the file to write, which is returned; its folder is made.
        frames: (H, W, 3) uint8 RGB each, or (H, W) of grey (a mask: colour is left neutral); H and W even and the same
            for all. An iterator will do.
        fps: frames a second.
        crf: x264's constant rate factor, 0 (lossless) to 51; FaceForensics++ calls 23 high quality and 40 low.
        preset: x264's trade of encoding time for file size, "ultrafast" to "veryslow".

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
        for array in chain([first], frames):
            if array.shape != first.shape:
                raise ValueError(f"{path}: frames of different sizes, {first.shape} and {array.shape}")
            kind = "gray" if array.ndim == 2 else "rgb24"
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(array), format=kind)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return Path(path)


def join_films(path: Path | str, films: Sequence[Path | str], seconds: float) -> Path:
    """Put films one after the other, again and again until they fill so many seconds, without encoding them anew.

    Args:
        path: the mp4 to write, which is returned.
        films: of one size and rate, encoded in one way, as those of one `write_video` are.
        seconds: that the result lasts, at least; the last film is shown to its end.

    Raises:
        InputError: a film cannot be read, or nothing can be written.
    """
    with (
        atomic_write(path) as temporary,
        av.open(str(temporary), "w", format="mp4", options={"movflags": "+faststart"}) as container,
    ):
        out, end = None, Fraction(0)
        for film in cycle(films):
            with open_film(film) as (source, stream):
                out = out or container.add_stream_from_template(stream)
                packets = [packet for packet in source.demux(stream) if packet.dts is not None]
                if not packets:
                    raise DamagedError(f"{name_of(film)}: this video holds no frames; download or copy it again")
                base = stream.time_base or Fraction(1)
                offset, last = round(end / base), 0
                for packet in packets:
                    shown, decoded = packet.pts or 0, packet.dts or 0
                    last = max(last, shown + (packet.duration or 0))
                    packet.pts, packet.dts, packet.stream = shown + offset, decoded + offset, out
                    container.mux(packet)
                end += last * base
            if end >= seconds:
                break
    return Path(path)


def frame_times(path: Source, known: Listing | None = None) -> np.ndarray:
    """When each frame is shown, in seconds from the first; decodes nothing.

    Phones record as many frames a second as the light allows, so the n-th frame's time is not n times anything.

    Args:
        path: the film.
        known: its `listing`, where it has been made already.

    Returns:
        (N,) float64, increasing: a time for each frame that a packet announces; a damaged one may not decode.

    Raises:
        InputError: the file is absent, is no video, or holds no frames.
    """
    known = known or listing(path)
    if not known.shown:
        raise DamagedError(f"{name_of(path)}: this video holds no frames; download or copy it again")
    if known.times is None or known.base <= 0:
        return np.arange(known.shown) / known.rate
    return np.asarray((known.times - known.times[0]) * known.base)


def length(path: Source) -> int:
    """How many frames a video has; decodes nothing.

    The number is the header's, or counted where the header does not say; a damaged file may hold fewer that decode.

    Raises:
        InputError: the file is absent, is no video, or holds no frames.
    """
    with open_film(path) as (_, stream):
        total = stream.frames
    total = total or listing(path).packets
    if total < 1:
        raise DamagedError(f"{name_of(path)}: this video holds no frames; download or copy it again")
    return total
