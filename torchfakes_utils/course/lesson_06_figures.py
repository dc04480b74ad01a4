"""The figures of lesson 06: pairs, accuracy and precision in other worlds, what errors cost, two limits, faces.

All are at most seven inches wide, so that their letters keep their size on a page of 700 pixels. Those of widgets set
their margins by hand: matplotlib's own layout takes longer than to draw them.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from scipy.stats import beta
from sklearn.metrics import roc_curve

from torchfakes_utils.course import plots
from torchfakes_utils.course.lesson_06_desks import Bill, Desk, best_threshold, cost, costs, without_detector

WIDTH = 7.0  # inches


def titled(figure: Figure, title: str) -> Figure:
    """The figure with its one message above, closed."""
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return plots.finish(figure)


def pair_table(labels: plots.Labels, scores: plots.Numbers, title: str) -> Figure:
    """Every pair of a real and a fake clip as a cell; the edge of the rightly ordered ones is the ROC curve.

    Args:
        labels: 0 or 1, both present.
        scores: the higher, the more fake.
        title: the figure's one message.
    """
    labels, scores = np.asarray(labels), np.asarray(scores, float)
    reals, fakes = (np.sort(scores[labels == label])[::-1] for label in (0, 1))  # the most fake-looking first
    right = (fakes[:, None] > reals[None, :]) + 0.5 * (fakes[:, None] == reals[None, :])  # (fakes, reals)
    figure, ax = plt.subplots(figsize=(6.4, 4.2))
    greys = LinearSegmentedColormap.from_list("pairs", ["#E6E6E6", "#6A6A6A"])
    ax.imshow(
        1 - right, origin="lower", extent=(0, len(reals), 0, len(fakes)), aspect="auto", cmap=greys, vmin=0, vmax=1
    )
    for x in range(1, len(reals)):
        ax.axvline(x, color="white", linewidth=0.8)
    for y in range(1, len(fakes)):
        ax.axhline(y, color="white", linewidth=0.5)
    found = right.sum(axis=0)  # for each real clip, the fakes that look more fake than it
    ax.step(np.arange(len(reals) + 1), np.append(found, found[-1]), where="post", color=plots.FAKE, linewidth=2.5)
    note = "light: right order\ndark: wrong order\nline between: ROC curve"
    ax.text(len(reals) * 0.55, len(fakes) * 0.3, note, ha="center", fontweight="bold", linespacing=1.6)
    ax.set(
        xlabel=f"{len(reals)} real clips, the most fake-looking first", xticks=[0, len(reals)],
        ylabel=f"{len(fakes)} fakes, the most fake-looking first", yticks=[0, len(fakes)],
    )  # fmt: skip
    ax.set_title(title)
    return plots.finish(figure)


def accuracies(hits: float, correct_reals: float) -> Figure:
    """Accuracy of a detector, and of two that look at nothing, against the share of fakes.

    Args:
        hits: share of fakes called fake.
        correct_reals: share of reals called real.
    """
    share = np.linspace(0, 1, 201)
    own, blind = hits * share + correct_reals * (1 - share), np.maximum(share, 1 - share)
    figure, ax = plt.subplots(figsize=(WIDTH, 3.5))
    ax.fill_between(share, blind, own, where=own > blind, color=plots.NEUTRAL, alpha=0.2, linewidth=0)
    ax.plot(share, 1 - share, color=plots.REAL, linestyle=":")
    ax.plot(share, share, color=plots.FAKE, linestyle="--")
    ax.plot(share, own, color="black")
    ax.annotate("always “real”", (0.2, 0.62), color=plots.REAL, fontweight="bold", ha="right")
    ax.annotate("always “fake”", (0.8, 0.62), color=plots.FAKE, fontweight="bold", ha="left")
    ax.annotate("our detector", (0.5, (hits + correct_reals) / 2), (0, 8), textcoords="offset points", ha="center",
                fontweight="bold")  # fmt: skip
    ax.set(xlabel="share of fakes among all clips", ylabel="accuracy", xlim=(0, 1), ylim=(0, 1.05))
    ax.xaxis.set_major_formatter("{x:.0%}")
    ax.yaxis.set_major_formatter("{x:.0%}")
    ax.set_title("Where fakes are rare, looking at nothing is more often right")
    return plots.finish(figure)


def allowed(count: float | np.ndarray, of: int) -> np.ndarray:
    """The highest rate at which so few of some clips, or fewer, would still come up one time in twenty.

    Of 0 it is 1 - 0.05 ** (1 / of); else Clopper and Pearson's upper end (1934).
    """
    count = np.asarray(count, float)
    ends: np.ndarray = np.where(count < of, beta.ppf(0.95, count + 1, of - count), 1)
    return ends


def precision(alarms: float | np.ndarray, hits: float | np.ndarray, fakes: float) -> np.ndarray:
    """Of those called fake, the share that is.

    Args:
        alarms, hits: shares of reals, and of fakes, that are called fake.
        fakes: their share in the world.
    """
    found, false = fakes * np.asarray(hits, float), (1 - fakes) * np.asarray(alarms, float)
    share: np.ndarray = found / (found + false)
    return share


def worst_precision(labels: plots.Labels, scores: plots.Numbers, fakes: float) -> tuple[np.ndarray, np.ndarray]:
    """Precision with the highest false alarm rates that the real clips still allow, at each recall.

    Args:
        labels: 0 or 1, both present.
        scores: P(fake).
        fakes: share of fakes in the world.

    Returns:
        Recalls and precisions, (T,) each.
    """
    alarms, hits = _rates(labels, scores)
    reals = int((np.asarray(labels) == 0).sum())
    return hits, precision(allowed(alarms * reals, reals), hits, fakes)


def _rates(labels: plots.Labels, scores: plots.Numbers) -> tuple[np.ndarray, np.ndarray]:
    """Shares of reals and of fakes called fake, (T,) each, at every threshold that finds a fake."""
    alarms, hits, _ = roc_curve(labels, scores, drop_intermediate=False)
    return alarms[hits > 0], hits[hits > 0]


def two_curves(labels: plots.Labels, scores: plots.Numbers, fakes: float) -> Figure:
    """ROC and precision–recall of the same scores in a world with another share of fakes.

    Args:
        labels: 0 or 1, both present.
        scores: P(fake).
        fakes: share of fakes in that world.
    """
    (alarms, hits), reals = _rates(labels, scores), int((np.asarray(labels) == 0).sum())
    figure, (left, right) = plt.subplots(1, 2, figsize=(WIDTH, 3.5), layout="none")
    figure.subplots_adjust(0.08, 0.15, 0.98, 0.82, 0.28)
    plots.roc(left, labels, scores, colour="black")
    left.set(aspect="auto")
    left.set_title("ROC: the same in every world", fontsize=10)
    right.plot(hits, precision(alarms, hits, fakes), color="black")
    right.plot(*worst_precision(labels, scores, fakes), color=plots.NEUTRAL, linestyle="--")
    right.axhline(fakes, color=plots.NEUTRAL, linestyle=":", linewidth=1)
    right.text(0.98, 0.9, f"as counted on {reals} reals", ha="right", fontweight="bold", transform=right.transAxes)
    right.text(0.98, 0.81, f"dashed: as bad as {reals} reals allow", ha="right", color=plots.NEUTRAL,
               fontweight="bold", transform=right.transAxes)  # fmt: skip
    right.text(0.98, 0.72, "dotted: calling everything fake", ha="right", color=plots.NEUTRAL,
               transform=right.transAxes)  # fmt: skip
    right.set(xlabel="fakes found (recall)", ylabel="of those called fake, fake", xlim=(0, 1), ylim=(0, 1.45),
              yticks=np.linspace(0, 1, 6))  # fmt: skip
    right.set_title(f"Precision where {share_text(fakes)} are fake", fontsize=10)
    return titled(figure, "Where fakes are rare, the ROC curve hides what it costs to find them")


def share_text(share: float) -> str:
    """A share in per cent, with a decimal where it needs one: below 1 % and above 99 %."""
    return f"{share:.0%}" if 0.01 <= share <= 0.99 or share in (0, 1) else f"{share:.1%}"


def strip(ax: Axes, labels: np.ndarray, scores: np.ndarray) -> None:
    """The scores of clips, fakes above, strewn a little so that none hides another."""
    rng = np.random.default_rng(0)
    for label in (0, 1):
        own = scores[labels == label]
        ax.plot(own, label + rng.uniform(-0.22, 0.22, len(own)), plots.MARKERS[label], color=plots.COLOURS[label],
                markersize=6, alpha=0.7, markeredgecolor="white", clip_on=False)  # fmt: skip
    ax.set(yticks=[0, 1], yticklabels=plots.NAMES, ylim=(-0.7, 1.75), xlim=(0, 1), xlabel="P(fake) of a clip")


def points_axis(ax: Axes, which: Literal["x", "y"], top: float) -> None:
    """Points lost on a logarithmic axis that has a zero."""
    axis, limit = (ax.xaxis, ax.set_xlim) if which == "x" else (ax.yaxis, ax.set_ylim)
    (ax.set_xscale if which == "x" else ax.set_yscale)("symlog", linthresh=10, linscale=0.6)
    ticks = [0, *(10.0**power for power in range(1, 6) if 10**power < 3 * top)]
    axis.set_ticks(ticks, [f"{tick:,.0f}" for tick in ticks])
    axis.set_ticks([], minor=True)
    limit(0, max(3 * top, 30))


def at_desk(labels: plots.Labels, scores: plots.Numbers, threshold: float, desk: Desk) -> Figure:
    """One threshold at one desk: the scores that it parts, the four counts, and the bill beside no detector's.

    Args:
        labels: of the clips, 0 or 1, both present.
        scores: P(fake) of each.
        threshold: from here on a clip is called fake.
        desk: whose costs.
    """
    labels, scores = np.asarray(labels), np.asarray(scores, float)
    figure, (upper, lower) = plt.subplots(
        2, 1, figsize=(WIDTH, 4.8), layout="none", height_ratios=[1, 1.15], sharex=True
    )
    figure.subplots_adjust(0.13, 0.11, 0.98, 0.91, hspace=0.12)
    strip(upper, labels, scores)
    called_fake = scores >= threshold
    for row, words in enumerate((("left alone", "false alarms"), ("missed", "found"))):
        for column, word in enumerate(words):
            count = int(((labels == row) & (called_fake == column)).sum())
            upper.text((0.01, 0.99)[column], row + 0.4, f"{count} {word}", ha=("left", "right")[column],
                       color=plots.COLOURS[row], fontweight="bold" if row != column else "normal")  # fmt: skip

    grid = np.linspace(0, 1, 201)
    lost, now = costs(labels, scores, grid, desk), cost(labels, scores, threshold, desk)
    best = best_threshold(labels, scores, desk)
    least, (how, blind) = cost(labels, scores, best, desk), without_detector(desk)
    top = max(lost.max(), blind.total)
    lower.plot(grid, lost, color=plots.NEUTRAL, drawstyle="steps-pre")
    label = f"no detector, {how}: {blind.total:,.0f}"
    lower.axhline(blind.total, color="black", linestyle=":", linewidth=1.2, label=label)
    # The one corner where neither desk's costs lie.
    lower.legend(loc="lower left", frameon=True, framealpha=1, edgecolor="white", borderpad=0.1)
    lower.plot(min(best, 1), least, "D", color=plots.NEUTRAL, markersize=8, clip_on=False)
    side = "left" if best < 0.7 else "right"
    lower.annotate(f"cheapest: {least:,.0f}", (min(best, 1), least), (8 if side == "left" else -8, -5), va="top",
                   textcoords="offset points", ha=side, color=plots.NEUTRAL, fontweight="bold")  # fmt: skip
    lower.plot(threshold, now, "o", color="black", markersize=9, markeredgecolor="white", clip_on=False, zorder=3)
    points_axis(lower, "y", top)
    for ax in (upper, lower):
        ax.axvline(threshold, color="black", linestyle="--", linewidth=1.5)
    upper.set_xlabel("")
    lower.set(xlim=(0, 1), xlabel=f"threshold, P(fake) ({desk.fakes:.0%} are fake; a miss costs {desk.miss:,g}, a "
              f"false alarm {desk.alarm:,g})", ylabel="points lost on 100 clips")  # fmt: skip
    return titled(
        figure, f"The {desk.name} loses {now:,.0f} points at {threshold:.2f}, and {blind.total:,.0f} with no detector"
    )


def promises(found: Mapping[str, np.ndarray], desks: Mapping[str, Desk], title: str) -> Figure:
    """What thresholds promised on the people they were chosen on, and what they cost on others, a mark a choice.

    Args:
        found: (H, 2) by the desk's name: promised and billed, points on 100 clips.
        desks: by name.
        title: the figure's one message.
    """
    figure, axes = plt.subplots(len(found), 1, figsize=(WIDTH, 1.75 * len(found) + 0.6), squeeze=False)
    rng = np.random.default_rng(0)
    for ax, (name, lost) in zip(axes[:, 0], found.items(), strict=True):
        for row, (values, colour) in enumerate(zip(lost.T, (plots.NEUTRAL, "black"), strict=True)):
            ax.plot(values, row + rng.uniform(-0.25, 0.25, len(values)), "o", color=colour, markersize=5, alpha=0.5,
                    markeredgecolor="white", clip_on=False)  # fmt: skip
            ax.plot([values.mean()] * 2, [row - 0.38, row + 0.38], color=colour, linewidth=3)
            ax.annotate(f" mean {values.mean():,.0f}", (1.0, row), xycoords=("axes fraction", "data"), va="center",
                        fontweight="bold", color=colour, annotation_clip=False)  # fmt: skip
        blind = without_detector(desks[name])[1].total
        ax.axvline(blind, color="black", linestyle=":", linewidth=1.2)
        ax.annotate(f" no detector: {blind:,.0f}", (blind, 1), xycoords=("data", "axes fraction"), va="top")
        points_axis(ax, "x", max(lost.max(), blind))
        ax.set(yticks=[0, 1], yticklabels=["promised", "billed"], ylim=(1.5, -0.9), ylabel=name)
    axes[-1, 0].set_xlabel("points lost on 100 clips")
    return titled(figure, title)


def few_people_figure(tables: Mapping[int, pd.DataFrame], title: str) -> Figure:
    """What lies between the two limits, a line a validation set, for small and large ones.

    Args:
        tables: from `limits_of_sets`, by the number of people.
        title: the figure's one message.
    """
    figure, axes = plt.subplots(len(tables), 1, figsize=(WIDTH, 1.75 * len(tables) + 0.5), sharex=True, squeeze=False)
    for ax, (people, table) in zip(axes[:, 0], tables.items(), strict=True):
        rows = range(len(table))
        ax.hlines(rows, table["real_to"], table["fake_from"], color=plots.NEUTRAL, linewidth=4, alpha=0.5)
        for label, column in enumerate(("real_to", "fake_from")):
            ax.plot(table[column], rows, plots.MARKERS[label], color=plots.COLOURS[label], markersize=6,
                    markeredgecolor="white", clip_on=False)  # fmt: skip
        ax.set(yticks=[], xlim=(0, 1), ylabel=f"{people} people")
        ax.set_title(f"no answer for {table['silent'].mean():.0%} of new people; "
                     f"{table['false_alarms'].mean():.1%} false alarms", fontsize=10, fontweight="normal")  # fmt: skip
    axes[-1, 0].set_xlabel("P(fake): real up to the circle, fake from the cross on, grey “cannot tell”")
    return titled(figure, title)


def bills_figure(found: Mapping[str, Bill], desk: Desk) -> Figure:
    """Bills as bars, of which each part is named; the title says which is the lowest.

    Args:
        found: by the way to decide.
        desk: whose.
    """
    figure, ax = plt.subplots(figsize=(WIDTH, 0.6 * len(found) + 1.1), layout="none")
    figure.subplots_adjust(0.26, 0.24, 0.93, 0.88)
    most = max(max(one.total for one in found.values()), 1e-9)
    for row, one in enumerate(found.values()):
        parts = {"false alarms": (one.alarms, plots.REAL, "//"), "misses": (one.misses, plots.FAKE, "xx"),
                 "looks": (one.looks, plots.NEUTRAL, "")}  # fmt: skip
        start = 0.0
        for name, (value, colour, hatch) in parts.items():
            ax.barh(row, value, left=start, color=colour, alpha=0.45, hatch=hatch, edgecolor="white", height=0.7)
            if value > 0.15 * most:
                ax.text(start + value / 2, row, name, ha="center", va="center", fontweight="bold")
            start += value
        ax.annotate(f" {one.total:,.0f}", (one.total, row), va="center", fontweight="bold", annotation_clip=False)
    ax.set(yticks=range(len(found)), yticklabels=[name.replace(": ", ":\n") for name in found],
           ylim=(len(found) - 0.5, -0.5), xlim=(0, most * 1.05),
           xlabel=f"points lost on 100 clips (a miss {desk.miss:,g}, an alarm {desk.alarm:,g}, a look "
                  f"{desk.look:,g})")  # fmt: skip
    least = min(found, key=lambda name: found[name].total).partition(":")[0]
    return titled(figure, f"The {desk.name}, where {share_text(desk.fakes)} are fake: “{least}” costs least")


def suspects(crops: pd.DataFrame, title: str) -> Figure:
    """Faces, each with the score and the sharpness of the very crop that is shown.

    Args:
        crops: with `file`, `probability_fake` and `sharpness`; all real.
        title: the figure's one message.
    """
    rows = list(crops.itertuples())
    texts = [f"P(fake) {row.probability_fake:.2f}\nsharpness {row.sharpness:.0f}" for row in rows]
    pictures = [plots.face(row.file) for row in rows]
    return plots.images(pictures, texts, title=title, labels=[0] * len(rows), inches=1.7)


def best_of(crops: pd.DataFrame, clips: Sequence[str]) -> pd.DataFrame:
    """Of each of some clips the crop that looks most fake, in the order of the clips."""
    own = crops[crops["clip_id"].isin(clips)]
    chosen = own.loc[own.groupby("clip_id")["probability_fake"].idxmax()].set_index("clip_id")
    return chosen.loc[list(clips)].reset_index()
