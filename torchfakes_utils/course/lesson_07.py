"""What lesson 07 needs beside the package: pairs to look at, drawn regions and masks, its figures and exercises."""

from collections.abc import Callable, Mapping, Sequence

import cv2
import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from torchfakes_utils.course import exercises, plots
from torchfakes_utils.explanation.heat_maps import of_faces, overlay
from torchfakes_utils.explanation.regions import REGIONS
from torchfakes_utils.io.video import spread
from torchfakes_utils.models.detector import Detector


def varied_pairs(faces: pd.DataFrame, count: int = 5) -> pd.DataFrame:
    """Some people, each real and forged in the same frame, with the methods in turn.

    Args:
        faces: rows of faces.csv with the column `file`.
        count: of people; as many as there are, if fewer.

    Returns:
        Rows of `faces`: the real crops first, then, in the same order, a fake of each.
    """
    pairs = plots.face_pairs(faces)
    people, methods = (np.sort(pairs[name].unique()) for name in ("target_id", "method_fake"))
    chosen = []
    for number, person in enumerate(people[spread(count, len(people))]):
        own = pairs[pairs["target_id"] == person]
        # From this person's methods the one whose turn it is, where there is one.
        turn = own[own["method_fake"] == methods[number % len(methods)]]
        own = turn if len(turn) else own
        chosen.append(own.iloc[len(own) // 2])
    files = [pair[f"file_{name}"] for name in plots.NAMES for pair in chosen]
    return faces.set_index("file", drop=False).loc[files].reset_index(drop=True)


def paint_regions(photo: np.ndarray, regions: np.ndarray) -> np.ndarray:
    """A photo (S, S, 3) uint8 with the borders of its regions (S, S) drawn in white, what is outside darkened."""
    painted = np.where((regions == REGIONS.index("outside"))[..., None], photo // 2, photo)
    edge = np.zeros(regions.shape, bool)
    edge[1:] |= regions[1:] != regions[:-1]
    edge[:, 1:] |= regions[:, 1:] != regions[:, :-1]
    painted[edge] = 255
    return painted


def outline(photo: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """A photo (S, S, 3) uint8 with the border of a mask (S, S) bool drawn in the colour of fakes, the rest darkened."""
    edge = cv2.dilate(mask.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool) & ~mask
    drawn = np.where(mask[..., None], photo, photo // 2)
    drawn[edge] = np.round(255 * np.array(to_rgb(plots.FAKE)))
    return drawn


Series = tuple[str, str, str, np.ndarray]


def ratio_figure(rows: Sequence[str], panels: Mapping[str, Sequence[Series]], title: str) -> Figure:
    """Ratios to chance with their intervals: a row a part, a marker a series, a line where chance is.

    Args:
        rows: the parts, from top to bottom.
        panels: side by side on one scale: what each shows, and its series: (name, colour, marker, (K, 3) ratio, low,
            high) of each.
        title: the figure's one message.
    """
    size = (8.4 if len(panels) > 1 else 6.6, 0.52 * len(rows) + 1.5)
    figure, axes = plt.subplots(1, len(panels), figsize=size, sharex=True, sharey=True, squeeze=False)
    ends = np.concatenate([values.ravel() for series in panels.values() for *_, values in series])
    longest = ends[np.isfinite(ends)].max(initial=1)
    for ax, (name, series) in zip(axes[0], panels.items(), strict=True):
        ax.axvline(1, color=plots.NEUTRAL, linestyle="--", linewidth=1)
        ax.annotate(" chance", (1, len(rows) - 0.15), va="bottom", color=plots.NEUTRAL, fontsize=9)
        heights = np.linspace(-0.2, 0.2, len(series)) if len(series) > 1 else [0.0]
        for offset, (label, colour, marker, values) in zip(heights, series, strict=True):
            if np.isnan(values).all():  # every map was dark
                continue
            y = np.arange(len(rows)) + offset
            ax.hlines(y, values[:, 1], values[:, 2], color=colour, linewidth=2)
            ax.plot(values[:, 0], y, marker, color=colour, markersize=9, markeredgecolor="white")
            right = np.nanargmax(values[:, 2])  # the name stands where nothing else does: right of the longest line
            ax.annotate(
                f"  {label}", (values[right, 2], y[right]), va="center", color=colour, fontweight="bold", fontsize=9
            )
        ax.set(
            yticks=range(len(rows)), yticklabels=rows, xlim=(0, 1.25 * longest), ylim=(max(len(rows), 1) - 0.1, -0.5)
        )
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
    """One face: the crop, the heat map as the layer has it, and laid over the crop."""
    row = faces.iloc[[face]]
    photo = plots.face(row["file"].item())
    heat = of_faces(detector, row, target, layer, method)[0]
    grid = cv2.applyColorMap(np.rint(255 * heat).astype(np.uint8), cv2.COLORMAP_INFERNO)[..., ::-1]
    name = "real" if row["label"].item() == 0 else f"fake, {row['method'].item()}"
    titles = [name, f"{method} at {layer}: “{target}”", "laid over the crop"]
    return plots.images([photo, grid, overlay(photo, heat)], titles, inches=2.3)


def as_text(table: pd.DataFrame, value: str) -> pd.Series:
    """A column of a table with its interval, as text; a dash where there is none.

    Args:
        table: with the column `value`, `low` and `high`.
        value: the column's name.
    """
    numbers = table[[value, "low", "high"]].astype(float)
    return pd.Series(
        ["–" if np.isnan(row).any() else "{:.2f} ({:.2f} to {:.2f})".format(*row) for row in numbers.to_numpy()],
        index=table.index,
    )


def agreement_figure(table: pd.DataFrame, measures: Sequence[str], title: str) -> Figure:
    """Agreement of maps with the masks, measure by measure.

    Args:
        table: rows of `mask_agreement.agreement_table` of one method (or "all"); `map`, `measure`, `value`, `low`,
            `high`.
        measures: a panel each.
        title: the figure's one message.
    """
    maps = list(dict.fromkeys(table["map"]))
    figure, axes = plt.subplots(1, len(measures), figsize=(9.4, 0.5 * len(maps) + 1.3), sharey=True, squeeze=False)
    for ax, measure in zip(axes[0], measures, strict=True):
        own = table[table["measure"] == measure].set_index("map")
        for y, name in enumerate(maps):
            value, low, high = own.loc[name, ["value", "low", "high"]].astype(float)
            colour = "black" if name == "trained" else plots.NEUTRAL
            ax.hlines(y, low, high, color=colour, linewidth=2)
            ax.plot(value, y, "X" if name == "trained" else "D", color=colour, markersize=8, markeredgecolor="white")
        ax.set(yticks=range(len(maps)), yticklabels=maps, ylim=(len(maps) - 0.5, -0.5), xlim=(0, 1))
        ax.set_title(measure, fontsize=10, fontweight="normal")
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return plots.finish(figure)


def randomisation_figure(tables: Mapping[str, pd.DataFrame], title: str) -> Figure:
    """How alike maps stay when weights are replaced by random ones, a curve a method.

    Args:
        tables: by the method's name, from `sanity_checks.cascading_randomisation`.
        title: the figure's one message.
    """
    figure, ax = plt.subplots(figsize=(8.0, 3.9))
    for index, (name, table) in enumerate(tables.items()):
        x = np.arange(len(table))
        colour = ("black", plots.NEUTRAL, plots.FAKE)[index % 3]
        if index == 0:
            ax.fill_between(x, table["low"].astype(float), table["high"].astype(float), color=plots.NEUTRAL, alpha=0.2,
                            linewidth=0)  # fmt: skip
        ax.plot(x, table["rank_correlation"].astype(float), marker="os^"[index % 3], color=colour)
        ax.annotate(f"  {name}", (x[-1], table["rank_correlation"].iloc[-1]), va="center", color=colour,
                    fontweight="bold", annotation_clip=False)  # fmt: skip
    ax.axhline(0, color=plots.NEUTRAL, linestyle=":", linewidth=1)
    ax.set_xticks(x, [text.removesuffix(" to head") for text in table["changed"]], rotation=20, ha="right")
    lowest = np.nanmin(np.concatenate([table["low"].to_numpy(float) for table in tables.values()]), initial=-0.35)
    ax.set(ylabel="rank correlation with\nthe trained network's map", ylim=(lowest - 0.05, 1.05),
           xlabel="random weights from the answer down to here")  # fmt: skip
    ax.set_title(title)
    return plots.finish(figure)


# --- exercises


@exercises.check
def check_weights(weights: Callable[[np.ndarray], np.ndarray | None]) -> None:
    """Try a learner's weights of Grad-CAM on gradients whose answer is known.

    Args:
        weights: gets (C, H, W), gives (C,).
    """
    gradient = np.random.default_rng(0).normal(size=(5, 4, 6))
    found = exercises.attempt(weights, gradient.copy())
    if found is None:
        print("Not attempted yet: your function returns nothing.")
        return
    found = np.asarray(found, float)
    if found.shape != (5,):
        print(f"One number a channel is wanted, (5,), and yours is {found.shape}: over which axes did you average?")
    elif np.allclose(found, gradient.mean(axis=(1, 2))):
        print("Right. Two lines of code, and three years of papers follow from them.")
    elif np.allclose(found, gradient.sum(axis=(1, 2))):
        print(
            "That is the sum. Stretched to its maximum the map is the same; but compare two layers of different size."
        )
    elif np.allclose(found, np.maximum(gradient, 0).mean(axis=(1, 2))):
        print(
            "You cut off the negative gradients. Then nothing can speak against the target; that is a guided variant."
        )
    elif np.allclose(found, np.abs(gradient).mean(axis=(1, 2))):
        print("With absolute values a channel that speaks against the target counts as one that speaks for it.")
    else:
        print("Not yet. The mean of the gradient over all places, channel by channel.")


@exercises.check
def check_pointing(pointing: Callable[[np.ndarray, np.ndarray], float | None]) -> None:
    """Try a learner's pointing game on maps whose answer is known.

    Args:
        pointing: gets a map (H, W) and a mask (H, W) bool; gives 1 where the hottest place lies inside, else 0, and NaN
            for a dark map.
    """
    mask = np.zeros((6, 8), bool)
    mask[1:3, 5:7] = True
    inside, outside = np.zeros((6, 8)), np.zeros((6, 8))
    inside[2, 6], inside[4:, :4] = 1, 0.9  # hottest inside, most of the heat outside
    outside[2, 5:7], outside[5, 0] = 0.9, 1
    found = [exercises.attempt(pointing, heat, mask) for heat in (inside, outside, np.zeros((6, 8)))]
    if all(value is None for value in found):
        print("Not attempted yet: your function returns nothing.")
        return
    first, second, dark = (np.nan if value is None else float(value) for value in found)
    if (first, second) == (1, 0) and np.isnan(dark):
        print("Right, and a dark map is no miss: it did not point at all.")
    elif (first, second) == (1, 0):
        print(
            "The pointing is right. But a dark map points nowhere: argmax of zeros is the upper left corner. Give NaN."
        )
    elif (first, second) == (0, 1):
        print("Turned round: row and column, or inside and outside?")
    elif 0 < first < 1:
        print("That is the share of heat inside, which is another measure. Here only the hottest place counts.")
    else:
        print("Not yet. Where is the map at its maximum, and is the mask true there?")
