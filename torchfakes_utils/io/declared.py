"""What an MP4 says that it holds, held against what it can hold, before anything is opened that believes it.

A table of samples says how many there are, and FFmpeg makes room for each, some 36 bytes: a file of 18 KB asks for a
hundred gigabytes. Only headers of boxes are read here, and where they lead nowhere nothing is said: what is merely
broken, FFmpeg finds out.
"""

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from torchfakes_utils.io.limits import MOST_FRAMES, MOST_SAMPLES, MOST_STREAMS

_FOLDERS = {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"moof", b"traf"}
# Boxes that are looked at in one file: two fragments a second for nine hours have some 400,000.
_MOST_BOXES = 1_000_000
# By these flags each sample of a run takes room: duration, size, flags, offset of time.
_PER_SAMPLE = 0xF00

# How a reason ends that is no limit of ours.
BROKEN = "it is damaged or forged"


@dataclass
class _Claims:
    """What has been counted so far, and of which kind the track is whose boxes are being read."""

    tracks: int = 0
    samples: int = 0
    kind: bytes = b""


def too_much(source: Path | str | bytes) -> str:
    """Why this file is not to be opened, as what comes after its name; "" where it may be.

    Raises:
        OSError, ValueError: it cannot be read at all.
    """
    with io.BytesIO(source) if isinstance(source, bytes) else Path(source).open("rb") as file:
        length = file.seek(0, io.SEEK_END)
        claims = _Claims()
        for number, (kind, start, end) in enumerate(_boxes(file, 0, length)):
            why = f"more than {_MOST_BOXES:,} parts; is it damaged?" if number == _MOST_BOXES else ""
            if kind in (b"trak", b"hdlr", b"stsz", b"stz2", b"trun"):
                file.seek(start)
                why = why or _wrong(kind, file.read(12).ljust(12, b"\0"), min(end, length) - start, length, claims)
            if why:
                return why
    return ""


def _boxes(file: BinaryIO, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Kind, and where the content begins and ends, of every box: first those of a box, then what is in the last."""
    folders = [(start, end)]
    while folders:
        start, end = folders.pop()
        while start + 8 <= end:
            file.seek(start)
            head = file.read(16).ljust(16, b"\0")
            size, kind = struct.unpack(">I4s", head[:8])
            content = start + 8
            if size == 1:
                size, content = struct.unpack(">Q", head[8:])[0], start + 16
            size = size or end - start  # 0: up to the end
            if size < content - start:
                break
            yield kind, content, start + size
            if kind in _FOLDERS:
                folders.append((content, min(start + size, end)))
            start += size


def _wrong(kind: bytes, head: bytes, room: int, length: int, claims: _Claims) -> str:
    """What is wrong with a box that begins so and has so much room, in a file of this length; counts what it claims."""
    if kind == b"trak":
        claims.tracks += 1
        return f"more than {MOST_STREAMS} tracks; keep the film alone" if claims.tracks > MOST_STREAMS else ""
    if kind == b"hdlr":  # there is one more, which tells of where the data are, in QuickTime's films
        claims.kind = claims.kind if head[4:8] == b"dhlr" else head[8:12]
        return ""
    flags, size, count = struct.unpack(">3I", head)
    if kind == b"trun":
        count, most = size, room // 4 if flags & _PER_SAMPLE else length
    elif kind == b"stsz":
        most = length // size if size else room // 4
    else:
        most = room * 2
    if count > most:
        return f"its header speaks of {count:,} samples, for which it has no room; {BROKEN}"
    if claims.kind == b"vide" and count > MOST_FRAMES:
        return f"more than {MOST_FRAMES:,} frames; cut out a part"
    # Sound without compression has a sample 48,000 times a second; FFmpeg keeps it by the block.
    claims.samples += 0 if kind == b"stsz" and size and claims.kind == b"soun" else count
    return f"more than {MOST_SAMPLES:,} samples; cut out a part" if claims.samples > MOST_SAMPLES else ""
