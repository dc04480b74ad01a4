import numpy as np
import pytest
import torch
from torch import nn

from torchfakes_utils.models.architectures import HEAD
from torchfakes_utils.models.detector import DetectorConfig
from torchfakes_utils.models.preprocessing import Preprocessing
from torchfakes_utils.training.learner import (
    WeightAverage,
    autocast_dtype,
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


def test_half_precision_goes_where_it_is_faster(monkeypatch):
    cpu, cuda = torch.device("cpu"), torch.device("cuda")
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False, raising=False)
    for supported, dtype in ((True, torch.bfloat16), (False, None)):
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda it=supported: it, raising=False)
        assert autocast_dtype(cpu, "auto") is dtype
    for supported, dtype in ((True, torch.bfloat16), (False, torch.float16)):
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation, it=supported: it)
        assert autocast_dtype(cuda, "auto") is dtype
    assert autocast_dtype(cuda, "off") is None
    assert (autocast_dtype(cpu, "bf16"), autocast_dtype(cpu, "fp16")) == (torch.bfloat16, torch.float16)


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
