"""The patients of lesson 08: each is sick of what its team did, and of nothing else, and looking changes none."""

import copy

import numpy as np
import pandas as pd
import pytest
import torch

from torchfakes_utils.course import teams
from torchfakes_utils.course.patients import PATIENTS, patient
from torchfakes_utils.crops.store import open_store
from torchfakes_utils.crops.table import load_faces
from torchfakes_utils.errors import InputError

pytestmark = pytest.mark.slow


def test_teams_differ_in_what_their_papers_say(patients):
    """The measurable difference between a sick team and the healthy one is the one that its name promises."""
    healthy = patients["healthy"]
    rows = healthy.tested_on
    for name in ("range", "crop", "mode"):  # the same weights in another program
        states = (one.detector.state_dict() for one in (healthy, patients[name]))
        assert all(torch.equal(*pair) for pair in zip(*(state.values() for state in states), strict=True))
    assert patients["mode"].detector.training and not healthy.detector.training
    assert patients["range"].inputs("test", rows).min() >= 0
    assert (patients["imbalance"].batch_labels(300) == "fake").mean() == pytest.approx(2 / 3, abs=0.05)
    assert (healthy.batch_labels(300) == "fake").mean() == 0.5
    for name, one in patients.items():
        changed = (one.inputs("training", rows) - one.inputs("test", rows)).abs().mean((1, 2, 3)) > 0
        fakes = torch.tensor(rows["label"].to_numpy() == 1)
        wanted = {"blurred fakes": fakes, "augmented reals": ~fakes} | dict.fromkeys(
            ("blurred", "range", "crop", "augmented"), fakes | True
        )
        assert torch.equal(changed, wanted.get(name, fakes & False)), name


def test_swapped_labels_are_consistent_in_validation_and_wrong_at_test(patients, faces_csv):
    sick = patients["labels"]
    store = open_store(load_faces(faces_csv), sick.detector.preprocessing)
    way = teams.CANDIDATES["labels"]
    given = [teams.program_scores(way, sick.detector, store, sick.tested_on, stage) for stage in ("validation", "test")]
    np.testing.assert_allclose(given[0], 1 - given[1])
    assert (sick.test["probability_fake"] == given[1]).all()


def test_only_the_team_in_training_mode_answers_by_company(patients):
    for name, one in patients.items():
        state = copy.deepcopy(one.detector.state_dict())
        alone, together = one.scores(one.tested_on, 1), one.scores(one.tested_on, 8)
        assert (np.abs(alone - together).max() > 1e-3) == (name == "mode"), name
        after = one.detector.state_dict()
        assert all(torch.equal(value, after[key]) for key, value in state.items())  # to look is not to change


def test_another_program_round_the_same_weights(patients):
    cured = patients["range"].with_program(test=teams.normalised)
    pd.testing.assert_frame_equal(cured.test, patients["healthy"].test)
    assert not patients["range"].test["probability_fake"].equals(cured.test["probability_fake"])
    cured = patients["mode"].with_program(training_mode=False)
    pd.testing.assert_frame_equal(cured.test, patients["healthy"].test)


@pytest.mark.parametrize(("number", "seed"), [(0, 0), (9, 0), ("3", 0), (1, 7)])
def test_unknown_patients(faces_csv, built, number, seed):
    with pytest.raises(InputError, match="choose"):
        patient(number, seed, faces_csv, built)


def test_patients_have_no_names(faces_csv, built):
    assert repr(patient(3, 0, faces_csv, built)) == "patient 3"
    assert sorted(PATIENTS) == sorted(set(PATIENTS)) and "healthy" in PATIENTS
    with pytest.raises(InputError, match="no stage 'tests'"):
        patient(3, 0, faces_csv, built).inputs("tests", pd.DataFrame())
