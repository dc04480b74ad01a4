"""What lesson 12 needs beside the package: networks with rounded weights, what they lose, and its figures."""

import copy
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from torchfakes_utils.course import plots
from torchfakes_utils.course.lesson_12_exercises import BY_CHANNEL as BY_CHANNEL
from torchfakes_utils.course.lesson_12_exercises import FILE_MEGABYTES as FILE_MEGABYTES
from torchfakes_utils.course.lesson_12_exercises import POWER_LOST as POWER_LOST
from torchfakes_utils.course.lesson_12_exercises import SYMMETRIC as SYMMETRIC
from torchfakes_utils.course.lesson_12_exercises import power_lost, quantise
from torchfakes_utils.metrics.binary import binary_metrics, by_clip
from torchfakes_utils.metrics.intervals import compare
from torchfakes_utils.models.detector import Detector

_POINTS = 200  # weights of a channel that are drawn, from the least to the largest
# Of two things that are neither real nor fake.
_LINES = (("black", "o"), ("#7A7A7A", "s"))


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


def share_lost(weights: np.ndarray, bits: int, axis: int | None = None) -> float:
    """The share of the power of weights that rounding to so many bits loses; `axis` as in `quantise`."""
    whole, scale = quantise(weights, bits, axis)
    return float(np.square(whole * scale - weights).sum() / np.square(weights).sum())


def gains(detector: Detector, bits: int) -> np.ndarray:
    """Of each convolution, how many times as much power one ruler loses as one for each channel."""
    layers = [module.weight.detach().numpy() for module in detector.modules() if isinstance(module, nn.Conv2d)]
    return np.array([share_lost(weights, bits) / share_lost(weights, bits, 0) for weights in layers])


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
        turned: crops that lie on the other side of the threshold.
    """

    auc: float
    difference: float
    low: float
    high: float
    turned: int

    def __str__(self) -> str:
        interval = f"{self.difference:+.3f}; {self.low:+.3f} to {self.high:+.3f}"
        return f"{self.auc:.3f} ({interval}), {self.turned} verdicts turned"


def against(faces: pd.DataFrame, logits: np.ndarray, original: np.ndarray, cut: float = 0.0) -> Against:
    """How far the AUC by clip of a changed detector lies from the original's, and how many forced verdicts turn.

    Args:
        faces: rows of faces.csv, two clips or more of each class.
        logits: of the changed detector, one a row.
        original: of the original, one a row.
        cut: logit from which on a crop is called fake.
    """
    row = compare(_clips(faces, logits), _clips(faces, original))["auc"]
    turned = int(((logits >= cut) != (original >= cut)).sum())
    low, high = row["interval"]
    return Against(row["first"], row["difference"], low, high, turned)


def _clips(faces: pd.DataFrame, logits: np.ndarray) -> pd.DataFrame:
    return by_clip(faces.assign(logit=logits, probability_fake=1 / (1 + np.exp(-logits))))


def in_turns(ways: Mapping[str, Callable[[], object]], rounds: int = 15) -> dict[str, float]:
    """Seconds that each way takes at best; one after the other, round by round, after two to warm up.

    The best, since whatever else a computer does can only add to it.
    """
    taken: dict[str, list[float]] = {name: [] for name in ways}
    with torch.inference_mode():
        for _ in range(rounds + 2):
            for name, work in ways.items():
                started = time.perf_counter()
                work()
                taken[name].append(time.perf_counter() - started)
    return {name: min(values[2:]) for name, values in taken.items()}


def layer_figure(weights: np.ndarray, bits: int = 3, channels: int = 24) -> Figure:
    """A layer's weights on their grid, and what is lost: with one scale for the layer, and with one for each channel.

    Args:
        weights: (C, …) of a convolution.
        bits: of the grid.
        channels: how many are drawn, from the widest to the narrowest.
    """
    # Twice as many lines a bit: with more than four, thick ones would touch, and be a black bar.
    width = 1.4 if bits <= 4 else max(1.4 / 2 ** (bits - 4), 0.15)
    figure, axes = plt.subplots(1, 2, figsize=(7.0, 3.6), sharey=True)
    lost: list[float] = []
    order = np.argsort(-np.abs(weights.reshape(len(weights), -1)).max(axis=1))
    chosen = order[np.linspace(0, len(order) - 1, min(channels, len(order))).astype(int)]
    for ax, axis, name in zip(axes, (None, 0), ("one scale for the layer", "one scale for each channel"), strict=True):
        whole, scale = quantise(weights, bits, axis)
        back = whole * scale
        for place, channel in enumerate(chosen):
            own = np.sort(weights[channel].ravel())[np.linspace(0, weights[channel].size - 1, _POINTS).astype(int)]
            levels = np.unique(back[channel])
            ax.plot(np.full(own.size, place), own, ".", color=plots.NEUTRAL, markersize=2, alpha=0.35)
            ax.hlines(levels, place - 0.4, place + 0.4, color="black", linewidth=width)
        lost.append(share_lost(weights, bits, axis))
        decimals = 1 if lost[-1] >= 0.01 else 3
        ax.set_title(f"{name}:\n{lost[-1]:.{decimals}%} of the power is lost", fontsize=10, fontweight="normal")
        ax.set(xlabel="channels, widest to narrowest", xticks=[])
    axes[0].set_ylabel("weight (points); grid (lines)")
    title = f"In {bits} bits, one scale loses {lost[0] / lost[1]:.1f} times as much as one for each channel"
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return plots.finish(figure)


def bits_figure(rows: Mapping[str, Mapping[int, Against]], plain: float, crops: int, title: str) -> Figure:
    """AUC and turned verdicts by the bits of a weight, a line a way of scaling.

    Args:
        rows: by name and bits, the first of all bits that there are; the bars are the interval of the difference, put
            on `plain`.
        plain: AUC of the network as it is.
        crops: how many verdicts there are.
        title: the figure's one message.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.0, 3.5))
    left.axhline(plain, color=plots.NEUTRAL, linestyle="--", linewidth=1)
    left.axhline(0.5, color=plots.NEUTRAL, linestyle=":", linewidth=1)
    everyone = sorted(next(iter(rows.values())))
    for index, (name, values) in enumerate(rows.items()):
        colour, marker = _LINES[index % len(_LINES)]
        bits = sorted(values)
        places = np.searchsorted(everyone, bits) + (0.06, -0.06)[index % 2]  # two bars on each other: unreadable
        low, high = [plain + values[one].low for one in bits], [plain + values[one].high for one in bits]
        left.vlines(places, low, high, color=colour, linewidth=1.4, alpha=0.6)
        left.plot(places, [values[one].auc for one in bits], marker=marker, color=colour, label=name)
        right.plot(places, [values[one].turned for one in bits], marker=marker, color=colour, label=name)
    last = len(everyone) - 1
    left.annotate("32 bits", (last, plain), (0, 4), textcoords="offset points", color=plots.NEUTRAL, ha="right")
    left.annotate("a coin", (last, 0.5), (0, 4), textcoords="offset points", color=plots.NEUTRAL, ha="right")
    right.legend(loc="upper right")
    for ax, name in ((left, "AUC by clip"), (right, f"forced verdicts that turn, of {crops}")):
        ax.set_xticks(range(len(everyone)), everyone)
        ax.set_xlabel("bits per weight")
        ax.set_title(name, fontsize=10, fontweight="normal")
    left.set_ylim(0.2, 1.04)
    right.set_ylim(-1, None)
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return plots.finish(figure)


def percentiles(seen: np.ndarray, used: np.ndarray, percents: Sequence[float]) -> dict[float, float]:
    """The share of power that activations lose, by where the range ends.

    Args:
        seen: activations while calibrating; a range holds the middle so many per cent of them, and 0.
        used: activations that are then stored in that range.
        percents: in (50, 100].
    """
    ends = {percent: np.percentile(seen, [100 - percent, percent]) for percent in percents}
    return {percent: power_lost(used, min(float(low), 0.0), max(float(high), 0.0))
            for percent, (low, high) in ends.items()}  # fmt: skip


def percentiles_figure(lost: Mapping[str, Mapping[float, float]], title: str) -> Figure:
    """What is lost, by the share of activations that the range holds, a line a set of activations.

    Args:
        lost: by name, from `percentiles`.
        title: the figure's one message.
    """
    figure, ax = plt.subplots(figsize=(7.0, 3.2))
    for index, (name, values) in enumerate(lost.items()):
        colour, marker = _LINES[index % len(_LINES)]
        best = min(values, key=values.__getitem__)
        label = f"{name}: least at {best:g} %"
        ax.plot(range(len(values)), list(values.values()), marker=marker, color=colour, label=label)
        ax.plot(list(values).index(best), values[best], marker, color=colour, markersize=13, fillstyle="none")
        ax.set_xticks(range(len(values)), [f"{percent:g}" for percent in values])
    ax.set_yscale("log")
    ax.legend(loc="lower left", frameon=False, labelcolor="linecolor")  # the lines begin at the top left
    ax.set(xlabel="per cent of activations that the range ends at (100: all of them)", ylabel="power lost")
    ax.set_yticks([1e-4, 1e-3, 1e-2, 1e-1], ["0.01 %", "0.1 %", "1 %", "10 %"])
    ax.set_title(title)
    return plots.finish(figure)


def range_figure(activation: np.ndarray, low: float, high: float) -> Figure:
    """A layer's activations, and the range of an unsigned byte: too wide wastes steps, too narrow cuts off.

    Args:
        activation: values seen while calibrating.
        low, high: the range; 0 is always in it.
    """
    figure, ax = plt.subplots(figsize=(7.0, 3.0))
    values, low, high = activation.ravel(), min(low, 0.0), max(high, 0.0)
    ax.stairs(*np.histogram(values, 120), fill=True, color=plots.NEUTRAL)
    ax.set_yscale("log")
    ax.axvspan(low, high, color="0.85", zorder=0)
    cut = np.mean((values < low) | (values > high))
    lost = power_lost(values, low, high)
    ax.set(xlabel="activation (shaded: the range)", ylabel="how often (log)")
    ax.set_title(f"Range {low:.2g} to {high:.2g}: {cut:.2%} cut off, {lost:.2%} of the power lost")
    return plots.finish(figure)


def bars_figure(values: Mapping[str, float], unit: str, title: str) -> Figure:
    """Horizontal bars, each with its number.

    Args:
        values: by name, from top to bottom.
        unit: of the numbers.
        title: the figure's one message.
    """
    figure, ax = plt.subplots(figsize=(7.0, 0.5 * len(values) + 1.1))
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
