"""What hypothesis draws."""

import numpy as np


def scored_pairs(least: int):
    """A strategy: at least so many labels with scores; few distinct ones, so that ties, the usual trap of ranking
    metrics, come up all the time."""
    from hypothesis import strategies as st

    score = st.one_of(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]), st.floats(0, 1))
    return st.lists(st.tuples(st.integers(0, 1), score), min_size=least, max_size=40)


def both_classes(rows, least: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Labels and scores of pairs in which each class occurs at least so often; others are not looked at."""
    from hypothesis import assume

    labels, scores = (np.array(column) for column in zip(*rows, strict=True))
    assume(min(labels.sum(), (1 - labels).sum()) >= least)
    return labels, scores
