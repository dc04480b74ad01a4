"""What lesson 04 needs beside the package: a network that learns in a second, and ways to hold crops out.

The network is small and its pictures are too, so that a comparison can be repeated a dozen times while one reads on.
It is no detector, and nothing outside lesson 04 uses it.
"""

import ast
import inspect
import textwrap
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import torch
from scipy import stats
from sklearn.linear_model import RidgeClassifier
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.nn import functional

from torchfakes_utils.course import plots
from torchfakes_utils.course.lesson_04_exercises import (
    BALANCED_ACCURACY,
    HOLD_OUT,
    SAMPLER_WEIGHTS,
    SHARE_KNOWN,
)
from torchfakes_utils.crops.table import limit_frames, read_crop
from torchfakes_utils.io.machine import thread_limit
from torchfakes_utils.models.preprocessing import Preprocessing

__all__ = ["BALANCED_ACCURACY", "HOLD_OUT", "SAMPLER_WEIGHTS", "SHARE_KNOWN"]

BATCH = 32


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
    curve: bool = True,
) -> pd.DataFrame:
    """Train a small network on some crops and test it, after every epoch, on others.

    Args:
        images: (N, C, S, S) float32.
        labels: (N,) of 0 and 1.
        train, held_out: indices into both.
        seed: of the first weights and of the order of the crops.
        epochs: passes over as many crops as there are in `train`.
        learning_rate: the highest of the one-cycle schedule.
        curve: test after every epoch; otherwise after the last, which takes less time.

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
            drawn = learned[torch.multinomial(weights, len(learned), True, generator=generator)]
            one_pass(model, images, truth, drawn, optimiser, schedule)
            if curve or epoch == epochs:
                rows.append({"epoch": float(epoch)} | _marks(model, images, truth, unseen))
    return pd.DataFrame(rows).astype({"epoch": int})


def one_pass(
    model: nn.Module,
    images: torch.Tensor,
    truth: torch.Tensor,
    drawn: torch.Tensor,
    optimiser: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
) -> None:
    """One epoch: a step of the optimiser for each batch of the crops that were drawn.

    Args:
        model: one logit a crop.
        images, truth: (N, C, S, S) and (N,) of 0 and 1.
        drawn: numbers of the crops, in the order in which they are seen.
        optimiser: of the model's weights.
        schedule: of its learning rate, a step a batch.
    """
    model.train()
    for batch in drawn.split(BATCH):
        loss = functional.binary_cross_entropy_with_logits(model(images[batch])[:, 0], truth[batch])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()


def code_of(*functions: Callable[..., object]) -> str:
    """The code of functions that run, without docstrings and annotations: what a reader is shown."""
    found = []
    for function in functions:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
        for node in ast.walk(tree):
            if isinstance(node, ast.arg):
                node.annotation = None
            if isinstance(node, ast.FunctionDef):
                node.returns, node.body = None, node.body[ast.get_docstring(node) is not None :]
        found.append(ast.unparse(tree))
    return "\n\n".join(found)


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


def gap(runs: pd.DataFrame, column: str, first: str, second: str) -> tuple[float, float, float]:
    """By how much one split's mean lies above another's, seed by seed, and the 95 % interval of that.

    Args:
        runs: a row a run, with `split`, `seed` and the column.
        column: a score.
        first, second: names of splits.
    """
    by_seed = runs.pivot(index="seed", columns="split", values=column)
    differences = by_seed[first] - by_seed[second]
    return float(differences.mean()), *interval(differences)


def most_changed(faces: pd.DataFrame, method: str, sharp: float = 150) -> torch.Tensor:
    """The fake of a method that departs most from its original in the same frame, (3, H, W) uint8.

    Args:
        faces: rows of faces.csv with the column `file`, originals among them.
        method: of the fakes.
        sharp: blurred crops are left out, as far as there are others.
    """
    enough = faces[faces["sharpness"] >= sharp]
    pairs = plots.face_pairs(enough if (enough["method"] == method).any() else faces)
    pairs = pairs[pairs["method_fake"] == method].drop_duplicates("clip_id_fake")
    changes = [
        (read_crop(real).float() - read_crop(fake).float()).abs().mean().item()
        for real, fake in zip(pairs["file_real"], pairs["file_fake"], strict=True)
    ]
    return read_crop(pairs["file_fake"].iloc[int(np.argmax(changes))])
