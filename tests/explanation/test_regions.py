"""Regions of a face, shares of heat on them, and their intervals."""

import numpy as np
import pandas as pd
import pytest

from torchfakes_utils.crops.table import load_faces
from torchfakes_utils.errors import InputError
from torchfakes_utils.explanation.regions import (
    REGIONS,
    attention_ratio,
    clip_names,
    face_regions,
    landmarks_of,
    region_shares,
    region_table,
    shares,
    verdict,
)

# Eyes, nose, mouth corners of an upright face in a crop of 160 px.
UPRIGHT = np.array([[60.0, 60], [100, 60], [80, 85], [63, 105], [97, 105]])


def region_at(regions, x, y):
    return REGIONS[regions[y, x]]


def test_landmarks_are_read_as_faces_csv_has_them():
    text = " ".join(map(str, UPRIGHT.ravel()))
    assert (landmarks_of(text) == UPRIGHT).all()


def test_regions_lie_where_a_face_has_them():
    regions = face_regions(UPRIGHT)
    assert regions.shape == (160, 160) and set(np.unique(regions)) == set(range(len(REGIONS)))
    places = {
        "eyes": [(60, 60), (100, 60)], "nose": [(80, 85)], "mouth": [(63, 105), (97, 105)], "chin": [(80, 125)],
        "forehead": [(80, 38)], "cheeks": [(52, 85), (108, 85)], "outside": [(0, 0), (159, 159), (80, 5), (80, 155)],
    }  # fmt: skip
    for name, points in places.items():
        assert {region_at(regions, x, y) for x, y in points} == {name}


def test_regions_turn_with_the_face():
    turned = np.stack([159 - UPRIGHT[:, 1], UPRIGHT[:, 0]], axis=1)  # a quarter turn clockwise
    expected = np.rot90(face_regions(UPRIGHT), -1)
    assert (face_regions(turned) == expected).mean() > 0.99


def test_regions_grow_with_the_crop():
    large = face_regions(2 * UPRIGHT, 320)
    assert (large[::2, ::2] == face_regions(UPRIGHT)).mean() > 0.98


def test_an_even_glow_gives_each_part_its_area():
    heat, area = shares(np.full((160, 160), 0.3), face_regions(UPRIGHT), len(REGIONS))
    assert heat == pytest.approx(area) and area.sum() == pytest.approx(1)


def test_shares_of_heat():
    parts = np.array([[0, 0], [1, 2]])
    heat, area = shares(np.array([[0.0, 0], [3, 1]]), parts, 4)
    assert heat.tolist() == [0, 0.75, 0.25, 0] and area.tolist() == [0.5, 0.25, 0.25, 0]
    assert np.isnan(shares(np.zeros((2, 2)), parts, 4)[0]).all()


def test_ratio_to_area_counts_clips_not_frames():
    rng = np.random.default_rng(0)
    heat = rng.dirichlet([2, 2], 6)
    area = np.tile([0.25, 0.75], (6, 1))
    once = attention_ratio(heat, area, list("abcdef"))
    assert once[:, 0] == pytest.approx(heat.mean(axis=0) / [0.25, 0.75])
    assert (once[:, 1] < once[:, 0]).all() and (once[:, 0] < once[:, 2]).all()
    # Ten frames that say the same make no interval shorter.
    often = attention_ratio(heat.repeat(10, axis=0), area.repeat(10, axis=0), np.repeat(list("abcdef"), 10))
    assert often == pytest.approx(once)


def test_maps_of_zeros_are_left_out():
    heat, area = np.array([[0.5, 0.5], [np.nan, np.nan]]), np.full((2, 2), 0.5)
    left = attention_ratio(heat, area, ["a", "b"])
    assert left[:, 0] == pytest.approx([1, 1]) and np.isnan(left[:, 1:]).all(), "one clip has no interval"
    assert np.isnan(attention_ratio(heat[1:], area[1:], ["b"])).all()


def test_regions_of_some_crops(tiny_faces):
    faces = load_faces(tiny_faces / "faces.csv").head(8)
    names = clip_names(faces)
    even = attention_ratio(*region_shares([np.ones((64, 64))] * len(faces), faces), names)
    assert even == pytest.approx(np.ones((len(REGIONS), 3)), nan_ok=True)
    assert names[0].count("/") == 2 and len(set(names)) == faces.groupby(["method", "clip_id"]).ngroups


def test_verdicts():
    assert verdict(1.1, 2) == "more than chance" and verdict(0.1, 0.9) == "less than chance"
    assert verdict(0.9, 1.1) == "cannot tell" and verdict(np.nan, np.nan) == "cannot tell"


def test_an_interval_is_by_person_where_people_are_known():
    generator = np.random.default_rng(0)
    share = np.clip(0.3 + 0.1 * generator.normal(size=20), 0, 1).repeat(6)  # six clips each, which are alike
    given = np.column_stack([share, 1 - share]), np.full((120, 2), 0.5), np.arange(120)
    by_clip, by_person = attention_ratio(*given), attention_ratio(*given, np.arange(20).repeat(6))
    assert by_person[:, 0] == pytest.approx(by_clip[:, 0])
    assert (by_person[:, 2] - by_person[:, 1] > 2 * (by_clip[:, 2] - by_clip[:, 1])).all()


def test_landmarks_that_make_no_face_are_refused():
    for text in ("1 2 three", "", "a b c d e f g h i j", "nan " * 10, "1e999 " * 10, "1 2 3"):
        with pytest.raises(InputError, match="ten numbers"):
            landmarks_of(text)
    with pytest.raises(InputError, match="on one line"):
        face_regions(np.array([[0.0, 0], [10, 10], [20, 20], [30, 30], [40, 40]]))


def test_ninety_five_per_cent_of_the_intervals_hold_the_true_share():
    """Clips whose share of heat scatters about a known mean; three frames of each say nearly the same."""
    generator, held = np.random.default_rng(0), []
    for experiment in range(200):
        share = np.clip(0.3 + 0.1 * generator.normal(size=30), 0, 1).repeat(3) + 0.01 * generator.normal(size=90)
        heat = np.column_stack([share, 1 - share])
        (_, low, high), _ = attention_ratio(
            heat, np.tile([0.2, 0.8], (90, 1)), np.arange(30).repeat(3), replicates=400, seed=experiment
        )
        held.append(low <= 1.5 <= high)
    assert 0.90 <= np.mean(held) <= 0.98


def test_the_table_keeps_real_and_fake_apart(tiny_faces):
    faces = load_faces(tiny_faces / "faces.csv").assign(file=None)
    maps = [np.ones((64, 64)) if label else np.zeros((64, 64)) for label in faces["label"]]
    table = region_table(*region_shares(maps, faces), faces)
    fake, real = (table[table["kind"] == kind] for kind in ("fake", "real"))
    assert (fake["verdict"].isin(["cannot tell", "no heat"])).all() and (fake["crops"] == 48).all()
    assert fake["ratio"].dropna().tolist() == pytest.approx([1] * fake["ratio"].notna().sum())
    assert (real["crops"] == 0).all() and (real["verdict"] == "no heat").all()
    assert isinstance(table, pd.DataFrame) and table["area"].notna().all()
