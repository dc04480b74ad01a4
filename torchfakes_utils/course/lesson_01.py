"""Figures of lesson 01: one pair's forgeries, who lent whom a face, what compression leaves of a forgery."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import FancyArrowPatch
from numpy.typing import NDArray

from torchfakes_utils.course import plots
from torchfakes_utils.datasets.faceforensics import find_mask
from torchfakes_utils.errors import InputError
from torchfakes_utils.faces.detection import square_crop
from torchfakes_utils.io.video import read_frames

Image = NDArray[np.uint8]

# Splits have colours of their own (Okabe and Ito's green and purple), since blue and vermilion mean real and fake here;
# and each its shape, since colour never stands alone.
SPLIT_COLOURS = {"train": plots.NEUTRAL, "val": "#CC79A7", "test": "#009E73", "": "#DDDDDD"}
SPLIT_SHAPES = {"train": "o", "val": "D", "test": "s", "": "o"}
REENACTED = ("Face2Face", "NeuralTextures")  # the source lends an expression; in the other methods, a face
SHOWN = 200  # px, edge of a picture of a face


def frame(root: Path | str, path: str, index: int) -> Image:
    """One frame of a video of the data set, (H, W, 3) uint8 RGB; its last one where it is shorter."""
    try:
        found: Image = read_frames(Path(root) / path, [index])[1][0]
    except InputError:
        found = read_frames(Path(root) / path)[1][-1]
    return found


def masked_box(mask: Image) -> tuple[int, int, int, int] | None:
    """x1, y1, x2, y2 round the white pixels of a mask (H, W) or (H, W, 3); None where all is black."""
    rows, columns = np.nonzero((mask if mask.ndim == 2 else mask[..., 0]) > 127)
    return None if not len(rows) else (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)


def change(fake: Image, target: Image) -> NDArray[np.float64]:
    """By how many grey levels each pixel of a fake differs from its target's, (H, W) float: the mean over colours."""
    difference: NDArray[np.float64] = np.abs(fake.astype(float) - target.astype(float)).mean(axis=-1)
    return difference


def fakes_of(clips: pd.DataFrame, target: str, compression: str) -> pd.DataFrame:
    """The rows of clips.csv in which `target` was forged, one a method."""
    chosen = clips[(clips["label"] == 1) & (clips["target_id"] == target) & (clips["compression"] == compression)]
    return chosen.drop_duplicates("method")


def real_of(clips: pd.DataFrame, person: str, compression: str) -> pd.Series:
    """The row of a person's own clip.

    Raises:
        InputError: it is not there.
    """
    chosen = clips[(clips["label"] == 0) & (clips["target_id"] == person) & (clips["compression"] == compression)]
    if chosen.empty:
        raise InputError(f"no real clip of {person} in {compression}; it was not downloaded")
    return chosen.iloc[0]


def has_mask(root: Path | str, clips: pd.DataFrame) -> list[bool]:
    """For each clip, whether there is a mask of it."""
    return [find_mask(root, clip) is not None for clip in clips.to_dict("records")]


def family_figure(root: Path | str, clips: pd.DataFrame, target: str, compression: str, index: int = 20) -> Figure:
    """Target and source, then each method's fake above its mask: all of one frame, cut round the faces.

    Args:
        root: the data set's folder.
        clips: clips.csv.
        target: id of the person whose clip was forged.
        compression: such as "c23".
        index: which frame.
    """
    fakes = fakes_of(clips, target, compression)
    source = fakes["source_id"].iloc[0]
    masks = [_mask(root, row, index) for row in fakes.to_dict("records")]
    back = [_mask(root, row, index) for row in fakes_of(clips, source, compression).to_dict("records")]
    # A mask says where its target's face is; for the source's face ask the masks of the opposite direction.
    cut, cut_source = _cutter(masks), _cutter(back)
    pictures = [cut(frame(root, real_of(clips, target, compression)["path"], index))]
    pictures += [cut(frame(root, path, index)) for path in fakes["path"]]
    pictures += [cut_source(frame(root, real_of(clips, source, compression)["path"], index))]
    pictures += [np.full((SHOWN, SHOWN, 3), 255, np.uint8) if mask is None else cut(mask) for mask in masks]
    titles = [f"target {target}", *fakes["method"], f"source {source}", *(["its mask"] * len(masks))]
    figure, axes = plt.subplots(2, 1 + len(fakes), figsize=(1.75 * (1 + len(fakes)), 4.3))
    labels = [0, *fakes["label"], 0, *([None] * len(masks))]
    for ax, picture, title, label in zip(axes.flat, pictures, titles, labels, strict=True):
        _show(ax, picture, title, label)
    _say(figure, f"One frame of {target}, forged {len(fakes)} ways after {source}, and where")
    return plots.finish(figure)


def forgery_figure(
    root: Path | str, clips: pd.DataFrame, target: str, method: str, compression: str, index: int = 20
) -> Figure:
    """Target, source, fake, and where the fake differs from its target, with the mask's outline; whole frames.

    Args:
        root: the data set's folder.
        clips: clips.csv.
        target: id of the person whose clip was forged.
        method: such as "FaceSwap".
        compression: such as "c23".
        index: which frame.
    """
    fakes = fakes_of(clips, target, compression)
    if method not in set(fakes["method"]):
        raise InputError(f"no {method} of {target} in {compression}; it was not downloaded")
    row = fakes[fakes["method"] == method].iloc[0]
    real = frame(root, real_of(clips, target, compression)["path"], index)
    fake, mask = frame(root, row["path"], index), _mask(root, row, index)
    figure, axes = plt.subplots(1, 4, figsize=(9.2, 2.75))
    lender = row["source_id"]
    _show(axes[0], real, f"target {target}", 0)
    _show(axes[1], frame(root, real_of(clips, lender, compression)["path"], index), f"source {lender}", 0)
    _show(axes[2], fake, f"{method} {row['clip_id']}", 1)
    _show(axes[3], change(fake, real), "|fake − target|, and mask", None, vmin=0, vmax=40)
    if mask is not None:
        axes[3].contour(mask[..., 0], [127], colors=plots.FAKE, linewidths=1.2, linestyles="--")
    story = f"{lender} moves the face of {target}" if method in REENACTED else f"{target} wears the face of {lender}"
    _say(figure, f"{row['clip_id']}: {story} ({compression})")
    return plots.finish(figure)


def compression_figure(root: Path | str, clips: pd.DataFrame, target: str, method: str, index: int = 20) -> Figure:
    """Target, fake and their difference, one row a compression, cut round the face."""
    compressions = sorted(set(clips["compression"]))
    figure, axes = plt.subplots(len(compressions), 3, figsize=(6.8, 2.2 * len(compressions) + 0.4), squeeze=False)
    for row, compression in zip(axes, compressions, strict=True):
        fakes = fakes_of(clips, target, compression)
        clip = fakes[fakes["method"] == method].iloc[0]
        cut = _cutter([_mask(root, other, index) for other in fakes.to_dict("records")], scale=1.5)
        real = cut(frame(root, real_of(clips, target, compression)["path"], index))
        fake = cut(frame(root, clip["path"], index))
        _show(row[0], real, f"{target}, {compression}", 0)
        _show(row[1], fake, f"{method}, {compression}", 1)
        _show(row[2], change(fake, real), f"|fake − target|, {compression}", None, vmin=0, vmax=40)
    _say(figure, "c40 drowns the forger's trace in the codec's own")
    return plots.finish(figure)


def draw_islands(
    ax: Axes,
    islands: Sequence[Sequence[str]],
    arrows: Iterable[tuple[str, str, str]],
    side: Mapping[str, str],
    columns: int = 4,
    same: Iterable[tuple[str, str]] = (),
) -> None:
    """People as shapes, loans of a face as arrows from source to target, on the colours of their splits.

    Args:
        ax: where to draw.
        islands: groups of ids; each is drawn as a row of its own place.
        arrows: (source, target, split of the fake clip); those to people who are not drawn are left out.
        side: the split of each person's own clip.
        columns: how many islands side by side.
        same: pairs of ids filmed in one video, joined by a dotted line.
    """
    width = max(len(island) for island in islands) + 0.6
    places = {
        name: ((number % columns) * width + step, -(number // columns))
        for number, island in enumerate(islands)
        for step, name in enumerate(island)
    }
    for source, target, split in arrows:
        if source not in places or target not in places:
            continue  # not all islands are drawn
        ax.add_patch(
            FancyArrowPatch(
                places[source], places[target], connectionstyle="arc3,rad=-0.32", arrowstyle="-|>", mutation_scale=11,
                shrinkA=9, shrinkB=9, color=SPLIT_COLOURS[split], linewidth=1.8,
            )
        )  # fmt: skip
    for first, second in same:
        ax.plot(*zip(places[first], places[second], strict=True), color="black", linestyle=":", linewidth=1.6, zorder=0)
    for name, (x, y) in places.items():
        split = side.get(name, "")  # a real clip may not have been downloaded
        ax.plot(x, y, SPLIT_SHAPES[split], color=SPLIT_COLOURS[split], markersize=14 if split == "val" else 17)
        ax.text(x, y - 0.02, name, ha="center", va="center", color="white", fontsize=7, fontweight="bold")
    rows = -(-len(islands) // columns)
    ax.set(xlim=(-0.6, columns * width - 1), ylim=(-rows + 0.45, 0.5), xticks=[], yticks=[])
    ax.spines[:].set_visible(False)


def islands_figure(
    islands: Sequence[Sequence[str]], panels: Mapping[str, tuple[Iterable[tuple[str, str, str]], Mapping[str, str]]]
) -> Figure:
    """The same people under several ways of splitting, one panel each: title to (arrows, side)."""
    rows = -(-len(islands) // 4)
    figure, axes = plt.subplots(1, len(panels), figsize=(4.6 * len(panels), 0.62 * rows + 0.9), squeeze=False)
    for ax, (title, (arrows, side)) in zip(axes[0], panels.items(), strict=True):
        draw_islands(ax, islands, arrows, side)
        ax.set_title(title)
    figure.legend(handles=split_key(), loc="outside lower center", ncols=3, handletextpad=0.2)
    figure.set_layout_engine("constrained", wspace=0.08)
    return plots.finish(figure)


def split_key() -> list[Line2D]:
    """What the shapes and colours of `draw_islands` stand for."""
    return [
        Line2D([], [], marker=SPLIT_SHAPES[split], color=SPLIT_COLOURS[split], linestyle="", markersize=9, label=split)
        for split in ("train", "val", "test")
    ]


def leak_figure(shares: pd.DataFrame) -> Figure:
    """Bars of the share of test fakes that show somebody from training; one group a way of splitting.

    Args:
        shares: ways of splitting as index, data sets as columns, values from 0 to 1.
    """
    figure, ax = plt.subplots(figsize=(7.0, 0.75 * len(shares) + 0.5))
    thick = 0.8 / shares.shape[1]
    for number, name in enumerate(shares.columns):
        for place, share in enumerate(shares[name]):
            y = place + (number - (shares.shape[1] - 1) / 2) * thick
            ax.barh(y, share, thick * 0.9, color=plots.NEUTRAL, alpha=1 - 0.5 * number, hatch=("", "///")[number % 2])
            ax.text(share + 0.01, y, f"{share:.0%}  {name}", va="center", fontsize=9)
    ax.set(yticks=range(len(shares)), yticklabels=shares.index, xlim=(0, 1.3), xticks=[])
    ax.spines[["left", "bottom"]].set_visible(False)
    ax.tick_params(length=0)
    ax.invert_yaxis()
    ax.set_title("Test fakes that show somebody the training clips show too")
    return plots.finish(figure)


def _mask(root: Path | str, clip: Mapping[str, str], index: int) -> Image | None:
    """The mask of a clip's frame, (H, W, 3) uint8; None where there is none, or it was not downloaded."""
    path = find_mask(root, clip)
    return None if path is None else frame(path.parent, path.name, index)


def _cutter(masks: Sequence[Image | None], scale: float = 2.1) -> Callable[[Image], Image]:
    """A function that cuts a square round all that some masks cover; where they cover nothing, it cuts the middle."""
    present = [mask for mask in masks if mask is not None]
    box = masked_box(np.max(present, axis=0)) if present else None

    def cut(picture: Image) -> Image:
        height, width = picture.shape[:2]
        middle = (width / 2 - height / 2, 0, width / 2 + height / 2, height)
        return square_crop(picture, box or middle, scale if box else 1.0, SHOWN)[0]

    return cut


def _show(ax: Axes, picture: NDArray[Any], title: str, label: int | None, **scale: Any) -> None:
    """A picture with a title above and, where it is a face, a frame: solid for real, dashed for fake."""
    ax.imshow(picture, **scale)
    ax.set(xticks=[], yticks=[])
    ax.set_title(title, fontsize=9, fontweight="normal")
    for spine in ax.spines.values():
        spine.set_visible(label is not None)
        if label is not None:
            spine.set(color=plots.COLOURS[label], linewidth=2.5, linestyle=("-", "--")[label])


def _say(figure: Figure, message: str) -> None:
    figure.suptitle(message, x=0.01, ha="left", fontsize=11, fontweight="bold")
