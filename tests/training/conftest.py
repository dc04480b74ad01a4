"""Crops to train on, and a run that is done."""

import pytest
import torch

from torchfakes_utils.training.config import TrainingConfig
from torchfakes_utils.training.run import train

from helpers.crops import make_faces
from helpers.runs import TINY


@pytest.fixture(scope="module")
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)  # the order of sums, and so their last bit, goes with the number of threads
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def faces_csv(tmp_path_factory):
    return make_faces(tmp_path_factory.mktemp("faces"), {"train": 3, "val": 2}, frames=2)


@pytest.fixture(scope="module")
def whole(faces_csv, tmp_path_factory):
    rows = []
    result = train(faces_csv, tmp_path_factory.mktemp("runs") / "whole", TrainingConfig(**TINY), rows.append, False)
    return result, rows
