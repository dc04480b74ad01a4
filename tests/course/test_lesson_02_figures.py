"""Figures of lesson 02: windows and boxes where they are, maps below their levels, and the number of boxes left."""

import io

import matplotlib
import numpy as np
import pytest
import skimage
from PIL import Image

from torchfakes_utils.course import lesson_02_figures as figures
from torchfakes_utils.course.lesson_02_cascade import Stage, level
from torchfakes_utils.course.widgets import png
from torchfakes_utils.export.mtcnn_numpy import LevelMap

matplotlib.use("Agg")


@pytest.fixture(scope="module")
def photo():
    return skimage.data.astronaut()[:300, 50:400].copy()


def outlines(ax):
    """x1, y1, x2, y2 of the black boxes in axes."""
    lines = [collection for collection in ax.collections if (collection.get_edgecolor()[0][:3] == 0).all()]
    return [[*corners.min(0), *corners.max(0)] for lines in lines for corners in lines.get_segments()]


def test_a_window_covers_12_pixels_of_its_level_and_they_are_shown_below(photo):
    axes = figures.window_figure(photo, (170, 110), [0.5, 0.1]).axes
    for above, below, scale in zip(axes[:2], axes[2:], (0.5, 0.1), strict=True):
        (box,) = outlines(above)
        assert box[2] - box[0] == pytest.approx(12 / scale) == pytest.approx(box[3] - box[1])
        assert (box[0] + box[2]) / 2 == pytest.approx(170, abs=0.51 / scale)
        assert above.get_title() == f"covers {12 / scale:.0f} px"
        left, top = (round(value * scale - 6) for value in (170, 110))
        shown = below.images[0].get_array()
        whole = level(photo, scale).transpose(1, 2, 0).astype(np.uint8)
        np.testing.assert_array_equal(shown, whole[top : top + 12, left : left + 12])


def test_maps_stand_below_their_levels_with_their_surest_place(photo):
    generator = np.random.default_rng(0)
    maps = [LevelMap(scale, generator.random((9, 8)).astype(np.float32), None) for scale in (0.4, 0.1)]
    axes = figures.maps_figure(photo, maps).axes
    for above, below, answer in zip(axes[:2], axes[2:], maps, strict=True):
        assert above.get_title() == f"level for faces of {12 / answer.scale:.0f} px"
        assert below.get_title() == f"its map, at most {answer.probability.max():.2f}"
        np.testing.assert_array_equal(below.images[0].get_array(), answer.probability)


def test_boxes_are_drawn_where_they_are(photo):
    boxes = np.array([[10, 20, 40, 60], [50, 50, 90, 80]], float)
    figure = figures.boxes_figure(photo, {"two": boxes, "one": boxes[:1], "none": boxes[:0]}, "boxes")
    assert [outlines(ax) for ax in figure.axes] == [boxes.tolist(), boxes[:1].tolist(), []]
    assert [ax.texts[0].get_text() for ax in figure.axes] == ["two", "one", "none"]


@pytest.mark.parametrize("counts", [(50, 20, 3, 1), (4, 0)], ids=["four stages", "nothing passes"])
def test_each_stage_shows_its_boxes_and_their_number(photo, counts):
    boxes = np.random.default_rng(1).uniform(0, 100, (50, 2)).repeat(2, 1)[:, [0, 2, 1, 3]] + [0, 0, 30, 40]
    stages = [Stage(f"stage {n}", boxes[:count], np.full(count, 0.9)) for n, count in enumerate(counts)]
    figure = figures.melting_figure(photo, stages, "title")
    shown = [ax for ax in figure.axes if ax.get_visible()]
    assert [ax.texts[0].get_text() for ax in shown] == [f"stage {n}: {count}" for n, count in enumerate(counts)]
    assert [len(outlines(ax)) for ax in shown] == list(counts)
    assert figure._suptitle.get_text() == "title"


def test_a_faded_photograph_is_light_and_its_parts_can_still_be_told_apart(photo):
    faded = figures.faded(photo)
    assert faded.shape == photo.shape and faded.min() > 60
    assert np.ptp(faded) > 100 and (faded[..., 0] == faded[..., 2]).all()


def test_landmarks_are_named_where_they_are(photo):
    points = np.array([[150, 90], [190, 92], [170, 115], [155, 130], [186, 131]], float)
    ax = figures.landmarks_figure(photo, np.array([130, 60, 210, 160.0]), points).axes[0]
    assert [text.get_text() for text in ax.texts] == list(figures.LANDMARKS)
    assert [tuple(text.xy) for text in ax.texts] == [tuple(point) for point in points]
    assert outlines(ax) == [[130, 60, 210, 160]]


def test_figures_are_as_wide_as_a_page(photo):
    stages = [Stage("one", np.zeros((1, 4)), np.ones(1))] * 4
    for figure in (figures.window_figure(photo, (170, 110), [0.1]), figures.melting_figure(photo, stages)):
        assert Image.open(io.BytesIO(png(figure))).width == pytest.approx(100 * figures.WIDTH, abs=1)
