"""What learners write in lesson 04: a grouped split, what it leaves, balanced accuracy, and the sampler's weights."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from torchfakes_utils.course import comparison
from torchfakes_utils.course.practice import Exercise

Rows = tuple[Any, Any]

# --- a split that keeps groups together


def hold_out(groups: ArrayLike, order: ArrayLike, share: float) -> Rows:
    """Rows to train on, and rows to hold out: the first `share` of the groups, in a given order, are held out.

    Args:
        groups: (N,) the group of each row.
        order: the names of all groups, each once, shuffled.
        share: of the groups, 0 to 1.
    """
    names = np.asarray(order)[: round(share * len(np.asarray(order)))]
    out = np.isin(groups, names)
    return np.flatnonzero(~out), np.flatnonzero(out)


def _first_rows(groups: np.ndarray, _: np.ndarray, share: float) -> Rows:
    rows = np.arange(len(groups))
    return rows[round(share * len(rows)) :], rows[: round(share * len(rows))]


def _groups(generator: np.random.Generator) -> Iterator[tuple[np.ndarray, np.ndarray, float]]:
    yield np.array(["b", "a", "b", "c"]), np.array(["b", "c", "a"]), 1 / 3  # that of the lesson
    for names, share in ((5, 0.4), (8, 0.25), (7, 0.4), (3, 0.4)):
        # Group k has k + 1 rows or so: to hold out rows, or other groups, cannot come out right by chance.
        groups = generator.permutation(np.repeat([f"{name:03d}" for name in range(names)], np.arange(names) + 2))
        order, count = np.unique(groups), round(share * names)
        while set(order[:count]) in (set(np.unique(groups)[:count]), set(order[-count:])):
            order = generator.permutation(order)
        yield groups, order, share


def _sides_differ(expected: Rows, found: Any) -> str:
    """As `comparison.difference`, side by side, of rows in any order, sets of them included."""
    if not isinstance(found, list | tuple) or len(found) != len(expected):
        return f"yours is {comparison.describe(found)}, and two arrays of row numbers are expected"
    for part, *sides in zip(("rows to train on", "rows held out"), expected, found, strict=True):
        if said := comparison.difference(*map(_in_order, sides)):
            return f"of the {part}, {said}"
    return ""


def _in_order(side: Any) -> Any:
    """Row numbers from the lowest to the highest; anything else as it is."""
    rows = np.asarray(list(side) if isinstance(side, set | frozenset) else comparison.plain(side))
    return np.sort(rows) if rows.ndim == 1 and rows.dtype.kind in "iu" else side


HOLD_OUT = Exercise(
    "hold_out",
    "Keep together what belongs together",
    minutes=8,
    difficulty=2,
    reference=hold_out,
    cases=_groups,
    difference=_sides_differ,
    wrong={
        "You hold out rows, so a group may lie on both sides. Choose names, then all rows with these names.": (
            _first_rows
        ),
        "The two sides are swapped: the rows to train on come first.": lambda groups, order, share: hold_out(
            groups, order, share
        )[::-1],
        "You give True and False for each row; the numbers of the rows are asked for (np.flatnonzero).": (
            lambda groups, order, share: (
                ~np.isin(groups, order[: round(share * len(order))]),
                np.isin(groups, order[: round(share * len(order))]),
            )
        ),
        "You give names; the numbers of their rows are asked for (np.isin, then np.flatnonzero).": (
            lambda groups, order, share: (order[round(share * len(order)) :], order[: round(share * len(order))])
        ),
        "You take names in the order of the alphabet; `order` is the shuffled one.": lambda groups, order, share: (
            hold_out(groups, np.unique(groups), share)
        ),
        "You hold out the last names; the first ones of `order` are asked for.": lambda groups, order, share: hold_out(
            groups, order[::-1], share
        ),
        "int() cuts off where round() rounds, so you hold out a group too few.": lambda groups, order, share: hold_out(
            groups, order, int(share * len(order)) / len(order)
        ),
        "math.ceil() rounds up where round() may round down, so you hold out a group too many.": (
            lambda groups, order, share: hold_out(groups, order, math.ceil(share * len(order)) / len(order))
        ),
        "np.isin does not look into a set, so nothing is found. Give it a list or an array.": (
            lambda groups, order, share: (np.arange(len(groups)), np.arange(0))
        ),
        "np.where gives a tuple, with the row numbers inside. Take np.flatnonzero.": lambda groups, order, share: tuple(
            (rows,) for rows in hold_out(groups, order, share)
        ),
    },
    afterwards="No group lies on both sides, whatever the groups are.",
)


# --- what a split leaves


def share_known(training: pd.DataFrame, held_out: pd.DataFrame) -> float:
    """The share of held-out crops that show somebody, as target or as source, who is in training in either part.

    Args:
        training, held_out: tables with `target_id` and `source_id`, which is "" for a real clip.
    """
    known = (set(training["target_id"]) | set(training["source_id"])) - {""}
    return float((held_out["target_id"].isin(known) | held_out["source_id"].isin(known)).mean())


def _known(training: pd.DataFrame, held_out: pd.DataFrame, nobody: bool = False) -> tuple[pd.Series, pd.Series]:
    """Whether target and source are known, each from both columns of training; `nobody` counts "" as a person."""
    people = (set(training["target_id"]) | set(training["source_id"])) - (set() if nobody else {""})
    return held_out["target_id"].isin(people), held_out["source_id"].isin(people)


def _column_by_column(training: pd.DataFrame, held_out: pd.DataFrame) -> float:
    target = held_out["target_id"].isin(training["target_id"])
    source = held_out["source_id"].isin(set(training["source_id"]) - {""})
    return float((target | source).mean())


def _of_people(training: pd.DataFrame, held_out: pd.DataFrame) -> float:
    people = (set(held_out["target_id"]) | set(held_out["source_id"])) - {""}
    known = set(training["target_id"]) | set(training["source_id"])
    return len(people & known) / len(people)


def _splits(generator: np.random.Generator) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
    def table(rows: list[tuple[str, str, int]]) -> pd.DataFrame:
        crops = [(target, source) for target, source, count in rows for _ in range(count)]
        crops = [crops[number] for number in generator.permutation(len(crops))]
        return pd.DataFrame(crops, columns=["target_id", "source_id"])

    yield table([("000", "003", 1)]), table([("003", "", 1), ("004", "005", 1)])  # that of the lesson
    for _ in range(3):
        a, b, c, d, e, f, g, h, k, m = (f"{number:03d}" for number in generator.permutation(40)[:10])
        count = generator.permutation([1, 3, 5, 8, 11, 15])  # so far apart that no two mistakes give one share
        training = table([(a, "", 3), (a, b, 2), (c, d, 2), (e, "", 1)])
        # Held out: a known target; a target known only as a source; a source known as target; as source; both; nobody;
        # a source known from a real clip alone.
        held_out = table(
            [
                (a, f, count[0]), (b, g, count[1]), (f, c, count[2]), (g, d, count[3]), (a, d, 1),
                (h, "", count[4]), (k, m, count[5]), (d, "", 2), (h, e, 1),
            ]
        )  # fmt: skip
        yield training, held_out


SHARE_KNOWN = Exercise(
    "share_known",
    "Who is on both sides?",
    minutes=8,
    difficulty=2,
    reference=share_known,
    cases=_splits,
    wrong={
        "A fake shows two people. You look for the target alone.": lambda training, held_out: _known(
            training, held_out
        )[0].mean(),
        "A fake shows two people. You look for the source alone.": lambda training, held_out: _known(
            training, held_out
        )[1].mean(),
        "You compare targets with targets and sources with sources. A target here may be a source there: put both "
        "columns into one set.": _column_by_column,
        "You compare targets with targets only.": lambda training, held_out: (
            held_out["target_id"].isin(training["target_id"]).mean()
        ),
        "A real clip has no source: its empty name is nobody, so take it out of the set.": lambda training, held_out: (
            _known(training, held_out, True)[0] | _known(training, held_out, True)[1]
        ).mean(),
        "A real clip shows somebody, too: whoever is in one of training is known.": lambda training, held_out: (
            share_known(training[training["source_id"] != ""], held_out)
        ),
        "All held-out crops count here, real ones too.": lambda training, held_out: share_known(
            training, held_out[held_out["source_id"] != ""]
        ),
        "One of the two is enough: use | (or), not & (and).": lambda training, held_out: (
            _known(training, held_out)[0] & _known(training, held_out)[1]
        ).mean(),
        "You count people. The share of crops is asked for.": _of_people,
        "That is the number of crops. The share is asked for, 0 to 1.": lambda training, held_out: int(
            (_known(training, held_out)[0] | _known(training, held_out)[1]).sum()
        ),
        "That is the share that shows nobody known.": lambda training, held_out: 1 - share_known(training, held_out),
    },
    afterwards="An honest split gives 0.",
)


# --- a score that a constant cannot win


def balanced_accuracy(labels: ArrayLike, answers: ArrayLike) -> float:
    """The mean of two shares: of the reals that are called real, and of the fakes that are called fake.

    Args:
        labels: (N,) 0 is real, 1 is fake; both are there.
        answers: (N,) what was said, 0 or 1.
    """
    truth, said = np.asarray(labels), np.asarray(answers)
    return float(((said[truth == 0] == 0).mean() + (said[truth == 1] == 1).mean()) / 2)


def _recall(labels: np.ndarray, answers: np.ndarray, label: int) -> float:
    return float((answers[labels == label] == label).mean())


def _precision(labels: np.ndarray, answers: np.ndarray, label: int) -> float:
    return float((labels[answers == label] == label).mean())


def _answers(generator: np.random.Generator) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    yield np.array([0, 0, 1, 1, 1, 1]), np.array([0, 1, 1, 1, 1, 0])  # that of the lesson
    for reals, fakes, right_reals, right_fakes in ((5, 20, 2, 17), (9, 23, 7, 16), (4, 30, 1, 28)):
        labels = np.repeat([0, 1], [reals, fakes])
        answers = np.repeat([0, 1, 1, 0], [right_reals, reals - right_reals, right_fakes, fakes - right_fakes])
        order = generator.permutation(len(labels))
        yield labels[order], answers[order]


BALANCED_ACCURACY = Exercise(
    "balanced_accuracy",
    "A score that a constant cannot win",
    minutes=5,
    difficulty=1,
    reference=balanced_accuracy,
    cases=_answers,
    wrong={
        "That is accuracy: a constant answer wins it where one class is rare. Take each class by itself.": (
            lambda labels, answers: (labels == answers).mean()
        ),
        "That is the share of the fakes that are found. Take the mean with the share of the reals.": (
            lambda labels, answers: _recall(labels, answers, 1)
        ),
        "That is the share of the reals that are found. Take the mean with the share of the fakes.": (
            lambda labels, answers: _recall(labels, answers, 0)
        ),
        "You add the two shares. Take their mean: half of the sum.": lambda labels, answers: (
            _recall(labels, answers, 0) + _recall(labels, answers, 1)
        ),
        "You ask how many alarms are right (precision). Ask how many of each class are found.": (
            lambda labels, answers: (_precision(labels, answers, 0) + _precision(labels, answers, 1)) / 2
        ),
        "You divide by all crops. Divide by the number of crops of each class.": lambda labels, answers: (
            (((labels == 0) & (answers == 0)).mean() + ((labels == 1) & (answers == 1)).mean()) / 2
        ),
        "Yours is the share of mistakes. Count what is right.": lambda labels, answers: (
            1 - balanced_accuracy(labels, answers)
        ),
    },
)


# --- what the sampler draws


def sampler_weights(methods: ArrayLike) -> np.ndarray:
    """A weight for each crop: half of all draws are real, every manipulation has the same part of the other half.

    Args:
        methods: (N,) "real", or the name of the manipulation.
    """
    names = np.asarray(methods, dtype=str)
    kinds, where, counts = np.unique(names, return_inverse=True, return_counts=True)
    share = np.where(kinds == "real", 1 / 2, 1 / 2 / (len(kinds) - 1))
    return np.asarray(share[where] / counts[where])


def in_proportion(expected: Any, found: Any) -> str:
    """`comparison.difference` of weights, of which only the proportions count."""
    shares = _shares(found)
    said = comparison.difference(_shares(expected), shares)
    return f"in proportion, {said}" if said and shares is not found else said


def _shares(weights: Any) -> Any:
    """Weights that add up to 1; whatever has no positive sum stays as it is."""
    try:
        numbers = np.asarray(weights.detach() if hasattr(weights, "detach") else weights, float)
    except (TypeError, ValueError):
        return weights
    total = numbers.sum()
    return numbers / total if numbers.ndim and np.isfinite(total) and total > 0 else weights


def _counts(names: np.ndarray) -> np.ndarray:
    """How many crops have the same method, for each crop."""
    _, where, counts = np.unique(names, return_inverse=True, return_counts=True)
    return np.asarray(counts[where])


def _by_class(names: np.ndarray) -> np.ndarray:
    real = names == "real"
    return np.asarray(np.where(real, 0.5 / real.sum(), 0.5 / (~real).sum()))


def _share_alone(names: np.ndarray) -> np.ndarray:
    return np.asarray(np.where(names == "real", 0.5, 0.5 / (len(np.unique(names)) - 1)))


def _methods(generator: np.random.Generator) -> Iterator[tuple[np.ndarray]]:
    yield (np.array(["real", "real", "A", "B", "A"]),)  # that of the lesson
    for counts in ((3, 7, 4), (5, 12, 9, 20, 15), (8, 3, 5, 6)):
        names = ["real", "Deepfakes", "Face2Face", "FaceSwap", "NeuralTextures"][: len(counts)]
        yield (generator.permutation(np.repeat(names, counts)),)


SAMPLER_WEIGHTS = Exercise(
    "sampler_weights",
    "What the sampler draws",
    minutes=8,
    difficulty=2,
    reference=sampler_weights,
    cases=_methods,
    wrong={
        "You give each crop the share of its whole group. Divide by the number of crops in that group.": _share_alone,
        "Real and fake are balanced, the manipulations are not: give each the same part of the fakes' half.": _by_class,
        "All groups weigh the same, so that few draws are real. The reals get one half.": lambda names: (
            1 / _counts(names)
        ),
        "A weight is asked for each crop, and yours are for each method.": lambda names: (
            _share_alone(np.unique(names)) / np.unique(names, return_counts=True)[1]
        ),
        "You multiply by the group's size where you should divide by it.": lambda names: (
            _share_alone(names) * _counts(names)
        ),
        "Your weight grows with the number of crops. The more there are of a method, the less each of them weighs.": (
            _counts
        ),
        "Every crop weighs the same: that is a plain shuffle.": lambda names: np.ones(len(names)),
    },
    difference=in_proportion,
    afterwards="`samplers.balanced_sampler` has the same weights.",
)
