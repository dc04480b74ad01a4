"""From the scores of a clip's frames, or windows, to one score of the clip: three ways, by hand.

Which one suits depends on what a forgery leaves: the mean is steadiest where all frames are forged, the mean of the k
highest where few are, and the longest run where those few follow each other. None of them asks in which *order* frames
with the same scores come, but the last; and none of them sees what only the order betrays.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

from torchfakes_utils.io.tables import CLIP_KEY
from torchfakes_utils.metrics.people import PERSON_COLUMNS

# Of `top_k`, as a share of the frames; and from where on a frame counts in a run.
TOP, THRESHOLD = 0.25, 0.5


def mean(scores: np.ndarray) -> float:
    """The mean of P(fake), (N,)."""
    return float(np.mean(scores))


def top_k(scores: np.ndarray, k: int | None = None) -> float:
    """The mean of the k highest of P(fake), (N,); k is a quarter of N, rounded up, where it is not given."""
    k = max(1, int(np.ceil(TOP * len(scores)))) if k is None else k
    if not 1 <= k <= len(scores):
        raise ValueError(f"the {k} highest of {len(scores)} scores?")
    return float(np.sort(scores)[-k:].mean())


def longest_run(scores: np.ndarray, threshold: float = THRESHOLD) -> tuple[int, int]:
    """First and past-the-last place of the longest run of scores (N,) at `threshold` or above; (0, 0) where none is.

    Of several as long, the one with the higher sum; of equal ones the first.
    """
    above = np.concatenate([[False], np.asarray(scores) >= threshold, [False]])
    edges = np.flatnonzero(above[1:] != above[:-1])
    runs = list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
    if not runs:
        return 0, 0
    return max(runs, key=lambda run: (run[1] - run[0], float(np.sum(scores[run[0] : run[1]]))))


def run_share(scores: np.ndarray, threshold: float = THRESHOLD) -> float:
    """How much of a clip its longest run of scores at `threshold` or above takes, in [0, 1]."""
    start, end = longest_run(scores, threshold)
    return (end - start) / len(scores)


WAYS: dict[str, Callable[[np.ndarray], float]] = {"mean": mean, "top k": top_k, "longest run": run_share}


def clip_scores(scores: pd.DataFrame, way: str | Callable[[np.ndarray], float] = "mean") -> pd.DataFrame:
    """A row a clip, of rows a frame or a window.

    Args:
        scores: with `CLIP_KEY`, `label`, `probability_fake`, `PERSON_COLUMNS` where they are known, and `frame`, by
            which they are ordered.
        way: one of `WAYS`, or a function of the ordered scores (N,) of a clip.

    Returns:
        As `metrics.binary.by_clip`: the key, what is known of the clip, `probability_fake` and `frames`.
    """
    how = WAYS[way] if isinstance(way, str) else way
    facts = [name for name in ("split", "label", *PERSON_COLUMNS) if name in scores.columns]
    ordered = scores.sort_values([*CLIP_KEY, "frame"], kind="stable").groupby(CLIP_KEY, sort=True)
    found = ordered["probability_fake"].agg(lambda column: how(column.to_numpy(float)))
    clips = ordered.agg(**{name: (name, "first") for name in facts})
    return clips.assign(probability_fake=found, frames=ordered.size()).reset_index()
