"""A photo as people see it, and why one cannot be read.

A large photo is converted in strips: whole, each step of the way would hold another copy of it.
"""

import contextlib
import io
import struct
from collections.abc import Callable, Iterator
from typing import BinaryIO

import numpy as np
from PIL import ExifTags, Image, ImageCms, TiffImagePlugin

from torchfakes_utils.errors import InputError
from torchfakes_utils.io.limits import Limits

# Pillow knows many more, but "opens" MPEG videos that it cannot decode, and hands PostScript to an interpreter that a
# stranger's file should not reach. What is none of these may be a video.
_PHOTO_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "JPEG2000", "PPM", "AVIF", "HEIF")

# In the brand of a file of the ISO family: a photo, not a film. FFmpeg would take one tile of it for the whole.
_STILL_BRANDS = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"hevx", b"mif1", b"msf1", b"avif", b"avis")

# How files begin that are photos, whatever Pillow makes of the rest.
_PHOTO_STARTS = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\0", b"MM\0*")

RAW = "a camera's raw photo; develop it in the camera or a photo program, and save it as JPEG or PNG"
_UNPACK = "unpack it and give the photos and videos in it"
_SAVE = "save it as JPEG or PNG"

# By their first bytes, from a place on: what people drop here by mistake, and what nothing here decodes.
_NO_MEDIA = {
    (0, b"PK\x03\x04"): f"an archive or an office document; {_UNPACK}",
    **dict.fromkeys(((0, b"\x1f\x8b"), (0, b"7z\xbc\xaf"), (0, b"Rar!")), f"an archive; {_UNPACK}"),
    (0, b"%PDF"): "a PDF; save the picture in it as a file of its own",
    (0, b"#EXTM3U"): "a playlist, not the video itself; save that as a file",
    **dict.fromkeys(((0, b"ID3"), (0, b"fLaC"), (8, b"WAVE")), "sound alone: neither a photo nor a video"),
    (0, b"8BPS"): f"a document of Photoshop; {_SAVE}",
    (0, b"\x76\x2f\x31\x01"): f"an OpenEXR picture; {_SAVE}",
    **dict.fromkeys(((0, b"\xff\x0a"), (4, b"JXL \r\n\x87\n")), f"a JPEG XL photo; {_SAVE}"),
    # Canon, Fujifilm, Olympus, Panasonic, Sigma; of those that are TIFF files, `tiff_refused` tells.
    **dict.fromkeys(
        ((8, b"CR\2\0"), (4, b"ftypcrx "), (0, b"FUJIFILMCCD-RAW"), (0, b"IIRO"), (0, b"IIRS"), (0, b"MMOR"),
         (0, b"IIU\0"), (0, b"FOVb")), RAW,
    ),
}  # fmt: skip

# Pixels that are converted at once.
_STRIP = 4_000_000

# How a picture is brought upright, by what EXIF calls its orientation.
_ORIENTATION = ExifTags.Base.Orientation
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # fmt: skip


def no_media(head: bytes) -> str:
    """What a file is that begins so, and what to do, where that is neither a photo nor a video."""
    return next((what for (at, start), what in _NO_MEDIA.items() if head[at:].startswith(start)), "")


def formats() -> tuple[str, ...]:
    """Of the formats that we want, those that this Pillow knows; HEIC comes with a package of its own."""
    Image.init()
    if "HEIF" not in Image.OPEN:
        with contextlib.suppress(ImportError):
            import pillow_heif

            pillow_heif.register_heif_opener()
    return tuple(name for name in _PHOTO_FORMATS if name in Image.OPEN)


def to_rgb(image: Image.Image) -> np.ndarray:
    """A photo as people see it: (H, W, 3) uint8, sRGB, turned as its EXIF data say, on white where it is transparent.

    Raises:
        InputError: it holds values that are no numbers.
    """
    image.load()
    turn = _TURNS.get(_orientation(image))
    if turn is not None:
        image = image.transpose(turn)
    result = np.empty((image.height, image.width, 3), np.uint8)
    convert = _conversion(image)
    for left, top, part in _parts(image):
        result[top : top + part.height, left : left + part.width] = convert(part)
    return result


def _orientation(image: Image.Image) -> int:
    """What EXIF says of it, as far as it can be read: where other entries are damaged, the picture still is upright."""
    try:
        said = image.getexif().get(_ORIENTATION)
    except Exception:  # noqa: BLE001 - whatever is raised on damage; the pixels are sound
        said = None
    data: bytes = image.info.get("exif") or b""
    return said if isinstance(said, int) and said else _first_orientation(data.removeprefix(b"Exif\0\0"))


def _first_orientation(exif: bytes) -> int:
    """That of the first directory, read entry by entry: Pillow gives up at the first one that leads nowhere."""
    order = ">" if exif.startswith(b"MM") else "<"
    try:
        (start,) = struct.unpack_from(f"{order}I", exif, 4)
        (count,) = struct.unpack_from(f"{order}H", exif, start)
        for at in range(start + 2, start + 2 + 12 * count, 12):
            number, kind, values, said = struct.unpack_from(f"{order}HHIH", exif, at)
            if (number, kind, values) == (_ORIENTATION, 3, 1):
                return int(said)
    except struct.error:  # it is cut off
        pass
    return 1


def _parts(image: Image.Image) -> Iterator[tuple[int, int, Image.Image]]:
    """An image in strips of its whole width, or in parts of these; each with its left and top."""
    columns = min(image.width, _STRIP)
    rows = max(1, _STRIP // columns)
    for top in range(0, image.height, rows):
        for left in range(0, image.width, columns):
            right, bottom = min(left + columns, image.width), min(top + rows, image.height)
            yield left, top, image.crop((left, top, right, bottom))


def _conversion(image: Image.Image) -> Callable[[Image.Image], np.ndarray]:
    """How a strip of an image becomes (H, W, 3) uint8, or (H, W, 1)."""
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        peak = _peak(image)
        return lambda strip: np.clip(np.asarray(strip, np.float32) * (255 / peak), 0, 255).astype(np.uint8)[:, :, None]
    # What has a palette or is transparent is RGB beneath.
    base = image.mode if image.mode in ("L", "CMYK") else "L" if image.mode == "LA" else "RGB"
    profile = image.info.get("icc_profile")
    transform = _into_srgb(profile, base) if profile else None

    def opaque(strip: Image.Image) -> Image.Image:
        if transform is None:
            return strip.convert("RGB")
        shown = ImageCms.applyTransform(strip.convert(base), transform)
        assert shown is not None  # it is, where the transform is not done in place
        return shown

    if image.has_transparency_data:
        return lambda strip: _on_white(strip.convert("RGBA"), opaque)
    return lambda strip: np.asarray(opaque(strip))


def _peak(image: Image.Image) -> float:
    """Which grey level is white; Pillow would clip 16 bits and more to 8 instead of scaling, and turn a photo white."""
    largest = 0.0
    for _, _, part in _parts(image):
        levels = np.asarray(part)
        if not np.isfinite(levels).all():
            raise InputError("holds pixels that are no numbers (NaN or infinite); save it again as PNG or JPEG")
        largest = max(largest, float(levels.max(initial=0)))
    if image.mode == "F" and largest > 255:  # of floats nobody says what is white
        return largest
    return 65535 if largest > 255 else 255 if largest > 1 else 1


def _on_white(strip: Image.Image, opaque: Callable[[Image.Image], Image.Image]) -> np.ndarray:
    shown = opaque(strip)
    shown.putalpha(strip.getchannel("A"))
    return np.asarray(Image.alpha_composite(Image.new("RGBA", strip.size, "white"), shown).convert("RGB"))


def _into_srgb(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """A phone's photo in the colours of a phone's display looks pale where it is taken for sRGB, as videos are."""
    try:
        own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "sRGB" in ImageCms.getProfileDescription(own):
            return None
        return ImageCms.buildTransform(own, ImageCms.createProfile("sRGB"), mode, "RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None  # a broken profile: as if there were none


def unopened(file: BinaryIO, head: bytes) -> str:
    """Why a file that begins like a photo was not opened as one; "" where it does not begin so."""
    if head[4:8] == b"ftyp" and head[8:12] in _STILL_BRANDS:
        if head[8:12] in (b"avif", b"avis"):
            return f"an AVIF photo that cannot be read; {_SAVE}"
        if "HEIF" in formats():
            return "a HEIC photo that cannot be read; it is cut off or damaged: copy it again"
        return "a HEIC photo; pip install pillow-heif reads it, or save it as JPEG"
    if head.startswith(_PHOTO_STARTS):
        return _tiff_of_a_kind(file) or damaged("its beginning is damaged")
    return ""


def damaged(why: str) -> str:
    """What is said of a photo that does not decode."""
    if "MAX_TEXT" in why:  # Pillow's name for what it takes of a PNG's comments
        return f"this photo's comments unpack to more than a photo needs; {_SAVE}, without them"
    if "not enough memory" in why.lower():
        raise MemoryError
    return f"this photo cannot be read ({why}); it is cut off or damaged: copy it again"


def too_large(how: str, limits: Limits) -> str:
    """What is said of a photo of too many pixels."""
    most = f"{limits.pixels / 1e6:.0f} megapixels are the most"
    more = ", or allow more (--max-megapixels)" if limits.adjustable else ""
    return f"{how} too large for a photo; {most}: scale it down{more}"


def is_raw(image: Image.Image) -> bool:
    """Whether this is what a camera's sensor saw, of which Pillow shows the small preview only."""
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return False
    tags = image.tag_v2
    # The version of DNG; or a first picture that calls itself reduced, with the others hidden in it.
    return 50706 in tags or (bool(tags.get(254, 0) & 1) and 330 in tags)


def _tiff_of_a_kind(file: BinaryIO) -> str:
    """Of a TIFF file whose pixels Pillow does not know, what they are."""
    try:
        file.seek(0)
        directory = TiffImagePlugin.ImageFileDirectory_v2(file.read(8))
        file.seek(directory.next)
        directory.load(file)
        bits, kind = directory[258], directory.get(339, (1,))[0]
        numbers = {1: "whole numbers", 2: "whole numbers with a sign", 3: "floats"}.get(kind, "numbers")
        return f"a TIFF photo of {len(bits)} times {bits[0]}-bit {numbers}, which are not read here; {_SAVE}"
    except Exception:  # noqa: BLE001 - whatever is met in a damaged file: it is damaged
        return ""
