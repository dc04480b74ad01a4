"""Lesson 12: quantisation by hand against known answers, its figures, exercises, and the page without a network."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from matplotlib import pyplot as plt

from torchfakes_utils.course import lesson_12, lesson_12_page
from torchfakes_utils.course.lesson_12_exercises import quantise
from torchfakes_utils.course.practice import State
from torchfakes_utils.errors import InputError
from torchfakes_utils.export.parity import Distances, Exported, Parity
from torchfakes_utils.models.detector import DetectorConfig
from torchfakes_utils.models.preprocessing import Preprocessing

from helpers.browser import require, require_package
from helpers.detectors import opinionated
from helpers.exercises import assert_line, assert_teaches

WEIGHTS = hnp.arrays(np.float64, (3, 4), elements=st.floats(-10, 10, allow_subnormal=False))


@given(WEIGHTS, st.integers(2, 8), st.sampled_from([None, 0]))
def test_rounding_costs_half_a_step_at_most_and_keeps_signs(weights, bits, axis):
    whole, scale = quantise(weights, bits, axis)
    assert np.abs(whole).max() <= 2 ** (bits - 1) - 1
    assert (np.abs(whole * scale - weights) <= scale / 2 * (1 + 1e-9)).all()
    mirrored, _ = quantise(-weights, bits, axis)
    assert np.array_equal(mirrored, -whole)


@given(WEIGHTS)
def test_a_ruler_for_each_channel_is_never_coarser(weights):
    _, one = quantise(weights, 4)
    _, each = quantise(weights, 4, 0)
    used = np.abs(weights).max(axis=1) > 0
    assert (each[used, 0] <= one.item() * (1 + 1e-12)).all()


def test_known_whole_numbers():
    whole, scale = quantise(np.array([-1.0, 0.4, 0.0, 0.7]), 3)
    assert scale.item() == pytest.approx(1 / 3)
    assert whole.tolist() == [-3, 1, 0, 2]
    whole, scale = quantise(np.zeros(3), 8)
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
    lost = [float(ax.get_title().split(":\n")[1].split("%")[0]) for ax in figure.axes]
    assert lost[0] > lost[1]
    assert lost[0] == pytest.approx(100 * lesson_12.share_lost(weights, 3), abs=0.06)
    times = lesson_12.share_lost(weights, 3) / lesson_12.share_lost(weights, 3, 0)
    assert f"{times:.1f} times as much" in figure.get_suptitle()
    fine = lesson_12.layer_figure(weights, bits=8).axes[0]
    assert "0.0% of" not in fine.get_title() and fine.collections[0].get_linewidth()[0] < 0.5, "lines, no bars"
    figure = lesson_12.range_figure(np.array([0.0, 1, 2, 3, 100]), 0, 3)
    assert "20.00% cut off" in figure.axes[0].get_title()
    row = lambda auc, turned: lesson_12.Against(auc, auc - 0.91, auc - 0.96, auc - 0.81, turned)  # noqa: E731
    rows = {
        "a": {8: row(0.9, 0), 4: row(0.8, 3), 2: row(0.5, 9)},
        "b": {8: row(0.9, 1), 4: row(0.7, 4), 2: row(0.4, 8)},
    }
    left, right = lesson_12.bits_figure(rows, 0.91, 10, "title").axes
    assert [list(line.get_ydata()) for line in left.lines[2:]] == [[0.5, 0.8, 0.9], [0.4, 0.7, 0.9]]
    assert [list(line.get_ydata()) for line in right.lines] == [[9, 3, 0], [8, 4, 1]]
    ends = np.array([one[:, 1] for one in left.collections[0].get_segments()])
    assert ends == pytest.approx(np.array([[0.45, 0.6], [0.75, 0.9], [0.85, 1.0]])), "low to high, on the plain AUC"
    figure = lesson_12.bars_figure({"slow": 20.0, "fast": 2.5}, "ms", "title")
    assert [text.get_text() for text in figure.axes[0].texts] == [" 20 ms", " 2.5 ms"]
    lesson_12.shift_figure(np.array([0.1, 0.9]), np.array([0.2, 0.8]), [0, 1], 0.4, "title")
    plt.close("all")


def test_an_outlier_makes_a_narrower_range_the_better_one():
    usual = np.random.default_rng(0).gamma(1.0, 1.0, 20_000)
    held, beyond = (lesson_12.percentiles(seen, usual, (99, 99.99, 100)) for seen in (usual, np.append(usual, 1000)))
    assert held[100] < held[99] and beyond[99.99] < beyond[100], "nothing is cut off; steps are too coarse"
    figure = lesson_12.percentiles_figure({"plain": held, "outlier": beyond}, "title")
    assert [text.get_text() for text in figure.axes[0].get_legend().texts][1] == "outlier: least at 99.99 %"


def test_verdicts_that_turn_are_counted():
    faces = pd.DataFrame({"clip_id": list("abcd"), "method": "x", "compression": "c23", "label": [0, 0, 1, 1],
                          "target_id": list("abcd"), "source_id": "", "split": "val"})  # fmt: skip
    original, moved = np.array([-2.0, -1, 1, 2]), np.array([-2.0, 0.5, 1, 0.9])
    assert lesson_12.against(faces, original, original).turned == 0
    assert lesson_12.against(faces, moved, original).turned == 1
    assert lesson_12.against(faces, moved, original, cut=0.95).turned == 1
    assert lesson_12.against(faces, moved, original, cut=1.5).turned == 1
    assert "1 verdicts turned" in str(lesson_12.against(faces, moved, original))


def test_folding_is_why_channels_differ(detector):
    before, after = (np.median(lesson_12.gains(one, 4)) for one in (detector, lesson_12.folded(detector)))
    assert after > 1.2 * before, "batch norms of different size make some channels wide"


def test_ways_take_turns():
    calls = []
    seconds = lesson_12.in_turns({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, rounds=3)
    assert calls == ["a", "b"] * 5 and set(seconds) == {"a", "b"}


# --- exercises


def by_loops(weights, bits):
    """As somebody writes it who knows lists only; halves are as good as never met."""
    flat = [float(one) for one in np.asarray(weights).ravel()]
    scale = max(abs(one) for one in flat) / (2 ** (bits - 1) - 1)
    return np.reshape([round(one / scale) for one in flat], np.shape(weights)).tolist(), scale


def in_torch(weights, bits):
    tensor = torch.tensor(weights)
    scale = tensor.abs().max() / (2 ** (bits - 1) - 1)
    return (tensor / scale).round().int(), scale


def rounded_by(rounding, top=lambda bits: 2 ** (bits - 1) - 1, widest=lambda weights: np.abs(weights).max(), cut=False):
    def answer(weights, bits):
        scale, largest = widest(weights) / top(bits), 2 ** (bits - 1) - 1
        whole = rounding(weights / scale)
        return np.clip(whole, -largest, largest) if cut else whole, scale

    return answer


def test_a_ruler_for_weights_teaches():
    assert_teaches(
        lesson_12.SYMMETRIC,
        right=[by_loops, in_torch],
        wrong={
            "negative, and does not fit": rounded_by(np.rint, widest=np.max),
            "negative, and is cut off": rounded_by(np.rint, widest=np.max, cut=True),
            "weight, which does not fit": rounded_by(np.rint, top=lambda bits: 2 ** (bits - 1)),
            "is cut off at 127": rounded_by(np.rint, top=lambda bits: 2 ** (bits - 1), cut=True),
            "up to 255": rounded_by(np.rint, top=lambda bits: 2**bits - 1),
            "round up": rounded_by(np.ceil),
            "round down": rounded_by(np.floor),
            "what is behind the point": rounded_by(np.trunc),
            "Upside down": lambda weights, bits: (in_torch(weights, bits)[0], 1 / in_torch(weights, bits)[1]),
            "a pair is expected": lambda weights, bits: in_torch(weights, bits)[0],
            "multiplied back": lambda weights, bits: (in_torch(weights, bits)[0] * in_torch(weights, bits)[1],
                                                      in_torch(weights, bits)[1]),
        },
    )  # fmt: skip


def channel_by_channel(weights, bits):
    wholes, scales = [], []
    for channel in weights:
        widest = np.abs(channel).max()
        scale = widest / (2 ** (bits - 1) - 1) if widest else 1.0
        wholes.append(np.rint(channel / scale).tolist())
        scales.append(scale)
    return wholes, scales


def channels_in_torch(weights, bits):
    tensor = torch.tensor(weights)
    scale = tensor.abs().amax(dim=tuple(range(1, tensor.ndim)), keepdim=True).clamp(min=1e-12) / (2 ** (bits - 1) - 1)
    return torch.round(tensor / scale), scale


def by_input_channel(weights, bits):
    whole, scale = channels_in_torch(weights.swapaxes(0, 1), bits)
    return whole.transpose(0, 1), scale.flatten()


def without_a_guard(weights, bits):
    widest = np.abs(weights).reshape(len(weights), -1).max(1)
    scale = widest.reshape(-1, *[1] * (weights.ndim - 1)) / (2 ** (bits - 1) - 1)
    return np.rint(weights / scale), scale.flatten()


def of_convolutions_only(weights, bits):
    widest = np.abs(weights).max((1, 2, 3))
    scales = np.where(widest > 0, widest, 1) / (2 ** (bits - 1) - 1)
    return np.rint(weights / scales[:, None, None, None]), scales


def test_a_ruler_for_each_channel_teaches():
    assert_teaches(
        lesson_12.BY_CHANNEL,
        right=[channel_by_channel, channels_in_torch],
        wrong={
            "only once": in_torch,
            "One scale for the whole layer. Each": lambda weights, bits: (in_torch(weights, bits)[0],
                                                                     [in_torch(weights, bits)[1]] * len(weights)),
            "input channels": by_input_channel,
            "0 / 0": without_a_guard,
            "may have two axes": of_convolutions_only,
        },
    )  # fmt: skip
    example = np.array([[1.0, -0.6], [0.1, 0.3]])
    whole, scales = channel_by_channel(example, 3)
    assert whole == [[3, -2], [1, 3]] and scales == pytest.approx([1 / 3, 0.1]), "the example of the lesson"


def lost_by_loops(values, low, high):
    step = (high - low) / 255
    zero = round(-low / step)
    off = own = 0.0
    for one in np.asarray(values).ravel().tolist():
        byte = min(max(round(one / step) + zero, 0), 255)
        off, own = off + (step * (byte - zero) - one) ** 2, own + one**2
    return off / own


def lost_in_torch(values, low, high, zero=None, ends=(0, 255), rounding=torch.round):
    tensor = torch.tensor(values)
    step = (high - low) / 255
    zero = round(-low / step) if zero is None else zero
    back = step * ((rounding(tensor / step) + zero).clamp(*ends) - zero)
    return (back - tensor).square().mean() / tensor.square().mean()


def lost_from_low(values, low, high):
    step = (high - low) / 255
    back = low + step * np.round((values - low) / step).clip(0, 255)
    return ((back - values) ** 2).sum() / (values**2).sum()


def lost_in_bytes(values, low, high):
    step = (high - low) / 255
    zero = round(-low / step)
    whole = np.clip(np.round(values / step) + zero, 0, 255).astype(np.uint8)
    return ((step * (whole - zero) - values) ** 2).sum() / (values**2).sum()


def test_what_a_range_costs_teaches():
    assert lost_by_loops([-1, 0, 1, 6], -1, 3) == pytest.approx(9 / 38, abs=1e-3), "the example of the lesson"
    assert_teaches(
        lesson_12.POWER_LOST,
        right=[lost_by_loops, lost_in_torch],
        wrong={
            "zero point is forgotten": lambda *given: lost_in_torch(*given, zero=0),
            "Nothing is cut off": lambda *given: lost_in_torch(*given, ends=(-1e9, 1e9)),
            "not −128 to 127": lambda *given: lost_in_torch(*given, ends=(-128, 127)),
            "at 128": lambda *given: lost_in_torch(*given, ends=(0, 128)),
            "round up": lambda *given: lost_in_torch(*given, rounding=torch.ceil),
            "round down": lambda *given: lost_in_torch(*given, rounding=torch.floor),
            "sum of squares": lambda values, *ends: lost_in_torch(values, *ends) * np.square(values).sum(),
            "divide by that": lambda values, *ends: lost_in_torch(values, *ends) * np.square(values).mean(),
            "Add it to round": lambda values, low, high: lost_in_torch(
                values, low, high, zero=-low / ((high - low) / 255)),
            "wraps round in bytes": lost_in_bytes,
        },
    )  # fmt: skip
    for seed in range(3):
        assert_line(lesson_12.POWER_LOST, lost_from_low, seed, State.WRONG, "No byte stands for 0 exactly in yours")


def test_the_size_of_a_file_teaches():
    assert_teaches(
        lesson_12.FILE_MEGABYTES,
        right=[lambda shapes, bits: sum(np.prod(one) * bits + 32 * one[0] for one in shapes) / 8e6,
               lambda shapes, bits: torch.tensor([torch.Size(one).numel() * bits / 8 + 4 * one[0]
                                                  for one in shapes]).double().sum() / 1e6],
        wrong={
            "eight of them": lambda shapes, bits: sum(np.prod(one) * bits + 32 * one[0] for one in shapes) / 1e6,
            "those of the weights by 8": lambda shapes, bits: sum(np.prod(one) * bits + 4 * one[0]
                                                                  for one in shapes) / 1e6,
            "32 bits make four": lambda shapes, bits: sum(np.prod(one) * bits / 8 + 32 * one[0]
                                                          for one in shapes) / 1e6,
            "scales are missing": lambda shapes, bits: sum(np.prod(one) for one in shapes) * bits / 8 / 1e6,
            "One scale a layer": lambda shapes, bits: sum(np.prod(one) * bits / 8 + 4 for one in shapes) / 1e6,
            "mebibytes": lambda shapes, bits: sum(np.prod(one) * bits / 8 + 4 * one[0] for one in shapes) / 2**20,
            "32 bits, however": lambda shapes, bits: sum((np.prod(one) + one[0]) * bits / 8 for one in shapes) / 1e6,
        },
    )  # fmt: skip


# --- the page


def test_a_machine_without_a_browser_is_told_so(monkeypatch, tmp_path):
    monkeypatch.setattr(lesson_12_page.shutil, "which", lambda name: None)
    assert lesson_12_page.unplugged(tmp_path, np.zeros((8, 8, 3), np.uint8)) == "no Chromium is on this machine"
    monkeypatch.setenv("TORCHFAKES_CACHE", str(tmp_path))
    with pytest.raises(InputError, match="--format web` once"):
        lesson_12_page.write_page(tmp_path, tmp_path / "web", tmp_path, None)


def test_what_a_check_found_is_read_again(tmp_path):
    found = Exported([Parity("detector.fp32.onnx", "fp32", 1.0, 9, 3, 0.0, 0.0, {}, {}, {}, 1.0, 1.0, 2.0, 2.0),
                      Parity("detector.int8.onnx", "int8", 1.0, 9, 3, 0.0, 0.0, {}, {}, {}, 1.0, 1.0, 2.0, 2.0,
                             Distances(0.1, 0.0, 0.0, 0.0, None, 2.0))], refused={"x": "y"})  # fmt: skip
    (tmp_path / "parity.json").write_text(json.dumps(found.to_json()))
    again = lesson_12_page._checked(tmp_path)
    assert again.files == found.files and again.refused == {"x": "y"}


PAGE = """<!doctype html><html data-state="ready"><input type="file" id="file"><script>
navigator.serviceWorker.register("sw.js").then(() => navigator.serviceWorker.ready)
  .then(() => { document.documentElement.dataset.offline = "yes"; });
window.torchfakes = { judge: async (file) => ({ probability_fake: file.size % 7, verdict: "fake" }) };
document.querySelector("#file").addEventListener("change",
  () => { document.documentElement.dataset.state = "shown"; });
</script></html>"""
WORKER = """self.addEventListener("install", (event) => event.waitUntil(caches.open("a").then((one) => one.add("./"))));
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));
self.addEventListener("fetch", (event) => event.respondWith(caches.match(event.request)));"""


@pytest.mark.browser
@pytest.mark.parametrize("keeps", [True, False], ids=["kept", "not kept"])
def test_the_browser_is_really_offline(tmp_path, monkeypatch, keeps):
    """A page that keeps itself answers without a network; one that does not is found out."""
    require_package("playwright")
    require(any(map(shutil.which, lesson_12_page._BROWSERS)), "Chromium")
    monkeypatch.setattr(lesson_12_page, "_PATIENCE", 20_000)
    (tmp_path / "index.html").write_text(PAGE)
    (tmp_path / "sw.js").write_text(WORKER if keeps else "")
    found = lesson_12_page.unplugged(tmp_path, np.zeros((8, 8, 3), np.uint8))
    if not keeps:
        assert isinstance(found, str) and found.startswith("the browser gave up")
        return
    assert found.before == found.after and found.verdict == "fake" and found.elsewhere == ()
    assert found.picture.shape == (1050, 700, 3)
