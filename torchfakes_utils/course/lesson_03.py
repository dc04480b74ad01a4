"""What lesson 03 needs beside the package: crops to look at, what a threshold throws away, one face in two codecs."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from torchfakes_utils.course import plots
from torchfakes_utils.crops.table import limit_frames
from torchfakes_utils.datasets.mini.config import MINI_FILE
from torchfakes_utils.errors import InputError
from torchfakes_utils.faces.config import SHARPNESS_THRESHOLD
from torchfakes_utils.faces.detection import square_crop
from torchfakes_utils.faces.quality import rejection_table, variance_of_laplacian
from torchfakes_utils.io.tables import CLIP_KEY
from torchfakes_utils.io.video import read_frames

TICKS = (10, 30, 100, 300, 1000)
TICK_LABELS = [str(tick) for tick in TICKS]


def changing_clip(faces: pd.DataFrame, count: int = 4) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Frames of the original whose sharpness changes most, from sharp to blurred, and a fake of the same frames.

    Args:
        faces: rows of faces.csv with the column `file`.
        count: how many frames.

    Returns:
        The rows of the original and of the fake, frame by frame the same.
    """
    pairs = plots.face_pairs(faces)
    real = faces[(faces["label"] == 0) & faces["target_id"].isin(pairs["target_id"])]
    person = real.groupby("target_id")["sharpness"].agg(lambda values: values.max() / values.min()).idxmax()
    pairs = pairs[(pairs["target_id"] == person) & (pairs["method_fake"] == pairs["method_fake"].min())]
    by_file = faces.set_index("file", drop=False)
    pairs = pairs.assign(sharpness=by_file.loc[pairs["file_real"], "sharpness"].to_numpy())
    ranked = pairs.sort_values("sharpness", ascending=False)
    chosen = ranked.iloc[np.linspace(0, len(ranked) - 1, count).round().astype(int)]
    return by_file.loc[chosen["file_real"]], by_file.loc[chosen["file_fake"]]


def edges_figure(faces: dict[str, np.ndarray], row: int) -> Figure:
    """One line of pixels across each face: where it lies, its grey values, and its second differences.

    Args:
        faces: name to crop (H, W, 3) uint8, of one size.
        row: which line of pixels.
    """
    import cv2

    figure, axes = plt.subplots(
        len(faces), 3, figsize=(8.4, 1.75 * len(faces) + 0.3), width_ratios=(1.1, 2, 2), squeeze=False
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
    axes[0, 1].set_title("grey along the line", fontweight="normal", fontsize=10)
    axes[0, 2].set_title("right + left - twice the middle", fontweight="normal", fontsize=10)
    axes[-1, 1].set_xlabel("pixel")
    axes[-1, 2].set_xlabel("pixel")
    title = "Blur takes the sudden changes and leaves the slow ones"
    figure.suptitle(title, x=0.01, ha="left", fontweight="bold", fontsize=11)
    return plots.finish(figure)


def thrown_away(faces: pd.DataFrame, threshold: float, crops: bool = True) -> Figure:
    """What a threshold would throw away: the histogram by class, the share of each method, crops on either side.

    Args:
        faces: rows of faces.csv with the column `file`.
        threshold: crops with a smaller sharpness go.
        crops: show, below, the two last crops that go and the two first that stay.
    """
    figure = plt.figure(figsize=(9.4, 4.9 if crops else 2.8))
    grid = figure.add_gridspec(2 if crops else 1, 4, height_ratios=(1.35, 1) if crops else None)
    left = figure.add_subplot(grid[0, :2])
    plots.histogram(left, np.log10(faces["sharpness"]), faces["label"], 40, np.log10(max(threshold, 1)))
    left.set_xticks(np.log10(TICKS), TICK_LABELS)
    left.set(xlabel="variance of the Laplacian (each step is a factor)", xlim=(0.8, 3.2))
    gone = int((faces["sharpness"] < threshold).sum())
    left.set_title(f"Below {threshold:g}: {gone} of {len(faces)} crops")
    share_bars(figure.add_subplot(grid[0, 2:]), faces, threshold)
    for column, neighbour in enumerate(neighbours(faces, threshold, 2) if crops else []):
        ax = figure.add_subplot(grid[1, column])
        ax.set(xticks=[], yticks=[])
        if neighbour is None:
            ax.axis("off")
            continue
        ax.imshow(plots.face(neighbour.file))
        ax.set_title(verdict(neighbour, threshold), fontsize=9, fontweight="normal")
        for spine in ax.spines.values():
            dash = ("-", "--")[neighbour.label]
            spine.set(visible=True, color=plots.label_colour(neighbour.label), linewidth=2.5, linestyle=dash)
    return plots.finish(figure)


def either_side(faces: pd.DataFrame, threshold: float, count: int = 3) -> Figure:
    """The last `count` crops that a threshold throws away, and the first that it keeps, one a clip."""
    shown = [crop for crop in neighbours(faces, threshold, count) if crop is not None]
    return plots.images(
        [plots.face(crop.file) for crop in shown],
        [verdict(crop, threshold) for crop in shown],
        labels=[crop.label for crop in shown],
        title=f"Just below {threshold:g}, and just above",
    )


def neighbours(faces: pd.DataFrame, threshold: float, count: int) -> list[Any]:
    """The `count` crops just below a threshold, one a clip, then those just above; None where there are no more."""
    below = faces[faces["sharpness"] < threshold].sort_values("sharpness", ascending=False)
    above = faces[faces["sharpness"] >= threshold].sort_values("sharpness")
    sides = [list(side.drop_duplicates(CLIP_KEY).head(count).itertuples()) for side in (below, above)]
    return [crop for side in sides for crop in [*side, *[None] * (count - len(side))]]


def verdict(crop: Any, threshold: float) -> str:
    """What the threshold does with a crop, a row from `neighbours`, in a few words to stand above it."""
    return f"{'goes' if crop.sharpness < threshold else 'stays'}: {crop.sharpness:.1f}, {plots.NAMES[crop.label]}"


def share_bars(ax: Axes, faces: pd.DataFrame, threshold: float) -> None:
    """The share of each method's crops that a threshold would throw away, as bars."""
    table = rejection_table(faces, threshold).groupby(["label", "method"], as_index=False)[["crops", "rejected"]].sum()
    share = 100 * table["rejected"] / table["crops"]
    names = [f"{row.method} ({plots.NAMES[row.label]})" if row.label == 0 else row.method for row in table.itertuples()]
    bars = ax.barh(names, share, height=0.7)
    for bar, label, value in zip(bars, table["label"], share, strict=True):
        bar.set(facecolor=plots.label_colour(label), hatch=plots.HATCHES[label], edgecolor="white", linewidth=0)
        ax.text(value + 1, bar.get_y() + 0.35, f"{value:.0f} %", va="center")
    ax.invert_yaxis()
    ax.set(xlim=(0, 108), xlabel="thrown away, % of its crops")
    ax.set_title("From whom")


def noise_figure(
    noise: Sequence[float], sharpness: dict[str, Sequence[float]], threshold: float = SHARPNESS_THRESHOLD
) -> Figure:
    """How the sharpness of pictures grows with the noise in them, and where it passes the threshold."""
    figure, ax = plt.subplots(figsize=(6.4, 3.4))
    plots.curves(ax, noise, sharpness, colours=["black", plots.NEUTRAL, "#999999"][: len(sharpness)])
    ax.axhline(threshold, color=plots.NEUTRAL, linestyle="--", linewidth=1)
    ax.text(noise[-1], threshold * 0.83, f"threshold {threshold:g}", ha="right", va="top", color=plots.NEUTRAL)
    ax.set(yscale="log", xlabel="noise, standard deviation in grey levels", ylabel="variance of the Laplacian")
    ax.set_xlim(-0.1, noise[-1] * 1.02)
    ax.set_title("A little noise makes a blurred face pass")
    return plots.finish(figure)


def cut_again(row: pd.Series, clips: pd.DataFrame, data: Path | str, compression: str, size: int = 160) -> np.ndarray:
    """The crop of a row of faces.csv, cut once more: at another size, or from another compression of its clip.

    Args:
        row: one row of faces.csv.
        clips: clips.csv.
        data: the folder that the paths of `clips` are relative to.
        compression: "c23" or "c40".
        size: edge of the result, pixels.

    Raises:
        InputError: the clip is not there in that compression.
    """
    key = (clips["clip_id"] == row["clip_id"]) & (clips["method"] == row["method"])
    found = clips[key & (clips["compression"] == compression)]
    if found.empty:
        raise InputError(f"{row['method']}/{row['clip_id']}: not there in {compression}; download that as well")
    _, frames = read_frames(Path(data) / found["path"].iloc[0], [row["frame"]])
    return square_crop(frames[0], row[["x1", "y1", "x2", "y2"]].to_numpy(float), scale=1.0, size=size)[0]


def in_both(faces: pd.DataFrame, clips: pd.DataFrame, data: Path | str, per_clip: int = 2) -> pd.DataFrame:
    """Sharpness of the same crops in c23 and in c40: rows of `faces` with the columns `c23` and `c40`."""
    some = limit_frames(faces, per_clip)
    heavy = [variance_of_laplacian(cut_again(row, clips, data, "c40")) for _, row in some.iterrows()]
    return some.assign(c23=some["sharpness"], c40=heavy)


def codec_figure(both: pd.DataFrame, threshold: float = SHARPNESS_THRESHOLD) -> Figure:
    """The table of `in_both` as a scatter plot."""
    figure, ax = plt.subplots(figsize=(4.6, 4.4))
    ends = (6, 1.4 * max(both["c23"].max(), both["c40"].max()))
    ax.plot(ends, ends, color=plots.NEUTRAL, linestyle=":", linewidth=1)
    ax.text(350, 420, "equal", color=plots.NEUTRAL, rotation=45, ha="center", va="center")
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
    ax.set(xlabel="sharpness in c23", ylabel="sharpness in c40")
    ax.set_xticks(TICKS, TICK_LABELS)
    ax.set_yticks(TICKS, TICK_LABELS)
    ax.minorticks_off()
    ax.set_title("The codec takes edges, and adds some")
    return plots.finish(figure)


def portraits(data: Path | str) -> dict[str, str]:
    """Which of the two photographs each person of Mini-FF++ was made from; empty for another data set."""
    manifest = Path(data) / MINI_FILE
    if not manifest.is_file():
        return {}
    return {person["id"]: person["portrait"] for person in json.loads(manifest.read_text())["people"]}
