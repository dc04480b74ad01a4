"""What lesson 04 needs beside the package: a network that learns in a second, ways to hold crops out, its figures.

The network is small and its pictures are too, so that a comparison can be repeated a dozen times while one reads on.
It is no detector, and nothing outside lesson 04 uses it.
"""

from collections.abc import Sequence
from dataclasses import fields, replace

import numpy as np
import pandas as pd
import torch
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from scipy import stats
from sklearn.linear_model import RidgeClassifier
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.nn import functional

from torchfakes_utils.course import plots
from torchfakes_utils.crops.augmentation import AUGMENTATIONS, Augmentation, augment, draw
from torchfakes_utils.crops.samplers import SAMPLERS
from torchfakes_utils.crops.table import limit_frames, read_crop
from torchfakes_utils.faces.quality import variance_of_laplacian
from torchfakes_utils.io.machine import thread_limit
from torchfakes_utils.models.preprocessing import Preprocessing

BATCH = 32

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


def read_crops(faces: pd.DataFrame) -> torch.Tensor:
    """All crops of a table with the column `file`, as (N, 3, H, W) uint8."""
    return torch.stack([read_crop(file) for file in faces["file"]])


def thumbnails(crops: torch.Tensor, size: int = 64) -> torch.Tensor:
    """Small pictures in the range of the network: enough to see who somebody is. (N, 3, size, size) float32."""
    return Preprocessing(size=size).apply(crops)


def edges(crops: torch.Tensor, size: int = 96) -> torch.Tensor:
    """Laplacian of the middle of each crop at full resolution, (N, 1, size, size) float32 between -1 and 1.

    A thumbnail has lost what a forger leaves behind; edges show it better than anything else that is as small.
    """
    start = (crops.shape[-1] - size) // 2 - 1  # one pixel more on each side, which the neighbours are taken from
    cut = slice(start, start + size + 2)
    # A few at a time: as floating-point numbers, all crops at once would fill half a gigabyte.
    return torch.cat([_laplacian(some[:, :, cut, cut]) / 128 for some in crops.split(64)]).clamp(-1, 1)


def _laplacian(crops: torch.Tensor) -> torch.Tensor:
    grey = crops.float().mean(1, keepdim=True)
    beside = grey[:, :, :-2, 1:-1] + grey[:, :, 2:, 1:-1] + grey[:, :, 1:-1, :-2] + grey[:, :, 1:-1, 2:]
    return beside - 4 * grey[:, :, 1:-1, 1:-1]


def regions(crops: torch.Tensor, grid: int = 6) -> np.ndarray:
    """Sharpness of each of `grid` x `grid` parts of a crop: logarithm of the Laplacian's variance, (N, grid * grid)."""
    parts = []
    for some in crops.split(64):
        answer = _laplacian(some)
        mean = functional.adaptive_avg_pool2d(answer, grid)
        parts.append(functional.adaptive_avg_pool2d(answer**2, grid) - mean**2)
    return torch.log1p(torch.cat(parts).clamp(min=0)).flatten(1).numpy()


def small_network(channels: int) -> nn.Sequential:
    """Three convolutions and a linear layer, one logit: (B, channels, S, S) to (B, 1), some 6,000 weights."""
    layers: list[nn.Module] = []
    for index, width in enumerate((8, 16, 32)):
        layers += [nn.Conv2d(channels, width, 3, stride=2 if index == 0 else 1, padding=1, bias=False)]
        layers += [nn.MaxPool2d(2), nn.BatchNorm2d(width), nn.ReLU()]
        channels = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(channels * 16, 1))


def learn(
    images: torch.Tensor,
    labels: np.ndarray,
    train: np.ndarray,
    held_out: np.ndarray,
    seed: int = 0,
    epochs: int = 10,
    learning_rate: float = 3e-3,
) -> pd.DataFrame:
    """Train a small network on some crops and test it, after every epoch, on others.

    Args:
        images: (N, C, S, S) float32.
        labels: (N,) of 0 and 1.
        train, held_out: indices into both.
        seed: of the first weights and of the order of the crops.
        epochs: passes over as many crops as there are in `train`.
        learning_rate: the highest of the one-cycle schedule.

    Returns:
        A row an epoch: `epoch`, `balanced_accuracy` and `auc` on the crops held out.
    """
    # So little work that a second thread costs more than it brings; and the result no longer depends on their number.
    with thread_limit(1):
        torch.manual_seed(seed)
        generator = torch.Generator().manual_seed(seed)
        images = images.contiguous(memory_format=torch.channels_last)
        model = small_network(images.shape[1]).to(memory_format=torch.channels_last)
        # Copied: a column of a pandas table is read-only, which torch warns of.
        truth, learned = torch.tensor(np.asarray(labels, np.float32)), torch.tensor(np.asarray(train))
        unseen = torch.tensor(np.asarray(held_out))
        # Both classes come equally often, whatever their number: a pass is a draw with replacement.
        fake = truth[learned]
        weights = torch.where(fake == 1, 0.5 / fake.sum(), 0.5 / (1 - fake).sum())
        optimiser = torch.optim.AdamW(model.parameters(), learning_rate, weight_decay=1e-2)
        steps = epochs * -(-len(learned) // BATCH)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, learning_rate, total_steps=steps)
        rows = []
        for epoch in range(1, epochs + 1):
            model.train()
            for batch in learned[torch.multinomial(weights, len(learned), True, generator=generator)].split(BATCH):
                loss = functional.binary_cross_entropy_with_logits(model(images[batch])[:, 0], truth[batch])
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                schedule.step()
            rows.append({"epoch": float(epoch)} | _marks(model, images, truth, unseen))
    return pd.DataFrame(rows).astype({"epoch": int})


def _marks(model: nn.Module, images: torch.Tensor, truth: torch.Tensor, held_out: torch.Tensor) -> dict[str, float]:
    model.eval()
    with torch.no_grad():
        logits = torch.cat([model(images[batch])[:, 0] for batch in held_out.split(256)]).numpy()
    facts = truth[held_out].numpy()
    return {
        "balanced_accuracy": float(balanced_accuracy_score(facts, logits > 0)),
        "auc": float(roc_auc_score(facts, logits)),
    }


def interval(values: plots.Numbers, level: float = 0.95) -> tuple[float, float]:
    """Student's interval of the mean of some runs: how far it may move if as many runs are drawn again.

    Runs on one data set share its people, so for *other* people the truth is wider.
    """
    values = np.asarray(values, float)
    half = stats.t.ppf((1 + level) / 2, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return float(values.mean() - half), float(values.mean() + half)


def table(runs: pd.DataFrame, column: str) -> pd.DataFrame:
    """Mean, interval and number of runs, for each value of `split`, in the order of their first appearance.

    The column is a score between 0 and 1, and so are the ends of its interval, which Student's formula does not know.
    """
    rows = {}
    for name, values in runs.groupby("split", sort=False)[column]:
        low, high = np.clip(interval(values), 0, 1)
        rows[name] = {column: f"{values.mean():.2f}", "95 % interval": f"{low:.2f} to {high:.2f}", "runs": len(values)}
    return pd.DataFrame.from_dict(rows, orient="index")


def amounts(
    features: np.ndarray,
    faces: pd.DataFrame,
    groups: np.ndarray,
    plans: Sequence[tuple[int, int]],
    held_out: int = 4,
    repeats: int = 20,
) -> pd.DataFrame:
    """AUC of a linear model on people who are not in training, after training on some frames of some groups of people.

    Args:
        features: (N, D), a row a crop.
        faces: rows of faces.csv, as many.
        groups: (N,) what has to stay together.
        plans: (groups to train on, frames a clip).
        held_out: groups kept for the test, other ones in each repeat.
        repeats: how often all is done again with other groups.

    Returns:
        A row a repeat and plan: `repeat, groups, frames, clips, crops, auc`.
    """
    names, labels, rows = np.unique(groups), faces["label"].to_numpy(), []
    numbered = faces.reset_index(drop=True).assign(row=np.arange(len(faces)))
    for repeat in range(repeats):
        order = np.random.default_rng(repeat).permutation(names)
        test = np.isin(groups, order[:held_out])
        for wanted, frames in plans:
            pool = numbered[np.isin(groups, order[held_out : held_out + wanted])]
            chosen = limit_frames(pool, frames)
            index = chosen["row"].to_numpy()
            model = make_pipeline(StandardScaler(), RidgeClassifier(alpha=30, class_weight="balanced"))
            model.fit(features[index], labels[index])
            auc = roc_auc_score(labels[test], model.decision_function(features[test]))
            clips = chosen.drop_duplicates(["method", "clip_id"])
            rows.append((repeat, wanted, frames, len(clips), len(chosen), float(auc)))
    return pd.DataFrame(rows, columns=["repeat", "groups", "frames", "clips", "crops", "auc"])


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
    ax.annotate("a coin", (epochs[0], 0.5), (2, -4), textcoords="offset points", va="top", color=plots.NEUTRAL)
    ax.set(xlabel="epoch", ylabel="balanced accuracy, held out", ylim=(0.15, 1.03), xticks=epochs, title=title)
    return plots.finish(figure)


def dots_figure(panels: dict[str, pd.DataFrame], column: str, title: str, xlabel: str) -> Figure:
    """Every run as a dot, their mean as a bar: a row a split, a panel for each entry; the coin's 0.5 is dotted."""
    splits = next(iter(panels.values()))["split"].unique()
    figure, axes = plt.subplots(
        1, len(panels), figsize=(1.6 + 3.7 * len(panels), 0.8 + 0.62 * len(splits)), sharey=True, squeeze=False
    )
    for ax, (name, runs) in zip(axes[0], panels.items(), strict=True):
        ax.axvline(0.5, color=plots.NEUTRAL, linestyle=":", linewidth=1)
        for row, split in enumerate(splits):
            values = runs.loc[runs["split"] == split, column]
            ax.plot(values, [row] * len(values), "o", color=plots.NEUTRAL, alpha=0.6, markersize=6, linestyle="none")
            ax.plot([values.mean()] * 2, [row - 0.28, row + 0.28], color="black", linewidth=3)
            ax.text(values.mean(), row - 0.32, f"{values.mean():.2f}", ha="center", va="bottom", fontsize=9)
        ax.set(xlim=(-0.02, 1.04), ylim=(len(splits) - 0.5, -0.75), yticks=range(len(splits)), xlabel=xlabel)
        ax.set_yticklabels(splits)
        ax.set_title(name, fontweight="normal", fontsize=10)
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return plots.finish(figure)


def amounts_figure(more_frames: pd.DataFrame, more_clips: pd.DataFrame, title: str) -> Figure:
    """Two ways to get more crops, from two tables of `amounts`: their means, and the middle 80 % of the repeats."""
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


def preview(crop: torch.Tensor, change: str, strength: float, seed: int = 0, count: int = 4) -> Figure:
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
    titles = [
        f"{name}, sharpness {variance_of_laplacian(picture):.0f}" for name, picture in zip(names, pictures, strict=True)
    ]
    return plots.images(pictures, titles, title=f"{change}, up to {strength:.0%} of its range", inches=1.75)


def batch(faces: pd.DataFrame, sampling: str, seed: int = 0, count: int = 12) -> Figure:
    """The first crops of an epoch, two by two: above what is drawn first, below what comes after it.

    Args:
        faces: training rows with the column `file`.
        sampling: a name from `SAMPLERS`.
        seed: of the draw.
        count: crops, an even number.
    """
    drawn = list(SAMPLERS[sampling](faces, count, torch.Generator().manual_seed(seed)))
    rows = faces.iloc[[*drawn[::2], *drawn[1::2]]]
    titles = rows["method"].where(rows["label"] == 1, "real") + " of " + rows["target_id"]
    title = f"{sampling}: {int((rows['label'] == 0).sum())} real and {int((rows['label'] == 1).sum())} fake"
    pictures = [plots.face(file) for file in rows["file"]]
    return plots.images(pictures, titles.tolist(), count // 2, title, rows["label"].tolist(), inches=1.5)
