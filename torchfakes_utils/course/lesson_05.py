"""What learners write in lesson 05, with the lesson's own solutions and the mistakes that others made.

Figures and measurements are in the modules beside this one: `lesson_05_figures`, `lesson_05_starts`.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from torchfakes_utils.course import comparison
from torchfakes_utils.course.comparison import describe
from torchfakes_utils.course.practice import Exercise

Batches = Sequence[tuple[torch.Tensor, torch.Tensor]]  # images and labels of each
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


def _seeded(generator: np.random.Generator) -> int:
    return int(generator.integers(2**31))


# --- the loss


def cross_entropy(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Binary cross-entropy, the mean over (N,) logits and labels 0 or 1; finite for every finite logit."""
    return (logits.clamp(min=0) - logits * labels + torch.log1p(torch.exp(-logits.abs()))).mean()


def _logits(generator: np.random.Generator) -> Iterable[tuple[torch.Tensor, torch.Tensor]]:
    """Some that a network gives in its first hour, and some of one that is very sure, rightly or wrongly."""
    for size, spread in ((6, 2.0), (9, 60.0), (4, 200.0)):
        z = spread * generator.uniform(0.5, 1, size) * generator.choice([-1, 1], size)
        y = generator.permutation(np.arange(size) % 3 > 0)  # never as many of one as of the other
        if spread > 100:  # both sure and wrong, both sure and right
            z, y = np.abs(z) * [1, 1, -1, -1], np.array([0, 1, 0, 1])
        yield torch.tensor(z, dtype=torch.float32), torch.tensor(y, dtype=torch.float32)


def _probability(logits: torch.Tensor) -> torch.Tensor:
    return 1 / (1 + torch.exp(-logits))


def _by_products(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    p = _probability(logits)
    return -(labels * p.log() + (1 - labels) * (1 - p).log()).mean()


def _by_cases(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    p = _probability(logits)
    return -torch.where(labels == 1, p, 1 - p).log().mean()


def _lifted(least: float) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """A probability of 0 is lifted a little, so that it has a logarithm."""

    def loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        p = _probability(logits)
        return -(labels * (p + least).log() + (1 - labels) * (1 - p + least).log()).mean()

    return loss


def _clamped(least: float, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    return F.binary_cross_entropy(_probability(logits).clamp(least, 1 - least), labels)


CROSS_ENTROPY = Exercise(
    "cross_entropy", "Cross-entropy from logits", minutes=8, difficulty=2,
    reference=cross_entropy, cases=_logits,
    wrong={
        "0 times infinity is NaN. Where the network is very sure, its sigmoid is exactly 0 or 1, and ln 0 is minus "
        "infinity. Write the loss in z: for a fake it is ln(1 + e^-z).": _by_products,
        "Infinite where the network is very sure and wrong: a sigmoid of exactly 0 has no logarithm, and e^200 is too "
        "large for a float. Use ln(1 + e^z) = max(z, 0) + ln(1 + e^-|z|).": _by_cases,
        "`binary_cross_entropy` of a sigmoid stops at 100, so that a mistake of 200 costs no more than one of 100, and "
        "has no gradient. Write the loss in z.": lambda z, y: F.binary_cross_entropy(z.sigmoid(), y),
        **{
            f"With {least:g} added under the logarithm, a mistake of 200 costs no more than one of "
            f"{-math.log(least):.0f}, and has no gradient. Write the loss in z.": _lifted(least)
            for least in (1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-12)
        },
        **{
            f"A probability that `clamp` keeps {least:g} away from 0 and 1 makes a mistake of 200 as cheap as one of "
            f"{-math.log(least):.0f}, and gives it no gradient. Write the loss in z.": partial(_clamped, least)
            for least in (1e-5, 1e-6, 1e-7)
        },
        "That is the sum over the faces. A mean does not grow with the batch.": lambda z, y: (
            cross_entropy(z, y) * len(z)
        ),
        "The labels are turned round: 1 is fake, and a fake costs little where z is large.": lambda z, y: (
            cross_entropy(z, 1 - y)
        ),
        "The sign is missing: the logarithm of a probability is negative, and a loss is not.": lambda z, y: (
            -cross_entropy(z, y)
        ),
    },
    afterwards="In torch this is `F.binary_cross_entropy_with_logits`.",
)  # fmt: skip


# --- the loop


def memorise(network: nn.Module, images: torch.Tensor, labels: torch.Tensor, steps: int) -> list[float]:
    """Train on one batch, again and again; the loss of every step, each before its step.

    Args:
        network: (B, …) to (B,) logits; is changed.
        images: (B, …).
        labels: (B,), 0 or 1.
        steps: how many.
    """
    optimizer, losses = torch.optim.AdamW(network.parameters(), lr=1e-3), []
    network.train()
    for _ in range(steps):
        loss = F.binary_cross_entropy_with_logits(network(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def _small_networks(generator: np.random.Generator) -> Iterable[tuple[nn.Module, torch.Tensor, torch.Tensor, int]]:
    """In evaluation mode, as somebody left them who had looked at validation; float64, so that rounding is none."""
    for steps, small in ((4, 1.0), (12, 0.01)):  # from small weights, gradients change sign and size within steps
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(_seeded(generator))
            layers = nn.Linear(5, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 1), nn.Flatten(0)
            network = nn.Sequential(*layers).double().eval()
            with torch.no_grad():
                layers[0].weight.mul_(small)
                layers[0].bias.mul_(small)
            images = torch.randn(8, 5, dtype=torch.float64) + 1
        yield network, images, torch.tensor([0.0, 1.0] * 4, dtype=torch.float64), steps


def _loop(
    network: nn.Module, images: torch.Tensor, labels: torch.Tensor, steps: int,
    train: bool = True, clear: bool = True, step: bool = True, afterwards: bool = False, anew: bool = False,
) -> list[float]:  # fmt: skip
    """`memorise` with one thing wrong."""
    optimizer, losses = torch.optim.AdamW(network.parameters(), lr=1e-3), []
    network.train(train)
    for _ in range(steps):
        loss = F.binary_cross_entropy_with_logits(network(images), labels)
        if anew:
            optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
        if clear:
            optimizer.zero_grad()
        loss.backward()
        if step:
            optimizer.step()
        if afterwards:
            loss = F.binary_cross_entropy_with_logits(network(images), labels)
        losses.append(loss.item())
    return losses


MEMORISE = Exercise(
    "memorise", "A training loop", minutes=10, difficulty=2,
    reference=memorise, cases=_small_networks,
    wrong={
        "The gradients of all steps pile up: `backward` adds to what is there. Clear them in each step, with "
        "`optimizer.zero_grad()`.": partial(_loop, clear=False),
        "The network is still in evaluation mode, as its last examiner left it. Call `network.train()` before the "
        "loop.": partial(_loop, train=False),
        "The loss is the same in every step, so no weight changes. `optimizer.step()` has to come after `backward()`, "
        "with no `zero_grad()` in between.": partial(_loop, step=False),
        "You make the optimizer anew in each step, so that it forgets its running means. Make it once, before the "
        "loop.": partial(_loop, anew=True),
        "Your first loss is one step late. Keep the loss from which the step is made, not one measured "
        "afterwards.": partial(_loop, afterwards=True),
    },
    afterwards="Five lines: forward, clear, backward, step, note.",
)  # fmt: skip


# --- batch norm's averages


def recount(network: nn.Module, batches: Batches) -> nn.Module:
    """Batch norm's averages anew, as plain means over some batches; no weight changes.

    Args:
        network: with batch normalisation; is changed.
        batches: (images, labels) of each; the labels do not matter.

    Returns:
        The network, in evaluation mode.
    """
    for module in network.modules():
        if isinstance(module, NORMS):
            module.reset_running_stats()
            module.momentum = None  # a plain mean over all batches since the reset
    network.train()
    with torch.no_grad():
        for images, _ in batches:
            network(images)
    return network.eval()


def _used_networks(generator: np.random.Generator) -> Iterable[tuple[nn.Module, Batches]]:
    """With averages from other batches, and a few batches to count again on."""
    for number in (3, 5):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(_seeded(generator))
            layers = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(36, 5), nn.BatchNorm1d(5)
            network = nn.Sequential(*layers, nn.Linear(5, 1), nn.Flatten(0))
            with torch.no_grad():
                for _ in range(4):
                    network(3 + 2 * torch.randn(8, 3, 5, 5))
            batches = [(0.3 * step + torch.randn(8, 3, 5, 5), torch.arange(8) % 2) for step in range(number)]
        yield network.eval(), batches


def _recounted(expected: nn.Module, found: Any) -> str:
    """How a network departs from the expected one, in words."""
    if not isinstance(found, nn.Module):
        return f"yours is {describe(found)}, and the network is expected"
    if any(not torch.equal(a, b) for a, b in zip(expected.parameters(), found.parameters(), strict=False)):
        return "weights have changed, and only the averages should"
    for number, (left, right) in enumerate(zip(_layers(expected), _layers(found), strict=False), 1):
        for name in ("running_mean", "running_var"):
            if text := comparison.difference(getattr(left, name), getattr(right, name)):
                return f"in batch norm {number}, {name}: {text}"
    if [module.training for module in expected.modules()] != [module.training for module in found.modules()]:
        return "the averages are right, and the modes are not: the network should be in evaluation mode"
    return ""


def _layers(network: nn.Module) -> list[Any]:
    return [module for module in network.modules() if isinstance(module, NORMS)]


def _recounting(
    network: nn.Module, batches: Batches, reset: bool = True, plain: bool = True, train: bool = True, done: bool = True
) -> nn.Module:
    """`recount` with one thing wrong."""
    for module in _layers(network):
        if reset:
            module.reset_running_stats()
        if plain:
            module.momentum = None
    network.train(train)
    with torch.no_grad():
        for images, _ in batches:
            network(images)
    return network.eval() if done else network


RECOUNT = Exercise(
    "recount", "Count batch norm's averages again", minutes=8, difficulty=2,
    reference=recount, cases=_used_networks, difference=_recounted,
    wrong={
        "The old averages are still in it: forget them first, with `reset_running_stats()` of each batch norm.":
            partial(_recounting, reset=False),
        "Each batch replaces a tenth only, so that much of the initial 0 and 1 is left. With `momentum = None` the "
        "averages are plain means.": partial(_recounting, plain=False),
        "Nothing was counted: the averages are 0 and 1, as after the reset. Batch norm counts in training mode "
        "only.": partial(_recounting, train=False),
        "The averages are right, but the network is still in training mode and would not use them. End with "
        "`network.eval()`.": partial(_recounting, done=False),
    },
    afterwards="No weight has changed.",
)  # fmt: skip
