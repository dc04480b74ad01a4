"""What lesson 05 needs beside the package: shortcuts cut on purpose, bytes on a graphics card, and its larger figures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from torchfakes_utils.course import plots
from torchfakes_utils.detector import Detector

LN2 = float(np.log(2))  # the loss of a coin's answer
GIB = 2**30
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
        branches = [getattr(block, name) for name in ("branch0", "branch1", "branch2") if hasattr(block, name)]
        last = torch.nn.Identity() if getattr(block, "noReLU", False) else torch.nn.ReLU()

        def forward(x: torch.Tensor, block=block, branches=branches, last=last) -> torch.Tensor:
            return last(block.scale * block.conv2d(torch.cat([branch(x) for branch in branches], 1)))

        block.forward = forward
    return len(blocks)


def parameter_bars(names: Sequence[str], shapes: Sequence[tuple[int, ...]], parameters: Sequence[int]) -> Figure:
    """Millions of parameters a stage, with the shape of what it puts out."""
    millions = np.asarray(parameters) / 1e6
    figure, ax = plt.subplots(figsize=(7.2, 0.3 * len(names) + 0.9))
    ax.barh(range(len(names)), millions, color=plots.NEUTRAL, height=0.7)
    for y, (value, shape) in enumerate(zip(millions, shapes, strict=True)):
        size = f"{shape[1]} × {shape[2]} px, " if len(shape) == 3 else ""
        plural = "channels" if len(shape) == 3 else "numbers" if shape[0] > 1 else "number"
        ax.annotate(f"{value:.2f} M → {size}{shape[0]} {plural}", (value, y), (4, 0), textcoords="offset points",
                    va="center", fontsize=9)  # fmt: skip
    ax.set(
        yticks=range(len(names)), yticklabels=names, ylim=(len(names) - 0.4, -0.6), xlim=(0, millions.max() * 1.5),
        xlabel="parameters, millions",
    )  # fmt: skip
    ax.set_title("Most of the parameters work where the picture is smallest")
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
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(9.6, 2.7), width_ratios=[1.2, 1.2, 0.8])
    x = np.arange(1, len(losses) + 1)
    left.plot(x, losses, "o-", color=plots.NEUTRAL, markersize=4)
    left.axhline(LN2, color=plots.NEUTRAL, linestyle=":", linewidth=1.2)
    left.annotate("ln 2: a coin", (epochs, LN2), (0, 4), textcoords="offset points", ha="right", color=plots.NEUTRAL)
    left.set(ylim=(0, 1.2), ylabel="training loss")
    left.set_title("The loss on what it practises")
    fake_rate = [row["predicted_fake_rate"] for row in rows]
    middle.plot(x, [row["val_auc"] for row in rows], "o-", color="black", markersize=4)
    middle.plot(x, fake_rate, "X--", color=plots.FAKE, markersize=5)
    for name, values, colour in (("AUC", [row["val_auc"] for row in rows], "black"), ("called fake", fake_rate, plots.FAKE)):
        if values:
            middle.annotate(f" {name}", (x[-1], values[-1]), va="center", color=colour, fontweight="bold", fontsize=9)
    middle.axhline(0.5, color=plots.NEUTRAL, linestyle=":", linewidth=1.2)
    middle.set(ylim=(-0.03, 1.05))
    middle.set_title("People it has never seen")
    right.plot(np.arange(1, epochs + 1), rates, color=plots.NEUTRAL, linewidth=1)
    right.plot(x, rates[: len(x)], color="black", linewidth=2.5)
    right.set(yticks=[])
    right.set_title("Learning rate")
    for ax in (left, middle, right):
        ax.set(xlim=(0.5, epochs + (1.8 if ax is middle else 0.5)), xlabel="epoch")
        ax.xaxis.set_major_locator(plt.MaxNLocator(integer=True))
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
        for (name, column), colour, marker in zip(series.items(), colours, "osX", strict=False):
            ax.plot(x, history[column], marker=marker, markersize=4, color=colour)
        _name_ends(ax, float(x.iloc[-1]), {n: float(history[c].iloc[-1]) for n, c in series.items()}, colours, limits)
        ax.set(xlabel="epoch", ylim=limits, xticks=x)
        ax.set_title(title, fontsize=10)
    for ax, height, text in (
        (axes[0], LN2, "ln 2: a coin"),
        (axes[1], 0.5, "a coin"),
        (axes[2], history["always_fake_accuracy"].iloc[-1], "accuracy of always “fake”"),
    ):
        ax.axhline(height, color=plots.NEUTRAL, linestyle=":", linewidth=1.2)
        ax.annotate(text, (float(x.iloc[-1]), height), (0, 3), textcoords="offset points", ha="right",
                    color=plots.NEUTRAL, fontsize=8)  # fmt: skip
    return plots.finish(figure)


def _name_ends(ax: plt.Axes, x: float, ends: Mapping[str, float], colours: Sequence[str], limits: tuple) -> None:
    """Names at the right ends of lines, pushed apart where they would overlap."""
    gap = (limits[1] - limits[0]) * 0.085
    heights: list[float] = []
    order = sorted(zip(ends.items(), colours, strict=False), key=lambda item: item[0][1])
    for (name, value), colour in order:
        heights.append(max(value, heights[-1] + gap) if heights else value)
        ax.annotate(f"  {name}", (x, heights[-1]), va="center", color=colour, fontweight="bold", fontsize=9,
                    annotation_clip=False)  # fmt: skip


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


def memory_bars(batches: Sequence[int], per_crop: float, parameters: int, size: int = STAGE_SIZE,
                card: float = 8.0, title: str = "") -> Figure:  # fmt: skip
    """Memory against batch size as stacked bars, with the card's limit.

    Args:
        batches: a bar each.
        per_crop: see `memory`.
        parameters: see `memory`.
        size: see `memory`.
        card: memory of the card, GiB.
        title: the figure's one message; says what fits by default.
    """
    found = [memory(batch, per_crop, parameters, size) for batch in batches]
    fixed = np.array([each.total - each.activations for each in found])
    active = np.array([each.activations for each in found])
    figure, ax = plt.subplots(figsize=(8.0, 3.4))
    x, too_much = np.arange(len(batches)), fixed + active > card
    ax.bar(x, fixed, color="#BBBBBB", edgecolor="white")
    colours = np.where(too_much, plots.FAKE, plots.REAL)
    ax.bar(x, active, bottom=fixed, color=colours, edgecolor="white",
           hatch=["xx" if over else "" for over in too_much])  # fmt: skip
    for index, height in enumerate(fixed + active):
        ax.annotate(f"{height:.1f}", (index, height), (0, 2), textcoords="offset points", ha="center", fontsize=9)
    ax.axhline(card, color="black", linestyle="--", linewidth=1.2)
    ax.annotate(f"the card: {card:g} GiB", (-0.45, card), (0, 3), textcoords="offset points", fontweight="bold")
    top = max(card * 1.25, (fixed + active).max() * 1.12)
    ax.set(xticks=x, xticklabels=[f"{batch:,}" for batch in batches], xlabel="crops in a batch",
           ylabel="GiB, estimated", ylim=(0, top))  # fmt: skip
    last = len(batches) - 1
    ax.annotate("activations", (last + 0.45, fixed[-1] + active[-1] / 2), (3, 0), textcoords="offset points",
                va="center", color=colours[-1], fontweight="bold", annotation_clip=False)  # fmt: skip
    ax.annotate("weights, gradients,\nAdamW", (last + 0.45, fixed[-1] / 2), (3, 0), textcoords="offset points",
                va="center", color=plots.NEUTRAL, fontsize=8, annotation_clip=False)  # fmt: skip
    ax.set_title(title or f"Crops of {size} px: a card of {card:g} GiB takes about "
                          f"{largest_batch(per_crop, parameters, size, card):,} a batch")  # fmt: skip
    return plots.finish(figure)


def largest_batch(per_crop: float, parameters: int, size: int = STAGE_SIZE, card: float = 8.0) -> int:
    """The largest batch whose estimated memory is no more than `card` GiB."""
    fixed = memory(0, per_crop, parameters, size).total
    one = memory(1, per_crop, parameters, size).activations
    return max(0, int((card - fixed) / one))
