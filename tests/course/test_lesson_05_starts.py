"""What a start is worth, summed up over seeds, with intervals from drawing people; and the figures of it."""

import json

import matplotlib
import numpy as np
import pandas as pd
import pytest

from torchfakes_utils.course import lesson_05_figures, lesson_05_starts, starts
from torchfakes_utils.metrics.people import PERSON_COLUMNS

matplotlib.use("Agg")


def run(scores, seed=0, start=starts.ALL, crops=0, frames=2, people=None) -> pd.DataFrame:
    """A row for each of `frames` crops of each clip, whose scores are given; the first half of the clips is real.

    Nobody is known in them, or `people`, one a clip; a fake of an even one is made with the next one's face.
    """
    label = np.repeat([0, 1], len(scores) // 2)
    clips = pd.DataFrame({"clip_id": [f"{n:03d}" for n in range(len(scores))], "label": label, "method": "m"})
    known = [""] * len(scores) if people is None else people
    clips["target_id"] = [str(one) for one in known]
    clips["source_id"] = [
        str(one ^ 1) if people is not None and fake else "" for one, fake in zip(known, label, strict=True)
    ]
    table = clips.assign(compression="c23", probability_fake=scores, seed=seed, start=start, crops=crops)
    return pd.concat([table.assign(frame=frame) for frame in range(frames)], ignore_index=True)


def test_the_mean_over_seeds_lies_in_its_interval_and_right_scores_leave_no_doubt():
    good, coin = run([0.1, 0.2, 0.8, 0.9]), run([0.6, 0.2, 0.3, 0.7])
    auc, low, high, seeds = lesson_05_starts.mean_auc([good, coin])
    assert seeds == [1.0, 0.75] and auc == 0.875
    assert low < auc <= high <= 1
    assert lesson_05_starts.mean_auc([good, good])[:3] == (1.0, 1.0, 1.0)


def test_an_interval_is_by_clip_and_frames_of_a_clip_do_not_narrow_it():
    scores = np.random.default_rng(0).random(24)
    few, many = (lesson_05_starts.mean_auc([run(scores, frames=frames)]) for frames in (2, 20))
    assert few[1:3] == pytest.approx(many[1:3])


def test_an_interval_is_by_people_where_they_are_known():
    """Each clip three times, of the same people: no more is known than of one, and clips drawn alone would not see it.

    A fake shows two people, and these link their originals: the unit is the pair."""
    scores = np.clip(np.random.default_rng(0).normal(np.repeat([0.4, 0.6], 12), 0.2), 0, 1)
    once = run(scores, people=np.tile(np.arange(12), 2))
    more = [once.assign(clip_id=once["clip_id"] + copy) for copy in ("", "b", "c")]
    thrice = pd.concat(more, ignore_index=True)
    by_people, of_all = lesson_05_starts.mean_auc([once]), lesson_05_starts.mean_auc([thrice])
    assert of_all[:3] == pytest.approx(by_people[:3])
    unknown = lesson_05_starts.mean_auc([thrice.drop(columns=PERSON_COLUMNS)])
    assert unknown[2] - unknown[1] < 0.8 * (of_all[2] - of_all[1])


def test_seeds_are_shown_and_not_drawn():
    """However far they lie apart, the interval is of the mean of these very runs."""
    rng = np.random.default_rng(0)
    good, poor = (run(np.clip(rng.normal(np.repeat([0.5 - d, 0.5 + d], 12), 0.2), 0, 1)) for d in (0.3, -0.1))
    auc, low, high, seeds = lesson_05_starts.mean_auc([good, poor])
    assert low > seeds[1] + 0.05 and high < seeds[0] and auc == pytest.approx(np.mean(seeds))


def test_where_nothing_can_be_drawn_there_is_no_interval():
    runs = [run([0.1, 0.9]), run([0.9, 0.1])]
    auc, low, high, seeds = lesson_05_starts.mean_auc(runs)
    assert auc == 0.5 and seeds == [1.0, 0.0] and np.isnan([low, high]).all()
    gain, *ends = lesson_05_starts.mean_gain(runs, runs)
    assert gain == 0 and np.isnan(ends).all()
    of = [one.assign(start=start) for start in starts.STARTS for one in runs]
    table = lesson_05_starts.summary(pd.concat([one.assign(seed=n % 2) for n, one in enumerate(of)]))
    assert [text.get_text() for text in lesson_05_starts.starts_figure(table).axes[0].texts].count("0.50") == 4


def test_a_gain_is_judged_on_the_same_clips():
    rng = np.random.default_rng(0)
    hard = rng.random(16) / 2 + 0.3 * np.repeat([0, 1], 8)
    one, other = run(hard), run(hard * 0.7)  # the same order, so that nothing differs but the numbers
    assert lesson_05_starts.mean_gain([one, one], [other, other]) == (0.0, 0.0, 0.0)
    good = run(np.repeat([0.1, 0.9], 8))
    gain, low, high = lesson_05_starts.mean_gain([good, one], [one, one])
    assert gain == pytest.approx((1 - lesson_05_starts.mean_auc([one])[0]) / 2)
    assert low < gain < high and low >= 0
    back = lesson_05_starts.mean_gain([one, one], [good, one])
    assert back[0] == pytest.approx(-gain) and back[1] < back[0] < back[2] <= 0


@pytest.fixture(scope="module")
def table():
    steps = {starts.RANDOM: 0.0, starts.HEAD: 0.1, starts.NORMS: 0.2, starts.ALL: 0.4}
    rng, parts = np.random.default_rng(0), []
    for crops in (0, *starts.FEW):
        for start, gain in steps.items() if crops == 0 else ((name, steps[name]) for name in starts.ON_FEW):
            for seed in starts.SEEDS:
                scores = np.clip(rng.random(16) / 2 + gain * np.repeat([0, 1], 8), 0, 1)
                parts.append(run(scores, seed, start, crops))
    return lesson_05_starts.summary(pd.concat(parts))


def test_a_summary_has_a_row_for_each_start_and_number_of_crops(table):
    assert len(table) == 4 + 2 * len(starts.FEW)
    assert (table["seeds"].map(len) == len(starts.SEEDS)).all()
    assert [np.mean(seeds) for seeds in table["seeds"]] == pytest.approx(table["auc"].tolist())
    assert (table["low"] <= table["auc"]).all() and (table["auc"] <= table["high"]).all()


def test_four_starts_stand_on_one_axis_with_seeds_means_and_intervals(table):
    ax = lesson_05_starts.starts_figure(table).axes[0]
    assert [label.get_text() for label in ax.get_yticklabels()] == list(starts.STARTS)
    full = table[table["crops"] == 0].set_index("start").loc[list(starts.STARTS)]
    bands, dots, means = ax.lines[0:-1:3], ax.lines[1:-1:3], ax.lines[2:-1:3]
    assert [list(line.get_xdata()) for line in bands] == full[["low", "high"]].to_numpy().tolist()
    assert [list(line.get_xdata()) for line in dots] == full["seeds"].tolist()
    assert [float(np.squeeze(line.get_xdata())) for line in means] == full["auc"].tolist()
    assert ax.lines[-1].get_xdata()[0] == 0.5
    assert {f"{auc:.2f}" for auc in full["auc"]} <= {text.get_text() for text in ax.texts}
    assert dots[0].get_color() == lesson_05_figures.CUT and dots[3].get_color() == lesson_05_figures.KEPT


def test_few_pictures_go_from_left_to_right_and_end_with_all(table):
    ax = lesson_05_starts.few_figure(table, all_crops=900).axes[0]
    assert [list(line.get_xdata()) for line in ax.lines[:2]] == [[*starts.FEW, 900]] * 2
    assert [line.get_color() for line in ax.lines[:2]] == [lesson_05_figures.KEPT, lesson_05_figures.CUT]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["32", "128", "900"]


def test_measured_rows_are_taken_where_all_four_are_there(tmp_path):
    recipes = ("random weights", "classifier alone", "norms alone", "base")
    rows = [{"recipe": name, "val": [[0.0, 1, 2], [n, n, n]]} for n, name in enumerate(recipes)]
    path = tmp_path / "dfdc.json"
    path.write_text(json.dumps([*rows, rows[0] | {"val": rows[3]["val"]}, {"recipe": "other", "val": [[0], [0]]}]))
    found = lesson_05_starts.on_real_deepfakes(path)
    assert found.index.tolist() == list(starts.STARTS) and found["seeds"].tolist() == [2, 1, 1, 1]
    assert found["AUC"].tolist() == pytest.approx([(1 / 6 + 1) / 2, 1 / 2, 5 / 6, 1])
    assert (found["low"] <= found["AUC"]).all() and (found["AUC"] <= found["high"]).all()
    assert found.loc[starts.HEAD, "low"] < found.loc[starts.HEAD, "high"]
    assert found.loc[starts.RANDOM, ["above random", "from", "to"]].tolist() == [0, 0, 0]
    assert found.loc[starts.ALL, "above random"] == pytest.approx(1 - found.loc[starts.RANDOM, "AUC"])
    path.write_text(json.dumps(rows[1:]))
    assert lesson_05_starts.on_real_deepfakes(path) is None
    assert lesson_05_starts.on_real_deepfakes(tmp_path / "none.json") is None


def test_gains_are_those_of_the_pairs_in_their_order():
    rng, parts = np.random.default_rng(0), []
    for start, gain in ((starts.RANDOM, 0.0), (starts.ALL, 0.4)):
        for seed in starts.SEEDS:
            parts.append(run(np.clip(rng.random(16) / 2 + gain * np.repeat([0, 1], 8), 0, 1), seed, start))
    few = parts[-1].assign(crops=32, probability_fake=0.5)  # counts in no gain
    found = lesson_05_starts.gains(pd.concat([*parts, few]), [(starts.ALL, starts.RANDOM), (starts.RANDOM, starts.ALL)])
    assert found[["start", "against"]].values.tolist() == [[starts.ALL, starts.RANDOM], [starts.RANDOM, starts.ALL]]
    assert found["gain"].tolist() == pytest.approx(
        [sign * lesson_05_starts.mean_gain(parts[3:], parts[:3])[0] for sign in (1, -1)]
    )
    assert (found["low"] < found["gain"]).all() and (found["gain"] < found["high"]).all()
