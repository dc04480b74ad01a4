"""Photos: thin ones, cut-off faces, far faces, and formats whose true reason is another than damage."""

import io
import struct
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from cases.boxes import black_png, png_chunk, u32
from cases.people import EDGE, Seen, face_box, portrait, scene
from cases.registry import NO_VERDICT, VERDICT, add, case

THIN, CUT_OFF, FAR, REASONS, VAST = (
    "thin and tiny pictures", "cut-off faces", "a far face beside a near one", "true reasons", "vast photos",
)  # fmt: skip


def saved(picture: Image.Image | np.ndarray, path: Path, **options) -> Path:
    """A picture as a file whose name says the format."""
    (picture if isinstance(picture, Image.Image) else Image.fromarray(picture)).save(path, **options)
    return path


def blank(folder: Path, width: int, height: int, paint: object = "white", mode: str = "RGB") -> Path:
    """A picture of one colour."""
    return saved(Image.new(mode, (width, height), paint), folder / "photo.png")


for width, height in ((2000, 3), (20_000, 3), (500, 3), (3, 2000), (1, 1), (1, 100_000), (12, 12), (100_000, 19)):
    add(f"{width:,} by {height:,} pixels", THIN, "a white picture", partial(blank, width=width, height=height),
        answer=NO_VERDICT + r".*(thin|small|narrow)", hungry=max(width, height) > 1000)  # fmt: skip


@case("a portrait with thin margins", THIN, "a banner of 8,000 by 400 pixels, a person in the middle", answer=VERDICT)
def banner(folder: Path) -> Path:
    return saved(scene((Seen(0, size=1.0),), 8000, 400), folder / "photo.png")


def cut(folder: Path, person: int, side: str, share: float, margin: int = 0) -> Path:
    """A portrait, of whose face a share is cut away.

    Args:
        folder: for the photo.
        person: who.
        side: which side of the face is gone.
        share: how much of it.
        margin: pixels of black where it was, as letterboxes have.
    """
    big = cv2.resize(portrait(person), (3 * EDGE, 3 * EDGE), interpolation=cv2.INTER_CUBIC)
    left, top, right, bottom = (3 * edge for edge in face_box(person))
    across, down = round(share * (right - left)), round(share * (bottom - top))
    box = {
        "bottom": (slice(0, bottom - down), slice(None)),
        "top": (slice(top + down, None), slice(None)),
        "left": (slice(None), slice(left + across, None)),
        "right": (slice(None), slice(0, right - across)),
    }[side]
    picture = big[box]
    if margin:
        picture = cv2.copyMakeBorder(picture, *(margin,) * 4, cv2.BORDER_CONSTANT)
    return saved(picture, folder / "photo.png")


_CUT = NO_VERDICT + r".*(cut off|no face)"
for side, share in (("bottom", 1 / 3), ("top", 1 / 3), ("left", 1 / 2), ("right", 1 / 2), ("bottom", 1 / 2)):
    for person in (0, 1):
        add(f"{side} {share:.0%} of face {person} cut off", CUT_OFF, "a portrait at the edge of its picture",
            partial(cut, person=person, side=side, share=share), answer=_CUT)  # fmt: skip
add("cut off by a letterbox", CUT_OFF, "the lower third of a face is black: a bar of a film",
    partial(cut, person=0, side="bottom", share=1 / 3, margin=200), answer=None)  # fmt: skip
add("a chin at the edge", CUT_OFF, "the whole face, its chin a pixel from the edge",
    partial(cut, person=0, side="bottom", share=-0.02), answer=None)  # fmt: skip
add("whole", CUT_OFF, "the same portrait, whole", lambda folder: cut(folder, 0, "bottom", -0.6), answer=VERDICT)


@case("near and far in 4K", FAR, "a photo of 3,840 by 2,160; a near face, and a far one of some 137 pixels", slow=True,
      answer=r"\(2 faces\)")  # fmt: skip
def near_and_far(folder: Path, far: float = 0.188) -> Path:
    # A face has some 0.35 of the portrait's edge.
    return saved(scene((Seen(0, 0.3, 0.55, 0.9), Seen(1, 0.8, 0.3, far)), 3840, 2160), folder / "photo.jpg", quality=92)


add("near and too far", FAR, "the same, the far face of some 45 pixels: said, not judged", slow=True,
    make=partial(near_and_far, far=0.06), answer=r"(?s)(fake|real) .*(small|far)")  # fmt: skip
add("five at five distances", FAR, "five people in 4K, each a third smaller than the one before", slow=True,
    make=lambda folder: saved(
        scene(tuple(Seen(n, x, 0.55, 0.9 * 0.62**n) for n, x in enumerate((0.2, 0.52, 0.72, 0.85, 0.94))), 3840, 2160),
        folder / "photo.jpg", quality=92,
    ), answer=r"\(5 faces\)")  # fmt: skip


# Formats.
def levels(folder: Path, kind: str, peak: float, name: str = "photo.tif") -> Path:
    """A portrait in grey levels of another kind of number, from 0 to `peak`."""
    grey = cv2.cvtColor(portrait(0), cv2.COLOR_RGB2GRAY) / 255 * peak
    return saved(Image.fromarray(grey.astype(kind)), folder / name)


add("floats in TIFF", REASONS, "TIFF of 32-bit floats from 0 to 1", partial(levels, kind="float32", peak=1),
    answer=VERDICT)  # fmt: skip
add("floats beyond white", REASONS, "TIFF of 32-bit floats from 0 to 5,000", partial(levels, kind="float32", peak=5000),
    answer=VERDICT)  # fmt: skip


@case("no numbers in TIFF", REASONS, "TIFF of floats one of which is NaN", answer=NO_VERDICT + ".*(nan|no number)")
def nan_tiff(folder: Path) -> Path:
    grey = cv2.cvtColor(portrait(0), cv2.COLOR_RGB2GRAY).astype(np.float32)
    grey[3, 5] = np.nan
    return saved(Image.fromarray(grey), folder / "photo.tif")


@case("float colours in TIFF", REASONS, "TIFF of three 32-bit floats a pixel",
      answer=r"^(fake|real) |^cannot tell .*(float|32)")  # fmt: skip
def colour_floats(folder: Path) -> Path:
    picture = (portrait(0) / 255).astype("<f4")
    return _tiff(
        folder / "photo.tif",
        picture.tobytes(),
        EDGE,
        {258: (3, [32] * 3), 262: (3, [2]), 277: (3, [3]), 339: (3, [3] * 3)},
    )


def _tiff(path: Path, data: bytes, edge: int, tags: dict[int, tuple[int, list[int]]], sub: bytes = b"") -> Path:
    """A TIFF of one strip; tags are {number: (type, values)}, of types 1 (bytes), 3 (16 bits) and 4 (32 bits)."""
    tags = {
        256: (4, [edge]),
        257: (4, [edge]),
        259: (3, [1]),
        273: (4, [8]),
        278: (4, [edge]),
        279: (4, [len(data)]),
    } | tags
    start = 8 + len(data) + len(sub)
    beyond, extra = start + 2 + 12 * len(tags) + 4, b""
    entries = b""
    for number, (kind, values) in sorted(tags.items()):
        packed = struct.pack(f"<{len(values)}{ {1: 'B', 3: 'H', 4: 'I'}[kind] }", *values)
        if len(packed) > 4:
            packed, extra = struct.pack("<I", beyond + len(extra)), extra + packed
        entries += struct.pack("<HHI", number, kind, len(values)) + packed.ljust(4, b"\0")
    head = struct.pack("<2sHI", b"II", 42, start)
    path.write_bytes(head + data + sub + struct.pack("<H", len(tags)) + entries + bytes(4) + extra)
    return path


@case("a camera's DNG", REASONS, "DNG: first a thumbnail with a person in it, then what the sensor saw",
      answer=NO_VERDICT + r".*(raw|dng)")  # fmt: skip
def dng(folder: Path) -> Path:
    small = cv2.resize(portrait(0), (160, 160), interpolation=cv2.INTER_AREA)
    raw = np.zeros((1000, 1000), "<u2").tobytes()
    # The sensor's picture is described in a second directory, which the first one names.
    raw_tags = [(254, 4, 0), (256, 4, 1000), (257, 4, 1000), (258, 3, 16), (259, 3, 1), (262, 3, 32803)]
    raw_tags += [(273, 4, 8 + small.size), (277, 3, 1), (278, 4, 1000), (279, 4, len(raw))]
    below = struct.pack("<H", len(raw_tags))
    below += b"".join(struct.pack("<HHII", number, kind, 1, value) for number, kind, value in raw_tags) + bytes(4)
    tags = {254: (4, [1]), 258: (3, [8] * 3), 262: (3, [2]), 277: (3, [3]), 330: (4, [8 + small.size + len(raw)]),
            50706: (1, [1, 4, 0, 0])}  # fmt: skip
    return _tiff(folder / "photo.dng", small.tobytes(), 160, tags, raw + below)


def vast(folder: Path, width: int, height: int, name: str = "photo.png") -> Path:
    """A black PNG."""
    path = folder / name
    path.write_bytes(black_png(width, height))
    return path


_MOST = NO_VERDICT + r".*megapixels.*--max-megapixels"
add("112 megapixels", REASONS, "a photo of 12,000 by 9,333", partial(vast, width=12_000, height=9333), answer=_MOST)
add("99 megapixels", VAST, "a photo just within the limit: its memory is what the limits allow", answer=NO_VERDICT,
    make=partial(vast, width=9900, height=10_000), hungry=True)  # fmt: skip
add("one line of 90,000,000 pixels", VAST, "a photo of 90,000,000 by 1", answer=NO_VERDICT,
    make=partial(vast, width=90_000_000, height=1), hungry=True)  # fmt: skip


def claimed(folder: Path, kind: str) -> Path:
    """A header that claims a vast picture, and next to nothing behind it."""
    if kind == "png":
        content = b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", u32(2**31 - 1, 2**31 - 1) + bytes([8, 2, 0, 0, 0]))
        content += png_chunk(b"IDAT", b"") + png_chunk(b"IEND", b"")
    elif kind == "jpeg":
        given = io.BytesIO()
        Image.new("RGB", (16, 16)).save(given, "JPEG")
        content = bytearray(given.getvalue())
        at = content.index(b"\xff\xc0") + 5
        content[at : at + 4] = b"\xff\xdc\xff\xdc"
    else:
        content = b"BM" + struct.pack("<IIIIiiHHIIiiII", 54, 0, 54, 40, 2**31 - 1, 2**31 - 1, 1, 24, 0, 0, 0, 0, 0, 0)
    path = folder / f"photo.{kind}"
    path.write_bytes(bytes(content))
    return path


for kind in ("png", "jpeg", "bmp"):
    add(f"a {kind} that claims", VAST, "a header that claims thousands of megapixels, and nothing behind it",
        partial(claimed, kind=kind), answer=NO_VERDICT)  # fmt: skip


def text_chunks(folder: Path, count: int = 2000) -> Path:
    """A portrait with so many compressed comments, each of a megabyte of nothing."""
    import zlib

    given = io.BytesIO()
    Image.fromarray(portrait(0)).save(given, "PNG")
    content, comment = given.getvalue(), png_chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(1_000_000), 9))
    path = folder / "photo.png"
    path.write_bytes(content[:33] + comment * count + content[33:])
    return path


add("comments of two gigabytes", VAST, "a portrait with 2,000 comments, each a megabyte once unpacked", text_chunks,
    answer=r"^(fake|real|cannot tell) ", hungry=True)  # fmt: skip


@case("faces of every size", "rounding of what is said", "70 photos, the face some pixels larger in each",
      command="predict {run} {folder}", answer=r"(?s)\A(?!.*\(face (\d+); \1 px)", slow=True)  # fmt: skip
def sizes(folder: Path) -> Path:
    for edge in range(150, 290, 2):
        small = cv2.resize(portrait(0), (edge, edge), interpolation=cv2.INTER_AREA)
        saved(small, folder / f"photo-{edge}.png", compress_level=1)
    return folder
