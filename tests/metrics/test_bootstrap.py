"""The fast bootstrap, by how often each clip is drawn, against the plain one, which repeats rows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from torchfakes_utils.metrics.binary import binary_metrics
from torchfakes_utils.metrics.bootstrap import METRICS, draws, equal_error_rate, replicate_means, replicate_metrics
from torchfakes_utils.metrics.intervals import mean_by_clip

from helpers.scores import simulated
from helpers.strategies import both_classes, scored_pairs

quick = settings(max_examples=40)
pairs = scored_pairs(4)


@pytest.mark.slow
@quick
@given(pairs, st.sampled_from([0.3, 0.5]))
def test_replicates_are_the_metrics_of_resampled_data_sets(rows, threshold):
    """The weighted shortcut against the plain way: repeat the rows, then ask for the metrics."""
    labels, scores = both_classes(rows, 2)
    fast = replicate_metrics(labels, scores, threshold, 3, seed=5)
    counts = np.vstack(list(draws(labels, 3, seed=5))).astype(int)
    for number, times in enumerate(counts):
        assert [times[labels == label].sum() for label in (0, 1)] == [(labels == label).sum() for label in (0, 1)]
        plain = binary_metrics(np.repeat(labels, times), np.repeat(scores, times), threshold)
        for name in METRICS:
            if plain[name] is not None:
                assert fast[name][number] == pytest.approx(plain[name]), name


def test_fakes_found_at_few_false_alarms_of_a_replicate():
    generator = np.random.default_rng(3)
    table = simulated(generator, 120, 60)
    labels, scores = table["label"].to_numpy(), table["probability_fake"].round(2).to_numpy()
    fast = replicate_metrics(labels, scores, 0.5, 2, seed=0)
    for number, times in enumerate(np.vstack(list(draws(labels, 2, seed=0))).astype(int)):
        plain = binary_metrics(np.repeat(labels, times), np.repeat(scores, times))
        for name in ("tpr_at_fpr_1pct", "tpr_at_fpr_5pct"):
            assert fast[name][number] == pytest.approx(plain[name])


def test_frames_follow_their_clips():
    generator = np.random.default_rng(1)
    clips = np.repeat(np.arange(8), [1, 2, 3, 4, 1, 2, 3, 4])
    labels = (clips >= 4).astype(int)
    scores = generator.random(len(clips))
    fast = replicate_metrics(labels, scores, 0.5, 4, seed=2, clips=clips)
    of_clips = np.repeat([0, 1], 4)
    for number, times in enumerate(np.vstack(list(draws(of_clips, 4, seed=2))).astype(int)):
        rows = np.concatenate([np.tile(np.flatnonzero(clips == clip), times[clip]) for clip in range(8)])
        plain = binary_metrics(labels[rows], scores[rows])
        assert fast["auc"][number] == pytest.approx(plain["auc"])
        assert fast["accuracy"][number] == pytest.approx(plain["accuracy"])


@quick
@given(pairs)
def test_the_equal_error_rate_of_a_curve_is_that_of_the_scores(rows):
    labels, scores = both_classes(rows, 2)
    fast = replicate_metrics(labels, scores, 0.5, 1, seed=0)["eer"]
    times = next(iter(draws(labels, 1, seed=0)))[0].astype(int)
    plain = binary_metrics(np.repeat(labels, times), np.repeat(scores, times))["eer"]
    assert fast[0] == pytest.approx(plain)
    assert equal_error_rate(np.array([[0.5, 1.0]]), np.array([[0.5, 1.0]]))[0] == pytest.approx(0.5)


def test_the_interval_of_a_mean_is_that_of_data_sets_drawn_one_by_one():
    """The counts of the shortcut against the plain way: draw the rows, then take their mean."""
    values = np.random.default_rng(4).normal(size=(30, 2))
    rows = np.random.default_rng(7).integers(0, 30, (500, 30))
    assert replicate_means(values, 500, seed=7) == pytest.approx(values[rows].mean(axis=1))
    low, high = np.quantile(values[rows, 0].mean(axis=1), [0.025, 0.975])
    assert mean_by_clip(values[:, 0], range(30), 500, seed=7) == pytest.approx((values[:, 0].mean(), low, high))
