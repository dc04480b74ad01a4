import json
import logging

import pandas as pd
import pytest
import torch
from test_dataset import edited, make_faces

from torchfakes_utils import detector as detector_module
from torchfakes_utils import training as module
from torchfakes_utils.detector import load
from torchfakes_utils.errors import InputError
from torchfakes_utils.training import HISTORY_COLUMNS, TrainingConfig, describe_epoch, train

# Two steps an epoch, of four crops of 80 px: enough to move every weight.
TINY = {
    "epochs": 2, "batch_size": 4, "crops_per_epoch": 8, "image_size": 80, "val_frames_per_clip": 1, "pretrained": None,
    "device": "cpu", "augmentation": "first-project",
}  # fmt: skip


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


class InterruptionError(Exception):
    pass


def interrupt(row):
    raise InterruptionError


def state(run):
    return torch.load(run / "last.pt", weights_only=True)


def test_the_run_folder(whole):
    result, rows = whole
    assert sorted(path.name for path in result.run.iterdir()) == ["best", "config.json", "history.csv", "last.pt"]
    history = pd.read_csv(result.run / "history.csv")
    assert list(history.columns) == HISTORY_COLUMNS and history["epoch"].tolist() == [1, 2]
    pd.testing.assert_frame_equal(history, result.history)
    assert rows == result.history.to_dict("records")
    assert (history["train_real"] + history["train_fake"] == 8).all()
    assert (history["always_fake_accuracy"] == 2 / 3).all()  # two fakes to a real clip
    assert result.best["val_auc_clip"] == history["val_auc_clip"].max()
    config = json.loads((result.run / "config.json").read_text())
    assert config["learning_rate"] is None and set(config["versions"]) == {"torchfakes", "torch"}
    json.dumps(rows)


def test_the_best_detector_is_kept_with_its_preprocessing(whole):
    detector = load(whole[0].run)
    assert detector.extra["epoch"] == whole[0].best["epoch"]
    assert detector.extra["validation"] == whole[0].best
    assert detector.preprocessing.size == 80 and detector.config.pretrained is None


def test_an_interrupted_run_ends_in_the_same_weights(whole, faces_csv, tmp_path):
    with pytest.raises(InterruptionError):
        train(faces_csv, tmp_path, TrainingConfig(**TINY), interrupt, progress=False)
    assert len(pd.read_csv(tmp_path / "history.csv")) == 1
    torch.rand(7)  # whatever else has drawn random numbers since
    rows = []
    resumed = train(faces_csv, tmp_path, TrainingConfig(**TINY), rows.append, progress=False)
    assert [row["epoch"] for row in rows] == [2]  # the first epoch was not repeated
    one, other = state(whole[0].run), state(tmp_path)
    for part in ("detector", "optimizer", "scheduler", "best_epoch"):
        assert equal(one[part], other[part]), part
    best = [(run / "best" / "model.safetensors").read_bytes() for run in (whole[0].run, tmp_path)]
    assert best[0] == best[1]
    columns = [name for name in HISTORY_COLUMNS if name != "seconds"]
    pd.testing.assert_frame_equal(resumed.history[columns], whole[0].history[columns], check_exact=True)


def equal(one, other):
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(equal(one[name], other[name]) for name in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(equal, one, other))
    return one == other


def test_a_finished_run_is_not_trained_again(whole, faces_csv):
    before = (whole[0].run / "last.pt").stat().st_mtime_ns
    again = train(faces_csv, whole[0].run, TrainingConfig(**TINY), interrupt, progress=False)
    assert again.best == whole[0].best and (whole[0].run / "last.pt").stat().st_mtime_ns == before
    other_machine = TrainingConfig(**TINY, num_workers=2, mixed_precision="off")
    assert train(faces_csv, whole[0].run, other_machine, interrupt, progress=False).best == whole[0].best


def test_training_leaves_the_callers_random_numbers_alone(whole, faces_csv):
    generator = torch.get_rng_state()
    train(faces_csv, whole[0].run, TrainingConfig(**TINY), progress=False)
    assert torch.equal(torch.get_rng_state(), generator)


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
        ("last.pt", b"half a file", r"last\.pt: damaged, so the run cannot go on; delete"),
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
    with pytest.raises(InputError, match="no training crop sharper than 30; lower that threshold"):
        train(path, tmp_path / "run", TrainingConfig(**TINY), progress=False)
    faces, _ = module._load(path, TrainingConfig(**TINY | {"min_sharpness": 5.0}))
    assert (faces["split"] == "train").sum() == 6
    table = pd.read_csv(path, dtype={"clip_id": str})
    table.loc[table["clip_id"].str.startswith("000"), "sharpness"] = 50.0
    table.to_csv(path, index=False)
    faces, _ = module._load(path, TrainingConfig(**TINY))
    assert faces["split"].value_counts().to_dict() == {"train": 3, "val": 3}


def test_how_crops_were_cut_is_stored_with_the_detector(tmp_path):
    path = make_faces(tmp_path, {"train": 1, "val": 1}, frames=1)
    (tmp_path / "extraction.json").write_text(json.dumps({"crop_scale": 1.5, "size": 96}))
    _, preprocessing = module._load(path, TrainingConfig(**TINY))
    assert (preprocessing.size, preprocessing.crop_scale, preprocessing.crop_size) == (80, 1.5, 96)
    with pytest.raises(InputError, match="crops are 96 px, and enlarging them to 160 px adds nothing"):
        module._load(path, TrainingConfig(**TINY | {"image_size": 160}))


@pytest.mark.parametrize(
    "wrong",
    [
        {"epochs": 0}, {"batch_size": 1}, {"learning_rate": 0}, {"learning_rate": float("nan")}, {"dropout": 1.0},
        {"weight_decay": -1}, {"patience": 0}, {"crops_per_epoch": 1}, {"augmentation": "mixup"},
        {"val_frames_per_clip": 0}, {"sampling": "random"}, {"seed": -1}, {"mixed_precision": "int4"},
        {"num_workers": -1},
    ],
)  # fmt: skip
def test_settings_that_cannot_work(wrong):
    with pytest.raises(InputError, match=next(iter(wrong)).replace("_", " ")):
        TrainingConfig(**wrong)


def test_no_weights_server_is_said_and_remembered(faces_csv, tmp_path, monkeypatch, caplog):
    monkeypatch.setitem(detector_module.PRETRAINED_URLS, "vggface2", "http://127.0.0.1:9/faces.pt")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    config = TrainingConfig(**TINY | {"pretrained": "vggface2", "epochs": 1, "crops_per_epoch": 4})
    with caplog.at_level(logging.WARNING):
        result = train(faces_csv, tmp_path / "run", config, progress=False)
    assert "could not download VGGFace2 weights" in result.note and caplog.messages.count(result.note) == 1
    assert load(tmp_path / "run").config.pretrained is None
    assert train(faces_csv, tmp_path / "run", config, progress=False).note == result.note


def test_a_loss_that_is_no_number(faces_csv, tmp_path, monkeypatch):
    monkeypatch.setattr(module.nn, "BCEWithLogitsLoss", lambda: lambda logits, labels: logits.sum() * float("nan"))
    with pytest.raises(InputError, match="the loss is no longer a number"):
        train(faces_csv, tmp_path, TrainingConfig(**TINY | {"crops_per_epoch": 4, "epochs": 1}), progress=False)
    assert not (tmp_path / "last.pt").exists()


def test_a_failed_start_does_not_bar_the_folder(faces_csv, tmp_path):
    (tmp_path / "faces.pt").write_bytes(b"not weights")
    with pytest.raises(InputError, match="not a file of weights"):
        train(faces_csv, tmp_path / "run", TrainingConfig(**TINY, weights=str(tmp_path / "faces.pt")), progress=False)
    module._claim(tmp_path / "run", TrainingConfig(**TINY), faces_csv)


@pytest.mark.parametrize(
    ("clip", "frame", "best", "epochs"),
    [
        ([0.6, 0.7, 0.8], None, 3, 3),
        ([0.6, 0.9, 0.8, 0.7, 0.95], None, 2, 4),  # two epochs without progress: the fifth is never reached
        ([0.9, 0.9, 0.9], [0.7, 0.8, 0.8], 2, 3),  # equal by clip: decided by crop, and the earlier of equals
    ],
)
def test_the_epoch_is_chosen_and_training_stops_early(faces_csv, tmp_path, monkeypatch, clip, frame, best, epochs):
    """`train` and `Trainer.keep` as they are, with the network's work and its large files left out."""
    rest = dict.fromkeys([*HISTORY_COLUMNS, "val_accuracy"], 0.5)
    validations = iter(rest | {"val_auc_clip": c, "val_auc": f} for c, f in zip(clip, frame or clip, strict=True))
    saved = []
    monkeypatch.setattr(module.Trainer, "train_epoch", lambda run, batches, show_bar: {"train_loss": 0.5})
    monkeypatch.setattr(module.Trainer, "validate", lambda run: next(validations) | {"epoch": len(run.history) + 1})
    monkeypatch.setattr(module, "save", lambda detector, folder, extra: saved.append(extra["epoch"]))
    monkeypatch.setattr(module.torch, "save", lambda state, file: None)
    config = TrainingConfig(**TINY | {"epochs": len(clip), "patience": 2})
    result = train(faces_csv, tmp_path, config, progress=False)
    assert saved[-1] == result.best["epoch"] == best and len(result.history) == epochs


def test_progress_prints_class_balance_and_the_trivial_baseline(whole, faces_csv, capsys):
    train(faces_csv, whole[0].run, TrainingConfig(**TINY), progress=True)
    printed = capsys.readouterr().out
    assert "train: 6 real, 12 fake (Deepfakes 6, FaceSwap 6)" in printed and "best: epoch" in printed
    line = describe_epoch(whole[1][0], 2)
    assert "always “fake”: 0.667" in line and "called fake:" in line and "\n" not in line


def test_biases_and_norms_are_not_decayed(whole):
    detector = load(whole[0].run)
    decayed, free = module._parameter_groups(detector, 0.01)
    assert len(decayed["params"]) + len(free["params"]) == len(list(detector.parameters()))
    assert (decayed["weight_decay"], free["weight_decay"]) == (0.01, 0.0)
    assert {parameter.ndim for parameter in free["params"]} == {1}


def test_mixed_precision_is_for_gpus(monkeypatch):
    cpu, cuda = torch.device("cpu"), torch.device("cuda")
    assert module._autocast_dtype(cpu, "auto") is None and module._autocast_dtype(cuda, "off") is None
    for supported, dtype in ((True, torch.bfloat16), (False, torch.float16)):
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation, it=supported: it)
        assert module._autocast_dtype(cuda, "auto") is dtype
