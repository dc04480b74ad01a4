"""Small runs, and how two of them are compared."""

import pandas as pd
import torch

from torchfakes_utils.training.checkpoint import read_state

# Two steps an epoch, of four crops of 80 px: enough to move every weight. Meso4 is small; what is said about it here
# holds for any network, and the course's own has tests of its own below.
TINY = {
    "architecture": "Meso4", "epochs": 2, "batch_size": 4, "crops_per_epoch": 8, "image_size": 80,
    "val_frames_per_clip": 1, "pretrained": None, "device": "cpu", "augmentation": "modern", "log_every": 1,
    "mixed_precision": "off",  # what "auto" takes is timed, and need not be the same twice
}  # fmt: skip

INCEPTION = TINY | {"architecture": "InceptionResnetV1", "augmentation": "first-project"}

TIMES = ["images_per_second", "cpu_percent", "memory_mib"]


def assert_same_run(one, other):
    """Weights, optimiser, schedule and history, bit for bit; times apart."""
    first, second = read_state(one), read_state(other)
    for state in (first, second):
        state["progress"].pop("seconds")
        for row in state["history"]:
            row.pop("seconds")
    assert equal(first, second)
    for name in ("model.safetensors",):
        assert (one / "best" / name).read_bytes() == (other / "best" / name).read_bytes()
    tables = [pd.read_csv(run / "history.csv").drop(columns="seconds") for run in (one, other)]
    pd.testing.assert_frame_equal(*tables, check_exact=True)
    tables = [pd.read_csv(run / "steps.csv").drop(columns=TIMES) for run in (one, other)]
    pd.testing.assert_frame_equal(*tables, check_exact=True)


def equal(one, other):
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(equal(one[name], other[name]) for name in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(equal, one, other))
    return one == other
