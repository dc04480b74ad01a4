"""What lesson 04 needs beside the package: a network that learns in a second, ways to hold crops out, its figures.

The network is small and its pictures are too, so that a comparison can be repeated a dozen times while one reads on.
It is no detector, and nothing outside lesson 04 uses it.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from torch import nn
from torch.nn import functional

from torchfakes_utils.course import plots
from torchfakes_utils.dataset import Preprocessing, read_crop

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
    kernel = torch.tensor([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]])[None, None]
    start = (crops.shape[-1] - size) // 2 - 1  # one pixel more on each side, which the kernel eats
    middle = crops[:, :, start : start + size + 2, start : start + size + 2]
    return (functional.conv2d(middle.float().mean(1, keepdim=True), kernel) / 128).clamp(-1, 1)


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
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        torch.manual_seed(seed)
        generator = torch.Generator().manual_seed(seed)
        images = images.contiguous(memory_format=torch.channels_last)
        model = small_network(images.shape[1]).to(memory_format=torch.channels_last)
        truth, train = torch.from_numpy(np.asarray(labels, np.float32)), torch.from_numpy(np.asarray(train))
        held_out = torch.from_numpy(np.asarray(held_out))
        # Both classes come equally often, whatever their number: a pass is a draw with replacement.
        fake = truth[train]
        weights = torch.where(fake == 1, 0.5 / fake.sum(), 0.5 / (1 - fake).sum())
        optimiser = torch.optim.AdamW(model.parameters(), learning_rate, weight_decay=1e-2)
        steps = epochs * -(-len(train) // BATCH)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, learning_rate, total_steps=steps)
        rows = []
        for epoch in range(1, epochs + 1):
            model.train()
            for batch in train[torch.multinomial(weights, len(train), True, generator=generator)].split(BATCH):
                loss = functional.binary_cross_entropy_with_logits(model(images[batch])[:, 0], truth[batch])
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                schedule.step()
            rows.append({"epoch": epoch} | _marks(model, images, truth, held_out))
    finally:
        torch.set_num_threads(threads)
    return pd.DataFrame(rows)


def _marks(model: nn.Module, images: torch.Tensor, truth: torch.Tensor, held_out: torch.Tensor) -> dict[str, float]:
    model.eval()
    with torch.no_grad():
        logits = torch.cat([model(images[batch])[:, 0] for batch in held_out.split(256)]).numpy()
    facts = truth[held_out].numpy()
    return {
        "balanced_accuracy": float(balanced_accuracy_score(facts, logits > 0)),
        "auc": float(roc_auc_score(facts, logits)),
    }
