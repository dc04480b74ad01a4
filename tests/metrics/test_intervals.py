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
    compare_runs,
    intervals,
    mean_by_clip,
    over_runs,
    people_drawn,
    sampling,
    with_intervals,
)

from helpers.scores import clip_table, simulated

# --- what an interval promises


def of_people(*rows, label=1):
    """Clips by the people in them: (target, source)."""
    table = clip_table([label] * len(rows), np.linspace(0.2, 0.8, len(rows)))
    return table.assign(target_id=[row[0] for row in rows], source_id=[row[1] for row in rows])


def drawn(*tables):
    """What is drawn of some clips, and of how many."""
    found, by = sampling(pd.concat(tables, ignore_index=True).assign(clip_id=lambda table: table.index.astype(str)))
    return by, found.count


def test_people_are_drawn_where_they_are_known_and_clips_where_not():
    reals, fakes = of_people(("a", ""), ("b", ""), ("c", ""), label=0), of_people(("a", "b"), ("b", "a"), ("c", ""))
    assert drawn(reals, fakes) == ("person", 2)
    assert drawn(reals, fakes, of_people(("", ""))) == ("person", 3), "a clip of nobody known is its own"
    nobody = pd.concat([reals, fakes]).assign(target_id="", source_id="")
    assert drawn(nobody) == drawn(nobody.drop(columns=["target_id", "source_id"])) == ("clip", 6)


def test_people_who_are_all_linked_are_drawn_by_whose_film_it_is():
    reals, fakes = of_people(("a", ""), ("b", ""), ("c", ""), label=0), of_people(("a", "b"), ("b", "c"), ("c", "a"))
    assert drawn(reals, fakes) == ("target", 3)
    assert drawn(reals[:1], fakes[:1]) == ("person", 1), "nor does it help to draw by target"
    measured = with_intervals(pd.concat([reals[:1], fakes[:1]]))
    assert measured["drawn_by"] == "person" and measured["units"] == 1
    assert measured["auc_interval"] is None and "two groups of people" in measured["reasons"]["auc_interval"]
    assert people_drawn(pd.concat([reals, fakes])).tolist() == [0, 1, 2, 0, 1, 2]
    assert people_drawn(reals).tolist() == [0, 1, 2]


def test_copies_of_a_clip_of_the_same_person_do_not_narrow_an_interval():
    clips = simulated(np.random.default_rng(2), 20, 60)
    known = clips.assign(target_id=clips["clip_id"], source_id="")
    copies = known.loc[known.index.repeat(5)].assign(clip_id=lambda table: np.arange(len(table)).astype(str))
    once, often = (intervals(table, replicates=4000)["auc"] for table in (known, copies))
    assert often == pytest.approx(once, abs=0.01)
    pretended = intervals(copies.assign(target_id=""))["auc"]
    assert pretended[1] - pretended[0] < 0.6 * (once[1] - once[0])


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


def recipe(generator, labels, runs=1, distance=1.0, shared=None):
    """Runs of one recipe: what makes a clip hard is `shared` by all, and each adds its own."""
    shared = generator.normal(0, 1, len(labels)) if shared is None else shared
    logits = [distance * (2 * labels - 1) + shared + generator.normal(0, 1, len(labels)) for _ in range(runs)]
    return [clip_table(labels, 1 / (1 + np.exp(-one))) for one in logits]


def test_a_recipe_over_its_seeds():
    generator = np.random.default_rng(0)
    labels = np.repeat([0, 1], 40)
    runs = [run for distance in (0.4, 1.0, 1.6) for run in recipe(generator, labels, 1, distance)]
    found = over_runs(runs, [0.5] * 3)["auc"]
    values = [binary_metrics(run["label"], run["probability_fake"])["auc"] for run in runs]
    assert found["values"] == pytest.approx(values) and found["mean"] == pytest.approx(np.mean(values))
    assert found["interval"][0] < found["mean"] < found["interval"][1]


def test_an_interval_over_runs_is_for_these_runs():
    """Three times the same run say no more than one: it is not as if three had been drawn from many."""
    (run,) = recipe(np.random.default_rng(0), np.repeat([0, 1], 40))
    three, one = over_runs([run] * 3, [0.5] * 3), over_runs([run], [0.5])
    assert three["auc"]["interval"] == pytest.approx(one["auc"]["interval"])
    assert one["auc"]["interval"] == pytest.approx(intervals(run)["auc"])


def test_runs_of_crops_are_paired_by_frame():
    """Whatever their order; and tables of other frames are tables of something else."""
    clips = simulated(np.random.default_rng(0), 6, 6)
    frames = pd.concat([clips.assign(frame=frame) for frame in range(3)], ignore_index=True)
    with pytest.raises(InputError, match="other clips"):
        over_runs([frames, frames.assign(frame=frames["frame"] + 1)], [0.5] * 2)
    frames["probability_fake"] = np.random.default_rng(1).random(len(frames))
    found = compare_runs([frames], [frames.sample(frac=1, random_state=0)], ([0.5], [0.5]))["auc"]
    assert found["difference"] == 0 and found["interval"] == [0, 0]


def test_runs_are_compared_by_the_means_of_their_metrics():
    labels = np.repeat([0, 1], 40)
    ours, theirs = recipe(np.random.default_rng(0), labels, 3), recipe(np.random.default_rng(1), labels, 2)
    found = compare_runs(ours, theirs, ([0.4] * 3, [0.6] * 2))
    for name in ("auc", "balanced_accuracy"):
        values = [[binary_metrics(run["label"], run["probability_fake"], at)[name] for run in runs]
                  for runs, at in ((ours, 0.4), (theirs, 0.6))]  # fmt: skip
        assert found[name]["first"] == pytest.approx(np.mean(values[0]))
        assert found[name]["second"] == pytest.approx(np.mean(values[1]))
        assert found[name]["difference"] == pytest.approx(np.mean(values[0]) - np.mean(values[1]))


@pytest.mark.slow
def test_runs_of_one_recipe_are_no_better_for_being_more():
    """Three runs against one of the same recipe: no difference, 95 times of a hundred; an ensemble of three wins."""
    labels, generator, held, ensembles = np.repeat([0, 1], [40, 80]), np.random.default_rng(0), [], []
    for _ in range(100):
        runs = recipe(generator, labels, 4)
        low, high = compare_runs(runs[:3], runs[3:], ([0.5] * 3, [0.5]), 250)["auc"]["interval"]
        held.append(low <= 0 <= high)
        mean = runs[0].assign(probability_fake=np.mean([run["probability_fake"] for run in runs[:3]], axis=0))
        low, high = compare(mean, runs[3], replicates=250)["auc"]["interval"]
        ensembles.append(low <= 0 <= high)
    print(np.mean(held), np.mean(ensembles))
    assert 0.91 <= np.mean(held) <= 0.99, np.mean(held)
    assert np.mean(ensembles) < 0.8, np.mean(ensembles)


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


def test_a_mean_is_over_clips_and_its_interval_by_people():
    values, clips = np.array([0.0, 1, 1, 5, 5, 3]), list("aabcde")
    by_person = mean_by_clip(values, clips, np.array([7, 7, 7, 2, 2, 4]))
    assert by_person[0] == mean_by_clip(values, clips)[0] == pytest.approx(np.mean([0.5, 1, 5, 5, 3]))
    person = np.repeat(np.arange(20), 6)  # six clips each, which are alike
    alike, names = np.random.default_rng(0).normal(size=20)[person], [f"{clip}" for clip in range(120)]
    widths = [high - low for _, low, high in (mean_by_clip(alike, names, person), mean_by_clip(alike, names))]
    assert widths[0] > 2 * widths[1]
    assert np.isnan(mean_by_clip(values, clips, np.zeros(6, int))[1]), "one person has no interval"
    # What is left out takes its people along.
    rest = mean_by_clip(np.where(values == 3, np.nan, values), clips, np.array([7, 7, 7, 2, 2, 4]))
    assert rest == pytest.approx(mean_by_clip(values[:5], clips[:5], np.array([7, 7, 7, 2, 2])))
