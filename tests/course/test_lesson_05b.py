"""Lesson 05b: cut shortcuts, gradients that are drawn, the memory estimate, and its exercises."""

import operator

import matplotlib
import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from torchfakes_utils.course import lesson_05b
from torchfakes_utils.course.practice import State
from torchfakes_utils.models.detector import Detector, DetectorConfig
from torchfakes_utils.models.preprocessing import Preprocessing

from helpers.detectors import opinionated
from helpers.exercises import assert_line, assert_teaches

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
    assert lesson_05b.cut_shortcuts(cut) == 21
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
    lesson_05b.cut_shortcuts(cut)
    cut.train()(images).sum().backward()
    assert all(parameter.grad is not None for parameter in cut.parameters())


def test_gradients_of_the_first_layer_are_drawn_by_their_exponents_and_named_apart():
    ax = lesson_05b.first_gradient_figure(
        [1, 40], {"plain": [0.1, 1e-18], "careful": [0.1, 0.02], "residual": [0.1, 0.01]}
    ).axes[0]
    assert ax.lines[0].get_ydata().tolist() == pytest.approx([-1, -18])
    heights = {text.get_text(): text.xy[1] for text in ax.texts}
    assert set(heights) == {"plain", "careful", "residual"} and heights["careful"] - heights["residual"] > 1
    assert [label.get_text() for label in ax.get_xticklabels()] == ["1", "40"]


def test_each_depth_has_its_axis_and_each_seed_a_mark():
    losses = {"plain": {40: [0.69, 0.69], 120: [0.69, 0.7]}, "residual": {40: [0.1, 0.2], 120: [0.3, 0.4]}}
    figure = lesson_05b.depth_figure(losses, "Two cures")
    left, right = figure.axes
    assert figure.get_suptitle() == "Two cures"
    assert [list(line.get_xdata()) for line in left.lines[:2]] == [[0.69, 0.69], [0.1, 0.2]]
    assert [list(line.get_xdata()) for line in right.lines[:2]] == [[0.69, 0.7], [0.3, 0.4]]
    assert left.lines[2].get_xdata()[0] == pytest.approx(np.log(2))
    assert [ax.get_title() or ax.get_title("left") for ax in (left, right)] == ["40 layers", "120 layers"]


def test_the_first_stage_and_the_last_are_named_and_the_others_a_band():
    norms = {"grad_norm_stem": [0.1, 1.0], "grad_norm_middle": [0.01, 5.0], "grad_norm_head": [10.0, 1.0]}
    ax = lesson_05b.gradient_figure(pd.DataFrame({"step": [10, 20], "loss": [1, 1], **norms})).axes[0]
    assert [line.get_ydata().tolist() for line in ax.lines] == [[0.1, 1.0], [10.0, 1.0]]
    heights = ax.collections[0].get_paths()[0].vertices[:, 1]
    assert (heights.min(), heights.max()) == (0.01, 10.0)  # the middle stage's 0.01 is in it
    assert {" stem (first stage)", " head (last stage)"} <= {text.get_text() for text in ax.texts}


def test_memory_counts_four_numbers_a_parameter_and_scales_with_the_area():
    found = lesson_05b.memory(16, per_crop=2**24, parameters=2**28)
    assert (found.weights, found.gradients, found.optimiser) == (1, 1, 2)
    assert found.activations == 0.25
    assert found.total == 4.25
    assert lesson_05b.memory(16, 2**24, 2**28, size=320).activations == 1.0


@given(per_crop=st.floats(1e6, 1e9), parameters=st.integers(10**6, 10**8), size=st.integers(96, 480))
def test_the_largest_batch_is_the_last_that_fits(per_crop, parameters, size):
    batch = lesson_05b.largest_batch(8, parameters, per_crop * (size / 160) ** 2)
    assert lesson_05b.memory(batch, per_crop, parameters, size).total <= 8 + 1e-6
    assert lesson_05b.memory(batch + 2, per_crop, parameters, size).total > 8


def test_powers_of_ten_are_written_with_one_digit():
    assert lesson_05b.power_of_ten(8.4e-18) == "8·10⁻¹⁸" and lesson_05b.power_of_ten(9.6e4) == "1·10⁵"


def test_no_batch_fits_where_the_weights_alone_are_too_much():
    assert lesson_05b.largest_batch(4, 10**9, 1e6) == 0


def test_what_does_not_fit_is_hatched_and_nothing_else():
    ax = lesson_05b.memory_bars([1, 4, 16], 2**30, 2**24, card=8.0).axes[0]  # 0.25 GiB for the parameters
    grey, active, over = ax.patches[:3], ax.patches[3:6], ax.patches[6:]
    assert [bar.get_height() for bar in grey] == [0.25] * 3
    assert [bar.get_height() for bar in active] == [1, 4, 7.75]
    assert [(bar.get_y(), bar.get_height(), bar.get_hatch()) for bar in over] == [(8, 8.25, "xx")]
    assert not any(bar.get_hatch() for bar in [*grey, *active])
    assert "about 7 crops" in (ax.get_title() or ax.get_title("left"))
    assert [text.get_text() for text in ax.get_legend().get_texts()][1:] == ["activations", "more than the card has"]


def test_the_way_of_the_error_is_drawn_with_and_without_shortcuts():
    by_stage = {"with shortcuts": {"last": 1.0, "first": 2.0}, "without": {"last": 1.0, "first": 1e6}}
    ax = lesson_05b.stages_figure(by_stage).axes[0]
    assert [list(line.get_ydata()) for line in ax.lines] == [[1.0, 2.0], [1.0, 1e6]]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["last", "first"] and ax.get_yscale() == "log"
    assert {" with shortcuts", " without"} == {text.get_text() for text in ax.texts}


@pytest.mark.slow
def test_the_stages_are_the_networks_own():
    assert all(hasattr(detector().backbone, name) for name in lesson_05b.STAGES)


# --- the exercises


def by_loop(x, branches, mix, scale):
    joined = branches[0](x)
    for branch in branches[1:]:
        joined = torch.cat((joined, branch(x)), 1)
    out = mix(joined) * scale
    out += x
    return out.clamp(min=0)


def in_place_of_torch(x, branches, mix, scale):
    return F.relu(torch.add(x, mix(torch.concatenate([branch(x) for branch in branches], axis=1)), alpha=scale)).numpy(
        force=True
    )


def test_a_residual_block_is_judged():
    assert_teaches(
        lesson_05b.RESIDUAL,
        right=[by_loop, in_place_of_torch],
        wrong={
            "no shortcut": lambda x, b, m, s: F.relu(m(torch.cat([f(x) for f in b], 1)) * s),
            "You scale the shortcut": lambda x, b, m, s: F.relu((x + m(torch.cat([f(x) for f in b], 1))) * s),
            "cut off below zero before": lambda x, b, m, s: F.relu(m(torch.cat([f(x) for f in b], 1)) * s) + x,
            "ReLU is missing": lambda x, b, m, s: m(torch.cat([f(x) for f in b], 1)) * s + x,
            "stand side by side": lambda x, b, m, s: F.relu(x + s * m(torch.stack([f(x) for f in b]))),
            "torch.relu cuts off": lambda x, b, m, s: torch.max(m(torch.cat([f(x) for f in b], 1)) * s + x, 0),
            "`scale` is not used": lambda x, b, m, s: F.relu(m(torch.cat([f(x) for f in b], 1)) + x),
        },
    )


@pytest.mark.slow
def test_the_reference_is_the_networks_own_block(images):
    block = detector().backbone.repeat_1[0]
    x = torch.randn(1, 256, 5, 5)
    with torch.no_grad():
        found = lesson_05b.residual(x, [block.branch0, block.branch1, block.branch2], block.conv2d, block.scale)
        assert torch.allclose(found, block(x), atol=1e-5)


def by_trying(card, parameters, per_crop, fits=operator.le):
    batch, room = 0, card * 2**30 - 4 * 4 * parameters
    while fits((batch + 1) * per_crop, room):
        batch += 1
    return batch


def test_the_largest_batch_is_judged():
    assert_teaches(
        lesson_05b.LARGEST_BATCH,
        right=[by_trying, lambda c, n, a: np.maximum(0, np.floor((c * 1024**3 - 16 * n) / a))],
        wrong={
            "activations alone": lambda c, n, a: int(c * 2**30 / a),
            "4 bytes per parameter": lambda c, n, a: max(0, int((c * 2**30 - 4 * n) / a)),
            "12 bytes": lambda c, n, a: max(0, int((c * 2**30 - 12 * n) / a)),
            "not 10**9": lambda c, n, a: max(0, int((c * 1e9 - 16 * n) / a)),
            "round down": lambda c, n, a: max(0, int(np.ceil((c * 2**30 - 16 * n) / a))),
            "smaller than 0": lambda c, n, a: int((c * 2**30 - 16 * n) / a),
            "What fits exactly": lambda c, n, a: by_trying(c, n, a, operator.lt),
            "room for no crop at all": lambda c, n, a: max(0, int((c * 2 ^ 30 - 16 * n) // a)),
            "Your room is below 0": lambda c, n, a: (c - 16 * n) // a,
            "yours is": lambda c, n, a: max(0, (c * 2**30 - 16 * n) / a),
        },
    )
    without_a_sign = assert_line(
        lesson_05b.LARGEST_BATCH, lambda c, n, a: int(abs(c * 2**30 - 16 * n) // a), 0, State.WRONG
    )
    assert "for largest_batch(1, 201326592, 16777216), yours is 128, and 0 is expected" in without_a_sign
