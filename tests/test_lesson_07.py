"""Lesson 07: face regions, masks in the crop's coordinates, shares of heat and their intervals, heat maps."""

import matplotlib
import numpy as np
import pytest
import torch
from conftest import TINY_MASK
from matplotlib.figure import Figure

from torchfakes_utils import explanation
from torchfakes_utils.course import lesson_07
from torchfakes_utils.dataset import Preprocessing, load_faces, read_crop
from torchfakes_utils.detector import Detector, DetectorConfig

matplotlib.use("Agg")

# Eyes, nose, mouth corners of an upright face in a crop of 160 px.
UPRIGHT = np.array([[60.0, 60], [100, 60], [80, 85], [63, 105], [97, 105]])


def region_at(regions, x, y):
    return lesson_07.REGIONS[regions[y, x]]


def test_landmarks_are_read_as_faces_csv_has_them():
    text = " ".join(map(str, UPRIGHT.ravel()))
    assert (lesson_07.landmarks_of(text) == UPRIGHT).all()


def test_regions_lie_where_a_face_has_them():
    regions = lesson_07.face_regions(UPRIGHT)
    assert regions.shape == (160, 160) and set(np.unique(regions)) == set(range(len(lesson_07.REGIONS)))
    places = {
        "eyes": [(60, 60), (100, 60)], "nose": [(80, 85)], "mouth": [(63, 105), (97, 105)], "chin": [(80, 125)],
        "forehead": [(80, 38)], "cheeks": [(52, 85), (108, 85)], "outside": [(0, 0), (159, 159), (80, 5), (80, 155)],
    }  # fmt: skip
    for name, points in places.items():
        assert {region_at(regions, x, y) for x, y in points} == {name}


def test_regions_turn_with_the_face():
    turned = np.stack([159 - UPRIGHT[:, 1], UPRIGHT[:, 0]], axis=1)  # a quarter turn clockwise
    expected = np.rot90(lesson_07.face_regions(UPRIGHT), -1)
    assert (lesson_07.face_regions(turned) == expected).mean() > 0.99


def test_regions_grow_with_the_crop():
    large = lesson_07.face_regions(2 * UPRIGHT, 320)
    assert (large[::2, ::2] == lesson_07.face_regions(UPRIGHT)).mean() > 0.98


def test_an_even_glow_gives_each_part_its_area():
    heat, area = lesson_07.shares(np.full((160, 160), 0.3), lesson_07.face_regions(UPRIGHT), len(lesson_07.REGIONS))
    assert heat == pytest.approx(area) and area.sum() == pytest.approx(1)


def test_shares_of_heat():
    parts = np.array([[0, 0], [1, 2]])
    heat, area = lesson_07.shares(np.array([[0.0, 0], [3, 1]]), parts, 4)
    assert heat.tolist() == [0, 0.75, 0.25, 0] and area.tolist() == [0.5, 0.25, 0.25, 0]
    assert np.isnan(lesson_07.shares(np.zeros((2, 2)), parts, 4)[0]).all()


def test_ratio_to_area_counts_clips_not_frames():
    rng = np.random.default_rng(0)
    heat = rng.dirichlet([2, 2], 6)
    area = np.tile([0.25, 0.75], (6, 1))
    once = lesson_07.times_its_area(heat, area, list("abcdef"))
    assert once[:, 0] == pytest.approx(heat.mean(axis=0) / [0.25, 0.75])
    assert (once[:, 1] < once[:, 0]).all() and (once[:, 0] < once[:, 2]).all()
    # Ten frames that say the same make no interval shorter.
    often = lesson_07.times_its_area(heat.repeat(10, axis=0), area.repeat(10, axis=0), np.repeat(list("abcdef"), 10))
    assert often == pytest.approx(once)


def test_maps_of_zeros_are_left_out():
    heat, area = np.array([[0.5, 0.5], [np.nan, np.nan]]), np.full((2, 2), 0.5)
    assert lesson_07.times_its_area(heat, area, ["a", "b"]) == pytest.approx(np.ones((2, 3)))
    assert np.isnan(lesson_07.times_its_area(heat[1:], area[1:], ["b"])).all()


def test_regions_of_some_crops(tiny_faces):
    faces = load_faces(tiny_faces / "faces.csv").head(8)
    even = lesson_07.region_ratios([np.ones((64, 64))] * len(faces), faces)
    assert even == pytest.approx(np.ones((len(lesson_07.REGIONS), 3)), nan_ok=True)
    names = lesson_07.clip_names(faces)
    assert names[0].count("/") == 2 and len(set(names)) == faces.groupby(["method", "clip_id"]).ngroups


def test_heat_inside_the_mask_against_chance(tiny_ffpp, tiny_faces):
    faces = load_faces(tiny_faces / "faces.csv", "test")
    masks = [lesson_07.crop_mask(row, tiny_ffpp, 64) for _, row in faces.iterrows()]
    even = lesson_07.mask_ratios([np.ones((64, 64))] * len(faces), faces, tiny_ffpp)
    assert list(even.index) == ["Deepfakes", "FaceSwap"] and even["ratio"].tolist() == pytest.approx([1, 1])
    maps = [np.ones((64, 64)) if mask is None else mask.astype(float) for mask in masks]
    exact = lesson_07.mask_ratios(maps, faces, tiny_ffpp)
    assert exact["ratio"].to_numpy() == pytest.approx(1 / exact["area"].to_numpy())
    assert lesson_07.mask_ratios(maps, faces, tiny_faces).empty  # none downloaded


def test_pairs_show_people_and_methods_in_turn(tiny_faces):
    faces = load_faces(tiny_faces / "faces.csv")
    shown = lesson_07.varied_pairs(faces, 4)
    assert shown["label"].tolist() == [0] * 4 + [1] * 4
    assert shown["target_id"].tolist()[:4] == shown["target_id"].tolist()[4:] and shown["target_id"].nunique() == 4
    assert shown["frame"].tolist()[:4] == shown["frame"].tolist()[4:]
    assert shown["method"].tolist()[4:] == ["Deepfakes", "FaceSwap"] * 2
    assert len(lesson_07.varied_pairs(faces, 100)) == 12


def test_verdicts():
    assert lesson_07.verdict(1.1, 2) == "more than chance" and lesson_07.verdict(0.1, 0.9) == "less than chance"
    assert lesson_07.verdict(0.9, 1.1) == "cannot tell" and lesson_07.verdict(np.nan, np.nan) == "no heat"


def test_the_mask_is_cut_as_the_crop_was(tiny_ffpp, tiny_faces):
    faces = load_faces(tiny_faces / "faces.csv")
    fake = faces[faces["label"] == 1].iloc[0]
    mask = lesson_07.crop_mask(fake, tiny_ffpp, 64)
    frame = np.zeros((192, 192), bool)
    frame[TINY_MASK] = True  # before it drifts two pixels a frame
    frame = np.roll(frame, 2 * fake["frame"], axis=1)
    x1, y1, x2, y2 = (int(fake[name]) for name in ("x1", "y1", "x2", "y2"))
    assert mask.shape == (64, 64) and mask.dtype == bool
    inside = frame[max(y1, 0) : y2, max(x1, 0) : x2]
    if x1 >= 0 and y1 >= 0 and x2 <= 192 and y2 <= 192:
        assert mask.mean() == pytest.approx(inside.mean(), abs=0.03)
    assert lesson_07.crop_mask(faces[faces["label"] == 0].iloc[0], tiny_ffpp) is None
    assert lesson_07.crop_mask(fake, tiny_faces) is None  # none downloaded


def test_pictures_have_the_photo_s_shape():
    photo = np.full((160, 160, 3), 200, np.uint8)
    painted = lesson_07.paint_regions(photo, lesson_07.face_regions(UPRIGHT))
    drawn = lesson_07.outline(photo, lesson_07.face_regions(UPRIGHT) == 0)
    assert painted.shape == drawn.shape == photo.shape and painted.dtype == drawn.dtype == np.uint8
    assert (photo == 200).all()


@pytest.fixture(scope="module")
def detector():
    torch.manual_seed(1)
    return Detector(DetectorConfig(pretrained=None, preprocessing=Preprocessing(size=80))).eval()


def test_each_crop_is_asked_its_own_question(detector, tiny_faces):
    faces = load_faces(tiny_faces / "faces.csv").iloc[[0, 1, -1]]
    maps = lesson_07.heat_maps(detector, faces, ["real", "fake", "real"])
    crops = torch.stack([detector.preprocessing.apply(read_crop(file)) for file in faces["file"]])
    for index, target in ((0, "real"), (1, "fake"), (2, "real")):
        expected = explanation.grad_cam(detector, crops[[index]], target=target)[0]
        assert maps[index].shape == (64, 64)  # the stored crop's size, not the network's
        assert maps[index].mean() == pytest.approx(expected.mean(), abs=0.02)


def test_figures(detector, tiny_faces):
    faces = load_faces(tiny_faces / "faces.csv").head(2)
    assert isinstance(lesson_07.look(detector, faces, 1, "repeat_2", "real"), Figure)
    values = np.array([[1.0, 0.8, 1.2], [2.0, 1.5, 2.5], [np.nan, np.nan, np.nan]])
    series = [("real", "blue", "o", values), ("fake", "red", "X", values + 0.1)]
    figure = lesson_07.ratio_figure(["a", "b", "c"], {"one": series, "two": series[:1]}, "a title")
    assert [{text.get_text().strip() for text in ax.texts} for ax in figure.axes] == [
        {"chance", "real", "fake"},
        {"chance", "real"},
    ]
    dark = np.full((3, 3), np.nan)
    figure = lesson_07.ratio_figure(["a", "b", "c"], {"": [("dark", "blue", "o", dark)]}, "a title")
    assert [text.get_text().strip() for text in figure.axes[0].texts] == ["chance"]
