"""The figures of lesson 05: what is drawn, beside which baseline, and what a run under way shows."""

import matplotlib
import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from torchfakes_utils.course import lesson_05_figures, plots
from torchfakes_utils.course.live import LivePlot
from torchfakes_utils.models.detector import DetectorConfig
from torchfakes_utils.models.preprocessing import Preprocessing
from torchfakes_utils.training.checkpoint import HISTORY_COLUMNS

from helpers.detectors import opinionated

matplotlib.use("Agg")


def test_a_journey_shows_the_crop_each_stage_and_the_answer():
    stage = lesson_05_figures.Stage("stem", np.eye(3), 7)
    axes = lesson_05_figures.journey(np.zeros((160, 160, 3), np.uint8), [stage], 0.4).axes
    titles = [ax.get_title() or ax.get_title("left") for ax in axes]
    assert titles == ["the crop\n160 × 160 × 3", "stem\n3 × 3 × 7", "P(fake)"]
    np.testing.assert_array_equal(axes[1].images[0].get_array(), np.eye(3))
    assert axes[2].texts[0].get_text() == "0.40"


@pytest.mark.parametrize(("last", "said"), [(0.01, "equally well"), (0.6, "Not everything")])
def test_a_figure_says_that_both_were_learned_by_heart_only_where_they_were(last, said):
    ax = lesson_05_figures.by_heart_figure({"right labels": [0.7, 0.01], "shuffled labels": [0.7, last]}).axes[0]
    assert said in ax.get_title() + ax.get_title("left")
    assert [list(line.get_ydata()) for line in ax.lines[:2]] == [[0.7, 0.01], [0.7, last]]


@pytest.mark.slow
def test_what_stages_make_of_a_crop_is_kept_by_name_and_no_hook_stays():
    detector = opinionated(DetectorConfig(pretrained=None, preprocessing=Preprocessing(size=80)))
    crop = torch.randint(0, 256, (3, 90, 90), dtype=torch.uint8)
    seen, score = lesson_05_figures.seen_by(detector, crop, ["conv2d_4b", "block8"])
    assert [(stage.name, stage.channels, stage.mean.ndim) for stage in seen] == [
        ("conv2d_4b", 256, 2),
        ("block8", 1792, 2),
    ]
    assert seen[0].mean.shape > seen[1].mean.shape
    assert score == pytest.approx(float(detector.probability(crop[None])[0]), abs=1e-6)
    assert not any(module._forward_hooks for module in detector.modules())


@pytest.mark.parametrize("epochs", [0, 2])
def test_a_run_under_way_shows_what_there_is(epochs):
    rows = [{"val_auc": 0.5, "predicted_fake_rate": 1.0}, {"val_auc": 0.8, "predicted_fake_rate": 0.6}][:epochs]
    left, right = lesson_05_figures.learning_curve([0.7, 0.6][:epochs], rows, 3).axes
    assert list(left.lines[0].get_ydata()) == [0.7, 0.6][:epochs]
    assert [list(line.get_ydata()) for line in right.lines[:2]] == [[0.5, 0.8][:epochs], [1.0, 0.6][:epochs]]
    assert [ax.lines[-1].get_ydata()[0] for ax in (left, right)] == [pytest.approx(np.log(2)), 0.5]


@given(share=st.floats(0.01, 0.99))
def test_no_constant_answer_costs_less_than_the_share_of_fakes(share):
    labels = np.array([share, 1 - share])

    def loss(p):
        return float(-labels @ np.log([p, 1 - p]))

    assert lesson_05_figures.constant_loss(share) == pytest.approx(loss(share))
    assert all(lesson_05_figures.constant_loss(share) <= loss(p) + 1e-12 for p in np.linspace(0.005, 0.995, 99))
    assert lesson_05_figures.constant_loss(0.5) == pytest.approx(np.log(2))


def history(**columns) -> pd.DataFrame:
    names = ["train_loss", "val_loss", "val_auc", "val_auc_clip", "val_accuracy", "val_balanced_accuracy"]
    table = pd.DataFrame({name: [0.7, 0.6] for name in [*names, "predicted_fake_rate"]})
    return table.assign(epoch=[1, 2], always_fake_accuracy=0.8).assign(**columns)


def test_each_loss_stands_on_its_own_axis_beside_its_own_free_answer():
    axes = lesson_05_figures.history_figure(history(val_auc_clip=[0.5, 0.9])).axes
    free = [ax.lines[-1].get_ydata()[0] for ax in axes]
    assert free == [pytest.approx(np.log(2)), pytest.approx(0.5004, abs=1e-4), 0.5, 0.8]
    assert [len(ax.lines) for ax in axes] == [2, 2, 3, 4]
    assert axes[0].get_ylim() == axes[1].get_ylim()
    assert list(axes[2].lines[0].get_ydata()) == [0.5, 0.9]
    assert [text.get_text() for text in axes[0].texts] == ["constant: 0.693"]
    assert [text.get_text() for text in axes[1].texts] == ["constant: 0.500"]


def test_no_loss_is_cut_off():
    axes = lesson_05_figures.history_figure(history(val_loss=[1.9, 0.6])).axes
    low, high = axes[1].get_ylim()
    assert low < 0.6 and high > 1.9 and axes[1].get_yscale() == "log"


def test_an_epoch_can_be_marked_in_every_panel_and_a_message_stands_above():
    figure = lesson_05_figures.history_figure(history(), "Look at 2", marked=2)
    bars = [
        [patch for patch in ax.patches if patch.get_x() < 2 < patch.get_x() + patch.get_width()] for ax in figure.axes
    ]
    assert [len(each) for each in bars] == [1, 1, 1, 1] and figure.get_suptitle() == "Look at 2"
    assert not [patch for ax in lesson_05_figures.history_figure(history()).axes for patch in ax.patches]


def looks(*scores):
    return [pd.DataFrame({"label": [0, 0, 1, 1], "probability_fake": each}) for each in scores]


def test_verdicts_of_a_look_stand_side_by_side_with_their_share_of_fakes():
    before, after = looks([0.1] * 4, [0.2, 0.3, 0.4, 0.6]), looks([0.1, 0.6, 0.7, 0.8], [0.2, 0.3, 0.8, 0.9])
    figure = lesson_05_figures.verdicts_figure(before, after, look=2)
    left, right = figure.axes
    assert list(left.lines[0].get_xdata()) == [0.2, 0.3] and list(right.lines[1].get_xdata()) == [0.8, 0.9]
    titles = [ax.get_title() or ax.get_title("left") for ax in (left, right)]
    assert "25% called fake" in titles[0] and "50% called fake" in titles[1]
    real, fake = left.lines[:2]
    assert real.get_color() == plots.REAL and fake.get_color() == plots.FAKE and real.get_marker() != fake.get_marker()
    assert min(real.get_ydata()) > 0.5 > max(fake.get_ydata())  # real above
    assert figure.get_suptitle().startswith("Look 2")


def test_names_at_the_ends_of_lines_do_not_overlap():
    figure = lesson_05_figures.loss_curves(
        {"a": [1, 0.001], "b": [1, 0.002], "c": [1, 50.0]}, "t", ["k", "r", "b"], top=2
    )
    heights = sorted(text.xy[1] for text in figure.axes[0].texts if text.get_text() in ("a", "b", "c"))
    assert np.diff(heights).min() > 0.1
    assert heights[0] > 0 and heights[-1] <= 2


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
