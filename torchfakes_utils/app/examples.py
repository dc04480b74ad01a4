"""Examples for the app: photos and clips out of Mini-FF++'s test split, on which the course trains no detector."""

import dataclasses
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from torchfakes_utils.datasets.mini.config import MINI_FILE
from torchfakes_utils.errors import InputError
from torchfakes_utils.io.files import read_json
from torchfakes_utils.io.names import path_below
from torchfakes_utils.io.video import read_frames

LIST = "examples.json"
_THUMBNAIL = 160  # pixels

# Fakes that are shown after a real clip: of other people, by methods that differ most.
_FAKES = ("Deepfakes", "NeuralTextures")


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
    try:
        people = read_json(data / MINI_FILE)["people"]
        people = [one for one in people if one["split"] == "test" and not one["blur"]] or people
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{data}: no Mini-FF++ here; make it with `torchfakes mini {data}`") from error
    clips = [("Real", f"original_sequences/youtube/c23/videos/{people[0]['id']}.mp4")]
    for number, method in enumerate(_FAKES, start=1):
        one = people[number % len(people)]
        name = f"manipulated_sequences/{method}/c23/videos/{one['id']}_{one['partner']}.mp4"
        clips.append((f"Fake ({method})", name))
    try:
        frames = [read_frames(path_below(data, clip), count=1)[1][0] for _, clip in clips]
    except InputError as error:
        raise InputError(f"{data / MINI_FILE}: a clip cannot be used ({error}); make the folder again") from error
    out.mkdir(parents=True, exist_ok=True)
    photos, videos = [], []
    for number, ((label, clip), frame) in enumerate(zip(clips, frames, strict=True)):
        photos.append(_photo(out, number, label, frame))
        videos.append(_put(out, Example("video", label, f"video-{number}.mp4", f"video-{number}-small.jpg"), frame))
        shutil.copyfile(data / clip, out / videos[-1].file)
    dark = (frames[0] * 0.15).astype(np.uint8)
    found = [*photos, _photo(out, len(clips), "Real, but too dark", dark), *videos]
    (out / LIST).write_text(json.dumps([dataclasses.asdict(one) for one in found], indent=1) + "\n", encoding="utf-8")
    return found


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
    """Where to take examples from: the folder that was given, the usual one where it is there, or nowhere."""
    return folder or (usual if (usual / MINI_FILE).is_file() else None)


def _photo(out: Path, number: int, label: str, picture: np.ndarray) -> Example:
    Image.fromarray(picture).save(out / f"photo-{number}.jpg", quality=95)
    return _put(out, Example("photo", label, f"photo-{number}.jpg", f"photo-{number}-small.jpg"), picture)


def _put(out: Path, example: Example, picture: np.ndarray) -> Example:
    small = Image.fromarray(picture)
    small.thumbnail((_THUMBNAIL, _THUMBNAIL))
    small.save(out / example.thumbnail, quality=85)
    return example
