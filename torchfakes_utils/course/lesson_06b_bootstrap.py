"""The first exercise of lesson 06b: a bootstrap that draws whole units, and how such an interval is judged."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit

from torchfakes_utils.course import comparison
from torchfakes_utils.course.lesson_06 import auc_by_pairs
from torchfakes_utils.course.practice import Exercise

EXACT = 20_000  # data sets that stand in for all there could be
ROUGHLY = 4_000  # as many for an interval that is only to be told from others
CLOSE = 0.14  # of an interval's width: so far chance may move the ends of one that is wrong


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

        Judged by the share of values outside, which of a right one is binomial: 90 % leaves out twice as much. Its
        tail is longer above than below.
        """
        ends = np.quantile(self.values, [0.025, 0.975])
        below, above = np.mean(self.values < low), np.mean(self.values > high)
        if np.mean(self.values >= 1) > 0.01:  # the upper end is 1 or thereabouts
            fine = 0 <= high <= 1 + 1e-6 and np.allclose([low, high], ends, rtol=0, atol=0.5 * (ends[1] - ends[0]))
        else:
            luck, of_one_end = (np.sqrt(share * (1 - share) / self.replicates) for share in (0.05, 0.025))
            fine = bool(-2.9 * luck < below + above - 0.05 < 4 * luck and min(below, above) > 0.025 - 3.1 * of_one_end)
        if fine:
            return ""
        return f"yours goes from {low:.3f} to {high:.3f}, and about {ends[0]:.3f} to {ends[1]:.3f} is expected"


# How often each unit, or each row, is in each data set, (sets, units) or (sets, N), from a generator, labels (N,), the
# number of each row's unit (N,) and how many sets there are to be.
_Times = Callable[[np.random.Generator, np.ndarray, np.ndarray, int], np.ndarray]


def _evenly(count: int) -> np.ndarray:
    return np.full(count, 1 / count)


def _units_drawn(generator: np.random.Generator, _: np.ndarray, of: np.ndarray, sets: int) -> np.ndarray:
    count = of.max() + 1
    return generator.multinomial(count, _evenly(count), sets)


def _as_many_as_rows(generator: np.random.Generator, _: np.ndarray, of: np.ndarray, sets: int) -> np.ndarray:
    return generator.multinomial(len(of), _evenly(of.max() + 1), sets)


def _rows_drawn(generator: np.random.Generator, _: np.ndarray, of: np.ndarray, sets: int) -> np.ndarray:
    return generator.multinomial(len(of), _evenly(len(of)), sets)


def _once_at_most(generator: np.random.Generator, labels: np.ndarray, of: np.ndarray, sets: int) -> np.ndarray:
    times: np.ndarray = np.minimum(_units_drawn(generator, labels, of, sets), 1)
    return times


def _never_the_last(generator: np.random.Generator, _: np.ndarray, of: np.ndarray, sets: int) -> np.ndarray:
    return generator.multinomial(of.max() + 1, np.append(_evenly(of.max()), 0), sets)


def _classes_apart(generator: np.random.Generator, labels: np.ndarray, of: np.ndarray, sets: int) -> np.ndarray:
    """Units drawn among those whose first row is of the same class."""
    first = labels[np.unique(of, return_index=True)[1]]
    times = np.zeros((sets, len(first)), int)
    for label in np.unique(first):
        own = first == label
        times[:, own] = generator.multinomial(own.sum(), _evenly(own.sum()), sets)
    return times


def _rows_drawn_again(generator: np.random.Generator, labels: np.ndarray, of: np.ndarray, sets: int) -> np.ndarray:
    """Units drawn, and of each as many of its rows as it has, with replacement."""
    units, times = _units_drawn(generator, labels, of, sets), np.zeros((sets, len(of)), int)
    for unit in range(of.max() + 1):
        own = of == unit
        times[:, own] = generator.multinomial(own.sum() * units[:, unit], _evenly(own.sum()))
    return times


def _all(labels: Any, scores: Any, units: Any, how: _Times = _units_drawn, sets: int = EXACT) -> np.ndarray:
    """The AUCs of so many data sets."""
    labels, (names, of) = np.asarray(labels), np.unique(np.asarray(units), return_inverse=True)
    times = how(np.random.default_rng(1), labels, of, sets)
    return _weighted(labels, scores, of if times.shape[1] == len(names) else np.arange(len(of)), times)


def _of_clips(generator: np.random.Generator, replicates: int) -> tuple[Any, ...]:
    """Eight near copies of each of 30 clips, 12 of them real, which are told apart easily: the interval ends at 1.

    So a normal curve is found out, whose ends lie beyond 1.
    """
    label = np.repeat([0, 1], [12, 18])
    while True:
        logits = generator.normal(2.2 * (label - 0.5), 1)
        if 0.92 < auc_by_pairs(label, logits) < 0.96:
            break
    scores = expit(logits[:, None] + generator.normal(0, 0.15, (30, 8)))
    order = generator.permutation(240)
    return np.repeat(label, 8)[order], scores.ravel()[order], np.repeat(np.arange(30), 8)[order], replicates


def _sizes(generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of 24 units of 2 to 9 crops, the last one large: how many crops; for each crop, its unit and its place there."""
    sizes = generator.integers(2, 10, 24)
    sizes[-1] = 9
    return sizes, np.repeat(np.arange(24), sizes), np.concatenate([np.arange(size) for size in sizes])


def _of_two_kinds(generator: np.random.Generator, replicates: int) -> tuple[Any, ...]:
    """Units of both classes: mostly real and told apart wrongly, or mostly fake and told apart well.

    How many there are of either kind is chance, and most of the interval. Whoever draws the kinds apart misses it.
    """
    sizes, units, place = _sizes(generator)
    most = (units % 2).astype(int)
    few = place >= sizes[units] - np.maximum((sizes[units] + 1) // 3, 1)  # a third of them, behind the others
    labels = np.where(few, 1 - most, most)
    logits = np.where(most == 1, 6, -2) * (labels - 0.5) + generator.normal(0, 0.5, len(units))
    return labels, expit(logits), units, replicates


def _of_noisy_crops(generator: np.random.Generator, replicates: int) -> tuple[Any, ...]:
    """Units of both classes that are alike on average, of crops that are not; the last unit is told apart wrongly.

    Whoever draws the crops of a unit anew finds too wide an interval, and whoever never draws the last one too high.
    """
    _, units, place = _sizes(generator)
    labels = (place + units) % 2
    noise, part = generator.normal(0, 2, len(units)), 2 * units + labels
    noise -= (np.bincount(part, noise) / np.maximum(np.bincount(part), 1))[part]
    gap = np.where(units == units.max(), -1.0, 1.2)
    scores = expit(gap * (labels - 0.5) + noise + generator.normal(0, 0.2, len(units)))
    order = generator.permutation(len(units))
    return labels[order], scores[order], units[order], replicates


# --- what mistakes give


def _roughly(
    labels: np.ndarray, scores: np.ndarray, units: np.ndarray, left_out: float = 0.025, how: _Times = _units_drawn
) -> tuple[float, float]:
    """An interval of so many draws that chance moves its ends little; `left_out` on either side."""
    low, high = np.quantile(_all(labels, scores, units, how, ROUGHLY), [left_out, 1 - left_out])
    return float(low), float(high)


def _drawn(how: _Times) -> Callable[..., tuple[float, float]]:
    """The interval of a learner who draws in another way."""
    return lambda labels, scores, units, _: _roughly(labels, scores, units, how=how)


def _leaving_out(share: float) -> Callable[..., tuple[float, float]]:
    """The interval of a learner who leaves out another share on either side."""
    return lambda labels, scores, units, _: _roughly(labels, scores, units, share)


def _of_means(labels: np.ndarray, scores: np.ndarray, units: np.ndarray, _: int) -> tuple[float, float]:
    """The interval where each unit has become one crop: its mean score, with the label of its first row."""
    names, first, of = np.unique(units, return_index=True, return_inverse=True)
    return _roughly(labels[first], np.bincount(of, scores) / np.bincount(of), names)


def _not_joined(labels: np.ndarray, scores: np.ndarray, units: np.ndarray, _: int) -> tuple[float, float]:
    """As NumPy says it where rows of unequal number are to be an index."""
    of = np.unique(units, return_inverse=True)[1]
    labels[[np.flatnonzero(of == unit) for unit in range(of.max() + 1)]]
    return _roughly(labels, scores, units)


def _normal(labels: np.ndarray, scores: np.ndarray, units: np.ndarray, deviations: float) -> tuple[float, float]:
    values = _all(labels, scores, units, sets=ROUGHLY)
    return float(values.mean() - deviations * values.std()), float(values.mean() + deviations * values.std())


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
    cases=lambda generator: [
        _of_clips(generator, 150), _of_two_kinds(generator, 450), _of_noisy_crops(generator, 1100),
    ],
    wrong={
        "You draw single crops. Draw units, and take all crops of each one that is drawn, as often as it is drawn.":
            _drawn(_rows_drawn),
        "Much too narrow. Do you draw as many units as there are crops? Draw as many as there are units. Or are your "
        "quantiles 0.25 and 0.75? They are 0.025 and 0.975.": _drawn(_as_many_as_rows),
        "Much too narrow. Are your quantiles 0.25 and 0.75? They are 0.025 and 0.975. Or do you draw as many units as "
        "there are crops? Draw as many as there are units.": _leaving_out(0.25),
        "Each of your data sets holds every unit once. Draw with replacement, so that some come twice and some not at "
        "all; and use the rows that you drew.":
            lambda labels, scores, units, replicates: (auc_by_pairs(labels, scores),) * 2,
        "Narrower than the middle 95 %. Does a unit that is drawn twice count twice? And leave out 2.5 % at either "
        "end.": _leaving_out(0.05),
        "Narrower than the middle 95 %. Does a unit that is drawn twice count twice?": _drawn(_once_at_most),
        "You average the crops of a unit before you draw. The AUC here is that of crops: join all their rows.":
            _of_means,
        "You draw units that are real and units that are fake apart. A unit may hold both, and how many of a class are "
        "drawn is chance, too: draw from all units at once.": _drawn(_classes_apart),
        "You draw crops again inside each unit. Take all crops of a unit that is drawn, just as they are.":
            _drawn(_rows_drawn_again),
        "Your last unit is never drawn. integers(0, count) ends at count − 1 already.": _drawn(_never_the_last),
        "The rows of the units that are drawn are to be one index: join them with np.concatenate.": _not_joined,
        "That is the mean and one standard deviation to either side. Take the middle 95 % of the values: np.quantile.":
            lambda labels, scores, units, replicates: _normal(labels, scores, units, 1),
        "That is the mean and 1.96 standard deviations to either side, which ends above 1 where no AUC can be. Take "
        "the middle 95 % of the values: np.quantile.":
            lambda labels, scores, units, replicates: _normal(labels, scores, units, 1.96),
        "That is more than the middle 95 %. Leave out 2.5 % at either end: np.quantile with 0.025 and 0.975.":
            _leaving_out(0.01),
        "That is the whole range of the values. Leave out 2.5 % of them at either end: np.quantile.":
            lambda *words: (_replicates(*words).min(), _replicates(*words).max()),
    },
    difference=interval_difference,
    afterwards="The ends differ a little from ours: each draw is another one.",
)  # fmt: skip
