"""What a detector's scores are worth: by frame, by clip, and how sure we can be of it.

A score is P(fake), fake is 1, and a crop is called fake from the threshold upwards (`probability >= threshold`).
What a set of scores cannot answer is `None` with its reason: an AUC of 0.5 would claim a coin's throw was measured.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit
from sklearn import metrics as sklearn_metrics

from torchfakes_utils.errors import InputError
from torchfakes_utils.io.tables import CLIP_KEY
from torchfakes_utils.metrics.bootstrap import FPR_LEVELS, METRICS, equal_error_rate
from torchfakes_utils.metrics.people import PERSON_COLUMNS


def binary_metrics(labels: ArrayLike, probabilities: ArrayLike, threshold: float = 0.5) -> dict[str, Any]:
    """Everything that is usually asked about binary scores.

    Args:
        labels: (N,) of 0 (real) and 1 (fake).
        probabilities: (N,) P(fake) in [0, 1].
        threshold: a score this high or higher is called fake.

    Returns:
        A dictionary that JSON can hold:

        - of the scores alone: `auc`; `average_precision` (of fakes); `eer`, the equal error rate, at which as many
          reals are called fake as fakes are called real; `tpr_at_fpr_1pct` and `tpr_at_fpr_5pct`, the share of fakes
          found where at most so many reals are called fake (None where that is less than one of them); `loss` (mean
          binary cross-entropy, nats); `brier` (mean squared error of P(fake));
        - of the answers at `threshold`: `accuracy`, `balanced_accuracy`, `fpr` (share of reals called fake), `fnr`
          (share of fakes called real), `predicted_fake_rate`, `confusion` {tn, fp, fn, tp} (positive = fake);
        - of the data: `always_fake_accuracy` (what answering "fake" to everything would score), `n`, `n_real`,
          `n_fake`;
        - `threshold`, and `reasons` {metric: why it is None}.

    Raises:
        InputError: lengths differ, a label is not 0 or 1, or a score is not a number in [0, 1].
    """
    truth, scores = checked(labels, probabilities)
    n, n_fake = len(truth), int(truth.sum())
    # Counted by hand: scikit-learn's confusion matrix refuses an empty set of scores.
    called_fake = scores >= threshold
    tn, fp = (int(((truth == 0) & call).sum()) for call in (~called_fake, called_fake))
    fn, tp = (int(((truth == 1) & call).sum()) for call in (~called_fake, called_fake))
    result: dict[str, Any] = dict.fromkeys([*METRICS, "always_fake_accuracy", "predicted_fake_rate"])
    if n:
        result["loss"] = float(sklearn_metrics.log_loss(truth, scores, labels=[0, 1]))
        result["brier"] = float(np.mean((scores - truth) ** 2))
        result["accuracy"] = (tn + tp) / n
        result["always_fake_accuracy"] = n_fake / n
        result["predicted_fake_rate"] = float(called_fake.mean())
    if n_fake < n:
        result["fpr"] = fp / (n - n_fake)
    if n_fake:
        result["fnr"] = fn / n_fake
    if 0 < n_fake < n:
        result["balanced_accuracy"] = float(sklearn_metrics.balanced_accuracy_score(truth, called_fake))
        result["auc"] = float(sklearn_metrics.roc_auc_score(truth, scores))
        result["average_precision"] = float(sklearn_metrics.average_precision_score(truth, scores))
        false_fakes, true_fakes, _ = sklearn_metrics.roc_curve(truth, scores, drop_intermediate=False)
        result["eer"] = float(equal_error_rate(false_fakes[None], true_fakes[None])[0])
        for name, level in FPR_LEVELS.items():
            if (n - n_fake) * level >= 1 - 1e-9:  # less than one of the reals cannot be told from none at all
                result[name] = float(true_fakes[false_fakes <= level + 1e-12].max())
    return result | {
        "confusion": {"tn": tn, "fp": fp, "fn": fn, "tp": tp},
        "threshold": float(threshold),
        "n": n,
        "n_real": n - n_fake,
        "n_fake": n_fake,
        "reasons": {name: _reason(name, truth) for name, value in result.items() if value is None},
    }


def by_clip(scores: pd.DataFrame, how: str = "mean") -> pd.DataFrame:
    """One score a clip, of its frames' P(fake).

    Args:
        scores: `scores.csv`, or any table with `CLIP_KEY`, `label` and `probability_fake` (and `split`, where known).
        how: one of `AGGREGATIONS`.

    Returns:
        A row a clip, sorted by `CLIP_KEY`: the key, `split` and `PERSON_COLUMNS` (where given), `label`,
        `probability_fake` and `frames`, the number of them.

    Raises:
        InputError: no such way, a score is not a number, or frames of one clip disagree about its label, its split or
            who is in it.
    """
    if how not in AGGREGATIONS:
        raise InputError(f"no way {how!r} to score a clip; choose one of {', '.join(AGGREGATIONS)}")
    facts = [name for name in ("split", "label", *PERSON_COLUMNS) if name in scores.columns]
    groups = scores.groupby(CLIP_KEY, sort=True)
    if scores.empty:
        return pd.DataFrame(columns=[*CLIP_KEY, *facts, "probability_fake", "frames"])
    for name in facts:
        values = groups[name].nunique()
        if (values > 1).any():
            clip = "/".join(map(str, values.index[values > 1][0]))
            raise InputError(f"clip {clip}: its frames disagree about the {name}; make the table of scores again")
    missing = int(scores["probability_fake"].isna().sum())
    if missing:  # pandas would leave them out without a word
        raise InputError(f"{missing} of {len(scores)} scores are not numbers; score the crops again")
    clips = groups.agg(**{name: (name, "first") for name in facts})
    return clips.assign(probability_fake=AGGREGATIONS[how](scores), frames=groups.size()).reset_index()


def _most_fake(scores: pd.DataFrame) -> pd.Series:
    """Mean of a clip's most fake-looking quarter of frames, at least one: what a forgery of a few frames leaves."""
    sizes = scores.groupby(CLIP_KEY)["probability_fake"].transform("size")
    ranks = scores.groupby(CLIP_KEY)["probability_fake"].rank(method="first", ascending=False)
    return scores[ranks <= np.maximum(1, np.ceil(sizes / 4))].groupby(CLIP_KEY)["probability_fake"].mean()


def _mean_logit(scores: pd.DataFrame) -> pd.Series:
    """P(fake) at the mean logit, in which a very sure frame weighs more than in the mean of probabilities."""
    # In calibrated units, where they are there: the logit that belongs to the probability.
    logits = logit(scores["probability_fake"].clip(1e-15, 1 - 1e-15))
    return expit(scores.assign(_logit=logits).groupby(CLIP_KEY)["_logit"].mean())


# How the scores of frames become that of their clip. The first is what verdicts rest on.
AGGREGATIONS: dict[str, Callable[[pd.DataFrame], pd.Series]] = {
    "mean": lambda scores: scores.groupby(CLIP_KEY)["probability_fake"].mean(),
    "median": lambda scores: scores.groupby(CLIP_KEY)["probability_fake"].median(),
    "top quarter": _most_fake,
    "mean logit": _mean_logit,
}


def checked(
    labels: ArrayLike, scores: ArrayLike, low: float = 0, high: float = 1
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Labels as integers and scores as float64, both (N,).

    Raises:
        InputError: lengths differ, a label is not 0 or 1, or a score is not finite or not in [low, high].
    """
    truth, values = np.asarray(labels), np.asarray(scores, dtype=np.float64)
    if truth.shape != values.shape or truth.ndim != 1:
        raise InputError(f"{truth.size} labels for {values.size} scores: one of each is needed for every crop")
    if not np.isin(truth, [0, 1]).all():
        raise InputError("labels have to be 1 for fake and 0 for real")
    wrong = int((~(np.isfinite(values) & (values >= low) & (values <= high))).sum())
    if wrong:
        kind = "finite" if np.isinf(low) else "a probability between 0 and 1"
        raise InputError(f"{wrong} of {values.size} scores not {kind}; did training diverge? try a lower learning rate")
    return truth.astype(np.int64), values


def _reason(name: str, truth: np.ndarray) -> str:
    """Why a metric is None."""
    if not len(truth):
        return "there are no scores"
    if truth.min() == truth.max():
        return f"only {'fake' if truth[0] else 'real'} ones are given, and it takes both classes"
    level = FPR_LEVELS[name]
    return f"{level:.0%} of {int((truth == 0).sum())} real ones is less than one; it takes {round(1 / level)}"
