"""The figures of lesson 04: learning curves, runs as dots, what more data brings, and what training sees."""

from collections.abc import Sequence
from dataclasses import fields, replace

import numpy as np
import pandas as pd
import torch
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from torchfakes_utils.course import plots
from torchfakes_utils.course.lesson_04 import interval
from torchfakes_utils.crops.augmentation import AUGMENTATIONS, Augmentation, augment, draw
from torchfakes_utils.crops.samplers import SAMPLERS
from torchfakes_utils.faces.quality import variance_of_laplacian

DRAWS = 32  # of which the strongest is shown, so that a change is to be seen

# Each change alone, as strong as the preview goes.
CHANGES: dict[str, Augmentation] = {
    "mirror": Augmentation(flip=1.0),
    "rotation": Augmentation(rotation=30),
    "shift and zoom": Augmentation(shift=0.15, zoom=0.3),
    "light": Augmentation(brightness=0.6, contrast=0.6),
    "colour": Augmentation(saturation=1.0, hue=0.15),
    "down and up again": Augmentation(rescale=6.0, share=1.0),
    "blur": Augmentation(blur=4.0, share=1.0),
    "noise": Augmentation(noise=30.0, share=1.0),
    "JPEG": Augmentation(jpeg=5, share=1.0),
    "cutout": Augmentation(cutout=0.6, share=1.0),
}


def curves_figure(histories: dict[str, Sequence[pd.DataFrame]], title: str) -> Figure:
    """Balanced accuracy by epoch for some ways to split: a thin line a run, a thick one for their mean."""
    figure, ax = plt.subplots(figsize=(6.6, 3.6))
    ax.axhline(0.5, color=plots.NEUTRAL, linestyle=":", linewidth=1)
    for (name, runs), colour, dash in zip(histories.items(), ("black", plots.NEUTRAL), ("-", "--"), strict=False):
        mean = np.mean([run["balanced_accuracy"] for run in runs], axis=0)
        epochs = runs[0]["epoch"].to_numpy()
        for run in runs:
            ax.plot(epochs, run["balanced_accuracy"], color=colour, linewidth=0.8, alpha=0.4, linestyle=dash)
        ax.plot(epochs, mean, color=colour, linewidth=3, linestyle=dash)
        end = (epochs[-1], mean[-1])
        ax.annotate(f" {name}", end, va="center", color=colour, fontweight="bold", annotation_clip=False)
    ax.annotate("a coin", (epochs[-1], 0.5), (-4, 3), textcoords="offset points", ha="right", color=plots.NEUTRAL)
    ax.set(xlabel="epoch", ylabel="balanced accuracy, held out", ylim=(0.15, 1.03), xticks=epochs, title=title)
    return plots.finish(figure)


def dots_figure(panels: dict[str, pd.DataFrame], column: str, title: str, xlabel: str) -> Figure:
    """Every run as a dot, their mean as a bar with its 95 % interval: a row a split, a panel for each entry.

    The coin's 0.5 is dotted. Of a single run there is no interval.
    """
    splits = next(iter(panels.values()))["split"].unique()
    figure, axes = plt.subplots(
        1,
        len(panels),
        figsize=(1.0 + 3.0 * max(len(panels), 1.5), 0.9 + 0.65 * len(splits)),
        sharey=True,
        squeeze=False,
    )
    for ax, (name, runs) in zip(axes[0], panels.items(), strict=True):
        ax.axvline(0.5, color=plots.NEUTRAL, linestyle=":", linewidth=1)
        ax.text(0.5, -0.78, " a coin", color=plots.NEUTRAL, va="top")
        for row, split in enumerate(splits):
            values = runs.loc[runs["split"] == split, column]
            ax.plot(values, [row] * len(values), "o", color=plots.NEUTRAL, alpha=0.5, markersize=6, linestyle="none")
            if len(values) > 1:
                ax.plot(interval(values), [row + 0.27] * 2, color="black", linewidth=2)
            ax.plot([values.mean()] * 2, [row - 0.2, row + 0.34], color="black", linewidth=3)
            ax.text(values.mean(), row - 0.22, f"{values.mean():.2f}", ha="center", va="bottom")
        ax.set(xlim=(-0.02, 1.04), ylim=(len(splits) - 0.45, -0.8), yticks=range(len(splits)), xlabel=xlabel)
        ax.set_yticklabels(splits)
        ax.set_title(name, fontweight="normal", fontsize=10)
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return plots.finish(figure)


def amounts_figure(more_frames: pd.DataFrame, more_clips: pd.DataFrame) -> Figure:
    """Two ways to get more crops, from two tables of `amounts`: their means, and the middle 80 % of the repeats."""
    title = clips_lead(more_frames, more_clips)
    figure, ax = plt.subplots(figsize=(6.8, 3.7))
    for name, key, runs, colour, marker in (
        ("more clips", "groups", more_clips, "black", "o"),
        ("more frames", "frames", more_frames, plots.NEUTRAL, "s"),
    ):
        plans = runs.groupby(key)
        crops, auc = plans["crops"].mean(), plans["auc"]
        ax.fill_between(crops, auc.quantile(0.1), auc.quantile(0.9), color=colour, alpha=0.12, linewidth=0)
        ax.plot(crops, auc.mean(), color=colour, marker=marker)
        end = (crops.iloc[-1], auc.mean().iloc[-1])
        ax.annotate(
            name, end, (8, 0), textcoords="offset points", va="center", color=colour, fontweight="bold",
            annotation_clip=False,
        )  # fmt: skip
    ticks = sorted(more_clips["crops"].unique())
    ax.set(xscale="log", xlabel="training crops", ylabel="AUC on people not in training", title=title)
    ax.set_xticks(ticks, ticks)
    ax.minorticks_off()
    return plots.finish(figure)


def clips_lead(more_frames: pd.DataFrame, more_clips: pd.DataFrame) -> str:
    """In a sentence, from how many crops on new clips have the higher mean AUC; both tables are those of `amounts`."""
    # By plan: a short clip has fewer frames than are asked for, so the numbers of crops differ a little.
    frames, clips = (runs.groupby(runs["groups"] * runs["frames"]).mean() for runs in (more_frames, more_clips))
    lead = (clips["auc"] - frames["auc"]).dropna().iloc[1:]  # both begin with the same crops
    behind = np.flatnonzero(lead <= 0)
    first = behind[-1] + 1 if len(behind) else 0
    if first == len(lead):
        return "New clips teach no more than new frames"
    return f"From {clips['crops'][lead.index[first]]:.0f} crops on, new clips teach more than new frames"


def weaker(recipe: Augmentation, strength: float) -> Augmentation:
    """A recipe whose changes go only so far, from 0 (not at all) to 1; how many crops each happens to stays."""
    nothing = Augmentation()
    ranges = {
        field.name: getattr(nothing, field.name)
        + strength * (getattr(recipe, field.name) - getattr(nothing, field.name))
        for field in fields(recipe)
        if field.name != "jpeg" and not field.name.endswith("share")
    }
    return replace(
        recipe, **ranges, jpeg=round(100 - strength * (100 - recipe.jpeg)) if recipe.jpeg and strength else 0
    )


def preview(crop: torch.Tensor, change: str, strength: float, seed: int = 0, count: int = 3) -> Figure:
    """A crop, and what augmentation makes of it.

    Args:
        crop: (3, H, W) uint8.
        change: a name from `CHANGES` or from `AUGMENTATIONS`.
        strength: 0 to 1, as in `weaker`.
        seed: of the draw.
        count: draws.
    """
    recipe = weaker(CHANGES.get(change) or AUGMENTATIONS[change], strength)
    drawn = draw(recipe, count, torch.Generator().manual_seed(seed))
    views = [crop, *augment(crop.expand(count, -1, -1, -1), drawn)]
    pictures = [view.permute(1, 2, 0).numpy() for view in views]
    names = ["as stored", *[f"draw {number}" for number in range(1, count + 1)]]
    titles = [f"{name}: {variance_of_laplacian(picture):.0f}" for name, picture in zip(names, pictures, strict=True)]
    return plots.images(pictures, titles, title=f"{change}, up to {100 * strength:.0f} % of its range", inches=1.7)


def drawn_rows(faces: pd.DataFrame, sampling: str, seed: int, count: int) -> pd.DataFrame:
    """The first `count` rows of an epoch, in the order in which a sampler draws them; arguments as those of `batch`."""
    return faces.iloc[list(SAMPLERS[sampling](faces, count, torch.Generator().manual_seed(seed)))]


def batch(faces: pd.DataFrame, sampling: str, seed: int = 0, count: int = 8) -> Figure:
    """The first crops of an epoch, two by two: above what is drawn first, below what comes after it.

    Args:
        faces: training rows with the column `file`.
        sampling: a name from `SAMPLERS`.
        seed: of the draw.
        count: crops, an even number.
    """
    rows = drawn_rows(faces, sampling, seed, count)
    rows = pd.concat([rows.iloc[::2], rows.iloc[1::2]])
    titles = rows["method"].where(rows["label"] == 1, "real") + " of " + rows["target_id"]
    title = f"{sampling}: {int((rows['label'] == 0).sum())} real and {int((rows['label'] == 1).sum())} fake"
    pictures = [plots.face(file) for file in rows["file"]]
    return plots.images(pictures, titles.tolist(), count // 2, title, rows["label"].tolist(), inches=1.7)


def one_change_each(crop: torch.Tensor, seed: int = 0, columns: int = 4) -> Figure:
    """A crop, and each change of `CHANGES` alone, the strongest of some draws; above each its sharpness.

    Args:
        crop: (3, H, W) uint8.
        seed: of the draws.
        columns: in a row.
    """
    pictures = {"as stored": crop}
    for name, recipe in CHANGES.items():
        drawn = draw(recipe, DRAWS, torch.Generator().manual_seed(seed))
        changed = augment(crop.expand(DRAWS, -1, -1, -1), drawn)
        strongest = (changed.float() - crop).abs().mean(dim=(1, 2, 3)).argmax()
        pictures[name] = changed[strongest]
    views = [picture.permute(1, 2, 0).numpy() for picture in pictures.values()]
    titles = [f"{name}: {variance_of_laplacian(view):.0f}" for name, view in zip(pictures, views, strict=True)]
    return plots.images(views, titles, columns, "What training may see of one fake", inches=1.7)
