"""The runs of lesson 05: which crops they have, what is kept, and what is not done twice."""

import json
from dataclasses import replace

import pytest

from torchfakes_utils import course
from torchfakes_utils.course import starts
from torchfakes_utils.course.steps import STEPS, Order
from torchfakes_utils.crops.table import load_faces
from torchfakes_utils.faces.films import moments
from torchfakes_utils.io.tables import CLIP_KEY, read_table
from torchfakes_utils.metrics.people import PERSON_COLUMNS
from torchfakes_utils.training.config import TrainingConfig

TINY = {"image_size": 32, "crops_per_epoch": 32, "val_frames_per_clip": 1}


@pytest.fixture
def faces(faces_csv):
    return load_faces(faces_csv)


@pytest.fixture
def tiny(monkeypatch):
    monkeypatch.setattr(starts, "TRAINING", starts.TRAINING | TINY)
    monkeypatch.setattr(starts, "SEEDS", (1,))
    monkeypatch.setattr(starts, "FEW", (8,))


def test_few_crops_are_pairs_of_one_frame_from_as_many_films_as_there_are(faces):
    few = starts.some_pairs(faces, 8, seed=0)
    train = few[few["split"] == "train"]
    assert train["label"].value_counts().to_dict() == {0: 4, 1: 4}
    assert all(sorted(pair) == [0, 1] for _, pair in train["label"].groupby(moments(train)))
    assert train.loc[train["label"] == 0, "clip_id"].nunique() == 4  # all that the split has
    assert list(few["file"]) == list(faces["file"])
    untouched = faces["split"] != "train"
    assert (few.loc[untouched, "split"] == faces.loc[untouched, "split"]).all()


def test_a_smaller_number_of_crops_is_part_of_a_larger_one_and_a_seed_draws_others(faces):
    chosen = {
        (crops, seed): set(few.loc[few["split"] == "train", "path"])
        for crops in (4, 16)
        for seed in (0, 1)
        for few in [starts.some_pairs(faces, crops, seed)]
    }
    assert chosen[4, 0] < chosen[16, 0]
    assert chosen[4, 0] != chosen[4, 1]


def test_more_crops_than_there_are_is_one_fake_a_real_crop(faces):
    train = starts.some_pairs(faces, 10_000, seed=0).query("split == 'train'")
    reals = (faces.query("split == 'train'")["label"] == 0).sum()
    assert train["label"].value_counts().to_dict() == {0: reals, 1: reals}


def test_every_start_has_the_same_budget_and_says_where_it_begins():
    configs = [starts._config(name, 1) for name in starts.STARTS]
    assert len({(one.crops_per_epoch, one.batch_size, one.epochs, one.image_size, one.seed) for one in configs}) == 1
    assert [(one.pretrained, one.tune) for one in configs] == [
        (None, "all"), ("imagenet", "head"), ("imagenet", "norms"), ("imagenet", "all"),
    ]  # fmt: skip
    assert json.loads(json.dumps(starts.settings()))["seeds"] == list(starts.SEEDS)


@pytest.mark.slow
def test_all_runs_are_made_once_and_an_interrupted_build_goes_on(faces_csv, tmp_path, tiny, monkeypatch):
    made = []
    train = starts.train_start

    def counted(faces, preprocessing, config, crops):
        made.append((config.pretrained, config.tune, crops))
        if len(made) == 3:
            raise KeyboardInterrupt
        return train(faces, preprocessing, config, crops)

    monkeypatch.setattr(starts, "train_start", counted)
    with pytest.raises(KeyboardInterrupt):
        starts.build(faces_csv, tmp_path / "out", workers=1, progress=False)
    runs = starts.read_runs(starts.build(faces_csv, tmp_path / "out", workers=1, progress=False))
    assert len(made) == 7 and len(set(made)) == 6  # 4 starts with all crops, 2 with few; one was interrupted
    assert list(runs.columns) == starts.START_COLUMNS
    assert runs.groupby(["start", "crops"]).size().nunique() == 1 and len(runs.groupby(["start", "crops"])) == 6
    assert runs["probability_fake"].between(0, 1).all()
    assert len(runs.merge(load_faces(faces_csv)[[*CLIP_KEY, *PERSON_COLUMNS, "frame"]])) == len(runs)
    starts.build(faces_csv, tmp_path / "out", workers=1, progress=False)
    assert len(made) == 7


@pytest.mark.slow
def test_runs_with_other_settings_are_made_anew(faces_csv, tmp_path, tiny, monkeypatch):
    first = starts.build(faces_csv, tmp_path, workers=1, progress=False)
    before = read_table(first, starts.START_COLUMNS)
    other = {**starts.STARTS, starts.ALL: replace(starts.STARTS[starts.ALL], learning_rate=0.05)}
    monkeypatch.setattr(starts, "STARTS", other)
    after = read_table(starts.build(faces_csv, tmp_path, workers=1, progress=False), starts.START_COLUMNS)
    changed = before["probability_fake"] != after["probability_fake"]
    assert set(before.loc[changed, "start"]) == {starts.ALL}


def test_a_table_of_other_columns_is_not_taken_up(tmp_path, monkeypatch):
    """A part that an older version left behind, whose build was interrupted, lacks what is asked of it now."""
    task = starts._Task(starts.ALL, 0, 1, tmp_path / "faces.csv", tmp_path)
    now = task.part
    monkeypatch.setattr(starts, "START_COLUMNS", [one for one in starts.START_COLUMNS if one != "target_id"])
    assert task.part != now and task.part.parent == now.parent


def test_the_step_builds_where_it_says(home, monkeypatch):
    asked = []
    monkeypatch.setattr(starts, "build", lambda *given, **more: asked.append((*given, more["progress"])))
    where = course.paths()
    step = STEPS["starts"]
    step.build(Order(where, step.settings(where), progress=False))
    assert asked == [(where.faces_csv, home / "runs" / "mini-starts", False)]
    assert step.makes(where) == home / "runs" / "mini-starts" / "scores.csv"
    assert step.ours.fullmatch("parts/3-0-1-aa51eb62.csv") and not step.ours.fullmatch("notes.csv")


def test_training_settings_are_ones_that_the_package_takes():
    assert TrainingConfig(**starts.TRAINING).epochs == 1
