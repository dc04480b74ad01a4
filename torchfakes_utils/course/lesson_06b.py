"""The exercises of lesson 06b: a bootstrap of clips, the calibration error, one honest line; and formulas."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.special import expit, logit
from scipy.stats import binomtest

from torchfakes_utils.course import comparison
from torchfakes_utils.course.lesson_06 import auc_by_pairs
from torchfakes_utils.course.practice import Exercise
from torchfakes_utils.evaluation.results import LevelMetrics

EXACT = 20_000  # data sets that stand in for all there could be
CLOSE = 0.1  # of an interval's width: so far chance may move the ends of one that is wrong
RANGES = 10


# --- the bootstrap


def bootstrap(labels: Any, scores: Any, units: Any, replicates: int = 1000) -> tuple[float, float]:
    """The 95 % interval of an AUC when whole units are drawn: with replacement, as many as there are.

    Args:
        labels: (N,) of 0 and 1.
        scores: (N,).
        units: (N,) what each is a part of, such as the number of its clip.
        replicates: how often.

    Source: Efron, Bootstrap Methods: Another Look at the Jackknife, Annals of Statistics 7, 1979.
    """
    low, high = np.quantile(_replicates(labels, scores, units, replicates), [0.025, 0.975])
    return float(low), float(high)


def _replicates(labels: Any, scores: Any, units: Any, replicates: int) -> np.ndarray:
    """The AUC of each data set that is drawn, (replicates,): pairs are compared once, then weighted."""
    names, of = np.unique(np.asarray(units), return_inverse=True)
    drawn = np.random.default_rng(0).integers(0, len(names), (replicates, len(names)))
    times = np.stack([np.bincount(row, minlength=len(names)) for row in drawn])
    return _weighted(labels, scores, of, times)


def _weighted(labels: Any, scores: Any, of: np.ndarray, times: np.ndarray) -> np.ndarray:
    """The AUC of each data set, by how often it holds each unit: `times` (replicates, units), `of` (N,) its columns."""
    labels, scores, times = np.asarray(labels), np.asarray(scores), times.astype(np.float32)
    fakes, reals = (times[:, of[labels == label]] for label in (1, 0))
    gaps = scores[labels == 1][:, None] - scores[labels == 0][None, :]
    right = ((np.sign(gaps) + 1) / 2).astype(np.float32)  # (fakes, reals): 1 in the right order, 0.5 for a tie
    found: np.ndarray = ((fakes @ right) * reals).sum(1, dtype=float) / (fakes.sum(1) * reals.sum(1))
    return found


@dataclass(frozen=True)
class _Drawn:
    """What a learner's interval is held against: (EXACT,) AUCs, and how many data sets the learner drew."""

    values: np.ndarray
    replicates: int

    def difference(self, low: float, high: float) -> str:
        """How an interval departs from the middle 95 % by more than the luck of the draw.

        Judged by the share of values outside, which of a right one is binomial: 90 % leaves out twice as much.
        """
        ends = np.quantile(self.values, [0.025, 0.975])
        below, above = np.mean(self.values < low), np.mean(self.values > high)
        if np.mean(self.values >= 1) > 0.01:  # the upper end is 1 or thereabouts
            fine = 0 <= high <= 1 + 1e-6 and np.allclose([low, high], ends, rtol=0, atol=0.5 * (ends[1] - ends[0]))
        else:
            luck = 3.2 * np.sqrt(0.05 * 0.95 / self.replicates)
            fine = bool(-luck < below + above - 0.05 < 1.35 * luck and min(below, above) > 0.006)
        if fine:
            return ""
        return f"yours goes from {low:.3f} to {high:.3f}, and about {ends[0]:.3f} to {ends[1]:.3f} is expected"


def _all(labels: Any, scores: Any, units: Any) -> np.ndarray:
    """The AUCs of EXACT data sets."""
    names, of = np.unique(np.asarray(units), return_inverse=True)
    share = np.full(len(names), 1 / len(names))
    return _weighted(labels, scores, of, np.random.default_rng(1).multinomial(len(names), share, EXACT))


def _exact(labels: Any, scores: Any, units: Any, left_out: float = 0.025) -> tuple[float, float]:
    """An interval of so many draws that chance hardly moves its ends; `left_out` on either side."""
    low, high = np.quantile(_all(labels, scores, units), [left_out, 1 - left_out])
    return float(low), float(high)


def _normal(labels: Any, scores: Any, units: Any, deviations: float) -> tuple[float, float]:
    values = _all(labels, scores, units)
    return float(values.mean() - deviations * values.std()), float(values.mean() + deviations * values.std())


def _of_clips(generator: np.random.Generator, easy: bool, replicates: int) -> tuple[Any, ...]:
    """Eight near copies of each of 30 clips, 12 of them real; where they are told apart easily, the interval ends at 1.

    So two things are seen that look alike otherwise: how much is left out, and a normal curve's ends beyond 1.
    """
    label = np.repeat([0, 1], [12, 18])
    least, most = (0.92, 0.96) if easy else (0.78, 0.84)
    while True:
        logits = generator.normal((2.2 if easy else 1.2) * (label - 0.5), 1)
        if least < auc_by_pairs(label, logits) < most:
            break
    scores = expit(logits[:, None] + generator.normal(0, 0.15, (30, 8)))
    order = generator.permutation(240)
    return np.repeat(label, 8)[order], scores.ravel()[order], np.repeat(np.arange(30), 8)[order], replicates


def interval_difference(expected: Any, found: Any) -> str:
    """How an interval departs from another, or from what all draws give, by more than the luck of the draw."""
    pair = (0.0, 1.0) if isinstance(expected, _Drawn) else expected
    try:
        own, ends = ([float(end) for end in ends] for ends in (found, pair))
    except (TypeError, ValueError, RuntimeError):
        return comparison.difference(pair, found)
    if len(own) != len(ends):
        return comparison.difference(pair, found)
    if isinstance(expected, _Drawn):
        return expected.difference(*own)
    if np.allclose(own, ends, rtol=0, atol=CLOSE * (ends[1] - ends[0]) + 1e-6):
        return ""
    return f"yours goes from {own[0]:.3f} to {own[1]:.3f}, and about {ends[0]:.3f} to {ends[1]:.3f} is expected"


BOOTSTRAP = Exercise(
    "bootstrap", "The bootstrap, by clip", minutes=12, difficulty=3,
    reference=bootstrap,
    exact=lambda labels, scores, units, count: _Drawn(_all(labels, scores, units), count),
    cases=lambda generator: [_of_clips(generator, True, 200), _of_clips(generator, False, 1500)],
    wrong={
        "You draw single crops. Draw units, and take all crops of each one that is drawn, as often as it is drawn.":
            lambda labels, scores, units, replicates: _exact(labels, scores, np.arange(len(labels))),
        "Each of your data sets holds every unit once. Draw with replacement: some come twice, and some not at all.":
            lambda labels, scores, units, replicates: (auc_by_pairs(labels, scores),) * 2,
        "That is the mean and one standard deviation to either side. Take the middle 95 % of the values: np.quantile.":
            lambda labels, scores, units, replicates: _normal(labels, scores, units, 1),
        "That is the mean and 1.96 standard deviations to either side, which ends above 1 where no AUC can be. Take the "
        "middle 95 % of the values: np.quantile.":
            lambda labels, scores, units, replicates: _normal(labels, scores, units, 1.96),
        "That is the middle 90 %. For 95 % leave out 2.5 % at either end, and not 5 %.":
            lambda labels, scores, units, replicates: _exact(labels, scores, units, 0.05),
        "That is more than the middle 95 %. Leave out 2.5 % at either end: np.quantile with 0.025 and 0.975.":
            lambda labels, scores, units, replicates: _exact(labels, scores, units, 0.01),
        "That is the whole range of the values. Leave out 2.5 % of them at either end: np.quantile.":
            lambda *words: (_replicates(*words).min(), _replicates(*words).max()),
    },
    difference=interval_difference,
    afterwards="The ends differ a little from ours: each draw is another one.",
)  # fmt: skip


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


# --- judgement: one line that can be checked


def check_line(text: object, clip: LevelMetrics) -> None:
    """Say in one line what a report of a test still lacks.

    Args:
        text: the learner's sentence or two.
        clip: what was measured, by clip.
    """
    if text is None or text is ...:
        print("Not attempted yet: put your line in place of None, in quotation marks.")
        return
    if not isinstance(text, str):
        print(f"Not yet: {comparison.describe(text)} is no text. Put your line in quotation marks.")
        return
    numbers = [float(number) for number in pd.Series([text]).str.findall(r"\d+(?:\.\d+)?")[0]]
    low, high = clip.auc_interval or (clip.auc or 0, clip.auc or 0)
    lacking = {
        "of which data? Name Mini-FF++.": "mini-ff++" in text.lower(),
        "it says that something is *not* so. Say what is so.": not _denies(text),
        f"on how many clips? There are {clip.n_real} real and {clip.n_fake} fake ones.":
            {clip.n_real, clip.n_fake} <= set(numbers) and not _swapped(text, clip),
        "how good is it? The AUC by clip is in the table above.": _told(clip.auc, numbers)
            and all(_told(clip.auc, [float(each)]) for each in _BEHIND_AUC.findall(text)),
        "how sure are you? Give both ends of the AUC's interval.": _told(low, numbers) and _told(high, numbers)
            and not any(float(first) > float(last) for first, last in _FROM_TO.findall(text)),
        "beside what? Give balanced accuracy, or what always saying “fake” would reach.":
            _told(clip.balanced_accuracy, numbers) or _told(clip.always_fake_accuracy, numbers),
    }  # fmt: skip
    for question, answered in lacking.items():
        if not answered:
            print(f"Not yet: {question}")
            return
    print("Right: somebody who was not there could check every number in it.")


_BEHIND_AUC = re.compile(r"\bauc(?: by clip)?\s*(?:of|is|was|=|:)?\s*(\d+(?:\.\d+)?)(?!\s*%\s*interval)", re.I)
_FROM_TO = re.compile(r"(\d+(?:\.\d+)?)\s*(?:%\s*)?(?:to|–|and)\s*(\d*\.\d+)")


def _denies(text: str) -> bool:
    """Whether "not" stands before a number or the name of the data."""
    return (
        re.search(r"(?:\b(?:not|no|never)|n't)\s+(?:(?:on|of|an?|the|auc)\s+)*(?:mini-ff|\d)", text, re.I) is not None
    )


def _swapped(text: str, clip: LevelMetrics) -> bool:
    """Whether the number of fakes is said of the real ones, or the other way round."""
    said = rf"\b{clip.n_fake}\s+real\b|\b{clip.n_real}\s+fakes?\b"
    return clip.n_real != clip.n_fake and re.search(said, text, re.I) is not None


def _told(value: float | None, numbers: Sequence[float]) -> bool:
    """Whether a share stands among numbers, to two digits, as it is or in per cent."""
    return value is not None and any(abs(number - each) < 0.0051 * scale for number in numbers
                                     for each, scale in ((value, 1), (100 * value, 100)))  # fmt: skip


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
