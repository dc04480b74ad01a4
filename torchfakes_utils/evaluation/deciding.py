"""A decision for a detector that was trained before, or by others, on a table of crops that it has not learned from.

The table's crops say what is like them, too. Were their distances measured from a likeness that was fitted on the very
same crops, they would be too small, and new people's refused: so each part of the people is measured by the others.
"""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from torchfakes_utils.crops.store import CropStore, open_store
from torchfakes_utils.crops.table import limit_frames
from torchfakes_utils.evaluation.config import Scoring
from torchfakes_utils.evaluation.doubts import (
    check_clips,
    check_not_learned,
    check_practice,
    count_clips,
    measured,
    small_crops,
)
from torchfakes_utils.evaluation.scoring import observe
from torchfakes_utils.faces.quality import QUALITIES
from torchfakes_utils.io.files import sha256_of
from torchfakes_utils.io.machine import memory_kept
from torchfakes_utils.metrics.config import FRAMES
from torchfakes_utils.metrics.people import units
from torchfakes_utils.models.decision import DISTANCE, Decision, Rates, decide
from torchfakes_utils.models.detector import Detector, features
from torchfakes_utils.models.likeness import Likeness, fit_likeness

# Parts that people are dealt into; crops at a time.
_PARTS, _BATCH = 5, 32


@dataclass(frozen=True)
class Decided:
    """A decision, and on what it rests.

    Attributes:
        decision: with the scope of the detector that it is for.
        likeness: by which it refuses; None where there are too few crops.
        scores: the crops that could be read, with `logit`.
        notes: what lacks, a line each.
    """

    decision: Decision
    likeness: Likeness | None
    scores: pd.DataFrame
    notes: tuple[str, ...]

    @property
    def clips(self) -> tuple[int, int]:
        """How many real and how many fake clips it rests on."""
        return count_clips(self.scores)


@dataclass(frozen=True)
class Known:
    """Crops of which it is known whether they are fake.

    Attributes:
        faces: from `load_faces_for`.
        faces_csv: their table.
        split: of it; `doubts.ALL` is the whole table.
    """

    faces: pd.DataFrame
    faces_csv: Path
    split: str


def decide_if_sound(
    detector: Detector, run: Path, known: Known, scoring: Scoring, rates: Rates, maker: str = "calibrate"
) -> Decided:
    """As `decide_on`, where nothing speaks against it; in the decision's notes stands on what it rests, and what is
    in doubt.

    Args:
        detector: whose decision it is to be; it is left as it was.
        run: its folder, or its run's.
        known: on what.
        scoring: how crops are scored.
        rates: what the bands keep to.
        maker: the command that does it.

    Raises:
        InputError: clips that it was trained on, one class only, too few clips, crops that cannot be read, or practice
            data for a detector of people, or the other way round.
    """
    check_practice(detector, known.faces_csv, run)
    doubts = check_not_learned(known.faces, known.faces_csv, run)
    check_clips(known.faces, known.faces_csv, known.split)
    doubts += small_crops(known.faces, detector)
    decided = decide_on(detector, known.faces, scoring, rates)
    check_clips(decided.scores, known.faces_csv, known.split)  # again: some crops may not be readable
    doubts += decided.notes
    real, fake = decided.clips
    where = (
        f"fixed by `torchfakes {maker}` on split {known.split!r} of {known.faces_csv.name} (SHA-256 "
        f"{sha256_of(known.faces_csv)[:12]}): {real} real and {fake} fake clips"
    )
    return dataclasses.replace(decided, decision=with_notes(decided.decision, where, *doubts), notes=doubts)


def decide_on(detector: Detector, faces: pd.DataFrame, scoring: Scoring, rates: Rates) -> Decided:
    """Fix thresholds, ranges and likeness on crops.

    A practice detector keeps the likeness of its training: what it may speak of does not change.

    Args:
        detector: whose decision it is to be; it is left as it was.
        faces: from `load_faces_for`; of a clip no more crops are taken than a verdict rests on.
        scoring: how they are scored.
        rates: what the bands keep to.

    Raises:
        InputError: no crop can be read.
    """
    faces = limit_frames(faces, min(FRAMES, scoring.frames or FRAMES))
    seen = observe(detector, faces, scoring)
    scores = faces.iloc[seen["row"]].reset_index(drop=True).assign(logit=seen["logit"].to_numpy())
    scope, likeness = detector.decision.scope, detector.likeness
    distances = seen[DISTANCE].to_numpy()
    if not scope.practice:
        likeness, distances = _cross_fitted(detector, scores)
    qualities, notes = measured(seen[list(QUALITIES)])
    looks = {name: seen[name].to_numpy() for name in QUALITIES}
    decision = decide(scores.assign(**looks, **{DISTANCE: distances}), qualities, rates, scope)
    if DISTANCE not in decision.ranges:
        likeness = None
        notes += ("no range of distance: too few people or crops, so nothing is refused for being unlike them",)
    return Decided(decision, likeness, scores, notes)


def _cross_fitted(detector: Detector, scores: pd.DataFrame) -> tuple[Likeness | None, np.ndarray]:
    """A likeness of all crops, and the distance of each, (N,), from that of the other people's."""
    store = open_store(scores, detector.preprocessing, cache="off")
    with memory_kept():
        known = features(detector, _images(store))
    distances = np.full(len(scores), np.nan)
    parts = units(scores) % _PARTS
    for part in np.unique(parts):
        own = parts == part
        if (likeness := fit_likeness(known[~own])) is not None:
            distances[own] = likeness.distance(torch.from_numpy(known[own])).numpy()
    return fit_likeness(known), distances


def _images(store: CropStore) -> Iterator[torch.Tensor]:
    for start in range(0, len(store), _BATCH):
        yield store.read(range(start, min(start + _BATCH, len(store))))[0]


def with_notes(decision: Decision, *notes: str) -> Decision:
    """The same decision, with lines that come first."""
    return dataclasses.replace(decision, notes=(*notes, *decision.notes))
