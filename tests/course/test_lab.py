"""The lab of lesson 08: everybody trains and is scored, once."""

import pandas as pd
import pytest

from torchfakes_utils.course import lab, teams
from torchfakes_utils.models.run_files import SCORES_FILE


@pytest.mark.slow
def test_everybody_is_scored_in_both_stages(built):
    scores = pd.read_csv(built / SCORES_FILE)
    assert list(scores.columns) == lab.LAB_COLUMNS
    seen = scores.groupby(["candidate", "stage"], sort=False).size().unstack()
    assert list(seen.index) == list(teams.CANDIDATES) and (seen.notna()).all(axis=None)
    assert seen["test"].nunique() == 1  # the same test for all
    assert scores["probability_fake"].between(0, 1).all()


@pytest.mark.slow
def test_a_second_build_trains_nobody_again(faces_csv, built, monkeypatch):
    monkeypatch.setattr(teams, "train_team", lambda *_: pytest.fail("trained again"))
    before = (built / SCORES_FILE).read_bytes()
    lab.build(faces_csv, built, seeds=(0,), workers=1, progress=False)
    assert (built / SCORES_FILE).read_bytes() == before
