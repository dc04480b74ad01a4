"""What lesson 12 needs beside the package: quantising by hand, its figures, and its exercises."""

import copy
import time
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from torchfakes_utils.course import exercises, plots
from torchfakes_utils.metrics.binary import binary_metrics, by_clip
from torchfakes_utils.metrics.intervals import compare
from torchfakes_utils.models.detector import Detector


def quantise(values: np.ndarray, bits: int, axis: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Symmetric quantisation: real numbers to whole ones, with one scale for all or one for each slice.

    Args:
        values: any shape.
        bits: 2 to 16; whole numbers from -(2^(bits-1) - 1) to 2^(bits-1) - 1.
        axis: a scale for each index along this axis (0: each output channel of a convolution); None: one for all.

    Returns:
        The whole numbers, int32, and the scale, to be multiplied with them; it broadcasts.
    """
    top = 2 ** (bits - 1) - 1
    others = None if axis is None else tuple(i for i in range(values.ndim) if i != axis)
    largest = np.abs(values).max(axis=others, keepdims=True)
    scale = np.where(largest > 0, largest, 1) / top
    return np.rint(values / scale).astype(np.int32), scale


def folded(detector: Detector) -> Detector:
    """A copy whose batch norms are worked into the convolutions before them, as an exporter does; the same answers."""
    changed = copy.deepcopy(detector).eval()
    for module in list(changed.modules()):
        for (name, first), (following, second) in pairwise(module.named_children()):
            if isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d):
                setattr(module, name, fuse_conv_bn_eval(first, second))
                setattr(module, following, nn.Identity())
    return changed


def quantised(detector: Detector, bits: int, per_channel: bool = True) -> Detector:
    """A copy whose convolutions and linear layers have weights of so many bits (computed with as real numbers).

    Args:
        detector: any.
        bits: 2 to 16.
        per_channel: a scale for each output channel; else one a layer.
    """
    changed = copy.deepcopy(detector)
    with torch.no_grad():
        for module in changed.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                whole, scale = quantise(module.weight.numpy(), bits, 0 if per_channel else None)
                module.weight.copy_(torch.from_numpy(whole * scale))
    return changed


def auc_by_clip(faces: pd.DataFrame, logits: np.ndarray) -> float:
    """AUC of the clips' mean P(fake).

    Args:
        faces: rows of faces.csv.
        logits: one a row.
    """
    clips = _clips(faces, logits)
    return float(binary_metrics(clips["label"], clips["probability_fake"])["auc"])


class Against(NamedTuple):
    """A changed detector beside the original, on the same clips.

    Attributes:
        auc: its AUC by clip.
        difference: minus the original's.
        low, high: 95 % interval of the difference, on the same drawn people; see `metrics.intervals.compare`.
    """

    auc: float
    difference: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.auc:.3f} ({self.difference:+.3f}; {self.low:+.3f} to {self.high:+.3f})"


def against(faces: pd.DataFrame, logits: np.ndarray, original: np.ndarray) -> Against:
    """How far the AUC by clip of a changed detector lies from the original's.

    Args:
        faces: rows of faces.csv, two clips or more of each class.
        logits: of the changed detector, one a row.
        original: of the original, one a row.
    """
    row = compare(_clips(faces, logits), _clips(faces, original))["auc"]
    return Against(row["first"], row["difference"], *row["interval"])


def _clips(faces: pd.DataFrame, logits: np.ndarray) -> pd.DataFrame:
    return by_clip(faces.assign(logit=logits, probability_fake=1 / (1 + np.exp(-logits))))


def in_turns(ways: Mapping[str, Callable[[], object]], rounds: int = 15) -> dict[str, float]:
    """Seconds that each way takes, the median; one after the other, round by round, after two to warm up."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    with torch.inference_mode():
        for _ in range(rounds + 2):
            for name, work in ways.items():
                started = time.perf_counter()
                work()
                taken[name].append(time.perf_counter() - started)
    return {name: float(np.median(values[2:])) for name, values in taken.items()}


def layer_figure(weights: np.ndarray, bits: int = 3, channels: int = 24) -> Figure:
    """A layer's weights on their grid, and what is lost: with one scale for the layer, and with one for each channel.

    Args:
        weights: (C, …) of a convolution.
        bits: of the grid.
        channels: how many are drawn, from the widest to the narrowest.
    """
    figure, axes = plt.subplots(1, 2, figsize=(9.2, 3.8), sharey=True)
    order = np.argsort(-np.abs(weights.reshape(len(weights), -1)).max(axis=1))
    chosen = order[np.linspace(0, len(order) - 1, min(channels, len(order))).astype(int)]
    for ax, axis, name in zip(axes, (None, 0), ("one scale for the layer", "one scale for each channel"), strict=True):
        whole, scale = quantise(weights, bits, axis)
        back = whole * scale
        for place, channel in enumerate(chosen):
            own = weights[channel].ravel()
            levels = np.unique(back[channel])
            ax.plot(np.full(own.size, place), own, ".", color=plots.NEUTRAL, markersize=2, alpha=0.35)
            ax.hlines(levels, place - 0.4, place + 0.4, color=plots.FAKE, linewidth=1.4)
        noise = np.square(back - weights).mean() / np.square(weights).mean()
        ax.set_title(f"{name}: {noise:.1%} of the power is lost", fontsize=10, fontweight="normal")
        ax.set(xlabel="output channel, from widest to narrowest", xticks=[])
    axes[0].set_ylabel("weight (points); grid (lines)")
    figure.suptitle(f"The same weights on a grid of {bits} bits", x=0.01, ha="left", fontsize=11, fontweight="bold")
    return plots.finish(figure)


def bits_figure(rows: Mapping[str, Mapping[int, Against]], plain: float, title: str) -> Figure:
    """AUC by the bits of a weight, a line a way of scaling.

    Args:
        rows: by name and bits; the bars are the interval of the difference, put on `plain`.
        plain: that of the network as it is.
        title: the figure's one message.
    """
    figure, ax = plt.subplots(figsize=(7.4, 3.6))
    ax.axhline(plain, color=plots.NEUTRAL, linestyle="--", linewidth=1)
    ax.axhline(0.5, color=plots.NEUTRAL, linestyle=":", linewidth=1)
    most = max(max(values) for values in rows.values())
    ax.annotate(" 32 bits", (most, plain), color=plots.NEUTRAL, va="bottom", annotation_clip=False)
    ax.annotate(" a coin", (most, 0.5), color=plots.NEUTRAL, va="bottom", annotation_clip=False)
    for index, (name, values) in enumerate(rows.items()):
        colour, marker = (("black", "o"), (plots.FAKE, "s"))[index % 2]
        bits = sorted(values)
        scores = [values[one].auc for one in bits]
        low, high = [plain + values[one].low for one in bits], [plain + values[one].high for one in bits]
        places = [one + (0.06, -0.06)[index % 2] for one in bits]  # two bars on each other could not be read
        ax.vlines(places, low, high, color=colour, linewidth=1.2, alpha=0.6)
        ax.plot(places, scores, marker=marker, color=colour, label=name)
    ax.legend(loc="center right")  # where many bits are, the curves are high above it
    ax.set(xlabel="bits a weight", ylabel="AUC by clip", xticks=bits, xlim=(min(bits) - 0.5, None), ylim=(0.2, 1.04))
    ax.set_title(title)
    return plots.finish(figure)


def range_figure(activation: np.ndarray, low: float, high: float, bits: int = 8) -> Figure:
    """A layer's activations, and the grid that a range gives: too wide wastes levels, too narrow cuts off.

    Args:
        activation: values seen while calibrating.
        low, high: the range that the grid covers.
        bits: of the grid, unsigned.
    """
    figure, ax = plt.subplots(figsize=(7.6, 3.2))
    values = activation.ravel()
    ax.hist(values, 120, color=plots.NEUTRAL, log=True)
    ax.axvspan(low, high, color=plots.REAL, alpha=0.15)
    scale = (high - low) / (2**bits - 1)
    back = np.clip(np.rint((values - low) / scale), 0, 2**bits - 1) * scale + low
    cut = np.mean((values < low) | (values > high))
    lost = np.square(back - values).mean() / np.square(values).mean()
    ax.set(xlabel="activation", ylabel="how often (log)")
    ax.set_title(f"Range {low:.2g} to {high:.2g}: step {scale:.2g}, {cut:.2%} cut off, {lost:.2%} of the power lost")
    return plots.finish(figure)


def bars_figure(values: Mapping[str, float], unit: str, title: str) -> Figure:
    """Horizontal bars, each with its number.

    Args:
        values: by name, from top to bottom.
        unit: of the numbers.
        title: the figure's one message.
    """
    figure, ax = plt.subplots(figsize=(7.4, 0.5 * len(values) + 1.1))
    names, numbers = list(values), list(values.values())
    ax.barh(names, numbers, color=plots.NEUTRAL, height=0.6)
    for place, number in enumerate(numbers):
        ax.annotate(f" {number:.3g} {unit}", (number, place), va="center")
    ax.invert_yaxis()
    ax.set(xlim=(0, 1.2 * max(numbers)), xticks=[])
    ax.spines["bottom"].set_visible(False)
    ax.set_title(title)
    return plots.finish(figure)


def shift_figure(before: np.ndarray, after: np.ndarray, labels: plots.Labels, threshold: float, title: str) -> Figure:
    """P(fake) of each crop before and after, with the threshold on both axes.

    Args:
        before, after: (N,).
        labels: 0 or 1 each.
        threshold: from which a crop is called fake.
        title: the figure's one message.
    """
    figure, ax = plt.subplots(figsize=(4.6, 4.3))
    labels = np.asarray(labels)
    ax.plot([0, 1], [0, 1], color=plots.NEUTRAL, linewidth=1)
    for label in (0, 1):
        ax.plot(before[labels == label], after[labels == label], plots.MARKERS[label], color=plots.COLOURS[label],
                markersize=5, alpha=0.6, markeredgecolor="white", markeredgewidth=0.4)  # fmt: skip
        ax.annotate(plots.NAMES[label], (0.05, 0.93 - 0.07 * label), color=plots.COLOURS[label], fontweight="bold",
                    xycoords="axes fraction")  # fmt: skip
    for line in (ax.axvline, ax.axhline):
        line(threshold, color=plots.NEUTRAL, linestyle="--", linewidth=1)
    ax.set(xlabel="P(fake) in 32 bits", ylabel="P(fake) in 8 bits", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02),
           aspect="equal")  # fmt: skip
    ax.set_title(title)
    return plots.finish(figure)


# --- exercises


@exercises.check
def check_symmetric(symmetric: Callable[[np.ndarray], tuple[np.ndarray, float] | None]) -> None:
    """Try a learner's symmetric quantisation to 8 bits on numbers whose answer is known.

    Args:
        symmetric: gets weights (N,), gives whole numbers (N,) and their scale.
    """
    weights = np.array([-2.54, -1.0, -0.011, 0.0, 0.009, 0.63, 1.999])
    found = exercises.attempt(symmetric, weights.copy())
    if found is None:
        print("Not attempted yet: your function returns nothing.")
        return
    try:
        whole, scale = np.asarray(found[0], float), float(found[1])
    except (TypeError, ValueError, IndexError):
        print("Two things are wanted: the whole numbers, and the scale.")
        return
    right = np.rint(weights / 0.02)
    if whole.shape == weights.shape and np.isclose(scale, 0.02) and np.array_equal(whole, right):
        print("Right. And back again is one multiplication: whole * scale.")
    elif np.isclose(scale, 1.999 / 127):
        print("Your scale is the largest weight over 127. But the *widest* one is negative here, and would not fit.")
    elif np.isclose(scale, 2.54 / 128) or np.isclose(scale, 2.54 / 255) or np.isclose(scale, 5.08 / 255):
        print("How many steps go up from 0? Signed 8 bits, symmetric: -127 to 127.")
    elif np.isclose(scale, 0.02) and np.array_equal(whole, np.floor(weights / 0.02)):
        print("floor makes every number smaller: errors of one sign add up over a layer. Round to the nearest.")
    elif np.isclose(scale, 0.02) and np.array_equal(whole, np.trunc(weights / 0.02)):
        print("You cut off what is behind the point: everything moves towards 0. Round to the nearest.")
    elif np.isclose(scale, 50):
        print("Upside down: the scale is the size of one step, so that weights / scale are the whole numbers.")
    else:
        print("Not yet. scale = widest absolute weight / 127; whole = round(weights / scale).")


@exercises.check
def check_zero_point(zero_point: Callable[[float, float], tuple[float, int] | None]) -> None:
    """Try a learner's scale and zero point for activations on ranges whose answer is known.

    Args:
        zero_point: gets low, high with low <= 0 <= high; gives the scale, and the whole number from 0 to 255 that
            stands for 0.
    """
    cases = {(-1.0, 3.0): (4 / 255, 64), (0.0, 6.0): (6 / 255, 0), (-5.1, 0.0): (5.1 / 255, 255)}
    found = [exercises.attempt(zero_point, *ends) for ends in cases]
    if any(one is None for one in found):
        print("Not attempted yet: your function returns nothing.")
        return
    scales, zeros = zip(*((float(scale), zero) for scale, zero in found), strict=True)
    right_scales, right_zeros = zip(*cases.values(), strict=True)
    if not np.allclose(scales, right_scales):
        over_256 = np.allclose(scales, [scale * 255 / 256 for scale in right_scales])
        print("256 numbers have 255 steps between them." if over_256 else "The scale is (high - low) / 255.")
    elif list(zeros) == list(right_zeros) and all(float(zero).is_integer() for zero in zeros):
        print("Right. An exact 0 matters: padding is full of it, and so is everything after a ReLU.")
    elif np.allclose(zeros, [-zero for zero in right_zeros]):
        print("The sign: low has to become 0, so -low / scale stands for 0.")
    elif np.allclose(zeros, right_zeros, atol=0.51):
        print("Nearly: it has to be a whole number, the nearest one.")
    else:
        print("Not yet. Which whole number does 0 get, if low gets 0 and high gets 255?")
