"""What a table of scores says: metrics by frame, by clip, by manipulation and compression; calibration; abstention."""

from collections.abc import Sequence

import msgspec
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn import metrics as sklearn_metrics

from torchfakes_utils.errors import InputError
from torchfakes_utils.evaluation import results
from torchfakes_utils.evaluation.answering import answers_by_class, judged_clips
from torchfakes_utils.io.tables import CLIP_KEY
from torchfakes_utils.metrics.binary import AGGREGATIONS, by_clip
from torchfakes_utils.metrics.calibration import (
    ece_if_calibrated,
    probability,
    reliability,
    replicate_ece,
    risk_coverage,
)
from torchfakes_utils.metrics.config import REPLICATES
from torchfakes_utils.metrics.intervals import compare, compare_runs, over_runs, sampling, with_intervals
from torchfakes_utils.metrics.people import same_source
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
        calibration=_calibrations(scores, clips, replicates),
        curves=_curves(clips),
        decision=decision,
        abstention=_abstention(scores, clips, decision, faceless),
    )


def _level(rows: pd.DataFrame, threshold: float, replicates: int) -> results.LevelMetrics:
    return msgspec.convert(with_intervals(rows, threshold, replicates), results.LevelMetrics)


def _method(rows: pd.DataFrame, reals: pd.DataFrame, threshold: float, replicates: int) -> results.MethodMetrics:
    """One manipulation's clips against the real ones of its own data source."""
    own = reals[same_source(rows, reals)]
    measured = with_intervals(pd.concat([rows, own], ignore_index=True), threshold, replicates)
    if own.empty and len(reals):
        others = ", ".join(sorted(reals["method"].unique()))
        why = f"no real clip of its own data source is in the split (there are {others})"
        measured["reasons"] = {name: why if "only fake" in text else text for name, text in measured["reasons"].items()}
    return msgspec.convert(
        measured
        | {
            "recall": float(np.mean(rows["probability_fake"] >= threshold)),
            "clips": len(rows),
            "frames": int(rows["frames"].sum()),
            "reals": tuple(sorted(own["method"].unique())),
        },
        results.MethodMetrics,
    )


def _aggregations(scores: pd.DataFrame, means: pd.DataFrame, replicates: int) -> dict[str, results.Aggregation]:
    """Each way to score a clip, and how its AUC differs from the mean's on the same clips."""
    found = {}
    for how in AGGREGATIONS:
        clips = by_clip(scores, how)
        gap = compare(clips, means, replicates=replicates)["auc"]
        beyond = {"auc_minus_mean": gap["difference"], "auc_minus_mean_interval": gap["interval"]}
        found[how] = msgspec.convert(with_intervals(clips, 0.5, replicates) | beyond, results.Aggregation)
    return found


def _calibrations(scores: pd.DataFrame, clips: pd.DataFrame, replicates: int) -> results.Calibrations:
    labels, uncalibrated = scores["label"], probability(scores["logit"])
    frame = results.FrameCalibration(
        **vars(_calibration(scores, replicates)),
        ece_uncalibrated=reliability(labels, uncalibrated).ece,
        ece_balanced_uncalibrated=_balanced_error(labels, uncalibrated),
    )
    return results.Calibrations(frame, _calibration(clips, replicates))


def _calibration(table: pd.DataFrame, replicates: int) -> results.Calibration:
    as_it_is = reliability(table["label"], table["probability_fake"])
    balanced = _balanced_error(table["label"], table["probability_fake"])
    # Of one class neither is what is asked about.
    whole = _calibration_error(table, None, replicates)
    halves = (None, None) if balanced is None else _calibration_error(table, 0.5, replicates)
    return results.Calibration(
        ece=as_it_is.ece,
        ece_balanced=balanced,
        ece_interval=whole[0],
        ece_balanced_interval=halves[0],
        ece_if_calibrated=whole[1],
        ece_balanced_if_calibrated=halves[1],
        bins=msgspec.convert(as_it_is.rows(), tuple[results.Bin, ...]),
        reasons={"ece_balanced": "it takes both classes"} if balanced is None else msgspec.UNSET,
    )


def _calibration_error(
    table: pd.DataFrame, fakes: float | None, replicates: int
) -> tuple[results.Interval | None, float | None]:
    """The interval of a calibration error, and what a detector that keeps its word would get."""
    given = table["label"], table["probability_fake"]
    drawn, _ = sampling(table, replicates)
    found = drawn.interval(replicate_ece(*given, drawn, fakes)) if drawn.varies else None
    clips = table.groupby(CLIP_KEY, sort=False).ngroup().to_numpy()
    return found, ece_if_calibrated(*given, clips, fakes)


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


def _abstention(scores: pd.DataFrame, clips: pd.DataFrame, decision: Decision, faceless: int) -> results.Abstention:
    """A clip is judged by its crops that look like those of training; where there is none, it is not judged."""
    judged, counted, threshold = judged_clips(scores), len(clips) + faceless, decision.threshold
    answers = answers_by_class(scores, decision)
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
        called=sum(one.fake.clips + one.real.clips for one in answers.values()),
        crops=len(scores),
        crops_judged=int(judged["frames"].sum()),
        reasons={str(name): int(count) for name, count in reasons.items()},
        accuracy=float(right.mean()) if len(judged) else None,
        balanced_accuracy=float(by_class.mean()) if len(by_class) == 2 else None,
        answers=answers,
        risk_coverage=results.RiskCoverage(_thinned(coverage), _thinned(risk)),
    )


def over_seeds(runs: Sequence[ScoredClips], replicates: int) -> results.Seeds | None:
    """The runs of a recipe, and their mean; None of one run."""
    if len(runs) < 2:
        return None
    tables, thresholds = zip(*runs, strict=True)
    return results.Seeds(
        len(runs), msgspec.convert(over_runs(tables, thresholds, replicates), dict[str, results.Spread])
    )


def against_others(
    ours: Sequence[ScoredClips], theirs: Sequence[ScoredClips], replicates: int
) -> results.Comparison | None:
    """The mean of some runs against that of others on the same clips; None where there are no others."""
    if not theirs:
        return None
    (first, at), (second, other_at) = zip(*ours, strict=True), zip(*theirs, strict=True)
    metrics = compare_runs(first, second, (at, other_at), replicates)
    return results.Comparison((len(ours), len(theirs)), msgspec.convert(metrics, dict[str, results.Difference]))
