"""What lesson 05 needs beside the package: starts compared, shortcuts cut on purpose, bytes on a card, its figures."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from torchfakes_utils.course import plots
from torchfakes_utils.course.starts import ALL, HEAD, NORMS, RANDOM, TRAINING, train_start
from torchfakes_utils.metrics import paired
from torchfakes_utils.metrics.bootstrap import percentiles
from torchfakes_utils.metrics.config import REPLICATES
from torchfakes_utils.metrics.intervals import compare_runs, over_runs
from torchfakes_utils.models.detector import Detector, DetectorConfig
from torchfakes_utils.models.preprocessing import Preprocessing
from torchfakes_utils.models.pretrained import build_detector
from torchfakes_utils.training.config import TrainingConfig

LN2 = float(np.log(2))  # the loss of a coin's answer
GIB = 2**30
# Blue and vermilion mean real and fake; what is compared here is something else (Okabe and Ito's green and purple).
KEPT, CUT = "#009E73", "#CC79A7"
_ON_WHITE = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}  # a note that lines may cross
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
    _baseline(left, LN2, "ln 2: knows nothing")
    left.set(ylim=(0, 1.2), ylabel="training loss")
    left.set_title("Loss on what it practises", fontsize=10)
    series = {"AUC": "val_auc", "called fake": "predicted_fake_rate"}
    for column, colour, marker in zip(series.values(), ("black", plots.FAKE), ("o-", "X--"), strict=True):
        right.plot(x, [row[column] for row in rows], marker, color=colour, markersize=5)
    limits = (-0.04, 1.06)
    if rows:
        ends = {name: float(rows[-1][column]) for name, column in series.items()}
        name_ends(right, x[-1], ends, ("black", plots.FAKE), limits)
    _baseline(right, 0.5, "AUC of a coin")
    right.set(ylim=limits, ylabel="AUC, or share of clips")
    right.set_title("On people who are not in training", fontsize=10)
    for ax in (left, right):
        ax.set(xlim=(0.5, epochs + (0.45 * epochs if ax is right else 0.5)), xlabel="epoch")
        ax.set_xticks(range(1, epochs + 1))
    return plots.finish(figure)


def _baseline(ax: Axes, height: float, note: str, x: float = 0.35) -> None:
    """A dotted line at what costs nothing, named on it."""
    ax.axhline(height, color=plots.NEUTRAL, linestyle=":", linewidth=1.2)
    ax.annotate(
        note, (x, height), (0, 3), xycoords=("axes fraction", "data"), textcoords="offset points", fontsize=8,
        color=plots.NEUTRAL, bbox=_ON_WHITE,
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
        _baseline(ax, height, note, _clear(ax, height))
        name_ends(ax, float(x.iloc[-1]), {n: float(history[c].iloc[-1]) for n, c in series.items()}, colours, limits)
        ax.set_title(title, fontsize=10)
    return plots.finish(figure)


def gradient_figure(steps: pd.DataFrame) -> Figure:
    """Do gradients reach the first stage? Its norm and the last one's over a run, those of all others as a band.

    Args:
        steps: with `step` and a column `grad_norm_<stage>` for each stage, from the input to the head.
    """
    stages = [name for name in steps if name.startswith("grad_norm_")]
    first, last = stages[0], stages[-1]
    figure, ax = plt.subplots(figsize=(7.4, 3.2))
    ax.fill_between(
        steps["step"], steps[stages].min(axis=1), steps[stages].max(axis=1), color=plots.NEUTRAL, alpha=0.2,
        linewidth=0,
    )  # fmt: skip
    ends = (first, "black", "o-", "first"), (last, CUT, "s--", "last")
    for column, colour, style, place in ends:
        ax.plot(steps["step"], steps[column], style, color=colour, markersize=4)
        name = f" {column.removeprefix('grad_norm_')} ({place} stage)"
        ax.annotate(
            name, (steps["step"].iloc[-1], steps[column].iloc[-1]), va="center", color=colour, fontweight="bold"
        )
    ax.annotate("grey: from the smallest to the largest of all stages", (0.02, 0.03), xycoords="axes fraction",
                color=plots.NEUTRAL, fontsize=9)  # fmt: skip
    ax.set(yscale="log", xlabel="step", ylabel="gradient norm", xlim=(0, steps["step"].iloc[-1] * 1.32))
    ax.set_title("No stage is left without a gradient")
    return plots.finish(figure)


# --- what a start is worth


def mean_auc(runs: Sequence[pd.DataFrame], replicates: int = REPLICATES) -> tuple[float, float, float, list[float]]:
    """AUC over crops, mean of several runs, and how far it depends on who was filmed: `over_runs`, for crops.

    People are drawn, the same for all runs. The runs are not: three say too little about other seeds. They are there to
    be seen.

    Args:
        runs: the same crops in each, with `CLIP_KEY`, `frame`, `label`, `probability_fake`, and `PERSON_COLUMNS` where
            people are known.
        replicates: data sets to draw.

    Returns:
        Mean, low, high (95 %; NaN where a class has fewer than two groups of people), and the AUC of each run.
    """
    found = over_runs(runs, [0.5] * len(runs), replicates)["auc"]
    return found["mean"], *_ends(found), found["values"]


def mean_gain(
    runs: Sequence[pd.DataFrame], others: Sequence[pd.DataFrame], replicates: int = REPLICATES
) -> tuple[float, float, float]:
    """How much larger the AUC over crops of some runs is than that of others: mean, low, high, as from `mean_auc`.

    Both are measured on the same drawn people, so that what is hard in a film counts in neither.

    Args:
        runs, others: as `mean_auc` takes them. With as many of either, the mean of the differences seed by seed.
        replicates: data sets to draw.
    """
    found = compare_runs(runs, others, ([0.5] * len(runs), [0.5] * len(others)), replicates)["auc"]
    return found["difference"], *_ends(found)


def _ends(found: Mapping[str, Any]) -> tuple[float, float]:
    low, high = found["interval"] or (np.nan, np.nan)
    return low, high


def summary(runs: pd.DataFrame) -> pd.DataFrame:
    """What each start reached with each number of training crops.

    Args:
        runs: `starts.START_COLUMNS`.

    Returns:
        Columns `start, crops, auc, low, high, seeds`, the last a list of AUCs; in the order of the runs.
    """
    rows = []
    for (start, crops), part in runs.groupby(["start", "crops"], sort=False):
        auc, low, high, seeds = mean_auc([run for _, run in part.groupby("seed")])
        rows.append({"start": start, "crops": crops, "auc": auc, "low": low, "high": high, "seeds": seeds})
    return pd.DataFrame(rows)


def starts_figure(table: pd.DataFrame) -> Figure:
    """What four ways to begin reach with all training crops: each seed, their mean, its interval.

    Args:
        table: from `summary`.
    """
    rows = table[table["crops"] == 0].set_index("start").loc[[RANDOM, HEAD, NORMS, ALL]]
    figure, ax = plt.subplots(figsize=(7.8, 2.9))
    for y, (start, row) in enumerate(rows.iterrows()):
        colour = CUT if start == RANDOM else KEPT
        ax.plot([row["low"], row["high"]], [y, y], color=colour, linewidth=4, alpha=0.35, solid_capstyle="butt")
        ax.plot(row["seeds"], [y] * len(row["seeds"]), "o", color=colour, markersize=5)
        ax.plot(row["auc"], y, "|", color="black", markersize=18, markeredgewidth=2)
        ax.annotate(f"{row['auc']:.2f}", (1.02, y), xycoords=("axes fraction", "data"), va="center", fontweight="bold")
    ax.annotate("mean", (1.02, -0.62), xycoords=("axes fraction", "data"), va="center", color=plots.NEUTRAL)
    ax.axvline(0.5, color=plots.NEUTRAL, linestyle=":", linewidth=1.2)
    ax.annotate("a coin", (0.5, -0.55), (3, 0), textcoords="offset points", va="center", color=plots.NEUTRAL)
    low = min(0.45, float(rows["low"].min()) - 0.02)
    ax.set(yticks=range(len(rows)), yticklabels=rows.index, ylim=(len(rows) - 0.5, -0.85), xlim=(low, 1.005),
           xlabel="validation AUC by crop (dots: seeds; band: 95 %, people drawn)")  # fmt: skip
    ax.set_title("Same steps, same pictures: the start decides")
    return plots.finish(figure)


def few_figure(table: pd.DataFrame, all_crops: int) -> Figure:
    """How many pictures suffice: AUC against the number of training crops, from random weights and from ImageNet's.

    Args:
        table: from `summary`.
        all_crops: how many training crops there are.
    """
    figure, ax = plt.subplots(figsize=(7.4, 3.3))
    ticks: list[int] = []
    for start, colour, marker, name in ((ALL, KEPT, "o-", "ImageNet"), (RANDOM, CUT, "X--", "random")):
        rows = table[table["start"] == start].assign(crops=lambda part: part["crops"].replace(0, all_crops))
        rows = rows.sort_values("crops")
        ax.fill_between(rows["crops"], rows["low"], rows["high"], color=colour, alpha=0.2, linewidth=0)
        ax.plot(rows["crops"], rows["auc"], marker, color=colour)
        end = (rows["crops"].iloc[-1], rows["auc"].iloc[-1])
        ax.annotate(name, end, (9, 0), textcoords="offset points", va="center", color=colour, fontweight="bold",
                    annotation_clip=False, bbox=_ON_WHITE)  # fmt: skip
        ticks = rows["crops"].tolist()
    _baseline(ax, 0.5, "a coin", 0.94)
    ax.set(xscale="log", xlim=(min(ticks) * 0.85, max(ticks) * 1.9), ylim=(min(0.4, ax.get_ylim()[0]), 1.02),
           xlabel="training crops (band: 95 %, people drawn)", ylabel="validation AUC by crop")  # fmt: skip
    ax.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    ax.minorticks_off()
    ax.set_title("How many pictures suffice?")
    return plots.finish(figure)


def vggface2_gain(faces: pd.DataFrame, steps: int, size: int = 96) -> pd.DataFrame | None:
    """InceptionResnetV1, the same short run from random weights and from VGGFace2's; None where these cannot be had.

    They are 107 MB, fetched once into torch's cache.

    Args:
        faces: the whole table, with the column `file`.
        steps: of either run.
        size: of the network's input, px.

    Returns:
        A row a start: `start`, `auc` (by crop) and `seeds`, as `summary`.
    """
    preprocessing = Preprocessing(size=size)
    detector, _ = build_detector(DetectorConfig(pretrained="vggface2", preprocessing=preprocessing))
    if detector.config.pretrained is None:
        return None
    rows = []
    for name, pretrained in (("random weights", None), ("VGGFace2", "vggface2")):
        own = {"architecture": "InceptionResnetV1", "pretrained": pretrained, "crops_per_epoch": 16 * steps}
        config = TrainingConfig(**TRAINING | own | {"image_size": size, "learning_rate": 1e-3})
        auc, low, high, _ = mean_auc([train_start(faces, preprocessing, config)])
        rows.append({"start": name, "auc": auc, "low": low, "high": high})
    return pd.DataFrame(rows)


# What these starts are called in the benchmark on real deepfakes.
_ON_DFDC = {"random weights": RANDOM, "classifier alone": HEAD, "norms alone": NORMS, "base": ALL}
_DFDC = Path(__file__).parents[2] / "docs" / "benchmarks" / "dfdc.json"


def on_real_deepfakes(path: Path = _DFDC) -> pd.DataFrame | None:
    """The same four starts on DFDC's crops, as docs/benchmarks measured them; None outside of a checkout that has them.

    Args:
        path: the benchmark's rows, a list of objects with `recipe` and `val`, the logits of the real crops and of their
            fakes, video by video.

    Returns:
        A row a start: `seeds` (how many), `AUC` (mean over them on validation), `low` and `high` (95 %, by video); and
        how far it lies `above random`, with `from` and `to`, on the same drawn videos.
    """
    if not path.is_file():
        return None
    rows = json.loads(path.read_text(encoding="utf-8"))
    runs = {start: [paired.comparisons(*row["val"]) for row in rows if row["recipe"] == recipe]
            for recipe, start in _ON_DFDC.items()}  # fmt: skip
    if not all(runs.values()):
        return None
    drawn = {start: paired.resampled(some, paired.auc, REPLICATES) for start, some in runs.items()}
    means = {start: float(np.mean([paired.whole(run, paired.auc) for run in some])) for start, some in runs.items()}
    table = pd.DataFrame({"seeds": {start: len(some) for start, some in runs.items()}, "AUC": means})
    table[["low", "high"]] = [percentiles(drawn[start]) for start in runs]
    table["above random"] = table["AUC"] - means[RANDOM]
    table[["from", "to"]] = [percentiles(drawn[start] - drawn[RANDOM]) for start in runs]
    return table


# --- depth


def first_gradient_figure(depths: Sequence[int], gradients: Mapping[str, Sequence[float]]) -> Figure:
    """The gradient of the first layer against the number of layers, for three kinds of layers.

    Args:
        depths: how many layers.
        gradients: kind to a length for each depth, above 0; the kinds as in `depth_figure`.
    """
    figure, ax = plt.subplots(figsize=(7.4, 3.2))
    exponents = {name: np.log10(values) for name, values in gradients.items()}
    for values, colour, marker in zip(
        exponents.values(), (CUT, plots.NEUTRAL, KEPT), ("X-", "s--", "o-"), strict=False
    ):
        ax.plot(depths, values, marker, color=colour, markersize=5)
    every = np.concatenate(list(exponents.values()))
    limits = (float(every.min()) - 1, float(every.max()) + 1)
    name_ends(ax, depths[-1], {name: float(v[-1]) for name, v in exponents.items()}, (CUT, plots.NEUTRAL, KEPT), limits)
    ticks = np.arange(np.ceil(limits[0] / 3) * 3, limits[1], 3)
    ax.set(xscale="log", xlim=(depths[0] * 0.9, depths[-1] * 4.5), ylim=limits, xlabel="layers",
           ylabel="gradient of the first layer", yticks=ticks,
           yticklabels=[f"$10^{{{tick:.0f}}}$" for tick in ticks])  # fmt: skip
    ax.set_xticks(depths, [str(depth) for depth in depths])
    ax.minorticks_off()
    ax.set_title("Plain layers swallow the gradient")
    return plots.finish(figure)


def depth_figure(losses: Mapping[str, Mapping[int, Sequence[float]]]) -> Figure:
    """Training losses at the end, by depth, a dot a seed: which kind of layers still learns when there are many?

    Args:
        losses: kind to depth to the last loss of each seed; the same depths in all.
    """
    depths = list(next(iter(losses.values())))
    figure, axes = plt.subplots(1, len(depths), figsize=(3.7 * len(depths), 2.3), sharey=True, sharex=True)
    for ax, depth in zip(axes, depths, strict=True):
        for y, (name, colour, marker) in enumerate(zip(losses, (CUT, plots.NEUTRAL, KEPT), "Xso", strict=False)):
            ends = losses[name][depth]
            apart = y + np.linspace(-0.14, 0.14, len(ends))  # or equal losses would hide each other
            ax.plot(ends, apart, marker, color=colour, markersize=7, alpha=0.8)
        ax.axvline(LN2, color=plots.NEUTRAL, linestyle=":", linewidth=1.2)
        ax.annotate(" ln 2", (LN2, -0.45), color=plots.NEUTRAL, fontsize=9)
        ax.set(xlim=(0, 0.85), ylim=(len(losses) - 0.5, -0.6), xlabel="training loss at the end, a mark a seed",
               yticks=range(len(losses)), yticklabels=list(losses))  # fmt: skip
        ax.set_title(f"{depth} layers", fontsize=10)
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
            fontsize=9, annotation_clip=False, bbox=_ON_WHITE,
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
                    bbox=_ON_WHITE)  # fmt: skip
    ax.axhline(card, color="black", linestyle="--", linewidth=1.2)
    ax.annotate(f"the card: {card:g} GiB", (-0.45, card), (0, 3), textcoords="offset points", fontweight="bold")
    keys = (
        ("weights, gradients, AdamW", "#B5B5B5", ""),
        ("activations", KEPT, ""),
        ("more than the card has", CUT, "xx"),
    )
    swatches = [Patch(facecolor=colour, edgecolor="white", hatch=hatch, label=name) for name, colour, hatch in keys]
    ax.legend(handles=swatches, loc="upper left", bbox_to_anchor=(0.0, 1.0), fontsize=9)
    ax.set(
        xticks=x, xticklabels=[f"{batch:,}" for batch in batches], xlabel="crops in a batch",
        ylabel="GiB, estimated", ylim=(0, top),
    )  # fmt: skip
    fits = largest_batch(per_crop, parameters, size, card)
    ax.set_title(f"{card:g} GiB hold a batch of about {fits:,} crops of {size} px (estimate)")
    return plots.finish(figure)


def largest_batch(per_crop: float, parameters: int, size: int = STAGE_SIZE, card: float = 8.0) -> int:
    """The largest batch whose estimated memory is no more than `card` GiB."""
    fixed = memory(0, per_crop, parameters, size).total
    one = memory(1, per_crop, parameters, size).activations
    return max(0, int((card - fixed) / one))
