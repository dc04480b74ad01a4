"""Intervals, comparisons and recipes: what an interval promises, and whether one detector is better than another."""

import numpy as np
import pandas as pd
import pytest

from torchfakes_utils.errors import InputError
from torchfakes_utils.metrics.binary import binary_metrics, by_clip
from torchfakes_utils.metrics.bootstrap import METRICS
from torchfakes_utils.metrics.intervals import (
    bootstrap_interval,
    compare,
    intervals,
    mean_by_clip,
    over_runs,
    with_intervals,
)

from helpers.scores import clip_table, simulated

# --- what an interval promises


@pytest.mark.slow
@pytest.mark.parametrize(("reals", "fakes"), [(40, 160), (30, 30)])
def test_ninety_five_per_cent_of_the_intervals_hold_the_truth(reals, fakes):
    """Many experiments with a known truth: the AUC of two normal distributions, and rates at a threshold."""
    from scipy.stats import norm

    distance, generator, held = 1.5, np.random.default_rng(0), {"auc": [], "balanced_accuracy": [], "fnr": []}
    truth = {"auc": norm.cdf(distance / np.sqrt(2)), "balanced_accuracy": norm.cdf(distance / 2),
             "fnr": norm.cdf(-distance / 2)}  # fmt: skip
    for experiment in range(300):
        table = simulated(generator, reals, fakes, distance)
        found = intervals(table, replicates=400, seed=experiment)
        for name, hits in held.items():
            hits.append(found[name][0] <= truth[name] <= found[name][1])
    for name, hits in held.items():
        assert 0.90 <= np.mean(hits) <= 0.98, f"{name}: {np.mean(hits):.3f}"


def test_intervals_by_frame_know_their_clips():
    """Ten copies of every clip's score: by clip nothing is gained, and an interval by frame has to say the same."""
    generator = np.random.default_rng(2)
    clips = simulated(generator, 20, 60)
    frames = clips.loc[clips.index.repeat(10)].reset_index(drop=True)
    once, often = intervals(clips), intervals(frames)
    assert often["auc"] == pytest.approx(once["auc"])
    pretended = intervals(frames.assign(clip_id=[f"{row}" for row in frames.index]))
    assert pretended["auc"][1] - pretended["auc"][0] < 0.5 * (once["auc"][1] - once["auc"][0])


@pytest.mark.parametrize("metric", ["auc", "average_precision", "eer", "accuracy", "balanced_accuracy", "brier"])
def test_an_interval_holds_the_metric_and_narrows_with_more_clips(metric):
    generator = np.random.default_rng(0)

    def width(per_class):
        table = simulated(generator, per_class, per_class)
        low, high = bootstrap_interval(table, metric)
        assert 0 <= low <= binary_metrics(table["label"], table["probability_fake"])[metric] <= high <= 1
        return high - low

    assert width(400) < width(20)


def test_an_interval_is_the_same_for_the_same_seed():
    table = clip_table(np.repeat([0, 1], 30), np.random.default_rng(1).random(60))
    first = bootstrap_interval(table, seed=2)
    assert bootstrap_interval(table, seed=2) == first
    assert bootstrap_interval(table, seed=3) != first
    assert bootstrap_interval(table.sample(frac=1, random_state=0), seed=2) == pytest.approx(first, abs=0.05)


def test_perfect_scores_have_an_interval_of_no_width():
    assert bootstrap_interval(clip_table([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9])) == (1.0, 1.0)


@pytest.mark.parametrize("labels", [[0, 0, 0], [1, 1, 1], [0, 1, 1], []])
def test_no_interval_where_nothing_can_vary(labels):
    table = clip_table(labels, np.linspace(0, 1, len(labels)))
    assert bootstrap_interval(table) is None
    measured = with_intervals(table)
    assert measured["auc_interval"] is None and measured["reasons"]["auc_interval"]


def test_frames_of_a_single_clip_are_no_clips():
    table = clip_table([0] * 6 + [1] * 6, np.linspace(0, 1, 12)).assign(clip_id=["a"] * 6 + ["b"] * 6)
    assert intervals(table) is None


def test_an_unknown_interval_is_refused():
    with pytest.raises(InputError, match="auc"):
        bootstrap_interval(clip_table([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9]), "f1")


# --- is A better than B?


def test_a_paired_comparison_sees_what_two_intervals_hide():
    """Clips differ far more among themselves than the two detectors do on the same clip."""
    generator = np.random.default_rng(0)
    labels = np.repeat([0, 1], 60)
    shared = 1.2 * (2 * labels - 1) + generator.normal(0, 2, 120)
    second = shared + generator.normal(0, 0.3, 120)
    first = second + 0.35 * (2 * labels - 1)
    tables = [clip_table(labels, 1 / (1 + np.exp(-logits))) for logits in (first, second)]
    alone = [intervals(table)["auc"] for table in tables]
    assert alone[0][0] < alone[1][1], "the intervals overlap"
    found = compare(*tables)["auc"]
    assert found["interval"][0] > 0 and found["better"] > 0.97
    assert found["difference"] == pytest.approx(found["first"] - found["second"])
    turned = compare(*tables[::-1])["auc"]
    assert turned["difference"] == pytest.approx(-found["difference"]) and turned["better"] < 0.03


def test_less_loss_is_better():
    labels = [0, 0, 0, 1, 1, 1]
    sure, unsure = (clip_table(labels, np.where(np.array(labels) == 1, p, 1 - p)) for p in (0.9, 0.6))
    found = compare(sure, unsure)
    assert found["loss"]["difference"] < 0 and found["loss"]["better"] == 1
    assert found["auc"]["difference"] == 0 and found["auc"]["better"] == 0.5


def test_a_detector_is_no_better_than_itself_whatever_the_order_of_rows():
    table = simulated(np.random.default_rng(4), 10, 20)
    found = compare(table, table.sample(frac=1, random_state=1))
    assert all(row["difference"] == 0 for row in found.values() if row["difference"] is not None)


def test_scores_of_other_clips_are_not_compared():
    table = simulated(np.random.default_rng(4), 10, 20)
    for other in (table.iloc[1:], table.assign(label=1 - table["label"]), table.assign(method="x")):
        with pytest.raises(InputError, match="other clips.*same split") as caught:
            compare(table, other)
        assert "\n" not in str(caught.value)


def test_comparing_one_class_gives_reasons():
    table = clip_table([1, 1, 1], [0.2, 0.5, 0.9])
    found = compare(table, table)["auc"]
    assert found["difference"] is None and "only fake" in found["reason"]


def test_a_recipe_over_its_seeds():
    generator = np.random.default_rng(0)
    labels = np.repeat([0, 1], 40)
    runs = [clip_table(labels, 1 / (1 + np.exp(-(d * (2 * labels - 1) + generator.normal(0, 1.5, 80)))))
            for d in (0.4, 1.0, 1.6)]  # fmt: skip
    found = over_runs(runs, [0.5] * 3)["auc"]
    values = [binary_metrics(run["label"], run["probability_fake"])["auc"] for run in runs]
    assert found["values"] == pytest.approx(values)
    assert found["mean"] == pytest.approx(np.mean(values)) and found["sd"] == pytest.approx(np.std(values, ddof=1))
    assert found["interval"][0] < found["mean"] < found["interval"][1]
    # Runs that differ make the recipe less certain than any one of them is.
    one = over_runs(runs[1:2], [0.5])["auc"]
    assert one["sd"] is None
    assert found["interval"][1] - found["interval"][0] > one["interval"][1] - one["interval"][0]


def test_the_mean_of_frames_is_what_is_compared():
    frames = pd.concat([simulated(np.random.default_rng(seed), 5, 5) for seed in range(3)], ignore_index=True)
    assert set(compare(by_clip(frames), by_clip(frames))) == set(METRICS)


# --- means


def test_the_mean_of_clips_counts_each_once():
    mean, low, high = mean_by_clip(np.array([1.0, 1, 1, 1, 0]), list("aaaab"))
    assert mean == 0.5 and low == 0 and high == 1
    assert mean_by_clip(np.array([np.nan, 2.0]), ["a", "b"])[0] == 2
    assert np.isnan(mean_by_clip(np.array([np.nan]), ["a"])).all()
    assert np.isnan(mean_by_clip(np.array([1.0, 3.0]), ["a", "a"])[1]), "one clip has no interval"
