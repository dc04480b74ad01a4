"""Lesson 07: pairs to look at, drawn regions and masks, figures, and exercises that tell wrong answers apart."""

import matplotlib
import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.colors import to_rgb

from torchfakes_utils.course import lesson_07, plots
from torchfakes_utils.crops.table import load_faces
from torchfakes_utils.explanation.regions import REGIONS, face_regions
from torchfakes_utils.models.detector import DetectorConfig
from torchfakes_utils.models.preprocessing import Preprocessing

from helpers.detectors import opinionated

matplotlib.use("Agg")

# Eyes, nose, mouth corners of an upright face in a crop of 160 px.
UPRIGHT = np.array([[60.0, 60], [100, 60], [80, 85], [63, 105], [97, 105]])


def test_pairs_show_people_and_methods_in_turn(tiny_faces):
    faces = load_faces(tiny_faces / "faces.csv")
    shown = lesson_07.varied_pairs(faces, 4)
    assert shown["label"].tolist() == [0] * 4 + [1] * 4
    assert shown["target_id"].tolist()[:4] == shown["target_id"].tolist()[4:] and shown["target_id"].nunique() == 4
    assert shown["frame"].tolist()[:4] == shown["frame"].tolist()[4:]
    assert shown["method"].tolist()[4:] == ["Deepfakes", "FaceSwap"] * 2
    assert len(lesson_07.varied_pairs(faces, 100)) == 12


def test_borders_are_drawn_and_the_rest_is_darkened():
    photo = np.full((160, 160, 3), 200, np.uint8)
    painted = lesson_07.paint_regions(photo, face_regions(UPRIGHT))
    drawn = lesson_07.outline(photo, face_regions(UPRIGHT) == 0)
    regions = face_regions(UPRIGHT)
    outside = regions == REGIONS.index("outside")
    assert set(np.unique(painted[outside])) == {100, 255} and set(np.unique(painted[~outside])) == {200, 255}
    assert (drawn[regions == 0] == 200).all()  # what is inside the outline stays
    edge = (drawn == np.round(255 * np.array(to_rgb(plots.FAKE)))).all(axis=2)
    assert edge.any() and not edge[regions == 0].any() and (photo == 200).all()


@pytest.fixture(scope="module")
def detector():
    torch.manual_seed(1)
    return opinionated(DetectorConfig(pretrained=None, preprocessing=Preprocessing(size=80)))


def test_a_heat_map_stands_between_its_crop_and_both_together(detector, tiny_faces):
    faces = load_faces(tiny_faces / "faces.csv").head(2)
    crop, heat, both = lesson_07.heat_map_figure(detector, faces, 1, "repeat_2", "layer-cam", "real").axes
    assert crop.get_title() == "real" and heat.get_title() == "layer-cam at repeat_2: “real”"
    shown = [ax.images[0].get_array() for ax in (crop, heat, both)]
    np.testing.assert_array_equal(shown[0], plots.face(faces["file"].iloc[1]))
    assert shown[1].shape == shown[2].shape == shown[0].shape and (shown[2] != shown[0]).any()


def test_a_ratio_is_drawn_with_its_interval_and_a_dark_map_is_left_out():
    values = np.array([[1.0, 0.8, 1.2], [2.0, 1.5, 2.5], [np.nan, np.nan, np.nan]])
    series = [("real", "blue", "o", values), ("fake", "red", "X", values + 0.1)]
    figure = lesson_07.ratio_figure(["a", "b", "c"], {"one": series, "two": series[:1]}, "a title")
    assert [{text.get_text().strip() for text in ax.texts} for ax in figure.axes] == [
        {"chance", "real", "fake"},
        {"chance", "real"},
    ]
    left = figure.axes[0]
    np.testing.assert_array_equal(left.lines[1].get_xdata(), values[:, 0])
    ends = [segment[:, 0].tolist() for segment in left.collections[0].get_segments()[:2]]
    assert ends == [[0.8, 1.2], [1.5, 2.5]] and left.lines[0].get_xdata()[0] == 1
    dark = np.full((3, 3), np.nan)
    figure = lesson_07.ratio_figure(["a", "b", "c"], {"": [("dark", "blue", "o", dark)]}, "a title")
    assert [text.get_text().strip() for text in figure.axes[0].texts] == ["chance"]


def test_agreement_has_a_panel_a_measure_and_a_row_a_map():
    agreement = pd.DataFrame([
        {"map": name, "measure": measure, "value": value, "low": value - 0.1, "high": value + 0.1}
        for measure, values in (("one", (0.5, 0.3)), ("two", (0.4, 0.6)))
        for name, value in zip(("trained", "centre prior"), values, strict=True)
    ])  # fmt: skip
    axes = lesson_07.agreement_figure(agreement, ["one", "two"], "t").axes
    assert [ax.get_title() for ax in axes] == ["one", "two"]
    assert [text.get_text() for text in axes[0].get_yticklabels()] == ["trained", "centre prior"]
    assert [[line.get_xdata()[0] for line in ax.lines] for ax in axes] == [[0.5, 0.3], [0.4, 0.6]]


def test_randomisation_has_a_curve_a_method_named_at_its_end():
    randomised = pd.DataFrame({"changed": ["nothing", "head", "block8 to head"], "rank_correlation": [1.0, 0.5, 0.1],
                               "low": [1.0, 0.4, 0.0], "high": [1.0, 0.6, 0.2]})  # fmt: skip
    ax = lesson_07.randomisation_figure({"grad-cam": randomised, "layer-cam": randomised}, "t").axes[0]
    assert [line.get_ydata().tolist() for line in ax.lines[:2]] == [[1.0, 0.5, 0.1]] * 2
    assert [text.get_text().strip() for text in ax.texts] == ["grad-cam", "layer-cam"]
    assert [text.get_text() for text in ax.get_xticklabels()] == ["nothing", "head", "block8"]


@pytest.mark.parametrize(
    ("weights", "said"),
    [(lambda g: None, "Not attempted"), (lambda g: g.mean(axis=(1, 2)), "Right."),
     (lambda g: g.sum(axis=(1, 2)), "the sum"), (lambda g: np.abs(g).mean(axis=(1, 2)), "absolute values"),
     (lambda g: np.maximum(g, 0).mean(axis=(1, 2)), "negative gradients"),
     (lambda g: g.mean(axis=0), "over which axes"), (lambda g: g.max(axis=(1, 2)), "Not yet")],
    ids=["none", "right", "sum", "absolute", "positive", "axes", "other"],
)  # fmt: skip
def test_the_exercise_on_weights_tells_wrong_answers_apart(capsys, weights, said):
    lesson_07.check_weights(weights)
    assert said in capsys.readouterr().out


def at_maximum(heat, mask):
    return float(mask[np.unravel_index(heat.argmax(), heat.shape)])


@pytest.mark.parametrize(
    ("pointing", "said"),
    [(lambda heat, mask: None, "Not attempted"),
     (lambda heat, mask: at_maximum(heat, mask) if heat.max() > 0 else np.nan, "Right"),
     (at_maximum, "points nowhere"), (lambda heat, mask: 1 - at_maximum(heat, mask), "Turned round"),
     (lambda heat, mask: heat[mask].sum() / max(heat.sum(), 1e-9), "share of heat"), (lambda heat, mask: 1, "Not yet"),
     (lambda heat, mask: mask[7, 7], "Your function stopped with IndexError")],
    ids=["none", "right", "dark", "turned", "energy", "other", "error"],
)  # fmt: skip
def test_the_exercise_on_pointing_tells_wrong_answers_apart(capsys, pointing, said):
    lesson_07.check_pointing(pointing)
    assert said in capsys.readouterr().out


def test_a_value_with_its_interval_as_text():
    table = pd.DataFrame({"ratio": [1.234, np.nan], "low": [1.0, np.nan], "high": [2.0, np.nan]}, index=[3, 5])
    assert lesson_07.as_text(table, "ratio").to_dict() == {3: "1.23 (1.00 to 2.00)", 5: "–"}
