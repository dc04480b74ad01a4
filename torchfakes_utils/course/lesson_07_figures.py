"""The figures of lesson 07: one message each, readable at 700 pixels."""

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from torchfakes_utils.course import plots
from torchfakes_utils.course.lesson_07 import glow
from torchfakes_utils.explanation.heat_maps import of_faces
from torchfakes_utils.explanation.regions import REGIONS
from torchfakes_utils.models.detector import Detector

Series = tuple[str, str, str, np.ndarray]


def outline(photo: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """A photo (S, S, 3) uint8 with the border of a mask (S, S) bool drawn in the colour of fakes, white round it."""
    drawn = photo.copy()
    for width, colour in ((5, (1.0, 1.0, 1.0)), (3, to_rgb(plots.FAKE))):
        edge = cv2.dilate(mask.astype(np.uint8), np.ones((width, width), np.uint8)).astype(bool) & ~mask
        drawn[edge] = np.round(255 * np.array(colour))
    return drawn


def regions_figure(photos: Sequence[np.ndarray], regions: Sequence[np.ndarray], title: str) -> Figure:
    """Faces with the borders of their regions, each region named inside it.

    Args:
        photos: (S, S, 3) uint8.
        regions: (S, S) indices into `REGIONS`, one a photo.
        title: the figure's one message.
    """
    figure, axes = plt.subplots(1, len(photos), figsize=(3.2 * len(photos), 3.6), squeeze=False)
    for ax, photo, region in zip(axes[0], photos, regions, strict=True):
        ax.imshow(photo)
        ax.set(xticks=[], yticks=[])
        for index, name in enumerate(REGIONS):
            inside = region == index
            if not inside.any():
                continue
            ax.contour(inside, [0.5], colors="white", linewidths=1.5)
            y, x = np.argwhere(inside).mean(axis=0)
            if name == "outside":  # its middle is the face
                x, y = 0.02 * len(photo), 0.05 * len(photo)
            elif name == "cheeks":  # one on either side: the left one is named
                x = np.argwhere(inside & (np.arange(len(photo)) < x))[:, 1].mean()
            ax.text(
                x, y, name, color="black", fontsize=10, va="center", ha="left" if name == "outside" else "center",
                path_effects=[withStroke(linewidth=3, foreground="white")],
            )  # fmt: skip
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return plots.finish(figure)


def ratio_figure(rows: Sequence[str], panels: Mapping[str, Sequence[Series]], title: str) -> Figure:
    """Ratios to chance with their intervals: a row a part, a marker a series, a line where chance is.

    Args:
        rows: the parts, from top to bottom.
        panels: side by side on one scale: what each shows, and its series: (name, colour, marker, (K, 3) ratio, low,
            high) of each.
        title: the figure's one message.
    """
    figure, axes = plt.subplots(
        1, len(panels), figsize=(7.0, 0.55 * len(rows) + 1.5), sharex=True, sharey=True, squeeze=False
    )
    ends = np.concatenate([values.ravel() for series in panels.values() for *_, values in series])
    longest = ends[np.isfinite(ends)].max(initial=1)
    for ax, (name, series) in zip(axes[0], panels.items(), strict=True):
        ax.axvline(1, color=plots.NEUTRAL, linestyle="--", linewidth=1)
        ax.annotate(" even glow", (1, len(rows) - 0.15), va="bottom", color=plots.NEUTRAL)
        heights = np.linspace(-0.2, 0.2, len(series)) if len(series) > 1 else [0.0]
        for offset, (label, colour, marker, values) in zip(heights, series, strict=True):
            if np.isnan(values).all():  # every map was dark
                continue
            y = np.arange(len(rows)) + offset
            ax.hlines(y, values[:, 1], values[:, 2], color=colour, linewidth=2)
            ax.plot(values[:, 0], y, marker, color=colour, markersize=9, markeredgecolor="white")
            right = np.nanargmax(values[:, 2])  # the name stands where nothing else does: right of the longest line
            ax.annotate(f" {label}", (values[right, 2], y[right]), va="center", color=colour, fontweight="bold")
        ax.set(yticks=range(len(rows)), yticklabels=rows, xlim=(0, 1.6 * longest), ylim=(max(len(rows), 1) - 0.1, -0.6))
        ax.set_title(name, fontsize=10, fontweight="normal")
        ax.set_xlabel("share of heat ÷ share of area")
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return plots.finish(figure)


def heat_map_figure(
    detector: Detector,
    faces: pd.DataFrame,
    face: int = 0,
    layer: str | None = None,
    method: str = "grad-cam",
    target: str = "fake",
) -> Figure:
    """One face: the crop, the heat map by itself, and laid over the crop."""
    row = faces.iloc[[face]]
    photo = plots.face(row["file"].item())
    heat = of_faces(detector, row, target, layer, method)[0]
    grid = cv2.applyColorMap(np.rint(255 * heat).astype(np.uint8), cv2.COLORMAP_INFERNO)[..., ::-1]
    name = "real" if row["label"].item() == 0 else f"fake, {row['method'].item()}"
    titles = [name, f"{method} at {layer}", f"pointed to “{target}”" if heat.max() > 0 else f"“{target}”: dark"]
    return plots.images([photo, grid, glow(photo, heat)], titles, inches=2.2)


def inside_figure(table: pd.DataFrame, title: str) -> Figure:
    """The share of the heat inside the mask, by method of forgery: the trained map's beside other maps'.

    Args:
        table: rows of `mask_agreement.agreement_table` of one measure; `method`, `map`, `value`, `low`, `high`.
        title: the figure's one message.
    """
    methods = [*(name for name in dict.fromkeys(table["method"]) if name != "all"), "all"]
    maps = list(dict.fromkeys(table["map"]))
    found = table.set_index(["method", "map"])[["value", "low", "high"]].astype(float)
    figure, ax = plt.subplots(figsize=(7.0, 0.6 * len(methods) + 1.1))
    for offset, name, colour, marker in zip(
        np.linspace(-0.2, 0.2, len(maps)), maps, ("black", plots.NEUTRAL, plots.NEUTRAL), "oDs", strict=False
    ):
        values = np.array([found.loc[(method, name)] for method in methods])
        y = np.arange(len(methods)) + offset
        ax.hlines(y, values[:, 1], values[:, 2], color=colour, linewidth=2)
        ax.plot(values[:, 0], y, marker, color=colour, markersize=8, markeredgecolor="white")
        right = np.nanargmax(values[:, 2])
        ax.annotate(f" {name}", (values[right, 2], y[right]), va="center", color=colour, fontweight="bold")
    ax.set(yticks=range(len(methods)), yticklabels=methods, ylim=(len(methods) - 0.5, -0.5), xlim=(0, 1),
           xlabel="share of the heat that lies inside the mask")  # fmt: skip
    ax.set_title(title)
    return plots.finish(figure)


def randomisation_figure(tables: Mapping[str, pd.DataFrame], title: str) -> Figure:
    """How alike maps stay when weights are replaced by random ones, a curve a method, an interval at each point.

    Args:
        tables: by the method's name, from `sanity_checks.cascading_randomisation`.
        title: the figure's one message.
    """
    figure, ax = plt.subplots(figsize=(7.0, 3.9))
    for index, (name, table) in enumerate(tables.items()):
        colour, marker, shift = (("black", "o", -0.06), (plots.NEUTRAL, "s", 0.06))[index % 2]
        x = np.arange(len(table)) + shift
        values, low, high = (table[column].to_numpy(float) for column in ("rank_correlation", "low", "high"))
        ax.vlines(x, low, high, color=colour, linewidth=1.5, alpha=0.6)
        ax.plot(x, values, marker=marker, color=colour)
        ax.annotate(f"  {name}", (x[-1], values[-1]), va="center", color=colour, fontweight="bold",
                    annotation_clip=False)  # fmt: skip
    ax.axhline(0, color=plots.NEUTRAL, linestyle=":", linewidth=1)
    changed = next(iter(tables.values()))["changed"]
    ax.set_xticks(range(len(changed)), [text.removesuffix(" to head") for text in changed], rotation=30, ha="right")
    lowest = np.nanmin(np.concatenate([table["low"].to_numpy(float) for table in tables.values()]), initial=-0.35)
    ax.set(ylabel="rank correlation with\nthe trained network's map", ylim=(lowest - 0.05, 1.05),
           xlabel="random weights from the answer down to here")  # fmt: skip
    ax.set_title(title)
    return plots.finish(figure)
