"""A few crops that are far too small are left out in one line; what most crops are is what the table is."""

import logging
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from torchfakes_utils.crops.sizes import without_small
from torchfakes_utils.crops.table import load_faces, load_faces_for
from torchfakes_utils.errors import InputError
from torchfakes_utils.models.detector import DetectorConfig
from torchfakes_utils.models.preprocessing import Preprocessing
from torchfakes_utils.training.config import TrainingConfig
from torchfakes_utils.training.data import load_crops

from helpers.crops import make_faces
from helpers.detectors import opinionated


@pytest.fixture
def table(tmp_path):
    """108 crops of 96 pixels, 54 for training."""
    return make_faces(tmp_path, {"train": 9, "val": 6, "test": 3}, frames=2)


def shrink(table, rows, size):
    """Bring the crops of some rows to another size; the paths of these."""
    paths = pd.read_csv(table)["path"].iloc[rows].tolist()
    for path in paths:
        Image.new("RGB", (size, 2 * size)).save(table.parent / path)
    return paths


def test_one_of_a_pixel_is_left_out_and_training_goes_on(table, caplog):
    (odd,) = shrink(table, [7], 1)
    faces, preprocessing = load_crops(table, TrainingConfig(architecture="Meso4", min_sharpness=0))
    assert preprocessing.size == 96 and len(faces) == 107 and odd not in set(faces["path"])
    assert caplog.messages == [
        f"{table}: 1 crop is left out, for 96 px are usual here and less than 48 too few: {odd} (1 px)"
    ]


@pytest.mark.parametrize("split", [None, "train"])
def test_a_detector_is_not_asked_about_them(table, caplog, split):
    odd = shrink(table, [3, 9], 40)
    detector = opinionated(DetectorConfig("Meso4", None, preprocessing=Preprocessing(size=80)))
    faces = load_faces_for(detector, table, split)
    total = 54 if split else 108
    assert len(faces) == total - 2 and not set(odd) & set(faces["path"]) and list(faces.index) == list(range(total - 2))
    (said,) = caplog.messages
    assert f"2 of {total} crops are left out" in said and said.endswith(f"{odd[0]} (40 px) is the first")


def test_all_as_large_as_usual_or_half_of_it_stay(table, caplog):
    shrink(table, [3], 48)
    faces = load_faces(table)
    assert len(without_small(faces, table, 32)) == 108 and not caplog.messages


def test_of_a_table_with_many_small_ones_they_are_part(table, caplog):
    """A twentieth and more are no slip: training takes the size that all crops fill, as ever."""
    shrink(table, range(0, 108, 18), 40)  # 6 of 108
    faces, preprocessing = load_crops(table, TrainingConfig(architecture="Meso4", min_sharpness=0))
    assert (len(faces), preprocessing.size) == (108, 40) and not caplog.messages


def test_what_no_network_takes_is_left_out_unless_it_is_most(table, caplog):
    odd = shrink(table, range(0, 40, 2), 1)
    faces, preprocessing = load_crops(table, TrainingConfig(architecture="Meso4", min_sharpness=0))
    assert (len(faces), preprocessing.size) == (88, 96)
    assert f"20 of 108 crops are left out, for 96 px are usual here and less than 32 too few: {odd[0]}" in caplog.text
    shrink(table, range(60), 1)
    detector = opinionated(DetectorConfig("Meso4", None, preprocessing=Preprocessing(size=80)))
    for least, refused in (
        (32, lambda: load_crops(table, TrainingConfig(architecture="Meso4", min_sharpness=0))),
        (16, lambda: load_faces_for(detector, table)),
    ):
        with pytest.raises(
            InputError, match=rf"60 of 108 crops have less than {least} px, too few .*; cut larger ones$"
        ):
            refused()


def test_nothing_is_said_of_crops_that_cannot_be_read(table, caplog):
    faces = load_faces(table)
    for file in faces["file"].iloc[:2]:
        Path(file).write_bytes(b"no picture")
    assert len(without_small(faces, table, 32)) == 108 and not caplog.messages


def test_one_small_side_is_enough(table, caplog):
    path = pd.read_csv(table)["path"].iloc[5]
    Image.new("RGB", (96, 2)).save(table.parent / path)
    with caplog.at_level(logging.WARNING):
        assert path not in set(without_small(load_faces(table), table, 32)["path"])
    assert f"{path} (2 px)" in caplog.text
