"""The teams of lesson 08: each trains the same small network on the same crops, and does one thing wrong.

A `Way` says how a team works, from the crops to what its test program prints; its defaults are how it should be done.
Every candidate for the first project's failure is one `Way`, run with the same seeds and the same budget.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torchvision.transforms.v2 import functional

from torchfakes_utils.crops.augmentation import AUGMENTATIONS, Augmentation, augment, draw
from torchfakes_utils.crops.store import CropStore
from torchfakes_utils.faces.config import SHARPNESS_THRESHOLD
from torchfakes_utils.models.detector import Detector
from torchfakes_utils.models.preprocessing import Preprocessing
from torchfakes_utils.training.config import TrainingConfig
from torchfakes_utils.training.data import Batch, load_crops
from torchfakes_utils.training.trainer import Trainer

# Small enough that all teams together take a few minutes. In float32 and in one thread, so that it matters little
# which processor they work on.
TRAINING: dict[str, Any] = {
    "architecture": "Meso4", "image_size": 96, "dropout": 0.0, "pretrained": None, "learning_rate": 3e-3, "epochs": 8,
    "crops_per_epoch": 448, "val_frames_per_clip": 1, "device": "cpu", "mixed_precision": "off",
    "min_sharpness": SHARPNESS_THRESHOLD,
}  # fmt: skip
SEEDS = (0, 1, 2)
FRAMES = 4  # of a clip that are scored
STAGES = ("training", "validation", "test")

Inputs = Callable[[Preprocessing, torch.Tensor, torch.Tensor], torch.Tensor]


# --- what can be done with crops on their way to the network: (B, 3, S, S) uint8 and labels (B,) to float32.
# Labels are given to all, for some change the crops of one class only; hence the unused ones (ARG001).


def normalised(preprocessing: Preprocessing, crops: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:  # noqa: ARG001
    """As it should be: (x - 127.5) / 128."""
    return preprocessing.normalise(crops)


def zero_to_one(preprocessing: Preprocessing, crops: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:  # noqa: ARG001
    """What torchvision's ToTensor gives where nobody normalises after it."""
    return crops / 255


def closer(preprocessing: Preprocessing, crops: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:  # noqa: ARG001
    """Cut without the margin: the inner 1 / 1.3 of the crop, which is the face box itself."""
    edge = crops.shape[-1]
    inner = round(edge / 1.3)
    return preprocessing.normalise(functional.resize(functional.center_crop(crops, [inner]), [edge], antialias=True))


@dataclass
class Changed:
    """Crops that go through an augmentation first: all of them, or those of one class."""

    recipe: Augmentation
    only: int | None = None
    generator: torch.Generator = field(default_factory=lambda: torch.Generator().manual_seed(0), repr=False)

    def __call__(self, preprocessing: Preprocessing, crops: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """(B, 3, S, S) uint8 to float32."""
        changed = augment(crops, draw(self.recipe, len(crops), self.generator))
        if self.only is not None:
            changed = torch.where((labels == self.only)[:, None, None, None], changed, crops)
        return preprocessing.normalise(changed)


@dataclass(frozen=True)
class Blurred:
    """Crops that are blurred by a Gaussian of so many pixels: all of them, or those of one class."""

    sigma: float
    only: int | None = None

    def __call__(self, preprocessing: Preprocessing, crops: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """(B, 3, S, S) uint8 to float32."""
        drawn = draw(Augmentation(), len(crops))
        ours = torch.ones(len(crops), dtype=torch.bool) if self.only is None else labels == self.only
        return preprocessing.normalise(augment(crops, drawn | {"blur": self.sigma * ours.float()}))


# --- teams


@dataclass(frozen=True)
class Way:
    """How a team works; the defaults are how it should be done.

    Attributes:
        name: a few words.
        training, validation, test: what happens to crops on their way to the network.
        config: what differs in training.
        by_frame: training and validation share clips: their crops are shuffled together and dealt anew.
        apart: real crops are of some people, fakes of the others; not at test.
        fake: the label of a fake in training. `ImageFolder` makes it 0; what the network gives is then P(real).
        guide: the column of the history that chooses the epoch, an accuracy; None takes the last one.
        training_mode: the network is left in training mode at test, where crops come one by one.
    """

    name: str
    training: Inputs = normalised
    validation: Inputs = normalised
    test: Inputs = normalised
    config: dict[str, Any] = field(default_factory=dict)
    by_frame: bool = False
    apart: bool = False
    fake: int = 1
    guide: str | None = None
    training_mode: bool = False


# Gaussian noise to make the rarer class's pictures "new": what is meant to add variety adds a mark.
_NOISY = Augmentation(noise=12.0, share=1.0)

CANDIDATES: dict[str, Way] = {
    "healthy": Way("everything as it should be"),
    "unfiltered": Way("blurred crops kept in training", config={"min_sharpness": 0.0}),
    "blurred": Way("every training crop blurred", training=Blurred(1.0)),
    "blurred fakes": Way(
        "fakes blurred, in training and validation", training=Blurred(1.0, only=1), validation=Blurred(1.0, only=1)
    ),
    "augmented": Way(
        "the first project's augmentation in training", training=Changed(AUGMENTATIONS["first-project"])
    ),
    "augmented reals": Way(
        "noise on the reals, in training and validation", training=Changed(_NOISY, only=0),
        validation=Changed(_NOISY, only=0),
    ),
    "mode": Way("eval() forgotten at test", training_mode=True),
    "range": Way("0…1 at test instead of -1…1", test=zero_to_one),
    "crop": Way("a closer crop at test", test=closer),
    "labels": Way("ImageFolder's labels, fake = 0", fake=0),
    "unbalanced": Way("four fakes to a real", config={"sampling": "uniform"}),
    "imbalance": Way("four fakes to a real, chosen by accuracy", config={"sampling": "uniform"}, guide="val_accuracy"),
    "imbalance and labels": Way(
        "the same, and ImageFolder's labels", config={"sampling": "uniform"}, guide="val_accuracy", fake=0
    ),
    "frames": Way("split by frame", by_frame=True),
    "frames apart": Way("split by frame, nobody both real and fake", by_frame=True, apart=True),
}  # fmt: skip


class Team(Trainer):
    """The package's loop, with the team's own way of feeding it; `way` is set before the first epoch."""

    way: Way

    def prepare(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """The team's images, (B, 3, S, S) float32, and its labels, (B,)."""
        images = self.way.training(self.detector.preprocessing, batch.images, batch.labels)
        labels = batch.labels if self.way.fake else 1 - batch.labels
        return images.contiguous(memory_format=torch.channels_last), labels


def train_team(way: Way, faces: pd.DataFrame, preprocessing: Preprocessing, seed: int) -> Detector:
    """Train as a team does; `faces` are its own, from `rows_of`."""
    config = TrainingConfig(**TRAINING | {"seed": seed} | way.config)
    team = Team(faces, preprocessing, config)
    team.way = copy.deepcopy(way)  # augmentation draws from the same numbers whichever team came before
    best, chosen = -np.inf, team.detector
    while len(team.progress.history) < config.epochs:
        row = team.epoch()
        if way.guide is None:
            continue
        # The loop validates with fake = 1; a team whose labels are the other way round reads the opposite accuracy.
        accuracy = float(dict(row)[way.guide])  # type: ignore[arg-type]  # a column of numbers
        seen = accuracy if way.fake else 1 - accuracy
        if seen > best:
            best, chosen = seen, copy.deepcopy(team.detector)
    return chosen.to(memory_format=torch.contiguous_format).eval()


def rows_of(way: Way, faces: pd.DataFrame, seed: int) -> pd.DataFrame:
    """The table with the team's own column `split`; the test split is everybody's."""
    rng, mine = np.random.default_rng(seed), faces["split"].isin(["train", "val"]).to_numpy()
    if way.by_frame:
        share = (faces["split"] == "val").sum() / mine.sum()
        faces = faces.assign(split=faces["split"].mask(mine, np.where(rng.random(len(faces)) < share, "val", "train")))
    if way.apart:
        people = np.sort(faces.loc[mine, "target_id"].unique())
        filmed = faces["target_id"].isin(rng.permutation(people)[::2])
        faces = faces.assign(split=faces["split"].mask(mine & (filmed != (faces["label"] == 0)), "not theirs"))
    return faces


def load_team_crops(faces_csv: Path) -> tuple[pd.DataFrame, Preprocessing]:
    """The table, and how its crops are prepared: as for InceptionResnetV1, so that there is a range to forget."""
    faces, preprocessing = load_crops(faces_csv, TrainingConfig(**TRAINING))
    usual = Preprocessing()
    return faces, replace(preprocessing, mean=usual.mean, std=usual.std)


@torch.no_grad()
def program_scores(
    way: Way,
    detector: Detector,
    store: CropStore,
    faces: pd.DataFrame,
    stage: str = "test",
    together: int | None = None,
) -> np.ndarray:
    """What the team's program says is P(fake), (N,).

    Args:
        way: the team's.
        detector: the team's.
        store: where the crops are.
        faces: rows of `faces.csv` with the column `file`.
        stage: "validation" or "test".
        together: crops in a batch; None is what the team does, one by one where the mode makes a difference.
    """
    detector = copy.deepcopy(detector)  # in training mode, to look is to change
    testing = stage == "test"
    detector.train(way.training_mode and testing)
    together = together or (1 if detector.training else 64)
    prepare, labels = copy.deepcopy(getattr(way, stage)), torch.tensor(faces["label"].to_numpy())
    crops, _ = store.read(store.rows(faces))
    parts = zip(crops.split(together), labels.split(together), strict=True)
    given = torch.cat([detector(prepare(detector.preprocessing, *part)).sigmoid() for part in parts])
    # In validation the team compares with its own labels. At test a program, or a person, takes 1 for fake.
    return (given if way.fake or testing else 1 - given).double().numpy()


def settings() -> dict[str, Any]:
    """All that the teams' work depends on, ready for JSON."""

    def as_json(value: Any) -> Any:
        return getattr(value, "__name__", None) or (value if isinstance(value, (dict, str, int)) else repr(value))

    ways = {
        name: {item.name: as_json(getattr(way, item.name)) for item in fields(way)} for name, way in CANDIDATES.items()
    }
    return {"training": TRAINING, "seeds": SEEDS, "frames": FRAMES, "ways": ways}
