"""From `faces.csv` to batches: which crops there are, how a crop becomes the network's input, and which come how often.

A crop is normalised in one place, `Preprocessing`, whether it is trained on, evaluated, explained or predicted.
"""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from PIL import Image, UnidentifiedImageError
from torch.utils.data import Dataset, RandomSampler, Sampler, WeightedRandomSampler
from torchvision.transforms.v2 import functional

from torchfakes_utils.errors import InputError
from torchfakes_utils.tables import CLIP_KEY, FACE_COLUMNS, read_table
from torchfakes_utils.video import spread

_REAL = "real"  # the reals, whatever their source, are one group

# Raised whenever `Preprocessing.apply` gives other numbers for the same crop, so that a detector trained on the old
# ones is refused instead of quietly being wrong.
PREPROCESSING_VERSION = 1

Transform = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Preprocessing:
    """How a face in a photograph becomes the network's input; stored with the weights, for they mean nothing without.

    Attributes:
        size: edge of the network's input, pixels. 160 is what InceptionResnetV1's pretrained weights were made for.
        mean, std: (x - mean) / std takes 0…255 to the range that the weights expect; one number, or one for each of
            red, green and blue. These take it to about -1…1, as facenet-pytorch normalises for its weights.
        crop_scale: edge of the square crop over the longer edge of the face box; 1.3 is the field's habit
            (Rössler et al., ICCV 2019, section 4), which keeps the chin and hairline where blending leaves its seams.
        crop_size: edge at which crops are cut before they are brought to `size`, pixels. A crop that is resized once
            (frame to 128) is not the same picture as one resized twice (frame to 160 to 128).
    """

    size: int = 160
    mean: float | tuple[float, float, float] = 127.5
    std: float | tuple[float, float, float] = 128.0
    crop_scale: float = 1.3
    crop_size: int = 160

    def __post_init__(self) -> None:
        """JSON knows lists only."""
        for name in ("mean", "std"):
            if isinstance(value := getattr(self, name), list):
                object.__setattr__(self, name, tuple(value))

    def apply(self, images: torch.Tensor) -> torch.Tensor:
        """Bring crops to the network's size and range.

        Args:
            images: (..., 3, H, W) uint8, RGB.

        Returns:
            (..., 3, size, size) float32 on the same device; between -0.996 and 0.996 as `mean` and `std` are here.
        """
        return self.normalise(self.resize(images))

    def resize(self, images: torch.Tensor) -> torch.Tensor:
        """The first half of `apply`: (..., 3, H, W) uint8 to (..., 3, size, size) uint8."""
        if images.dtype != torch.uint8 or images.shape[-3:-2] != (3,):
            raise ValueError(f"crops are (..., 3, H, W) uint8, not {tuple(images.shape)} {images.dtype}")
        # Resized while still uint8: 8 bits are what a stored picture would have kept.
        return functional.resize(images, [self.size, self.size], antialias=True)

    def normalise(self, images: torch.Tensor) -> torch.Tensor:
        """The second half of `apply`: (..., 3, size, size) uint8 to float32."""
        mean, std = (self._by_channel(value, images.device) for value in (self.mean, self.std))
        return (images.to(torch.float32) - mean) / std

    @staticmethod
    def _by_channel(value: float | tuple[float, float, float], device: torch.device) -> torch.Tensor:
        return torch.tensor(value, dtype=torch.float32, device=device).reshape(-1, 1, 1)


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
    gone = [name for name in faces["path"] if not os.path.isfile(os.path.join(root, name))]
    if gone:
        raise InputError(
            f"{os.path.join(root, gone[0])}: no such crop ({len(gone)} of {len(faces)} are gone); "
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


def read_extraction(folder: Path | str) -> dict:
    """How the crops in `folder` were cut, from its `extraction.json`; {} where there is none (a hand-made table).

    Raises:
        InputError: the file is not what `torchfakes extract` writes.
    """
    path = Path(folder) / "extraction.json"
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


def balanced_sampler(
    faces: pd.DataFrame, num_samples: int, generator: torch.Generator | None = None
) -> WeightedRandomSampler:
    """Draw crops, with replacement, so that half are real and every manipulation has the same share of the other half.

    In FF++ four fakes stand against each real clip, and a network rewarded for always saying "fake" may stop there.

    Args:
        faces: rows with `label` and `method`; index i drawn is the i-th row.
        num_samples: crops in a pass.
        generator: makes the draw repeatable.

    Raises:
        InputError: one class only.
    """
    labels, methods = faces["label"].to_numpy(), faces["method"]
    if len(np.unique(labels)) < 2:
        raise InputError("only one class among the training crops; both real and fake ones are needed")
    # A crop's weight is its group's share over the group's size.
    groups = methods.where(labels == 1, _REAL)
    sizes = groups.map(groups.value_counts()).to_numpy()
    n_methods = groups[labels == 1].nunique()
    weights = np.where(labels == 1, 0.5 / n_methods, 0.5) / sizes
    return WeightedRandomSampler(torch.from_numpy(weights), num_samples, replacement=True, generator=generator)


class PairedSampler(Sampler[int]):
    """Draw crops as pairs: a real one, then a fake one of the same person in the same frame, wherever there is one.

    What the two do not share is what the forger did, so a batch of pairs says nothing about people, light or pose that
    could be mistaken for the answer. Half of the crops are real; every manipulation has the same share of the others.
    Pairs begin with a real crop and with a fake one in turn, so that crops without a counterpart are drawn, too.
    """

    def __init__(self, faces: pd.DataFrame, num_samples: int, generator: torch.Generator | None = None) -> None:
        """Note which crops belong together.

        Args:
            faces: rows of `faces.csv`; index i drawn is the i-th row.
            num_samples: crops in a pass.
            generator: makes the draw repeatable.

        Raises:
            InputError: one class only.
        """
        if faces["label"].nunique() < 2:
            raise InputError("only one class among the training crops; both real and fake ones are needed")
        self._num_samples, self._generator = num_samples, generator
        self._moments = list(faces[["target_id", "compression", "frame"]].itertuples(index=False, name=None))
        groups = faces["method"].where(faces["label"] == 1, _REAL).to_numpy()
        self._rows = {name: np.flatnonzero(groups == name) for name in np.unique(groups)}
        self._methods = [name for name in self._rows if name != _REAL]
        self._there: dict[tuple, list[int]] = {}
        for row, (group, moment) in enumerate(zip(groups, self._moments, strict=True)):
            self._there.setdefault((group, *moment), []).append(row)

    def __len__(self) -> int:
        return self._num_samples

    def __iter__(self) -> Iterator[int]:
        decks = {name: self._shuffled(rows) for name, rows in self._rows.items()}
        for drawn in range(0, self._num_samples, 2):
            pair = self._from_real(decks) if drawn % 4 == 0 else self._from_fake(decks)
            yield from pair[: self._num_samples - drawn]

    def _from_real(self, decks: dict[str, Iterator[int]]) -> tuple[int, int]:
        real = next(decks[_REAL])
        partners = [rows for name in self._methods if (rows := self._there.get((name, *self._moments[real])))]
        return real, self._one_of(self._one_of(partners)) if partners else next(decks[self._one_of(self._methods)])

    def _from_fake(self, decks: dict[str, Iterator[int]]) -> tuple[int, int]:
        fake = next(decks[self._one_of(self._methods)])
        partners = self._there.get((_REAL, *self._moments[fake]))
        return self._one_of(partners) if partners else next(decks[_REAL]), fake

    def _one_of(self, things: Sequence) -> Any:
        return things[int(torch.randint(len(things), (1,), generator=self._generator))]

    def _shuffled(self, rows: np.ndarray) -> Iterator[int]:
        """All rows in a random order, then all again in another one, without end."""
        while True:
            yield from rows[torch.randperm(len(rows), generator=self._generator).numpy()].tolist()


def uniform_sampler(faces: pd.DataFrame, num_samples: int, generator: torch.Generator | None = None) -> Sampler[int]:
    """Draw crops as the table has them: every one before any comes a second time, the classes as unequal as they are.

    Args:
        faces: rows of `faces.csv`; index i drawn is the i-th row.
        num_samples: crops in a pass.
        generator: makes the draw repeatable.
    """
    return RandomSampler(range(len(faces)), num_samples=num_samples, generator=generator)


SAMPLERS: dict[str, Callable[[pd.DataFrame, int, torch.Generator | None], Sampler[int]]] = {
    "paired": PairedSampler,
    "balanced": balanced_sampler,
    "uniform": uniform_sampler,
}
