"""Figures of lesson 02: what a window of 12 pixels sees, P-Net's maps, boxes, and what each stage lets through."""

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from matplotlib import patheffects
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from numpy.typing import NDArray

from torchfakes_utils.course import plots
from torchfakes_utils.course.lesson_02_cascade import Stage, level
from torchfakes_utils.export.mtcnn_numpy import WINDOW, LevelMap

WIDTH = 7.0  # inches: 700 px
LANDMARKS = ("left eye", "right eye", "nose", "left mouth corner", "right mouth corner")


def window_figure(image: NDArray[np.uint8], middle: Sequence[float], scales: Sequence[float]) -> Figure:
    """Above, what P-Net's window covers of the photograph on some levels; below, the 12×12 pixels that are left of it.

    Args:
        image: (H, W, 3) uint8.
        middle: x, y of a face.
        scales: of the levels.
    """
    figure, axes = plt.subplots(2, len(scales), figsize=(WIDTH, 2 * WIDTH / len(scales) + 0.75), squeeze=False)
    around = 95  # px of the photograph on each side of the middle
    for (above, below), scale in zip(axes.T, scales, strict=True):
        reach = WINDOW / scale
        left, top = (round(value * scale - WINDOW / 2) for value in middle)
        above.imshow(image)
        boxes(above, np.array([[left / scale, top / scale, left / scale + reach, top / scale + reach]]), 2.0)
        above.set(xlim=(middle[0] - around, middle[0] + around), ylim=(middle[1] + around, middle[1] - around))
        below.imshow(_picture(level(image, scale))[top : top + WINDOW, left : left + WINDOW])
        above.set_title(f"covers {reach:.0f} px", fontsize=10, fontweight="normal")
        below.set_title("P-Net sees", fontsize=10, fontweight="normal")
        bare(above, below)
    say(figure, "The same 12×12 pixels, on levels from fine to coarse")
    sizes = ", ".join(f"{WINDOW / scale:.0f}" for scale in scales)
    return plots.finish(
        figure, f"A face with a window of {sizes} px on it; below each, the 12 by 12 pixels that P-Net sees there."
    )


def maps_figure(image: NDArray[np.uint8], maps: Sequence[LevelMap]) -> Figure:
    """Levels of the pyramid, enlarged to one size, above P-Net's maps: white is "a face fills the window here"."""
    figure, axes = plt.subplots(2, len(maps), figsize=(WIDTH, 2 * WIDTH / len(maps) + 0.75), squeeze=False)
    for (above, below), answer in zip(axes.T, maps, strict=True):
        above.imshow(_at_most(_picture(level(image, answer.scale)), 230))
        below.imshow(answer.probability, vmin=0, vmax=1)
        above.set_title(f"level for faces of {WINDOW / answer.scale:.0f} px", fontsize=10, fontweight="normal")
        below.set_title(f"its map, at most {answer.probability.max():.2f}", fontsize=10, fontweight="normal")
        bare(above, below)
    say(figure, "P-Net answers with an image: where a face of this size is")
    sizes = ", ".join(f"{WINDOW / answer.scale:.0f}" for answer in maps)
    return plots.finish(
        figure,
        f"The photograph on levels for faces of {sizes} px; below each, P-Net's map, white where it sees a face.",
    )


def boxes_figure(image: NDArray[np.uint8], groups: Mapping[str, np.ndarray], title: str) -> Figure:
    """The photograph, faded, once for each group of boxes (K, 4)."""
    figure, axes = plt.subplots(1, len(groups), figsize=(WIDTH, WIDTH / len(groups) + 0.55), squeeze=False)
    for ax, (name, some) in zip(axes[0], groups.items(), strict=True):
        photo(ax, faded(image), name)
        boxes(ax, some, 1.3)
    say(figure, title)
    return plots.finish(figure)


def melting_figure(image: NDArray[np.uint8], stages: Sequence[Stage], title: str = "") -> Figure:
    """The photograph with what is left after each stage, two in a row; unsure boxes are paler."""
    # By hand, since a widget draws this: matplotlib takes longer to arrange the panels than to draw them.
    rows = -(-len(stages) // 2)
    height = WIDTH / 2 * rows + 0.35 + 0.25 * rows
    figure, axes = plt.subplots(rows, 2, figsize=(WIDTH, height), squeeze=False, layout="none")
    figure.subplots_adjust(0.005, 0.005, 0.995, 1 - 0.6 / height, wspace=0.02, hspace=0.08)
    ground = faded(image)
    for ax, stage in zip(axes.flat, stages, strict=False):
        photo(ax, ground, f"{stage.name}: {len(stage.boxes)}", edge=330)
        boxes(ax, stage.boxes, 2.2 if len(stage.boxes) < 30 else 0.9, 0.3 + 0.7 * stage.scores**2)
    for ax in list(axes.flat)[len(stages) :]:
        ax.set_visible(False)
    say(figure, title or "From hundreds of boxes to one")
    return plots.finish(figure)


def landmarks_figure(image: NDArray[np.uint8], box: np.ndarray, points: np.ndarray) -> Figure:
    """A face with its box (4,) and five landmarks (5, 2), each with its name."""
    figure, ax = plt.subplots(figsize=(4.6, 4.6))
    ax.imshow(image, interpolation="bilinear")
    boxes(ax, np.asarray(box)[None], 2.2)
    halo = [patheffects.withStroke(linewidth=3, foreground="black")]
    for (x, y), name in zip(points, LANDMARKS, strict=True):
        ax.plot(x, y, "o", color="white", markeredgecolor="black", markersize=6)
        right = name.startswith("right")
        below = -0.1 if "mouth" in name or name == "nose" else 0.1
        ax.annotate(
            name, (x, y), (x + (4 if right else -4 if name != "nose" else 4), y - 60 * below), color="white",
            ha="left" if right or name == "nose" else "right", va="center", fontsize=10, path_effects=halo,
        )  # fmt: skip
    middle, reach = (np.asarray(box)[:2] + np.asarray(box)[2:]) / 2, 0.8 * max(box[2] - box[0], box[3] - box[1])
    ax.set(xlim=(middle[0] - reach, middle[0] + reach), ylim=(middle[1] + reach, middle[1] - reach))
    ax.axis("off")
    ax.set_title("O-Net's answer: a box and five landmarks")
    return plots.finish(figure)


def faded(image: NDArray[np.uint8], share: float = 0.65) -> NDArray[np.uint8]:
    """A photograph in grey, mixed with white, so that black boxes stand out and faces stay visible.

    In few tones: a smaller file, and a quicker one.
    """
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) * share + 255 * (1 - share)
    return np.repeat(grey.astype(np.uint8)[..., None] // 8 * 8, 3, axis=2)


def boxes(ax: Axes, some: np.ndarray, width: float, alpha: np.ndarray | float = 1.0) -> None:
    """Outlines of boxes (K, 4), black with a white rim where they are few."""
    if not len(some):
        return
    x1, y1, x2, y2 = np.asarray(some, float).reshape(-1, 4).T
    corners = np.stack([[x1, x2, x2, x1, x1], [y1, y1, y2, y2, y1]], axis=-1).transpose(1, 0, 2)
    if width > 1:
        ax.add_collection(LineCollection(list(corners), colors="white", linewidths=width + 1.6, alpha=alpha))
    ax.add_collection(LineCollection(list(corners), colors="black", linewidths=width, alpha=alpha))


def photo(ax: Axes, image: NDArray[np.uint8], title: str, edge: int = 400) -> None:
    """A photograph in its own coordinates, shrunk before it is drawn: to skip pixels instead would make it noisy."""
    height, width = image.shape[:2]
    ax.imshow(_at_most(image, edge), extent=(0, width, height, 0))
    # Not `axis("off")`: that keeps ticks nobody sees, and to lay them out takes half the time of a widget's answer.
    ax.set(xlim=(0, width), ylim=(height, 0))
    bare(ax)
    ax.text(0, 1.01, title, transform=ax.transAxes, va="bottom")


def bare(*axes: Axes) -> None:
    """Axes of a picture, without ticks and frame."""
    for ax in axes:
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)


def say(figure: Figure, message: str) -> None:
    """A figure's one message, at its head."""
    figure.suptitle(message, x=0.01, ha="left", fontsize=11, fontweight="bold")


def _picture(pixels: NDArray[np.float32]) -> NDArray[np.uint8]:
    return pixels.transpose(1, 2, 0).astype(np.uint8)


def _at_most(image: NDArray[np.uint8], edge: int) -> NDArray[np.uint8]:
    """A picture whose longer edge has at most so many pixels, each of them the mean of those that it stands for."""
    height, width = image.shape[:2]
    shrink = edge / max(height, width)
    size = round(width * shrink), round(height * shrink)
    return image if shrink >= 1 else cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.uint8)
