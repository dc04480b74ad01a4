import pytest
import torch

from torchfakes_utils.errors import InputError
from torchfakes_utils.models.detector import Detector
from torchfakes_utils.training.checkpoint import read_state
from torchfakes_utils.training.config import TrainingConfig
from torchfakes_utils.training.run import train

from helpers.runs import TINY, assert_same_run

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize(
    ("room", "message"),
    [
        (2, r"a batch of 4 crops of 80 px does not fit .*; 2 crops do: --batch-size 2 --accumulate 2, in a new folder"),
        (1, "does not fit .*; take a smaller batch"),
    ],
)
def test_memory_that_runs_out(faces_csv, tmp_path, monkeypatch, room, message):
    """A device with room for so many crops: which batch fits is found by trying, and what was kept is whole."""
    config = TrainingConfig(**TINY | {"checkpoint_minutes": 0.0})
    real, calls = Detector.forward, []

    def forward(detector, images):
        calls.append(len(images))
        if detector.training and len(images) > room and len(calls) > 1:  # the first step still has the room
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return real(detector, images)

    monkeypatch.setattr(Detector, "forward", forward)
    with pytest.raises(InputError, match=message) as told:
        train(faces_csv, tmp_path / "run", config, progress=False)
    assert "\n" not in str(told.value)
    assert calls == [4, 4, 2]
    monkeypatch.undo()
    torch.set_num_threads(1)
    assert read_state(tmp_path / "run")["progress"]["step"] == 1
    train(faces_csv, tmp_path / "run", config, progress=False)
    train(faces_csv, tmp_path / "alone", config, progress=False)
    assert_same_run(tmp_path / "alone", tmp_path / "run")
