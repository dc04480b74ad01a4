"""What a table of scores says: metrics by frame, by clip, by manipulation and compression; calibration; abstention."""

from typing import Any

import numpy as np
import pandas as pd
from sklearn import metrics as sklearn_metrics

from torchfakes_utils.errors import InputError
from torchfakes_utils.metrics.binary import AGGREGATIONS, by_clip
from torchfakes_utils.metrics.calibration import probability, reliability, risk_coverage
from torchfakes_utils.metrics.config import REPLICATES
from torchfakes_utils.metrics.intervals import compare, with_intervals
from torchfakes_utils.models.decision import Decision

# Points of a curve that are kept for machines to draw.
_POINTS = 200
# Of the ways to score a clip these metrics are compared: the threshold belongs to the mean alone.
_COMPARED = ("auc", "average_precision", "eer", "loss", "brier")


def summarise(
    scores: pd.DataFrame,
    split: str = "test",
    decision: Decision = Decision(),
    replicates: int = REPLICATES,
) -> dict[str, Any]:
    """The metrics of one split: by frame, by clip, and for each manipulation and compression.

    Args:
        scores: `scores.csv`, one split or several.
        split: the one to summarise.
        decision: whose threshold and temperature the scores were made with.
        replicates: of the bootstrap behind the intervals.

    Returns:
        Ready for JSON:

        - "split"; "frame" and "clip": `uncertainty.with_intervals`;
        - "methods": for each manipulation, its clips against *all* real clips: the same metrics, and `recall` (share
          of its clips called fake), `clips`, `frames`;
        - "compressions": for each, its own clips: the same metrics;
        - "aggregations": for each way to score a clip, the metrics that need no threshold;
        - "calibration": by "frame" and "clip" the expected calibration error, `ece` as the split is and `ece_balanced`
          where half were fake, and the `bins` of the former; `ece_uncalibrated` is that at temperature 1;
        - "curves": of the clips "roc" and "precision_recall".

        What cannot be computed is None, and `reasons` beside it says why.

    Raises:
        InputError: no scores of that split, or scores that are not probabilities.
    """
    scores = scores[scores["split"] == split]
    if scores.empty:
        raise InputError(f"no scores of the split {split!r}; run `torchfakes evaluate` with --split {split}")
    clips, threshold = by_clip(scores), decision.threshold
    reals = clips[clips["label"] == 0]
    fakes = clips[clips["label"] == 1].groupby("method", sort=True)
    return {
        "split": split,
        "frame": with_intervals(scores, threshold, replicates),
        "clip": with_intervals(clips, threshold, replicates),
        "methods": {name: _method(rows, reals, threshold, replicates) for name, rows in fakes},
        "compressions": {
            str(name): with_intervals(rows, threshold, replicates) for name, rows in clips.groupby("compression")
        },
        "aggregations": _aggregations(scores, replicates),
        "calibration": _calibration(scores, clips),
        "curves": _curves(clips),
    }


def _method(rows: pd.DataFrame, reals: pd.DataFrame, threshold: float, replicates: int) -> dict[str, Any]:
    """One manipulation's clips against all real ones."""
    measured = with_intervals(pd.concat([rows, reals], ignore_index=True), threshold, replicates)
    recall = float(np.mean(rows["probability_fake"] >= threshold))
    return measured | {"recall": recall, "clips": len(rows), "frames": int(rows["frames"].sum())}


def _aggregations(scores: pd.DataFrame, replicates: int) -> dict[str, dict]:
    """Each way to score a clip, and how its AUC differs from the mean's on the same clips."""
    tables = {how: by_clip(scores, how) for how in AGGREGATIONS}
    result = {}
    for how, clips in tables.items():
        measured = with_intervals(clips, 0.5, replicates)
        result[how] = {name: measured[name] for name in _COMPARED}
        result[how] |= {f"{name}_interval": measured[f"{name}_interval"] for name in _COMPARED}
        beside = compare(clips, tables["mean"], replicates=replicates)["auc"]
        result[how] |= {"auc_minus_mean": beside["difference"], "auc_minus_mean_interval": beside["interval"]}
    return result


def _calibration(scores: pd.DataFrame, clips: pd.DataFrame) -> dict[str, dict]:
    result = {}
    for level, table in (("frame", scores), ("clip", clips)):
        labels, said = table["label"], table["probability_fake"]
        both = labels.nunique() == 2
        as_it_is = reliability(labels, said)
        result[level] = {
            "ece": as_it_is.ece,
            "ece_balanced": reliability(labels, said, 0.5).ece if both else None,
            "bins": as_it_is.rows(),
        }
        if not both:
            result[level]["reasons"] = {"ece_balanced": "it takes both classes"}
    plain = probability(scores["logit"])
    result["frame"]["ece_uncalibrated"] = reliability(scores["label"], plain).ece
    result["frame"]["ece_balanced_uncalibrated"] = (
        reliability(scores["label"], plain, 0.5).ece if scores["label"].nunique() == 2 else None
    )
    return result


def _curves(clips: pd.DataFrame) -> dict[str, dict | None]:
    """The points of the clips' curves, at most so many."""
    if clips["label"].nunique() < 2:
        return {"roc": None, "precision_recall": None}
    fpr, tpr, _ = sklearn_metrics.roc_curve(clips["label"], clips["probability_fake"])
    precision, recall, _ = sklearn_metrics.precision_recall_curve(clips["label"], clips["probability_fake"])
    return {
        "roc": {"fpr": _thinned(fpr), "tpr": _thinned(tpr)},
        "precision_recall": {"recall": _thinned(recall), "precision": _thinned(precision)},
    }


def _thinned(values: np.ndarray) -> list[float]:
    rows = np.unique(np.linspace(0, len(values) - 1, _POINTS).round().astype(int))
    return [round(float(value), 6) for value in values[rows]]


def abstention(scores: pd.DataFrame, threshold: float, faceless: int = 0) -> dict[str, Any]:
    """What is gained, and given up, where the detector answers "cannot tell".

    A clip is judged by its crops that look like those of training; where there is none, it is not judged.

    Args:
        scores: `SCORED_COLUMNS`.
        threshold: a score this high or higher is called fake.
        faceless: clips in which no face was found, so that they have no scores.

    Returns:
        "clips" and "judged" (how many), "coverage" (their share, clips without a face counted), "no_face", "crops" and
        "crops_judged", "reasons" {reason: crops}, "accuracy" and "balanced_accuracy" of the judged clips (None where
        they cannot be computed), and "risk_coverage" {"coverage", "risk"}: the share of wrong answers were only the
        surest ones given.
    """
    answered = scores[scores["cannot_tell"] == ""]
    judged, whole = by_clip(answered), by_clip(scores)
    reasons = (
        scores.loc[scores["cannot_tell"] != "", "cannot_tell"].str.split(" (", n=1, regex=False).str[0].value_counts()
    )
    counted = len(whole) + faceless
    right = (judged["probability_fake"] >= threshold) == (judged["label"] == 1)
    coverage, risk = risk_coverage(whole["label"], whole["probability_fake"], threshold)
    by_class = right.groupby(judged["label"]).mean()
    return {
        "clips": counted,
        "judged": len(judged),
        "coverage": len(judged) / counted,
        "no_face": faceless,
        "crops": len(scores),
        "crops_judged": len(answered),
        "reasons": {str(name): int(count) for name, count in reasons.items()},
        "accuracy": float(right.mean()) if len(judged) else None,
        "balanced_accuracy": float(by_class.mean()) if len(by_class) == 2 else None,
        "risk_coverage": {"coverage": _thinned(coverage), "risk": _thinned(risk)},
    }
