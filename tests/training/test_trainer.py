import hashlib
import json
import logging
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import safetensors.torch
import torch

from torchfakes_utils.errors import InputError
from torchfakes_utils.models import pretrained
from torchfakes_utils.models.detector import Detector, load
from torchfakes_utils.models.run_files import STATE_FILE
from torchfakes_utils.training import checkpoint
from torchfakes_utils.training.checkpoint import read_state
from torchfakes_utils.training.config import TrainingConfig
from torchfakes_utils.training.data import TrainingData, load_crops
from torchfakes_utils.training.distributed import World
from torchfakes_utils.training.progress import HISTORY_COLUMNS
from torchfakes_utils.training.run import describe_epoch, train
from torchfakes_utils.training.trainer import Trainer

from helpers.crops import edited, make_faces

# Two steps an epoch, of four crops of 80 px: enough to move every weight. Meso4 is small; what is said about it here
# holds for any network, and the course's own has tests of its own below.
TINY = {
    "architecture": "Meso4", "epochs": 2, "batch_size": 4, "crops_per_epoch": 8, "image_size": 80,
    "val_frames_per_clip": 1, "pretrained": None, "device": "cpu", "augmentation": "modern", "log_every": 1,
}  # fmt: skip
INCEPTION = TINY | {"architecture": "InceptionResnetV1", "augmentation": "first-project"}
TIMES = ["images_per_second", "cpu_percent", "memory_mib"]


@pytest.fixture(scope="module", autouse=True)
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


@pytest.fixture(scope="module")
def inception(faces_csv, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "inception"
    return train(faces_csv, folder, TrainingConfig(**INCEPTION), progress=False)


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


class InterruptionError(Exception):
    pass


def interrupt(row):
    raise InterruptionError


def test_the_run_folder(whole):
    result, rows = whole
    names = ["best", "config.json", "history.csv", STATE_FILE, "steps.csv"]
    assert sorted(path.name for path in result.run.iterdir()) == sorted(names)
    history = pd.read_csv(result.run / "history.csv")
    assert list(history.columns) == HISTORY_COLUMNS and history["epoch"].tolist() == [1, 2]
    pd.testing.assert_frame_equal(history, result.history)
    assert rows == result.history.to_dict("records")
    assert (history["train_real"] + history["train_fake"] == 8).all() and (history["skipped"] == 0).all()
    assert (history["always_fake_accuracy"] == 2 / 3).all()  # two fakes to a real clip
    assert result.best["val_auc_clip"] == history["val_auc_clip"].max()
    config = json.loads((result.run / "config.json").read_text())
    assert config["learning_rate"] is None and set(config["versions"]) == {"torchfakes", "torch"}
    json.dumps(rows)


def test_every_step_leaves_a_row(whole):
    steps = pd.read_csv(whole[0].run / "steps.csv")
    assert steps["step"].tolist() == [1, 2, 3, 4] and steps["epoch"].tolist() == [1, 1, 2, 2]
    assert steps["loss"].between(0.01, 10).all()
    by_epoch = steps.groupby("epoch")["loss"].mean().tolist()
    assert by_epoch == pytest.approx(whole[0].history["train_loss"].tolist())
    norms = steps.filter(like="grad_norm_")
    assert list(norms) == [f"grad_norm_{name}" for name in ("block1", "block2", "block3", "block4", "head")]
    assert (norms > 0).all(axis=None)


def test_the_best_detector_is_kept_with_all_that_made_it(whole, faces_csv):
    detector = load(whole[0].run)
    assert detector.extra["epoch"] == whole[0].best["epoch"]
    assert detector.extra["validation"] == whole[0].best
    assert detector.preprocessing.size == 80 and detector.config.pretrained is None
    made_by = detector.extra["run"]
    assert made_by["faces_sha256"] == hashlib.sha256(faces_csv.read_bytes()).hexdigest()
    assert made_by["architecture"] == "Meso4" and "git_revision" in made_by and "torch" in made_by["versions"]


def test_nothing_that_is_read_again_is_a_pickle(whole):
    for path in whole[0].run.rglob("*"):
        if path.suffix in (".pt", ".pth", ".pkl", ".bin"):
            pytest.fail(str(path))
    safetensors.torch.load_file(whole[0].run / STATE_FILE)


@pytest.mark.parametrize(
    "more",
    [
        {},
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


class stopped_after_a_step:  # noqa: N801
    """A Ctrl-C that comes while the first step is being done."""

    def __enter__(self):
        self.before = Trainer.step

        def step(trainer):
            os.kill(os.getpid(), signal.SIGINT)
            self.before(trainer)

        Trainer.step = step

    def __exit__(self, *_):
        Trainer.step = self.before


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
    try:
        return read_state(run)["progress"]["step"]
    except (TypeError, InputError):
        return 0


def test_a_finished_run_is_not_trained_again(whole, faces_csv):
    before = (whole[0].run / STATE_FILE).stat().st_mtime_ns
    again = train(faces_csv, whole[0].run, TrainingConfig(**TINY), pytest.fail, progress=False)
    assert again.best == whole[0].best and (whole[0].run / STATE_FILE).stat().st_mtime_ns == before
    other_machine = TrainingConfig(**TINY | {"cache": "off", "mixed_precision": "off", "log_every": 7})
    assert train(faces_csv, whole[0].run, other_machine, pytest.fail, progress=False).best == whole[0].best


def test_training_leaves_the_callers_random_numbers_alone(whole, faces_csv):
    generator = torch.get_rng_state()
    train(faces_csv, whole[0].run, TrainingConfig(**TINY), progress=False)
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


def test_another_configuration_in_the_same_folder(whole, faces_csv):
    with pytest.raises(InputError, match=r"holds a run with epochs 2 \(now 3\), seed 0 \(now 1\); choose another"):
        train(faces_csv, whole[0].run, TrainingConfig(**TINY | {"epochs": 3, "seed": 1}), progress=False)


def test_another_table_in_the_same_folder(whole, faces_csv, tmp_path):
    other = edited(faces_csv, tmp_path, lambda table: table.iloc[1:])
    with pytest.raises(InputError, match="holds a run with another faces.csv"):
        train(other, whole[0].run, TrainingConfig(**TINY), progress=False)


@pytest.fixture
def copy(whole, tmp_path):
    """The finished run, in links that can be removed."""
    for path in whole[0].run.rglob("*"):
        if path.is_file():
            link = tmp_path / "copy" / path.relative_to(whole[0].run)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.hardlink_to(path)
    return tmp_path / "copy"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (STATE_FILE, b"half a file", r"last\.safetensors: damaged, so the run cannot go on; delete"),
        ("config.json", b"{", "whose config.json cannot be read"),
        ("config.json", None, "whose config.json cannot be read"),
        ("best/detector.json", None, "its best/ is gone"),
    ],
)
def test_a_damaged_run_folder(copy, faces_csv, name, content, message):
    (copy / name).unlink()
    if content is not None:
        (copy / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        train(faces_csv, copy, TrainingConfig(**TINY), progress=False)


def test_a_folder_that_cannot_be_written(faces_csv, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match="cannot write there"):
        train(faces_csv, tmp_path / "file" / "run", TrainingConfig(**TINY), progress=False)


@pytest.mark.parametrize("split", ["train", "val"])
@pytest.mark.parametrize("label", [0, 1])
def test_one_class_only(faces_csv, tmp_path, split, label):
    one_class = edited(faces_csv, tmp_path, lambda t: t[(t["split"] != split) | (t["label"] == label)])
    with pytest.raises(InputError, match=f"split '{split}' has .* and both are needed"):
        train(one_class, tmp_path / "run", TrainingConfig(**TINY), progress=False)
    assert not (tmp_path / "run").exists()


def test_blur_is_filtered_from_training_only_and_not_down_to_nothing(tmp_path, capsys, monkeypatch):
    path = make_faces(tmp_path, {"train": 2, "val": 1}, frames=1, sharpness=10.0)
    with pytest.raises(InputError, match="a class has no training crop that can be read and is sharp enough"):
        train(path, tmp_path / "run", TrainingConfig(**TINY), progress=False)
    assert len(data_of(path, min_sharpness=5.0).train_faces) == 6
    table = pd.read_csv(path, dtype={"clip_id": str})
    table.loc[table["clip_id"].str.startswith("000"), "sharpness"] = 50.0
    table.to_csv(path, index=False)
    data = data_of(path)
    assert len(data.train_faces) == 3 and len(data.val_faces) == 3


def test_how_crops_were_cut_is_stored_with_the_detector(tmp_path):
    path = make_faces(tmp_path, {"train": 1, "val": 1}, frames=1)
    (tmp_path / "extraction.json").write_text(json.dumps({"crop_scale": 1.5, "size": 96}))
    _, preprocessing = load_crops(path, TrainingConfig(**TINY))
    assert (preprocessing.size, preprocessing.crop_scale, preprocessing.crop_size) == (80, 1.5, 96)
    with pytest.raises(InputError, match="crops are 96 px, and enlarging them to 160 px adds nothing"):
        load_crops(path, TrainingConfig(**TINY | {"image_size": 160}))


@pytest.mark.parametrize(
    "wrong",
    [
        {"epochs": 0}, {"batch_size": 1}, {"learning_rate": 0}, {"learning_rate": float("nan")}, {"dropout": 1.0},
        {"weight_decay": -1}, {"patience": 0}, {"crops_per_epoch": 1}, {"augmentation": "mixup"},
        {"val_frames_per_clip": 0}, {"sampling": "random"}, {"seed": -1}, {"mixed_precision": "int4"},
        {"accumulate": 0}, {"schedule": "cosine"}, {"clip_norm": 0}, {"average": 1.0}, {"tracker": "paper"},
        {"cache": "ram"}, {"image_size": 0}, {"log_every": 0}, {"processes": 0}, {"checkpoint_minutes": -1},
        {"head_learning_rate": -1},
    ],
)  # fmt: skip
def test_settings_that_cannot_work(wrong):
    with pytest.raises(InputError, match=next(iter(wrong)).replace("_", " ")):
        TrainingConfig(**wrong)


def test_no_weights_server_is_said_and_remembered(faces_csv, tmp_path, monkeypatch, caplog):
    monkeypatch.setitem(pretrained.PRETRAINED_URLS, "vggface2", "http://127.0.0.1:9/faces.pt")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    config = TrainingConfig(**INCEPTION | {"pretrained": "vggface2", "epochs": 1, "crops_per_epoch": 4})
    with caplog.at_level(logging.WARNING):
        result = train(faces_csv, tmp_path / "run", config, progress=False)
    assert "could not download VGGFace2 weights" in result.note and caplog.messages.count(result.note) == 1
    assert load(tmp_path / "run").config.pretrained is None
    assert train(faces_csv, tmp_path / "run", config, progress=False).note == result.note


def data_of(path, **more):
    faces, preprocessing = load_crops(path, config := TrainingConfig(**TINY | more))
    return TrainingData(faces, preprocessing, config, World(1, 0, torch.device("cpu")))


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


def test_a_crop_that_goes_bad_in_the_middle_of_an_epoch(tmp_path, caplog, monkeypatch):
    path = make_faces(tmp_path / "faces", {"train": 3, "val": 2}, frames=2)
    config = TrainingConfig(**TINY | {"cache": "off", "batch_size": 8, "crops_per_epoch": 16})
    real = TrainingData.batches

    def batches(self, *words):
        for batch in real(self, *words):
            bad = self.train_faces["file"].iloc[0]
            Path(bad).write_bytes(b"no picture")
            yield batch

    monkeypatch.setattr(TrainingData, "batches", batches)
    with caplog.at_level(logging.WARNING):
        result = train(path, tmp_path / "run", config, progress=False)
    history = result.history
    assert history["skipped"].sum() > 0 and "left out of a batch" in caplog.text and "cannot be read" in caplog.text
    assert (history["train_real"] + history["train_fake"] + history["skipped"] == 16).all()


def test_crops_that_were_bad_before_are_named_and_left_out(tmp_path, caplog):
    path = make_faces(tmp_path / "faces", {"train": 3, "val": 2}, frames=2)
    table = pd.read_csv(path)
    for name in table["path"].iloc[[0, 5]]:
        (path.parent / name).write_bytes(b"no picture")
    with caplog.at_level(logging.WARNING):
        data = data_of(path)
    assert data.left_out == 2 and "2 crops are left out" in caplog.text and table["path"].iloc[0] in caplog.text
    assert not data.train_faces["path"].isin(table["path"].iloc[[0, 5]]).any()


def test_a_failed_start_does_not_bar_the_folder(faces_csv, tmp_path):
    (tmp_path / "faces.pt").write_bytes(b"not weights")
    with pytest.raises(InputError, match="not a file of weights"):
        train(faces_csv, tmp_path / "run", TrainingConfig(**TINY, weights=str(tmp_path / "faces.pt")), progress=False)
    train(faces_csv, tmp_path / "run", TrainingConfig(**TINY | {"epochs": 1}), progress=False)


@pytest.mark.parametrize(
    ("clip", "frame", "best", "epochs"),
    [
        ([0.6, 0.7, 0.8], None, 3, 3),
        ([0.6, 0.9, 0.8, 0.7, 0.95], None, 2, 4),  # two epochs without progress: the fifth is never reached
        ([0.9, 0.9, 0.9], [0.7, 0.8, 0.8], 2, 3),  # equal by clip: decided by crop, and the earlier of equals
    ],
)
def test_the_epoch_is_chosen_and_training_stops_early(
    faces_csv, tmp_path, monkeypatch, capsys, clip, frame, best, epochs
):
    validations = iter({"val_auc_clip": c, "val_auc": f} for c, f in zip(clip, frame or clip, strict=True))
    real = Trainer.validate
    monkeypatch.setattr(Trainer, "validate", lambda trainer: real(trainer) | next(validations))
    config = TrainingConfig(**TINY | {"epochs": len(clip), "patience": 2, "crops_per_epoch": 4})
    result = train(faces_csv, tmp_path, config, progress=True)
    assert ("stopped early: no better validation AUC for 2 epochs" in capsys.readouterr().out) == (epochs < len(clip))
    assert load(tmp_path).extra["epoch"] == result.best["epoch"] == best and len(result.history) == epochs


def test_one_cycle_runs_are_not_stopped_on_the_way():
    assert TrainingConfig().stops_after == float("inf")
    assert TrainingConfig(schedule="plateau").stops_after == 5 and TrainingConfig(patience=2).stops_after == 2


def test_unknown_choices_are_told_with_those_there_are():
    with pytest.raises(InputError, match="tracker 'paper'; choose one of auto, none, trackio, wandb, tensorboard"):
        TrainingConfig(tracker="paper")


def test_progress_prints_class_balance_and_the_trivial_baseline(whole, faces_csv, capsys):
    train(faces_csv, whole[0].run, TrainingConfig(**TINY), progress=True)
    printed = capsys.readouterr().out
    assert "this run is finished; another one needs another folder" in printed and "stopped early" not in printed
    assert "train: 6 real, 12 fake (Deepfakes 6, FaceSwap 6)" in printed and "best: epoch" in printed
    line = describe_epoch(whole[1][0], 2)
    assert "always “fake”: 0.667" in line and "called fake:" in line and "\n" not in line


def test_a_run_of_a_program_that_did_not_know_a_choice_goes_on(tmp_path):
    """Choices are added with time; a run that was made before them is still itself, unless one of them is asked for."""
    from torchfakes_utils.training.checkpoint import STATE_FILE, claim

    (tmp_path / "config.json").write_text(json.dumps({"seed": 0, "dropout": None}))
    (tmp_path / STATE_FILE).write_bytes(b"there")
    claim(tmp_path, {"seed": 0, "dropout": None, "methods": None, "random_labels": False}, ())
    for asked in ({"seed": 0, "dropout": 0.0}, {"seed": 0, "dropout": None, "novelty": True}):
        with pytest.raises(InputError, match="holds a run with"):
            claim(tmp_path, asked, ())
