"""What metrics and means would have been on other clips of the same kind: thousands of resampled data sets at once.

A resampled data set is kept as how often each clip was drawn, so that no score has to be moved or sorted again: all
metrics of all replicates are sums over one sorted table. (scipy.stats.bootstrap draws neither within classes nor one
data set for several metrics, and sorts each anew.) Source: Efron and Tibshirani, An Introduction to the Bootstrap
(1993), chapters 6 and 13.
"""

from collections.abc import Iterator

import numpy as np

from torchfakes_utils.metrics.config import MEAN_REPLICATES

# The metrics that every replicate is measured by; their definitions are those of `metrics.binary.binary_metrics`.
METRICS = (
    "auc", "average_precision", "eer", "tpr_at_fpr_1pct", "tpr_at_fpr_5pct", "accuracy", "balanced_accuracy", "fpr",
    "fnr", "loss", "brier",
)  # fmt: skip
FPR_LEVELS = {"tpr_at_fpr_1pct": 0.01, "tpr_at_fpr_5pct": 0.05}

# Replicates that are drawn together. A fixed number, so that the same seed gives the same draws on every machine.
_TOGETHER = 128


def draws(strata: np.ndarray, replicates: int, seed: int) -> Iterator[np.ndarray]:
    """Data sets drawn with replacement, with as many units of each stratum as there are.

    Args:
        strata: (N,) the stratum of each unit, such as its class.
        replicates, seed: data sets, and the seed of the draw.

    Yields:
        (R, N) float64: how often each unit was drawn, for some replicates at a time.
    """
    generator = np.random.default_rng(seed)
    members = [np.flatnonzero(strata == value) for value in np.unique(strata)]
    for start in range(0, replicates, _TOGETHER):
        rows = min(_TOGETHER, replicates - start)
        counts = np.zeros((rows, len(strata)))
        for units in members:
            size = len(units)
            drawn = generator.integers(0, size, (rows, size)) + size * np.arange(rows)[:, None]
            counts[:, units] = np.bincount(drawn.ravel(), minlength=rows * size).reshape(rows, size)
        yield counts


class _Weighted:
    """Scores, sorted once, of which each counts as often as it is told to: metrics of many data sets at once."""

    def __init__(self, labels: np.ndarray, scores: np.ndarray, threshold: float) -> None:
        # From the most fake-looking one down, which is the order in which a falling threshold takes them in.
        self._order = np.argsort(-scores, kind="stable")
        scores = scores[self._order]
        self._fake = (labels[self._order] == 1).astype(np.float64)
        # Ties move together: a curve has a point for each distinct score only.
        ends = np.append(np.flatnonzero(np.diff(scores)), len(scores) - 1)
        self._ends = None if len(ends) == len(scores) else ends
        called = (scores >= threshold).astype(np.float64)
        # P(fake) of exactly 0 or 1 would make the loss of a wrong answer infinite; scikit-learn cuts here, too.
        smallest = np.finfo(np.float64).eps
        clipped = np.clip(scores, smallest, 1 - smallest)
        self._sums = np.column_stack([
            self._fake,
            1 - self._fake,
            self._fake * (1 - called),  # missed fakes
            (1 - self._fake) * called,  # false alarms
            -np.where(self._fake == 1, np.log(clipped), np.log1p(-clipped)),
            (scores - self._fake) ** 2,
        ])  # fmt: skip

    def metrics(self, counts: np.ndarray) -> dict[str, np.ndarray]:
        """(R,) each, of (R, N), how often each score counts; both classes occur in each row."""
        counts = counts[:, self._order]
        fakes, reals, missed, alarms, loss, squares = (counts @ self._sums).T
        fnr, fpr = missed / fakes, alarms / reals
        result = {
            "accuracy": 1 - (missed + alarms) / (fakes + reals),
            "balanced_accuracy": 1 - (fnr + fpr) / 2,
            "fpr": fpr,
            "fnr": fnr,
            "loss": loss / (fakes + reals),
            "brier": squares / (fakes + reals),
        }
        found = np.cumsum(counts * self._fake, axis=1)
        taken = np.cumsum(counts, axis=1)
        if self._ends is not None:
            found, taken = found[:, self._ends], taken[:, self._ends]
        tpr_curve, fpr_curve = found / fakes[:, None], (taken - found) / reals[:, None]
        steps = np.diff(tpr_curve, prepend=0.0)
        # A fake is above all reals that were not taken in before it, and ties with those taken in beside it.
        before = np.hstack([np.zeros((len(counts), 1)), fpr_curve[:, :-1]])
        result["auc"] = np.einsum("rn,rn->r", steps, 1 - (before + fpr_curve) / 2)
        precision = np.divide(found, taken, out=np.zeros_like(found), where=taken > 0)
        result["average_precision"] = np.einsum("rn,rn->r", steps, precision)
        result["eer"] = equal_error_rate(fpr_curve, tpr_curve)
        for name, level in FPR_LEVELS.items():
            # The curve rises: how many of its points lie at or left of the level tells which is the last of them.
            reached = (fpr_curve <= level + 1e-12).sum(axis=1)
            at = np.take_along_axis(tpr_curve, np.maximum(reached - 1, 0)[:, None], axis=1)[:, 0]
            result[name] = np.where(reached > 0, at, 0.0)
        return {name: result[name] for name in METRICS}


def equal_error_rate(fpr: np.ndarray, tpr: np.ndarray) -> np.ndarray:
    """Where each ROC curve, (R, K) by (R, K) rising to (1, 1), meets the diagonal of equal errors: (R,).

    The curves go straight from point to point, and begin at (0, 0), which need not be among them. (By hand: neither
    scikit-learn nor scipy has it.)
    """
    origin = np.zeros((len(fpr), 1))
    fpr, tpr = np.hstack([origin, fpr]), np.hstack([origin, tpr])
    # Rate of false alarms minus rate of missed fakes: rises from -1 to 1 along the curve, so it crosses 0 once.
    gap = fpr + tpr - 1
    after = np.argmax(gap >= 0, axis=1)[:, None]
    gap_before, gap_after = (np.take_along_axis(gap, at, axis=1) for at in (after - 1, after))
    rate_before, rate_after = (np.take_along_axis(fpr, at, axis=1) for at in (after - 1, after))
    crossing = rate_before + (rate_after - rate_before) * -gap_before / (gap_after - gap_before)
    clipped: np.ndarray = np.clip(crossing, rate_before, rate_after)  # between the two it lies, but for rounding
    return clipped[:, 0]


def replicate_metrics(
    labels: np.ndarray, scores: np.ndarray, at: float, replicates: int, seed: int, clips: np.ndarray | None = None
) -> dict[str, np.ndarray] | None:
    """Every one of `METRICS` on data sets drawn clip by clip, as many clips of each class as there are.

    Args:
        labels: (N,) of 0 and 1.
        scores: (N,) P(fake) in [0, 1].
        at: the threshold: a score this high or higher is called fake.
        replicates: data sets.
        seed: of the draw; the same seed, labels and clips give the same draws, whatever the scores.
        clips: (N,) numbers from 0 on: which clip each score is of; None where every score is a clip.

    Returns:
        (replicates,) each; None where a class has fewer than two clips, for then nothing can vary.
    """
    strata = labels if clips is None else labels[np.unique(clips, return_index=True)[1]]
    if min(int((strata == label).sum()) for label in (0, 1)) < 2:
        return None
    weighted = _Weighted(labels, scores, at)
    parts = [
        weighted.metrics(counts if clips is None else counts[:, clips]) for counts in draws(strata, replicates, seed)
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in METRICS}


def replicate_means(values: np.ndarray, replicates: int = MEAN_REPLICATES, seed: int = 0) -> np.ndarray:
    """The means of data sets drawn unit by unit.

    Args:
        values: (N,) or (N, K), a row a unit, such as a clip.
        replicates: data sets.
        seed: of the draw; the same seed and number of units give the same draws, whatever the values.

    Returns:
        (replicates,) or (replicates, K).
    """
    counts = draws(np.zeros(len(values)), replicates, seed)
    return np.concatenate([some @ values for some in counts]) / len(values)


def percentiles(values: np.ndarray) -> tuple[float, float]:
    """The ends between which the middle 95 % of the values lie."""
    low, high = np.quantile(values, [(1 - 0.95) / 2, (1 + 0.95) / 2])
    return float(low), float(high)
