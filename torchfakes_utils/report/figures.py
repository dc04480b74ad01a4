"""The figures of a report, for its page and for the lessons: a title is the figure's one message.

Real is blue and a circle, fake is vermilion and a cross; colour is never alone.
"""

import io
import warnings
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from torchfakes_utils.evaluation.results import (
    Bin,
    Curves,
    Interval,
    LevelMetrics,
    PerturbationCurve,
    Robustness,
    Spread,
)
from torchfakes_utils.metrics.band import Band
from torchfakes_utils.report.contents import MapSimilarity, NetworkAttention

# Okabe and Ito's blue and vermilion: told apart with every common form of colour blindness, and in grey by lightness.
REAL, FAKE, NEUTRAL = "#0072B2", "#D55E00", "#767676"
_CHANCE = 0.5  # of an AUC
_COLOURS, _MARKERS, _NAMES = (REAL, FAKE), ("o", "X"), ("real", "fake")

_STYLE: Any = {
    "font.family": "DejaVu Sans", "font.size": 10, "axes.spines.top": False, "axes.spines.right": False,
    "axes.titlesize": 10, "axes.titleweight": "bold", "axes.titlelocation": "left",
    "svg.hashsalt": "torchfakes",  # the same figure is the same file
    "figure.constrained_layout.use": True,
    "text.parse_math": False,  # a method may be called $x$, or what is no mathematics at all
}  # fmt: skip
_styled = mpl.rc_context(_STYLE)  # round a function


@_styled
def svg(figure: Figure) -> str:
    """A figure as SVG."""
    buffer = io.StringIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph ")  # names in scripts that the font lacks: the page's tables have them
        metadata = {"Date": None, "Creator": None}
        FigureCanvasSVG(figure).print_svg(buffer, metadata=metadata)  # type: ignore[no-untyped-call]
    return buffer.getvalue()


@_styled
def scores(clips: pd.DataFrame, band: Band | None = None, title: str = "") -> Figure:
    """P(fake) of every clip (from `by_clip`), a row a method, real ones on top; many become a box with quartiles.

    Args:
        clips: a row each.
        band: shaded is where clips are called real, and where fake; None draws none.
        title: the figure's one message.
    """
    groups = [(f"real ({name})", own) for name, own in clips[clips["label"] == 0].groupby("method")]
    groups += list(clips[clips["label"] == 1].groupby("method"))
    figure = Figure(figsize=(7.6, 0.45 * len(groups) + 0.9 + 0.3 * bool(title) + 0.45 * (band is not None)))
    ax = figure.subplots()
    labels = [int(own["label"].iloc[0]) for _, own in groups]
    for row, ((_, own), label) in enumerate(zip(groups, labels, strict=True)):
        values = own["probability_fake"].to_numpy(float)
        if len(values) > 60:
            ax.boxplot(values, orientation="horizontal", positions=[row], widths=0.5, whis=(5, 95),
                       showfliers=False, medianprops={"color": _COLOURS[label]})  # fmt: skip
        size = 8 if len(values) <= 60 else 3
        ax.plot(values, np.full(len(values), row), _MARKERS[label], color=_COLOURS[label], markersize=size,
                alpha=0.6, markeredgecolor="white", clip_on=False)  # fmt: skip
    ax.set(yticks=range(len(groups)), yticklabels=[name for name, _ in groups], ylim=(len(groups) - 0.5, -0.8),
           xlim=(0, 1), xlabel="P(fake) of a clip", title=title)  # fmt: skip
    for text, label in zip(ax.get_yticklabels(), labels, strict=True):
        text.set_color(_COLOURS[label])
    if band is not None:
        _shade(ax, band)
    return figure


def _shade(ax: Axes, band: Band) -> None:
    """Where clips are called real, and where fake, with the words above: real from the left, fake from the right."""
    low, high = band.real_to, band.from_of() if band.fake_from else None
    if low is not None:
        ax.axvspan(0, low, color=REAL, alpha=0.12, linewidth=0)
        ax.axvline(low, color=REAL, linestyle="--", linewidth=1.2)
    if high is not None:
        ax.axvspan(high, 1, color=FAKE, alpha=0.12, linewidth=0)
        ax.axvline(high, color=FAKE, linestyle="--", linewidth=1.2)
    words = ("nothing is called real" if low is None else f"called real up to {low:.3f}",
             "nothing is called fake" if high is None else f"called fake from {high:.3f} on")  # fmt: skip
    for place, (text, colour) in enumerate(zip(words, _COLOURS, strict=True)):
        ax.annotate(text, (place, 1), (0, 3), xycoords="axes fraction", textcoords="offset points", fontsize=9,
                    color=colour, ha=("left", "right")[place], annotation_clip=False)  # fmt: skip


@_styled
def curves(found: Curves, clip: LevelMetrics) -> Figure | None:
    """ROC and precision–recall, by clip; None of one class."""
    if found.roc is None or found.precision_recall is None or clip.fpr is None or clip.fnr is None:
        return None
    figure = Figure(figsize=(8.4, 3.9))
    left, right = figure.subplots(1, 2)
    left.plot([0, 1], [0, 1], ":", color=NEUTRAL, linewidth=1)
    left.plot(found.roc.fpr, found.roc.tpr, color="black")
    left.plot(clip.fpr, 1 - clip.fnr, "o", color=FAKE, markersize=9, markeredgecolor="white", clip_on=False)
    left.annotate("  at the threshold", (clip.fpr, 1 - clip.fnr), color=FAKE, va="top", fontsize=9)
    left.set(xlabel="reals called fake (FPR)", ylabel="fakes found (TPR)", xlim=(0, 1), ylim=(0, 1.02))
    left.set_title(f"ROC: area {clip.auc:.3f}")
    share = clip.n_fake / clip.n
    right.axhline(share, linestyle=":", color=NEUTRAL, linewidth=1)
    right.annotate("calling everything fake", (0.02, share), va="bottom", color=NEUTRAL, fontsize=9)
    right.plot(found.precision_recall.recall, found.precision_recall.precision, color="black")
    right.set(xlabel="fakes found (recall)", ylabel="of those called fake, fake (precision)", xlim=(0, 1),
              ylim=(min(0.5, share - 0.1), 1.02))  # fmt: skip
    right.set_title(f"Precision–recall: average precision {clip.average_precision:.3f}")
    return figure


@_styled
def interval_rows(
    rows: Sequence[tuple[str, float | None, Interval | None]], unit: str, title: str = "", from_chance: bool = True
) -> Figure:
    """Values between 0.5 (chance) and 1 with their intervals, one below the other.

    Args:
        rows: (name, value, interval), from top to bottom; those without a value are left out.
        unit: what the x axis measures.
        from_chance: let the axis begin at chance, or below; else close to the lowest end, where that is higher.
    """
    known = [(name, value, ends) for name, value, ends in rows if value is not None]
    figure = Figure(figsize=(7.6, 0.42 * max(len(known), 1) + 0.9 + 0.3 * bool(title)))
    ax = figure.subplots()
    for y, (_, value, ends) in enumerate(known):
        if ends is not None:
            ax.hlines(y, *ends, color=NEUTRAL, linewidth=5, alpha=0.5)
        ax.plot(value, y, "o", color="black", markersize=7, markeredgecolor="white", clip_on=False)
        text = f"{value:.2f}" if ends is None else f"{value:.2f}  ({ends[0]:.2f} to {ends[1]:.2f})"
        ax.annotate(text, (1.02, y), va="center", xycoords=("axes fraction", "data"), fontsize=9)
    lowest = min((min(ends or (value,)) for _, value, ends in known), default=_CHANCE)
    if from_chance or lowest < _CHANCE:
        ax.axvline(_CHANCE, color=NEUTRAL, linestyle=":", linewidth=1)
        lowest, unit = min(_CHANCE, lowest), f"{unit}; dotted: chance"
    ax.set(yticks=range(len(known)), yticklabels=[name for name, _, _ in known], ylim=(len(known) - 0.5, -0.5),
           xlim=(lowest - 0.02, 1), xlabel=unit, title=title)  # fmt: skip
    return figure


@_styled
def runs(rows: Sequence[tuple[str, Spread]]) -> Figure | None:
    """Several runs of a recipe: a dot each, their mean, and the interval of the mean; None where nothing is known.

    Args:
        rows: the name of a metric from 0 to 1, and what was measured, from top to bottom; those that were not measured
            are left out.
    """
    known = [
        (name, row, row.mean, [value for value in row.values if value is not None])
        for name, row in rows
        if row.mean is not None
    ]
    if not known:
        return None
    figure = Figure(figsize=(7.6, 0.5 * len(known) + 0.9))
    ax = figure.subplots()
    for y, (_, row, mean, values) in enumerate(known):
        if row.interval is not None:
            ax.hlines(y, *row.interval, color=NEUTRAL, linewidth=5, alpha=0.5)
        ax.plot([mean] * 2, [y - 0.25, y + 0.25], color="black", linewidth=1.5)
        ax.plot(values, [y] * len(values), "o", color="white", markersize=6, markeredgecolor="black", clip_on=False)
        text = f"{min(values):.3f} to {max(values):.3f}"
        ax.annotate(text, (1.02, y), va="center", xycoords=("axes fraction", "data"), fontsize=9)
    lowest = min(min([*values, *(row.interval or ())]) for _, row, _, values in known)
    ax.set(yticks=range(len(known)), yticklabels=[name for name, *_ in known], ylim=(len(known) - 0.5, -0.5),
           xlim=(max(0, lowest - 0.02), 1),
           xlabel="a dot a run; line: their mean; grey: its 95 % interval")  # fmt: skip
    return figure


@_styled
def reliability(bins: Sequence[Bin], unit: str) -> Figure:
    """What scores say against what is so; a bar below says how many there are."""
    figure = Figure(figsize=(4.6, 4.2))
    upper, lower = figure.subplots(2, 1, height_ratios=[3, 1], sharex=True)
    reliability_curve(upper, bins)
    upper.set(ylabel="share that is fake", ylim=(0, 1), xlim=(0, 1))
    lower.bar([row.low for row in bins], [row.count for row in bins],
              width=[0.9 * (row.high - row.low) for row in bins], align="edge", color=NEUTRAL)  # fmt: skip
    lower.set(xlabel="P(fake)", ylabel=unit)
    return figure


def reliability_curve(ax: Axes, bins: Sequence[Bin]) -> None:
    """The share of fakes in each range of scores against their mean; dotted is a detector that keeps its word."""
    ax.plot([0, 1], [0, 1], ":", color=NEUTRAL, linewidth=1)
    ax.plot([row.predicted for row in bins], [row.fake for row in bins], "o-", color="black", clip_on=False)


@_styled
def risk_coverage(
    coverage: Sequence[float], risk: Sequence[float], rule: tuple[float, float] | None, unit: str, title: str = ""
) -> Figure:
    """The share of wrong answers among the surest ones.

    Args:
        coverage, risk: from `metrics.calibration.risk_coverage`.
        rule: coverage and risk of the rule in use, which looks at the crop; a diamond.
        unit: what gets an answer, "clips" or "crops".
    """
    figure = Figure(figsize=(5.2, 3.2 + 0.2 * bool(title)))
    ax = figure.subplots()
    ax.plot(coverage, risk, color="black")
    if rule is not None:
        ax.plot(*rule, "D", color=FAKE, markersize=8, markeredgecolor="white", clip_on=False)
        ax.annotate("diamond: silent on crops unlike training's", (0.03, 0.96), xycoords="axes fraction", va="top",
                    color=FAKE, fontsize=9)  # fmt: skip
    top = max([0.05, *risk, *(rule or ())[1:]])
    ax.set(xlabel=f"coverage: share of {unit} that get an answer", ylabel="risk: share of these wrong",
           xlim=(0, 1.02), ylim=(0, 1.25 * top), title=title)  # fmt: skip
    return figure


@_styled
def robustness(found: Robustness, title: str = "") -> Figure:
    """AUC by strength, with its interval, and the share of crops that still get an answer."""
    every = list(found.perturbations.values())
    columns = min(4, len(every))
    rows = -(-len(every) // columns)
    figure = Figure(figsize=(2.4 * columns + 0.4, 2.5 * rows))
    axes = figure.subplots(rows, columns, sharey=True, squeeze=False).ravel()
    for ax, one in zip(axes, every, strict=False):
        _strengths(ax, found, one)
    for ax in axes[len(every) :]:
        ax.axis("off")
    if len(axes) > len(every):
        key = {"fontweight": "bold", "va": "top", "transform": axes[-1].transAxes}
        axes[-1].text(0, 0.8, "●─  AUC by clip", **key)
        axes[-1].text(0, 0.6, "┄┄  share of crops\n      that get an answer", color=FAKE, **key)
    for ax in axes[::columns]:
        ax.set_ylabel("AUC, share")
    if title:
        figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return figure


def _strengths(ax: Axes, found: Robustness, one: PerturbationCurve) -> None:
    rows = [found.plain, *one.strengths]
    x = np.arange(len(rows))
    auc = [np.nan if row.auc is None else row.auc for row in rows]
    ends = np.array([row.auc_interval or (np.nan, np.nan) for row in rows])
    ax.fill_between(x, *ends.T, color=NEUTRAL, alpha=0.25, linewidth=0)
    ax.plot(x, auc, "o-", color="black", markersize=4)
    ax.plot(x, [row.coverage for row in rows], "--", color=FAKE, linewidth=1)
    ax.axhline(_CHANCE, linestyle=":", color=NEUTRAL, linewidth=1)
    ax.set(ylim=(0, 1.03), xlabel=one.unit)
    ax.set_xticks(x, ["as is", *(f"{row.strength:g}" for row in one.strengths)], fontsize=8)
    ax.set_title(one.name)


@_styled
def regions(rows: Sequence[NetworkAttention]) -> Figure:
    """Share of heat over share of area, real and fake, a panel a network."""
    networks, names = list(dict.fromkeys(row.network for row in rows)), list(dict.fromkeys(row.region for row in rows))
    figure = Figure(figsize=(3.2 * len(networks) + 1.2, 0.5 * len(names) + 1.2))
    axes = figure.subplots(1, len(networks), sharex=True, sharey=True, squeeze=False)[0]
    for ax, network in zip(axes, networks, strict=True):
        ax.axvline(1, color=NEUTRAL, linestyle="--", linewidth=1)
        for label, offset in ((0, -0.15), (1, 0.15)):
            kind = network, _NAMES[label]
            own = [row for row in rows if (row.network, row.kind) == kind and row.ratio is not None]
            y = [names.index(row.region) + offset for row in own]
            low, high = np.array([(row.low, row.high) for row in own], float).reshape(-1, 2).T  # None is NaN: no line
            ax.hlines(y, low, high, color=_COLOURS[label], linewidth=2)
            ax.plot([row.ratio for row in own], y, _MARKERS[label], color=_COLOURS[label], markersize=8,
                    markeredgecolor="white", label=_NAMES[label])  # fmt: skip
        ax.set_title(network)
        ax.set(xlabel="share of heat ÷ share of area")
    axes[0].set(yticks=range(len(names)), yticklabels=names, ylim=(len(names) - 0.5, -0.5))
    axes[0].set_xlim(left=0)
    axes[-1].legend(frameon=False, loc="lower right", fontsize=9)
    return figure


@_styled
def cascading_randomisation(rows: Sequence[MapSimilarity]) -> Figure:
    """How alike maps stay to the trained network's when its weights are replaced, from the answer down."""
    figure = Figure(figsize=(7.6, 3.4))
    ax = figure.subplots()
    x = np.arange(len(rows))
    values, low, high = np.array([(row.rank_correlation, row.low, row.high) for row in rows], float).T  # None is NaN
    ax.fill_between(x, low, high, color=NEUTRAL, alpha=0.25, linewidth=0)
    ax.plot(x, values, "o-", color="black")
    ax.axhline(0, linestyle=":", color=NEUTRAL, linewidth=1)
    ax.set_xticks(x, [row.changed for row in rows], rotation=25, ha="right", fontsize=8)
    ax.set(ylabel="rank correlation", ylim=(min(-0.3, np.nanmin(np.append(low, 0)) - 0.05), 1.05),
           xlabel="weights that were replaced by random ones")  # fmt: skip
    return figure
