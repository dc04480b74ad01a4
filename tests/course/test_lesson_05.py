"""The exercises of lesson 05 teach: every answer, right or wrong, gets its own line."""

import re
import types
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from torchfakes_utils.course import lesson_05
from torchfakes_utils.course.practice import State

from helpers.exercises import assert_line, assert_teaches

ROOT = Path(__file__).parents[2]

# --- the loss


def by_loop(logits, labels):
    total = 0.0
    for z, y in zip(logits, labels, strict=True):
        a = -z if y == 1 else z
        total = total + torch.maximum(a, torch.zeros_like(a)) + torch.log1p(torch.exp(-abs(a)))
    return total / len(logits)


def by_maximum(logits, labels):
    a = torch.where(labels > 0.5, -logits, logits)
    return (torch.maximum(a, torch.zeros_like(a)) + torch.log1p(torch.exp(-a.abs()))).mean()


def in_numpy(logits, labels):
    logits = logits.detach()
    return np.mean(np.logaddexp(0, np.where(labels == 1, -logits, logits)))


def flat(logits, labels, cut=torch.relu):
    """The lesson's own solution of old."""
    return (cut(logits) - logits * labels + torch.log1p(torch.exp(-logits.abs()))).mean()


def flat_as_told(logits, labels):
    return flat(torch.where(labels == 1, -logits, logits), torch.zeros_like(labels))


def by_softplus(logits, labels):
    return F.softplus(logits * (1 - 2 * labels)).mean(dim=0)


def by_log_sigmoid(logits, labels):
    return -(labels * F.logsigmoid(logits) + (1 - labels) * F.logsigmoid(-logits)).mean()


def clipped(logits, labels, least=1e-7):
    p = torch.sigmoid(logits).clamp(least, 1 - least)
    return -(labels * p.log() + (1 - labels) * (1 - p).log()).mean()


def test_cross_entropy_is_judged():
    sigmoid = torch.sigmoid
    assert_teaches(
        lesson_05.CROSS_ENTROPY,
        right=[by_loop, by_maximum, by_softplus, by_log_sigmoid, F.binary_cross_entropy_with_logits],
        wrong={
            "0 times infinity": lambda z, y: -(y * sigmoid(z).log() + (1 - y) * (1 - sigmoid(z)).log()).mean(),
            "Infinite where": lambda z, y: torch.log(1 + torch.exp(torch.where(y > 0, -z, z))).mean(),
            "stops at 100": lambda z, y: nn.BCELoss()(sigmoid(z), y),
            "the sum over": lambda z, y: F.binary_cross_entropy_with_logits(z, y, reduction="sum"),
            "turned round": lambda z, y: F.softplus(z * (2 * y - 1)).mean(),
            "sign is missing": lambda z, y: (y * F.logsigmoid(z) + (1 - y) * F.logsigmoid(-z)).mean(),
            "its gradient at z = 0 is 0": flat_as_told,
            "Clipping p hides": clipped,
            "one of several classes": lambda z, y: F.cross_entropy(z[None], y[None]),
            "yours is a plain number": in_numpy,
            "yours is of shape": lambda z, y: F.binary_cross_entropy_with_logits(z, y, reduction="none"),
        },
    )  # fmt: skip


@pytest.mark.parametrize("least", [1e-4, 1e-6, 1e-7])
def test_a_clipped_probability_is_not_enough(least):
    assert_line(lesson_05.CROSS_ENTROPY, partial(clipped, least=least), 0, State.WRONG, "Clipping p hides")


@pytest.mark.parametrize("added", [1e-6, 1e-8, 1e-12])
def test_neither_is_a_little_more_within_the_logarithm(added):
    def with_more(z, y):
        p = torch.sigmoid(z)
        return -(y * (p + added).log() + (1 - y) * (1 - p + added).log()).mean()

    assert_line(lesson_05.CROSS_ENTROPY, with_more, 0, State.WRONG, "Clipping p hides")


def test_a_text_is_no_loss():
    assert_line(lesson_05.CROSS_ENTROPY, lambda z, y: "0.7", 0, State.WRONG, "is expected")


@pytest.mark.parametrize("cut", [torch.relu, lambda a: a.clamp(min=0), lambda a: torch.where(a > 0, a, 0.0)])
def test_a_loss_without_a_gradient_at_zero_is_not_right(cut):
    assert_line(lesson_05.CROSS_ENTROPY, partial(flat, cut=cut), 0, State.WRONG, "its gradient is")


def folded(name):
    """A solution of the lesson, as it stands in the fold, with what the notebook imports before it."""
    text = (ROOT / "notebooks" / "source" / "05_fine_tune.py").read_text(encoding="utf-8")
    source = re.search(rf"^# ```python\n(# def {name}\(.*?)^# ```", text, re.DOTALL | re.MULTILINE)[1]
    names = {"torch": torch, "nn": nn, "F": F}
    exec(re.sub(r"^# ?", "", source, flags=re.MULTILINE), names)
    return names[name]


@pytest.mark.parametrize("loss_of", [folded("cross_entropy"), lesson_05.cross_entropy, by_maximum])
def test_a_network_that_starts_at_zero_learns_by_the_folded_solutions(loss_of):
    """As the lesson's: its classifier is zero, so that every first logit is, and what it must leave is ln 2."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(5, 32), nn.Tanh(), nn.Linear(32, 1), nn.Flatten(0))
    nn.init.zeros_(network[2].weight)
    nn.init.zeros_(network[2].bias)
    images, labels = torch.randn(16, 5), torch.arange(16.0) % 2
    memorise = folded("memorise")
    own = {"F": types.SimpleNamespace(binary_cross_entropy_with_logits=loss_of), "cross_entropy": loss_of}
    memorise.__globals__.update(own)  # whichever of the two it calls
    losses = [float(loss) for loss in memorise(network, images, labels, 400)]
    assert losses[0] == pytest.approx(np.log(2)) and losses[-1] < 0.3
    assert first_stays(flat_as_told, images, labels)  # or this test could not fail


def first_stays(loss_of, images, labels):
    network = nn.Sequential(nn.Linear(5, 1), nn.Flatten(0))
    for parameter in network.parameters():
        nn.init.zeros_(parameter)
    loss_of(network(images), labels).backward()
    return not any(parameter.grad.any() for parameter in network.parameters())


def test_the_loss_is_torchs_own():
    for logits, labels in lesson_05.CROSS_ENTROPY.inputs(3):
        expected = F.binary_cross_entropy_with_logits(logits, labels)
        assert torch.allclose(lesson_05.cross_entropy(logits, labels), expected)


# --- the loop


def training(network, images, labels, steps, start=lambda network: network.train(), clear=True, loss_of=None):
    """A loop as somebody else would write it, tensors and all."""
    start(network)
    optimizer, losses = torch.optim.AdamW(network.parameters(), lr=1e-3), []
    for _ in range(steps):
        if clear:
            network.zero_grad()
        loss = (loss_of or by_softplus)(network(images), labels)
        loss.backward()
        optimizer.step()
        losses += [loss]
    return losses


def shuffled_order(network, images, labels, steps):
    """Backward, clear, step: what was to be used is gone."""
    network.train()
    optimizer, losses = torch.optim.AdamW(network.parameters(), lr=1e-3), []
    for _ in range(steps):
        loss = F.binary_cross_entropy_with_logits(network(images), labels)
        loss.backward()
        optimizer.zero_grad()
        optimizer.step()
        losses.append(float(loss))
    return losses


def measured_afterwards(network, images, labels, steps):
    network.train()
    optimizer, losses = torch.optim.AdamW(network.parameters(), lr=1e-3), []
    for _ in range(steps):
        optimizer.zero_grad()
        F.binary_cross_entropy_with_logits(network(images), labels).backward()
        optimizer.step()
        losses.append(float(F.binary_cross_entropy_with_logits(network(images), labels)))
    return losses


def test_a_training_loop_is_judged():
    assert_teaches(
        lesson_05.MEMORISE,
        right=[
            training,
            lambda *words: torch.stack(training(*words)),
            lambda *words: training(*words, loss_of=lesson_05.cross_entropy),
        ],
        wrong={
            "pile up": lambda *words: training(*words, clear=False),
            "still in evaluation mode": lambda *words: training(*words, start=lambda network: network.eval()),
            "the same in every step": shuffled_order,
            "one step late": measured_afterwards,
            "yours is a single number": lambda *words: training(*words)[-1],
            "yours is of shape": lambda *words: training(*words)[1:],
        },
    )


# --- batch norm's averages


def by_hooks(network, batches):
    """Every mean and variance noted as it passes, and put in by hand."""
    layers = [module for module in network.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    noted = {layer: [] for layer in layers}

    def note(layer, inputs):
        x = inputs[0].transpose(0, 1).flatten(1)
        noted[layer].append((x.mean(1), x.var(1)))

    hooks = [layer.register_forward_pre_hook(note) for layer in layers]
    network.train()
    with torch.inference_mode():
        for images, _ in batches:
            network(images)
    for hook in hooks:
        hook.remove()
    for layer, found in noted.items():
        layer.running_mean = torch.stack([mean for mean, _ in found]).mean(0)
        layer.running_var = torch.stack([var for _, var in found]).mean(0)
    return network.eval()


def with_running_share(network, batches):
    """A share of 1, 1/2, 1/3 … of each batch: a plain mean, written out."""
    network.train()
    for number, (images, _) in enumerate(batches, 1):
        for module in network.modules():
            if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
                module.momentum = 1 / number
        network(images)
    network.eval()
    return network


def counting(network, batches, reset=True, plain=True, mode=True, done=True):
    for module in network.modules():
        if hasattr(module, "running_mean"):
            if plain:
                module.momentum = None
            if reset:
                module.reset_running_stats()
    network.train(mode)
    for images, _ in batches:
        network(images)
    return network.eval() if done else network


def also_training(network, batches):
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-3)
    counting(network, batches, done=False)
    network(batches[0][0]).sum().backward()
    optimizer.step()
    return network.eval()


def test_a_recount_is_judged():
    assert_teaches(
        lesson_05.RECOUNT,
        right=[counting, by_hooks, with_running_share],
        wrong={
            "old averages are still": lambda *words: counting(*words, reset=False),
            "a tenth only": lambda *words: counting(*words, plain=False),
            "Nothing was counted": lambda *words: counting(*words, mode=False),
            "End with `network.eval()`": lambda *words: counting(*words, done=False),
            "weights have changed": also_training,
            "the network is expected": lambda network, batches: counting(network, batches).state_dict(),
        },
    )


def test_a_recount_that_returns_nothing_is_told_so():
    def forgets(network, batches):
        counting(network, batches)

    assert_line(lesson_05.RECOUNT, forgets, 0, State.WRONG, "Is its `return` missing?")


def test_a_recount_of_one_batch_gives_its_mean_and_spread():
    network = nn.Sequential(nn.BatchNorm1d(2))
    batch = torch.tensor([[1.0, 0.0], [3.0, 4.0]])
    lesson_05.recount(network, [(batch, torch.zeros(2))])
    assert network[0].running_mean.tolist() == [2, 2] and network[0].running_var.tolist() == [2, 8]
    assert not network.training
