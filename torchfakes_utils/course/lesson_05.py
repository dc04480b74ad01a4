"""What learners write in lesson 05, with the lesson's own solutions and the mistakes that others made.

Figures and measurements are in the modules beside this one: `lesson_05_figures`, `lesson_05_starts`.
"""

from collections.abc import Iterable, Sequence
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
    """Binary cross-entropy, the mean over (N,) logits and labels 0 or 1; finite for every finite logit.

    Its gradient at 0 is half a step towards the label. `clamp(min=0)` and `abs` both have none there, and a network
    whose classifier starts at zero would never leave it.
    """
    return F.softplus(torch.where(labels == 1, -logits, logits)).mean()


def _logits(generator: np.random.Generator) -> Iterable[tuple[torch.Tensor, torch.Tensor]]:
    """Some that a network gives in its first hour, some of one that is very sure, and what an untrained one gives.

    Of the last, with zeros among them, the gradient is asked, too.
    """
    for size, spread in ((6, 2.0), (9, 60.0), (4, 200.0)):
        z = spread * generator.uniform(0.5, 1, size) * generator.choice([-1, 1], size)
        y = generator.permutation(np.arange(size) % 3 > 0)  # never as many of one as of the other
        if spread > 100:  # both sure and wrong, both sure and right
            z, y = np.abs(z) * [1, 1, -1, -1], np.array([0, 1, 0, 1])
        yield torch.tensor(z, dtype=torch.float32), torch.tensor(y, dtype=torch.float32)
    z = np.array([0, 0, *generator.uniform(0.5, 2, 2), -1])
    yield torch.tensor(z, dtype=torch.float32, requires_grad=True), torch.tensor([1.0, 0, 1, 0, 0])


class _Capped(float):
    """What a loss of clipped probabilities comes to, wherever it is that somebody clips: any mean within two limits.

    Attributes:
        limits: the means with a loss of at most 9 and of at most 40 a face, as for 1e-4 and for 1e-17.
    """

    limits: tuple[float, float]


def _clipped(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor | _Capped:
    if logits.requires_grad:  # small ones, that nobody clips
        return cross_entropy(logits, labels)
    each = F.softplus(torch.where(labels == 1, -logits, logits))
    found = _Capped(each.clamp(max=16).mean())
    found.limits = float(each.clamp(max=9).mean()), float(each.clamp(max=40).mean())
    return found


def _loss_differs(expected: Any, found: Any) -> str:
    """How a loss departs from the expected one: its value and, where logits ask for it, its gradient."""
    if isinstance(expected, _Capped) and isinstance(found, torch.Tensor | float) and np.ndim(found) == 0:
        low, high = expected.limits
        return "" if low - 1e-3 <= float(found) <= high + 1e-3 else "no such clipping"
    if text := comparison.difference(expected, found):
        return text
    if not isinstance(expected, torch.Tensor) or not expected.requires_grad:
        return ""
    if not isinstance(found, torch.Tensor) or not found.requires_grad:
        return (
            f"the value is right, {float(expected.detach()):.3f}, but yours is a plain number and leads to no "
            "gradient, so nothing can be trained by it: stay with torch's tensors to the end"
        )
    left, right = _gradient(expected), _gradient(found)
    text = comparison.difference(left, right)
    return f"the value is right, but its gradient is not: {text}; try `torch.maximum` or `F.softplus`" if text else ""


def _gradient(loss: torch.Tensor) -> torch.Tensor:
    """Of a loss with respect to the one tensor that it began from; found by walking back, for nobody hands it over."""
    nodes: list[Any] = [loss.grad_fn]
    while nodes:
        node = nodes.pop()
        if hasattr(node, "variable"):
            gradient: torch.Tensor = torch.autograd.grad(loss, node.variable, retain_graph=True)[0]
            return gradient
        nodes += [before for before, _ in getattr(node, "next_functions", ()) if before is not None]
    return torch.zeros(())


def _flat_at_zero(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    wrong_way = torch.where(labels == 1, -logits, logits)
    return (wrong_way.clamp(min=0) + torch.log1p(torch.exp(-wrong_way.abs()))).mean()


def _over_faces(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    return F.cross_entropy(logits, labels)


def _probability(logits: torch.Tensor) -> torch.Tensor:
    return 1 / (1 + torch.exp(-logits))


def _by_products(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    p = _probability(logits)
    return -(labels * p.log() + (1 - labels) * (1 - p).log()).mean()


def _by_cases(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    p = _probability(logits)
    return -torch.where(labels == 1, p, 1 - p).log().mean()


CROSS_ENTROPY = Exercise(
    "cross_entropy", "Cross-entropy from logits", minutes=8, difficulty=2,
    reference=cross_entropy, cases=_logits, difference=_loss_differs,
    wrong={
        "Right in value, but its gradient at z = 0 is 0, so a network that starts at zero never learns. Use "
        "`torch.maximum` or `F.softplus`.": _flat_at_zero,
        "0 times infinity is NaN. Where the network is very sure, its sigmoid is exactly 0 or 1, and ln 0 is minus "
        "infinity. Write the loss in z: for a fake it is ln(1 + e^-z).": _by_products,
        "Infinite where the network is very sure and wrong: a sigmoid of exactly 0 has no logarithm, and e^200 is too "
        "large for a float. Use ln(1 + e^z) = max(z, 0) + ln(1 + e^-|z|).": _by_cases,
        "`binary_cross_entropy` of a sigmoid stops at 100, so that a mistake of 200 costs no more than one of 100, and "
        "has no gradient. Write the loss in z.": lambda z, y: F.binary_cross_entropy(z.sigmoid(), y),
        "Clipping p hides how wrong the network was and takes its gradient away. Write the loss in z.": _clipped,
        "`F.cross_entropy` is for one of several classes: it takes the faces of the batch for classes. Here each face "
        "has one logit of its own.": _over_faces,
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
