"""How sure one can be: intervals by person, whether one detector beats another, several runs, means of clips.

What is drawn are units of people: those who share a film, with all their clips, real and fake. Two clips of one person
are no two measurements of how a detector judges people, and an interval that takes them as such is too narrow. Where
nobody says who is in a clip, clips are drawn, and the truth is wider.
"""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from torchfakes_utils.errors import InputError
from torchfakes_utils.io.tables import CLIP_KEY
from torchfakes_utils.metrics.binary import binary_metrics, checked
from torchfakes_utils.metrics.bootstrap import METRICS, Sampling, replicate_metrics, weighted_means
from torchfakes_utils.metrics.config import MEAN_REPLICATES, REPLICATES
from torchfakes_utils.metrics.people import knows_people, units

# Metrics of which less is better.
SMALLER_IS_BETTER = ("eer", "fpr", "fnr", "loss", "brier")

# What is drawn: people who share a film, with all of them; whose film it is, where all people are linked; clips.
DrawnBy = Literal["person", "target", "clip"]


def sampling(rows: pd.DataFrame, replicates: int = REPLICATES, seed: int = 0) -> tuple[Sampling, DrawnBy]:
    """How data sets like a table are drawn, and by what.

    By person: clips that share one, directly or through others, go together. Where faces were swapped so often that
    this links all fakes, or all reals, by target alone: whose film it is. Where nobody is known, by clip, as many of
    each class as there are.

    Args:
        rows: with `label`; a row a clip, or a row a frame, with `CLIP_KEY`; without it, each row is a clip.
        replicates, seed: data sets, and the seed of the draw.
    """
    rows = rows if set(CLIP_KEY) <= set(rows) else rows.assign(**dict.fromkeys(CLIP_KEY, np.arange(len(rows))))
    labels = rows["label"].to_numpy(int)
    if not knows_people(rows):
        return Sampling(units(rows), labels, replicates, seed, by_class=True), "clip"
    linked = Sampling(units(rows), labels, replicates, seed)
    by_target = Sampling(units(rows.drop(columns="source_id", errors="ignore")), labels, replicates, seed)
    return (by_target, "target") if by_target.varies and not linked.varies else (linked, "person")


def _too_few(by: DrawnBy) -> str:
    return f"a class has fewer than two {'clips' if by == 'clip' else 'groups of people'} to draw from"


def intervals(
    scores: pd.DataFrame, threshold: float = 0.5, replicates: int = REPLICATES, seed: int = 0
) -> dict[str, tuple[float, float]] | None:
    """How far each metric could have strayed had other people of the same kind been filmed: 95 % intervals.

    People are drawn with all their clips, not frames (the frames of one clip are near copies, and counting them as
    independent gives an interval several times too narrow); see `sampling` and `bootstrap.bca`. Where every fake scores
    above every real one, the interval of an AUC has no width: it cannot show what it has not seen.

    Args:
        scores: with `label` and `probability_fake`, and `PERSON_COLUMNS` where people are known; a row a clip, as from
            `by_clip`, or a row a frame, with `CLIP_KEY`.
        threshold: for the metrics that need one.
        replicates: how many data sets to draw.
        seed: of the draw; the same seed gives the same intervals.

    Returns:
        {metric: (low, high)} for `METRICS`; None where a class has fewer than two units, for then nothing can vary.

    Raises:
        InputError: scores that are not probabilities.
    """
    truth, values = checked(scores["label"], scores["probability_fake"])
    drawn, _ = sampling(scores, replicates, seed)
    if not drawn.varies:
        return None
    found = replicate_metrics(truth, values, threshold, drawn)
    return {name: drawn.interval(found[name]) for name in METRICS}


def bootstrap_interval(
    clips: pd.DataFrame, metric: str = "auc", replicates: int = REPLICATES, seed: int = 0
) -> tuple[float, float] | None:
    """The interval of one of `bootstrap.METRICS`, at a threshold of 0.5; see `intervals`.

    Raises:
        InputError: an unknown metric, or scores that are not probabilities.
    """
    if metric not in METRICS:
        raise InputError(f"no interval for {metric!r}; choose one of {', '.join(METRICS)}")
    found = intervals(clips, 0.5, replicates, seed)
    return None if found is None else found[metric]


def with_intervals(scores: pd.DataFrame, threshold: float = 0.5, replicates: int = REPLICATES) -> dict[str, Any]:
    """`binary_metrics`, and beside each metric its interval; the arguments are those of `intervals`.

    Returns:
        As `binary_metrics`; for each of `METRICS` also `<metric>_interval`, [low, high] at 95 %, or None with a reason;
        and `drawn_by` and `units`: what was drawn, and of how many.
    """
    result = binary_metrics(scores["label"], scores["probability_fake"], threshold)
    reasons, found = result["reasons"], intervals(scores, threshold, replicates)
    drawn, by = sampling(scores)
    for name in METRICS:
        if found is not None and result[name] is not None:
            result[f"{name}_interval"] = list(found[name])
        else:
            result[f"{name}_interval"] = None
            reasons[f"{name}_interval"] = reasons.get(name, _too_few(by))
    return result | {"drawn_by": by, "units": drawn.count}


def compare(
    first: pd.DataFrame,
    second: pd.DataFrame,
    thresholds: tuple[float, float] = (0.5, 0.5),
    replicates: int = REPLICATES,
) -> dict[str, dict[str, Any]]:
    """Whether one detector is better than another on the same clips: `compare_runs` of one run each."""
    return compare_runs([first], [second], (thresholds[:1], thresholds[1:]), replicates)


def compare_runs(
    ours: Sequence[pd.DataFrame],
    theirs: Sequence[pd.DataFrame],
    thresholds: tuple[Sequence[float], Sequence[float]],
    replicates: int = REPLICATES,
) -> dict[str, dict[str, Any]]:
    """Whether one detector, or the mean of some runs, is better than another on the same clips: a paired bootstrap.

    All are measured on the same drawn people, so that what makes a clip hard for both cancels out. The interval of the
    difference is the answer; whether the two intervals overlap is not. Of several runs the *metrics* are averaged: mean
    scores would make an ensemble, which is better than its members, so that more runs would always win.

    Args:
        ours, theirs: runs with the same clips, a row each, from `by_clip`; or the same crops, with `frame`.
        thresholds: of either's runs.
        replicates: how many data sets to draw.

    Returns:
        {metric: {"first", "second" (means over the runs), "difference" (first minus second), "interval" [low, high] at
        95 %, for these very runs, "better" (share of the data sets in which the first is the better one, ties as
        halves)}} for `bootstrap.METRICS`; of a metric that cannot be computed all are None, and "reason" says why.

    Raises:
        InputError: the clips or their labels are not the same.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 8 (paired data).
    """
    points, drawn, how = _measured([*ours, *theirs], [*thresholds[0], *thresholds[1]], replicates)
    result: dict[str, dict[str, Any]] = {}
    for name in METRICS:
        row: dict[str, Any] = dict.fromkeys(("first", "second", "difference", "interval", "better"))
        result[name] = row
        if points[0][name] is None:
            row["reason"] = points[0]["reasons"][name]
            continue
        values = [point[name] for point in points]
        row["first"], row["second"] = (float(np.mean(own)) for own in (values[: len(ours)], values[len(ours) :]))
        row["difference"] = row["first"] - row["second"]
        if not drawn:
            row["reason"] = _too_few(sampling(ours[0])[1])
            continue
        by_run = [one[name] for one in drawn]
        gaps = np.mean(by_run[: len(ours)], axis=0) - np.mean(by_run[len(ours) :], axis=0)
        ahead = how.drawn(-gaps if name in SMALLER_IS_BETTER else gaps)
        better = float(np.mean(ahead > 0) + np.mean(ahead == 0) / 2)
        row |= {"interval": list(how.interval(gaps)), "better": better}
    return result


def over_runs(
    runs: Sequence[pd.DataFrame], thresholds: Sequence[float], replicates: int = REPLICATES
) -> dict[str, dict[str, Any]]:
    """Several runs of a recipe that differ in their seed: each, their mean, and how far that depends on who was filmed.

    The runs are not drawn anew: two or three say too little about what other seeds would do. Their values are there to
    be seen.

    Args:
        runs: a row a clip each, from `by_clip`, the same clips in all; or a row a crop, with `frame`, the same crops.
        thresholds: of the runs.
        replicates: how many data sets to draw.

    Returns:
        {metric: {"mean", "values" (by run), "interval" [low, high] at 95 % of the mean of these very runs}}; None
        where it cannot be computed.

    Raises:
        InputError: the clips or their labels are not the same.
    """
    points, drawn, how = _measured(runs, thresholds, replicates)
    result: dict[str, dict[str, Any]] = {}
    for name in METRICS:
        values = [point[name] for point in points]
        row = result[name] = {"mean": None, "values": values, "interval": None}
        if None in values:
            continue
        row["mean"] = float(np.mean(values))
        if drawn:
            row["interval"] = list(how.interval(np.mean([one[name] for one in drawn], axis=0)))
    return result


def mean_by_clip(
    values: ArrayLike,
    clips: Sequence[object] | np.ndarray,
    people: np.ndarray | None = None,
    replicates: int = MEAN_REPLICATES,
    seed: int = 0,
) -> tuple[float, float, float]:
    """Mean over clips of the means of their crops, and its 95 % interval by person, or by clip where nobody is known.

    Args:
        values: (N,), one a crop; NaN is left out.
        clips: (N,) which clip each crop is of.
        people: (N,) which people each clip shows, as from `people_drawn`; None draws clips.
        replicates, seed: of the bootstrap.

    Returns:
        Mean, low, high; NaN where nothing is left; an interval of NaN for a single unit.
    """
    values = np.asarray(values, np.float64)
    kept = ~np.isnan(values)
    if not kept.any():
        return np.nan, np.nan, np.nan
    drawn = ClipMeans(np.asarray(clips, object)[kept], None if people is None else people[kept], replicates, seed)
    found = drawn.of(values[kept, None])[:, 0]
    return float(found[0]), *drawn.interval(found)


class ClipMeans:
    """Means over clips of the means of their crops, on data sets that are drawn.

    Args:
        clips: (N,) which clip each crop is of.
        people: (N,) which people each clip shows; None draws clips.
        replicates, seed: of the bootstrap.
    """

    def __init__(self, clips: np.ndarray, people: np.ndarray | None, replicates: int, seed: int) -> None:
        self._clips = pd.factorize(clips)[0]
        drawn = self._clips if people is None else pd.factorize(people)[0]
        of_clip = drawn[np.unique(self._clips, return_index=True)[1]]
        self._sampling = Sampling(of_clip, np.zeros(len(of_clip), int), replicates, seed)

    def of(self, values: np.ndarray) -> np.ndarray:
        """The means of crops, (N, K), on all data sets, (·, K); the first is that of the data at hand."""
        means = pd.DataFrame(values).groupby(self._clips).mean().to_numpy()
        return weighted_means(means, self._sampling)

    def interval(self, found: np.ndarray) -> tuple[float, float]:
        """The 95 % interval of what is made of such means, (·,); NaN of a single unit."""
        return self._sampling.interval(found) if self._sampling.count > 1 else (np.nan, np.nan)


def people_drawn(rows: pd.DataFrame) -> np.ndarray:
    """The units that means are drawn by, (N,): `people.units`, or by target alone where swaps link all people."""
    found = units(rows)
    return units(rows.drop(columns="source_id", errors="ignore")) if found.max(initial=0) == 0 else found


def _measured(
    tables: Sequence[pd.DataFrame], thresholds: Sequence[float], replicates: int
) -> tuple[list[dict[str, Any]], list[dict[str, np.ndarray]], Sampling]:
    """The metrics of tables of the same clips; the same of data sets, the same for all, none where nothing can vary;
    and how these were drawn.

    Raises:
        InputError: the clips or their labels are not the same.
    """
    key = [*CLIP_KEY, "frame"] if all("frame" in rows for rows in tables) else CLIP_KEY
    tables = [rows.sort_values(key).reset_index(drop=True) for rows in tables]
    facts = [*key, "label"]
    for other in tables[1:]:
        if len(other) != len(tables[0]) or not (other[facts] == tables[0][facts]).all(axis=None):
            raise InputError(
                f"the two tables of scores hold other clips ({len(tables[0])} and {len(other)}) or labels; score the "
                "same split of the same faces.csv with both detectors"
            )
    truth, (how, _) = tables[0]["label"].to_numpy(), sampling(tables[0], replicates)
    scored = [(clips["probability_fake"].to_numpy(float), at) for clips, at in zip(tables, thresholds, strict=True)]
    points = [binary_metrics(truth, scores, at) for scores, at in scored]
    drawn = [replicate_metrics(truth, scores, at, how) for scores, at in scored] if how.varies else []
    return points, drawn, how
