"""The figures of lesson 11: what forgeries change, a blend step by step, and who was left out."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from matplotlib import colormaps
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from torchfakes_utils.course import plots
from torchfakes_utils.course.lesson_06_figures import WIDTH, titled
from torchfakes_utils.course.unseen import FORGERIES, NONE
from torchfakes_utils.crops.self_blending import DEFAULTS, Blends, draw_blends, filled, self_blend
from torchfakes_utils.faces.outline import landmarks_of, outlines

EDGE = 160  # pixels of a crop


def around(faces: pd.DataFrame) -> np.ndarray:
    """The outlines of faces of Mini-FF++ to the brows and to the hairline, (N, 2, K, 2), as shares of the crop."""
    marks = np.stack([landmarks_of(text) for text in faces["landmarks"]]) / EDGE
    return np.stack([outlines(marks, forehead) for forehead in (False, True)], 1)


def inside(outline: np.ndarray, edge: int = EDGE) -> np.ndarray:
    """Which pixels of a crop lie inside of an outline (K, 2), shares of its edge: (edge, edge) of 0 to 1."""
    return filled(torch.from_numpy(outline[None]).float(), (edge, edge))[0, 0].numpy()


def with_outline(picture: np.ndarray, outline: np.ndarray) -> np.ndarray:
    """A crop (H, W, 3) that is dim outside of an outline (K, 2), in pixels."""
    light = inside(np.asarray(outline) / len(picture), len(picture))[..., None]
    return np.asarray(picture * (0.35 + 0.65 * light), np.uint8)


def what_changed(real: np.ndarray, fakes: Mapping[str, np.ndarray], title: str) -> Figure:
    """A real face and forgeries of it, and below each what it changed, four times as strong, on grey.

    Args:
        real: (H, W, 3) uint8.
        fakes: by family, the same frame.
        title: the figure's one message.
    """
    changes = [np.clip(128 + 4 * (fake.astype(int) - real), 0, 255).astype(np.uint8) for fake in fakes.values()]
    flat = np.full_like(real, 128)
    names = ["real", *fakes, "nothing", *("what it changed" for _ in fakes)]
    labels = [0, *(1 for _ in fakes)] * 2
    return plots.images([real, *fakes.values(), flat, *changes], names, columns=len(fakes) + 1, title=title,
                        labels=labels, inches=1.6)  # fmt: skip


def blends_of(face: np.ndarray, outline: np.ndarray, seed: int, **changes: float) -> Blends:
    """One self-blended image, drawn from a seed; `changes` take the place of what was drawn.

    Args:
        face: (H, W, 3) uint8.
        outline: (2, K, 2), as from `around`.
        seed: of the draw.
        changes: bend (how far the mask is bent, as a share of the edge), softness (of both blurs, the same), ratio.
    """
    drawn = draw_blends(DEFAULTS, 1, torch.Generator().manual_seed(seed))
    if "bend" in changes:
        spread = drawn["bend"].std().clamp(min=1e-6)
        drawn["bend"] = drawn["bend"] / spread * changes["bend"]
    if "softness" in changes:
        drawn["softness"] = torch.full((1, 2), max(changes["softness"], 1e-3))
    if "ratio" in changes:
        drawn["ratio"] = torch.tensor([float(changes["ratio"])])
    image = torch.from_numpy(np.ascontiguousarray(face)).permute(2, 0, 1)[None]
    return self_blend(image, torch.from_numpy(outline[None]).float(), drawn)


def blend_figure(face: np.ndarray, outline: np.ndarray, seed: int, **changes: float) -> Figure:
    """A self-blended image beside what it is made of: source, target, mask, fake. The arguments are `blends_of`'s."""
    made = blends_of(face, outline, seed, **changes)
    pictures = [picture[0].permute(1, 2, 0).numpy() for picture in (made.source, made.target)]
    mask = (255 * made.mask[0, 0].numpy()).astype(np.uint8)
    fake = made.fakes[0].permute(1, 2, 0).numpy()
    figure, axes = plt.subplots(1, 4, figsize=(WIDTH, 2.2), layout="none")
    figure.subplots_adjust(0.005, 0.01, 0.995, 0.8, 0.03)
    names = ("source", "target", "mask", "fake")
    for ax, name, picture in zip(axes, names, (*pictures, mask, fake), strict=True):
        ax.imshow(picture, cmap="gray", vmin=0, vmax=255)
        ax.set(xticks=[], yticks=[])
        ax.set_title(name, fontsize=10, fontweight="bold" if name == "fake" else "normal")
    share = float((made.fakes != made.target).any(1).float().mean())
    figure.suptitle(f"{share:.0%} of the pixels are no longer the target's", x=0.01, ha="left", fontweight="bold")
    return plots.finish(figure)


def left_out_matrix(cells: pd.DataFrame, families: Sequence[str], title: str) -> Figure:
    """Who was left out of training, tested on what: AUC by clip in every cell; framed where it has not met the family.

    Args:
        cells: `way`, `left_out`, `tested_on`, `auc`, `low`, `high`; a row whose `left_out` is "all" has met none.
        families: the columns, in order.
        title: the figure's one message.
    """
    rows = list(dict.fromkeys(zip(cells["way"], cells["left_out"], strict=True)))
    by_place = cells.set_index(["way", "left_out", "tested_on"])
    figure, ax = plt.subplots(figsize=(WIDTH, 0.8 * len(rows) + 1.3))
    values = np.array([[float(by_place.loc[(*row, name), "auc"]) for name in families] for row in rows])
    ax.imshow(values, cmap=colormaps["BrBG"], vmin=0, vmax=1, aspect="auto")
    for y, (way, left_out) in enumerate(rows):
        for x, name in enumerate(families):
            cell = by_place.loc[(way, left_out, name)]
            unseen = left_out in (name, NONE)
            colour = "white" if abs(values[y, x] - 0.5) > 0.33 else "black"
            ax.text(x, y - 0.1, f"{values[y, x]:.2f}", ha="center", va="center", fontsize=13, color=colour,
                    fontweight="bold" if unseen else "normal")  # fmt: skip
            ax.text(x, y + 0.26, f"{cell['low']:.2f} to {cell['high']:.2f}", ha="center", va="center", color=colour)
            if unseen:
                ax.add_patch(Rectangle((x - 0.47, y - 0.46), 0.94, 0.92, fill=False, edgecolor=plots.FAKE,
                                           linewidth=2.5, linestyle="--"))  # fmt: skip
    names = [f"all but\n{left_out}" if way == FORGERIES else f"{way}\nalone" for way, left_out in rows]
    ax.set(xticks=range(len(families)), yticks=range(len(rows)), xticklabels=families, yticklabels=names,
           xlabel="tested on (dashed frame: a family that it has not met)", ylabel="trained on")  # fmt: skip
    ax.tick_params(length=0, labelsize=9)
    ax.spines[:].set_visible(False)
    return titled(figure, title)
