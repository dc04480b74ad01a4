"""Lesson 12: quantisation by hand against known answers, its figures, and exercises that tell right from wrong."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from matplotlib import pyplot as plt

from torchfakes_utils.course import lesson_12
from torchfakes_utils.models.detector import DetectorConfig
from torchfakes_utils.models.preprocessing import Preprocessing

from helpers.detectors import opinionated

WEIGHTS = hnp.arrays(np.float64, (3, 4), elements=st.floats(-10, 10, allow_subnormal=False))


@given(WEIGHTS, st.integers(2, 8), st.sampled_from([None, 0]))
def test_rounding_costs_half_a_step_at_most_and_keeps_signs(weights, bits, axis):
    whole, scale = lesson_12.quantise(weights, bits, axis)
    assert np.abs(whole).max() <= 2 ** (bits - 1) - 1
    assert (np.abs(whole * scale - weights) <= scale / 2 * (1 + 1e-9)).all()
    mirrored, _ = lesson_12.quantise(-weights, bits, axis)
    assert np.array_equal(mirrored, -whole)


@given(WEIGHTS)
def test_a_ruler_for_each_channel_is_never_coarser(weights):
    _, one = lesson_12.quantise(weights, 4)
    _, each = lesson_12.quantise(weights, 4, 0)
    used = np.abs(weights).max(axis=1) > 0
    assert (each[used, 0] <= one.item() * (1 + 1e-12)).all()


def test_known_whole_numbers():
    whole, scale = lesson_12.quantise(np.array([-1.0, 0.4, 0.0, 0.7]), 3)
    assert scale.item() == pytest.approx(1 / 3)
    assert whole.tolist() == [-3, 1, 0, 2]
    whole, scale = lesson_12.quantise(np.zeros(3), 8)
    assert whole.tolist() == [0, 0, 0] and np.isfinite(scale).all()


@pytest.fixture(scope="module")
def detector():
    torch.manual_seed(0)
    made = opinionated(DetectorConfig(pretrained=None, preprocessing=Preprocessing(size=80)))
    for module in made.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_mean, -0.2, 0.2)
            torch.nn.init.uniform_(module.running_var, 0.5, 2.0)
            torch.nn.init.uniform_(module.weight, 0.2, 1.5)
    return made


def test_folding_changes_no_answer_and_leaves_no_batch_norm_behind_a_convolution(detector):
    images = torch.rand(2, 3, 80, 80)
    folded = lesson_12.folded(detector)
    with torch.inference_mode():
        assert torch.allclose(folded(images), detector(images), atol=1e-4)
    assert not [module for module in folded.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    assert any(isinstance(module, torch.nn.BatchNorm2d) for module in detector.modules())


@pytest.mark.slow
def test_fewer_bits_move_the_logits_further(detector):
    images = torch.rand(4, 3, 80, 80)
    with torch.inference_mode():
        plain = detector(images)
        apart = [float((lesson_12.quantised(detector, bits)(images) - plain).abs().max()) for bits in (16, 8, 2)]
    assert apart[0] < apart[1] < apart[2]
    weight = next(m for m in lesson_12.quantised(detector, 2).modules() if isinstance(m, torch.nn.Conv2d)).weight
    assert len(torch.unique(weight[0].abs().round(decimals=7))) <= 2


def test_figures_say_what_was_measured():
    weights = np.random.default_rng(0).normal(size=(6, 2, 3, 3)) * np.arange(1, 7)[:, None, None, None]
    figure = lesson_12.layer_figure(weights, bits=3)
    lost = [float(ax.get_title().split(": ")[1].split("%")[0]) for ax in figure.axes]
    assert lost[0] > lost[1]
    figure = lesson_12.range_figure(np.array([0.0, 1, 2, 3, 100]), 0, 3)
    assert "20.00% cut off" in figure.axes[0].get_title()
    row = lambda auc: lesson_12.Against(auc, auc - 0.91, auc - 0.96, auc - 0.81)  # noqa: E731
    rows = {"a": {8: row(0.9), 4: row(0.8), 2: row(0.5)}, "b": {8: row(0.9), 4: row(0.7), 2: row(0.4)}}
    figure = lesson_12.bits_figure(rows, 0.91, "title")
    assert [list(line.get_ydata()) for line in figure.axes[0].lines[2:]] == [[0.5, 0.8, 0.9], [0.4, 0.7, 0.9]]
    ends = np.array([one[:, 1] for one in figure.axes[0].collections[0].get_segments()])
    assert ends == pytest.approx(np.array([[0.45, 0.6], [0.75, 0.9], [0.85, 1.0]])), "low to high, on the plain AUC"
    figure = lesson_12.bars_figure({"slow": 20.0, "fast": 2.5}, "ms", "title")
    assert [text.get_text() for text in figure.axes[0].texts] == [" 20 ms", " 2.5 ms"]
    lesson_12.shift_figure(np.array([0.1, 0.9]), np.array([0.2, 0.8]), [0, 1], 0.4, "title")
    plt.close("all")


def test_ways_take_turns():
    calls = []
    seconds = lesson_12.in_turns({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, rounds=3)
    assert calls == ["a", "b"] * 5 and set(seconds) == {"a", "b"}


def symmetric(step, rounding=np.rint, top=None):
    def answer(weights):
        scale = (np.abs(weights).max() if top is None else top(weights)) / step
        return rounding(weights / scale), scale

    return answer


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda weights: None, "Not attempted"),
        (symmetric(127), "Right."),
        (symmetric(128), "How many steps"),
        (symmetric(127, np.floor), "floor makes"),
        (symmetric(127, np.trunc), "cut off"),
        (symmetric(127, top=np.max), "largest weight"),
        (lambda weights: (weights, 50), "Upside down"),
        (lambda weights: weights, "Not yet"),
        (lambda weights: 3.0, "Two things"),
    ],
)
def test_symmetric_quantisation(answer, said, capsys):
    lesson_12.check_symmetric(answer)
    assert said in capsys.readouterr().out


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda low, high: None, "Not attempted"),
        (lambda low, high: ((high - low) / 255, round(-low / ((high - low) / 255))), "Right."),
        (lambda low, high: ((high - low) / 256, round(-low / ((high - low) / 256))), "255 steps"),
        (lambda low, high: ((high - low) / 255, round(low / ((high - low) / 255))), "The sign"),
        (lambda low, high: ((high - low) / 255, -low / ((high - low) / 255)), "whole number"),
        (lambda low, high: (max(high, -low) / 127, 0), "The scale is"),
        (lambda low, high: ((high - low) / 255, 128), "Not yet"),
    ],
)
def test_zero_points(answer, said, capsys):
    lesson_12.check_zero_point(answer)
    assert said in capsys.readouterr().out
