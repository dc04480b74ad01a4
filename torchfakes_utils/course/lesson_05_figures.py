"""The figures of lesson 05: a face on its way through the network, losses by step, and the course of a run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MaxNLocator

from torchfakes_utils.course import plots
from torchfakes_utils.models.detector import Detector

LN2 = float(np.log(2))  # the loss of a coin's answer
# Blue and vermilion mean real and fake; what is compared here is something else (Okabe and Ito's green and purple).
KEPT, CUT = "#009E73", "#CC79A7"
# What section 5's figure says once it is finished; here, so that the notebook's code gives nothing away.
AT_THE_END = "The order of the faces comes before the verdicts"
ON_WHITE = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}  # a note that lines may cross


@dataclass(frozen=True)
class Stage:
    """What one stage of a network made of one crop.

    Attributes:
        name: of the stage.
        mean: (h, w), the mean over its channels.
        channels: how many it has.
    """

    name: str
    mean: np.ndarray
    channels: int


def seen_by(detector: Detector, crop: torch.Tensor, stages: Sequence[str]) -> tuple[list[Stage], float]:
    """What some stages make of a crop on its way through InceptionResnetV1, and P(fake) at the end.

    Args:
        detector: with these stages in its backbone.
        crop: (3, H, W) uint8 RGB.
        stages: their names.
    """
    seen: list[Stage] = []

    def keep(name: str, output: torch.Tensor) -> None:
        seen.append(Stage(name, output[0].mean(0).numpy(), output.shape[1]))

    hooks = [
        getattr(detector.backbone, name).register_forward_hook(lambda _, __, output, name=name: keep(name, output))
        for name in stages
    ]
    probability = float(detector.probability(crop[None])[0])
    for hook in hooks:
        hook.remove()
    return seen, probability


def journey(face: np.ndarray, stages: Sequence[Stage], probability: float) -> Figure:
    """A face, what some stages of the network make of it, and the one number that comes out.

    Args:
        face: (H, W, 3) uint8 RGB.
        stages: from the input to the output.
        probability: P(fake) in the end.
    """
    count = len(stages) + 1
    figure, axes = plt.subplots(1, count + 1, figsize=(1.7 * count + 0.75, 2.35), width_ratios=[1] * count + [0.42])
    axes[0].imshow(face)
    axes[0].set_title(f"the crop\n{face.shape[0]} × {face.shape[1]} × 3", fontsize=10, fontweight="normal")
    for ax, stage in zip(axes[1:], stages, strict=False):
        ax.imshow(stage.mean, cmap="gray")
        size = " × ".join(map(str, stage.mean.shape))
        ax.set_title(f"{stage.name}\n{size} × {stage.channels}", fontsize=10, fontweight="normal")
        ax.set_box_aspect(1)
    axes[-1].text(0.5, 0.5, f"{probability:.2f}", ha="center", va="center", fontsize=18, fontweight="bold")
    axes[-1].set_title("P(fake)", fontsize=10, fontweight="normal", loc="center")
    for ax in axes:
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set(color=plots.NEUTRAL, linewidth=0.8)  # or a white cell at the edge looks cut off
    axes[-1].spines[:].set_visible(False)
    figure.suptitle("The picture shrinks, the channels multiply", x=0.01, ha="left", fontsize=11, fontweight="bold")
    return plots.finish(figure)


def loss_curves(
    runs: Mapping[str, Sequence[float]], title: str, colours: Sequence[str], top: float = 0.85, width: float = 7.0
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


def by_heart_figure(runs: Mapping[str, Sequence[float]]) -> Figure:
    """Two networks that learn one batch by heart, one of them with shuffled labels.

    Args:
        runs: name to the loss of each step; two, of one length.
    """
    both = all(losses[-1] < 0.1 for losses in runs.values())
    title = "It learns the truth and a lie equally well" if both else "Not everything was learned by heart"
    return loss_curves(runs, title, [KEPT, CUT])


def learning_curve(
    losses: Sequence[float], rows: Sequence[Mapping[str, float]], epochs: int, title: str = "A run under way"
) -> Figure:
    """A training run as far as it has come: its own loss, and what it says of people who are not in training.

    Args:
        losses: mean training loss of each finished epoch.
        rows: what `Trainer.validate` gave after each.
        epochs: how many there will be; lesson 05 calls them looks.
        title: the figure's one message.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.0, 2.9), width_ratios=[1, 1.3])
    x = np.arange(1, len(losses) + 1)
    left.plot(x, losses, "o-", color="black", markersize=4)
    baseline(left, LN2, "ln 2: knows nothing")
    left.set(ylim=(0, 1.2), ylabel="training loss")
    left.set_title("On what it practises", fontsize=10, fontweight="normal")
    series = {"AUC": "val_auc", "called fake": "predicted_fake_rate"}
    for column, colour, marker in zip(series.values(), ("black", plots.FAKE), ("o-", "X--"), strict=True):
        right.plot(x, [row[column] for row in rows], marker, color=colour, markersize=5)
    limits = (-0.04, 1.06)
    if rows:
        ends = {name: float(rows[-1][column]) for name, column in series.items()}
        name_ends(right, x[-1], ends, ("black", plots.FAKE), limits)
    baseline(right, 0.5, "AUC of a coin", 0.68)
    right.set(ylim=limits, ylabel="AUC, or share of clips")
    right.set_title("On people who are not in training", fontsize=10, fontweight="normal")
    for ax in (left, right):
        ax.set(xlim=(0.5, epochs + (0.45 * epochs if ax is right else 0.5)), xlabel="look")
        ax.set_xticks(range(1, epochs + 1))
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return plots.finish(figure)


def baseline(ax: Axes, height: float, note: str, x: float = 0.35) -> None:
    """A dotted line at what costs nothing, named on it."""
    ax.axhline(height, color=plots.NEUTRAL, linestyle=":", linewidth=1.2)
    ax.annotate(
        note, (x, height), (0, 3), xycoords=("axes fraction", "data"), textcoords="offset points", fontsize=9,
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


def history_figure(history: pd.DataFrame, title: str = "", marked: int | None = None) -> Figure:
    """The course of a run, from its history.csv, each number beside what costs nothing.

    Training batches are balanced and validation is not, so the two losses have different free answers, ln 2 and
    `constant_loss` of the share of fakes. They are drawn on two axes, which go by factors: a bad epoch may cost ten
    times what a good one does.

    Args:
        history: a row an epoch.
        title: the figure's one message.
        marked: an epoch to look at.
    """
    figure, axes = plt.subplots(2, 2, figsize=(7.0, 5.4))
    x, share = history["epoch"], float(history["always_fake_accuracy"].iloc[-1])
    free, every = constant_loss(share), history[["train_loss", "val_loss"]]
    losses = (min(0.1, 0.8 * float(every.min(axis=None))), max(1.2, 1.3 * float(every.max(axis=None))))
    panels: tuple[tuple[str, dict[str, str], list[str], tuple[float, float], float, str], ...] = (
        ("Training loss, balanced", {"": "train_loss"}, ["black"], losses, LN2, f"constant: {LN2:.3f}"),
        (f"Validation loss, {share:.0%} fakes", {"": "val_loss"}, ["black"], losses, free, f"constant: {free:.3f}"),
        (
            "Validation AUC", {"by clip": "val_auc_clip", "by crop": "val_auc"}, ["black", plots.NEUTRAL],
            (0.4, 1.02), 0.5, "a coin: 0.5",
        ),
        (
            "Accuracy (dotted: always “fake”)",
            {"balanced": "val_balanced_accuracy", "accuracy": "val_accuracy", "called fake": "predicted_fake_rate"},
            ["black", plots.NEUTRAL, plots.FAKE], (0.0, 1.04), share, "",
        ),
    )  # fmt: skip
    for ax, (name, series, colours, limits, height, note) in zip(axes.flat, panels, strict=True):
        room = 0.62 if len(series) > 1 else 0.12
        for column, colour, marker in zip(series.values(), colours, "osX", strict=False):
            ax.plot(x, history[column], marker=marker, markersize=4, color=colour)
        ax.set(ylim=limits, xlim=(x.iloc[0] - 0.2, x.iloc[-1] + room * max(1, len(x) - 1)))
        ax.xaxis.set_major_locator(FixedLocator([each for each in x if len(x) < 8 or each % 2 == 0]))
        if ax in axes[0]:
            ax.set_yscale("log")
            ticks = [tick for tick in (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20) if limits[0] <= tick <= limits[1]]
            ax.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
            ax.minorticks_off()
        else:
            ax.set_xlabel("epoch")
            ends = {name: float(history[column].iloc[-1]) for name, column in series.items()}
            name_ends(ax, float(x.iloc[-1]), ends, colours, limits)
        baseline(ax, height, note, _clear(ax, height))
        if marked is not None:
            ax.axvspan(marked - 0.4, marked + 0.4, color=plots.NEUTRAL, alpha=0.2, linewidth=0, zorder=0)
        ax.set_title(name, fontsize=10)
    if title:
        figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return plots.finish(figure)


def verdicts_figure(before: Sequence[pd.DataFrame], after: Sequence[pd.DataFrame], look: int = 1) -> Figure:
    """What the same weights say of the same crops with the averages as they were, and with averages counted again.

    Args:
        before: for each look, the validation crops with `label` and `probability_fake`.
        after: the same, recounted.
        look: which of them, from 1.
    """
    figure, axes = plt.subplots(1, 2, figsize=(7.0, 2.5), sharey=True)
    names, shares = ("averages as they were", "averages counted again"), []
    for ax, name, scores in zip(axes, names, (before[look - 1], after[look - 1]), strict=True):
        for label, part in scores.groupby("label"):
            spread = np.random.default_rng(0).uniform(-0.28, 0.28, len(part))
            ax.plot(
                part["probability_fake"], 1 - label + spread, plots.MARKERS[label], color=plots.COLOURS[label],
                markersize=5, alpha=0.7, markeredgewidth=0,
            )  # fmt: skip
        shares.append(float((scores["probability_fake"] >= 0.5).mean()))
        ax.axvline(0.5, color="black", linestyle="--", linewidth=1.2)
        ax.set(xlim=(-0.03, 1.03), ylim=(-0.5, 1.5), xlabel="P(fake)", yticks=[0, 1], yticklabels=["fake", "real"])
        ax.set_title(f"{name}: {shares[-1]:.0%} called fake", fontsize=10, fontweight="normal")
    for tick, label in zip(axes[0].get_yticklabels(), (1, 0), strict=True):
        tick.set(color=plots.COLOURS[label], fontweight="bold")
    figure.suptitle(f"Look {look}: the same weights, the same faces", x=0.01, ha="left", fontsize=11, fontweight="bold")
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
