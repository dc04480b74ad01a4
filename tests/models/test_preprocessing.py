import json
from dataclasses import asdict

import pytest
import torch

from torchfakes_utils.models.preprocessing import Preprocessing


def test_preprocessing_gives_the_range_that_the_network_knows():
    black_and_white = torch.tensor([0, 255], dtype=torch.uint8).view(2, 1, 1, 1).expand(2, 3, 160, 160)
    images = Preprocessing().apply(black_and_white)
    assert images.dtype == torch.float32 and images.shape == (2, 3, 160, 160)
    assert images[0].unique().tolist() == [-127.5 / 128] and images[1].unique().tolist() == [127.5 / 128]


def test_preprocessing_is_the_same_for_one_crop_and_for_many():
    crops = torch.randint(0, 256, (3, 3, 160, 160), dtype=torch.uint8)
    preprocessing = Preprocessing(size=96)
    together = preprocessing.apply(crops)
    assert together.shape == (3, 3, 96, 96)
    assert torch.equal(together, torch.stack([preprocessing.apply(crop) for crop in crops]))
    assert torch.equal(together, preprocessing.normalise(preprocessing.resize(crops)))


def test_preprocessing_by_channel_survives_json():
    preprocessing = Preprocessing(size=8, mean=(0.0, 10.0, 20.0), std=(1.0, 2.0, 4.0))
    crop = torch.full((3, 8, 8), 40, dtype=torch.uint8)
    assert preprocessing.apply(crop)[:, 0, 0].tolist() == [40.0, 15.0, 5.0]
    assert Preprocessing(**json.loads(json.dumps(asdict(preprocessing)))) == preprocessing


@pytest.mark.parametrize("wrong", [torch.zeros(3, 8, 8), torch.zeros(8, 8, 3, dtype=torch.uint8)])
def test_preprocessing_refuses_what_it_would_normalise_twice_or_turn_round(wrong):
    with pytest.raises(ValueError, match="uint8"):
        Preprocessing().apply(wrong)
