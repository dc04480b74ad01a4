"""How sure one can be: intervals by clip, whether one detector beats another, recipes over their seeds, means of clips.

The unit is the clip. Clips that share a person are still taken as independent: with few people the truth is wider.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from torchfakes_utils.errors import InputError
from torchfakes_utils.io.tables import CLIP_KEY
from torchfakes_utils.metrics.binary import binary_metrics, checked
from torchfakes_utils.metrics.bootstrap import METRICS, percentiles, replicate_means, replicate_metrics
from torchfakes_utils.metrics.config import MEAN_REPLICATES, REPLICATES

# Metrics of which less is better.
SMALLER_IS_BETTER = ("eer", "fpr", "fnr", "loss", "brier")

_TOO_FEW = "a class has fewer than two clips to draw from"


def intervals(
    scores: pd.DataFrame, threshold: float = 0.5, replicates: int = REPLICATES, seed: int = 0
) -> dict[str, tuple[float, float]] | None:
    """How far each metric could have strayed had other clips of the same kind been drawn: 95 % percentile intervals.

    Clips are resampled, not frames (the frames of one clip are near copies, and counting them as independent gives an
    interval several times too narrow), and within each class, so that every replicate keeps the number of reals and
    fakes. Where every fake scores above every real one, the interval of an AUC has no width: it cannot show what it
    has not seen.

    Args:
        scores: with `label` and `probability_fake`; a row a clip, as from `by_clip`, or a row a frame, with `CLIP_KEY`.
        threshold: for the metrics that need one.
        replicates: how many data sets to draw.
        seed: of the draw; the same seed gives the same intervals.

    Returns:
        {metric: (low, high)} for `METRICS`; None where a class has fewer than two clips, for then nothing can vary.

    Raises:
        InputError: scores that are not probabilities.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 13.
    """
    truth, values = checked(scores["label"], scores["probability_fake"])
    drawn = replicate_metrics(truth, values, threshold, replicates, seed, _clip_numbers(scores))
    return None if drawn is None else {name: percentiles(drawn[name]) for name in METRICS}


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
        As `binary_metrics`; for each of `METRICS` also `<metric>_interval`, [low, high] at 95 %, or None with a reason.
    """
    result = binary_metrics(scores["label"], scores["probability_fake"], threshold)
    reasons, found = result["reasons"], intervals(scores, threshold, replicates)
    for name in METRICS:
        if found is not None and result[name] is not None:
            result[f"{name}_interval"] = list(found[name])
        else:
            result[f"{name}_interval"] = None
            reasons[f"{name}_interval"] = reasons.get(name, _TOO_FEW)
    return result


def compare(
    first: pd.DataFrame,
    second: pd.DataFrame,
    thresholds: tuple[float, float] = (0.5, 0.5),
    replicates: int = REPLICATES,
) -> dict[str, dict[str, Any]]:
    """Whether one detector is better than another on the same clips: a paired bootstrap.

    Both are measured on the same resampled clips, so that what makes a clip hard for both cancels out. The interval of
    the difference is the answer; whether the two intervals overlap is not.

    Args:
        first, second: the same clips, a row each, from `by_clip`, with the scores of either detector.
        thresholds: of the two.
        replicates: how many data sets to draw.

    Returns:
        {metric: {"first", "second", "difference" (first minus second), "interval" [low, high] at 95 %,
        "better" (share of the data sets in which the first is the better one, ties as halves)}} for
        `bootstrap.METRICS`; of a metric that cannot be computed all are None, and "reason" says why.

    Raises:
        InputError: the clips or their labels are not the same.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 8 (paired data).
    """
    points, drawn = _measured([first, second], thresholds, replicates)
    result: dict[str, dict[str, Any]] = {}
    for name in METRICS:
        one, two = (point[name] for point in points)
        row = result[name] = {"first": one, "second": two, "difference": None, "interval": None, "better": None}
        if one is None:
            row["reason"] = points[0]["reasons"][name]
            continue
        row["difference"] = one - two
        if not drawn:
            row["reason"] = _TOO_FEW
            continue
        gaps = drawn[0][name] - drawn[1][name]
        ahead = -gaps if name in SMALLER_IS_BETTER else gaps
        row |= {"interval": list(percentiles(gaps)), "better": float(np.mean(ahead > 0) + np.mean(ahead == 0) / 2)}
    return result


def over_runs(
    runs: Sequence[pd.DataFrame], thresholds: Sequence[float], replicates: int = REPLICATES
) -> dict[str, dict[str, Any]]:
    """A recipe rather than one training: the metrics of several runs that differ in their seed.

    Args:
        runs: a row a clip each, from `by_clip`; the same clips in all.
        thresholds: of the runs.
        replicates: how many data sets to draw.

    Returns:
        {metric: {"mean", "sd" (between the runs; None for one), "values" (by run), "interval" [low, high] at 95 % of
        the mean, when clips *and* runs are drawn anew}}; None where it cannot be computed.

    Raises:
        InputError: the clips or their labels are not the same.
    """
    points, drawn = _measured(runs, thresholds, replicates)
    which = np.random.default_rng([0, 1]).integers(0, len(runs), (replicates, len(runs)))
    result: dict[str, dict[str, Any]] = {}
    for name in METRICS:
        values = [point[name] for point in points]
        row = result[name] = {"mean": None, "sd": None, "values": values, "interval": None}
        if None in values:
            continue
        row |= {"mean": float(np.mean(values)), "sd": float(np.std(values, ddof=1)) if len(values) > 1 else None}
        if drawn:
            by_run = np.column_stack([one[name] for one in drawn])  # (replicates, runs)
            row["interval"] = list(percentiles(np.take_along_axis(by_run, which, axis=1).mean(axis=1)))
    return result


def mean_by_clip(
    values: ArrayLike, clips: Sequence[object] | np.ndarray, replicates: int = MEAN_REPLICATES, seed: int = 0
) -> tuple[float, float, float]:
    """Mean over clips of the means of their crops, and its 95 % interval by clip.

    Args:
        values: (N,), one a crop; NaN is left out.
        clips: (N,) which clip each crop is of.
        replicates, seed: of the bootstrap.

    Returns:
        Mean, low, high; NaN where nothing is left; an interval of NaN for a single clip.
    """
    values, clips = np.asarray(values, np.float64), np.asarray(clips, object)
    kept = ~np.isnan(values)
    if not kept.any():
        return np.nan, np.nan, np.nan
    means = clip_means(values[kept, None], clips[kept])[:, 0]
    interval = percentiles(replicate_means(means, replicates, seed)) if len(means) > 1 else (np.nan, np.nan)
    return float(means.mean()), *interval


def clip_means(values: np.ndarray, clips: np.ndarray) -> np.ndarray:
    """(N, K) of crops to (C, K) of their clips, in the order in which these first come."""
    means: np.ndarray = pd.DataFrame(values).groupby(pd.factorize(clips)[0]).mean().to_numpy()
    return means


def _measured(
    tables: Sequence[pd.DataFrame], thresholds: Sequence[float], replicates: int
) -> tuple[list[dict[str, Any]], list[dict[str, np.ndarray]]]:
    """The metrics of tables of the same clips, and their replicates, of the same draws; none where nothing can vary.

    Raises:
        InputError: the clips or their labels are not the same.
    """
    tables = [clips.sort_values(CLIP_KEY).reset_index(drop=True) for clips in tables]
    facts = [*CLIP_KEY, "label"]
    for other in tables[1:]:
        if len(other) != len(tables[0]) or not (other[facts] == tables[0][facts]).all(axis=None):
            raise InputError(
                f"the two tables of scores hold other clips ({len(tables[0])} and {len(other)}) or labels; score the "
                "same split of the same faces.csv with both detectors"
            )
    truth = tables[0]["label"].to_numpy()
    scored = [(clips["probability_fake"].to_numpy(float), at) for clips, at in zip(tables, thresholds, strict=True)]
    points = [binary_metrics(truth, scores, at) for scores, at in scored]
    drawn = [replicate_metrics(truth, scores, at, replicates, seed=0) for scores, at in scored]
    return points, [one for one in drawn if one is not None]


def _clip_numbers(scores: pd.DataFrame) -> np.ndarray | None:
    """Which clip each row is of, (N,) from 0 on; None where the table is a row a clip or does not say."""
    if not set(CLIP_KEY) <= set(scores.columns) or not scores.duplicated(CLIP_KEY).any():
        return None
    numbers: np.ndarray = scores.groupby(CLIP_KEY, sort=False).ngroup().to_numpy()
    return numbers
