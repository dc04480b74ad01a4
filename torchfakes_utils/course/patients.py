"""The patients of lesson 08: detectors as their teams left them, to be examined without being told what is wrong."""

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from torchfakes_utils.course import teams
from torchfakes_utils.crops.samplers import SAMPLERS
from torchfakes_utils.crops.store import open_store
from torchfakes_utils.crops.table import limit_frames
from torchfakes_utils.errors import InputError
from torchfakes_utils.faces.quality import filter_blurred
from torchfakes_utils.models.detector import load_detector
from torchfakes_utils.training.config import TrainingConfig

# Candidates that share their training: what differs comes later.
TRAINED_AS = {"mode": "healthy", "range": "healthy", "crop": "healthy"}

# Which detector `broken_detector` hands out under which number. (You are reading the solution.)
PATIENTS = (
    "range", "frames apart", "labels", "healthy", "blurred fakes", "imbalance", "mode", "augmented reals",
)  # fmt: skip


def detector_folder(out: Path, candidate: str, seed: int) -> Path:
    """Where a team's detector lies."""
    return out / f"{TRAINED_AS.get(candidate, candidate).replace(' ', '-')}-{seed}"


class Patient:
    """A detector as its team left it, and everything of theirs that you may look at without being told what is wrong.

    Attributes:
        detector: the network, as it is when the team's test program starts.
        trained_on, validated_on, tested_on: rows of `faces.csv`, as the team used them.
    """

    def __init__(self, candidate: str, seed: int, faces_csv: Path, out: Path, number: int | None = None) -> None:
        """Load what `build` left; `number` is the name to show."""
        self.number, self._way = number, teams.CANDIDATES[candidate]
        self.detector = load_detector(detector_folder(out, candidate, seed))
        self.detector.train(self._way.training_mode)
        faces, preprocessing = teams.load_team_crops(faces_csv)
        self._store = open_store(faces, preprocessing)
        mine = teams.rows_of(self._way, faces, seed)
        sharp = TrainingConfig(**teams.TRAINING | self._way.config).min_sharpness
        kept = filter_blurred(mine, sharp)
        self.trained_on = kept[kept["split"] == "train"].reset_index(drop=True)
        self.validated_on, self.tested_on = (
            limit_frames(mine[mine["split"] == split].reset_index(drop=True), teams.FRAMES) for split in ("val", "test")
        )
        self._scores: dict[str, pd.DataFrame] = {}

    def __repr__(self) -> str:
        return "patient" if self.number is None else f"patient {self.number}"

    @property
    def validation(self) -> pd.DataFrame:
        """The team's validation: its crops, with `probability_fake` as its program gives it."""
        return self._scored("validation", self.validated_on)

    @property
    def test(self) -> pd.DataFrame:
        """The test set, with what the team's test program prints as `probability_fake`."""
        return self._scored("test", self.tested_on)

    def scores(self, faces: pd.DataFrame, together: int | None = None) -> np.ndarray:
        """What the test program says of some crops, (N,), so many of them at a time."""
        return teams.program_scores(self._way, self.detector, self._store, faces, "test", together)

    def with_program(self, **changes: Any) -> "Patient":
        """The same weights in another test program; `changes` are fields of `Way`."""
        other = copy.copy(self)
        vars(other).update(_way=replace(self._way, **changes), _scores={})
        return other

    def inputs(self, stage: str, faces: pd.DataFrame) -> torch.Tensor:
        """What reaches the network of some crops in "training", "validation" or "test", (N, 3, S, S) float32."""
        if stage not in teams.STAGES:
            raise InputError(f"no stage {stage!r}; choose one of {', '.join(teams.STAGES)}")
        crops, _ = self._store.read(self._store.rows(faces))
        labels = torch.tensor(faces["label"].to_numpy())
        prepare: teams.Inputs = copy.deepcopy(getattr(self._way, stage))
        return prepare(self.detector.preprocessing, crops, labels)

    def batch_labels(self, count: int = 448, seed: int = 0) -> pd.Series:
        """The classes of so many crops, "real" or "fake", as training draws them."""
        sampling = TrainingConfig(**teams.TRAINING | self._way.config).sampling
        drawn = list(SAMPLERS[sampling](self.trained_on, count, torch.Generator().manual_seed(seed)))
        return self.trained_on["label"].iloc[drawn].map({0: "real", 1: "fake"}).reset_index(drop=True)

    def _scored(self, stage: str, faces: pd.DataFrame) -> pd.DataFrame:
        if stage not in self._scores:
            given = teams.program_scores(self._way, self.detector, self._store, faces, stage)
            self._scores[stage] = faces.assign(probability_fake=given)
        return self._scores[stage]


def patient(number: int, seed: int, faces_csv: Path, out: Path) -> Patient:
    """The detector that goes by a number from 1 on, trained from one of `teams.SEEDS`.

    Raises:
        InputError: there is none of that number or seed.
    """
    if number not in range(1, len(PATIENTS) + 1):
        raise InputError(f"there is no detector {number!r}; choose from 1 to {len(PATIENTS)}")
    if seed not in teams.SEEDS:
        seeds = ", ".join(map(str, teams.SEEDS))
        raise InputError(f"no detector was trained from seed {seed!r}; choose one of {seeds}")
    return Patient(PATIENTS[number - 1], seed, faces_csv, out, number)
