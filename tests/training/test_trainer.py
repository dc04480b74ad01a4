import os
import random
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
import safetensors.torch
import torch

from torchfakes_utils.errors import InputError
from torchfakes_utils.training import checkpoint
from torchfakes_utils.training.checkpoint import read_state
from torchfakes_utils.training.config import TrainingConfig
from torchfakes_utils.training.data import load_crops
from torchfakes_utils.training.run import train
from torchfakes_utils.training.trainer import Trainer

from helpers.runs import INCEPTION, TINY, assert_same_run, equal

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def inception(faces_csv, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "inception"
    return train(faces_csv, folder, TrainingConfig(**INCEPTION), progress=False)


@pytest.mark.slow
@pytest.mark.parametrize(
    "more",
    [
        {},
        {"mixed_precision": "bf16"},
        {"schedule": "cosine", "warmup_epochs": 0.5},
        {"average": 0.9, "clip_norm": 0.5, "accumulate": 2, "schedule": "plateau"},
        {"schedule": "constant", "sampling": "balanced", "tune": "head", "dropout": 0.3},
    ],
)
def test_an_interrupted_run_ends_in_the_same_weights(faces_csv, tmp_path, more):
    """Stopped after every single step, by the first Ctrl-C's own way, and started again."""
    config = TrainingConfig(**TINY | more)
    alone = train(faces_csv, tmp_path / "alone", config, progress=False)
    starts = 0
    while True:
        starts += 1
        torch.rand(7)  # whatever else has drawn random numbers since
        try:
            with stopped_after_a_step():
                train(faces_csv, tmp_path / "stopped", config, progress=False)
            break
        except KeyboardInterrupt:
            assert starts < 20
    assert starts > 2
    assert_same_run(alone.run, tmp_path / "stopped")


@contextmanager
def stopped_after_a_step():
    """A Ctrl-C that comes while the first step is being done."""
    real = Trainer.step

    def step(trainer):
        os.kill(os.getpid(), signal.SIGINT)
        real(trainer)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Trainer, "step", step)
        yield


@pytest.mark.slow
def test_the_courses_network_too(inception, faces_csv, tmp_path):
    with pytest.raises(KeyboardInterrupt), stopped_after_a_step():
        train(faces_csv, tmp_path, TrainingConfig(**INCEPTION), progress=False)
    train(faces_csv, tmp_path, TrainingConfig(**INCEPTION), progress=False)
    assert_same_run(inception.run, tmp_path)


_PROGRAM = """
import sys, torch
torch.set_num_threads(1)
from torchfakes_utils.training.config import TrainingConfig
from torchfakes_utils.training.run import train
train(sys.argv[1], sys.argv[2], TrainingConfig(**eval(sys.argv[3])), progress=False)
"""


@pytest.mark.slow
def test_a_run_that_is_killed_anywhere_ends_in_the_same_weights(faces_csv, tmp_path):
    """`kill -9` at random moments, five times, a checkpoint after every step."""
    config = TINY | {"epochs": 30, "checkpoint_minutes": 0.0, "patience": 100}
    words = [sys.executable, "-c", _PROGRAM, str(faces_csv)]
    alone, killed = tmp_path / "alone", tmp_path / "killed"
    subprocess.run([*words, str(alone), str(config)], check=True)
    chance, kills, begun = random.Random(0), 0, 0
    for _ in range(5):
        process = subprocess.Popen([*words, str(killed), str(config)])
        before = steps_kept(killed)
        while process.poll() is None and steps_kept(killed) == before:
            time.sleep(0.005)
        time.sleep(chance.uniform(0, 0.3))
        if process.poll() is None:
            process.kill()
            kills += 1
        process.wait()
        begun = max(begun, steps_kept(killed))
    assert kills >= 3 and begun > 0
    subprocess.run([*words, str(killed), str(config)], check=True)
    assert_same_run(alone, killed)
    assert [path.name for path in killed.iterdir() if path.name.startswith(".")] == []


def steps_kept(run):
    """How far the state on disk is; while another process replaces it, it is read again."""
    for _ in range(100):
        try:
            state = read_state(run)
            return 0 if state is None else state["progress"]["step"]
        except (InputError, RuntimeError):  # safetensors opens a path twice: the second time, it is another file
            time.sleep(0.01)
    raise AssertionError(f"{run}: its state cannot be read")


def test_training_leaves_the_callers_random_numbers_alone(faces_csv, tmp_path):
    generator = torch.get_rng_state()
    train(faces_csv, tmp_path, TrainingConfig(**TINY | {"epochs": 1, "dropout": 0.5}), progress=False)
    assert torch.equal(torch.get_rng_state(), generator)


def test_whoever_prepares_batches_in_another_way_draws_the_same_numbers(faces_csv):
    """Dropout, and what `prepare` itself draws from torch, come from (seed, step), whatever was drawn before."""

    class Own(Trainer):
        def prepare(self, batch):
            images, labels = super().prepare(batch)
            return images + torch.rand_like(images), labels

    config = TrainingConfig(**TINY | {"dropout": 0.5})
    ends = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        trainer = Own(*load_crops(faces_csv, config), config)
        trainer.epoch()
        ends.append(trainer.detector.state_dict())
    assert equal(*ends)


def test_a_loss_that_is_no_number(faces_csv, tmp_path, monkeypatch):
    """The batch is named, and what was kept before it is whole."""
    config = TrainingConfig(**TINY | {"checkpoint_minutes": 0.0})
    calls = []

    class Sick(torch.nn.BCEWithLogitsLoss):
        def forward(self, logits, labels):
            calls.append(1)
            return super().forward(logits, labels) * (float("nan") if len(calls) == 3 else 1)

    monkeypatch.setattr(torch.nn, "BCEWithLogitsLoss", Sick)
    with pytest.raises(
        InputError, match=r"the loss of batch 3 is nan \(its crops: crops/.*lower --learning-rate"
    ) as told:
        train(faces_csv, tmp_path / "sick", config, progress=False)
    assert "\n" not in str(told.value)
    kept = read_state(tmp_path / "sick")
    assert kept["progress"]["step"] == 2 and all(value.isfinite().all() for value in kept["detector"].values())
    monkeypatch.undo()
    torch.set_num_threads(1)
    train(faces_csv, tmp_path / "sick", config, progress=False)  # the fault is gone, and the run goes on
    train(faces_csv, tmp_path / "well", config, progress=False)
    assert_same_run(tmp_path / "well", tmp_path / "sick")


def test_a_full_disk_leaves_the_previous_checkpoint(faces_csv, tmp_path, monkeypatch):
    config, real, written = TrainingConfig(**TINY | {"checkpoint_minutes": 0.0}), safetensors.torch.save_file, []

    def save_file(tensors, path, metadata):
        written.append(path)
        if len(written) == 2:
            real(tensors, path, metadata)
            Path(path).write_bytes(Path(path).read_bytes()[:1000])
            raise safetensors.SafetensorError("No space left on device (os error 28)")
        real(tensors, path, metadata)

    monkeypatch.setattr(checkpoint.safetensors.torch, "save_file", save_file)
    with pytest.raises(InputError, match="cannot be written .*No space left.*; free some space"):
        train(faces_csv, tmp_path, config, progress=False)
    assert read_state(tmp_path)["progress"]["step"] == 1
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
