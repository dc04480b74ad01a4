"""`faces.csv` and the crops that it names: read, checked, chosen by split and by clip."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from PIL import Image, UnidentifiedImageError

from torchfakes_utils.crops.sizes import without_small
from torchfakes_utils.errors import InputError
from torchfakes_utils.faces.config import EXTRACTION_FILE, EXTRACTION_FORMAT
from torchfakes_utils.faces.films import films
from torchfakes_utils.io.files import read_record
from torchfakes_utils.io.photos import to_rgb
from torchfakes_utils.io.tables import CLIP_KEY, FACE_COLUMNS, read_table
from torchfakes_utils.io.video import spread
from torchfakes_utils.models.detector import Detector
from torchfakes_utils.models.preprocessing import MOST_PIXELS, Preprocessing

# Crops that are opened to see how large they are.
_PROBED = 100

# Pixels: a detector is asked about any larger crop of somebody's own; a smaller one says nothing, however enlarged.
_LEAST = 16

# Crops that are left out are named, but not thousands of them.
_NAMED = 3

# What Pillow says of a picture that is not seen as its pixels are stored: turned, transparent, in other colours.
_MORE_THAN_PIXELS = frozenset(("exif", "transparency", "icc_profile"))


@dataclass(frozen=True)
class Unreadable:
    """In the place of a crop that cannot be read: why."""

    reason: str


def read_crop(path: Path | str) -> torch.Tensor:
    """A stored crop as (3, H, W) uint8, RGB: the pixels that `predict` sees of the same file.

    Raises:
        InputError: the file is gone, is not a picture, or holds numbers of which nobody says what is white.
    """
    try:
        with Image.open(path) as image:
            if image.mode in ("I", "F"):
                raise InputError(
                    f"{path}: this crop holds 32-bit numbers (mode {image.mode}), and nothing says which of them is "
                    "white; save it as PNG or JPEG of 8 or 16 bits"
                )
            # Ordinary crops, which are nearly all, need none of what a photo may need.
            plain = image.mode in ("RGB", "L") and _MORE_THAN_PIXELS.isdisjoint(image.info)
            pixels = np.array(image.convert("RGB")) if plain else to_rgb(image)
    except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError) as error:
        # Pillow calls a broken PNG a SyntaxError.
        raise InputError(f"{path}: this crop cannot be read; run `torchfakes extract` again") from error
    return torch.from_numpy(pixels).permute(2, 0, 1)


def try_crop(path: Path | str, preprocessing: Preprocessing | None = None) -> torch.Tensor | Unreadable:
    """A crop as `read_crop` gives it, at the network's size where that is asked for; or why there is none."""
    try:
        crop = read_crop(path)
    except InputError as error:
        return Unreadable(str(error))
    return crop if preprocessing is None else preprocessing.resize(crop)


def first_of(reasons: Sequence[str]) -> str:
    """Why the first few of some crops cannot be read, and how many more there are."""
    return "; ".join(reasons[:_NAMED]) + (f"; and {len(reasons) - _NAMED} more" if len(reasons) > _NAMED else "")


def left_out(reasons: Sequence[str]) -> str:
    """What is said of crops that cannot be read, of which there is at least one."""
    return f"{'1 crop is' if len(reasons) == 1 else f'{len(reasons)} crops are'} left out: {first_of(reasons)}"


def load_faces(path: Path | str, split: str | None = None) -> pd.DataFrame:
    """Read `faces.csv`, of which `split` if given.

    A further column `file` holds each crop's absolute path, and `original_id` is there whether it was written or not:
    of part of a table nobody could tell whether a target has other films.

    Raises:
        InputError: the table is not a `faces.csv`, contradicts itself, it (or its split) is empty, or crops are gone.
    """
    path = Path(path)
    faces = read_table(path, FACE_COLUMNS)
    _check_rows(faces, path)
    faces = faces.assign(original_id=films(faces))
    if split is not None:
        counts = faces["split"].value_counts()
        faces = faces[faces["split"] == split].reset_index(drop=True)
        if faces.empty:
            there = ", ".join(f"{name or '(none)'} {count}" for name, count in counts.items()) or "nothing"
            raise InputError(f"{path}: no crops in split {split!r} (it holds: {there})")
    check_faces(faces, path)
    root = path.parent.resolve()
    return faces.assign(file=[str(root / name) for name in faces["path"]])


def _check_rows(faces: pd.DataFrame, path: Path) -> None:
    """See that every row is a crop of its own, and that a clip's crops agree on its label, split and original.

    Raises:
        InputError: they do not, or a frame is no whole number.
    """
    frames = faces["frame"].astype(float)
    if (odd := ~((frames >= 0) & (frames < 2**53) & (frames % 1 == 0))).any():
        raise InputError(f"{path}: frame is {frames[odd].iloc[0]} in one row; frames are whole numbers from 0 on")
    for key in (["path"], [*CLIP_KEY, "frame"]):
        if (twice := faces.duplicated(key)).any():
            named = faces.loc[twice, key].astype(str).iloc[0]
            raise InputError(f"{path}: {'/'.join(named)} is there twice; every row is a crop of its own: take one out")
    columns = ["label", "split", *(["original_id"] if "original_id" in faces else [])]
    for name in columns:
        values = faces[name].where(faces[name] != "") if name != "label" else faces[name]
        several = values.groupby([faces[column] for column in CLIP_KEY]).nunique() > 1
        if several.any():
            raise InputError(
                f"{path}: the crops of {'/'.join(several.index[several][0])} differ in {name}; a clip has one (what a "
                "clip shows in training is known at test)"
            )


def check_faces(faces: pd.DataFrame, faces_csv: Path | str, splits: Sequence[str] = ()) -> None:
    """Make sure that rows of the table `faces_csv` can be worked with, before an hour has gone into it.

    Raises:
        InputError: there are no crops, files are gone, or one of `splits` has one class only.
    """
    if faces.empty:
        raise InputError(f"{faces_csv}: the table of faces is empty; see failures.csv beside it for the reasons")
    root = Path(faces_csv).parent
    if gone := [name for name in faces["path"] if not (root / name).is_file()]:
        raise InputError(
            f"{root / gone[0]}: no such crop ({len(gone)} of {len(faces)} are gone); "
            "run `torchfakes extract` again, and move the crops together with their table"
        )
    for split in splits:
        labels = faces.loc[faces["split"] == split, "label"]
        if labels.nunique() < 2:
            raise InputError(
                f"{faces_csv}: split {split!r} has {sum(labels == 0)} real and {sum(labels == 1)} fake crops, and both "
                "are needed; extract clips of both classes, and check the column `split` of clips.csv"
            )


def load_faces_for(
    detector: Detector, faces_csv: Path | str, split: str | None = None, frames: int | None = None
) -> pd.DataFrame:
    """As `load_faces`, of crops that a detector can be asked about; at most so many `frames` of a clip, if given.

    Of crops that `extract` has not cut, a few that are far too small are left out, and said (`without_small`).

    Raises:
        InputError: as `load_faces`; or the crops were cut at another scale than those that the detector was trained on,
            or are smaller than what its network takes or `extraction.json` says.
    """
    faces = load_faces(faces_csv, split)
    wanted, extraction = detector.preprocessing, extraction_of(faces, faces_csv)
    scale, size = extraction.get("crop_scale", wanted.crop_scale), extraction.get("size", wanted.size)
    if scale != wanted.crop_scale:
        raise InputError(
            f"{faces_csv}: these crops were cut at {scale} times the face, and the detector was trained at "
            f"{wanted.crop_scale}; extract them again at {wanted.crop_scale}, or train a detector on them"
        )
    if size < wanted.size:
        raise InputError(
            f"{faces_csv}: these crops are {size} px, smaller than the {wanted.size} px that the network takes; "
            f"extract them again at {wanted.size} px or more, or train with a smaller image size"
        )
    if "size" not in extraction:
        faces = without_small(faces, faces_csv, _LEAST)
    return faces if frames is None else limit_frames(faces, frames)


def extraction_of(faces: pd.DataFrame, faces_csv: Path | str) -> dict[str, Any]:
    """As `read_extraction`, of the rows of a table from `load_faces`, whose crops are as large as it says.

    Raises:
        InputError: as `read_extraction`; or they are not.
    """
    found = read_extraction(Path(faces_csv).parent)
    if (size := found.get("size")) is None:
        return found
    for place in spread(_PROBED, len(faces)):
        try:
            with Image.open(faces["file"].iloc[place]) as image:  # reads no more than the first bytes
                edges = image.size
        except (OSError, SyntaxError):  # named where it is read
            continue
        if edges != (size, size):
            raise InputError(
                f"{faces_csv}: {EXTRACTION_FILE} beside it says {size} px, and {faces['path'].iloc[place]} is "
                f"{edges[0]} × {edges[1]}; run `torchfakes extract` again or, of crops of your own, delete "
                f"{EXTRACTION_FILE}"
            )
    return found


def read_extraction(folder: Path | str) -> dict[str, Any]:
    """How the crops in `folder` were cut, from its `extraction.json`; {} where there is none (a hand-made table).

    Raises:
        InputError: the file is not what `torchfakes extract` writes, or of another version of it.
    """
    path = Path(folder) / EXTRACTION_FILE
    found = read_record(path, "torchfakes extract", EXTRACTION_FORMAT) if path.is_file() else {}
    for name in found.keys() & {"crop_scale", "size"}:
        if not isinstance(found[name], (int, float)) or not found[name] > 0:
            raise InputError(f"{path}: {name} is {str(found[name])[:40]!r}; run `torchfakes extract` again")
    return found


def stored_edge(faces: pd.DataFrame) -> int:
    """The shorter edge, pixels, of the smallest of a hundred crops that `extract` has not cut; from `load_faces`.

    Raises:
        InputError: none of them can be read.
    """
    edges, error = list[int](), None
    for place in spread(_PROBED, len(faces)):
        try:
            edges.append(min(read_crop(faces["file"].iloc[place]).shape[1:]))
        except InputError as unreadable:
            error = unreadable
    if not edges:
        raise error or InputError("there are no crops")
    return min(*edges, MOST_PIXELS)


def limit_frames(faces: pd.DataFrame, per_clip: int) -> pd.DataFrame:
    """At most `per_clip` crops of every clip, spread evenly over it; the order of the rows is kept."""
    ordered = faces.reset_index(drop=True).sort_values([*CLIP_KEY, "frame"])
    groups = ordered.groupby(CLIP_KEY, sort=False).groups.values()
    kept = [rows[spread(per_clip, len(rows))] for rows in groups]
    return faces.iloc[np.sort(np.concatenate(kept))].reset_index(drop=True) if kept else faces
