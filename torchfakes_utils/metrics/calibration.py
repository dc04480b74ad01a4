"""Whether P(fake) keeps its word, and how to make it: reliability, temperature, and what abstaining buys.

A network trained on halves says P(fake) for a world in which half of the faces are fake. It is fitted for that world
here, by weighting the classes equally, whatever their shares in the validation split. Source: Guo, Pleiss, Sun and
Weinberger, On Calibration of Modern Neural Networks, ICML 2017.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize_scalar
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from torchfakes_utils.metrics.binary import checked
from torchfakes_utils.metrics.bootstrap import Sampling

# Temperatures that are looked at; one at either end means that the crops do not say which.
_COLDEST, _HOTTEST = 0.05, 20.0


@dataclass(frozen=True)
class Reliability:
    """Of the scores in each range, what they say and what is so.

    Attributes:
        low, high: (B,) the ranges that hold scores.
        count: (B,) scores in each.
        predicted: (B,) mean P(fake).
        fake: (B,) share of fakes.
        weight: (B,) share of all scores, by weight.
    """

    low: np.ndarray
    high: np.ndarray
    count: np.ndarray
    predicted: np.ndarray
    fake: np.ndarray
    weight: np.ndarray

    @property
    def ece(self) -> float | None:
        """Expected calibration error: mean distance between what is said and what is so, 0 to 1; None of no scores.

        Of few scores it is too high: within a range chance alone parts the two, and a distance has no sign that could
        cancel out. `ece_if_calibrated` says how much of it that may be.
        """
        return float(np.sum(self.weight * np.abs(self.predicted - self.fake))) if len(self.weight) else None

    def rows(self) -> list[dict[str, float]]:
        """A dictionary a range, as JSON takes it."""
        names = ("low", "high", "count", "predicted", "fake")
        columns = [getattr(self, name).tolist() for name in names]
        return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]


def reliability(labels: ArrayLike, probabilities: ArrayLike, fakes: float | None = None, bins: int = 10) -> Reliability:
    """Put scores into ranges of equal width and count: scikit-learn's `calibration_curve` takes no weights.

    Args:
        labels: (N,) of 0 and 1.
        probabilities: (N,) P(fake).
        fakes: the share of fakes in the world that is asked about, in (0, 1): the classes are weighted to it, for which
            both have to be there. None leaves them as they are.
        bins: ranges between 0 and 1.

    Raises:
        InputError: lengths differ, a label is not 0 or 1, or a score is not a probability.
    """
    truth, scores = checked(labels, probabilities)
    weights = class_weights(truth, fakes)
    edges, which = np.linspace(0, 1, bins + 1), _ranges(scores, bins)
    held = np.unique(which)
    total = np.bincount(which, weights, bins)[held]
    return Reliability(
        low=edges[held],
        high=edges[held + 1],
        count=np.bincount(which, minlength=bins)[held],
        predicted=np.bincount(which, weights * scores, bins)[held] / total,
        fake=np.bincount(which, weights * truth, bins)[held] / total,
        weight=total / weights.sum() if len(truth) else total,
    )


def replicate_ece(
    labels: ArrayLike, probabilities: ArrayLike, sampling: Sampling, fakes: float | None = None, bins: int = 10
) -> NDArray[np.float64]:
    """The expected calibration error on the data sets of a sampling, (1 + P + R,); the first is `Reliability.ece`.

    Args:
        labels, probabilities, fakes, bins: as for `reliability`.
        sampling: of the same rows.
    """
    truth, scores = checked(labels, probabilities)
    which = _ranges(scores, bins)
    # Of each unit, by class and range: what is said less what is so, and how many there are.
    said = np.zeros((sampling.count, 2, bins))
    many = np.zeros((sampling.count, 2))
    np.add.at(said, (sampling.units, truth, which), scores - truth)
    np.add.at(many, (sampling.units, truth), 1)
    parts = []
    for counts in sampling.counts():
        by_class = np.tensordot(counts, said, axes=1)  # (·, 2, bins)
        total = counts @ many
        if fakes is not None:
            by_class *= (np.array([1 - fakes, fakes]) / total)[..., None]
            total = np.ones((len(counts), 1))
        parts.append(np.abs(by_class.sum(axis=1)).sum(axis=1) / total.sum(axis=1))
    return np.concatenate(parts)


def ece_if_calibrated(
    labels: ArrayLike,
    probabilities: ArrayLike,
    clips: np.ndarray,
    fakes: float | None = None,
    bins: int = 10,
    replicates: int = 500,
) -> float | None:
    """The expected calibration error that chance alone gives: of a detector that keeps its word, with these scores.

    Labels are drawn from the scores, over and over. One random number a clip decides for all its crops, which are real
    or fake together; people are none the wiser, for one person is seen in real clips and in fakes.

    Args:
        labels: (N,) of 0 and 1: they say the share of fakes, where `fakes` is given.
        probabilities: (N,) P(fake).
        clips: (N,) which clip each score is of, from 0 on.
        fakes, bins: as for `reliability`. Scores that keep their word where that share is fake are lower, as
            probabilities, where fewer are: labels are drawn accordingly.
        replicates: how often labels are drawn, the same each time.

    Returns:
        Its mean; None of no scores.

    Source: Bröcker and Smith, Increasing the Reliability of Reliability Diagrams, Weather and Forecasting 22, 2007
    (consistency resampling).
    """
    truth, scores = checked(labels, probabilities)
    if not len(scores):
        return None
    chance, by_class = scores, np.ones(2)
    if fakes is not None:
        share = float(truth.mean())
        by_class = np.array([(1 - fakes) / (1 - share), fakes / share])
        odds = np.column_stack([1 - scores, scores]) / by_class
        chance = odds[:, 1] / odds.sum(axis=1)
    ranges = np.eye(bins)[_ranges(scores, bins)]
    generator, found = np.random.default_rng(0), []
    for _ in range(replicates):
        drawn = (generator.random(int(clips.max()) + 1)[clips] < chance).astype(int)
        weights = by_class[drawn]
        found.append(np.abs((weights * (scores - drawn)) @ ranges).sum() / weights.sum())
    return float(np.mean(found))


def _ranges(scores: np.ndarray, bins: int) -> np.ndarray:
    """Which of `bins` ranges of equal width each score lies in."""
    which: np.ndarray = np.clip(np.digitize(scores, np.linspace(0, 1, bins + 1)[1:-1]), 0, bins - 1)
    return which


def class_weights(labels: np.ndarray, fakes: float | None = 0.5) -> np.ndarray:
    """A weight a label, such that fakes make up the share `fakes`; they sum to the number of labels.

    (By hand: scikit-learn's `compute_sample_weight` balances the classes to halves only.)

    Args:
        labels: (N,) of 0 and 1; both have to be there, unless `fakes` is None.
        fakes: in (0, 1), or None for a weight of 1 each.
    """
    if fakes is None:
        return np.ones(len(labels))
    share = float(labels.mean())
    return np.where(labels == 1, fakes / share, (1 - fakes) / (1 - share))


def fit_temperature(labels: ArrayLike, logits: ArrayLike) -> tuple[float, str | None]:
    """The temperature T for which sigmoid(logit / T) fits best, both classes counting alike.

    One number cannot change which of two crops looks more fake, nor on which side of 0.5 a crop lies: only how sure
    the network claims to be.

    Args:
        labels: (N,) of 0 and 1.
        logits: (N,) finite.

    Returns:
        T, and None; or 1.0 and the reason why the crops do not tell: one class only; none on the wrong side, so that
        being ever surer fits ever better; or a best temperature beyond those that are looked at.

    Raises:
        InputError: lengths differ, a label is not 0 or 1, or a logit is not finite.
    """
    truth, values = checked(labels, logits, low=-np.inf, high=np.inf)
    if not 0 < truth.sum() < len(truth):
        return 1.0, "it takes validation crops of both classes"
    weights, signs = class_weights(truth), 2 * truth - 1

    def loss(log_temperature: float) -> float:
        # log(1 + exp(-x)), without overflow for a very wrong logit.
        return float(np.mean(weights * np.logaddexp(0, -signs * values / np.exp(log_temperature))))

    bounds = np.log(_COLDEST), np.log(_HOTTEST)
    best = float(minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-5}).x)
    if min(best - bounds[0], bounds[1] - best) < 0.01:
        return 1.0, _why_none_fits(signs * values, weights, cold=best < 0)
    return float(np.exp(best)), None


def _why_none_fits(margins: np.ndarray, weights: np.ndarray, cold: bool) -> str:
    """Why the best temperature is none of those that are looked at.

    Args:
        margins: (N,) logits, those of reals with the other sign: positive on the right side.
        weights: (N,) of the classes.
        cold: whether it lies below those, or above.
    """
    nothing = "which says nothing about how sure to be"
    if margins.min() >= 0 < margins.max():
        return f"the validation crops separate the classes without an error, {nothing}"
    if (weights * margins).mean() <= 0:  # then, and only then, hotter is always better
        return f"the validation crops do not separate the classes: fakes score no higher on average, {nothing}"
    if cold:
        half = float(np.median(np.abs(margins)))
        return f"the validation crops' logits are too close to 0, half of them within {half:.1g}, for one to be fitted"
    return "the validation crops' logits are far too sure, or hardly tell the classes apart, for one to be fitted"


def probability(logits: ArrayLike, temperature: float = 1.0) -> NDArray[np.float64]:
    """P(fake) of logits (N,), in float64, where a sure one does not turn into exactly 0 or 1."""
    probabilities: NDArray[np.float64] = expit(np.asarray(logits, np.float64) / temperature)
    return probabilities


def fit_threshold(labels: ArrayLike, probabilities: ArrayLike) -> tuple[float, str | None]:
    """The threshold with the best balanced accuracy to be expected on new clips.

    A logistic curve through the log-odds, both classes counting alike, says at which score a clip is as likely fake as
    real. The threshold that happened to part the validation clips best follows single clips instead: in simulations
    with 8 real and 32 fake clips it loses one to two points of balanced accuracy to the curve, with 140 and 560 still
    a third of a point (`tests/metrics/test_calibration.py` repeats the first).

    Args:
        labels: (N,) of 0 and 1.
        probabilities: (N,) P(fake).

    Returns:
        In (0, 1), and None; or 0.5 and the reason why the clips do not tell.

    Raises:
        InputError: lengths differ, a label is not 0 or 1, or a score is not a probability.

    Source: Platt, Probabilistic Outputs for Support Vector Machines, in: Advances in Large Margin Classifiers, 1999.
    """
    truth, scores = checked(labels, probabilities)
    if not 0 < truth.sum() < len(truth):
        return 0.5, "it takes validation clips of both classes"
    curve = LogisticRegression(class_weight="balanced").fit(log_odds(scores)[:, None], truth)
    slope = float(curve.coef_[0, 0])
    if slope <= 0:
        return 0.5, "the validation clips' scores do not rise from real to fake"
    # Within what the clips have shown: beyond their scores the curve is a guess.
    threshold = float(expit(-curve.intercept_[0] / slope))
    return float(np.clip(threshold, scores.min(), scores.max())), None


def risk_coverage(labels: ArrayLike, probabilities: ArrayLike, threshold: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    """What staying silent about the unsure ones buys: the share of errors among the k surest answers, for every k.

    How sure an answer is, is how far its log-odds lie from those of the threshold. (By hand: our libraries lack it.)

    Args:
        labels: (N,) of 0 and 1.
        probabilities: (N,) P(fake).
        threshold: a score this high or higher is called fake.

    Returns:
        Coverage (N,), rising to 1, and risk (N,), the share of wrong answers among those. Equally sure ones are taken
        in as a mixture, so that their order does not matter.

    Raises:
        InputError: lengths differ, a label is not 0 or 1, or a score is not a probability.

    Source: El-Yaniv and Wiener, On the Foundations of Noise-free Selective Classification, JMLR 11, 2010.
    """
    truth, scores = checked(labels, probabilities)
    wrong = ((scores >= threshold) != (truth == 1)).astype(float)
    sure = np.abs(log_odds(scores) - log_odds(threshold))
    order = np.argsort(-sure, kind="stable")
    # Within a group of ties each counts with the group's mean error.
    _, group = np.unique(-sure[order], return_inverse=True)
    means = np.bincount(group, wrong[order]) / np.maximum(np.bincount(group), 1)
    taken = np.arange(1, len(truth) + 1)
    return taken / max(len(truth), 1), np.cumsum(means[group]) / taken


def log_odds(probabilities: ArrayLike) -> NDArray[np.float64]:
    """log(p / (1 - p)), finite also for 0 and 1."""
    odds: NDArray[np.float64] = logit(np.clip(np.asarray(probabilities, np.float64), 1e-15, 1 - 1e-15))
    return odds
