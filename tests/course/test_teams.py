"""The teams of lesson 08: what each does to its crops, its table and its choice of an epoch."""

import pytest
import torch

from torchfakes_utils.course import teams
from torchfakes_utils.crops.table import load_faces
from torchfakes_utils.io.tables import CLIP_KEY
from torchfakes_utils.models.preprocessing import Preprocessing

from helpers.lab import TINY


@pytest.fixture
def crops():
    return torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


LABELS = torch.tensor([0, 1, 0, 1])
USUAL = Preprocessing(size=32)


def test_inputs_of_a_healthy_team_are_the_packages_own(crops):
    assert torch.equal(teams.normalised(USUAL, crops, LABELS), USUAL.apply(crops))


def test_without_normalising_black_is_nought_and_white_is_one(crops):
    ends = torch.tensor([0, 255], dtype=torch.uint8).expand(1, 3, 2, 2)
    assert teams.zero_to_one(USUAL, ends, LABELS[:1]).unique().tolist() == [0, 1]
    assert teams.normalised(USUAL, ends, LABELS[:1]).unique().tolist() == [-127.5 / 128, 127.5 / 128]


def test_closer_shows_the_middle_larger():
    crops = torch.zeros(1, 3, 130, 130, dtype=torch.uint8)
    crops[..., 15:115, 15:115] = 255  # the face box, 1 / 1.3 of the crop
    assert (teams.closer(Preprocessing(size=130), crops, LABELS) > 0.99).all()


@pytest.mark.parametrize("change", [teams.Blurred(1.0, only=1), teams.Changed(teams._NOISY, only=1)])
def test_a_change_of_one_class_leaves_the_other_alone(crops, change):
    before, after = USUAL.apply(crops), change(USUAL, crops, LABELS)
    assert torch.equal(before[LABELS == 0], after[LABELS == 0])
    assert ((before - after)[LABELS == 1].abs().mean((1, 2, 3)) > 0.01).all()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", ["frames", "frames apart"])
def test_rows_by_frame(faces_csv, name, seed):
    faces = load_faces(faces_csv)
    mine = teams.rows_of(teams.CANDIDATES[name], faces, seed)
    test = faces["split"] == "test"
    assert (mine["split"][test] == "test").all() and not (mine["split"][~test] == "test").any()
    clips = {
        split: set(mine.loc[mine["split"] == split, CLIP_KEY].itertuples(index=False)) for split in ("train", "val")
    }
    assert clips["train"] & clips["val"]
    theirs = mine[mine["split"].isin(["train", "val"])]
    both = theirs.groupby("target_id")["label"].nunique().max() == 2
    assert both == (name == "frames") and theirs["label"].nunique() == 2


@pytest.mark.slow
def test_the_epoch_is_chosen_by_the_guide(faces_csv, monkeypatch):
    """With a guide the best epoch's weights are handed out, without one the last one's."""
    monkeypatch.setattr(teams, "TRAINING", teams.TRAINING | TINY | {"epochs": 3})
    faces, preprocessing = teams.load_team_crops(faces_csv)
    kept, real = [], teams.Team.epoch

    def epoch(team):
        row = real(team) | {"val_accuracy": [0.2, 0.9, 0.5][len(team.progress.history) - 1]}
        kept.append({name: value.clone() for name, value in team.detector.state_dict().items()})
        return row

    monkeypatch.setattr(teams.Team, "epoch", epoch)
    for guide, chosen in (("val_accuracy", 1), (None, 2)):
        kept.clear()
        found = teams.train_team(teams.Way("a team", guide=guide), faces, preprocessing, 0).state_dict()
        assert all(torch.equal(found[name], value) for name, value in kept[chosen].items())
