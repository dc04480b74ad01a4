"""Two processes on this machine's CPU, started by torchrun, against one: the same run."""

import json
import re

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from torchfakes_utils.errors import InputError
from torchfakes_utils.training.config import TrainingConfig
from torchfakes_utils.training.distributed import World, gather, join, mean, parallel, synchronise_batch_norm
from torchfakes_utils.training.run import train

from helpers.crops import make_faces
from helpers.processes import torchrun

# Dropout draws its own numbers in each process: without it, nothing but the order of sums is left to differ. Where the
# processor has bfloat16, half precision would make far more of that order.
SAME = {
    "architecture": "Meso4", "pretrained": None, "epochs": 2, "batch_size": 8, "crops_per_epoch": 24, "image_size": 80,
    "dropout": 0.0, "augmentation": "modern", "device": "cpu", "log_every": 1, "average": 0.5, "mixed_precision": "off",
    "learning_rate": 3e-3,
}  # fmt: skip


@pytest.fixture(scope="module")
def faces_csv(tmp_path_factory):
    return make_faces(tmp_path_factory.mktemp("faces"), {"train": 6, "val": 3}, frames=2)


_PROGRAM = """
import sys, torch
from torchfakes_utils.training.config import TrainingConfig
from torchfakes_utils.training.run import train
torch.set_num_threads(1)
train(sys.argv[1], sys.argv[2], TrainingConfig(**eval(sys.argv[3])), progress=True)
"""


@pytest.mark.slow
def test_two_processes_make_the_run_of_one(faces_csv, tmp_path):
    program = tmp_path / "program.py"
    program.write_text(_PROGRAM)
    done = torchrun(2, [str(program)], faces_csv, tmp_path / "two", SAME | {"processes": 2})
    assert done.returncode == 0, done.stderr
    assert "on cpu, 2 processes" in done.stdout and done.stdout.count("epoch 1/2") == 1  # one of them speaks
    train(faces_csv, tmp_path / "one", TrainingConfig(**SAME), progress=False)

    one, two = (pd.read_csv(tmp_path / name / "steps.csv") for name in ("one", "two"))
    # The first loss is ln 2 whatever comes in; the next two differ in the last digits of sums. Adam divides small
    # gradients by themselves, so that those digits grow with every step: six steps are enough. Without shared batch
    # norms it is 0.1 % at the third already.
    np.testing.assert_allclose(two["loss"][:3], one["loss"][:3], rtol=5e-5)
    np.testing.assert_allclose(two["loss"], one["loss"], rtol=1e-2)
    assert one["loss"].max() / one["loss"].min() > 1.05  # a curve, not a line
    one, two = (pd.read_csv(tmp_path / name / "history.csv") for name in ("one", "two"))
    np.testing.assert_allclose(two[["train_loss", "val_loss"]], one[["train_loss", "val_loss"]], rtol=2e-2)
    same = ["train_real", "train_fake", "learning_rate"]
    np.testing.assert_allclose(two[same], one[same])


def test_the_command_line_under_torchrun_refuses_to_run_alone(faces_csv, tmp_path):
    with pytest.raises(InputError, match="1 of 2 processes are there; start them with torchrun"):
        train(faces_csv, tmp_path / "run", TrainingConfig(**SAME | {"processes": 2}), progress=False)
    assert not (tmp_path / "run").exists()


def test_a_batch_that_cannot_be_shared():
    from torchfakes_utils.training.data import TrainingData

    with pytest.raises(InputError, match="a batch of 8 cannot be shared by 3 processes evenly"):
        TrainingData(None, None, TrainingConfig(**SAME), World(3, 0, torch.device("cpu")))


def test_alone_there_is_nothing_to_synchronise(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with join(torch.device("cpu")) as world:
        network = nn.BatchNorm2d(3)
        assert (world.size, world.rank, world.first) == (1, 0, True)
        assert gather(world, "x") == ["x"] and mean(world, torch.tensor(2.0)) == 2
        assert parallel(network, world) is network
        synchronise_batch_norm(around := nn.Sequential(network), world)
        assert around[0] is network
    assert [World(4, rank, None).share(8) for rank in range(4)] == [slice(0, 2), slice(2, 4), slice(4, 6), slice(6, 8)]


_NORM = """
import json, sys, torch
from torch import nn
from torchfakes_utils.training.distributed import join, synchronise_batch_norm
torch.manual_seed(0)
data = {2: torch.randn(8, 5), 4: torch.randn(8, 5, 3, 3)}
kinds = {2: nn.BatchNorm1d, 4: nn.BatchNorm2d}
with join(torch.device("cpu")) as world:
    for axes, whole in data.items():
        alone = nn.Sequential(kinds[axes](5))
        with torch.no_grad():
            alone[0].weight.uniform_(0.5, 2)
        together = nn.Sequential(kinds[axes](5))
        together.load_state_dict(alone.state_dict())
        synchronise_batch_norm(together, world)
        mine = world.share(8)
        one, two = whole.clone().requires_grad_(), whole.clone().requires_grad_()
        expected, found = alone(one), together(two[mine])
        torch.testing.assert_close(found, expected[mine], rtol=1e-4, atol=1e-5)
        expected.pow(3).sum().backward()
        found.pow(3).sum().backward()
        torch.testing.assert_close(two.grad[mine], one.grad[mine], rtol=1e-3, atol=1e-4)
        for name, value in alone.state_dict().items():
            torch.testing.assert_close(together.state_dict()[name], value, msg=name)
        together.eval(), alone.eval()
        torch.testing.assert_close(together(whole), alone(whole))
    sys.stdout.write(json.dumps({"rank": world.rank, "size": world.size}, separators=(",", ":")) + "\\n")
"""


@pytest.mark.slow
def test_batch_norm_over_two_processes_is_that_of_the_whole_batch(tmp_path):
    """Values, gradients and running averages, against torch's own over all crops."""
    program = tmp_path / "program.py"
    program.write_text(_NORM)
    done = torchrun(2, [str(program)])
    assert done.returncode == 0, done.stderr
    # Some versions of Gloo say on the same stream whom they are connected to.
    said = [json.loads(record) for record in re.findall(r'\{"rank":\d+,"size":\d+\}', done.stdout)]
    assert sorted(line["rank"] for line in said) == [0, 1] and {line["size"] for line in said} == {2}
