"""Films by real encoders: of pictures, cut together from shots, and made long by repeating what is there."""

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import av
import numpy as np

from cases.boxes import DATA, Track, find, movie, walk
from cases.people import Seen, scene

FPS = 25
_QUICK = {"preset": "ultrafast", "crf": "20"}
_STEADY = {"libx264": {"threads": "1"}, "libx265": {"x265-params": "log-level=none:pools=none:frame-threads=1"}}


@dataclass(frozen=True)
class Coding:
    """How pictures become a film.

    Attributes:
        codec: FFmpeg's name of an encoder.
        pixels: the format of its frames.
        fps: frames a second.
        options: of the encoder, beside those that make it quick and steady.
        container: options of the muxer.
        context: attributes of the encoder, such as `color_trc`.
    """

    codec: str = "libx264"
    pixels: str = "yuv420p"
    fps: int = FPS
    options: dict[str, str] = field(default_factory=dict)
    container: dict[str, str] = field(default_factory=dict)
    context: dict[str, Any] = field(default_factory=dict)

    def all_options(self) -> dict[str, str]:
        """Those of the encoder; of its own, those given here are added to those that keep it steady."""
        quick = _QUICK if self.codec in _STEADY else {}
        options = quick | _STEADY.get(self.codec, {})
        for name, value in self.options.items():
            options[name] = f"{options[name]}:{value}" if name == "x265-params" else value
        return options


PLAIN = Coding()


def encode(path: Path, frames: Iterable[np.ndarray | av.VideoFrame], coding: Coding = PLAIN) -> Path:
    """Write frames, (H, W, 3) uint8 RGB or as PyAV has them, to a file whose name says the container."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", options={"fflags": "+bitexact"} | coding.container) as container:
        stream = None
        for picture in frames:
            frame = picture
            if isinstance(picture, np.ndarray):
                frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            if stream is None:
                stream = container.add_stream(coding.codec, rate=Fraction(coding.fps), options=coding.all_options())
                stream.width, stream.height, stream.pix_fmt = frame.width, frame.height, coding.pixels
                for name, value in coding.context.items():
                    setattr(stream.codec_context, name, value)
            frame.pts = None
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def yuv_frame(planes: Sequence[np.ndarray], pixels: str) -> av.VideoFrame:
    """A frame of planes as they are, without a conversion; uint16 ones for formats of more than 8 bits."""
    height, width = planes[0].shape
    frame = av.VideoFrame(width, height, pixels)
    for plane, values in zip(frame.planes, planes, strict=True):
        rows = np.zeros((plane.height, plane.line_size), np.uint8)
        row = np.ascontiguousarray(values).view(np.uint8).reshape(plane.height, -1)
        rows[:, : row.shape[1]] = row
        plane.update(rows.tobytes())
    return frame


@dataclass(frozen=True)
class Shot:
    """A part of a film without a cut: who is seen, for how long.

    Attributes:
        seconds: how long.
        people: who.
        wall: which wall they are before; None is another in each shot.
    """

    seconds: float
    people: tuple[Seen, ...]
    wall: int | None = None


def shot(seconds: float, person: int, **where: Any) -> Shot:
    """One person alone."""
    return Shot(seconds, (Seen(person, **where),))


def pictures(shots: Sequence[Shot], width: int = 640, height: int = 360, fps: int = FPS) -> Iterator[np.ndarray]:
    """The frames of a film cut together; in each shot everybody sways a little."""
    for number, one in enumerate(shots):
        wall = number if one.wall is None else one.wall
        moments = [round(4 * np.sin(0.15 * index)) for index in range(round(one.seconds * fps))]
        drawn = {sway: scene(one.people, width, height, wall, sway) for sway in sorted(set(moments))}
        yield from (drawn[sway] for sway in moments)


def film(path: Path, shots: Sequence[Shot], width: int = 640, height: int = 360, coding: Coding = PLAIN) -> Path:
    """A film cut together from shots."""
    return encode(path, pictures(shots, width, height, coding.fps), coding)


@cache
def _clip(number: int, fake: bool) -> bytes:
    """A short film of one person."""
    with tempfile.TemporaryDirectory() as folder:
        people = [shot(0.16, number, size=0.9, fake=fake)]
        return film(Path(folder) / "film.mp4", people, 320, 240).read_bytes()


def clip(path: Path, number: int, fake: bool = False) -> None:
    """A short film under a name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_clip(number, fake))


def samples(path: Path) -> list[bytes]:
    """The packets of a film's first stream."""
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(video=0) if packet.size]


def looped(path: Path, parts: Sequence[tuple[Path, int]], width: int, height: int, delta: int = 40_000) -> Path:
    """A long film out of short ones, in which every byte lies once, however often it is shown.

    Args:
        path: the MP4 to write.
        parts: MP4 films of one encoder, each beginning with its only key frame, without B-frames, all with as many
            frames; and how often each is shown, one after the other.
        width, height: of them.
        delta: microseconds that each frame is shown.
    """
    entry = find(parts[0][0].read_bytes(), "moov/trak/mdia/minf/stbl/stsd")[0][8:]
    payload, chunks, sizes = b"", [], []
    for part, times in parts:
        packets = samples(part)
        chunks += [DATA + len(payload)] * times
        sizes += [len(packet) for packet in packets] * times
        payload += b"".join(packets)
    keys = range(1, len(sizes) + 1, len(sizes) // len(chunks))
    path.write_bytes(movie(payload, [Track(entry, sizes, chunks, delta=delta, keys=keys)], width, height))
    return path


def remuxed(path: Path, source: Path, times: int, options: dict[str, str] | None = None, skipped: int = 0) -> Path:
    """A film's packets in another container, all of them so many times, one after the other; without the first few."""
    with (
        av.open(str(source)) as given,
        av.open(str(path), "w", options={"fflags": "+bitexact"} | (options or {})) as new,
    ):
        stream = given.streams.video[0]
        added = new.add_stream_from_template(stream)
        packets = [(bytes(packet), packet.is_keyframe) for packet in given.demux(stream) if packet.size]
        for index in range(skipped, times * len(packets)):
            content, key = packets[index % len(packets)]
            packet = av.Packet(content)
            packet.stream, packet.time_base = added, Fraction(1, FPS)
            packet.pts = packet.dts = index
            packet.duration, packet.is_keyframe = 1, key
            new.mux(packet)
    return path


def boxes_of(path: Path) -> list[str]:
    """The paths of all boxes in an MP4."""
    return [name for name, _, _ in walk(path.read_bytes())]


def joined(path: Path, parts: Sequence[Path]) -> Path:
    """The packets of several films, one after the other, as one that says of itself what the first does."""
    with av.open(str(parts[0])) as first, av.open(str(path), "w", options={"fflags": "+bitexact"}) as new:
        added, at = new.add_stream_from_template(first.streams.video[0]), 0
        for part in parts:
            with av.open(str(part)) as given:
                packets = [(bytes(packet), packet.is_keyframe) for packet in given.demux(video=0) if packet.size]
            for content, key in packets:
                packet = av.Packet(content)
                packet.stream, packet.time_base = added, Fraction(1, FPS)
                packet.pts = packet.dts = at
                packet.duration, packet.is_keyframe = 1, key
                new.mux(packet)
                at += 1
    return path
