"""The figures of lesson 03: what blur takes, whom a threshold takes, what noise and a codec do to the number."""

from collections.abc import Sequence

import cv2
import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from torchfakes_utils.course import plots
from torchfakes_utils.course.lesson_03 import neighbours, verdict
from torchfakes_utils.faces.config import SHARPNESS_THRESHOLD
from torchfakes_utils.language import mark, tr

CONTROLS = (mark("threshold"),)  # of `thrown_away`, as a widget names them
TICKS = (10, 30, 100, 300, 1000)
TICK_LABELS = [str(tick) for tick in TICKS]
# Groups that are neither real nor fake: dark and plain, light and dotted.
GREYS, DOTS = ("#444444", "#AAAAAA"), ("", "...")


def edges_figure(faces: dict[str, np.ndarray], row: int) -> Figure:
    """One line of pixels across each face: where it lies, its grey values, and its second differences.

    Args:
        faces: name to crop (H, W, 3) uint8, of one size.
        row: which line of pixels.
    """
    figure, axes = plt.subplots(
        len(faces), 3, figsize=(7.0, 1.75 * len(faces) + 0.4), width_ratios=(1.5, 2, 2), squeeze=False
    )
    for ax, (name, face) in zip(axes, faces.items(), strict=True):
        picture = cv2.cvtColor(face, cv2.COLOR_RGB2GRAY)
        grey = picture[row].astype(float)
        ax[0].imshow(picture, vmin=0, vmax=255)
        ax[0].axhline(row, color="white", linewidth=1.5, linestyle="--")
        ax[0].set(xticks=[], yticks=[])
        ax[0].set_ylabel(name, fontweight="bold")
        ax[1].plot(grey, color=plots.NEUTRAL, linewidth=1.5)
        ax[1].set(ylim=(0, 255), yticks=[0, 128, 255])
        ax[2].plot(np.diff(grey, 2), color="black", linewidth=1)
    span = max(abs(np.array(ax[2].get_ylim())).max() for ax in axes)
    for ax in axes:
        ax[2].set_ylim(-span, span)
    axes[0, 1].set_title(tr("grey along the line"), fontweight="normal", fontsize=10)
    axes[0, 2].set_title(tr("second difference"), fontweight="normal", fontsize=10)
    axes[-1, 1].set_xlabel(tr("pixel"))
    axes[-1, 2].set_xlabel(tr("pixel"))
    title = tr("Blur takes the sudden changes and leaves the slow ones")
    figure.suptitle(title, x=0.01, ha="left", fontweight="bold", fontsize=11)
    return plots.finish(figure)


def thrown_away(faces: pd.DataFrame, groups: pd.Series, threshold: float) -> Figure:
    """What a threshold would throw away: the histogram by group, the share of each, and crops on either side.

    Args:
        faces: rows of faces.csv with the column `file`.
        groups: a name for each row, such as the photograph that a person was made from.
        threshold: crops with a smaller sharpness go.
    """
    # Every part has its place: to compute a layout would take longer than to draw, and a slider should not wait.
    figure = plt.figure(figsize=(7.0, 5.0), layout="none")
    names = sorted(groups.unique())
    hills(figure.add_axes((0.085, 0.51, 0.46, 0.4)), faces["sharpness"], groups, threshold)
    parts = {name: groups == name for name in names} | {
        plots.NAMES[label]: faces["label"] == label for label in (0, 1) if (faces["label"] == label).any()
    }
    shares = {name: 100 * (faces.loc[rows, "sharpness"] < threshold).mean() for name, rows in parts.items()}
    share_bars(figure.add_axes((0.68, 0.51, 0.3, 0.4)), shares)
    if len(names) == 1:
        shown = neighbours(faces, threshold, 2)
    else:
        shown = [crop for name in names[:2] for crop in neighbours(faces[groups == name], threshold, 1)]
    for column, crop in enumerate(shown):
        if crop is None:
            continue
        ax = figure.add_axes((0.01 + 0.248 * column, 0.01, 0.235, 0.329))
        ax.set(xticks=[], yticks=[])
        ax.imshow(plots.face(crop.file))
        ax.set_title(verdict(crop, threshold), fontsize=10, fontweight="normal")
        for spine in ax.spines.values():
            dash = ("-", "--")[crop.label]
            spine.set(visible=True, color=plots.label_colour(crop.label), linewidth=2.5, linestyle=dash)
    dropped = _dropped((faces["sharpness"] < threshold).groupby(groups).mean())
    said = tr("A threshold of {threshold:g} drops {dropped}", threshold=threshold, dropped=dropped)
    figure.suptitle(said, x=0.01, y=0.985, ha="left", fontsize=11, fontweight="bold")
    return plots.finish(figure)


def _dropped(gone: pd.Series) -> str:
    """Shares, 0 to 1, by the name of their group, as words; of a single group, which has no name worth saying."""
    if len(gone) == 1:
        return tr("{percent:.0f} % of the crops", percent=100 * gone.iloc[0])
    (name, share), *others = gone.items()
    first = tr("{percent:.0f} % of {name}'s crops", percent=100 * share, name=name)
    return ", ".join(
        [first, *(tr("{percent:.0f} % of {name}'s", percent=100 * share, name=name) for name, share in others)]
    )


def hills(ax: Axes, sharpness: pd.Series, groups: pd.Series, threshold: float) -> None:
    """A histogram of sharpness for each group, by the number of crops; a name over each median, a dashed threshold."""
    edges = np.linspace(0.8, 3.3, 44)
    for index, name in enumerate(sorted(groups.unique())):
        values = np.log10(sharpness[groups == name])
        ax.hist(
            values, list(edges), color=GREYS[index % 2], alpha=0.7, histtype="stepfilled", hatch=DOTS[index % 2],
            edgecolor="white" if index % 2 == 0 else "#666666", linewidth=0.5,
        )  # fmt: skip
        ax.text(
            values.median(), 0.97, name, ha="center", va="top", fontweight="bold", color="#222222",
            transform=ax.get_xaxis_transform(), zorder=5,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5},  # the threshold passes behind the name
        )  # fmt: skip
    ax.axvline(np.log10(max(threshold, 1)), color="black", linestyle="--")
    ax.margins(y=0.2)
    ax.set_xticks(np.log10(TICKS), TICK_LABELS)
    ax.set(xlabel=tr("sharpness (log scale)"), ylabel=tr("crops"), xlim=(0.8, 3.3))


def close_up(sharpness: pd.Series, groups: pd.Series, threshold: float = SHARPNESS_THRESHOLD) -> Figure:
    """The blurred hill by itself: how many crops of each group lie where, from 10 to 60."""
    figure, ax = plt.subplots(figsize=(6.4, 2.6))
    names = sorted(groups.unique())
    ax.hist(
        [sharpness[groups == name] for name in names], list(range(10, 61, 2)), stacked=True, histtype="stepfilled",
        color=[GREYS[index % 2] for index in range(len(names))], edgecolor="white",
        hatch=[DOTS[index % 2] for index in range(len(names))], label=names,
    )  # fmt: skip
    ax.axvline(threshold, color="black", linestyle="--")
    ax.axvspan(0.8 * threshold, 1.2 * threshold, color=plots.NEUTRAL, alpha=0.2, linewidth=0, zorder=0)
    ax.legend(frameon=False, loc="upper right")
    ax.set(xlim=(10, 60), xlabel=tr("sharpness"), ylabel=tr("crops"))
    near = int(sharpness.between(0.8 * threshold, 1.2 * threshold).sum())
    said = "{near} crops lie within a fifth of {threshold:g} (grey band)"
    ax.set_title(tr(said, near=near, threshold=threshold))
    return plots.finish(figure)


def share_bars(ax: Axes, shares: dict[str, float]) -> None:
    """Bars of shares in per cent, named at their left; real and fake have their colours, everything else is grey."""
    for row, (name, share) in enumerate(shares.items()):
        label = plots.NAMES.index(name) if name in plots.NAMES else None
        colour = GREYS[row % 2] if label is None else plots.COLOURS[label]
        hatch = DOTS[row % 2] if label is None else plots.HATCHES[label]
        ax.barh(row, share, height=0.7, facecolor=colour, hatch=hatch, edgecolor="white", linewidth=0)
        ax.text(share + 2, row, f"{share:.0f} %", va="center")
    ax.set_yticks(range(len(shares)), list(shares))
    ax.invert_yaxis()
    ax.set(xlim=(0, 128), xticks=[0, 50, 100], xlabel=tr("thrown away, %"))


def noise_figure(
    noise: Sequence[float], sharpness: dict[str, Sequence[float]], threshold: float = SHARPNESS_THRESHOLD
) -> Figure:
    """How the sharpness of pictures grows with the noise in them, and where it passes the threshold."""
    figure, ax = plt.subplots(figsize=(6.4, 3.4))
    plots.curves(ax, noise, sharpness, colours=["black", plots.NEUTRAL, "#999999"][: len(sharpness)])
    ax.axhline(threshold, color=plots.NEUTRAL, linestyle="--", linewidth=1)
    ax.text(
        noise[-1],
        threshold * 0.83,
        tr("threshold {threshold:g}", threshold=threshold),
        ha="right",
        va="top",
        color=plots.NEUTRAL,
    )
    ax.set(yscale="log", xlabel=tr("noise, standard deviation in grey levels"), ylabel=tr("variance of the Laplacian"))
    ax.set_xlim(-0.1, noise[-1] * 1.02)
    ax.set_title(tr("A little noise makes a blurred face pass"))
    return plots.finish(figure)


def codec_figure(both: pd.DataFrame, threshold: float = SHARPNESS_THRESHOLD) -> Figure:
    """The table of `lesson_03.in_both` as a scatter plot."""
    figure, ax = plt.subplots(figsize=(4.6, 4.4))
    ends = (6, 1.4 * max(both["c23"].max(), both["c40"].max()))
    ax.plot(ends, ends, color=plots.NEUTRAL, linestyle=":", linewidth=1)
    ax.text(350, 420, tr("equal"), color=plots.NEUTRAL, rotation=45, ha="center", va="center")
    for label in (0, 1):
        rows = both[both["label"] == label]
        ax.scatter(
            rows["c23"], rows["c40"], s=18, marker=plots.MARKERS[label], color=plots.label_colour(label), alpha=0.6,
            linewidths=0,
        )  # fmt: skip
        ax.text(
            0.03, 0.95 - 0.07 * label, f"{'●✖'[label]} {plots.NAMES[label]}", color=plots.label_colour(label),
            transform=ax.transAxes, fontweight="bold",
        )  # fmt: skip
    ax.axhline(threshold, color=plots.NEUTRAL, linestyle="--", linewidth=1)
    ax.axvline(threshold, color=plots.NEUTRAL, linestyle="--", linewidth=1)
    ax.set(xscale="log", yscale="log", xlim=ends, ylim=ends, aspect="equal")
    ax.set(xlabel=tr("sharpness in c23"), ylabel=tr("sharpness in c40"))
    ax.set_xticks(TICKS, TICK_LABELS)
    ax.set_yticks(TICKS, TICK_LABELS)
    ax.minorticks_off()
    ax.set_title(tr("The codec takes edges, and adds some"))
    return plots.finish(figure)
