"""Networks for windows: they begin at ln 2, learn what only time shows, and fall to chance where time is shuffled."""

import math

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch import nn

from torchfakes_utils.errors import InputError
from torchfakes_utils.temporal.config import ARCHITECTURES, HEADS
from torchfakes_utils.temporal.networks import ClipNetwork, build, fill_clip_network, steps

from helpers.films import coupled


def a_batch(architecture: str, ticks: int = 8) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    shape = (4, ticks, 6) if architecture in HEADS else (4, 3, ticks, 32, 32)
    return torch.randn(shape, generator=generator)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_each_begins_at_a_loss_of_ln_2_and_its_body_has_a_gradient_after_a_step(architecture):
    torch.manual_seed(0)
    network, given, labels = build(architecture, 6, 8), a_batch(architecture), torch.tensor([0.0, 1.0, 0.0, 1.0])
    logits = network(given)
    loss = nn.functional.binary_cross_entropy_with_logits(logits, labels)
    assert logits.shape == (4,) and float(loss.detach()) == pytest.approx(math.log(2))
    optimizer = torch.optim.SGD(network.parameters(), 0.1)
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    nn.functional.binary_cross_entropy_with_logits(network(given), labels).backward()
    moved = [name for name, one in network.named_parameters() if one.grad is not None and one.grad.abs().sum() > 0]
    assert len(moved) > len(list(network.parameters())) / 2


def test_an_unknown_network_is_refused():
    with pytest.raises(InputError, match="there are gru"):
        build("lstm", 6, 8)


def test_steps_are_differences_round_a_tick():
    values = torch.arange(5.0).square()[None, :, None]
    assert steps(values).squeeze().tolist() == [0, 2, 4, 6, 0]


def trained(architecture: str, count: int = 300) -> nn.Module:
    torch.manual_seed(0)
    generator = np.random.default_rng(0)
    network = build(architecture, 6, 20)
    optimizer = torch.optim.AdamW(network.parameters(), 1e-2 if architecture == "correlation" else 3e-3)
    for _ in range(count):
        given = np.concatenate([coupled(generator, 16, 20, real) for real in (True, False)])
        labels = torch.tensor([0.0] * 16 + [1.0] * 16)
        loss = nn.functional.binary_cross_entropy_with_logits(network(torch.from_numpy(given)), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return network.eval()


@torch.inference_mode()
def auc_of(network: nn.Module, shuffled: bool = False) -> float:
    generator = np.random.default_rng(99)
    given = np.concatenate([coupled(generator, 150, 20, real) for real in (True, False)])
    if shuffled:
        given = np.stack([one[generator.permutation(20)] for one in given])
    return float(roc_auc_score([0] * 150 + [1] * 150, network(torch.from_numpy(given)).numpy()))


@pytest.mark.slow
@pytest.mark.parametrize("architecture", HEADS)
def test_a_head_learns_what_no_single_tick_shows_and_nothing_of_it_is_left_when_ticks_are_shuffled(architecture):
    network = trained(architecture)
    assert auc_of(network) > 0.85
    assert 0.35 < auc_of(network, shuffled=True) < 0.65


def test_a_single_tick_says_nothing_of_it():
    """The best that a look at one tick can do: logistic regression on its features, their squares and products."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import PolynomialFeatures

    generator = np.random.default_rng(1)
    ticks = [np.concatenate([coupled(generator, 2000, 5, real)[:, 2] for real in (True, False)]) for _ in range(2)]
    labels = np.repeat([0, 1], 2000)
    known, asked = (PolynomialFeatures(2).fit_transform(one) for one in ticks)
    found = LogisticRegression(max_iter=500).fit(known, labels).decision_function(asked)
    assert roc_auc_score(labels, found) == pytest.approx(0.5, abs=0.04)


@torch.inference_mode()
def test_a_difference_network_sees_no_wall():
    network = build("diff3d", 0, 8).eval()
    nn.init.normal_(network.classifier.weight)
    given = a_batch("diff3d")
    behind = 0.3 * torch.randn(1, 3, 1, 32, 32)
    assert network(given).numpy() == pytest.approx(network(given + behind).numpy(), abs=1e-4)


def test_given_weights_fill_the_body_and_files_of_other_networks_are_refused(tmp_path):
    torch.manual_seed(1)
    source, target = ClipNetwork(), ClipNetwork()
    state = source.network.state_dict() | {"fc.weight": torch.zeros(400, 512), "fc.bias": torch.zeros(400)}
    torch.save(state, tmp_path / "kinetics.pth")
    fill_clip_network(target, tmp_path / "kinetics.pth")
    assert (target.network.layer3[0].conv1[0][0].weight == source.network.layer3[0].conv1[0][0].weight).all()
    assert not target.network.fc.weight.any(), "the answer begins at zero"
    torch.save({"conv.weight": torch.zeros(3)}, tmp_path / "other.pth")
    for path in ("other.pth", "absent.pth"):
        with pytest.raises(InputError, match="not weights of r2plus1d_18") as caught:
            fill_clip_network(target, tmp_path / path)
        assert "\n" not in str(caught.value)
