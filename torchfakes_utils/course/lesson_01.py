"""Figures of lesson 01 that show faces: one pair's forgeries, and what compression leaves of a forgery."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import patheffects
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from torchfakes_utils.course import plots
from torchfakes_utils.course.lesson_01_exercises import ISLANDS, LEAKS, READ_NAME
from torchfakes_utils.course.lesson_01_islands import draw_islands, islands_figure, leak_figure, split_key
from torchfakes_utils.datasets import split_files
from torchfakes_utils.datasets.faceforensics import find_mask
from torchfakes_utils.datasets.splits import read_splits
from torchfakes_utils.errors import InputError
from torchfakes_utils.faces.detection import square_crop
from torchfakes_utils.io.tables import CLIP_COLUMNS
from torchfakes_utils.io.video import read_frames

# In the modules beside this one; the notebook calls all by this one's name.
__all__ = ["ISLANDS", "LEAKS", "READ_NAME", "draw_islands", "islands_figure", "leak_figure", "split_key"]

Image = NDArray[np.uint8]

METHODS = ("Deepfakes", "Face2Face", "FaceSwap", "NeuralTextures")  # the four that the splits were made for
REENACTED = ("Face2Face", "NeuralTextures")  # the source lends an expression; in the other methods, a face
SHOWN = 240  # px, edge of a picture of a face


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
    """Target and source, and what each method made of them: all of one frame, cut round the faces, masks as lines.

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
    cut, cut_source = _cutter(masks), _face_cutter(root, clips, source, compression, index)
    faces = [
        (cut(frame(root, path, index)), name, 1) for path, name in zip(fakes["path"], fakes["method"], strict=True)
    ]
    outlines = [None if mask is None else cut(mask) for mask in masks]
    half = -(-len(faces) // 2)
    own = (cut(frame(root, real_of(clips, target, compression)["path"], index)), f"target {target}", 0)
    lender = (cut_source(frame(root, real_of(clips, source, compression)["path"], index)), f"source {source}", 0)
    figure, axes = plt.subplots(2, 1 + half, figsize=(7.0, 14.6 / (1 + half)), squeeze=False)
    cells = [own, *faces[:half], lender, *faces[half:]]
    lines = [None, *outlines[:half], None, *outlines[half:]]
    for ax in axes.flat[len(cells) :]:
        ax.set_visible(False)
    for ax, (picture, title, label), mask in zip(axes.flat, cells, lines, strict=False):
        _show(ax, picture, title, label)
        _outline(ax, mask)
    _say(figure, f"One frame of {target}, forged {len(fakes)} ways after {source}")
    return plots.finish(figure)


def forgery_figure(
    root: Path | str, clips: pd.DataFrame, target: str, method: str, compression: str, index: int = 20
) -> Figure:
    """Target and source above, the fake and where it differs from its target below, cut round the faces.

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
    lender, mask = row["source_id"], _mask(root, row, index)
    cut, cut_source = (_face_cutter(root, clips, name, compression, index) for name in (target, lender))
    real, fake = (frame(root, path, index) for path in (real_of(clips, target, compression)["path"], row["path"]))
    # A menu is answered at once: a layout that has to be found takes as long as all else together.
    figure, axes = plt.subplots(2, 2, figsize=(6.0, 6.6), layout="none")
    figure.subplots_adjust(left=0.01, right=0.99, top=0.91, bottom=0.01, wspace=0.04, hspace=0.1)
    _show(axes[0, 0], cut(real), f"target {target}", 0)
    lent = frame(root, real_of(clips, lender, compression)["path"], index)
    _show(axes[0, 1], cut_source(lent), f"source {lender}", 0)
    _show(axes[1, 0], cut(fake), f"{method} {row['clip_id']}", 1)
    _show(axes[1, 1], change(cut(fake), cut(real)), "|fake − target|, mask as a line", None, vmin=0, vmax=40)
    _outline(axes[1, 1], None if mask is None else cut(mask))
    story = f"{lender} moves the face of {target}" if method in REENACTED else f"{target} wears the face of {lender}"
    _say(figure, f"{row['clip_id']}: {story} ({compression})")
    return plots.finish(figure)


def compression_figure(
    root: Path | str, clips: pd.DataFrame, target: str, method: str, title: str, index: int = 20
) -> Figure:
    """Target, fake and their difference, one row a compression, cut round the face.

    Args:
        root: the data set's folder.
        clips: clips.csv.
        target: id of the person whose clip was forged.
        method: such as "FaceSwap".
        title: the figure's one message.
        index: which frame.
    """
    compressions = sorted(set(clips["compression"]))
    rows = []
    for compression in compressions:
        fakes = fakes_of(clips, target, compression)
        cut = _cutter([_mask(root, other, index) for other in fakes.to_dict("records")], scale=1.5)
        real = cut(frame(root, real_of(clips, target, compression)["path"], index))
        fake = cut(frame(root, fakes.loc[fakes["method"] == method, "path"].iloc[0], index))
        rows.append((real, fake, change(fake, real)))
    brightest = max(
        float(np.percentile(row[2], 99.5)) for row in rows
    )  # one scale for all, and next to nothing clipped
    figure, axes = plt.subplots(len(rows), 3, figsize=(7.0, 2.5 * len(rows) + 0.4), squeeze=False)
    for cells, row, compression in zip(axes, rows, compressions, strict=True):
        _show(cells[0], row[0], f"target {target}, {compression}", 0)
        _show(cells[1], row[1], f"{method}, {compression}", 1)
        _show(cells[2], row[2], f"difference, {compression}", None, vmin=0, vmax=brightest)
    _say(figure, title)
    return plots.finish(figure)


def published_clips() -> pd.DataFrame:
    """The clips of FaceForensics++ by their published names: originals and the four fakes of both people of a pair.

    No video is there: `path` is empty, and all that is said is who is in which clip. `CLIP_COLUMNS`, and `pair`, the
    two people to whom a clip belongs.
    """
    pairs = [pair for pairs in read_splits(split_files.FOLDER).values() for pair in pairs]
    loans = [loan for a, b in pairs for loan in ((a, b), (b, a))]
    rows = [(a, 0, "youtube", a, "", min(a, b)) for a, b in loans]
    rows += [(f"{a}_{b}", 1, method, a, b, min(a, b)) for method in METHODS for a, b in loans]
    table = pd.DataFrame(rows, columns=["clip_id", "label", "method", "target_id", "source_id", "pair"])
    return table.assign(compression="c23", path="", split="", original_id="").reindex(columns=[*CLIP_COLUMNS, "pair"])


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


def _face_cutter(
    root: Path | str, clips: pd.DataFrame, person: str, compression: str, index: int
) -> Callable[[Image], Image]:
    """A function that cuts round a person's face: where it is, the mask of a fake of that person says.

    One mask, the first that there is: a widget has no time to read them all.
    """
    masks = (_mask(root, row, index) for row in fakes_of(clips, person, compression).to_dict("records"))
    return _cutter([next((mask for mask in masks if mask is not None), None)])


def _outline(ax: Axes, mask: Image | None) -> None:
    """The edge of a mask (H, W, 3), white in black: seen on any face."""
    if mask is None:
        return
    lines = ax.contour(mask[..., 0], [127], colors="white", linewidths=1.2, linestyles="--")
    lines.set_path_effects([patheffects.withStroke(linewidth=2.4, foreground="black")])


def _show(ax: Axes, picture: NDArray[Any], title: str, label: int | None, **scale: Any) -> None:
    """A picture with a title above and, where it is a face, a frame: solid for real, dashed for fake."""
    ax.imshow(picture, **scale)
    ax.set(xticks=[], yticks=[])
    ax.set_title(title, fontsize=10, fontweight="normal")
    for spine in ax.spines.values():
        spine.set_visible(label is not None)
        if label is not None:
            spine.set(color=plots.COLOURS[label], linewidth=2.5, linestyle=("-", "--")[label])


def _say(figure: Figure, message: str) -> None:
    figure.suptitle(message, x=0.01, ha="left", fontsize=11, fontweight="bold")
