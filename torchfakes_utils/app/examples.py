"""Examples for the app: photos and clips out of Mini-FF++'s test split, on which the course trains no detector."""

import dataclasses
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from torchfakes_utils.datasets.mini.config import MINI_FILE
from torchfakes_utils.errors import InputError
from torchfakes_utils.io.files import read_json
from torchfakes_utils.io.names import path_below
from torchfakes_utils.io.video import join_films, read_frames

LIST = "examples.json"
_THUMBNAIL = 160  # pixels

# Fakes that are shown after a real clip: of other people, by methods that differ most.
_FAKES = ("Deepfakes", "NeuralTextures")
# People in a photo of many; the sizes of one portrait; seconds of a long film.
_CROWD, _SIZES, _LONG = 10, (0.8, 1.0, 1.25), 60


@dataclass(frozen=True)
class Example:
    """A file to try the app with: "photo" or "video", what it truly is, its name and that of a small picture of it."""

    kind: str
    label: str
    file: str
    thumbnail: str


def make_examples(data: Path | str, out: Path | str) -> list[Example]:
    """Put examples from Mini-FF++ into a folder, and a list of them; what the list names is then in the folder.

    Args:
        data: a Mini-FF++ folder, as `torchfakes mini` makes it.
        out: made if need be.

    Raises:
        InputError: no Mini-FF++ in `data`, or a clip of it is gone.
    """
    data, out = Path(data), Path(out)
    clips, people = _films(data)
    try:
        shown = [(label, read_frames(path_below(data, clip), count=1)[1][0]) for label, clip in clips]
        crowd = [read_frames(path_below(data, clip), [0])[1][0] for clip in people]
        out.mkdir(parents=True, exist_ok=True)
        found = [*_photos(out, shown, crowd), *_videos(out, shown, [path_below(data, clip) for _, clip in clips])]
    except InputError as error:
        raise InputError(f"{data / MINI_FILE}: a clip cannot be used ({error}); make the folder again") from error
    (out / LIST).write_text(json.dumps([dataclasses.asdict(one) for one in found], indent=1) + "\n", encoding="utf-8")
    return found


# A label and a picture.
_Shown = tuple[str, np.ndarray]


def _photos(out: Path, shown: Sequence[_Shown], crowd: Sequence[np.ndarray]) -> list[Example]:
    """A frame of each clip, a dark one, all of a crowd in one, and one of them at several sizes."""
    pictures = [*shown, ("Real, but too dark", (shown[0][1] * 0.15).astype(np.uint8))]
    pictures.append(("Ten people, all real", _rows(crowd)))
    pictures += [(f"Real, at {size:.0%} of its size", _resized(crowd[1 % len(crowd)], size)) for size in _SIZES]
    for number, (_, picture) in enumerate(pictures):
        Image.fromarray(picture).save(out / f"photo-{number}.jpg", quality=95)
    return [_put(out, "photo", number, *one) for number, one in enumerate(pictures)]


def _videos(out: Path, shown: Sequence[_Shown], films: Sequence[Path]) -> list[Example]:
    """The clips, and a long film of the first two of them.

    Raises:
        InputError: a clip cannot be read.
    """
    for number, film in enumerate(films):
        shutil.copyfile(film, out / f"video-{number}.mp4")
    join_films(out / f"video-{len(films)}.mp4", films[:2], _LONG)
    halves = np.hstack([frame[:, ::2] for _, frame in shown[:2]])
    every = [*shown, ("One minute, real and fake by turns", halves)]
    return [_put(out, "video", number, *one) for number, one in enumerate(every)]


def _people(data: Path) -> list[dict[str, Any]]:
    """Who is in a Mini-FF++ folder: those of the test split first, then of validation, sharp ones before blurred ones.

    Raises:
        InputError: it is none.
    """
    try:
        people = list(read_json(data / MINI_FILE)["people"])
        people.sort(key=lambda one: (bool(one["blur"]), ("test", "val", "train").index(one["split"])))
        if not all({"id", "partner"} <= one.keys() for one in people) or not people:
            raise ValueError("nobody is in it")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{data}: no Mini-FF++ here; make it with `torchfakes mini {data}`") from error
    return people


def _films(data: Path) -> tuple[list[tuple[str, str]], list[str]]:
    """The films that examples are made of, as paths below a Mini-FF++ folder: those shown, with labels; of a crowd.

    Raises:
        InputError: it is none.
    """
    people = _people(data)
    shown = [("Real", _film_of(people[0]))]
    shown += [(f"Fake ({method})", _film_of(people[number % len(people)], method))
              for number, method in enumerate(_FAKES, start=1)]  # fmt: skip
    return shown, [_film_of(one) for one in people[:_CROWD]]


def _film_of(one: dict[str, Any], method: str | None = None) -> str:
    """Where somebody's film is, or the fake of it by a method."""
    if method is None:
        return f"original_sequences/youtube/c23/videos/{one['id']}.mp4"
    return f"manipulated_sequences/{method}/c23/videos/{one['id']}_{one['partner']}.mp4"


def _rows(frames: Sequence[np.ndarray]) -> np.ndarray:
    """Ten people in two rows; where there are fewer, some are there twice, mirrored."""
    turns = [frames[number % len(frames)][:, :: 1 if number < len(frames) else -1] for number in range(_CROWD)]
    return np.vstack([np.hstack(turns[: _CROWD // 2]), np.hstack(turns[_CROWD // 2 :])])


def _resized(frame: np.ndarray, size: float) -> np.ndarray:
    height, width = (round(side * size) for side in frame.shape[:2])
    return np.asarray(Image.fromarray(frame).resize((width, height), Image.Resampling.LANCZOS))


def put_examples(source: Path | str, out: Path | str) -> list[Example]:
    """Put examples into a folder: copies of those in `source`, or new ones where `source` is a Mini-FF++ folder.

    Raises:
        InputError: it is neither.
    """
    source, out = Path(source), Path(out)
    if not (source / LIST).is_file():
        return make_examples(source, out)
    try:
        examples = [Example(**one) for one in read_json(source / LIST)]
        for one in examples:
            if one.kind not in ("photo", "video"):
                raise ValueError(f"{one.kind!r} is neither a photo nor a video")
            for name in (one.file, one.thumbnail):
                _check_plain(source / name, name)
                if one.kind == "photo" or name == one.thumbnail:
                    _check_picture(source / name, name)
                shutil.copyfile(source / name, out / name)
    except (OSError, ValueError, TypeError) as error:
        raise InputError(f"{source / LIST}: examples that cannot be read ({error}); make the folder again") from error
    return examples


def _check_plain(path: Path, name: str) -> None:
    """See that a list, which may be a stranger's, names a file of its own folder: everybody is shown what it names.

    Raises:
        ValueError: it does not.
    """
    if name != path.name or path.name in ("", ".", "..") or "\\" in name or ":" in name:
        raise ValueError(f"{name!r} is no name of a file beside it")
    if path.is_symlink() or not path.is_file():
        raise ValueError(f"{name!r} is not there, or no file")


def _check_picture(path: Path, name: str) -> None:
    """See by its head that a file is a picture as browsers show it; no more of it is read.

    Raises:
        ValueError: it is none.
    """
    try:
        with Image.open(path, formats=("JPEG", "PNG", "WEBP")):
            pass
    except Exception as error:  # what is raised on damage depends on where it is met
        raise ValueError(f"{name!r} is no picture in JPEG, PNG or WebP") from error


def usual_examples(folder: Path | None = None, usual: Path = Path("data/mini")) -> Path | None:
    """Where to take examples from: the folder that was given, the usual one where it is there, or nowhere.

    The usual one may be half made, by a command that is still going, say: nobody asked for it, so it is left alone.
    """
    if folder is not None:
        return folder
    try:
        shown, people = _films(usual)
    except InputError:
        return None
    films = [*(film for _, film in shown), *people]
    return usual if all((usual / film).is_file() for film in films) else None


def _put(out: Path, kind: str, number: int, label: str, picture: np.ndarray) -> Example:
    """An example whose file is there, with a small picture of it."""
    ending = "jpg" if kind == "photo" else "mp4"
    example = Example(kind, label, f"{kind}-{number}.{ending}", f"{kind}-{number}-small.jpg")
    small = Image.fromarray(picture)
    small.thumbnail((_THUMBNAIL, _THUMBNAIL))
    small.save(out / example.thumbnail, quality=85)
    return example
