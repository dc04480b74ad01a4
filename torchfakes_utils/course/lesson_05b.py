"""What lesson 05b needs beside the package: shortcuts cut on purpose, gradients drawn, bytes on a card, exercises."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from torch import nn

from torchfakes_utils.course import plots
from torchfakes_utils.course.lesson_05_figures import CUT, KEPT, LN2, ON_WHITE, name_ends
from torchfakes_utils.course.practice import Exercise
from torchfakes_utils.models.detector import Detector

GIB = 2**30
STAGE_SIZE = 160  # px, at which the activations of one crop are counted
# Of InceptionResnetV1, from the last to the first: the way of the error.
STAGES = ("block8", "repeat_3", "mixed_7a", "repeat_2", "mixed_6a", "repeat_1", "conv2d_4b", "conv2d_1a")


# --- depth


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


def first_gradient_figure(depths: Sequence[int], gradients: Mapping[str, Sequence[float]]) -> Figure:
    """The gradient of the first layer against the number of layers, for three kinds of layers.

    Args:
        depths: how many layers.
        gradients: kind to a length for each depth, above 0; the kinds as in `depth_figure`.
    """
    figure, ax = plt.subplots(figsize=(7.0, 3.0))
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


def depth_figure(losses: Mapping[str, Mapping[int, Sequence[float]]], title: str) -> Figure:
    """Training losses at the end, by depth, a dot for each seed: which kind of layers still learns when there are many?

    Args:
        losses: kind to depth to the last loss of each seed; the same depths in all.
        title: the figure's one message.
    """
    depths = list(next(iter(losses.values())))
    figure, axes = plt.subplots(1, len(depths), figsize=(3.5 * len(depths), 2.6), sharey=True, sharex=True)
    for ax, depth in zip(axes, depths, strict=True):
        for y, (name, colour, marker) in enumerate(zip(losses, (CUT, plots.NEUTRAL, KEPT), "Xso", strict=False)):
            ends = losses[name][depth]
            apart = y + np.linspace(-0.14, 0.14, len(ends))  # or equal losses would hide each other
            ax.plot(ends, apart, marker, color=colour, markersize=7, alpha=0.8)
        ax.axvline(LN2, color=plots.NEUTRAL, linestyle=":", linewidth=1.2)
        ax.annotate(" ln 2", (LN2, -0.45), color=plots.NEUTRAL, fontsize=9)
        ax.set(xlim=(0, 0.85), ylim=(len(losses) - 0.5, -0.6),
               yticks=range(len(losses)), yticklabels=list(losses))  # fmt: skip
        ax.set_title(f"{depth} layers", fontsize=10)
    figure.supxlabel("training loss at the end, one mark per seed", fontsize=10)
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return plots.finish(figure)


def power_of_ten(value: float) -> str:
    """A number above 0 with one digit, such as 8·10⁻¹⁸."""
    digit, exponent = f"{value:.0e}".split("e")
    return f"{digit}·10{str(int(exponent)).translate(str.maketrans('-0123456789', '⁻⁰¹²³⁴⁵⁶⁷⁸⁹'))}"


def stages_figure(by_stage: Mapping[str, Mapping[str, float]]) -> Figure:
    """Gradients on their way back through the real network, with its shortcuts and without.

    Args:
        by_stage: "with shortcuts" and "without": stage to a length above 0, from the last stage to the first.
    """
    figure, ax = plt.subplots(figsize=(7.0, 3.2))
    for (name, norms), colour, style in zip(by_stage.items(), (KEPT, CUT), ("o-", "X--"), strict=True):
        ax.plot(list(norms.values()), style, color=colour)
        end = len(norms) - 1, list(norms.values())[-1]
        ax.annotate(f" {name}", end, (6, 0), textcoords="offset points", va="center", color=colour, fontweight="bold")
    stages = list(next(iter(by_stage.values())))
    ax.set(yscale="log", ylabel="gradient", xlim=(-0.3, len(stages) + 1.2), xlabel="from the last stage to the first")
    ax.set_xticks(range(len(stages)), stages, rotation=30, ha="right", rotation_mode="anchor")
    ax.set_title("Shortcuts keep the gradient of the real network in bounds")
    return plots.finish(figure)


def gradient_figure(steps: pd.DataFrame) -> Figure:
    """Do gradients reach the first stage? Its norm and the last one's over a run, those of all others as a band.

    Args:
        steps: with `step` and a column `grad_norm_<stage>` for each stage, from the input to the head.
    """
    stages = [name for name in steps if name.startswith("grad_norm_")]
    first, last = stages[0], stages[-1]
    figure, ax = plt.subplots(figsize=(7.0, 3.0))
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


# --- memory


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
    """Memory against batch size as stacked bars, with the card's limit; hatched is what lies above it.

    Args:
        batches: a bar each.
        per_crop: see `memory`.
        parameters: see `memory`.
        size: see `memory`.
        card: memory of the card, GiB.
    """
    found = [memory(batch, per_crop, parameters, size) for batch in batches]
    total = np.array([each.total for each in found])
    fixed = np.minimum([each.total - each.activations for each in found], card)
    figure, ax = plt.subplots(figsize=(7.0, 3.3))
    x, over = np.arange(len(batches)), total > card
    ax.bar(x, fixed, color="#B5B5B5", edgecolor="white")
    ax.bar(x, np.minimum(total, card) - fixed, bottom=fixed, color=KEPT, edgecolor="white")
    ax.bar(x[over], total[over] - card, bottom=card, color=CUT, edgecolor="white", hatch="xx")
    top = 2.1 * card
    for index, height in enumerate(total):
        text = f"{height:.1f}" if height < top else f"{height:.0f} ↑"
        ax.annotate(text, (index, min(height, top * 0.95)), (0, 2), textcoords="offset points", ha="center",
                    fontsize=9, fontweight="bold" if over[index] else "normal",
                    bbox=ON_WHITE)  # fmt: skip
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
    fits = largest_batch(card, parameters, per_crop * (size / STAGE_SIZE) ** 2)
    ax.set_title(f"{card:g} GiB hold a batch of about {fits:,} crops of {size} px (estimate)")
    return plots.finish(figure)


def largest_batch(card: float, parameters: int, per_crop: float) -> int:
    """The largest batch whose estimated memory is no more than the card has; 0 where the weights alone are too much.

    Args:
        card: its memory, GiB.
        parameters: of the network; each needs four numbers of 4 bytes, see `Memory`.
        per_crop: bytes of saved activations a crop.
    """
    return max(0, int((card * GIB - 16 * parameters) // per_crop))


# --- what learners write: one residual block, and how many crops a card holds


def residual(
    x: torch.Tensor, branches: Sequence[Callable[..., torch.Tensor]], mix: Callable[..., torch.Tensor], scale: float
) -> torch.Tensor:
    """What a block of InceptionResnetV1 makes of its input: relu(x + scale · mix(branches side by side)).

    Args:
        x: (B, C, H, W).
        branches: each takes x and gives (B, some channels, H, W).
        mix: takes all their channels and gives (B, C, H, W).
        scale: of what is added.
    """
    return torch.relu(x + scale * mix(torch.cat([branch(x) for branch in branches], dim=1)))


def _blocks(generator: np.random.Generator) -> Iterable[tuple[torch.Tensor, list[nn.Conv2d], nn.Conv2d, float]]:
    for widths, scale in (((2, 3), 0.17), ((3, 1, 2), 0.5), ((4, 4), 0.1)):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(generator.integers(2**31)))
            branches = [nn.Conv2d(6, width, 2 * n + 1, padding=n) for n, width in enumerate(widths)]
            yield torch.randn(3, 6, 5, 5), branches, nn.Conv2d(sum(widths), 6, 1), scale


def _inside(x: torch.Tensor, branches: Sequence[Any], mix: Any) -> torch.Tensor:
    inside: torch.Tensor = mix(torch.cat([branch(x) for branch in branches], dim=1))
    return inside


RESIDUAL = Exercise(
    "residual", "One residual block", minutes=6, difficulty=1,
    reference=residual, cases=_blocks,
    wrong={
        "There is no shortcut: the input itself is added to what the branches give.": lambda x, b, m, s: (
            torch.relu(s * _inside(x, b, m))
        ),
        "You scale the shortcut, too. Only what the branches give is made smaller.": lambda x, b, m, s: (
            torch.relu(s * (x + _inside(x, b, m)))
        ),
        "You cut off below zero before you add. The ReLU comes last, round the sum.": lambda x, b, m, s: (
            x + torch.relu(s * _inside(x, b, m))
        ),
        "The ReLU is missing.": lambda x, b, m, s: x + s * _inside(x, b, m),
        "torch.max(y, 0) looks for the largest values along the batch. Below zero, torch.relu cuts off.":
            lambda x, b, m, s: torch.max(x + s * _inside(x, b, m), 0),
        "`scale` is not used.": lambda x, b, m, s: torch.relu(x + _inside(x, b, m)),
        "The branches do not fit into `mix`. They stand side by side as channels: `torch.cat(…, dim=1)`.":
            lambda x, b, m, s: torch.relu(x + s * m(torch.cat([branch(x) for branch in b], dim=0))),
    },
    afterwards="The same as the network's own block.",
)  # fmt: skip


def _cards(generator: np.random.Generator) -> Iterable[tuple[float, int, int]]:
    yield 1, 0, 2**28  # that of the lesson: it fits exactly
    for card in (8, 4, 15):
        yield card, int(generator.integers(20, 100)) * 10**6, int(generator.integers(10, 60)) * 2**20 + 12345
    yield 1, 3 * 2**26, 2**24  # the weights alone are too much


LARGEST_BATCH = Exercise(
    "largest_batch", "How many crops fit?", minutes=6, difficulty=1,
    reference=largest_batch, cases=_cards,
    wrong={
        "You count activations alone. Each parameter takes room, too: 16 bytes.": lambda card, n, a: int(
            card * GIB // a
        ),
        "4 bytes per parameter are the weights alone. Add the gradient and AdamW's two means.": lambda card, n, a: max(
            0, int((card * GIB - 4 * n) // a)
        ),
        "12 bytes per parameter: AdamW keeps two running means, so there are four numbers.": lambda card, n, a: max(
            0, int((card * GIB - 12 * n) // a)
        ),
        "A GiB is 2**30 bytes, not 10**9.": lambda card, n, a: max(0, int((card * 10**9 - 16 * n) // a)),
        "A crop that fits in part does not fit: round down.": lambda card, n, a: max(
            0, -int(-(card * GIB - 16 * n) // a)
        ),
        "What fits exactly, fits.": lambda card, n, a: max(0, -int(-(card * GIB - 16 * n) // a) - 1),
        "You find room for no crop at all. Turn GiB into bytes, card * 2**30; in Python, `^` is no power.":
            lambda card, n, a: 0,
        "Your room is below 0. Turn GiB into bytes, card * 2**30; in Python, `^` is no power.":
            lambda card, n, a: int((card - 16 * n) // a),
        "No batch is smaller than 0.": lambda card, n, a: int((card * GIB - 16 * n) // a),
    },
    afterwards="An estimate: a real card keeps some of its memory for itself.",
)  # fmt: skip
