import json
import logging
from pathlib import Path

import pandas as pd
import pytest
import torch

from torchfakes_utils.errors import InputError
from torchfakes_utils.training.config import TrainingConfig
from torchfakes_utils.training.data import TrainingData, load_crops
from torchfakes_utils.training.distributed import World
from torchfakes_utils.training.run import train

from helpers.crops import edited, make_faces
from helpers.runs import TINY


def data_of(path, **more):
    faces, preprocessing = load_crops(path, config := TrainingConfig(**TINY | more))
    return TrainingData(faces, preprocessing, config, World(1, 0, torch.device("cpu")))


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
    (tmp_path / "extraction.json").write_text(json.dumps({"format": 2, "crop_scale": 1.5, "size": 96}))
    _, preprocessing = load_crops(path, TrainingConfig(**TINY))
    assert (preprocessing.size, preprocessing.crop_scale, preprocessing.crop_size) == (80, 1.5, 96)
    with pytest.raises(InputError, match="crops are 96 px, and enlarging them to 160 px adds nothing"):
        load_crops(path, TrainingConfig(**TINY | {"image_size": 160}))


@pytest.mark.parametrize("split", ["train", "val"])
@pytest.mark.parametrize("label", [0, 1])
def test_one_class_only(faces_csv, tmp_path, split, label):
    one_class = edited(faces_csv, tmp_path, lambda t: t[(t["split"] != split) | (t["label"] == label)])
    with pytest.raises(InputError, match=f"split '{split}' has .* and both are needed"):
        train(one_class, tmp_path / "run", TrainingConfig(**TINY), progress=False)
    assert not (tmp_path / "run").exists()


def test_crops_that_were_bad_before_are_named_and_left_out(tmp_path, caplog):
    path = make_faces(tmp_path / "faces", {"train": 3, "val": 2}, frames=2)
    table = pd.read_csv(path)
    for name in table["path"].iloc[[0, 5]]:
        (path.parent / name).write_bytes(b"no picture")
    with caplog.at_level(logging.WARNING):
        data = data_of(path)
    assert "2 crops are left out" in caplog.text and table["path"].iloc[0] in caplog.text
    assert not data.train_faces["path"].isin(table["path"].iloc[[0, 5]]).any()


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
