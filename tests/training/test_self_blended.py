"""Training on fakes that are made from real faces: whose they are, that runs go on, and what is said of them."""

import shutil

import numpy as np
import pandas as pd
import pytest
import torch

from torchfakes_utils.crops.self_blending import BLENDED, SELF_BLENDED, TARGET, UNTOUCHED
from torchfakes_utils.errors import InputError
from torchfakes_utils.models.detector import load_detector
from torchfakes_utils.training.config import TrainingConfig
from torchfakes_utils.training.data import TrainingData, load_crops
from torchfakes_utils.training.distributed import World
from torchfakes_utils.training.run import train
from torchfakes_utils.training.trainer import Trainer

from helpers.crops import edited, make_faces
from helpers.runs import TINY, assert_same_run

MARKS = "38 44 58 44 48 56 40 66 56 66"  # of a face in a crop of 96 px


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    path = make_faces(tmp_path_factory.mktemp("faces"), {"train": 4, "val": 2}, frames=2)
    pd.read_csv(path, dtype=str).assign(landmarks=MARKS).to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def reals(table, tmp_path_factory):
    return edited(table, tmp_path_factory.mktemp("reals"), lambda faces: faces[faces["label"] == 0])


def config(**changes):
    return TrainingConfig(**TINY | {"self_blended": 1.0} | changes)


def data(path, **changes):
    faces, preprocessing = load_crops(path, config(**changes))
    return TrainingData(faces, preprocessing, config(**changes), World(1, 0, torch.device("cpu")))


def test_without_them_nothing_is_drawn_for_them(table):
    assert all(batch.blends is None for batch in data(table, self_blended=0.0).batches(1))


@pytest.mark.parametrize("sampling", ["paired", "balanced", "uniform"])
def test_half_of_a_batch_of_reals_alone_is_fake(reals, sampling):
    found = data(reals, sampling=sampling)
    assert (found.train_faces["label"] == 0).all()
    for batch in found.batches(1):
        assert batch.labels.tolist() == [0, 1, 0, 1] and batch.blends.roles.tolist() == [TARGET, BLENDED] * 2
        assert set(found.train_faces["method"].iloc[batch.rows]) == {"youtube"}


def test_a_pair_is_one_crop_and_its_blend(reals):
    for batch in data(reals, augmentation="none").batches(1):
        images = batch.blends.apply(batch.images)
        assert torch.equal(batch.images[::2], batch.images[1::2])
        different = (images[::2] != images[1::2]).any(1).float().mean((1, 2))
        assert (different > 0.01).all() and (different < 0.9).all(), "different, but not outside of the face"
        edge = torch.ones(80, 80, dtype=torch.bool)
        edge[2:-2, 2:-2] = False
        assert torch.equal(images[::2][..., edge], images[1::2][..., edge])


def test_what_is_mixed_is_told_apart(table):
    roles, labels = [], []
    for epoch in range(1, 6):
        for batch in data(table, self_blended=0.5).batches(epoch):
            roles += batch.blends.roles.tolist()
            labels += batch.labels.tolist()
    counts = np.bincount(roles, minlength=3)
    assert counts[TARGET] == counts[BLENDED] > 0 and counts[UNTOUCHED] > 0
    assert np.mean(labels) == 0.5 and all(
        label == 1 for role, label in zip(roles, labels, strict=True) if role == BLENDED
    )


def test_several_processes_blend_what_one_would(table):
    whole = data(table, self_blended=0.5)
    faces, preprocessing = load_crops(table, config(self_blended=0.5))
    world = [World(2, rank, torch.device("cpu")) for rank in range(2)]
    shares = []
    for one in world:
        part = data(table, self_blended=0.5)
        part._world = one  # the other process is not there: what they tell each other is not asked for here
        shares.append([batch.blends.apply(batch.images) for batch in part.batches(1)])
    assert preprocessing and len(faces)
    for batch, *parts in zip(whole.batches(1), *shares, strict=True):
        together = torch.cat(parts)
        assert (together.int() - batch.blends.apply(batch.images).int()).abs().max() <= 2


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("share", [1.0, 0.5])
def test_a_run_that_was_stopped_goes_on_bit_for_bit(table, tmp_path, share):
    faces_csv = table
    whole = train(faces_csv, tmp_path / "whole", config(self_blended=share), progress=False).run

    def stop(row):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(faces_csv, tmp_path / "parts", config(self_blended=share), on_epoch=stop, progress=False)
    parts = train(faces_csv, tmp_path / "parts", config(self_blended=share), progress=False).run
    assert_same_run(whole, parts)
    shutil.copytree(whole, tmp_path / "other")
    with pytest.raises(InputError, match="self_blended"):
        train(faces_csv, tmp_path / "other", config(self_blended=0.25), progress=False)


def test_reals_alone_train_a_detector_which_says_what_it_rests_on(reals, tmp_path, capsys):
    run = train(reals, tmp_path / "run", config()).run
    decision = load_detector(run).decision
    assert decision.scope.methods == (SELF_BLENDED,)
    assert decision.caution.startswith("its thresholds rest on self-blended images") and "not known" in decision.caution
    said = capsys.readouterr().out
    assert "8 real, 0 fake" in said and "100% of the fakes drawn are self-blended" in said
    assert f"val: 2 real, 2 fake ({SELF_BLENDED} 2)" in said
    history = pd.read_csv(run / "history.csv")
    assert (history["train_real"] == history["train_fake"]).all() and history["val_auc"].notna().all()


def test_fakes_that_are_there_decide_and_none_of_them_is_trained_on(table, tmp_path):
    trainer = Trainer(*load_crops(table, config()), config())
    assert (trainer.data.train_faces["label"] == 0).all() and not trainer.data.decides_on_self_blends
    assert set(trainer.data.val_faces["method"]) == {"youtube", "Deepfakes", "FaceSwap"}
    run = train(table, tmp_path / "run", config(), progress=False).run
    assert "self-blended" not in load_detector(run).decision.caution


def test_validation_blends_are_always_the_same_and_beside_their_originals(reals):
    once, again = (
        {row: crop for rows, images in found.validation(size) for row, crop in zip(rows.tolist(), images, strict=True)}
        for found, size in ((data(reals), 3), (data(reals), 64))
    )
    table = data(reals).val_faces
    assert once.keys() == again.keys() == set(range(len(table)))
    for row, crop in once.items():
        assert (crop.int() - again[row].int()).abs().max() <= 2, "however many are read together"
        if table["label"][row]:
            original = table.index[(table["path"] == table["path"][row]) & (table["label"] == 0)][0]
            assert not torch.equal(crop, once[original]) and torch.equal(crop[:, :2], once[original][:, :2])


def _blind_in_validation(faces):
    return faces.assign(landmarks=faces["landmarks"].where(faces["split"] == "train", ""))


def test_what_cannot_work_is_refused_in_a_line(table, reals, tmp_path):
    without = edited(reals, tmp_path, lambda faces: faces.assign(landmarks=""))
    with pytest.raises(InputError, match="no real crop of split 'train' has landmarks.*extract"):
        train(without, tmp_path / "a", config(), progress=False)
    (tmp_path / "v").mkdir()
    blind = edited(reals, tmp_path / "v", _blind_in_validation)
    with pytest.raises(InputError, match="no real crop of split 'val' has landmarks"):
        train(blind, tmp_path / "a", config(), progress=False)
    (tmp_path / "b").mkdir()
    alone = edited(reals, tmp_path / "b", lambda faces: faces[faces["split"] != "val"])
    with pytest.raises(InputError, match="split 'val' has no real crops, of which self-blended fakes are made"):
        train(alone, tmp_path / "c", config(), progress=False)
    with pytest.raises(InputError, match="'train' has 8 real and 0 fake crops, and both"):
        train(reals, tmp_path / "d", config(self_blended=0.5), progress=False)
    for wrong in (1.5, -0.1, float("nan")):
        with pytest.raises(InputError, match="self blended .*; it takes shares, from 0 to 1"):
            config(self_blended=wrong)
    with pytest.raises(InputError, match="random labels"):
        config(random_labels=True)
    assert not (tmp_path / "a").exists()
