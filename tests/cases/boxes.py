"""MP4 and PNG, written and read byte by byte: what no encoder writes, and what a file claims."""

import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_CONTAINERS = {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"udta", b"edts", b"ilst"}
_MATRIX = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)


def u16(*values: int) -> bytes:
    return struct.pack(f">{len(values)}H", *values)


def u32(*values: int) -> bytes:
    return struct.pack(f">{len(values)}I", *values)


def box(kind: bytes, *parts: bytes) -> bytes:
    """A box of MP4: its length, its kind, and what is in it."""
    content = b"".join(parts)
    return u32(8 + len(content)) + kind + content


def walk(data: bytes, start: int = 0, end: int | None = None, above: str = "") -> Iterator[tuple[str, int, int]]:
    """Every box below: its path ("moov/trak/tkhd"), and where its content begins and ends."""
    end = len(data) if end is None else end
    while start + 8 <= end:
        size, kind = struct.unpack_from(">I4s", data, start)
        if size < 8:
            return
        path = f"{above}/{kind.decode('latin-1')}".lstrip("/")
        yield path, start + 8, start + size
        if kind in _CONTAINERS:
            yield from walk(data, start + 8, start + size, path)
        start += size


def find(data: bytes, path: str) -> list[bytes]:
    """The contents of all boxes of this path."""
    return [data[start:end] for name, start, end in walk(data) if name == path]


def patched(data: bytes, path: str, offset: int, content: bytes) -> bytes:
    """The same with other bytes in all boxes of a path, from `offset` of their content on."""
    changed = bytearray(data)
    for name, start, _ in walk(data):
        if name == path:
            changed[start + offset : start + offset + len(content)] = content
    return bytes(changed)


def inserted(data: bytes, extra: bytes, first: bool = False) -> bytes:
    """The same with one more box in `moov`, which has to be the last of the file: first in it, or last."""
    (start, end) = next((start, end) for path, start, end in walk(data) if path == "moov")
    assert end == len(data), "what comes after would move"
    size = struct.unpack_from(">I", data, start)[0]  # that of the movie's header, which stays before everything
    place = start + size if first else end
    return data[: start - 8] + u32(end - start + 8 + len(extra)) + data[start - 4 : place] + extra + data[place:]


def cover(picture: bytes) -> bytes:
    """The box in which players look for the cover of an album, with a PNG in it."""
    handler = box(b"hdlr", u32(0, 0), b"mdirappl", bytes(9))
    return box(
        b"udta",
        box(b"meta", u32(0), handler, box(b"ilst", box(b"covr", box(b"data", u32(14, 0), picture)))),
    )


@dataclass(frozen=True)
class Track:
    """A track of a film.

    Attributes:
        description: what its samples are: an entry of `stsd`.
        sizes: of its samples, bytes; or how many there are, all of one size.
        chunks: where its samples lie: as many places as there are rounds of `sizes`, or one for all.
        size: of a sample where all have one.
        delta: how long each is shown, in microseconds.
        keys: which samples (from 1) can be begun with; None is all.
    """

    description: bytes
    sizes: Sequence[int] | int
    chunks: Sequence[int] = (40,)
    size: int = 1
    delta: int = 40_000
    keys: Sequence[int] | None = None

    def to_bytes(self, number: int, width: int, height: int) -> bytes:
        """The box `trak`."""
        alike = isinstance(self.sizes, int)
        count = self.sizes if alike else len(self.sizes)
        lasts = min(count * self.delta // 1000, 2**32 - 1)
        table = u32(0, self.size, count) if alike else u32(0, 0, count, *self.sizes)
        tables = [
            box(b"stsd", u32(0, 1), self.description),
            box(b"stts", u32(0, 1, count, self.delta)),
            box(b"stsc", u32(0, 1, 1, count // len(self.chunks), 1)),
            box(b"stsz", table),
            box(b"stco", u32(0, len(self.chunks), *self.chunks)),
        ]
        if self.keys is not None:
            tables.append(box(b"stss", u32(0, len(self.keys), *self.keys)))
        header = u32(3, 0, 0, number, 0, lasts, 0, 0, 0, 0) + _MATRIX + u32(width << 16, height << 16)
        data = box(b"dinf", box(b"dref", u32(0, 1), box(b"url ", u32(1))))
        media = box(
            b"mdia",
            box(b"mdhd", u32(0, 0, 0, 1_000_000, min(count * self.delta, 2**32 - 1), 0x55C40000)),
            box(b"hdlr", u32(0, 0), b"vide", bytes(13)),
            box(b"minf", box(b"vmhd", u32(1, 0, 0)), data, box(b"stbl", *tables)),
        )
        return box(b"trak", box(b"tkhd", header), media)


# Where the first byte of `mdat` is, in what `movie` writes.
DATA = 40


def movie(payload: bytes, tracks: Sequence[Track], width: int = 64, height: int = 64) -> bytes:
    """A whole film: the payload from byte `DATA` on, then what is said of it. Times are in milliseconds."""
    start = box(b"ftyp", b"qt  ", u32(0), b"qt  isommp41mp42")
    assert len(start) + 8 == DATA
    header = box(b"mvhd", u32(0, 0, 0, 1000, 1000, 0x10000, 0x1000000, 0, 0) + _MATRIX + u32(*[0] * 6, len(tracks) + 1))
    listed = [track.to_bytes(number, width, height) for number, track in enumerate(tracks, start=1)]
    return start + box(b"mdat", payload) + box(b"moov", header, *listed)


def picture_entry(kind: bytes, width: int, height: int) -> bytes:
    """An entry of `stsd` for pictures that need no more said: "png ", "jpeg"."""
    return box(
        kind, bytes(6), u16(1), bytes(16), u16(width, height), u32(0x480000, 0x480000, 0), u16(1), bytes(32),
        u16(24, 0xFFFF),
    )  # fmt: skip


def png_chunk(kind: bytes, content: bytes) -> bytes:
    return u32(len(content)) + kind + content + u32(zlib.crc32(kind + content))


def _zeros(count: int) -> bytes:
    """So many zero bytes, deflated, without ever holding them: one stretch is deflated, and repeated."""
    stretch = 1 << 20
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(bytes(stretch)) + packer.flush(zlib.Z_FULL_FLUSH)
    last = zlib.compressobj(9, zlib.DEFLATED, -15)
    end = last.compress(bytes(count % stretch)) + last.flush()
    return b"\x78\xda" + packed * (count // stretch) + end + u32((count % 65521) << 16 | 1)


_CHANNELS = {"grey": (0, 1), "rgb": (2, 3)}


def black_png(width: int, height: int, mode: str = "grey", more: Sequence[int] = ()) -> bytes:
    """A black PNG of any size, in few bytes and little memory.

    Args:
        width, height: pixels.
        mode: "grey" or "rgb".
        more: milliseconds for which further pictures, of one pixel each, are shown: then it is an animation.
    """
    kind, channels = _CHANNELS[mode]
    parts = [b"\x89PNG\r\n\x1a\n", png_chunk(b"IHDR", u32(width, height) + bytes([8, kind, 0, 0, 0]))]
    if more:
        parts.append(png_chunk(b"acTL", u32(1 + len(more), 0)))
        parts.append(png_chunk(b"fcTL", u32(0, width, height, 0, 0) + u16(40, 1000) + b"\0\0"))
    parts.append(png_chunk(b"IDAT", _zeros((width * channels + 1) * height)))
    pixel = _zeros(channels + 1)
    for number, lasts in enumerate(more):
        parts.append(png_chunk(b"fcTL", u32(2 * number + 1, 1, 1, 0, 0) + u16(lasts, 1000) + b"\0\0"))
        parts.append(png_chunk(b"fdAT", u32(2 * number + 2) + pixel))
    return b"".join([*parts, png_chunk(b"IEND", b"")])


def one_pixel_gif(width: int, height: int, pictures: int) -> bytes:
    """A GIF of any size, each of whose pictures changes one pixel."""
    start = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    picture = b"\x21\xf9\x04\x04\x04\x00\x00\x00" + b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0)
    return start + (picture + b"\x02\x02\x44\x01\x00") * pictures + b"\x3b"


def webp_animation(width: int, height: int, picture: bytes, pictures: int) -> bytes:
    """An animated WebP of any size, each of whose pictures is the (small) still WebP that is given."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return kind + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)

    def u24(value: int) -> bytes:
        return struct.pack("<I", value)[:3]

    frame = u24(0) + u24(0) + u24(0) + u24(0) + u24(40) + b"\0" + picture[12:]
    content = chunk(b"VP8X", b"\x02\0\0\0" + u24(width - 1) + u24(height - 1)) + chunk(b"ANIM", bytes(6))
    content += chunk(b"ANMF", frame) * pictures
    return b"RIFF" + struct.pack("<I", 4 + len(content)) + b"WEBP" + content
