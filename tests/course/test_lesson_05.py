"""What lesson 05 has beside the package: cut shortcuts, the memory estimate, and figures that draw."""

import matplotlib
import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from torchfakes_utils.course import lesson_05
from torchfakes_utils.course.live import LivePlot
from torchfakes_utils.models.detector import Detector, DetectorConfig
from torchfakes_utils.models.preprocessing import Preprocessing
from torchfakes_utils.training.checkpoint import HISTORY_COLUMNS

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


def test_a_stage_has_a_bar_of_its_parameters_and_the_shape_of_its_output():
    ax = lesson_05.parameter_bars(["a", "b"], [(3, 2, 4), (1,)], [1000, 2]).axes[0]
    assert [bar.get_width() for bar in ax.patches] == [1000, 2]
    assert [text.get_text() for text in ax.texts] == ["1,000 → 2 × 4 px × 3", "2 → 1"]
    assert [text.get_text() for text in ax.get_yticklabels()] == ["a", "b"] and ax.yaxis_inverted()


@pytest.mark.parametrize("epochs", [0, 2])
def test_a_run_under_way_shows_what_there_is_and_the_rates_to_come(epochs):
    rows = [{"val_auc": 0.5, "predicted_fake_rate": 1.0}, {"val_auc": 0.8, "predicted_fake_rate": 0.6}][:epochs]
    left, middle, right = lesson_05.learning_curve([0.7, 0.6][:epochs], rows, 3, [0, 1, 0]).axes
    assert list(left.lines[0].get_ydata()) == [0.7, 0.6][:epochs]
    assert [list(line.get_ydata()) for line in middle.lines[:2]] == [[0.5, 0.8][:epochs], [1.0, 0.6][:epochs]]
    assert list(right.lines[0].get_ydata()) == [0, 1, 0] and len(right.lines[1].get_ydata()) == epochs


def test_a_history_stands_beside_what_costs_nothing():
    names = ["train_loss", "val_loss", "val_auc", "val_auc_clip", "val_accuracy", "val_balanced_accuracy"]
    history = pd.DataFrame({name: [0.7, 0.6] for name in [*names, "predicted_fake_rate"]})
    axes = lesson_05.history_figure(
        history.assign(epoch=[1, 2], always_fake_accuracy=0.8, val_auc_clip=[0.5, 0.9])
    ).axes
    assert [line.get_ydata()[0] for line in (ax.lines[-1] for ax in axes)] == [pytest.approx(np.log(2)), 0.5, 0.8]
    assert list(axes[1].lines[0].get_ydata()) == [0.5, 0.9]
    assert {"by clip", "by frame"} < {text.get_text() for text in axes[1].texts}


def test_a_batch_that_does_not_fit_is_hatched():
    ax = lesson_05.memory_bars([1, 4, 16], 2**30, 10**6, card=8.0).axes[0]
    activations = ax.patches[3:]
    assert [bar.get_height() for bar in activations] == [1, 4, 16]
    assert [bool(bar.get_hatch()) for bar in activations] == [False, False, True]
    assert "about 7 a batch" in (ax.get_title() or ax.get_title("left"))


def test_names_at_the_ends_of_lines_do_not_overlap():
    figure = lesson_05.loss_curves({"a": [1, 0.001], "b": [1, 0.002], "c": [1, 50.0]}, "t", ["k", "r", "b"], top=2)
    heights = sorted(text.xy[1] for text in figure.axes[0].texts if text.get_text() in ("a", "b", "c"))
    assert np.diff(heights).min() > 0.1
    assert heights[0] > 0 and heights[-1] <= 2


def test_gradients_by_stage():
    steps = pd.DataFrame({"step": [10, 20], "loss": [1, 1], "grad_norm_stem": [0.1, 1.0], "grad_norm_head": [10.0, 1]})
    ax = lesson_05.gradient_figure(steps).axes[0]
    assert [line.get_ydata().tolist() for line in ax.lines] == [[-1.0, 0.0], [1.0, 0.0]]
    assert {text.get_text() for text in ax.texts} == {"stem", "head"}


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
