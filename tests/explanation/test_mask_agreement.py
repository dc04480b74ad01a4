"""Masks in the coordinates of crops, and measures of agreement that are known beforehand."""

import shutil

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from torchfakes_utils.crops.table import load_faces
from torchfakes_utils.explanation.mask_agreement import (
    MEASURES,
    agreement,
    agreement_table,
    baselines,
    centre_prior,
    crop_mask,
    crop_masks,
    energy_inside,
    find_data,
    hot_overlap,
    pointing,
    random_map,
)
from torchfakes_utils.io.video import write_video

from helpers.scenes import TINY_MASK

HALF = np.zeros((10, 10), bool)
HALF[:, :5] = True


def test_measures_by_hand():
    heat = np.zeros((10, 10))
    heat[2, 2], heat[2, 7] = 3, 1
    assert pointing(heat, HALF) == 1 and pointing(heat[:, ::-1], HALF) == 0
    assert energy_inside(heat, HALF) == 0.75
    heat[2, 7] = 3
    assert pointing(heat, HALF) == 0.5, "two equally hot places, one of them inside"
    ramp = np.tile(np.arange(10.0, 0, -1), (10, 1))  # the hottest fifth: the two left columns
    assert hot_overlap(ramp, HALF) == pytest.approx(20 / 50)
    assert hot_overlap(ramp[:, ::-1], HALF) == 0


def test_a_dark_map_is_not_a_bad_one_but_none():
    assert all(np.isnan(measure(np.zeros((10, 10)), HALF)) for measure in MEASURES.values())


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.1, 50))
def test_measures_do_not_care_how_hot_a_map_is_altogether(seed, factor):
    generator = np.random.default_rng(seed)
    heat, mask = generator.random((8, 8)), generator.random((8, 8)) < 0.4
    if not mask.any():
        return
    for measure in MEASURES.values():
        value = measure(heat, mask)
        assert 0 <= value <= 1 and measure(factor * heat, mask) == pytest.approx(value)


def test_the_mask_itself_agrees_best_and_an_even_glow_as_chance_has_it():
    rows = agreement([HALF.astype(float), np.ones((10, 10))], [HALF, HALF])
    assert rows.loc[0, ["pointing game", "energy inside"]].tolist() == [1, 1]
    assert rows.loc[1, ["pointing game", "energy inside"]].tolist() == [0.5, 0.5]


def test_crops_without_a_mask_are_left_out():
    rows = agreement([np.ones((10, 10))] * 3, [HALF, None, np.zeros((10, 10), bool)])
    assert rows["masked"].tolist() == rows["energy inside"].notna().tolist() == [True, False, False]
    faces = pd.DataFrame({"clip_id": ["1", "2", "3"], "method": ["A", "youtube", "B"], "compression": "c23"})
    table = agreement_table({"even": rows}, faces)
    assert set(table["method"]) == {"A", "all"} and (table["clips"] == 1).all()
    assert agreement_table({"even": rows.iloc[1:]}, faces.iloc[1:]).empty
    dark = agreement_table({"dark": agreement([np.zeros((10, 10))], [HALF])}, faces.iloc[:1])
    assert dark["value"].isna().all() and (dark["crops"] == 0).all() and len(dark) == 6, "dark, and it is said"


def test_maps_that_know_nothing():
    prior = centre_prior(20)
    assert prior.shape == (20, 20) and prior.argmax() in (189, 190, 209, 210) and prior[0, 0] < 0.05
    first, second = (random_map(20, np.random.default_rng(seed)) for seed in (0, 0))
    assert (first == second).all() and first.shape == (20, 20)
    assert set(baselines([HALF, None])) == {"centre prior", "random map"}


def test_the_mask_is_cut_as_the_crop_was(tiny_ffpp, tiny_faces):
    faces = load_faces(tiny_faces / "faces.csv")
    fake = faces[faces["label"] == 1].iloc[0]
    mask = crop_mask(fake, tiny_ffpp, 64)
    frame = np.zeros((192, 192), bool)
    frame[TINY_MASK] = True  # before it drifts two pixels a frame
    frame = np.roll(frame, 2 * fake["frame"], axis=1)
    x1, y1, x2, y2 = (int(fake[name]) for name in ("x1", "y1", "x2", "y2"))
    assert mask.shape == (64, 64) and mask.dtype == bool
    inside = frame[max(y1, 0) : y2, max(x1, 0) : x2]
    if x1 >= 0 and y1 >= 0 and x2 <= 192 and y2 <= 192:
        assert mask.mean() == pytest.approx(inside.mean(), abs=0.03)
    assert crop_mask(faces[faces["label"] == 0].iloc[0], tiny_ffpp) is None
    assert crop_mask(fake, tiny_faces) is None  # none downloaded


def test_every_mask_video_is_read_once(tiny_ffpp, tiny_faces, monkeypatch):
    from torchfakes_utils.explanation import mask_agreement

    opened, original = [], mask_agreement.frames_at
    monkeypatch.setattr(mask_agreement, "frames_at", lambda path, wanted: opened.append(path) or original(path, wanted))
    faces = load_faces(tiny_faces / "faces.csv", "test").sample(frac=1, random_state=0)
    found = crop_masks(faces, tiny_ffpp, 64)
    assert len(opened) == len(set(opened)) == 4 and found.problems == {}
    assert [mask is None for mask in found.masks] == (faces["label"] == 0).tolist()
    alone = crop_mask(faces[faces["label"] == 1].iloc[0], tiny_ffpp, 64)
    assert (alone == found.masks[int(np.flatnonzero(faces["label"] == 1)[0])]).all()


@pytest.fixture
def own_ffpp(tiny_ffpp, tmp_path):
    return shutil.copytree(tiny_ffpp, tmp_path / "ffpp")


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [(lambda path: path.unlink(), "not there"),
     (lambda path: path.write_bytes(b"no video"), "cannot be read"),
     (lambda path: write_video(path, [np.zeros((192, 192), np.uint8)]), "shorter than the film"),
     (lambda path: write_video(path, [np.zeros((96, 96), np.uint8)] * 8), "of another size")],
    ids=["gone", "corrupt", "short", "small"],
)  # fmt: skip
def test_a_mask_that_cannot_be_used_is_said_and_the_rest_goes_on(own_ffpp, tiny_faces, spoil, reason):
    faces = load_faces(tiny_faces / "faces.csv", "test")
    spoil(own_ffpp / "manipulated_sequences/Deepfakes/masks/videos/004_005.mp4")
    found = crop_masks(faces, own_ffpp, 64)
    assert [count for text, count in found.problems.items() if reason in text] == [1]
    there = [mask is not None for mask in found.masks]
    lost = (faces["method"] == "Deepfakes") & (faces["clip_id"] == "004_005")
    assert there == ((faces["label"] == 1) & ~lost).tolist()


def test_the_data_set_is_found_above_its_crops(tmp_path):
    (tmp_path / "data/manipulated_sequences").mkdir(parents=True)
    (tmp_path / "data/faces").mkdir()
    assert find_data(tmp_path / "data/faces/faces.csv") == (tmp_path / "data").resolve()
    assert find_data(tmp_path / "faces.csv") is None
