"""What a detector's scores are worth: by frame, by clip, and how sure we can be of it.

A score is P(fake), fake is 1, and a crop is called fake from the threshold upwards (`probability >= threshold`).
What a set of scores cannot answer is `None` with its reason: an AUC of 0.5 would claim a coin's throw was measured.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from sklearn import metrics as sklearn_metrics

from torchfakes_utils.errors import InputError
from torchfakes_utils.tables import CLIP_KEY

# The metrics that `bootstrap_interval` knows.
INTERVAL_METRICS = ("auc", "eer", "accuracy", "balanced_accuracy")

# Replicates × scores held in memory at a time by the bootstrap: some 100 MB.
_BOOTSTRAP_CELLS = 2_000_000


def binary_metrics(labels: Sequence[int], probabilities: Sequence[float], threshold: float = 0.5) -> dict:
    """Everything that is usually asked about binary scores.

    Args:
        labels: (N,) of 0 (real) and 1 (fake).
        probabilities: (N,) P(fake) in [0, 1].
        threshold: a score this high or higher is called fake.

    Returns:
        A dictionary that JSON can hold: `loss` (mean binary cross-entropy, nats), `accuracy`, `balanced_accuracy`,
        `auc`, `eer`, `always_fake_accuracy` (what answering "fake" to everything would score), `predicted_fake_rate`,
        `confusion` {tn, fp, fn, tp} (positive = fake), `threshold`, `n`, `n_real`, `n_fake`, and `reasons`
        {metric: why it is None}.

    Raises:
        InputError: lengths differ, a label is not 0 or 1, or a score is not a number in [0, 1].
    """
    truth, scores = _checked(labels, probabilities)
    n, n_fake = len(truth), int(truth.sum())
    # Counted by hand: scikit-learn's confusion matrix refuses an empty set of scores.
    called_fake = scores >= threshold
    tn, fp = (int(((truth == 0) & call).sum()) for call in (~called_fake, called_fake))
    fn, tp = (int(((truth == 1) & call).sum()) for call in (~called_fake, called_fake))
    result = dict.fromkeys(
        ["loss", "accuracy", "balanced_accuracy", "auc", "eer", "always_fake_accuracy", "predicted_fake_rate"]
    )
    if n:
        result["loss"] = float(sklearn_metrics.log_loss(truth, scores, labels=[0, 1]))
        result["accuracy"] = (tn + tp) / n
        result["always_fake_accuracy"] = n_fake / n
        result["predicted_fake_rate"] = float(called_fake.mean())
    if 0 < n_fake < n:
        result["balanced_accuracy"] = float(sklearn_metrics.balanced_accuracy_score(truth, called_fake))
        result["auc"] = float(sklearn_metrics.roc_auc_score(truth, scores))
        result["eer"] = eer(truth, scores)
    return result | {
        "confusion": {"tn": tn, "fp": fp, "fn": fn, "tp": tp},
        "threshold": float(threshold),
        "n": n,
        "n_real": n - n_fake,
        "n_fake": n_fake,
        "reasons": {name: _one_class_reason(truth) for name, value in result.items() if value is None},
    }


def eer(labels: Sequence[int], scores: Sequence[float]) -> float | None:
    """The equal error rate: the height at which as many reals are called fake as fakes are called real.

    Where no threshold makes the two equal, the ROC curve is followed in a straight line between its two nearest points.

    Args:
        labels: (N,) of 0 and 1.
        scores: (N,) any finite numbers, larger = more fake.

    Returns:
        The rate in [0, 1] (0 = perfect separation, 0.5 = chance), or None with fewer than two classes.

    Raises:
        InputError: lengths differ, a label is not 0 or 1, or a score is not finite.
    """
    truth, scores = _checked(labels, scores, low=-np.inf, high=np.inf)
    if not 0 < truth.sum() < len(truth):
        return None
    false_fakes, true_fakes, _ = sklearn_metrics.roc_curve(truth, scores, drop_intermediate=False)
    return float(_equal_error_rate(false_fakes[None], true_fakes[None])[0])


def by_clip(scores: pd.DataFrame) -> pd.DataFrame:
    """One score a clip: the mean of its frames' P(fake).

    Args:
        scores: `scores.csv`, or any table with `CLIP_KEY`, `label` and `probability_fake` (and `split`, where known).

    Returns:
        A row a clip, sorted by `CLIP_KEY`: the key, `split` (where given), `label`, `probability_fake` and `frames`,
        the number of them.

    Raises:
        InputError: frames of one clip disagree about its label or its split.
    """
    facts = [name for name in ("split", "label") if name in scores.columns]
    groups = scores.groupby(CLIP_KEY, sort=True)
    if scores.empty:
        return pd.DataFrame(columns=[*CLIP_KEY, *facts, "probability_fake", "frames"])
    for name in facts:
        values = groups[name].nunique()
        if (values > 1).any():
            clip = "/".join(map(str, values.index[values > 1][0]))
            raise InputError(f"clip {clip}: its frames disagree about the {name}; make the table of scores again")
    aggregated = {name: (name, "first") for name in facts}
    return groups.agg(
        **aggregated, probability_fake=("probability_fake", "mean"), frames=("probability_fake", "size")
    ).reset_index()


def bootstrap_interval(
    clips: pd.DataFrame,
    metric: str = "auc",
    replicates: int = 1000,
    seed: int = 0,
    level: float = 0.95,
    threshold: float = 0.5,
) -> tuple[float, float] | None:
    """How far a metric could have strayed had other clips of the same kind been drawn: a percentile interval.

    Clips are resampled, not frames (the frames of one clip are near copies, and counting them as independent gives an
    interval several times too narrow), and within each class, so that every replicate keeps the number of reals and
    fakes. Clips that share a person are still taken as independent: with few identities the truth is wider.

    Args:
        clips: one row a clip with `label` and `probability_fake`, from `by_clip`.
        metric: one of `INTERVAL_METRICS`.
        replicates: how many data sets to draw.
        seed: of the draw; the same seed gives the same interval.
        level: the share of replicates inside the interval.
        threshold: for the metrics that need one.

    Returns:
        (low, high), or None where a class has fewer than two clips, for then nothing can vary.

    Raises:
        InputError: an unknown metric, or scores that are not probabilities.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 13.
    """
    if metric not in INTERVAL_METRICS:
        raise InputError(f"no interval for {metric!r}; choose one of {', '.join(INTERVAL_METRICS)}")
    truth, scores = _checked(clips["label"], clips["probability_fake"])
    # From the most fake-looking clip down, which is the order in which a falling threshold takes them in.
    order = np.argsort(-scores, kind="stable")
    scores, is_fake = scores[order], truth[order] == 1
    n_fake, n_real = int(is_fake.sum()), int((~is_fake).sum())
    if min(n_fake, n_real) < 2:
        return None
    generator = np.random.default_rng(seed)
    rows = max(1, _BOOTSTRAP_CELLS // len(scores))
    values = []
    for start in range(0, replicates, rows):
        count = min(rows, replicates - start)
        # How often each clip was drawn: the same as drawing with replacement, without moving any score.
        draws = np.zeros((count, len(scores)))
        draws[:, is_fake] = generator.multinomial(n_fake, np.full(n_fake, 1 / n_fake), size=count)
        draws[:, ~is_fake] = generator.multinomial(n_real, np.full(n_real, 1 / n_real), size=count)
        values.append(_weighted_metric(metric, scores, is_fake, draws, threshold))
    low, high = np.quantile(np.concatenate(values), [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _weighted_metric(
    metric: str, scores: np.ndarray, is_fake: np.ndarray, draws: np.ndarray, threshold: float
) -> np.ndarray:
    """The metric of every replicate, (R,), from falling scores (N,) and how often each was drawn (R, N)."""
    n_fake, n_real = is_fake.sum(), (~is_fake).sum()
    if metric in ("accuracy", "balanced_accuracy"):
        fakes_right = draws[:, is_fake & (scores >= threshold)].sum(axis=1)
        reals_right = draws[:, ~is_fake & (scores < threshold)].sum(axis=1)
        if metric == "accuracy":
            return (fakes_right + reals_right) / (n_fake + n_real)
        return (fakes_right / n_fake + reals_right / n_real) / 2
    # The ROC curve of every replicate, (R, K + 1): a point for each distinct score, so that ties move together.
    last_of_tie = np.append(np.flatnonzero(np.diff(scores)), len(scores) - 1)
    origin = np.zeros((len(draws), 1))
    true_fakes = np.hstack([origin, np.cumsum(draws * is_fake, axis=1)[:, last_of_tie] / n_fake])
    false_fakes = np.hstack([origin, np.cumsum(draws * ~is_fake, axis=1)[:, last_of_tie] / n_real])
    if metric == "auc":
        return np.trapezoid(true_fakes, false_fakes, axis=1)
    return _equal_error_rate(false_fakes, true_fakes)


def _equal_error_rate(false_fakes: np.ndarray, true_fakes: np.ndarray) -> np.ndarray:
    """Where each ROC curve, (R, K) by (R, K) from (0, 0) to (1, 1), meets the diagonal of equal errors: (R,)."""
    # Rate of false fakes minus rate of missed fakes: rises from -1 to 1 along the curve, so it crosses 0 once.
    gap = false_fakes + true_fakes - 1
    after = np.argmax(gap >= 0, axis=1)[:, None]
    gap_before, gap_after = (np.take_along_axis(gap, at, axis=1) for at in (after - 1, after))
    rate_before, rate_after = (np.take_along_axis(false_fakes, at, axis=1) for at in (after - 1, after))
    return (rate_before + (rate_after - rate_before) * -gap_before / (gap_after - gap_before))[:, 0]


def _checked(
    labels: Sequence[int], scores: Sequence[float], low: float = 0, high: float = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Labels as integers and scores as float64, both (N,)."""
    truth, scores = np.asarray(labels), np.asarray(scores, dtype=np.float64)
    if truth.shape != scores.shape or truth.ndim != 1:
        raise InputError(f"{truth.size} labels for {scores.size} scores: one of each is needed for every crop")
    if not np.isin(truth, [0, 1]).all():
        raise InputError("labels have to be 1 for fake and 0 for real")
    wrong = int((~(np.isfinite(scores) & (scores >= low) & (scores <= high))).sum())
    if wrong:
        kind = "finite" if np.isinf(low) else "a probability between 0 and 1"
        raise InputError(f"{wrong} of {scores.size} scores not {kind}; did training diverge? try a lower learning rate")
    return truth.astype(np.int64), scores


def _one_class_reason(truth: np.ndarray) -> str:
    if not len(truth):
        return "there are no scores"
    return f"only {'fake' if truth[0] else 'real'} ones are given, and it takes both classes"
