"""The fast bootstrap, by how often each clip is drawn, against the plain one, which repeats rows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from torchfakes_utils.metrics.binary import binary_metrics
from torchfakes_utils.metrics.bootstrap import (
    METRICS,
    Sampling,
    bca,
    draws,
    equal_error_rate,
    replicate_means,
    replicate_metrics,
)
from torchfakes_utils.metrics.intervals import mean_by_clip

from helpers.scores import simulated
from helpers.strategies import both_classes, scored_pairs

quick = settings(max_examples=40)
pairs = scored_pairs(4)


def clip_by_clip(labels, replicates, seed, clips=None):
    """Clips drawn, as many of each class as there are; a row a clip, unless `clips` says otherwise."""
    clips = np.arange(len(labels)) if clips is None else clips
    return Sampling(clips, labels, replicates, seed, by_class=True)


def randomly(found, sampling):
    return {name: sampling.drawn(values) for name, values in found.items()}


@pytest.mark.slow
@quick
@given(pairs, st.sampled_from([0.3, 0.5]))
def test_replicates_are_the_metrics_of_resampled_data_sets(rows, threshold):
    """The weighted shortcut against the plain way: repeat the rows, then ask for the metrics."""
    labels, scores = both_classes(rows, 2)
    sampling = clip_by_clip(labels, 3, 5)
    fast = randomly(replicate_metrics(labels, scores, threshold, sampling), sampling)
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
    sampling = clip_by_clip(labels, 2, 0)
    fast = randomly(replicate_metrics(labels, scores, 0.5, sampling), sampling)
    for number, times in enumerate(np.vstack(list(draws(labels, 2, seed=0))).astype(int)):
        plain = binary_metrics(np.repeat(labels, times), np.repeat(scores, times))
        for name in ("tpr_at_fpr_1pct", "tpr_at_fpr_5pct"):
            assert fast[name][number] == pytest.approx(plain[name])


def test_frames_follow_their_clips():
    generator = np.random.default_rng(1)
    clips = np.repeat(np.arange(8), [1, 2, 3, 4, 1, 2, 3, 4])
    labels = (clips >= 4).astype(int)
    scores = generator.random(len(clips))
    sampling = clip_by_clip(labels, 4, 2, clips)
    fast = randomly(replicate_metrics(labels, scores, 0.5, sampling), sampling)
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
    sampling = clip_by_clip(labels, 1, 0)
    fast = sampling.drawn(replicate_metrics(labels, scores, 0.5, sampling)["eer"])
    times = next(iter(draws(labels, 1, seed=0)))[0].astype(int)
    plain = binary_metrics(np.repeat(labels, times), np.repeat(scores, times))["eer"]
    assert fast[0] == pytest.approx(plain)
    assert equal_error_rate(np.array([[0.5, 1.0]]), np.array([[0.5, 1.0]]))[0] == pytest.approx(0.5)


def test_the_interval_of_a_mean_is_that_of_data_sets_drawn_one_by_one():
    """The counts of the shortcut against the plain way: draw the rows, then take their mean."""
    values = np.random.default_rng(4).normal(size=(30, 2))
    rows = np.random.default_rng(7).integers(0, 30, (500, 30))
    assert replicate_means(values, 500, seed=7) == pytest.approx(values[rows].mean(axis=1))
    one = values[:, 0]
    without = np.array([np.delete(one, unit).mean() for unit in range(30)])
    low, high = bca(one.mean(), without, one[rows].mean(axis=1), 30)
    assert mean_by_clip(one, range(30), replicates=500, seed=7) == pytest.approx((one.mean(), low, high))


# --- units of several clips


def people_and_clips(generator, people=30):
    """Units of one to four rows, of one class or both, with scores in steps."""
    units = np.repeat(np.arange(people), generator.integers(1, 5, people))
    return units, generator.integers(0, 2, len(units)), generator.random(len(units)).round(1)


def test_data_sets_are_that_at_hand_those_without_a_unit_and_those_drawn():
    units, labels, scores = people_and_clips(np.random.default_rng(0))
    sampling = Sampling(units, labels, 5, seed=1)
    fast = replicate_metrics(labels, scores, 0.5, sampling)
    counts = np.concatenate(list(sampling.counts()))
    assert len(counts) == len(fast["auc"]) == 1 + 30 + 5
    assert (counts[0] == 1).all()
    assert sorted(map(tuple, counts[1:31])) == sorted(map(tuple, 1 - np.eye(30)))
    assert (counts[31:].sum(axis=1) == 30).all() and (counts[31:].max(axis=1) > 1).all()
    for number, times in enumerate(counts.astype(int)):
        rows = np.repeat(np.arange(len(units)), times[units])
        plain = binary_metrics(labels[rows], scores[rows])
        for name in METRICS:
            if plain[name] is not None:
                assert fast[name][number] == pytest.approx(plain[name]), name


def test_no_data_set_lacks_a_class_however_rare_it_is():
    """One real clip each of two people, and twelve people with fakes alone: many a draw has none of the two."""
    labels = np.array([0, 0, *[1] * 12])
    counts = np.concatenate(list(Sampling(np.arange(14), labels, 2000).counts()))
    assert (counts[:, :2].sum(axis=1) > 0).all()
    assert set(counts[-2000:, :2].sum(axis=1)) >= {1, 2, 3}, "how many reals there are varies"


def test_of_many_units_parts_go_together_and_no_class_goes_with_them():
    labels = np.ones(1000, int)
    labels[[3, 203]] = 0  # the same part, were they dealt out as they come
    sampling = Sampling(np.arange(1000), labels, 1)
    parts = np.concatenate(list(sampling.counts()))[1:-1]
    assert len(parts) == sampling.parts == 200
    assert ((1 - parts).sum(axis=0) == 1).all() and ((1 - parts).sum(axis=1) == 5).all()
    assert (parts[:, [3, 203]].sum(axis=1) > 0).all()


def test_the_skew_is_the_same_whether_units_are_left_out_one_by_one_or_in_parts():
    values = np.random.default_rng(0).exponential(size=4000)
    drawn = values.mean() + np.random.default_rng(1).normal(size=4000) / 63
    alone = (values.sum() - values) / 3999
    parts = (values.sum() - values.reshape(200, 20).sum(axis=1)) / 3980
    assert bca(values.mean(), alone, drawn, 4000) == pytest.approx(bca(values.mean(), parts, drawn, 4000), abs=5e-4)


def test_bca_is_that_of_scipy_but_for_the_widening():
    from scipy.stats import bootstrap

    values = np.random.default_rng(0).exponential(size=(1, 400))
    theirs = bootstrap(values, np.mean, n_resamples=4000, rng=np.random.default_rng(1), method="BCa")
    without = (values.sum() - values[0]) / 399
    own = bca(values.mean(), without, theirs.bootstrap_distribution, 400)
    ends = theirs.confidence_interval
    assert own == pytest.approx((ends.low, ends.high), abs=0.05 * (ends.high - ends.low))
    few = bca(values.mean(), without, theirs.bootstrap_distribution, 5)
    assert few[0] < own[0] and few[1] > own[1], "wider for five"
