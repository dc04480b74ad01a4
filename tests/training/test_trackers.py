import os
import sqlite3
import subprocess
import sys

import numpy as np
import pytest

from torchfakes_utils.errors import InputError
from torchfakes_utils.training import trackers as module
from torchfakes_utils.training.trackers import open_tracker

from helpers.crops import make_faces

TINY = {
    "architecture": "Meso4", "epochs": 2, "batch_size": 4, "crops_per_epoch": 8, "image_size": 80, "pretrained": None,
    "val_frames_per_clip": 1, "device": "cpu", "log_every": 1,
}  # fmt: skip

# Each tracker in a process of its own: they start threads and servers, and keep global state.
_PROGRAM = """
import sys
from torchfakes_utils.training.config import TrainingConfig
from torchfakes_utils.training.run import train
train(sys.argv[1], sys.argv[2], TrainingConfig(**eval(sys.argv[3])), progress=True)
"""


@pytest.fixture(scope="module")
def faces_csv(tmp_path_factory):
    return make_faces(tmp_path_factory.mktemp("faces"), {"train": 3, "val": 2}, frames=2)


def tracked(faces_csv, out, tracker, **environment):
    config = TINY | {"tracker": tracker}
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("WANDB_", "TRACKIO_"))}
    return subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(faces_csv), str(out), str(config)],
        capture_output=True, text=True, timeout=180, env=plain | environment,
    )  # fmt: skip


@pytest.mark.slow
def test_wandb_offline_without_a_key(faces_csv, tmp_path):
    done = tracked(faces_csv, tmp_path / "run", "wandb", HOME=str(tmp_path), WANDB_MODE="offline")
    assert done.returncode == 0, done.stderr
    folders = list((tmp_path / "run" / "wandb").glob("offline-run-*"))
    assert len(folders) == 1
    log = next(folders[0].glob("*.wandb")).read_bytes()
    for name in (b"train/loss", b"train/learning_rate", b"gradient norm/block1", b"val/auc", b"confusion/tp"):
        assert name in log, name
    assert list(folders[0].rglob("*.png"))  # the worst mistakes


@pytest.mark.slow
def test_trackio_keeps_a_run_on_this_machine(faces_csv, tmp_path):
    done = tracked(faces_csv, tmp_path / "run", "trackio", TRACKIO_DIR=str(tmp_path / "trackio"), HOME=str(tmp_path))
    assert done.returncode == 0, done.stderr
    database = tmp_path / "trackio" / "torchfakes.db"
    with sqlite3.connect(database) as connection:
        told = " ".join(str(row) for row in connection.execute("select metrics from metrics"))
    for name in ("train/loss", "gradient norm/head", "val/auc", "confusion/tn", "system/memory_mib"):
        assert name in told, name
    everything = done.stdout + done.stderr
    assert "token" not in everything.lower() and "http" not in everything


@pytest.mark.slow
def test_tensorboard_writes_its_events(faces_csv, tmp_path):
    done = tracked(faces_csv, tmp_path / "run", "tensorboard")
    assert done.returncode == 0, done.stderr
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(tmp_path / "run" / "tensorboard"))
    events.Reload()
    assert {"train/loss", "gradient norm/block4", "val/auc"} <= set(events.Tags()["scalars"])
    assert [event.step for event in events.Scalars("train/loss")] == [1, 2, 3, 4]
    assert "worst mistakes" in events.Tags()["images"]


@pytest.mark.slow
def test_no_key_is_ever_printed(faces_csv, tmp_path):
    secret = "0123456789abcdef0123456789abcdef01234567"
    done = tracked(faces_csv, tmp_path / "run", "wandb", HOME=str(tmp_path), WANDB_MODE="offline", WANDB_API_KEY=secret)
    assert done.returncode == 0 and secret not in done.stdout + done.stderr
    for path in (tmp_path / "run").rglob("*"):
        assert path.is_dir() or secret.encode() not in path.read_bytes(), path


def test_a_tracker_that_is_not_installed(monkeypatch, tmp_path):
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"the tracker wandb is not installed: pip install 'torchfakes\[trackers\]'"):
        open_tracker("wandb", tmp_path, {})
    nobody = open_tracker("auto", tmp_path, {})  # the default does without
    nobody.scalars({"x": 1.0}, 1)
    nobody.pictures("x", [np.zeros((2, 2, 3), np.uint8)], [""], 1)
    nobody.finish()


def test_a_trackio_that_is_broken_ends_no_run_of_who_has_not_asked_for_it(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: name)
    monkeypatch.setitem(sys.modules, "trackio", None)  # importing it is an ImportError
    open_tracker("auto", tmp_path, {}).scalars({"x": 1.0}, 1)
    assert "trackio is installed, but cannot be imported" in caplog.text


def test_trackio_that_cannot_write_is_said_once_and_training_goes_on(tmp_path, monkeypatch, caplog):
    pytest.importorskip("trackio")
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "file" / "trackio"))
    tracker = open_tracker("trackio", tmp_path / "run", {"seed": 0})
    tracker.scalars({"loss": 1.0}, 0)
    tracker.pictures("worst", [np.zeros((8, 8, 3), np.uint8)], ["a"], 0)
    tracker.finish()
    (record,) = caplog.records
    assert "trackio cannot write there (Not a directory); this run is not tracked" in record.getMessage()
