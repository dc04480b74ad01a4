"""The exercises of lesson 06b, with the calibration error and formulas."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.special import expit, logit
from scipy.stats import binomtest

from torchfakes_utils.course.lesson_06b_bootstrap import BOOTSTRAP, bootstrap
from torchfakes_utils.course.lesson_06b_line import check_line
from torchfakes_utils.course.practice import Exercise

# What the notebook checks besides stands in modules of its own.
__all__ = ["BOOTSTRAP", "ECE", "bootstrap", "check_line", "ece", "in_another_world", "most_one_sided", "wilson"]

RANGES = 10


# --- the calibration error


def ece(labels: Any, scores: Any) -> float:
    """The expected calibration error: ten ranges of equal width; in each, what is said beside what is so.

    Args:
        labels: (N,) of 0 and 1.
        scores: (N,) P(fake); one of exactly 1 belongs to the last range.

    Source: Naeini, Cooper and Hauskrecht, Obtaining Well Calibrated Probabilities Using Bayesian Binning, AAAI 2015;
    here of P(fake), and not of the confidence in an answer.
    """
    labels, scores = np.asarray(labels), np.asarray(scores, float)
    return float(sum(share * abs(said - fake) for share, said, fake in _ranges(labels, scores)))


def _ranges(labels: np.ndarray, scores: np.ndarray) -> list[tuple[float, float, float]]:
    """Of each range that holds scores: its share of them, their mean, and the share of fakes."""
    which = np.minimum((scores * RANGES).astype(int), RANGES - 1)
    return [
        (float(own.mean()), float(scores[own].mean()), float(labels[own].mean()))
        for own in (which == number for number in np.unique(which))
    ]


def _scored(generator: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores that do not keep their word, none between 0.3 and 0.4, some of exactly 0 and exactly 1."""
    scores = generator.uniform(0.005, 0.995, count)
    scores = scores[(scores * RANGES).astype(int) != 3]
    scores[:3], scores[3:6] = 0.0, 1.0
    labels = (generator.random(len(scores)) < 0.15 + 0.6 * scores).astype(int)
    labels[:6] = 1, 0, 0, 0, 1, 0
    scores[6:8], labels[6:8] = (0.93, 0.96), 1
    labels[(scores > 0.9) & (scores < 1)] = 1  # says too little, and those of exactly 1 say too much
    order = generator.permutation(len(scores))
    return labels[order], scores[order]


def _without(ends: Callable[[np.ndarray], np.ndarray]) -> Callable[[np.ndarray, np.ndarray], float]:
    """The error where some scores fall into no range, and their share is not made up for."""

    def lost(labels: np.ndarray, scores: np.ndarray) -> float:
        kept = ends(scores)
        return ece(labels[kept], scores[kept]) * float(kept.mean())

    return lost


def _by_confidence(labels: np.ndarray, scores: np.ndarray) -> float:
    return ece((scores >= 0.5) == (labels == 1), np.maximum(scores, 1 - scores))


def _midpoints(labels: np.ndarray, scores: np.ndarray) -> float:
    return float(sum(share * abs(int(min(said * RANGES, 9)) / RANGES + 0.05 - fake)
                     for share, said, fake in _ranges(labels, scores)))  # fmt: skip


def _by_count(labels: np.ndarray, scores: np.ndarray) -> float:
    parts = np.array_split(np.argsort(scores, kind="stable"), RANGES)
    return float(sum(len(own) * abs(scores[own].mean() - labels[own].mean()) for own in parts) / len(scores))


def _eleven(labels: np.ndarray, scores: np.ndarray) -> float:
    """The error where scores of exactly 1 are an eleventh range."""
    sure = scores == 1
    return ece(labels[~sure], scores[~sure]) * float((~sure).mean()) + float(
        sure.mean() * abs(1 - labels[sure].mean()) if sure.any() else 0
    )


ECE = Exercise(
    "ece", "Does it keep its word?", minutes=10, difficulty=2,
    reference=ece,
    cases=lambda generator: [_scored(generator, count) for count in (60, 90, 150)],
    wrong={
        "That compares how sure an answer is with how often it is right. Here P(fake) stands against the share of "
        "fakes.": _by_confidence,
        "Yours takes the middle of a range for what its scores say. Take their mean.": _midpoints,
        "A score of exactly 1 falls into none of your ranges. It belongs to the last.": _without(lambda s: s < 1),
        "Scores of exactly 1 have a range of their own in yours, an eleventh. They belong to the tenth.": _eleven,
        "A score of exactly 0 falls into none of your ranges. It belongs to the first.": _without(lambda s: s > 0),
        "A range that holds no score gives NaN, and the sum with it. Leave empty ranges out.":
            lambda labels, scores: float("nan"),
        "Each range counts alike in yours. Weight it by its share of the scores.":
            lambda labels, scores: np.mean([abs(said - fake) for _, said, fake in _ranges(labels, scores)]),
        "Your distances cancel out: too high here, too low there. Take their absolute value.":
            lambda labels, scores: abs(sum(share * (said - fake) for share, said, fake in _ranges(labels, scores))),
        "That compares each score with its own label. Compare ranges: what they say on average, and what is so.":
            lambda labels, scores: np.abs(scores - labels).mean(),
        "Your ranges hold equally many scores. Take ten of equal *width*, from 0 to 1.": _by_count,
    },
    afterwards="It is zero for a detector that always says the share of fakes, and knows nothing.",
)  # fmt: skip


# --- formulas


def in_another_world(scores: Any, fakes: float, trained_with: float = 0.5) -> np.ndarray:
    """P(fake) where another share is fake than in training: the change in log-odds is added.

    Args:
        scores: (N,) or one, between 0 and 1.
        fakes, trained_with: shares in (0, 1).

    Source: Saerens, Latinne and Decaestecker, Adjusting the Outputs of a Classifier to New a Priori Probabilities,
    Neural Computation 14, 2002.
    """
    moved: np.ndarray = expit(logit(np.asarray(scores, float)) + logit(fakes) - logit(trained_with))
    return moved


class OneSided(NamedTuple):
    """AUC of a detector that was trained on one manipulation, on another, and `back`: of the reverse."""

    trained_on: str
    tested_on: str
    auc: float
    back: float


def most_one_sided(matrix: pd.DataFrame) -> OneSided:
    """The pair of manipulations of which one helps with the other most, beside how little it is helped by it.

    Args:
        matrix: matrix.csv, a row for each manipulation trained on and each tested on.
    """
    auc = matrix.set_index(["trained_on", "tested_on"])["auc"]
    pairs = [OneSided(one, other, auc[one, other], auc[other, one]) for one, other in auc.index]
    return max(pairs, key=lambda pair: pair.auc - pair.back)


def wilson(count: int, of: int) -> tuple[float, float]:
    """Wilson's 95 % interval for a share (1927), which is sensible even at 0 of 4."""
    low, high = binomtest(count, of).proportion_ci(method="wilson")
    return float(low), float(high)
