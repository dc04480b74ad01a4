"""Calibration: reliability counted by hand, temperatures and thresholds that are known, risk against coverage."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from torchfakes_utils.errors import InputError
from torchfakes_utils.metrics.bootstrap import Sampling
from torchfakes_utils.metrics.calibration import (
    class_weights,
    ece_if_calibrated,
    fit_temperature,
    fit_threshold,
    log_odds,
    probability,
    reliability,
    replicate_ece,
    risk_coverage,
)


def two_normals(generator, reals, fakes, distance=2.0):
    """Labels and logits that are calibrated where half are fake."""
    labels = np.repeat([0, 1], [reals, fakes])
    evidence = np.where(labels == 1, distance / 2, -distance / 2) + generator.normal(size=len(labels))
    return labels, distance * evidence


def test_reliability_by_hand():
    # Range 0-0.5 holds .1 .3 (one of two fake); range 0.5-1 holds .6 .8 .9 (two of three fake).
    found = reliability([0, 1, 0, 1, 1], [0.1, 0.3, 0.6, 0.8, 0.9], bins=2)
    assert found.count.tolist() == [2, 3]
    assert found.predicted.tolist() == pytest.approx([0.2, 2.3 / 3])
    assert found.fake.tolist() == pytest.approx([0.5, 2 / 3])
    assert found.ece == pytest.approx(0.4 * 0.3 + 0.6 * (2.3 / 3 - 2 / 3))
    assert found.rows()[0] == {"low": 0.0, "high": 0.5, "count": 2, "predicted": pytest.approx(0.2), "fake": 0.5}


def test_what_keeps_its_word_has_no_error():
    generator = np.random.default_rng(0)
    said = generator.random(200_000)
    truth = (generator.random(200_000) < said).astype(int)
    assert reliability(truth, said).ece < 0.005
    assert reliability(truth, np.clip(said * 1.5, 0, 1)).ece > 0.1


def test_in_a_world_with_another_share_of_fakes():
    labels, scores = [0, 1, 1, 1], [0.9] * 4
    assert reliability(labels, scores).fake.tolist() == [0.75]
    for share in (0.5, 0.01):
        assert reliability(labels, scores, share).fake[0] == pytest.approx(share), "equal scores know no more"
    assert class_weights(np.array(labels), 0.5).sum() == pytest.approx(4)


def test_no_scores_and_scores_that_are_none():
    assert reliability([], []).ece is None
    with pytest.raises(InputError, match="probability"):
        reliability([0], [1.2])


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_a_temperature_that_was_put_in_is_found(temperature):
    labels, logits = two_normals(np.random.default_rng(1), 3000, 12000)
    found, why = fit_temperature(labels, temperature * logits)
    assert found == pytest.approx(temperature, rel=0.05) and why is None


def test_one_number_changes_no_order_and_no_side():
    _, logits = two_normals(np.random.default_rng(2), 50, 50)
    for temperature in (0.3, 4.0):
        scaled = probability(logits, temperature)
        assert (np.argsort(scaled) == np.argsort(logits)).all() and ((scaled >= 0.5) == (logits >= 0)).all()


@pytest.mark.parametrize(
    ("labels", "logits", "why"),
    [([0, 0, 1, 1], [-2, -1, 1, 2], "without an error"), ([0, 0, 1, 1], [3, 1, -1, -3], "do not separate"),
     ([0, 0, 1, 1], [-0.002, 0.001, -0.001, 0.002], "too close to 0, half of them within 0.002"),
     ([0, 0, 1, 1], [-0.002, -0.001, 0.001, 0.002], "without an error"), ([0, 1], [0, 0], "do not separate"),
     ([0, 0, 1, 1], [-2e3, 1e3, -1e3, 2e3], "far too sure"), ([1, 1], [1, 2], "both classes")],
)  # fmt: skip
def test_where_crops_do_not_tell_the_temperature_stays_one(labels, logits, why):
    found, reason = fit_temperature(labels, logits)
    assert found == 1 and why in reason


def test_a_threshold_that_is_known_is_found():
    labels, logits = two_normals(np.random.default_rng(3), 2000, 8000)
    threshold, why = fit_threshold(labels, probability(logits + 1.5))
    assert log_odds(threshold) == pytest.approx(1.5, abs=0.1) and why is None


@pytest.mark.slow
def test_few_clips_the_curve_serves_new_ones_better_than_the_best_cut():
    """With 8 real and 32 fake clips, as in the course: expected balanced accuracy on clips that come after."""

    def best_cut(labels, scores):
        cuts = np.unique(np.concatenate([[0.0], scores, [1.0]]))
        middles = (cuts[:-1] + cuts[1:]) / 2
        quality = [((scores[labels == 1] >= cut).mean() + (scores[labels == 0] < cut).mean()) for cut in middles]
        best = np.flatnonzero(np.isclose(quality, max(quality)))
        return middles[best[np.argmax((cuts[1:] - cuts[:-1])[best])]]

    generator, gains = np.random.default_rng(0), []
    for shift in (0.0, 1.5):
        for _ in range(150):
            labels, logits = two_normals(generator, 8, 32)
            scores = probability(logits + shift)
            expected = []
            for threshold in (fit_threshold(labels, scores)[0], best_cut(labels, scores)):
                cut = (log_odds(threshold) - shift) / 2.0
                expected.append((norm.cdf(cut + 1) + 1 - norm.cdf(cut - 1)) / 2)
            gains.append(expected[0] - expected[1])
    assert np.mean(gains) > 0.005


def test_thresholds_that_clips_do_not_tell():
    assert fit_threshold([1, 1], [0.2, 0.9])[0] == 0.5
    threshold, why = fit_threshold([0, 0, 1, 1], [0.9, 0.8, 0.2, 0.1])
    assert threshold == 0.5 and "do not rise" in why


def test_a_threshold_lies_among_the_scores():
    threshold, _ = fit_threshold([0, 0, 0, 1, 1, 1], [0.7, 0.75, 0.8, 0.9, 0.95, 0.99])
    assert 0.7 <= threshold <= 0.99


def test_risk_and_coverage_by_hand():
    # From the surest: .99 (right), .02 (right), .9 (wrong), .4 (right), .55 (wrong).
    coverage, risk = risk_coverage([1, 0, 0, 0, 0], [0.99, 0.02, 0.9, 0.4, 0.55])
    assert coverage.tolist() == pytest.approx([0.2, 0.4, 0.6, 0.8, 1])
    assert risk.tolist() == pytest.approx([0, 0, 1 / 3, 1 / 4, 2 / 5])


def test_equally_sure_answers_come_as_a_mixture():
    _, risk = risk_coverage([1, 0, 1, 0], [0.8, 0.8, 0.8, 0.8])
    assert risk.tolist() == pytest.approx([0.5] * 4)


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 1), st.floats(0, 1)), min_size=1, max_size=30), st.floats(0.05, 0.95))
def test_with_everything_answered_the_risk_is_the_error(rows, threshold):
    labels, scores = (np.array(column) for column in zip(*rows, strict=True))
    coverage, risk = risk_coverage(labels, scores, threshold)
    assert coverage[-1] == 1 and risk[-1] == pytest.approx(np.mean((scores >= threshold) != (labels == 1)))
    assert ((risk >= 0) & (risk <= 1)).all()


# --- how sure the calibration error is


def calibrated(generator, clips, frames=1):
    """Scores that keep their word: labels, P(fake), clips; the crops of a clip are alike."""
    scores = generator.beta(1, 1, clips)
    labels = (generator.random(clips) < scores).astype(int)
    return labels.repeat(frames), scores.repeat(frames), np.arange(clips).repeat(frames)


def test_the_calibration_error_of_data_sets_is_that_of_their_rows():
    generator = np.random.default_rng(0)
    labels, scores, clips = calibrated(generator, 40, 3)
    sampling = Sampling(clips % 13, labels, 4)
    for fakes in (None, 0.5, 0.1):
        fast = replicate_ece(labels, scores, sampling, fakes)
        assert fast[0] == pytest.approx(reliability(labels, scores, fakes).ece)
        for number, times in enumerate(np.concatenate(list(sampling.counts())).astype(int)):
            rows = np.repeat(np.arange(len(labels)), times[sampling.units])
            assert fast[number] == pytest.approx(reliability(labels[rows], scores[rows], fakes).ece)


@pytest.mark.parametrize("fakes", [None, 0.5])
def test_few_scores_that_keep_their_word_have_the_error_of_chance(fakes):
    """Of forty clips it is some 0.1, and falls with more; more crops of the same clips do not help."""
    generator = np.random.default_rng(0)

    def errors(clips, frames=1):
        data = [calibrated(generator, clips, frames) for _ in range(60)]
        found = [reliability(labels, scores, fakes).ece for labels, scores, _ in data]
        by_chance = [ece_if_calibrated(*one, fakes, replicates=60) for one in data]
        return np.mean(found), np.mean(by_chance)

    few, many, frames = errors(40), errors(2000), errors(40, 20)
    for found, by_chance in (few, many, frames):
        assert by_chance == pytest.approx(found, rel=0.15)
    assert few[0] > 4 * many[0] and frames[0] == pytest.approx(few[0], rel=0.15)


def test_a_balanced_error_of_chance_is_that_of_scores_which_keep_their_word_where_half_are_fake():
    """A fifth are real: scores that are right for halves are too low here, by as much as the classes' weights say."""
    generator = np.random.default_rng(1)
    found, by_chance = [], []
    for _ in range(40):
        labels, scores, clips = calibrated(generator, 4000)
        kept = np.concatenate([np.flatnonzero(labels == 0)[:200], np.flatnonzero(labels == 1)[:800]])
        labels, scores, clips = labels[kept], scores[kept], np.arange(1000)
        found.append(reliability(labels, scores, 0.5).ece)
        by_chance.append(ece_if_calibrated(labels, scores, clips, 0.5, replicates=40))
        assert reliability(labels, scores).ece > 2 * found[-1]
    assert np.mean(by_chance) == pytest.approx(np.mean(found), rel=0.1)


def test_of_no_scores_nothing_is_said_about_chance():
    assert ece_if_calibrated([], [], np.array([], int)) is None
