"""What lesson 05 needs beside the package: shortcuts cut on purpose, bytes on a graphics card, its larger figures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from torchfakes_utils.course import plots
from torchfakes_utils.models.detector import Detector

LN2 = float(np.log(2))  # the loss of a coin's answer
GIB = 2**30
# Blue and vermilion mean real and fake; what is compared here is something else (Okabe and Ito's green and purple).
KEPT, CUT = "#009E73", "#CC79A7"
STAGE_SIZE = 160  # px, at which the activations of one crop are counted


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


def cut_shortcuts(detector: Detector) -> int:
    """Take the `x +` out of every residual block of a detector, for good; returns how many blocks there were.

    The blocks of facenet-pytorch compute relu(x + scale · f(x)), where f joins the branches and mixes them by a 1 × 1
    convolution. What is left here is relu(scale · f(x)), with the same weights.
    """
    from facenet_pytorch.models.inception_resnet_v1 import Block8, Block17, Block35

    blocks = [module for module in detector.modules() if isinstance(module, (Block8, Block17, Block35))]
    for block in blocks:
        block.forward = partial(_without_shortcut, block)
    return len(blocks)


def _without_shortcut(block: Any, x: torch.Tensor) -> torch.Tensor:
    """What a residual block computes without the `x +`, (B, C, H, W) of what its branches give."""
    branches = [getattr(block, name) for name in ("branch0", "branch1", "branch2") if hasattr(block, name)]
    inside: torch.Tensor = block.scale * block.conv2d(torch.cat([branch(x) for branch in branches], 1))
    return inside if getattr(block, "noReLU", False) else inside.relu()


def parameter_bars(names: Sequence[str], shapes: Sequence[tuple[int, ...]], parameters: Sequence[int]) -> Figure:
    """Parameters of each stage, with the shape of what it puts out."""
    figure, ax = plt.subplots(figsize=(7.4, 0.3 * len(names) + 0.9))
    ax.barh(range(len(names)), parameters, color=plots.NEUTRAL, height=0.7)
    for y, (value, shape) in enumerate(zip(parameters, shapes, strict=True)):
        where = f"{shape[1]} × {shape[2]} px × {shape[0]}" if len(shape) == 3 else f"{shape[0]}"
        ax.annotate(f"{value:,} → {where}", (value, y), (4, 0), textcoords="offset points", va="center", fontsize=9)
    ax.set(
        yticks=range(len(names)), yticklabels=names, ylim=(len(names) - 0.4, -0.6), xlim=(0, max(parameters) * 1.45),
        xlabel="parameters → shape of what comes out",
    )  # fmt: skip
    ax.xaxis.set_major_formatter(lambda value, _: f"{value / 1e6:.0f} M")
    ax.set_title("Most of the parameters work where the picture is smallest")
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


def learning_curve(
    losses: Sequence[float], rows: Sequence[Mapping[str, float]], epochs: int, rates: Sequence[float]
) -> Figure:
    """A training run as far as it has come: the loss, what validation says, and the learning rate.

    Args:
        losses: mean training loss of each finished epoch.
        rows: what `Trainer.validate` gave after each.
        epochs: how many there will be.
        rates: the learning rate in each epoch, of all epochs to come.
    """
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(9.8, 2.8), width_ratios=[1, 1.15, 0.8])
    x = np.arange(1, len(losses) + 1)
    left.plot(x, losses, "o-", color="black", markersize=4)
    left.axhline(LN2, color=plots.NEUTRAL, linestyle=":", linewidth=1.2)
    left.annotate(" ln 2", (1, LN2), xycoords=("axes fraction", "data"), va="center", color=plots.NEUTRAL, fontsize=9)
    left.set(ylim=(0, 1.4))
    left.set_title("Loss on what it practises", fontsize=10)
    series = {"AUC": "val_auc", "called fake": "predicted_fake_rate"}
    for column, colour, marker in zip(series.values(), ("black", plots.FAKE), ("o-", "X--"), strict=True):
        middle.plot(x, [row[column] for row in rows], marker, color=colour, markersize=5)
    limits = (-0.04, 1.06)
    if rows:
        ends = {name: float(rows[-1][column]) for name, column in series.items()}
        name_ends(middle, x[-1], ends, ("black", plots.FAKE), limits)
    middle.axhline(0.5, color=plots.NEUTRAL, linestyle=":", linewidth=1.2)
    middle.set(ylim=limits)
    middle.set_title("On people it has never seen", fontsize=10)
    right.plot(np.arange(1, epochs + 1), rates, color=plots.NEUTRAL, linewidth=1)
    right.plot(x, rates[: len(x)], "o-", color="black", markersize=4)
    right.set(yticks=[])
    right.set_title("Learning rate", fontsize=10)
    for ax in (left, middle, right):
        ax.set(xlim=(0.5, epochs + (0.45 * epochs if ax is middle else 0.5)), xlabel="epoch")
        ax.set_xticks(range(1, epochs + 1))
    return plots.finish(figure)


def history_figure(history: pd.DataFrame) -> Figure:
    """The course of a run, from its history.csv: losses; AUC by frame and clip; accuracy beside what costs nothing."""
    figure, axes = plt.subplots(1, 3, figsize=(10.4, 3.3))
    x = history["epoch"]
    panels = (
        ("Loss", {"train": "train_loss", "validation": "val_loss"}, ["black", plots.NEUTRAL], (0, 0.8)),
        ("Validation AUC", {"by clip": "val_auc_clip", "by frame": "val_auc"}, ["black", plots.NEUTRAL], (0.45, 1.01)),
        (
            "Accuracy, and how often it says “fake”",
            {"balanced": "val_balanced_accuracy", "accuracy": "val_accuracy", "called fake": "predicted_fake_rate"},
            ["black", plots.NEUTRAL, plots.FAKE],
            (0.45, 1.01),
        ),
    )
    for ax, (title, series, colours, limits) in zip(axes, panels, strict=True):
        for column, colour, marker in zip(series.values(), colours, "osX", strict=False):
            ax.plot(x, history[column], marker=marker, markersize=4, color=colour)
        name_ends(ax, float(x.iloc[-1]), {n: float(history[c].iloc[-1]) for n, c in series.items()}, colours, limits)
        ax.set(xlabel="epoch", ylim=limits, xticks=x)
        ax.set_title(title, fontsize=10)
    heights = (LN2, 0.5, float(history["always_fake_accuracy"].iloc[-1]))
    notes = ("dotted: ln 2, a coin", "dotted: a coin", "dotted: the accuracy\nof always “fake”")
    for ax, height, note, low in zip(axes, heights, notes, (0.04, 0.1, 0.04), strict=True):
        ax.axhline(height, color=plots.NEUTRAL, linestyle=":", linewidth=1.2)
        ax.annotate(note, (0.97, low), xycoords="axes fraction", ha="right", color=plots.NEUTRAL, fontsize=8)
    return plots.finish(figure)


def gradient_figure(steps: pd.DataFrame) -> Figure:
    """The gradient norm of each stage over a run, from its steps.csv: does the first stage hear anything?

    Args:
        steps: with `step` and a column `grad_norm_<stage>` for each stage, from the input to the head.
    """
    stages = [name for name in steps if name.startswith("grad_norm_")]
    figure, ax = plt.subplots(figsize=(8.2, 3.4))
    # From dark to light with depth; a stage's name stands at the end of its line.
    shades = [to_hex(shade) for shade in plt.colormaps["viridis"](np.linspace(0, 0.85, len(stages)))]
    for stage, shade in zip(stages, shades, strict=True):
        ax.plot(steps["step"], np.log10(steps[stage]), color=shade, linewidth=1.4, marker=".", markersize=4)
    low, high = np.log10(steps[stages].to_numpy()).min(), np.log10(steps[stages].to_numpy()).max()
    limits = (low - 0.15, high + 0.15)
    ends = {stage.removeprefix("grad_norm_"): float(np.log10(steps[stage].iloc[-1])) for stage in stages}
    name_ends(ax, float(steps["step"].iloc[-1]), ends, shades, limits)
    ticks = np.arange(np.floor(limits[0]), np.ceil(limits[1]) + 1)
    ax.set(
        xlabel="step", ylabel="gradient norm", ylim=limits, xlim=(0, steps["step"].iloc[-1] * 1.18),
        yticks=ticks, yticklabels=[f"$10^{{{tick:.0f}}}$" for tick in ticks],
    )  # fmt: skip
    ax.set_ylim(limits)
    ax.set_title("How loud the error is in each stage (dark: the first)")
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
            fontsize=9, annotation_clip=False, bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
        )  # fmt: skip
        low = height + gap


@dataclass(frozen=True)
class Memory:
    """What training keeps on the card, in GiB; see `memory`.

    Attributes:
        weights: the parameters.
        gradients: one a parameter.
        optimiser: AdamW's two running means of every gradient.
        activations: what the forward pass keeps for the backward pass.
    """

    weights: float
    gradients: float
    optimiser: float
    activations: float

    @property
    def total(self) -> float:
        """Their sum."""
        return self.weights + self.gradients + self.optimiser + self.activations


def memory(batch: int, per_crop: float, parameters: int, size: int = STAGE_SIZE) -> Memory:
    """An estimate of the memory of one training step in float32.

    Args:
        batch: crops in a step.
        per_crop: bytes of saved activations a crop at `STAGE_SIZE` px.
        parameters: of the network.
        size: edge of the network's input, px; activations grow with its square.
    """
    once = 4 * parameters / GIB
    return Memory(once, once, 2 * once, batch * per_crop * (size / STAGE_SIZE) ** 2 / GIB)


def memory_bars(
    batches: Sequence[int], per_crop: float, parameters: int, size: int = STAGE_SIZE, card: float = 8.0
) -> Figure:
    """Memory against batch size as stacked bars, with the card's limit; hatched is what does not fit.

    Args:
        batches: a bar each.
        per_crop: see `memory`.
        parameters: see `memory`.
        size: see `memory`.
        card: memory of the card, GiB.
    """
    found = [memory(batch, per_crop, parameters, size) for batch in batches]
    active = np.array([each.activations for each in found])
    total = np.array([each.total for each in found])
    figure, ax = plt.subplots(figsize=(8.2, 3.5))
    x, over = np.arange(len(batches)), total > card
    ax.bar(x, total - active, color="#B5B5B5", edgecolor="white")
    ax.bar(
        x, active, bottom=total - active, color=np.where(over, CUT, KEPT), edgecolor="white",
        hatch=["xx" if each else "" for each in over],
    )  # fmt: skip
    top = 2.1 * card
    for index, height in enumerate(total):
        text = f"{height:.1f}" if height < top else f"{height:.0f} ↑"
        ax.annotate(text, (index, min(height, top * 0.95)), (0, 2), textcoords="offset points", ha="center",
                    fontsize=9, fontweight="bold" if over[index] else "normal",
                    bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5})  # fmt: skip
    ax.axhline(card, color="black", linestyle="--", linewidth=1.2)
    ax.annotate(f"the card: {card:g} GiB", (-0.45, card), (0, 3), textcoords="offset points", fontweight="bold")
    note = "grey: weights, gradients, AdamW\ncolour: activations; hatched: too much"
    ax.annotate(note, (-0.45, top * 0.97), va="top", color=plots.NEUTRAL, fontsize=9)
    ax.set(
        xticks=x, xticklabels=[f"{batch:,}" for batch in batches], xlabel="crops in a batch",
        ylabel="GiB, estimated", ylim=(0, top),
    )  # fmt: skip
    fits = largest_batch(per_crop, parameters, size, card)
    ax.set_title(f"Of crops of {size} px, {card:g} GiB take about {fits:,} a batch (estimated)")
    return plots.finish(figure)


def largest_batch(per_crop: float, parameters: int, size: int = STAGE_SIZE, card: float = 8.0) -> int:
    """The largest batch whose estimated memory is no more than `card` GiB."""
    fixed = memory(0, per_crop, parameters, size).total
    one = memory(1, per_crop, parameters, size).activations
    return max(0, int((card - fixed) / one))
