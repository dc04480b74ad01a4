"""The lab of lesson 08: each team does what its papers say, and nothing else wrong."""

import copy

import numpy as np
import pandas as pd
import pytest
import torch

from torchfakes_utils.course import lab
from torchfakes_utils.crops.store import open_store
from torchfakes_utils.crops.table import load_faces
from torchfakes_utils.errors import InputError
from torchfakes_utils.io.tables import CLIP_KEY
from torchfakes_utils.models.preprocessing import Preprocessing

from helpers.lab import TINY


@pytest.fixture
def crops():
    return torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


LABELS = torch.tensor([0, 1, 0, 1])
USUAL = Preprocessing(size=32)


def test_inputs_of_a_healthy_team_are_the_packages_own(crops):
    assert torch.equal(lab.normalised(USUAL, crops, LABELS), USUAL.apply(crops))


def test_zero_to_one(crops):
    assert torch.equal(lab.zero_to_one(USUAL, crops, LABELS), crops / 255)


def test_closer_shows_the_middle_larger():
    crops = torch.zeros(1, 3, 130, 130, dtype=torch.uint8)
    crops[..., 15:115, 15:115] = 255  # the face box, 1 / 1.3 of the crop
    assert (lab.closer(Preprocessing(size=130), crops, LABELS) > 0.99).all()


@pytest.mark.parametrize("change", [lab.Blurred(1.0, only=1), lab.Changed(lab._NOISY, only=1)])
def test_a_change_of_one_class_leaves_the_other_alone(crops, change):
    before, after = USUAL.apply(crops), change(USUAL, crops, LABELS)
    assert torch.equal(before[LABELS == 0], after[LABELS == 0])
    assert ((before - after)[LABELS == 1].abs().mean((1, 2, 3)) > 0.01).all()


def test_rows_of_a_healthy_team_are_the_table(faces_csv):
    faces = load_faces(faces_csv)
    pd.testing.assert_frame_equal(lab.rows_of(lab.CANDIDATES["healthy"], faces, 0), faces)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", ["frames", "frames apart"])
def test_rows_by_frame(faces_csv, name, seed):
    faces = load_faces(faces_csv)
    mine = lab.rows_of(lab.CANDIDATES[name], faces, seed)
    test = faces["split"] == "test"
    assert (mine["split"][test] == "test").all() and not (mine["split"][~test] == "test").any()
    clips = {
        split: set(mine.loc[mine["split"] == split, CLIP_KEY].itertuples(index=False)) for split in ("train", "val")
    }
    assert clips["train"] & clips["val"]
    theirs = mine[mine["split"].isin(["train", "val"])]
    both = theirs.groupby("target_id")["label"].nunique().max() == 2
    assert both == (name == "frames") and theirs["label"].nunique() == 2


def test_everybody_is_scored_in_both_stages(built):
    scores = pd.read_csv(built / lab.SCORES_FILE)
    assert list(scores.columns) == lab.SCORE_COLUMNS
    seen = scores.groupby(["candidate", "stage"], sort=False).size().unstack()
    assert list(seen.index) == list(lab.CANDIDATES) and (seen.notna()).all(axis=None)
    assert seen["test"].nunique() == 1  # the same test for all
    assert scores["probability_fake"].between(0, 1).all()


def test_a_second_build_trains_nobody_again(faces_csv, built, monkeypatch):
    monkeypatch.setattr(lab, "train_team", lambda *_: pytest.fail("trained again"))
    before = (built / lab.SCORES_FILE).read_bytes()
    lab.build(faces_csv, built, seeds=(0,), workers=1, progress=False)
    assert (built / lab.SCORES_FILE).read_bytes() == before


def test_teams_differ_in_what_their_papers_say(patients):
    """The measurable difference between a sick team and the healthy one is the one that its name promises."""
    healthy = patients["healthy"]
    rows = healthy.tested_on
    for name in ("range", "crop", "mode"):  # the same weights in another program
        states = (patient.detector.state_dict() for patient in (healthy, patients[name]))
        assert all(torch.equal(*pair) for pair in zip(*(state.values() for state in states), strict=True))
    assert patients["mode"].detector.training and not healthy.detector.training
    assert patients["range"].inputs("test", rows).min() >= 0
    assert (patients["imbalance"].batch_labels(300) == "fake").mean() == pytest.approx(2 / 3, abs=0.05)
    assert (healthy.batch_labels(300) == "fake").mean() == 0.5
    for name, patient in patients.items():
        changed = (patient.inputs("training", rows) - patient.inputs("test", rows)).abs().mean((1, 2, 3)) > 0
        fakes = torch.tensor(rows["label"].to_numpy() == 1)
        wanted = {"blurred fakes": fakes, "augmented reals": ~fakes} | dict.fromkeys(
            ("blurred", "range", "crop", "augmented"), fakes | True
        )
        assert torch.equal(changed, wanted.get(name, fakes & False)), name


def test_swapped_labels_are_consistent_in_validation_and_wrong_at_test(patients, faces_csv):
    sick = patients["labels"]
    store = open_store(load_faces(faces_csv), sick.detector.preprocessing)
    way = lab.CANDIDATES["labels"]
    given = [lab.ask(way, sick.detector, store, sick.tested_on, stage) for stage in ("validation", "test")]
    np.testing.assert_allclose(given[0], 1 - given[1])
    assert (sick.test["probability_fake"] == given[1]).all()


def test_only_the_team_in_training_mode_answers_by_company(patients):
    for name, patient in patients.items():
        state = copy.deepcopy(patient.detector.state_dict())
        alone, together = patient.ask(patient.tested_on, 1), patient.ask(patient.tested_on, 8)
        assert (np.abs(alone - together).max() > 1e-3) == (name == "mode"), name
        after = patient.detector.state_dict()
        assert all(torch.equal(value, after[key]) for key, value in state.items())  # to look is not to change


def test_another_program_round_the_same_weights(patients):
    cured = patients["range"].with_program(test=lab.normalised)
    pd.testing.assert_frame_equal(cured.test, patients["healthy"].test)
    assert not patients["range"].test["probability_fake"].equals(cured.test["probability_fake"])
    cured = patients["mode"].with_program(training_mode=False)
    pd.testing.assert_frame_equal(cured.test, patients["healthy"].test)


def test_the_epoch_is_chosen_by_the_guide(faces_csv, monkeypatch):
    """With a guide the best epoch's weights are handed out, without one the last one's."""
    monkeypatch.setattr(lab, "TRAINING", lab.TRAINING | TINY | {"epochs": 3})
    faces, preprocessing = lab._crops(faces_csv)
    kept, real = [], lab._Team.epoch

    def epoch(team):
        row = real(team) | {"val_accuracy": [0.2, 0.9, 0.5][len(team.progress.history) - 1]}
        kept.append({name: value.clone() for name, value in team.detector.state_dict().items()})
        return row

    monkeypatch.setattr(lab._Team, "epoch", epoch)
    for guide, chosen in (("val_accuracy", 1), (None, 2)):
        kept.clear()
        found = lab.train_team(lab.Way("a team", guide=guide), faces, preprocessing, 0).state_dict()
        assert all(torch.equal(found[name], value) for name, value in kept[chosen].items())


@pytest.mark.parametrize(("number", "seed"), [(0, 0), (9, 0), ("3", 0), (1, 7)])
def test_unknown_patients(faces_csv, built, number, seed):
    with pytest.raises(InputError, match="choose"):
        lab.patient(number, seed, faces_csv, built)


def test_patients_have_no_names(faces_csv, built):
    assert repr(lab.patient(3, 0, faces_csv, built)) == "patient 3"
    assert sorted(lab.PATIENTS) == sorted(set(lab.PATIENTS)) and "healthy" in lab.PATIENTS
    with pytest.raises(InputError, match="no stage 'tests'"):
        lab.patient(3, 0, faces_csv, built).inputs("tests", pd.DataFrame())
