"""The figures of a report, as SVG. Real is blue and a circle, fake is vermilion and a cross; colour is never alone."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

# Okabe and Ito's blue and vermilion: told apart with every common form of colour blindness, and in grey by lightness.
REAL, FAKE, NEUTRAL = "#0072B2", "#D55E00", "#767676"
_COLOURS, _MARKERS, _NAMES = (REAL, FAKE), ("o", "X"), ("real", "fake")

_STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "svg.hashsalt": "torchfakes",  # the same figure is the same file
    "figure.constrained_layout.use": True,
}


def svg(figure: Figure) -> str:
    """A figure as SVG."""
    buffer = io.StringIO()
    FigureCanvasSVG(figure).print_svg(buffer, metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


def _figure(width: float, height: float) -> Figure:
    return Figure(figsize=(width, height))


def scores(clips: pd.DataFrame, threshold: float) -> Figure:
    """P(fake) of every clip, a row a method, real ones on top; many clips become a box with their quartiles."""
    with matplotlib.rc_context(_STYLE):
        groups = [(f"real ({name})", own) for name, own in clips[clips["label"] == 0].groupby("method")]
        groups += list(clips[clips["label"] == 1].groupby("method"))
        figure = _figure(7.6, 0.45 * len(groups) + 0.9)
        ax = figure.subplots()
        for row, (_, own) in enumerate(groups):
            label = int(own["label"].iloc[0])
            values = own["probability_fake"].to_numpy(float)
            if len(values) > 60:
                ax.boxplot(values, orientation="horizontal", positions=[row], widths=0.5, whis=(5, 95),
                           showfliers=False, medianprops={"color": _COLOURS[label]})  # fmt: skip
            size = 8 if len(values) <= 60 else 3
            ax.plot(values, np.full(len(values), row), _MARKERS[label], color=_COLOURS[label], markersize=size,
                    alpha=0.6, markeredgecolor="white", clip_on=False)  # fmt: skip
        ax.axvline(threshold, color="black", linestyle="--", linewidth=1.2)
        ax.annotate(f" called fake from {threshold:.2f}", (threshold, -0.62), fontsize=9, annotation_clip=False)
        ax.set(yticks=range(len(groups)), yticklabels=[name for name, _ in groups], ylim=(len(groups) - 0.5, -0.8),
               xlim=(0, 1), xlabel="P(fake) of a clip")  # fmt: skip
        return figure


def curves(found: Mapping[str, Any], clip: Mapping[str, Any]) -> Figure | None:
    """ROC and precision–recall, by clip."""
    if found["roc"] is None:
        return None
    with matplotlib.rc_context(_STYLE):
        figure = _figure(8.4, 3.9)
        left, right = figure.subplots(1, 2)
        left.plot([0, 1], [0, 1], ":", color=NEUTRAL, linewidth=1)
        left.plot(found["roc"]["fpr"], found["roc"]["tpr"], color="black")
        left.plot(clip["fpr"], 1 - clip["fnr"], "o", color=FAKE, markersize=9, markeredgecolor="white", clip_on=False)
        left.annotate("  at the threshold", (clip["fpr"], 1 - clip["fnr"]), color=FAKE, va="top", fontsize=9)
        left.set(xlabel="reals called fake (FPR)", ylabel="fakes found (TPR)", xlim=(0, 1), ylim=(0, 1.02))
        left.set_title(f"ROC: area {clip['auc']:.3f}")
        share = clip["always_fake_accuracy"]
        right.axhline(share, linestyle=":", color=NEUTRAL, linewidth=1)
        right.annotate("calling everything fake", (0.02, share), va="bottom", color=NEUTRAL, fontsize=9)
        right.plot(found["precision_recall"]["recall"], found["precision_recall"]["precision"], color="black")
        right.set(xlabel="fakes found (recall)", ylabel="of those called fake, fake (precision)", xlim=(0, 1),
                  ylim=(min(0.5, share - 0.1), 1.02))  # fmt: skip
        right.set_title(f"Precision–recall: average precision {clip['average_precision']:.3f}")
        return figure


def interval_rows(rows: Sequence[tuple[str, float | None, Sequence[float] | None]], unit: str, chance: float) -> Figure:
    """Values with their intervals, one below the other, and a line where chance is."""
    rows = [row for row in rows if row[1] is not None]
    with matplotlib.rc_context(_STYLE):
        figure = _figure(7.6, 0.42 * max(len(rows), 1) + 0.9)
        ax = figure.subplots()
        for y, (_, value, interval) in enumerate(rows):
            if interval is not None:
                ax.hlines(y, *interval, color=NEUTRAL, linewidth=5, alpha=0.5)
            ax.plot(value, y, "o", color="black", markersize=7, markeredgecolor="white", clip_on=False)
            text = f"{value:.2f}" if interval is None else f"{value:.2f}  ({interval[0]:.2f} to {interval[1]:.2f})"
            ax.annotate(text, (1.02, y), va="center", xycoords=("axes fraction", "data"), fontsize=9)
        ax.axvline(chance, color=NEUTRAL, linestyle=":", linewidth=1)
        lowest = min([chance, *(min(row[2] or [row[1]]) for row in rows)])
        ax.set(yticks=range(len(rows)), yticklabels=[row[0] for row in rows], ylim=(len(rows) - 0.5, -0.5),
               xlim=(lowest - 0.02, 1), xlabel=f"{unit}; dotted: chance")  # fmt: skip
        return figure


def reliability(bins: Sequence[Mapping[str, float]], unit: str) -> Figure:
    """What scores say against what is so; a bar below says how many there are."""
    with matplotlib.rc_context(_STYLE):
        figure = _figure(4.6, 4.2)
        upper, lower = figure.subplots(2, 1, height_ratios=[3, 1], sharex=True)
        upper.plot([0, 1], [0, 1], ":", color=NEUTRAL, linewidth=1)
        said, fake = ([row[name] for row in bins] for name in ("said", "fake"))
        upper.plot(said, fake, "o-", color="black", clip_on=False)
        upper.set(ylabel="share that is fake", ylim=(0, 1), xlim=(0, 1))
        lower.bar([row["low"] for row in bins], [row["count"] for row in bins],
                  width=[0.9 * (row["high"] - row["low"]) for row in bins], align="edge", color=NEUTRAL)  # fmt: skip
        lower.set(xlabel="P(fake)", ylabel=unit)
        return figure


def risk_coverage(found: Mapping[str, Sequence[float]], abstention: Mapping[str, Any]) -> Figure:
    """The share of wrong answers among the surest ones."""
    with matplotlib.rc_context(_STYLE):
        figure = _figure(5.2, 3.2)
        ax = figure.subplots()
        ax.plot(found["coverage"], found["risk"], color="black")
        if abstention["accuracy"] is not None:
            point = abstention["coverage"], 1 - abstention["accuracy"]
            ax.plot(*point, "D", color=FAKE, markersize=8, markeredgecolor="white", clip_on=False)
            ax.annotate("diamond: silent on crops unlike training's", (0.03, 0.96), xycoords="axes fraction", va="top",
                        color=FAKE, fontsize=9)  # fmt: skip
        top = max([0.05, *found["risk"], 1 - (abstention["accuracy"] or 1)])
        ax.set(xlabel="coverage: share of clips that get an answer", ylabel="risk: share of these wrong",
               xlim=(0, 1.02), ylim=(0, 1.25 * top))  # fmt: skip
        return figure


def robustness(found: Mapping[str, Any]) -> Figure:
    """AUC by strength, with its interval, and the share of crops that still get an answer."""
    with matplotlib.rc_context(_STYLE):
        every = list(found["perturbations"].values())
        columns = min(4, len(every))
        figure = _figure(2.4 * columns + 0.4, 2.5 * -(-len(every) // columns))
        axes = np.atleast_1d(figure.subplots(-(-len(every) // columns), columns, sharey=True)).ravel()
        for ax, one in zip(axes, every, strict=False):
            _strengths(ax, one, found["plain"])
        for ax in axes[len(every) :]:
            ax.axis("off")
        if len(axes) > len(every):
            key = {"fontweight": "bold", "va": "top", "transform": axes[-1].transAxes}
            axes[-1].text(0, 0.8, "●─  AUC by clip", **key)
            axes[-1].text(0, 0.6, "┄┄  share of crops\n      that get an answer", color=FAKE, **key)
        for ax in axes[::columns]:
            ax.set_ylabel("AUC, share")
        return figure


def _strengths(ax: Axes, one: Mapping[str, Any], plain: Mapping[str, Any]) -> None:
    rows = [plain, *one["strengths"]]
    x = np.arange(len(rows))
    auc = [np.nan if row["auc"] is None else row["auc"] for row in rows]
    ends = np.array([row["auc_interval"] or [np.nan, np.nan] for row in rows], float)
    ax.fill_between(x, *ends.T, color=NEUTRAL, alpha=0.25, linewidth=0)
    ax.plot(x, auc, "o-", color="black", markersize=4)
    ax.plot(x, [row["coverage"] for row in rows], "--", color=FAKE, linewidth=1)
    ax.axhline(0.5, linestyle=":", color=NEUTRAL, linewidth=1)
    labels = ["as is", *(f"{row['strength']:g}" for row in one["strengths"])]
    ax.set(ylim=(0, 1.03), xlabel=one["unit"])
    ax.set_xticks(x, labels, fontsize=8)
    ax.set_title(one["name"])


def regions(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Share of heat over share of area, real and fake, a panel a network."""
    table = pd.DataFrame(rows)
    networks, names = list(dict.fromkeys(table["network"])), list(dict.fromkeys(table["region"]))
    with matplotlib.rc_context(_STYLE):
        figure = _figure(3.2 * len(networks) + 1.2, 0.5 * len(names) + 1.2)
        axes = np.atleast_1d(figure.subplots(1, len(networks), sharex=True, sharey=True))
        for ax, network in zip(axes, networks, strict=True):
            ax.axvline(1, color=NEUTRAL, linestyle="--", linewidth=1)
            for label, offset in ((0, -0.15), (1, 0.15)):
                own = table[(table["network"] == network) & (table["kind"] == _NAMES[label])]
                known = own[own["ratio"].notna()]
                y = [names.index(name) + offset for name in known["region"]]
                low, high, ratio = (known[name].astype(float) for name in ("low", "high", "ratio"))
                ax.hlines(y, low, high, color=_COLOURS[label], linewidth=2)
                ax.plot(ratio, y, _MARKERS[label], color=_COLOURS[label], markersize=8, markeredgecolor="white",
                        label=_NAMES[label])  # fmt: skip
            ax.set_title(network)
            ax.set(xlabel="share of heat ÷ share of area")
        axes[0].set(yticks=range(len(names)), yticklabels=names, ylim=(len(names) - 0.5, -0.5))
        axes[0].set_xlim(left=0)
        axes[-1].legend(frameon=False, loc="lower right", fontsize=9)
        return figure


def cascading_randomisation(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """How alike maps stay to the trained network's when its weights are replaced, from the answer down."""
    with matplotlib.rc_context(_STYLE):
        figure = _figure(7.6, 3.4)
        ax = figure.subplots()
        x = np.arange(len(rows))
        values, low, high = (np.array([np.nan if row[name] is None else row[name] for row in rows], float)
                             for name in ("rank_correlation", "low", "high"))  # fmt: skip
        ax.fill_between(x, low, high, color=NEUTRAL, alpha=0.25, linewidth=0)
        ax.plot(x, values, "o-", color="black")
        ax.axhline(0, linestyle=":", color=NEUTRAL, linewidth=1)
        ax.set_xticks(x, [row["changed"] for row in rows], rotation=25, ha="right", fontsize=8)
        ax.set(ylabel="rank correlation", ylim=(min(-0.3, np.nanmin(np.append(low, 0)) - 0.05), 1.05),
               xlabel="weights that were replaced by random ones")  # fmt: skip
        return figure
