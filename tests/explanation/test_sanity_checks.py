"""Sanity checks: on a network whose reasons are known, and on pictures where the hot place matters."""

import numpy as np
import pytest
import torch
from torch import nn

from torchfakes_utils.explanation.sanity_checks import (
    SIMILARITY_COLUMNS,
    Question,
    cascading_randomisation,
    detector_similarity,
    randomised,
    road,
    similarity,
    stability,
    untrained,
)
from torchfakes_utils.models.detector import DetectorConfig
from torchfakes_utils.models.preprocessing import Preprocessing

from helpers.detectors import opinionated


@pytest.fixture(scope="module")
def detector():
    torch.manual_seed(4)
    return opinionated(DetectorConfig("Meso4", None, preprocessing=Preprocessing(size=64)))


@pytest.fixture(scope="module")
def question():
    images = torch.rand((6, 3, 64, 64), generator=torch.Generator().manual_seed(2)) * 2 - 1
    return Question(images, ["own"] * 6, list("aabbcc"))


def state(detector):
    return {name: value.clone() for name, value in detector.state_dict().items()}


def test_randomising_goes_from_the_answer_down_and_changes_a_copy(detector):
    before = state(detector)
    for count in (0, 1, 3, 5):
        changed = randomised(detector, count, seed=9)
        names = list(detector.stages)
        for place, name in enumerate(names):
            same = all(
                torch.equal(one, two)
                for mine, theirs in zip(detector.stages[name], changed.stages[name], strict=True)
                for one, two in zip(mine.parameters(), theirs.parameters(), strict=True)
            )
            assert same == (place < len(names) - count)
    assert all(torch.equal(value, before[name]) for name, value in detector.state_dict().items())


def test_a_fresh_network_has_fresh_averages_and_leaves_the_generator_alone(detector):
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    fresh = untrained(detector, 3)
    assert torch.equal(torch.rand(1), expected)
    assert all(
        torch.equal(one, two) for one, two in zip(fresh.parameters(), untrained(detector, 3).parameters(), strict=True)
    )
    norms = [module for module in fresh.modules() if isinstance(module, nn.BatchNorm2d)]
    assert norms and all((norm.running_mean == 0).all() for norm in norms) and not fresh.training


def test_cascading_randomisation_begins_with_the_same_maps_and_ends_with_other_ones(detector, question):
    table = cascading_randomisation(detector, question)
    assert list(table) == SIMILARITY_COLUMNS and table["changed"].tolist()[:3] == ["nothing", "head", "block4 to head"]
    assert table["rank_correlation"].iloc[0] == pytest.approx(1)
    lit = table[table["crops"] > 0]
    assert lit["rank_correlation"].iloc[-1] < 0.9


def test_a_detector_is_like_itself(detector, question):
    row = detector_similarity(detector, detector, question, "itself").iloc[0]
    assert row["rank_correlation"] == pytest.approx(1) and row["structural_similarity"] == pytest.approx(1)


def test_similarity_by_hand():
    ramp = np.tile(np.linspace(0, 1, 16, dtype=np.float32), (16, 1))
    mean, *_, dark, lit = similarity(ramp[None], 1 - ramp[None], ["a"])
    assert mean == pytest.approx(-1) and dark == 0 and lit == 1
    squared = similarity(ramp[None], ramp[None] ** 2, ["a"])
    assert squared[0] == pytest.approx(1), "ranks do not care for the scale"
    mean, _, _, structure, dark, lit = similarity(ramp[None], 0 * ramp[None], ["a"])
    assert np.isnan(mean) and np.isnan(structure) and dark == 1 and lit == 0


class Spot(nn.Module):
    """A network that looks at nothing but the brightness of the upper left quarter, behind one layer."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Conv2d(3, 1, 1, bias=False)
        nn.init.constant_(self.layer.weight, 1 / 3)

    @property
    def feature_layers(self):
        return {"layer": self.layer}

    def as_map(self, given):
        return given

    @property
    def device(self):
        return self.layer.weight.device

    def forward(self, images):
        features = self.layer(images)
        half = features.shape[-1] // 2
        return features[:, 0, :half, :half].mean(dim=(1, 2))


def test_road_finds_what_matters_and_a_shifted_crop_moves_its_map():
    # Bright where the network looks, dark elsewhere: filling the bright place in from around it costs the logit.
    images = torch.full((4, 3, 32, 32), -0.5)
    images[:, :, 2:12, 2:12] = 1.0
    question = Question(images, ["fake"] * 4, list("abcd"), layer="layer", method="layer-cam")
    table = road(Spot().eval(), question, share=0.12).set_index("map")
    assert table.loc["trained", "fall"] > 0.1
    assert table.loc["trained", "fall"] > 2 * abs(table.loc["centre prior", "fall"])
    assert table.loc["trained", "fall"] > 2 * abs(table.loc["random map", "fall"])
    assert (table["crops"] == 4).all()
    shifted = stability(Spot().eval(), question)
    assert shifted["changed"].tolist() == ["2 px to the right", "4 px to the right", "8 px to the right"]
    assert shifted["rank_correlation"].iloc[0] > 0.9


def test_road_takes_the_same_share_from_a_map_that_is_dark_but_for_a_spot():
    """The library's percentile would take everything where most of a map is exactly zero."""
    images = torch.rand((2, 3, 32, 32), generator=torch.Generator().manual_seed(0))
    images[:, :, :4, :4] = 3.0
    question = Question(images, ["fake"] * 2, list("ab"), layer="layer", method="layer-cam")
    spot = road(Spot().eval(), question, share=0.2).set_index("map")
    assert np.isfinite(spot["fall"]).all() and spot.loc["trained", "fall"] < 3


def test_road_of_dark_maps_is_nothing():
    images = torch.full((2, 3, 32, 32), 0.5)
    question = Question(images, ["real"] * 2, list("ab"), layer="layer", method="grad-cam")
    table = road(Spot().eval(), question)
    assert (table["crops"] == 0).all() and table["fall"].isna().all()
