"""Data sets of pairs: a score of a real crop and one of a fake made from it, film by film, in the same order.

Each film has one of either, so that films can be drawn with both; drawn by class, a film's real crop would be compared
with fakes of films that are not there.
"""

from collections.abc import Callable, Sequence

import numpy as np

from torchfakes_utils.metrics.bootstrap import draws

# Of a square of comparisons (V, V) and of counts (R, V), which say how often each film was drawn: a value each, (R,).
Statistic = Callable[[np.ndarray, np.ndarray], np.ndarray]


def comparisons(real: Sequence[float], fake: Sequence[float]) -> np.ndarray:
    """(V, V): is the fake of film v (rows) above the real crop of film w? 1, 0, or a half where they are equal.

    Args:
        real, fake: (V,) scores of either, the same film at the same place.
    """
    own, other = np.asarray(fake, float)[:, None], np.asarray(real, float)[None]
    above: np.ndarray = (own > other) + (own == other) / 2
    return above


def auc(above: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """AUC, (R,): any fake against any real crop."""
    won: np.ndarray = np.einsum("rv,vw,rw->r", counts, above, counts, optimize=True)
    won /= counts.sum(1) ** 2
    return won


def pairs_right(above: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Share of fakes above their own original, (R,)."""
    won: np.ndarray = counts @ above.diagonal()
    won /= counts.sum(1)
    return won


def whole(above: np.ndarray, statistic: Statistic) -> float:
    """A statistic of the data as they are."""
    return float(statistic(above, np.ones((1, len(above))))[0])


def resampled(runs: Sequence[np.ndarray], statistic: Statistic, replicates: int, seed: int = 0) -> np.ndarray:
    """A statistic on data sets drawn film by film, the same for all runs: the mean over runs, (replicates,).

    Args:
        runs: (V, V) comparisons of each, of the same films.
        statistic: `auc` or `pairs_right`.
        replicates, seed: data sets, and the seed of the draw.
    """
    films = np.zeros(len(runs[0]))  # one stratum: a film has both classes
    of_each = [np.concatenate([statistic(run, counts) for counts in draws(films, replicates, seed)]) for run in runs]
    means: np.ndarray = np.mean(of_each, axis=0)
    return means
