"""Whatever somebody hands over, opened: a photo, an animation or a video, as pictures with their times.

What a file is, its content says, not its name. It comes from strangers: it may be cut off, forged, or made to fill the
memory of whoever opens it. So sizes are looked at before anything is decoded, only formats that people do send are
tried, nothing is written, and every refusal is one line that says what to do.
"""

import contextlib
import glob
import io
import os
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from torchfakes_utils.errors import InputError
from torchfakes_utils.io.decoding import Source, name_of
from torchfakes_utils.io.limits import Limits
from torchfakes_utils.io.video import frame_times, frames_at, probe, spread

PHOTO, ANIMATION, VIDEO = "photo", "animation", "video"

# Pillow knows many more, but "opens" MPEG videos that it cannot decode, and hands PostScript to an interpreter that a
# stranger's file should not reach. What is none of these may be a video.
_PHOTO_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "JPEG2000", "PPM", "AVIF", "HEIF")
_ANIMATED = ("GIF", "PNG", "WEBP", "AVIF")

# In the brand of a file of the ISO family: a photo, not a film. FFmpeg would take one tile of it for the whole.
_STILL_BRANDS = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"hevx", b"mif1", b"msf1", b"avif", b"avis")

# How files begin that are photos, whatever Pillow makes of the rest.
_PHOTO_STARTS = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\0", b"MM\0*")

# By their first bytes: what people drop here by mistake.
_UNPACK = "unpack it and give the photos and videos in it"
_NO_MEDIA = {
    b"PK\x03\x04": f"an archive or an office document; {_UNPACK}",
    **dict.fromkeys((b"\x1f\x8b", b"7z\xbc\xaf", b"Rar!"), f"an archive; {_UNPACK}"),
    b"%PDF": "a PDF; save the picture in it as a file of its own",
    b"#EXTM3U": "a playlist, not the video itself; save that as a file",
}

# Pictures of an animation after which no more are counted: to know how many there are, all are read.
_MOST_PICTURES = 3000

# We refuse sooner than Pillow does, and in our own words.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


@dataclass(frozen=True)
class Media:
    """A file's pictures, as displayed.

    Attributes:
        name: the file, as it was given; "these bytes".
        kind: "photo", "animation" or "video".
        indices: (N,) which frames these are, counted from 0.
        times: (N,) when they are shown, seconds from the first frame.
        pictures: N of (H, W, 3) uint8, RGB, of one size.
        duration: seconds from the first to the last frame; 0 for a photo.
        notes: what else has to be known, a line each.
    """

    name: str
    kind: str
    indices: np.ndarray
    times: np.ndarray
    pictures: list[np.ndarray]
    duration: float = 0.0
    notes: tuple[str, ...] = ()


def open_media(source: Source, frames: int = 16, limits: Limits = Limits()) -> Media:
    """Read a photo, an animation or a video.

    Args:
        source: a file, or what is in one.
        frames: how many pictures of an animation or a video, evenly spread.

    Raises:
        InputError: it is absent, no photo and no video, damaged, or beyond the limits; in one line.
    """
    name, head = name_of(source), _head(source, limits)
    for start, what in _NO_MEDIA.items():
        if head.startswith(start):
            raise InputError(f"{name}: {what}")
    try:
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source, formats=_formats()) as image:
            return _photo(image, name, frames, limits)
    except UnidentifiedImageError as error:
        if head[4:8] == b"ftyp" and head[8:12] in _STILL_BRANDS:
            raise InputError(f"{name}: {_still_refused(head)}") from error
        if head.startswith(_PHOTO_STARTS):
            raise _damaged(name, "its beginning is damaged") from error
    except (Image.DecompressionBombError, MemoryError) as error:
        raise InputError(f"{name}: {_too_large('far', limits)}") from error
    except InputError as error:
        raise InputError(f"{name}: {error}") from error
    except Exception as error:
        # What is raised on damage depends on where it is met: SyntaxError, struct.error, RuntimeError from a codec, …
        why = " ".join(str(error).replace(name, "").split()) or type(error).__name__
        raise _damaged(name, why[:120]) from error
    try:
        return _video(source, frames, limits)
    except InputError as error:
        raise InputError(str(error).replace(": not a video that", ": neither a photo nor a video that", 1)) from error


def files_in(sources: Iterable[Source]) -> Iterator[tuple[Source, str]]:
    """Files as they are given, and of every folder the files below it, in the order of their names.

    Hidden files are left out. Folders that are links are named and not entered, so that none is met twice.

    Yields:
        The file, and why it is not to be opened, "" where it may be: below a folder, a link to something elsewhere is
        not what was asked for.
    """
    for source in sources:
        if isinstance(source, bytes) or not os.path.isdir(source):  # noqa: PTH112 - Path's raises where it may not look
            yield source, ""
            continue
        for folder, below, names in os.walk(source):
            below[:] = sorted(name for name in below if not name.startswith("."))
            for name in sorted(name for name in names if not name.startswith(".")):
                path = Path(folder, name)
                out = path.is_symlink() and _leads_out(path, source)
                yield path, "a link that leads out of this folder; name the file itself" if out else ""
            for path in (path for path in (Path(folder, name) for name in below) if path.is_symlink()):
                yield path, "a link to a folder, which is not entered; give that folder itself"


def matching(pattern: str) -> list[str]:
    """The files that a pattern names (`*`, `?`, `[…]`, `**`), where the shell has not put them in its place.

    A name without a match is given back: whoever opens it says that there is no such file.
    """
    if os.path.lexists(pattern) or not glob.has_magic(pattern):
        return [pattern]
    return sorted(glob.glob(pattern, recursive=True)) or [pattern]  # noqa: PTH207 - Path's refuses one from the root


def _leads_out(path: Path, folder: Path | str) -> bool:
    try:
        return not path.resolve(strict=True).is_relative_to(Path(folder).resolve())
    except (OSError, RuntimeError):  # it leads nowhere, or to itself
        return True


def to_rgb(image: Image.Image) -> np.ndarray:
    """A photo as people see it: (H, W, 3) uint8, sRGB, turned as its EXIF data say, on white where it is transparent.

    Raises:
        InputError: it holds values that are no numbers.
    """
    turned = ImageOps.exif_transpose(image)
    if turned.mode in ("I", "F") or turned.mode.startswith("I;16"):
        return _from_levels(np.asarray(turned, np.float32))
    if turned.has_transparency_data:
        turned = turned.convert("RGBA")
        background = Image.new("RGBA", turned.size, "white")
        turned = Image.alpha_composite(background, turned)
    elif turned.mode in ("RGB", "CMYK") and (profile := image.info.get("icc_profile")):
        turned = _in_srgb(turned, profile)
    return np.array(turned.convert("RGB"))


def _from_levels(levels: np.ndarray) -> np.ndarray:
    """Grey values of 16 bits and more: Pillow would clip them to 8 instead of scaling, and turn the photo white."""
    if not np.isfinite(levels).all():
        raise InputError("holds pixels that are no numbers (NaN or infinite); save it again as PNG or JPEG")
    largest = float(levels.max(initial=0))
    peak = 65535 if largest > 255 else 255 if largest > 1 else 1
    grey = np.clip(levels * (255 / peak), 0, 255).astype(np.uint8)
    return np.repeat(grey[:, :, None], 3, axis=2)


def _in_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    """A phone's photo in the colours of a phone's display looks pale where it is taken for sRGB, as videos are."""
    try:
        own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "sRGB" in ImageCms.getProfileDescription(own):
            return image
        return ImageCms.profileToProfile(image, own, ImageCms.createProfile("sRGB"), outputMode="RGB") or image
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image  # a broken profile: as if there were none


def _head(source: Source, limits: Limits) -> bytes:
    """The first bytes, once it is clear that there is a file whose size is allowed."""
    name = name_of(source)
    if isinstance(source, bytes):
        size, head = len(source), source[:32]
    else:
        try:
            if os.path.isdir(source):  # noqa: PTH112 - to Path, no name at all is the working folder
                raise InputError(f"{name}: a folder; give the photos and videos in it")
            if not os.path.isfile(source):  # noqa: PTH113 - the same
                there = os.path.lexists(source)
                raise InputError(f"{name}: " + ("a link, pipe or device, not a file" if there else "no such file"))
            size = Path(source).stat().st_size
            with Path(source).open("rb") as file:
                head = file.read(32)
        except (OSError, ValueError) as error:  # a ValueError: a null byte in the name
            why = getattr(error, "strerror", None) or error
            raise InputError(f"{name}: cannot be opened ({why}); check its name and who may read it") from error
    if not size:
        raise InputError(f"{name}: this file is empty; download or copy it again")
    if limits.bytes is not None and size > limits.bytes:
        raise InputError(f"{name}: {size / 1e6:.0f} MB, and {limits.bytes / 1e6:.0f} MB are the most; make it smaller")
    return head


def _formats() -> tuple[str, ...]:
    """Of the formats that we want, those that this Pillow knows; HEIC comes with a package of its own."""
    Image.init()
    if "HEIF" not in Image.OPEN:
        with contextlib.suppress(ImportError):
            import pillow_heif

            pillow_heif.register_heif_opener()
    return tuple(name for name in _PHOTO_FORMATS if name in Image.OPEN)


def _still_refused(head: bytes) -> str:
    """Why a photo of the ISO family was not opened."""
    if head[8:12] in (b"avif", b"avis"):
        return "an AVIF photo that cannot be read; save it as JPEG or PNG"
    if "HEIF" in _formats():
        return "a HEIC photo that cannot be read; it is cut off or damaged: copy it again"
    return "a HEIC photo; pip install pillow-heif reads it, or save it as JPEG"


def _damaged(name: str, why: str) -> InputError:
    return InputError(f"{name}: this photo cannot be read ({why}); it is cut off or damaged: copy it again")


def _too_large(how: str, limits: Limits) -> str:
    return f"{how} too large for a photo; {limits.pixels / 1e6:.0f} megapixels are the most: scale it down"


def _photo(image: Image.Image, name: str, frames: int, limits: Limits) -> Media:
    pixels = image.width * image.height
    if pixels > limits.pixels:
        raise InputError(_too_large(f"{pixels / 1e6:.0f} megapixels,", limits))
    # A phone's MPO or a scanner's TIFF holds several pictures, too, but not a scene that moves.
    if getattr(image, "is_animated", False) and image.format in _ANIMATED:
        return _animation(image, name, frames, limits)
    return Media(name, PHOTO, np.zeros(1, int), np.zeros(1), [to_rgb(image)])


def _animation(image: Image.Image, name: str, frames: int, limits: Limits) -> Media:
    held: int = getattr(image, "n_frames", 1)
    total = min(held, _MOST_PICTURES)
    notes = (f"only the first {total} pictures are looked at",) if held > total else ()
    wanted, fewer = _affordable(frames, total, image.width * image.height, limits)
    pictures, times, clock = [], np.zeros(total), 0.0
    for index in range(total):
        image.seek(index)
        times[index] = clock
        clock += (image.info.get("duration") or 100) / 1000
        if index in wanted:
            pictures.append(to_rgb(image))
    return Media(name, ANIMATION, wanted, times[wanted], pictures, float(times[-1]), notes + fewer)


def _video(source: Source, frames: int, limits: Limits) -> Media:
    times = frame_times(source)
    name, seconds = name_of(source), float(times[-1])
    if limits.seconds is not None and seconds > limits.seconds:
        raise InputError(f"{name}: {seconds:.0f} s long, and {limits.seconds:.0f} s are the most; cut out a part")
    info = probe(source)
    wanted, notes = _affordable(frames, len(times), info.width * info.height, limits)
    found, pictures = zip(*frames_at(source, wanted.tolist(), stand_in=True), strict=True)
    indices = np.asarray(found)
    if len(indices) < len(wanted):
        notes += (f"{len(wanted) - len(indices)} of {len(wanted)} frames do not decode",)
    shown = times[np.minimum(indices, len(times) - 1)]  # a packet may hold more frames than one
    return Media(name, VIDEO, indices, shown, list(pictures), seconds, notes)


def _affordable(frames: int, total: int, pixels: int, limits: Limits) -> tuple[np.ndarray, tuple[str, ...]]:
    """Which frames are looked at, and a line where they are fewer than was asked for."""
    most = max(1, limits.memory // (3 * max(1, pixels)))
    wanted = spread(min(frames, most), total)
    few = len(wanted) < min(frames, total)
    return wanted, (f"its frames are so large that only {len(wanted)} are looked at",) if few else ()
