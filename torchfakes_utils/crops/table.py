"""From `faces.csv` to batches: which crops there are, how a crop becomes the network's input, and which come how often.

A crop is normalised in one place, `Preprocessing`, whether it is trained on, evaluated, explained or predicted.
"""

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image, UnidentifiedImageError
from torch.utils.data import Dataset

from torchfakes_utils.errors import InputError
from torchfakes_utils.faces.config import EXTRACTION_FILE
from torchfakes_utils.io.tables import CLIP_KEY, FACE_COLUMNS, read_table
from torchfakes_utils.io.video import spread
from torchfakes_utils.models.detector import Detector

Transform = Callable[[torch.Tensor], torch.Tensor]


class FaceCrops(Dataset):
    """The crops of a table from `load_faces`: item i is (image (3, S, S) float32, label float32: 1 fake, 0 real)."""

    def __init__(self, faces: pd.DataFrame, transform: Transform) -> None:
        """`transform` takes (3, H, W) uint8, as `Preprocessing.apply` does."""
        self.files = faces["file"].tolist()
        self.labels = torch.tensor(faces["label"].to_numpy(), dtype=torch.float32)
        self.transform = transform

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        return self.transform(read_crop(self.files[index])), self.labels[index]


def read_crop(path: Path | str) -> torch.Tensor:
    """A stored crop as (3, H, W) uint8, RGB.

    Raises:
        InputError: the file is gone or is not a picture.
    """
    try:
        with Image.open(path) as image:
            pixels = np.array(image.convert("RGB"))
    except (UnidentifiedImageError, OSError, SyntaxError) as error:  # Pillow calls a broken PNG a SyntaxError
        raise InputError(f"{path}: this crop cannot be read; run `torchfakes extract` again") from error
    return torch.from_numpy(pixels).permute(2, 0, 1)


def load_faces(path: Path | str, split: str | None = None) -> pd.DataFrame:
    """Read `faces.csv`, of which `split` if given; a further column `file` holds each crop's absolute path.

    Raises:
        InputError: the table is not a `faces.csv`, it (or its split) is empty, or crops are gone.
    """
    path = Path(path)
    faces = read_table(path, FACE_COLUMNS)
    if split is not None:
        counts = faces["split"].value_counts()
        faces = faces[faces["split"] == split].reset_index(drop=True)
        if faces.empty:
            there = ", ".join(f"{name or '(none)'} {count}" for name, count in counts.items()) or "nothing"
            raise InputError(f"{path}: no crops in split {split!r} (it holds: {there})")
    root = path.parent.resolve()
    check_faces(faces, root)
    return faces.assign(file=[str(root / name) for name in faces["path"]])


def check_faces(faces: pd.DataFrame, root: Path | str, splits: Sequence[str] = ()) -> None:
    """Make sure that a table of crops can be worked with, before an hour has gone into it.

    Args:
        faces: rows of `faces.csv`.
        root: the folder that the paths are relative to.
        splits: those that need both classes, such as ("train", "val") for training.

    Raises:
        InputError: a column lacks, there are no crops, files are gone, or a split named has one class only.
    """
    missing = [name for name in FACE_COLUMNS if name not in faces.columns]
    if missing:
        raise InputError(f"{root}: the table of faces lacks {', '.join(missing)}; is it a faces.csv?")
    if faces.empty:
        raise InputError(f"{root}: the table of faces is empty; see failures.csv beside it for the reasons")
    gone = [name for name in faces["path"] if not os.path.isfile(os.path.join(root, name))]  # noqa: PTH113, PTH118
    if gone:
        raise InputError(
            f"{os.path.join(root, gone[0])}: no such crop ({len(gone)} of {len(faces)} are gone); "  # noqa: PTH118
            "run `torchfakes extract` again, and move the crops together with their table"
        )
    for split in splits:
        labels = faces.loc[faces["split"] == split, "label"]
        n_fake, n_real = int((labels == 1).sum()), int((labels == 0).sum())
        if not n_fake or not n_real:
            raise InputError(
                f"{root}: split {split!r} has {n_real} real and {n_fake} fake crops, and both are needed; "
                "extract clips of both classes, and check the column `split` of clips.csv"
            )


def load_faces_for(
    detector: Detector, faces_csv: Path | str, split: str | None = None, frames: int | None = None
) -> pd.DataFrame:
    """As `load_faces`, of crops that a detector can be asked about.

    Args:
        detector: any.
        faces_csv: the table.
        split: of it; None takes all.
        frames: crops of a clip, spread evenly over it; None takes all.

    Raises:
        InputError: as `load_faces`; or the crops were cut at another scale than those that the detector was trained on,
            or are smaller than what its network takes.
    """
    faces = load_faces(faces_csv, split)
    wanted, extraction = detector.preprocessing, read_extraction(Path(faces_csv).parent)
    scale = extraction.get("crop_scale", wanted.crop_scale)
    size = extraction.get("size", wanted.size)
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
    return faces if frames is None else limit_frames(faces, frames)


def read_extraction(folder: Path | str) -> dict:
    """How the crops in `folder` were cut, from its `extraction.json`; {} where there is none (a hand-made table).

    Raises:
        InputError: the file is not what `torchfakes extract` writes.
    """
    path = Path(folder) / EXTRACTION_FILE
    if not path.is_file():
        return {}
    try:
        extraction = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error}); run `torchfakes extract` again") from error
    if not isinstance(extraction, dict):
        raise InputError(f"{path}: not the record of an extraction; run `torchfakes extract` again")
    return extraction


def limit_frames(faces: pd.DataFrame, per_clip: int) -> pd.DataFrame:
    """At most `per_clip` crops of every clip, spread evenly over it; the order of the rows is kept."""
    ordered = faces.reset_index(drop=True).sort_values([*CLIP_KEY, "frame"])
    groups = ordered.groupby(CLIP_KEY, sort=False).groups.values()
    kept = [rows[spread(per_clip, len(rows))] for rows in groups]
    return faces.iloc[np.sort(np.concatenate(kept))].reset_index(drop=True) if kept else faces
