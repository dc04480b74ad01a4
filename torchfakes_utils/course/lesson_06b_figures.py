"""The figures of lesson 06b: intervals, reliability in other worlds, two changes of films, who was trained on what."""

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from torchfakes_utils.course import plots
from torchfakes_utils.course.lesson_06_figures import WIDTH, share_text, titled
from torchfakes_utils.course.lesson_06b import in_another_world
from torchfakes_utils.evaluation.results import Bin, PerturbationCurve, Robustness
from torchfakes_utils.metrics.calibration import reliability

Ends = tuple[float, float]


def interval_bars(rows: Sequence[tuple[str, float | None, Ends | None]], unit: str, title: str) -> Figure:
    """Values with their intervals, one below the other, and how wide these are.

    Args:
        rows: name, value and interval; those without are left out.
        unit: what the axis measures.
        title: the figure's one message.
    """
    known = [(name, value, ends) for name, value, ends in rows if value is not None and ends is not None]
    figure, ax = plt.subplots(figsize=(WIDTH, 0.5 * len(known) + 1.1))
    ax.locator_params(axis="x", nbins=5)
    for y, (_, value, (low, high)) in enumerate(known):
        ax.hlines(y, low, high, color=plots.NEUTRAL, linewidth=8, alpha=0.5)
        ax.plot(value, y, "o", color="black", markersize=8, markeredgecolor="white", clip_on=False)
        ax.annotate(f"{value:.2f} ({low:.2f} to {high:.2f}), {high - low:.3f} wide", (1.02, y), va="center",
                    xycoords=("axes fraction", "data"), annotation_clip=False)  # fmt: skip
    lowest = min((low for _, _, (low, _) in known), default=0.5)
    ax.set(yticks=range(len(known)), yticklabels=[name for name, *_ in known], ylim=(len(known) - 0.5, -0.5),
           xlim=(lowest - 0.02, 1), xlabel=unit)  # fmt: skip
    return titled(figure, title)


def kept_word(labels: plots.Labels, scores: plots.Numbers, fakes: float, bins: int = 5) -> Figure:
    """What scores say beside what is so in a world with another share of fakes, as they are and moved there.

    Args:
        labels: 0 or 1, both present; weighted to that world.
        scores: P(fake), for a world of halves.
        fakes: share of fakes in that world, in (0, 1).
        bins: ranges of scores.
    """
    figure, ax = plt.subplots(figsize=(5.6, 4.4), layout="none")
    figure.subplots_adjust(0.13, 0.13, 0.97, 0.8)
    ax.plot([0, 1], [0, 1], ":", color=plots.NEUTRAL, linewidth=1)
    moved = in_another_world(np.clip(np.asarray(scores, float), 1e-9, 1 - 1e-9), fakes)
    ways = {
        "as the detector says it": (scores, "s--", plots.NEUTRAL, 1.08),
        "moved to this world": (moved, "o-", "black", 1.02),
    }
    for name, (values, style, colour, height) in ways.items():
        rows = msgspec.convert(reliability(labels, values, fakes, bins).rows(), list[Bin])
        ax.plot([row.predicted for row in rows], [row.fake for row in rows], style, color=colour, clip_on=False)
        # Above the axes: where nearly all or nearly none are fake, the curves run through any corner.
        ax.text(0, height, f"{'■ ┄' if style[0] == 's' else '● ─'} {name}", color=colour, fontweight="bold",
                transform=ax.transAxes)  # fmt: skip
    ax.text(1, 1.02, "dotted: keeps its word", ha="right", color=plots.NEUTRAL, transform=ax.transAxes)
    ax.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="P(fake) of crops, mean of a range", ylabel="share of them that is fake")
    high = float(in_another_world(0.9, fakes))
    return titled(figure, f"Where {share_text(fakes)} are fake, a score of 0.90 means {share_text(high)}")


def two_changes(found: Robustness, chosen: Sequence[str], title: str) -> Figure:
    """AUC with its interval by strength, and the share of crops that still get an answer, for some changes.

    Args:
        found: from a report.
        chosen: names of changes.
        title: the figure's one message.
    """
    figure, axes = plt.subplots(1, len(chosen), figsize=(WIDTH, 3.5), sharey=True, squeeze=False)
    for ax, one in zip(axes[0], (found.perturbations[name] for name in chosen), strict=True):
        rows = [found.plain, *one.strengths]
        x = np.arange(len(rows))
        ends = np.array([row.auc_interval or (np.nan, np.nan) for row in rows])
        ax.fill_between(x, *ends.T, color=plots.NEUTRAL, alpha=0.25, linewidth=0)
        ax.plot(x, [np.nan if row.auc is None else row.auc for row in rows], "o-", color="black")
        ax.plot(x, [row.coverage for row in rows], "s--", color=plots.FAKE, linewidth=1.5, markersize=4)
        ax.axhline(0.5, linestyle=":", color=plots.NEUTRAL, linewidth=1)
        ax.set(ylim=(0, 1.05), xlabel=f"{one.name}: {one.unit}")
        ax.set_xticks(x, ["as is", *(f"{row.strength:g}" for row in one.strengths)])
    left = axes[0, 0]
    left.text(
        0.03, 0.3, "● ─ AUC by clip, grey its 95 % interval", transform=left.transAxes, fontweight="bold", fontsize=9
    )
    left.text(0.03, 0.2, "■ ┄ share of crops that get an answer", color=plots.FAKE, transform=left.transAxes,
              fontweight="bold", fontsize=9)  # fmt: skip
    left.text(0.03, 0.44, "dotted: a coin", color=plots.NEUTRAL, transform=left.transAxes, fontsize=9)
    return titled(figure, title)


def worst_of(changes: Mapping[str, PerturbationCurve]) -> pd.DataFrame:
    """Of each change, the strength with the lowest AUC: the AUC, its change with both ends, and the share answered."""
    rows = []
    for one in changes.values():
        known = [row for row in one.strengths if row.auc is not None]
        worst = min(known, key=lambda row: row.auc or 0)
        low, high = worst.auc_change_interval or (np.nan, np.nan)
        rows.append(
            (one.name, f"{worst.strength:g} ({one.unit})", worst.auc, worst.auc_change, low, high, worst.coverage)
        )
    names = ["change", "strength", "AUC", "change of AUC", "from", "to", "answered"]
    return pd.DataFrame(rows, columns=names).set_index("change")


def matrix_figure(table: pd.DataFrame, title: str) -> Figure:
    """Who was trained on what, tested on what: AUC by clip in every cell, darker the farther from a coin.

    Args:
        table: matrix.csv.
        title: the figure's one message.
    """
    names = list(dict.fromkeys(table["trained_on"]))
    cells = table.set_index(["trained_on", "tested_on"])
    values = np.array([[float(cells.loc[(row, column), "auc"]) for column in names] for row in names])
    figure, ax = plt.subplots(figsize=(WIDTH, 4.2))
    colours = colormaps["BrBG"]
    shown = ax.imshow(values, cmap=colours, vmin=0, vmax=1, aspect="auto")
    for y, row in enumerate(names):
        for x, column in enumerate(names):
            low, high = (float(cells.loc[(row, column), end]) for end in ("low", "high"))
            colour = "white" if abs(values[y, x] - 0.5) > 0.33 else "black"
            ax.text(x, y - 0.08, f"{values[y, x]:.2f}", ha="center", va="center", fontsize=13, fontweight="bold",
                    color=colour)  # fmt: skip
            ax.text(x, y + 0.26, f"{low:.2f} to {high:.2f}", ha="center", va="center", color=colour)
    bar = figure.colorbar(shown, ax=ax, ticks=[0, 0.5, 1])
    bar.ax.set_yticklabels(["0: all turned round", "0.5: a coin", "1: all in order"])
    ax.set(xticks=range(len(names)), yticks=range(len(names)), xticklabels=names, yticklabels=names,
           xlabel="tested on", ylabel="trained on")  # fmt: skip
    ax.tick_params(length=0, labelsize=9)
    ax.spines[:].set_visible(False)
    return titled(figure, title)
