"""What lesson 05 has beside the package: starts compared, cut shortcuts, the memory estimate, and figures that draw."""

import json
from dataclasses import replace

import matplotlib
import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from torchfakes_utils.course import lesson_05, starts
from torchfakes_utils.course.live import LivePlot
from torchfakes_utils.crops.table import load_faces
from torchfakes_utils.metrics.people import PERSON_COLUMNS
from torchfakes_utils.models.detector import Detector, DetectorConfig
from torchfakes_utils.models.preprocessing import Preprocessing
from torchfakes_utils.training.checkpoint import HISTORY_COLUMNS

from helpers.crops import make_faces
from helpers.detectors import opinionated

matplotlib.use("Agg")


@pytest.fixture(scope="module")
def images():
    return torch.randn(2, 3, 80, 80, generator=torch.Generator().manual_seed(0))


def detector() -> Detector:
    torch.manual_seed(0)
    return opinionated(DetectorConfig(pretrained=None, preprocessing=Preprocessing(size=80)))


@pytest.mark.slow
def test_cutting_the_shortcuts_takes_the_input_out_of_every_block(images):
    whole, cut = detector(), detector()
    assert lesson_05.cut_shortcuts(cut) == 21
    block, bare = whole.backbone.repeat_2[0], cut.backbone.repeat_2[0]
    x = torch.randn(1, 896, 4, 4)
    with torch.no_grad():
        inside = block.scale * block.conv2d(torch.cat([block.branch0(x), block.branch1(x)], 1))
        assert torch.allclose(block(x), torch.relu(x + inside), atol=1e-5)
        assert torch.allclose(bare(x), torch.relu(inside), atol=1e-5)
        last = cut.backbone.block8  # the one block without a ReLU
        y = last(torch.randn(1, 1792, 2, 2))
        assert (y < 0).any()
        assert not torch.allclose(whole(images), cut(images))


def test_a_network_with_cut_shortcuts_can_still_be_trained(images):
    cut = detector()
    lesson_05.cut_shortcuts(cut)
    cut.train()(images).sum().backward()
    assert all(parameter.grad is not None for parameter in cut.parameters())


def test_memory_counts_four_numbers_a_parameter_and_scales_with_the_area():
    found = lesson_05.memory(16, per_crop=2**24, parameters=2**28)
    assert (found.weights, found.gradients, found.optimiser) == (1, 1, 2)
    assert found.activations == 0.25
    assert found.total == 4.25
    assert lesson_05.memory(16, 2**24, 2**28, size=320).activations == 1.0


@given(per_crop=st.floats(1e6, 1e9), parameters=st.integers(10**6, 10**8), size=st.integers(96, 480))
def test_the_largest_batch_is_the_last_that_fits(per_crop, parameters, size):
    batch = lesson_05.largest_batch(per_crop, parameters, size)
    assert lesson_05.memory(batch, per_crop, parameters, size).total <= 8 + 1e-6
    assert lesson_05.memory(batch + 2, per_crop, parameters, size).total > 8


def test_no_batch_fits_where_the_weights_alone_are_too_much():
    assert lesson_05.largest_batch(1e6, 10**9, card=4.0) == 0


def test_a_journey_shows_the_crop_each_stage_and_the_answer():
    axes = lesson_05.journey(np.zeros((160, 160, 3), np.uint8), {"stem": np.eye(3)}, [7], 0.4).axes
    assert [ax.get_title() for ax in axes] == ["the crop\n160 × 160 × 3", "stem\n3 × 3 × 7", "P(fake)\none number"]
    np.testing.assert_array_equal(axes[1].images[0].get_array(), np.eye(3))
    assert axes[2].texts[0].get_text() == "0.40"


@pytest.mark.parametrize("epochs", [0, 2])
def test_a_run_under_way_shows_what_there_is(epochs):
    rows = [{"val_auc": 0.5, "predicted_fake_rate": 1.0}, {"val_auc": 0.8, "predicted_fake_rate": 0.6}][:epochs]
    left, right = lesson_05.learning_curve([0.7, 0.6][:epochs], rows, 3).axes
    assert list(left.lines[0].get_ydata()) == [0.7, 0.6][:epochs]
    assert [list(line.get_ydata()) for line in right.lines[:2]] == [[0.5, 0.8][:epochs], [1.0, 0.6][:epochs]]
    assert [ax.lines[-1].get_ydata()[0] for ax in (left, right)] == [pytest.approx(np.log(2)), 0.5]


@given(share=st.floats(0.01, 0.99))
def test_no_constant_answer_costs_less_than_the_share_of_fakes(share):
    labels = np.array([share, 1 - share])

    def loss(p):
        return float(-labels @ np.log([p, 1 - p]))

    assert lesson_05.constant_loss(share) == pytest.approx(loss(share))
    assert all(lesson_05.constant_loss(share) <= loss(p) + 1e-12 for p in np.linspace(0.005, 0.995, 99))
    assert lesson_05.constant_loss(0.5) == pytest.approx(np.log(2))


def history(**columns) -> pd.DataFrame:
    names = ["train_loss", "val_loss", "val_auc", "val_auc_clip", "val_accuracy", "val_balanced_accuracy"]
    table = pd.DataFrame({name: [0.7, 0.6] for name in [*names, "predicted_fake_rate"]})
    return table.assign(epoch=[1, 2], always_fake_accuracy=0.8).assign(**columns)


def test_each_loss_stands_on_its_own_axis_beside_its_own_free_answer():
    axes = lesson_05.history_figure(history(val_auc_clip=[0.5, 0.9])).axes
    free = [ax.lines[-1].get_ydata()[0] for ax in axes]
    assert free == [pytest.approx(np.log(2)), pytest.approx(0.5004, abs=1e-4), 0.5, 0.8]
    assert [len(ax.lines) for ax in axes] == [2, 2, 3, 4]
    assert axes[0].get_ylim() == axes[1].get_ylim()
    assert list(axes[2].lines[0].get_ydata()) == [0.5, 0.9]
    assert {"constant: 0.693", "train"} <= {text.get_text() for text in axes[0].texts}
    assert {"constant: 0.500", "validation"} <= {text.get_text() for text in axes[1].texts}


def test_no_loss_is_cut_off():
    axes = lesson_05.history_figure(history(val_loss=[1.9, 0.6])).axes
    assert axes[1].get_ylim()[1] > 1.9


# --- what a start is worth


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
    auc, low, high, seeds = lesson_05.mean_auc([good, coin])
    assert seeds == [1.0, 0.75] and auc == 0.875
    assert low < auc <= high <= 1
    assert lesson_05.mean_auc([good, good])[:3] == (1.0, 1.0, 1.0)


def test_an_interval_is_by_clip_and_frames_of_a_clip_do_not_narrow_it():
    scores = np.random.default_rng(0).random(24)
    few, many = (lesson_05.mean_auc([run(scores, frames=frames)]) for frames in (2, 20))
    assert few[1:3] == pytest.approx(many[1:3])


def test_an_interval_is_by_people_where_they_are_known():
    """Each clip three times, of the same people: no more is known than of one, and clips drawn alone would not see it.

    A fake shows two people, and these link their originals: the unit is the pair."""
    scores = np.clip(np.random.default_rng(0).normal(np.repeat([0.4, 0.6], 12), 0.2), 0, 1)
    once = run(scores, people=np.tile(np.arange(12), 2))
    more = [once.assign(clip_id=once["clip_id"] + copy) for copy in ("", "b", "c")]
    thrice = pd.concat(more, ignore_index=True)
    by_people, of_all = lesson_05.mean_auc([once]), lesson_05.mean_auc([thrice])
    assert of_all[:3] == pytest.approx(by_people[:3])
    unknown = lesson_05.mean_auc([thrice.drop(columns=PERSON_COLUMNS)])
    assert unknown[2] - unknown[1] < 0.8 * (of_all[2] - of_all[1])


def test_seeds_are_shown_and_not_drawn():
    """However far they lie apart, the interval is of the mean of these very runs."""
    rng = np.random.default_rng(0)
    good, poor = (run(np.clip(rng.normal(np.repeat([0.5 - d, 0.5 + d], 12), 0.2), 0, 1)) for d in (0.3, -0.1))
    auc, low, high, seeds = lesson_05.mean_auc([good, poor])
    assert low > seeds[1] + 0.05 and high < seeds[0] and auc == pytest.approx(np.mean(seeds))


def test_where_nothing_can_be_drawn_there_is_no_interval():
    runs = [run([0.1, 0.9]), run([0.9, 0.1])]
    auc, low, high, seeds = lesson_05.mean_auc(runs)
    assert auc == 0.5 and seeds == [1.0, 0.0] and np.isnan([low, high]).all()
    gain, *ends = lesson_05.mean_gain(runs, runs)
    assert gain == 0 and np.isnan(ends).all()
    of = [one.assign(start=start) for start in starts.STARTS for one in runs]
    table = lesson_05.summary(pd.concat([one.assign(seed=n % 2) for n, one in enumerate(of)]))
    assert [text.get_text() for text in lesson_05.starts_figure(table).axes[0].texts].count("0.50") == 4


def test_a_gain_is_judged_on_the_same_clips():
    rng = np.random.default_rng(0)
    hard = rng.random(16) / 2 + 0.3 * np.repeat([0, 1], 8)
    one, other = run(hard), run(hard * 0.7)  # the same order, so that nothing differs but the numbers
    assert lesson_05.mean_gain([one, one], [other, other]) == (0.0, 0.0, 0.0)
    good = run(np.repeat([0.1, 0.9], 8))
    gain, low, high = lesson_05.mean_gain([good, one], [one, one])
    assert gain == pytest.approx((1 - lesson_05.mean_auc([one])[0]) / 2)
    assert low < gain < high and low >= 0
    back = lesson_05.mean_gain([one, one], [good, one])
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
    return lesson_05.summary(pd.concat(parts))


def test_a_summary_has_a_row_for_each_start_and_number_of_crops(table):
    assert len(table) == 4 + 2 * len(starts.FEW)
    assert (table["seeds"].map(len) == len(starts.SEEDS)).all()
    assert [np.mean(seeds) for seeds in table["seeds"]] == pytest.approx(table["auc"].tolist())
    assert (table["low"] <= table["auc"]).all() and (table["auc"] <= table["high"]).all()


def test_four_starts_stand_on_one_axis_with_seeds_means_and_intervals(table):
    ax = lesson_05.starts_figure(table).axes[0]
    assert [label.get_text() for label in ax.get_yticklabels()] == list(starts.STARTS)
    full = table[table["crops"] == 0].set_index("start").loc[list(starts.STARTS)]
    bands, dots, means = ax.lines[0:-1:3], ax.lines[1:-1:3], ax.lines[2:-1:3]
    assert [list(line.get_xdata()) for line in bands] == full[["low", "high"]].to_numpy().tolist()
    assert [list(line.get_xdata()) for line in dots] == full["seeds"].tolist()
    assert [float(np.squeeze(line.get_xdata())) for line in means] == full["auc"].tolist()
    assert ax.lines[-1].get_xdata()[0] == 0.5
    assert {f"{auc:.2f}" for auc in full["auc"]} <= {text.get_text() for text in ax.texts}
    assert dots[0].get_color() == lesson_05.CUT and dots[3].get_color() == lesson_05.KEPT


def test_few_pictures_go_from_left_to_right_and_end_with_all(table):
    ax = lesson_05.few_figure(table, all_crops=900).axes[0]
    assert [list(line.get_xdata()) for line in ax.lines[:2]] == [[*starts.FEW, 900]] * 2
    assert [line.get_color() for line in ax.lines[:2]] == [lesson_05.KEPT, lesson_05.CUT]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["32", "128", "900"]


@pytest.mark.slow
def test_faces_start_from_vggface2_where_it_can_be_had(tmp_path, monkeypatch):
    faces = load_faces(make_faces(tmp_path, {"train": 4, "val": 2}, size=80))
    monkeypatch.setattr(lesson_05, "build_detector", lambda config: (Detector(config), None))
    asked = []

    def trained(faces, preprocessing, config):
        asked.append((config.architecture, config.pretrained, config.crops_per_epoch, preprocessing.size))
        return faces[faces["split"] == "val"].assign(probability_fake=lambda part: part["label"] / 2)

    monkeypatch.setattr(lesson_05, "train_start", trained)
    gain = lesson_05.vggface2_gain(faces, steps=3, size=80)
    assert asked == [("InceptionResnetV1", name, 48, 80) for name in (None, "vggface2")]
    assert gain["start"].tolist() == ["random weights", "VGGFace2"] and (gain["auc"] == 1).all()


@pytest.mark.slow
def test_where_vggface2_cannot_be_had_nothing_is_trained(monkeypatch):
    def without(config):
        return Detector(replace(config, pretrained=None)), "could not download"

    monkeypatch.setattr(lesson_05, "build_detector", without)
    monkeypatch.setattr(lesson_05, "train_start", lambda *_: pytest.fail("trained"))
    assert lesson_05.vggface2_gain(pd.DataFrame(), steps=3, size=80) is None


def test_measured_rows_are_taken_where_all_four_are_there(tmp_path):
    recipes = ("random weights", "classifier alone", "norms alone", "base")
    rows = [{"recipe": name, "val": [[0.0, 1, 2], [n, n, n]]} for n, name in enumerate(recipes)]
    path = tmp_path / "dfdc.json"
    path.write_text(json.dumps([*rows, rows[0] | {"val": rows[3]["val"]}, {"recipe": "other", "val": [[0], [0]]}]))
    found = lesson_05.on_real_deepfakes(path)
    assert found.index.tolist() == list(starts.STARTS) and found["seeds"].tolist() == [2, 1, 1, 1]
    assert found["AUC"].tolist() == pytest.approx([(1 / 6 + 1) / 2, 1 / 2, 5 / 6, 1])
    assert (found["low"] <= found["AUC"]).all() and (found["AUC"] <= found["high"]).all()
    assert found.loc[starts.HEAD, "low"] < found.loc[starts.HEAD, "high"]
    assert found.loc[starts.RANDOM, ["above random", "from", "to"]].tolist() == [0, 0, 0]
    assert found.loc[starts.ALL, "above random"] == pytest.approx(1 - found.loc[starts.RANDOM, "AUC"])
    path.write_text(json.dumps(rows[1:]))
    assert lesson_05.on_real_deepfakes(path) is None
    assert lesson_05.on_real_deepfakes(tmp_path / "none.json") is None


def test_gradients_of_the_first_layer_are_drawn_by_their_exponents_and_named_apart():
    ax = lesson_05.first_gradient_figure(
        [1, 40], {"plain": [0.1, 1e-18], "careful": [0.1, 0.02], "residual": [0.1, 0.01]}
    ).axes[0]
    assert ax.lines[0].get_ydata().tolist() == pytest.approx([-1, -18])
    heights = {text.get_text(): text.xy[1] for text in ax.texts}
    assert set(heights) == {"plain", "careful", "residual"} and heights["careful"] - heights["residual"] > 1
    assert [label.get_text() for label in ax.get_xticklabels()] == ["1", "40"]


def test_each_depth_has_its_axis_and_each_seed_a_mark():
    losses = {"plain": {40: [0.69, 0.69], 120: [0.69, 0.7]}, "residual": {40: [0.1, 0.2], 120: [0.3, 0.4]}}
    left, right = lesson_05.depth_figure(losses).axes
    assert [list(line.get_xdata()) for line in left.lines[:2]] == [[0.69, 0.69], [0.1, 0.2]]
    assert [list(line.get_xdata()) for line in right.lines[:2]] == [[0.69, 0.7], [0.3, 0.4]]
    assert left.lines[2].get_xdata()[0] == pytest.approx(np.log(2))
    assert [ax.get_title() or ax.get_title("left") for ax in (left, right)] == ["40 layers", "120 layers"]


# --- memory, and names at the ends of lines


def test_a_batch_that_does_not_fit_is_hatched():
    ax = lesson_05.memory_bars([1, 4, 16], 2**30, 10**6, card=8.0).axes[0]
    activations = ax.patches[3:]
    assert [bar.get_height() for bar in activations] == [1, 4, 16]
    assert [bool(bar.get_hatch()) for bar in activations] == [False, False, True]
    assert "about 7 crops" in (ax.get_title() or ax.get_title("left"))
    assert [text.get_text() for text in ax.get_legend().get_texts()][1:] == ["activations", "more than the card has"]


def test_names_at_the_ends_of_lines_do_not_overlap():
    figure = lesson_05.loss_curves({"a": [1, 0.001], "b": [1, 0.002], "c": [1, 50.0]}, "t", ["k", "r", "b"], top=2)
    heights = sorted(text.xy[1] for text in figure.axes[0].texts if text.get_text() in ("a", "b", "c"))
    assert np.diff(heights).min() > 0.1
    assert heights[0] > 0 and heights[-1] <= 2


def test_the_first_stage_and_the_last_are_named_and_the_others_a_band():
    norms = {"grad_norm_stem": [0.1, 1.0], "grad_norm_middle": [0.01, 5.0], "grad_norm_head": [10.0, 1.0]}
    ax = lesson_05.gradient_figure(pd.DataFrame({"step": [10, 20], "loss": [1, 1], **norms})).axes[0]
    assert [line.get_ydata().tolist() for line in ax.lines] == [[0.1, 1.0], [10.0, 1.0]]
    heights = ax.collections[0].get_paths()[0].vertices[:, 1]
    assert (heights.min(), heights.max()) == (0.01, 10.0)  # the middle stage's 0.01 is in it
    assert {" stem (first stage)", " head (last stage)"} <= {text.get_text() for text in ax.texts}


def test_a_live_plot_is_shown_once_and_then_updated(tmp_path, monkeypatch):
    import IPython.display

    calls = []

    class Handle:
        def update(self, figure):
            calls.append(("update", len(figure.axes[0].lines[0].get_xdata())))

    def display(figure, display_id):
        calls.append(("display", len(figure.axes[0].lines[0].get_xdata())))
        return Handle()

    monkeypatch.setattr(IPython.display, "display", display)
    row = dict.fromkeys(HISTORY_COLUMNS, 0.6)
    plot = LivePlot()
    for epoch in (1, 2, 3):
        plot(row | {"epoch": epoch})
    assert calls == [("display", 1), ("update", 2), ("update", 3)]
    pd.DataFrame([row | {"epoch": 1}]).to_csv(tmp_path / "history.csv", index=False)
    goes_on = LivePlot(tmp_path)
    goes_on(row | {"epoch": 2})
    assert calls[-1] == ("display", 2) and LivePlot(tmp_path / "new").rows == []
