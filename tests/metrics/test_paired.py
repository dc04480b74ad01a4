"""Pairs of scores, film by film, against known answers and scikit-learn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from torchfakes_utils.metrics.paired import auc, comparisons, pairs_right, resampled, whole

LOGITS = st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3)), min_size=1, max_size=12)


@given(LOGITS)
def test_auc_is_that_of_scikit_learn(pairs):
    real, fake = zip(*pairs, strict=True)
    expected = roc_auc_score([0] * len(real) + [1] * len(fake), [*real, *fake])
    assert whole(comparisons(real, fake), auc) == pytest.approx(expected)


@given(LOGITS, st.data())
def test_a_film_that_counts_twice_is_there_twice(pairs, data):
    counts = data.draw(st.lists(st.integers(0, 3), min_size=len(pairs), max_size=len(pairs)).filter(any))
    repeated = [pair for pair, count in zip(pairs, counts, strict=True) for _ in range(count)]
    drawn, there = (comparisons(*zip(*some, strict=True)) for some in (pairs, repeated))
    for statistic in (auc, pairs_right):
        assert statistic(drawn, np.array([counts], float))[0] == pytest.approx(whole(there, statistic))


def test_pairs_ask_for_the_own_original():
    above = comparisons([0.0, 5.0, 2.0], [1.0, 4.0, 2.0])
    assert whole(above, pairs_right) == 0.5  # above, below, equal
    assert whole(above, auc) == pytest.approx((1 + 0 + 0 + 1 + 0 + 1 + 1 + 0 + 0.5) / 9)


def test_all_runs_are_drawn_alike():
    generator = np.random.default_rng(0)
    one = comparisons(generator.normal(size=40), generator.normal(1, size=40))
    other = comparisons(generator.normal(size=40), generator.normal(2, size=40))
    both = resampled([one, other], auc, 300)
    assert np.allclose(both, (resampled([one], auc, 300) + resampled([other], auc, 300)) / 2)
    assert np.allclose(both, resampled([one, other], auc, 300)) and len(both) == 300 and both.std() > 0.01
    assert abs(both.mean() - (whole(one, auc) + whole(other, auc)) / 2) < 0.01
