import hashlib
import json
import logging

import pandas as pd
import pytest
import safetensors.torch
import torch

from torchfakes_utils.errors import InputError
from torchfakes_utils.models import pretrained
from torchfakes_utils.models.detector import Detector, load_detector
from torchfakes_utils.models.run_files import STATE_FILE
from torchfakes_utils.training.checkpoint import HISTORY_COLUMNS, claim_run, read_state
from torchfakes_utils.training.config import TrainingConfig
from torchfakes_utils.training.run import describe_epoch, train
from torchfakes_utils.training.trainer import Trainer

from helpers.crops import edited
from helpers.runs import INCEPTION, TINY, assert_same_run


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
    assert (
        config["learning_rate"] is None
        and config["computed_in"] == "float32"
        and set(config["versions"]) == {"torchfakes", "torch"}
    )
    json.dumps(rows)


def test_every_step_leaves_a_row(whole):
    steps = pd.read_csv(whole[0].run / "steps.csv")
    assert steps["step"].tolist() == [1, 2, 3, 4] and steps["epoch"].tolist() == [1, 1, 2, 2]
    assert steps["loss"].between(0.01, 10).all()
    by_epoch = steps.groupby("epoch")["loss"].mean().tolist()
    assert by_epoch == pytest.approx(whole[0].history["train_loss"].tolist())
    norms = steps.filter(like="grad_norm_")
    assert list(norms) == [f"grad_norm_{name}" for name in ("block1", "block2", "block3", "block4", "head")]
    # The classifier begins at zero, so that in the first step nothing below it is asked to change.
    assert (norms.loc[0, :"grad_norm_block4"] == 0).all() and norms.loc[0, "grad_norm_head"] > 0
    assert (norms[1:] > 0).all(axis=None)


def test_the_best_detector_is_kept_with_all_that_made_it(whole, faces_csv):
    detector = load_detector(whole[0].run)
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


def test_a_finished_run_is_not_trained_again(whole, faces_csv):
    before = (whole[0].run / STATE_FILE).stat().st_mtime_ns
    again = train(faces_csv, whole[0].run, TrainingConfig(**TINY), pytest.fail, progress=False)
    assert again.best == whole[0].best and (whole[0].run / STATE_FILE).stat().st_mtime_ns == before
    other_machine = TrainingConfig(**TINY | {"cache": "off", "mixed_precision": "bf16", "log_every": 7})
    assert train(faces_csv, whole[0].run, other_machine, pytest.fail, progress=False).best == whole[0].best


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
        ("config.json", b"{", r"config\.json: cannot be read .*; choose another folder"),
        ("config.json", None, "holds other things than a run; choose another folder"),
        ("best/detector.json", None, "its best/ is gone"),
    ],
)
def test_a_damaged_run_folder(copy, faces_csv, name, content, message):
    (copy / name).unlink()
    if content is not None:
        (copy / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        train(faces_csv, copy, TrainingConfig(**TINY), progress=False)


@pytest.mark.parametrize("word", [b"history", b"best_epoch", b"optimizer", b"detector_config", b"param_groups"])
def test_a_state_that_lacks_something(copy, faces_csv, word):
    """A stranger's, or one of bits that have turned."""
    content = (copy / STATE_FILE).read_bytes()
    assert word in content
    (copy / STATE_FILE).unlink()
    (copy / STATE_FILE).write_bytes(content.replace(word, word[::-1]))
    with pytest.raises(InputError, match=r"last\.safetensors: damaged, so the run cannot go on; delete"):
        train(faces_csv, copy, TrainingConfig(**TINY), progress=False)


def test_steps_that_are_no_text_are_begun_anew(copy, faces_csv):
    (copy / "steps.csv").unlink()
    (copy / "steps.csv").write_bytes(b"\xff\xfe\0step")
    train(faces_csv, copy, TrainingConfig(**TINY), progress=False)
    assert (copy / "steps.csv").read_text().startswith("step,epoch,")


def test_a_folder_that_cannot_be_written(faces_csv, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match="cannot write there"):
        train(faces_csv, tmp_path / "file" / "run", TrainingConfig(**TINY), progress=False)


@pytest.mark.slow
def test_no_weights_server_is_said_and_remembered(faces_csv, tmp_path, monkeypatch, caplog):
    monkeypatch.setitem(pretrained.PRETRAINED_URLS, "vggface2", "http://127.0.0.1:9/faces.pt")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    config = TrainingConfig(**INCEPTION | {"pretrained": "vggface2", "epochs": 1, "crops_per_epoch": 4})
    with caplog.at_level(logging.WARNING):
        result = train(faces_csv, tmp_path / "run", config, progress=False)
    assert "could not download VGGFace2 weights" in result.note and caplog.messages.count(result.note) == 1
    assert load_detector(tmp_path / "run").config.pretrained is None
    assert train(faces_csv, tmp_path / "run", config, progress=False).note == result.note


def test_a_failed_start_does_not_bar_the_folder(faces_csv, tmp_path):
    (tmp_path / "faces.pt").write_bytes(b"not weights")
    with pytest.raises(InputError, match="not a file of weights"):
        train(faces_csv, tmp_path / "run", TrainingConfig(**TINY, weights=str(tmp_path / "faces.pt")), progress=False)
    train(faces_csv, tmp_path / "run", TrainingConfig(**TINY | {"epochs": 1}), progress=False)


@pytest.mark.slow
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
    assert load_detector(tmp_path).extra["epoch"] == result.best["epoch"] == best and len(result.history) == epochs


def test_progress_prints_class_balance_and_the_trivial_baseline(whole, faces_csv, capsys):
    train(faces_csv, whole[0].run, TrainingConfig(**TINY), progress=True)
    printed = capsys.readouterr().out
    assert "this run is finished; another one needs another folder" in printed and "stopped early" not in printed
    assert "train: 6 real, 12 fake (Deepfakes 6, FaceSwap 6)" in printed and "best: epoch" in printed
    decoded = faces_csv.parent / ".cache"
    assert f"decoded crops are kept in {decoded} (1 MB); --cache off does without" in printed
    assert any(decoded.iterdir())
    line = describe_epoch(whole[1][0], 2)
    assert "always “fake”: 0.667" in line and "called fake:" in line and "\n" not in line


def test_a_run_of_a_program_that_did_not_know_a_choice_goes_on(tmp_path):
    """Choices are added with time; a run that was made before them is still itself, unless one of them is asked for."""
    claim_run(tmp_path, {"seed": 0, "dropout": None})
    (tmp_path / STATE_FILE).write_bytes(b"there")
    claim_run(tmp_path, {"seed": 0, "dropout": None, "methods": None, "random_labels": False})
    for asked in ({"seed": 0, "dropout": 0.0}, {"seed": 0, "dropout": None, "novelty": True}):
        with pytest.raises(InputError, match="holds a run with"):
            claim_run(tmp_path, asked)


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
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


@pytest.mark.parametrize(
    ("named", "said"), [("000", ""), ("nobody", "fakes have no crop of their original's same frame")]
)
def test_fakes_that_cannot_be_paired_are_counted(faces_csv, tmp_path, capsys, named, said):
    table = pd.read_csv(faces_csv, dtype=str, keep_default_na=False)
    table = table.assign(original_id=table["target_id"] if not said else named)
    moved = faces_csv.with_name("other.csv")
    table.to_csv(moved, index=False)
    train(moved, tmp_path / "run", TrainingConfig(**TINY))
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("crops train"))
    assert (said in line) if said else "fakes have no crop" not in line
