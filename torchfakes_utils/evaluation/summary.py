"""What a table of scores says: metrics by frame, by clip, by manipulation and compression; calibration; abstention."""

from collections.abc import Sequence

import msgspec
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn import metrics as sklearn_metrics

from torchfakes_utils.errors import InputError
from torchfakes_utils.evaluation import results
from torchfakes_utils.io.tables import CLIP_KEY
from torchfakes_utils.metrics.binary import AGGREGATIONS, by_clip
from torchfakes_utils.metrics.calibration import probability, reliability, risk_coverage
from torchfakes_utils.metrics.config import REPLICATES
from torchfakes_utils.metrics.intervals import compare, over_runs, with_intervals
from torchfakes_utils.models.decision import Decision

# A row a clip from `by_clip`, and the threshold of the detector that scored them.
ScoredClips = tuple[pd.DataFrame, float]

# Points of a curve that are kept for machines to draw.
_POINTS = 200


def summarise(
    scores: pd.DataFrame,
    split: str = "test",
    decision: Decision = Decision(),
    replicates: int = REPLICATES,
    faceless: int = 0,
) -> results.Summary:
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
    return results.Summary(
        split=split,
        frame=_level(scores, threshold, replicates),
        clip=_level(clips, threshold, replicates),
        methods={name: _method(rows, reals, threshold, replicates) for name, rows in fakes},
        compressions={str(name): _level(rows, threshold, replicates) for name, rows in clips.groupby("compression")},
        aggregations=_aggregations(scores, clips, replicates),
        calibration=_calibrations(scores, clips),
        curves=_curves(clips),
        decision=decision,
        abstention=_abstention(scores, clips, threshold, faceless),
    )


def _level(rows: pd.DataFrame, threshold: float, replicates: int) -> results.LevelMetrics:
    return msgspec.convert(with_intervals(rows, threshold, replicates), results.LevelMetrics)


def _method(rows: pd.DataFrame, reals: pd.DataFrame, threshold: float, replicates: int) -> results.MethodMetrics:
    """One manipulation's clips against all real ones."""
    measured = with_intervals(pd.concat([rows, reals], ignore_index=True), threshold, replicates)
    recall = float(np.mean(rows["probability_fake"] >= threshold))
    own = {"recall": recall, "clips": len(rows), "frames": int(rows["frames"].sum())}
    return msgspec.convert(measured | own, results.MethodMetrics)


def _aggregations(scores: pd.DataFrame, means: pd.DataFrame, replicates: int) -> dict[str, results.Aggregation]:
    """Each way to score a clip, and how its AUC differs from the mean's on the same clips."""
    found = {}
    for how in AGGREGATIONS:
        clips = by_clip(scores, how)
        gap = compare(clips, means, replicates=replicates)["auc"]
        beyond = {"auc_minus_mean": gap["difference"], "auc_minus_mean_interval": gap["interval"]}
        found[how] = msgspec.convert(with_intervals(clips, 0.5, replicates) | beyond, results.Aggregation)
    return found


def _calibrations(scores: pd.DataFrame, clips: pd.DataFrame) -> results.Calibrations:
    labels, uncalibrated = scores["label"], probability(scores["logit"])
    frame = results.FrameCalibration(
        **vars(_calibration(scores)),
        ece_uncalibrated=reliability(labels, uncalibrated).ece,
        ece_balanced_uncalibrated=_balanced_error(labels, uncalibrated),
    )
    return results.Calibrations(frame, _calibration(clips))


def _calibration(table: pd.DataFrame) -> results.Calibration:
    as_it_is = reliability(table["label"], table["probability_fake"])
    balanced = _balanced_error(table["label"], table["probability_fake"])
    return results.Calibration(
        ece=as_it_is.ece,
        ece_balanced=balanced,
        bins=msgspec.convert(as_it_is.rows(), tuple[results.Bin, ...]),
        reasons={"ece_balanced": "it takes both classes"} if balanced is None else msgspec.UNSET,
    )


def _balanced_error(labels: pd.Series, probabilities: ArrayLike) -> float | None:
    return reliability(labels, probabilities, 0.5).ece if labels.nunique() == 2 else None


def _curves(clips: pd.DataFrame) -> results.Curves:
    if clips["label"].nunique() < 2:
        return results.Curves(None, None)
    fpr, tpr, _ = sklearn_metrics.roc_curve(clips["label"], clips["probability_fake"])
    precision, recall, _ = sklearn_metrics.precision_recall_curve(clips["label"], clips["probability_fake"])
    return results.Curves(
        results.RocCurve(_thinned(fpr), _thinned(tpr)),
        results.PrecisionRecallCurve(recall=_thinned(recall), precision=_thinned(precision)),
    )


def _thinned(values: NDArray[np.float64]) -> results.Points:
    rows = np.unique(np.linspace(0, len(values) - 1, _POINTS).round().astype(int))
    return tuple(round(float(value), 6) for value in values[rows])


def _abstention(scores: pd.DataFrame, clips: pd.DataFrame, threshold: float, faceless: int) -> results.Abstention:
    """A clip is judged by its crops that look like those of training; where there is none, it is not judged."""
    answered = scores[scores["cannot_tell"] == ""]
    judged, counted = by_clip(answered), len(clips) + faceless
    silent = scores.loc[scores["cannot_tell"] != "", "cannot_tell"]
    reasons = silent.str.split(" (", n=1, regex=False).str[0].value_counts()
    right = (judged["probability_fake"] >= threshold) == (judged["label"] == 1)
    by_class = right.groupby(judged["label"]).mean()
    coverage, risk = risk_coverage(clips["label"], clips["probability_fake"], threshold)
    return results.Abstention(
        clips=counted,
        judged=len(judged),
        coverage=len(judged) / counted,
        no_face=faceless,
        crops=len(scores),
        crops_judged=len(answered),
        reasons={str(name): int(count) for name, count in reasons.items()},
        accuracy=float(right.mean()) if len(judged) else None,
        balanced_accuracy=float(by_class.mean()) if len(by_class) == 2 else None,
        risk_coverage=results.RiskCoverage(_thinned(coverage), _thinned(risk)),
    )


def over_seeds(runs: Sequence[ScoredClips], replicates: int) -> results.Seeds | None:
    """A recipe over its seeds; None of one run."""
    if len(runs) < 2:
        return None
    tables, thresholds = zip(*runs, strict=True)
    return results.Seeds(
        len(runs), msgspec.convert(over_runs(tables, thresholds, replicates), dict[str, results.Spread])
    )


def against_others(
    ours: Sequence[ScoredClips], theirs: Sequence[ScoredClips], replicates: int
) -> results.Comparison | None:
    """A recipe against another on the same clips; None where there is no other."""
    if not theirs:
        return None
    first, second = _mean_clips(ours), _mean_clips(theirs)
    metrics = compare(first[0], second[0], (first[1], second[1]), replicates)
    return results.Comparison((len(ours), len(theirs)), msgspec.convert(metrics, dict[str, results.Difference]))


def _mean_clips(runs: Sequence[ScoredClips]) -> ScoredClips:
    """Several runs as one: the means of their scores and of their thresholds."""
    clips = [table.sort_values(CLIP_KEY).reset_index(drop=True) for table, _ in runs]
    mean = np.mean([table["probability_fake"].to_numpy(float) for table in clips], axis=0)
    return clips[0].assign(probability_fake=mean), float(np.mean([threshold for _, threshold in runs]))
