"""The exercises of lesson 06: pairs in order, a desk's bill, a threshold chosen on some people and billed on others."""

from collections.abc import Callable, Iterator
from itertools import combinations
from typing import Any

import numpy as np

from torchfakes_utils.course import plots
from torchfakes_utils.course.lesson_06_desks import (
    NEWSROOM,
    Desk,
    best_threshold,
    bill,
    cost,
    error_rates,
    without_detector,
)
from torchfakes_utils.course.practice import Exercise
from torchfakes_utils.course.predictions import with_point

Choose = Callable[[np.ndarray, np.ndarray], float]
Cost = Callable[[np.ndarray, np.ndarray, float], float]


def _coarse(generator: np.random.Generator, reals: int, fakes: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels and scores with many ties, in any order; each class has scores on both sides of the other's."""
    labels = generator.permutation(np.repeat([0, 1], [reals, fakes]))
    scores = np.clip(generator.normal(0.4 + 0.2 * labels, 0.25), 0, 1).round(1)
    return labels, scores


# --- the share of pairs in the right order


def auc_by_pairs(labels: Any, scores: Any) -> float:
    """The share of pairs (a real, a fake) in which the fake scores higher; a tie counts half.

    Args:
        labels: (N,) of 0 and 1, both present.
        scores: (N,).
    """
    labels, scores = np.asarray(labels), np.asarray(scores)
    fakes, reals = scores[labels == 1], scores[labels == 0]
    higher = fakes[:, None] > reals[None, :]  # (fakes, reals)
    ties = fakes[:, None] == reals[None, :]
    return float((higher + 0.5 * ties).mean())


def _pairs(labels: np.ndarray, scores: np.ndarray) -> Iterator[tuple[float, float]]:
    """Every fake's score beside every real's."""
    return ((fake, real) for fake in scores[labels == 1] for real in scores[labels == 0])


def _in_order(first: int) -> Callable[[np.ndarray, np.ndarray], float]:
    """The share of right pairs among those whose clip of this class stands before the other in the list."""

    def share(labels: np.ndarray, scores: np.ndarray) -> float:
        pairs = [(scores[i], scores[j]) for i, j in combinations(range(len(labels)), 2)
                 if labels[i] == first != labels[j]]  # fmt: skip
        fakes, reals = np.array(pairs).reshape(-1, 2).T[:: 1 if first else -1]
        return float(np.mean((fakes > reals) + 0.5 * (fakes == reals)))

    return share


AUC = Exercise(
    "auc_by_pairs", "AUC, pair by pair", minutes=6, difficulty=1,
    reference=auc_by_pairs,
    cases=lambda generator: [_coarse(generator, *counts) for counts in ((4, 3), (7, 12), (16, 30))],
    wrong={
        "A tie counts as a whole pair in yours. It counts half: take > for the order, and half of ==.":
            lambda labels, scores: np.mean([fake >= real for fake, real in _pairs(labels, scores)]),
        "A tie counts nothing in yours. A detector that cannot tell two clips apart is right every other time: half.":
            lambda labels, scores: np.mean([fake > real for fake, real in _pairs(labels, scores)]),
        "The classes have changed places: 1 is fake, and the *fake* should have the higher score.":
            lambda labels, scores: 1 - auc_by_pairs(labels, scores),
        "That is how many pairs are in the right order. Divide by how many there are.":
            lambda labels, scores: auc_by_pairs(labels, scores) * labels.sum() * (1 - labels).sum(),
        "You divide by all pairs of clips. Count those alone that have one real clip and one fake.":
            lambda labels, scores: auc_by_pairs(labels, scores) * labels.sum() * (1 - labels).sum() / len(labels) ** 2,
        "That is the accuracy at 0.5. AUC has no threshold: it asks which clip of a pair scores higher.":
            lambda labels, scores: np.mean((scores >= 0.5) == labels),
        "You leave out pairs in which the fake clip comes first in the list. Put every fake beside every real.":
            _in_order(0),
        "You leave out pairs in which the real clip comes first in the list. Put every fake beside every real.":
            _in_order(1),
        "That is 0.5 for any scores, as it is where every clip stands beside every other, both ways. Put fakes beside "
        "reals alone.": lambda labels, scores: 0.5,
        "That is in per cent. A share lies between 0 and 1.":
            lambda labels, scores: 100 * auc_by_pairs(labels, scores),
    },
    afterwards="No threshold, no costs and no share of fakes went into it.",
)  # fmt: skip


# --- what errors cost a desk


def desk_cost(labels: Any, scores: Any, threshold: float, fakes: float, miss: float, alarm: float) -> float:
    """What a threshold costs on 100 clips of a desk, on average, in points.

    Args:
        labels: (N,) of 0 and 1, both present.
        scores: (N,) P(fake).
        threshold: a score this high or higher is called fake.
        fakes: share of fakes among the desk's clips, which is not that among ours.
        miss, alarm: points that an error costs.
    """
    return cost(labels, scores, threshold, Desk("a desk", fakes, miss, alarm))


def _with_desk(generator: np.random.Generator, reals: int, fakes: int) -> tuple[Any, ...]:
    """Clips, a threshold at which some clips lie, and what a desk's errors cost."""
    threshold = float(generator.choice([0.4, 0.5, 0.6]))
    labels, scores = _coarse(generator, reals, fakes)
    for label in (0, 1):  # one of each class at the threshold, and errors of both kinds
        own = np.flatnonzero(labels == label)
        scores[own[:3]] = threshold, 0.1, 0.9
    return (
        labels,
        scores,
        threshold,
        float(generator.choice([0.02, 0.1, 0.3])),
        *(float(points) for points in generator.choice([5, 20, 50, 100, 200], 2, replace=False)),
    )


def _counted(labels: np.ndarray, scores: np.ndarray, threshold: float) -> tuple[int, int]:
    """False alarms and misses."""
    called = scores >= threshold
    return int((called & (labels == 0)).sum()), int((~called & (labels == 1)).sum())


def _of_all(labels: np.ndarray, scores: np.ndarray, threshold: float, fakes: float, miss: float, alarm: float) -> float:
    alarms, misses = _counted(labels, scores, threshold)
    return 100 * ((1 - fakes) * alarms / len(labels) * alarm + fakes * misses / len(labels) * miss)


def _in_our_clips(
    labels: np.ndarray, scores: np.ndarray, threshold: float, _: float, miss: float, alarm: float
) -> float:
    alarms, misses = _counted(labels, scores, threshold)
    return 100 * (alarms * alarm + misses * miss) / len(labels)


COST = Exercise(
    "desk_cost", "What a desk loses", minutes=8, difficulty=2,
    reference=desk_cost,
    cases=lambda generator: [_with_desk(generator, *counts) for counts in ((5, 9), (16, 24), (12, 12))],
    wrong={
        "You bill the desk for *our* mix of clips, where most are fake. Take the share of fakes that arrive *there*.":
            _in_our_clips,
        "Your rates are shares of all clips. False alarms are a share of the reals, misses a share of the fakes.":
            _of_all,
        "The two costs have changed places: a false alarm is a real clip called fake, a miss a fake called real.":
            lambda *words: desk_cost(*words[:4], *words[:3:-1]),
        "The two shares have changed places: of 100 clips 100 · fakes are fake and may be missed, the others are real.":
            lambda labels, scores, threshold, fakes, *more: desk_cost(labels, scores, threshold, 1 - fakes, *more),
        "The misses are forgotten: fakes that are called real cost something, too.":
            lambda labels, scores, threshold, fakes, miss, alarm:
                desk_cost(labels, scores, threshold, fakes, 0, alarm),
        "The false alarms are forgotten: reals that are called fake cost something, too.":
            lambda labels, scores, threshold, fakes, miss, alarm:
                desk_cost(labels, scores, threshold, fakes, miss, 0),
        "A clip whose score *is* the threshold is called fake: >= and not >.":
            lambda labels, scores, threshold, *more: desk_cost(labels, scores, np.nextafter(threshold, 2), *more),
        "Each error rate counts in full in yours. Of 100 clips there, only a share is real, and only a share is fake.":
            lambda labels, scores, threshold, fakes, miss, alarm:
                100 * float(np.dot(error_rates(labels, scores, threshold), (alarm, miss))),
        "That is for one clip. A bill is for 100.":
            lambda *words: desk_cost(*words) / 100,
    },
    afterwards="The share of fakes is the desk's, the error rates are the detector's, and the prices are somebody's.",
)  # fmt: skip


# --- a threshold that is chosen on some people and billed on others


def promised_and_billed(
    labels: Any, scores: Any, people: Any, half: Any, choose: Choose, cost: Cost
) -> tuple[float, float]:
    """What a threshold, chosen on the clips of some people, costs on these and what it costs on the others'.

    Args:
        labels: (N,) of 0 and 1.
        scores: (N,) P(fake).
        people: (N,) whom each clip shows.
        half: the people whose clips the threshold is chosen on.
        choose: from labels and scores to the cheapest threshold.
        cost: from labels, scores and a threshold to points.

    Returns:
        Promised, on the clips of `half`; billed, on the others.
    """
    labels, scores = np.asarray(labels), np.asarray(scores)
    own = np.isin(people, half)
    threshold = choose(labels[own], scores[own])
    return cost(labels[own], scores[own], threshold), cost(labels[~own], scores[~own], threshold)


def _of_people(generator: np.random.Generator, people: int) -> tuple[Any, ...]:
    """Clips of people, two real ones and four fakes of each, and a half of the people."""
    labels = np.tile([0, 0, 1, 1, 1, 1], people)
    scores = np.clip(generator.normal(0.35 + 0.3 * labels, 0.22), 0, 1)
    order = generator.permutation(len(labels))
    half = np.sort(generator.choice(people, people // 2, replace=False))
    return labels[order], scores[order], np.repeat(np.arange(people), 6)[order], half, _cheapest, _cost


def _cheapest(labels: np.ndarray, scores: np.ndarray) -> float:
    return best_threshold(labels, scores, NEWSROOM)


def _cost(labels: np.ndarray, scores: np.ndarray, threshold: float) -> float:
    return cost(labels, scores, threshold, NEWSROOM)


def _chosen_on_all(
    labels: np.ndarray, scores: np.ndarray, people: np.ndarray, half: np.ndarray, choose: Choose, cost: Cost
) -> tuple[float, float]:
    own, threshold = np.isin(people, half), choose(labels, scores)
    return cost(labels[own], scores[own], threshold), cost(labels[~own], scores[~own], threshold)


def _chosen_twice(
    labels: np.ndarray, scores: np.ndarray, people: np.ndarray, half: np.ndarray, choose: Choose, cost: Cost
) -> tuple[float, ...]:
    parts = [(labels[kept], scores[kept]) for kept in (np.isin(people, half), ~np.isin(people, half))]
    return tuple(cost(*part, choose(*part)) for part in parts)


def _billed_on_all(
    labels: np.ndarray, scores: np.ndarray, people: np.ndarray, half: np.ndarray, choose: Choose, cost: Cost
) -> tuple[float, float]:
    own = np.isin(people, half)
    threshold = choose(labels[own], scores[own])
    return cost(labels[own], scores[own], threshold), cost(labels, scores, threshold)


def _halves_swapped(
    labels: np.ndarray, scores: np.ndarray, people: np.ndarray, half: np.ndarray, choose: Choose, cost: Cost
) -> tuple[float, float]:
    return promised_and_billed(labels, scores, people, np.setdiff1d(people, half), choose, cost)


def _threshold_alone(
    labels: np.ndarray, scores: np.ndarray, people: np.ndarray, half: np.ndarray, choose: Choose, _: Cost
) -> float:
    own = np.isin(people, half)
    return choose(labels[own], scores[own])


CHOICE = Exercise(
    "promised_and_billed", "Chosen here, billed there", minutes=8, difficulty=2,
    reference=promised_and_billed,
    cases=lambda generator: [_of_people(generator, people) for people in (6, 7, 8, 9, 10, 11, 12)],
    wrong={
        "Your threshold has seen everybody's clips. Choose it on those of `half` alone.": _chosen_on_all,
        "You choose anew for the others. They are billed for the threshold that was chosen without them.":
            _chosen_twice,
        "Your bill holds the clips that the threshold was chosen on. Bill the others alone.": _billed_on_all,
        "You choose on the others and promise them the bill: `half` are those to choose on.": _halves_swapped,
        "The two numbers have changed places: the promise first, then the bill.":
            lambda *words: promised_and_billed(*words)[::-1],
        "That is the threshold. Give what it costs, on the clips of `half` and on the others.": _threshold_alone,
        "The first number is the threshold. Give what it costs on the clips of `half`.":
            lambda *words: (_threshold_alone(*words), promised_and_billed(*words)[1]),
        "That is the bill alone. Give the promise before it: what the threshold costs on the clips of `half`.":
            lambda *words: promised_and_billed(*words)[1],
    },
    afterwards="This is what validation is for, and why its own number is too kind.",
)  # fmt: skip


# --- judgement


def _share(guess: object) -> float:
    """What somebody took for a share: a number, also as text, in per cent, or as an array of one; NaN where none is."""
    scale = 1.0
    if isinstance(guess, str):
        scale = 0.01 if guess.strip().endswith("%") else 1.0
        guess = with_point(guess.strip().removesuffix("%"))
    try:
        return scale * float(np.asarray(guess, float).item())
    except (TypeError, ValueError, RuntimeError):
        return float("nan")


def check_threshold(threshold: object, labels: plots.Labels, scores: plots.Numbers, desk: Desk) -> None:
    """Say what a learner's threshold costs a desk, beside the cheapest one and beside no detector, in one line or two.

    Args:
        threshold: theirs.
        labels: of the validation clips.
        scores: P(fake) of each.
        desk: whose costs.
    """
    if threshold is None or threshold is ...:
        print("Not attempted yet: put a number in place of None.")
        return
    own = _share(threshold)
    if not 0 <= own <= 1:
        print(f"Not yet: {threshold!r} is no number between 0 and 1.")
        return
    lost, least = (cost(labels, scores, each, desk) for each in (own, best_threshold(labels, scores, desk)))
    (how, blind), answers = without_detector(desk), np.asarray(scores, float) >= own
    print(f"The {desk.name} loses {lost:,.0f} points on 100 clips at {own:g}; the cheapest threshold loses "
          f"{least:,.0f}, no detector {blind.total:,.0f} ({how}).")  # fmt: skip
    parts = bill(labels, answers, desk)
    dearer, way = ("false alarms", "up") if parts.alarms > parts.misses else ("misses", "down")
    if lost >= blind.total > least:
        print(f"Not yet: that is no better than no detector. Your {dearer} cost most. Which way should it go?")
    elif lost > least + 0.05 * (blind.total - least):
        print(f"Not yet: better than no detector. Most of what is lost are {dearer}. A little {way}?")
    else:
        print("Right, on these clips. Now defend it to somebody who asks how many clips these are.")
