import numpy as np
import pytest
import torch
from torch import nn

from torchfakes_utils.models.architectures import HEAD
from torchfakes_utils.models.detector import DetectorConfig
from torchfakes_utils.models.preprocessing import Preprocessing
from torchfakes_utils.training.learner import (
    WeightAverage,
    gradient_norms,
    match_layouts,
    parameter_groups,
    schedule,
)

from helpers.detectors import opinionated


def small(name):
    return opinionated(DetectorConfig(name, None, preprocessing=Preprocessing(size=80)))


def test_groups_of_parameters():
    detector = small("InceptionResnetV1")
    groups = parameter_groups(detector, 1e-3, 1e-2, 0.05)
    assert [(group["name"], group["lr"], group["weight_decay"]) for group in groups] == [
        ("body", 1e-3, 0.05), ("body", 1e-3, 0.0), ("head", 1e-2, 0.05), ("head", 1e-2, 0.0)
    ]  # fmt: skip
    assert sum(len(group["params"]) for group in groups) == len(list(detector.parameters()))
    assert all({p.ndim for p in group["params"]} == {1} for group in groups if not group["weight_decay"])
    detector.tune("head")
    assert {group["name"] for group in parameter_groups(detector, 1e-3, 1e-2, 0.05)} == {"head"}


def test_one_cycle_keeps_the_rates_of_head_and_body_apart():
    optimizer = torch.optim.AdamW(parameter_groups(small("Meso4"), 1e-3, 1e-2, 0.0))
    scheduler, rates = schedule("one-cycle", optimizer, 50), []
    for _ in range(50):
        rates.append([group["lr"] for group in optimizer.param_groups])
        optimizer.step()
        scheduler.step()
    rates = np.array(rates)
    heads = np.array([group["name"] == "head" for group in optimizer.param_groups])
    assert rates[:, ~heads].max() == pytest.approx(1e-3) and rates[:, heads].max() == pytest.approx(1e-2)
    assert rates[-1].max() < 1e-5


def rates_of(kind, steps, warmup=0):
    optimizer = torch.optim.AdamW(nn.Linear(2, 1).parameters(), lr=0.5)
    scheduler, rates = schedule(kind, optimizer, steps, warmup), []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return np.array(rates), optimizer.param_groups[0]["lr"]


def test_a_cosine_goes_down_to_zero():
    """Against the formula, (1 + cos(π t / T)) / 2, and torch's own."""
    rates, last = rates_of("cosine", 40)
    np.testing.assert_allclose(rates, 0.25 * (1 + np.cos(np.pi * np.arange(40) / 40)))
    assert last == pytest.approx(0, abs=1e-9)
    optimizer = torch.optim.SGD(nn.Linear(2, 1).parameters(), lr=0.5)
    theirs = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=40)
    for rate in rates:
        assert theirs.get_last_lr()[0] == pytest.approx(rate, abs=1e-9)
        optimizer.step()
        theirs.step()


def test_a_warm_up_rises_in_a_straight_line_and_the_cosine_has_the_rest():
    rates, last = rates_of("cosine", 50, warmup=10)
    np.testing.assert_allclose(rates[:10], 0.5 * np.arange(1, 11) / 11)
    assert rates.argmax() == 10 and rates[10] == 0.5
    assert np.diff(rates[10:]).max() < 0 and last == pytest.approx(0, abs=1e-9)


def test_the_average_of_weights():
    """Against the definition, step by step; and swapped in and out again."""
    torch.manual_seed(0)
    network = nn.Linear(3, 1)
    average = WeightAverage(network, 0.9)
    expected = network.weight.detach().clone()
    for step in range(1, 40):
        with torch.no_grad():
            network.weight.add_(torch.randn(1, 3))
        average.update(network)
        decay = min(0.9, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * network.weight.detach()
    weight = network.weight.detach().clone()
    average.swap(network)
    torch.testing.assert_close(network.weight.detach(), expected)
    average.swap(network)
    assert torch.equal(network.weight, weight)


def test_gradient_norms_are_those_of_the_stages():
    detector = small("Meso4")
    detector.tune("block4")
    detector.train()
    detector(torch.rand(4, 3, 80, 80)).sum().backward()
    norms = gradient_norms(detector)
    assert list(norms) == ["block4", HEAD]
    squares = sum(p.grad.square().sum() for module in detector.stages["block4"] for p in module.parameters())
    assert norms["block4"] == pytest.approx(float(squares.sqrt()))


def test_an_optimisers_averages_lie_as_their_parameters_do():
    """Without it, a fused optimiser takes the averages of one weight for those of another."""
    results = []
    for relaid in (True, False):
        torch.manual_seed(0)
        network = nn.Conv2d(3, 8, 3).to(memory_format=torch.channels_last)
        optimizer = torch.optim.AdamW(network.parameters(), lr=0.1, fused=True)
        crops = torch.rand(2, 3, 8, 8)
        for step in range(4):
            if step == 2 and relaid:
                state = optimizer.state_dict()
                for values in state["state"].values():
                    values.update({name: value.contiguous() for name, value in values.items()})
                optimizer.load_state_dict(state)
                match_layouts(optimizer)
            optimizer.zero_grad()
            network(crops).square().mean().backward()
            optimizer.step()
        results.append(network.weight.detach().clone())
    assert torch.equal(*results)
