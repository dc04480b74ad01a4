"""A recipe rather than one training: a run together with its seeds, and against runs of another recipe."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import pandas as pd

from torchfakes_utils.errors import InputError
from torchfakes_utils.evaluation.results import Comparison, Difference, Seeds, Spread
from torchfakes_utils.evaluation.scoring import fingerprint
from torchfakes_utils.io.tables import CLIP_KEY
from torchfakes_utils.metrics.binary import by_clip
from torchfakes_utils.metrics.intervals import compare, over_runs
from torchfakes_utils.models.detector import Detector, load_detector
from torchfakes_utils.models.run_files import TRAINING_FILE
from torchfakes_utils.training.config import FREE_FIELDS

# A row a clip from `by_clip`, and the threshold of the detector that scored them.
ScoredClips = tuple[pd.DataFrame, float]


@dataclass(frozen=True)
class OtherRuns:
    """The best detectors of runs that one is measured together with.

    Attributes:
        seeds: of its own recipe.
        against: of another recipe.
    """

    seeds: tuple[Detector, ...]
    against: tuple[Detector, ...]


def load_other_runs(run: Path, detector: Detector, seeds: Sequence[Path], against: Sequence[Path]) -> OtherRuns:
    """Load them, unless taking them together would say nothing.

    Args:
        run: whose detector is evaluated.
        detector: that one.
        seeds: runs of the same recipe.
        against: runs of another.

    Raises:
        InputError: a run is named twice, differs in more than its seed from those it is taken together with, or holds
            no detector.
    """
    others = {other: load_detector(other) for other in (*seeds, *against)}
    known = {fingerprint(detector): run}
    for other in (*seeds, *against):
        weights = fingerprint(others[other])
        if weights in known:
            raise InputError(f"{other}: the same weights as in {known[weights]}; name each run once")
        known[weights] = other
    for group in ((run, *seeds), against):
        for other in group[1:]:
            differing = _differing(group[0], other)
            if differing:
                raise InputError(
                    f"{other}: another recipe than {group[0]} (it differs in {', '.join(differing)}); runs that are "
                    "taken together may differ in their seed only. To compare recipes use --against"
                )
    return OtherRuns(tuple(others[other] for other in seeds), tuple(others[other] for other in against))


def _differing(run: Path, other: Path) -> list[str]:
    """In which choices, beside the seed, two runs differ, as far as their folders tell."""
    try:
        one, two = (json.loads((each / TRAINING_FILE).read_text(encoding="utf-8")) for each in (run, other))
    except (OSError, ValueError):
        return []
    left_out = {"seed", "versions", "git_revision", *FREE_FIELDS}
    return sorted(name for name in {*one, *two} - left_out if one.get(name) != two.get(name))


def over_seeds(
    detector: Detector,
    scores: pd.DataFrame,
    others: OtherRuns,
    scored: Callable[[Detector], pd.DataFrame],
    replicates: int,
) -> tuple[Seeds | None, Comparison | None]:
    """The recipe over its seeds, and against another one; None where there are no such runs.

    Args:
        detector: the evaluated one.
        scores: its scores, a row a crop.
        others: from `load_other_runs`.
        scored: gives the scores of another detector on the same crops.
        replicates: of the bootstrap behind the intervals.
    """
    ours = [(by_clip(scores), detector.decision.threshold)]
    ours += [(by_clip(scored(other)), other.decision.threshold) for other in others.seeds]
    theirs = [(by_clip(scored(other)), other.decision.threshold) for other in others.against]
    seeds = comparison = None
    if others.seeds:
        tables, thresholds = zip(*ours, strict=True)
        seeds = Seeds(len(ours), msgspec.convert(over_runs(tables, thresholds, replicates), dict[str, Spread]))
    if theirs:
        first, second = _mean_clips(ours), _mean_clips(theirs)
        metrics = compare(first[0], second[0], (first[1], second[1]), replicates)
        comparison = Comparison((len(ours), len(theirs)), msgspec.convert(metrics, dict[str, Difference]))
    return seeds, comparison


def _mean_clips(runs: Sequence[ScoredClips]) -> ScoredClips:
    """Several runs as one: the means of their scores and of their thresholds."""
    clips = [table.sort_values(CLIP_KEY).reset_index(drop=True) for table, _ in runs]
    mean = np.mean([table["probability_fake"].to_numpy(float) for table in clips], axis=0)
    return clips[0].assign(probability_fake=mean), float(np.mean([threshold for _, threshold in runs]))
