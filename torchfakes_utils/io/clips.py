"""What is a clip: a film, a photo (one frame), or a folder of pictures (its frames, in the order of their names)."""

import logging
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from torchfakes_utils.errors import InputError
from torchfakes_utils.io import video
from torchfakes_utils.io.display import of_one_size
from torchfakes_utils.io.limits import Limits
from torchfakes_utils.io.media import open_media
from torchfakes_utils.io.shots import ShotReader

logger = logging.getLogger(__name__)

_LIMITS = Limits(adjustable=False)

FILM_SUFFIXES = frozenset((
    ".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv", ".flv", ".ts", ".mts", ".m2ts", ".3gp",
    ".ogv", ".mxf",
))  # fmt: skip
PICTURE_SUFFIXES = frozenset((
    ".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".jp2", ".ppm", ".pgm", ".avif", ".heic", ".heif",
    ".gif",
))  # fmt: skip


def is_film(path: Path) -> bool:
    """By the ending of its name, in whatever case; what is hidden (as `._000.mp4` of macOS) is none."""
    return path.suffix.casefold() in FILM_SUFFIXES and not path.name.startswith(".") and not is_unlistable(path)


def is_picture(path: Path) -> bool:
    """As `is_film`."""
    return path.suffix.casefold() in PICTURE_SUFFIXES and not path.name.startswith(".") and not is_unlistable(path)


def is_unlistable(path: Path) -> bool:
    """Whether no table in UTF-8 can hold its name, which comes from a system with another encoding."""
    return path.name.encode(errors="replace").decode() != path.name


def below(folder: Path, *names: str) -> Path:
    """A path below a folder, where what is there may be written in other case: `Videos` for `videos`."""
    for name in names:
        exact = folder / name
        if not exact.exists() and folder.is_dir():
            exact = min((path for path in folder.iterdir() if path.name.casefold() == name.casefold()), default=exact)
        folder = exact
    return folder


def clips_in(folder: Path) -> tuple[dict[str, Path], list[Path]]:
    """The films in a folder, in its `videos`, or the folders of pictures in its `frames` (as DeepfakeBench has them).

    Returns:
        Film or folder of pictures by name (without ending), sorted; and what else lies there. Of two films of one name
        the one in mp4 is taken, and the other named in a warning.
    """
    found: dict[str, Path] = {}
    others: list[Path] = []
    for place in (below(folder, "videos"), below(folder, "frames"), folder):
        if not place.is_dir():
            continue
        with os.scandir(place) as entries:  # what is a file it knows without asking again
            inside = {Path(entry): entry.is_file() for entry in entries if not entry.name.startswith(".")}
        if place.name.casefold() == "frames":
            folders = [path for path, is_file in inside.items() if not is_file and path.is_dir()]
            found = {path.name: path for path in folders if any(map(is_picture, path.iterdir()))}
        for path in sorted((path for path, is_file in inside.items() if is_file), key=_mp4_first):
            if not is_film(path):
                others.append(path)
            elif (first := found.setdefault(path.stem, path)) != path:
                logger.warning("%s: left out; %s is there, too", path, first.name)
        if found:
            break
    return dict(sorted(found.items())), others


def pictures_in(folder: Path) -> list[Path]:
    """The pictures in a folder, in the order of the numbers in their names: 9.png comes before 10.png.

    Raises:
        InputError: the folder cannot be read.
    """
    try:
        return sorted((path for path in folder.iterdir() if is_picture(path)), key=_in_order)
    except OSError as error:
        raise InputError(f"{folder}: cannot be read ({error.strerror})") from error


def size(path: Path) -> int:
    """Bytes of a clip, by which it is noticed that it was changed; -1 where there is none."""
    try:
        return sum(one.stat().st_size for one in pictures_in(path)) if path.is_dir() else path.stat().st_size
    except (OSError, InputError):
        return -1


def modified(path: Path) -> int:
    """When a clip was last written, ns, so that one of the same size is told from what it was; -1 where none is."""
    try:
        return max(one.stat().st_mtime_ns for one in ([path, *pictures_in(path)] if path.is_dir() else [path]))
    except (OSError, InputError):
        return -1


def length(path: Path) -> int:
    """How many frames a clip has; decodes nothing.

    Raises:
        InputError: it is absent, no clip, or holds no frames.
    """
    if path.is_dir():
        return len(_frames(path))
    return 1 if is_picture(path) else video.length(path)


def frames_at(
    path: Path, indices: Sequence[int], threads: int = 0, stand_in: bool = False
) -> Iterator[tuple[int, np.ndarray]]:
    """Index and frame (H, W, 3) uint8 RGB of some frames of a clip, as `video.frames_at` gives them.

    Raises:
        InputError: none of them can be read, or the pictures of a folder differ in size.
    """
    if not path.is_dir() and not is_picture(path):
        yield from video.frames_at(path, indices, threads, stand_in)
        return
    pictures = _frames(path) if path.is_dir() else [path]
    shape, refused = None, None
    for index in indices:
        try:
            picture = open_media(pictures[index], 1, _LIMITS).pictures[0]
        except InputError as error:
            refused = error
            continue
        if shape is not None and picture.shape != shape:
            raise InputError(
                f"{path}: its pictures differ in size ({pictures[index].name}), and so are no frames of one film; "
                "list each by itself"
            )
        shape = picture.shape
        yield index, picture
    if shape is None and refused is not None:
        raise refused


def read_spread(path: Path, count: int, threads: int = 0) -> tuple[np.ndarray, list[np.ndarray], np.ndarray]:
    """Frames of a clip, evenly spread (see `video.spread`).

    Args:
        path: the clip.
        count: how many frames are wanted.
        threads: that decode a film.

    Returns:
        Their indices (N,), increasing; the frames, (H, W, 3) uint8 RGB; and which shot of a film each belongs to (N,):
        those in which one shot fades into another are left out.

    Raises:
        InputError: as `frames_at`.
    """
    if path.is_dir() or is_picture(path):
        found = dict(frames_at(path, video.spread(count, length(path)).tolist()))
        return np.array(list(found)), list(found.values()), np.zeros(len(found), int)
    reader = ShotReader(path, count, count, threads)
    found = dict(sorted(reader.read(video.length(path)), key=lambda frame: frame[0]))
    shots = reader.shots.shot_of(list(found))
    kept = [frame for frame, shot in zip(found.values(), shots, strict=True) if shot >= 0]
    return np.array(list(found))[shots >= 0], of_one_size(kept), shots[shots >= 0]


def _frames(folder: Path) -> list[Path]:
    pictures = pictures_in(folder)
    if not pictures:
        raise InputError(f"{folder}: a folder without pictures; name a film, a photo or a folder of frames")
    return pictures


def _mp4_first(path: Path) -> tuple[bool, str]:
    return path.suffix != ".mp4", path.name


def _in_order(path: Path) -> list[tuple[int, str]]:
    """Numbers by their value, and the words between them."""
    return [(int(part), "") if part.isdecimal() else (0, part) for part in re.split(r"(\d+)", path.name)]
