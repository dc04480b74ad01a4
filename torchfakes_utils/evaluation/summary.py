"""What a table of scores says: metrics by frame, by clip, by manipulation and compression; calibration; abstention."""

import msgspec
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn import metrics as sklearn_metrics

from torchfakes_utils.errors import InputError
from torchfakes_utils.evaluation.results import (
    Abstention,
    Aggregation,
    Bin,
    Calibration,
    Calibrations,
    Curves,
    FrameCalibration,
    LevelMetrics,
    MethodMetrics,
    Points,
    PrecisionRecallCurve,
    RiskCoverage,
    RocCurve,
    Summary,
)
from torchfakes_utils.metrics.binary import AGGREGATIONS, by_clip
from torchfakes_utils.metrics.calibration import probability, reliability, risk_coverage
from torchfakes_utils.metrics.config import REPLICATES
from torchfakes_utils.metrics.intervals import compare, with_intervals
from torchfakes_utils.models.decision import Decision

# Points of a curve that are kept for machines to draw.
_POINTS = 200


def summarise(
    scores: pd.DataFrame,
    split: str = "test",
    decision: Decision = Decision(),
    replicates: int = REPLICATES,
    faceless: int = 0,
) -> Summary:
    """The metrics of one split: by frame, by clip, and for each manipulation and compression.

    Args:
        scores: `SCORED_COLUMNS`, one split or several.
        split: the one to summarise.
        decision: whose threshold and temperature the scores were made with.
        replicates: of the bootstrap behind the intervals.
        faceless: clips of the split in which no face was found, so that they have no scores.

    Raises:
        InputError: no scores of that split, or scores that are not probabilities.
    """
    scores = scores[scores["split"] == split]
    if scores.empty:
        raise InputError(f"no scores of the split {split!r}; run `torchfakes evaluate` with --split {split}")
    clips, threshold = by_clip(scores), decision.threshold
    reals = clips[clips["label"] == 0]
    fakes = clips[clips["label"] == 1].groupby("method", sort=True)
    return Summary(
        split=split,
        frame=_level(scores, threshold, replicates),
        clip=_level(clips, threshold, replicates),
        methods={name: _method(rows, reals, threshold, replicates) for name, rows in fakes},
        compressions={str(name): _level(rows, threshold, replicates) for name, rows in clips.groupby("compression")},
        aggregations=_aggregations(scores, replicates),
        calibration=_calibrations(scores, clips),
        curves=_curves(clips),
        decision=decision,
        abstention=_abstention(scores, clips, threshold, faceless),
    )


def _level(rows: pd.DataFrame, threshold: float, replicates: int) -> LevelMetrics:
    return msgspec.convert(with_intervals(rows, threshold, replicates), LevelMetrics)


def _method(rows: pd.DataFrame, reals: pd.DataFrame, threshold: float, replicates: int) -> MethodMetrics:
    """One manipulation's clips against all real ones."""
    measured = with_intervals(pd.concat([rows, reals], ignore_index=True), threshold, replicates)
    recall = float(np.mean(rows["probability_fake"] >= threshold))
    own = {"recall": recall, "clips": len(rows), "frames": int(rows["frames"].sum())}
    return msgspec.convert({**measured, **own}, MethodMetrics)


def _aggregations(scores: pd.DataFrame, replicates: int) -> dict[str, Aggregation]:
    """Each way to score a clip, and how its AUC differs from the mean's on the same clips."""
    tables = {how: by_clip(scores, how) for how in AGGREGATIONS}
    result = {}
    for how, clips in tables.items():
        gap = compare(clips, tables["mean"], replicates=replicates)["auc"]
        beyond = {"auc_minus_mean": gap["difference"], "auc_minus_mean_interval": gap["interval"]}
        result[how] = msgspec.convert({**with_intervals(clips, 0.5, replicates), **beyond}, Aggregation)
    return result


def _calibrations(scores: pd.DataFrame, clips: pd.DataFrame) -> Calibrations:
    labels, uncalibrated = scores["label"], probability(scores["logit"])
    frame = FrameCalibration(
        **vars(_calibration(scores)),
        ece_uncalibrated=reliability(labels, uncalibrated).ece,
        ece_balanced_uncalibrated=reliability(labels, uncalibrated, 0.5).ece if labels.nunique() == 2 else None,
    )
    return Calibrations(frame, _calibration(clips))


def _calibration(table: pd.DataFrame) -> Calibration:
    labels, said = table["label"], table["probability_fake"]
    as_it_is = reliability(labels, said)
    bins = msgspec.convert(as_it_is.rows(), tuple[Bin, ...])
    if labels.nunique() < 2:
        return Calibration(
            ece=as_it_is.ece, ece_balanced=None, bins=bins, reasons={"ece_balanced": "it takes both classes"}
        )
    return Calibration(ece=as_it_is.ece, ece_balanced=reliability(labels, said, 0.5).ece, bins=bins)


def _curves(clips: pd.DataFrame) -> Curves:
    """The points of the clips' curves, at most so many."""
    if clips["label"].nunique() < 2:
        return Curves(None, None)
    fpr, tpr, _ = sklearn_metrics.roc_curve(clips["label"], clips["probability_fake"])
    precision, recall, _ = sklearn_metrics.precision_recall_curve(clips["label"], clips["probability_fake"])
    return Curves(
        RocCurve(_thinned(fpr), _thinned(tpr)),
        PrecisionRecallCurve(recall=_thinned(recall), precision=_thinned(precision)),
    )


def _thinned(values: NDArray[np.float64]) -> Points:
    rows = np.unique(np.linspace(0, len(values) - 1, _POINTS).round().astype(int))
    return tuple(round(float(value), 6) for value in values[rows])


def _abstention(scores: pd.DataFrame, clips: pd.DataFrame, threshold: float, faceless: int) -> Abstention:
    """What is gained, and given up, where the detector answers "cannot tell".

    A clip is judged by its crops that look like those of training; where there is none, it is not judged.
    """
    answered = scores[scores["cannot_tell"] == ""]
    judged, counted = by_clip(answered), len(clips) + faceless
    reasons = (
        scores.loc[scores["cannot_tell"] != "", "cannot_tell"].str.split(" (", n=1, regex=False).str[0].value_counts()
    )
    right = (judged["probability_fake"] >= threshold) == (judged["label"] == 1)
    by_class = right.groupby(judged["label"]).mean()
    coverage, risk = risk_coverage(clips["label"], clips["probability_fake"], threshold)
    return Abstention(
        clips=counted,
        judged=len(judged),
        coverage=len(judged) / counted,
        no_face=faceless,
        crops=len(scores),
        crops_judged=len(answered),
        reasons={str(name): int(count) for name, count in reasons.items()},
        accuracy=float(right.mean()) if len(judged) else None,
        balanced_accuracy=float(by_class.mean()) if len(by_class) == 2 else None,
        risk_coverage=RiskCoverage(_thinned(coverage), _thinned(risk)),
    )
