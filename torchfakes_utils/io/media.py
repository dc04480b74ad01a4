"""Whatever somebody hands over, opened: a photo, an animation or a video, as pictures with their times.

What a file is, its content says, not its name. It comes from strangers: it may be cut off, forged, or made to fill the
memory of whoever opens it. So sizes are looked at before anything is decoded, only formats that people do send are
tried, nothing is written, and every refusal is one line that says what to do.
"""

import dataclasses
import glob
import io
import os
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from torchfakes_utils.errors import InputError
from torchfakes_utils.io import photos
from torchfakes_utils.io.decoding import Source, decode, listing, name_of, undecodable
from torchfakes_utils.io.display import Frame, of_one_size
from torchfakes_utils.io.limits import MOST_ANIMATED_PIXELS, MOST_FRAME_PIXELS, Limits
from torchfakes_utils.io.photos import to_rgb
from torchfakes_utils.io.shots import GROWTH, ShotReader, Shots, enough_frames, find_shots, glance_at
from torchfakes_utils.io.video import frame_times, spread

PHOTO, ANIMATION, VIDEO = "photo", "animation", "video"

_ANIMATED = ("GIF", "PNG", "WEBP", "AVIF")
# Of which somebody may have put several scenes into one file. (Behind a phone's MPO lies what the phone needs.)
_PAGED = ("TIFF", "HEIF")

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
        shots: (N,) which shot of a film each belongs to, counted from 0.
        insets: where a part of the picture is cut, see `insets.find_inset_cuts`; none, where it is not known.
    """

    name: str
    kind: str
    indices: np.ndarray
    times: np.ndarray
    pictures: list[np.ndarray]
    duration: float = 0.0
    notes: tuple[str, ...] = ()
    shots: np.ndarray = field(default_factory=lambda: np.zeros(1, int))
    insets: np.ndarray = field(default_factory=lambda: np.zeros((0, 1), int))

    def in_order(self) -> "Media":
        """The same, its pictures in order and of one size; without those in which one shot fades into another."""
        order = [at for at in np.argsort(self.indices, kind="stable").tolist() if self.shots[at] >= 0]
        pictures = of_one_size([self.pictures[at] for at in order])
        indices, times, shots = self.indices[order], self.times[order], self.shots[order]
        return dataclasses.replace(self, indices=indices, times=times, shots=shots, pictures=pictures)


def open_media(
    source: Source, frames: int = 16, limits: Limits = Limits(), pictures: list[np.ndarray] | None = None
) -> Media:
    """Read a photo, an animation or a video, in this process; `io.reader` does so in one of its own.

    Args:
        source: a file, or what is in one.
        frames: how many pictures of an animation or a video, evenly spread; see `io.shots` for more of a video.
        limits: what is refused.
        pictures: to which they are added; the result has it, too, and `Media.in_order` is left to the caller.

    Raises:
        InputError: it is absent, no photo and no video, damaged, or beyond the limits; in one line.
        MemoryError: it asks for more than there is.
    """
    if pictures is None:
        return open_media(source, frames, limits, []).in_order()
    name, head = name_of(source), head_of(source, limits)
    try:
        if what := photos.no_media(head):
            raise InputError(what)
        photo = _photo(source, name, frames, limits, pictures)
        if photo is not None:
            return photo
        with io.BytesIO(source) if isinstance(source, bytes) else Path(source).open("rb") as file:
            if why := photos.unopened(file, head):
                raise InputError(why)
    except InputError as error:
        raise InputError(f"{name}: {error}") from error
    try:
        return _video(source, frames, limits, pictures)
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
        closed: list[OSError] = []
        for folder, below, names in os.walk(source, onerror=closed.append):
            below[:] = sorted(name for name in below if not name.startswith("."))
            for name in sorted(name for name in names if not name.startswith(".")):
                path = Path(folder, name)
                out = path.is_symlink() and _leads_out(path, source)
                yield path, "a link that leads out of this folder; name the file itself" if out else ""
            for path in (path for path in (Path(folder, name) for name in below) if path.is_symlink()):
                yield path, "a link to a folder, which is not entered; give that folder itself"
        for error in closed:
            yield Path(error.filename), f"a folder that cannot be read ({error.strerror}); see who may read it"


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


def head_of(source: Source, limits: Limits) -> bytes:
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


def _photo(source: Source, name: str, frames: int, limits: Limits, pictures: list[np.ndarray]) -> Media | None:
    """A photo or an animation; None where it is neither."""
    try:
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source, formats=photos.formats()) as image:
            return _pictures_in(image, name, frames, limits, pictures)
    except UnidentifiedImageError:
        return None
    except Image.DecompressionBombError as error:
        raise InputError(photos.too_large("far", limits)) from error
    except (InputError, MemoryError):
        raise
    except Exception as error:
        # What is raised on damage depends on where it is met: SyntaxError, struct.error, RuntimeError from a codec, …
        why = " ".join(str(error).replace(name, "").split()) or type(error).__name__
        raise InputError(photos.damaged(why[:120])) from error


def _pictures_in(image: Image.Image, name: str, frames: int, limits: Limits, pictures: list[np.ndarray]) -> Media:
    pixels = image.width * image.height
    if pixels > limits.pixels:
        raise InputError(photos.too_large(f"{pixels / 1e6:.0f} megapixels,", limits))
    if photos.is_raw(image):
        raise InputError(photos.RAW)
    # A phone's MPO or a scanner's TIFF holds several pictures, too, but not a scene that moves.
    if getattr(image, "is_animated", False) and image.format in _ANIMATED:
        return _animation(image, name, frames, limits, pictures)
    pages = image.format in _PAGED and getattr(image, "is_animated", False)
    notes = ("only the first of its pictures is looked at; save the others as files of their own",) if pages else ()
    pictures.append(to_rgb(image))
    return Media(name, PHOTO, np.zeros(1, int), np.zeros(1), pictures, notes=notes)


def _animation(image: Image.Image, name: str, frames: int, limits: Limits, pictures: list[np.ndarray]) -> Media:
    pixels = image.width * image.height
    if pixels > MOST_FRAME_PIXELS:
        size = f"{image.width} x {image.height}"
        raise InputError(f"an animation of {size} pixels; 8K is the most: scale it down")
    held: int = getattr(image, "n_frames", 1)
    total = min(held, _MOST_PICTURES, max(1, MOST_ANIMATED_PIXELS // pixels))
    notes = (f"only the first {total} pictures are looked at",) if held > total else ()
    wanted, fewer = _affordable(frames, total, pixels, limits)
    times, clock, glances = np.zeros(total), 0.0, []
    for index in range(total):
        image.seek(index)
        times[index] = clock
        clock += (image.info.get("duration") or 100) / 1000
        glances.append(glance_at(image))
        if index in wanted:
            pictures.append(to_rgb(image))
    cuts = Shots(find_shots(np.arange(total), np.stack(glances), total / max(clock, 1e-3)), total)
    return Media(
        name, ANIMATION, wanted, times[wanted], pictures, float(times[-1]), notes + fewer, cuts.shot_of(wanted)
    )


def _video(source: Source, frames: int, limits: Limits, pictures: list[np.ndarray]) -> Media:
    known = listing(source)
    times = frame_times(source, known)
    name, seconds = name_of(source), float(times[-1])
    if limits.seconds is not None and seconds > limits.seconds:
        raise InputError(f"{name}: {seconds:.0f} s long, and {limits.seconds:.0f} s are the most; cut out a part")
    first = _first_frame(source)
    height, width = first.to_rgb().shape[:2]
    most = _most(width * height, limits)
    wanted, notes = _affordable(enough_frames(frames, seconds), len(times), width * height, limits)
    most = min(most, GROWTH * frames)
    # The first picture may be a small one.
    most_pixels = max(width * height, limits.memory // (3 * most))
    reader = ShotReader(source, len(wanted), most, known=known, most_pixels=most_pixels)
    found = []
    for index, picture in reader.read(len(times)):
        found.append(index)
        pictures.append(picture)
    indices = np.asarray(found)
    if reader.lost:
        notes += (f"{reader.lost} of {len(wanted)} frames do not decode",)
    if reader.unseen:
        notes += (
            f"{reader.unseen} of {len(reader.shots.ends)} shots are not looked at; more frames show more of them",
        )
    shown = times[np.minimum(indices, len(times) - 1)]  # a packet may hold more frames than one
    insets = reader.insets[: 0 if first.is_turned else None]
    return Media(name, VIDEO, indices, shown, pictures, seconds, notes, reader.shots.shot_of(indices), insets)


def _first_frame(source: Source) -> Frame:
    """The first frame that decodes: how large frames are, a header may tell wrongly."""
    for _, frame, _ in decode(source):
        return frame
    raise undecodable(source)


def _most(pixels: int, limits: Limits) -> int:
    """How many pictures of so many pixels the memory holds."""
    return max(1, limits.memory // (3 * max(1, pixels)))


def _affordable(frames: int, total: int, pixels: int, limits: Limits) -> tuple[np.ndarray, tuple[str, ...]]:
    """Which frames are looked at, and a line where they are fewer than was asked for."""
    wanted = spread(min(frames, _most(pixels, limits)), total)
    few = len(wanted) < min(frames, total)
    return wanted, (f"its frames are so large that only {len(wanted)} are looked at",) if few else ()
