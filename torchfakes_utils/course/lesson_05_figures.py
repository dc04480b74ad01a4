"""The figures of lesson 05: a face on its way through the network, losses by step, and the course of a run."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from torchfakes_utils.course import plots

LN2 = float(np.log(2))  # the loss of a coin's answer
# Blue and vermilion mean real and fake; what is compared here is something else (Okabe and Ito's green and purple).
KEPT, CUT = "#009E73", "#CC79A7"
ON_WHITE = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}  # a note that lines may cross


def journey(face: np.ndarray, maps: Mapping[str, np.ndarray], channels: Sequence[int], probability: float) -> Figure:
    """A face, what some stages of the network make of it, and the one number that comes out.

    Args:
        face: (H, W, 3) uint8 RGB.
        maps: stage to (h, w) of one channel, or a mean over channels; any range.
        channels: how many channels each of these stages has.
        probability: P(fake) in the end.
    """
    figure, axes = plt.subplots(1, len(maps) + 2, figsize=(1.55 * (len(maps) + 2), 2.35))
    axes[0].imshow(face)
    axes[0].set_title(f"the crop\n{face.shape[0]} × {face.shape[1]} × 3", fontsize=9, fontweight="normal")
    for ax, (name, values), count in zip(axes[1:], maps.items(), channels, strict=False):
        ax.imshow(values, cmap="gray")
        size = " × ".join(map(str, values.shape))
        ax.set_title(f"{name}\n{size} × {count}", fontsize=9, fontweight="normal")
    axes[-1].text(0.5, 0.5, f"{probability:.2f}", ha="center", va="center", fontsize=20, fontweight="bold")
    axes[-1].set_title("P(fake)\none number", fontsize=9, fontweight="normal")
    for ax in axes:
        ax.set(xticks=[], yticks=[])
        ax.set_box_aspect(1)
        ax.spines[:].set_visible(False)
    figure.suptitle("The picture shrinks, the channels multiply", x=0.01, ha="left", fontsize=11, fontweight="bold")
    return plots.finish(figure)


def loss_curves(
    runs: Mapping[str, Sequence[float]], title: str, colours: Sequence[str], top: float = 0.85, width: float = 7.4
) -> Figure:
    """Training losses by step, each named at its end, with the height of a coin's answer.

    Args:
        runs: name to the loss of each step; all of one length.
        title: the figure's one message.
        colours: one a run.
        top: end of the y axis.
        width: of the figure, inches.
    """
    figure, ax = plt.subplots(figsize=(width, 3.3))
    steps = len(next(iter(runs.values())))
    for losses, colour, style in zip(runs.values(), colours, ("-", "--", "-."), strict=False):
        ax.plot(range(1, steps + 1), losses, color=colour, linestyle=style)
    limits = (0.0, top)
    name_ends(ax, steps, {name: losses[-1] for name, losses in runs.items()}, colours, limits)
    ax.axhline(LN2, color=plots.NEUTRAL, linestyle=":", linewidth=1.2)
    ax.annotate(" ln 2", (1, LN2), xycoords=("axes fraction", "data"), va="center", color=plots.NEUTRAL)
    ax.set(xlabel="step", ylabel="training loss", ylim=limits, xlim=(0, steps * 1.4))
    ax.set_xticks([tick for tick in MaxNLocator(8, integer=True).tick_values(0, steps) if tick <= steps])
    ax.set_title(title)
    return plots.finish(figure)


def learning_curve(losses: Sequence[float], rows: Sequence[Mapping[str, float]], epochs: int) -> Figure:
    """A training run as far as it has come: its own loss, and what it says of people who are not in training.

    Args:
        losses: mean training loss of each finished epoch.
        rows: what `Trainer.validate` gave after each.
        epochs: how many there will be.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.6, 2.8), width_ratios=[1, 1.25])
    x = np.arange(1, len(losses) + 1)
    left.plot(x, losses, "o-", color="black", markersize=4)
    baseline(left, LN2, "ln 2: knows nothing")
    left.set(ylim=(0, 1.2), ylabel="training loss")
    left.set_title("Loss on what it practises", fontsize=10)
    series = {"AUC": "val_auc", "called fake": "predicted_fake_rate"}
    for column, colour, marker in zip(series.values(), ("black", plots.FAKE), ("o-", "X--"), strict=True):
        right.plot(x, [row[column] for row in rows], marker, color=colour, markersize=5)
    limits = (-0.04, 1.06)
    if rows:
        ends = {name: float(rows[-1][column]) for name, column in series.items()}
        name_ends(right, x[-1], ends, ("black", plots.FAKE), limits)
    baseline(right, 0.5, "AUC of a coin")
    right.set(ylim=limits, ylabel="AUC, or share of clips")
    right.set_title("On people who are not in training", fontsize=10)
    for ax in (left, right):
        ax.set(xlim=(0.5, epochs + (0.45 * epochs if ax is right else 0.5)), xlabel="epoch")
        ax.set_xticks(range(1, epochs + 1))
    return plots.finish(figure)


def baseline(ax: Axes, height: float, note: str, x: float = 0.35) -> None:
    """A dotted line at what costs nothing, named on it."""
    ax.axhline(height, color=plots.NEUTRAL, linestyle=":", linewidth=1.2)
    ax.annotate(
        note, (x, height), (0, 3), xycoords=("axes fraction", "data"), textcoords="offset points", fontsize=8,
        color=plots.NEUTRAL, bbox=ON_WHITE,
    )  # fmt: skip


def _clear(ax: Axes, height: float, width: float = 0.3) -> float:
    """Where on a level line a note has most room to the curves: its left end, as a share of the axis."""
    (left, right), (low, high) = ax.get_xlim(), ax.get_ylim()
    curves, note = [np.asarray(line.get_xydata()).T for line in ax.lines], height + 0.05 * (high - low)

    def room(start: float) -> float:
        under = left + (right - left) * np.linspace(start, start + width, 9)
        return min(float(np.abs(np.interp(under, *curve) - note).min()) for curve in curves)

    return float(max(np.arange(0.02, 1 - width, 0.08), key=room))


def constant_loss(share_of_fakes: float) -> float:
    """The least loss of one answer for everybody: the entropy of the labels, nats; reached by P(fake) = their share.

    Args:
        share_of_fakes: above 0 and below 1.
    """
    p = share_of_fakes
    return float(-p * np.log(p) - (1 - p) * np.log(1 - p))


def history_figure(history: pd.DataFrame) -> Figure:
    """The course of a run, from its history.csv, each number beside what costs nothing.

    Training batches are balanced and validation is not, so the two losses have different free answers, ln 2 and
    `constant_loss` of the share of fakes. They are drawn on two axes.
    """
    figure, axes = plt.subplots(2, 2, figsize=(8.6, 5.6))
    x, share = history["epoch"], float(history["always_fake_accuracy"].iloc[-1])
    free = constant_loss(share)
    highest = float(history[["train_loss", "val_loss"]].max(axis=None))
    losses, rates = (0.0, max(0.8, 1.08 * highest)), (0.0, 1.04)
    panels: tuple[tuple[str, dict[str, str], list[str], tuple[float, float], float, str], ...] = (
        ("Training loss, balanced batches", {"train": "train_loss"}, ["black"], losses, LN2, f"constant: {LN2:.3f}"),
        (
            f"Validation loss, {share:.0%} fakes", {"validation": "val_loss"}, ["black"], losses, free,
            f"constant: {free:.3f}",
        ),
        (
            "Validation AUC", {"by clip": "val_auc_clip", "by crop": "val_auc"}, ["black", plots.NEUTRAL],
            (0.4, 1.02), 0.5, "a coin: 0.5",
        ),
        (
            "Accuracy, and how often it says “fake”",
            {"balanced": "val_balanced_accuracy", "accuracy": "val_accuracy", "called fake": "predicted_fake_rate"},
            ["black", plots.NEUTRAL, plots.FAKE], rates, share, f"always “fake”: {share:.2f}",
        ),
    )  # fmt: skip
    for ax, (title, series, colours, limits, height, note) in zip(axes.flat, panels, strict=True):
        for column, colour, marker in zip(series.values(), colours, "osX", strict=False):
            ax.plot(x, history[column], marker=marker, markersize=4, color=colour)
        ax.set(xlabel="epoch", ylim=limits, xticks=x, xlim=(x.iloc[0] - 0.2, x.iloc[-1] + 0.35 * max(1, len(x) - 1)))
        baseline(ax, height, note, _clear(ax, height))
        name_ends(ax, float(x.iloc[-1]), {n: float(history[c].iloc[-1]) for n, c in series.items()}, colours, limits)
        ax.set_title(title, fontsize=10)
    return plots.finish(figure)


def name_ends(
    ax: Axes, x: float, ends: Mapping[str, float], colours: Sequence[str], limits: tuple[float, float]
) -> None:
    """Names at the right ends of lines, pushed apart where they would overlap.

    Args:
        ax: where to draw.
        x: where all lines end.
        ends: name to the line's last value; beyond the limits the name stands at the edge.
        colours: one a line.
        limits: of the y axis.
    """
    gap = (limits[1] - limits[0]) * 0.085
    low = limits[0] + gap / 2
    for (name, value), colour in sorted(zip(ends.items(), colours, strict=False), key=lambda item: item[0][1]):
        height = max(min(value, limits[1]), low)
        ax.annotate(
            f"{name}", (x, height), (8, 0), textcoords="offset points", va="center", color=colour, fontweight="bold",
            fontsize=9, annotation_clip=False, bbox=ON_WHITE,
        )  # fmt: skip
        low = height + gap
