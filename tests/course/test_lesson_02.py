"""MTCNN stage by stage has to be MTCNN: the lesson's cascade against the library's own."""

import json

import cv2
import matplotlib
import numpy as np
import pandas as pd
import pytest
import skimage
import torch
from matplotlib.figure import Figure

from torchfakes_utils.course import lesson_02
from torchfakes_utils.datasets import faceforensics
from torchfakes_utils.faces.detection import Detections
from torchfakes_utils.io.video import read_frames

matplotlib.use("Agg")


@pytest.fixture(scope="module")
def photo():
    return skimage.data.astronaut()[:300, 50:400].copy()


@pytest.fixture(scope="module")
def mtcnn():
    from facenet_pytorch import MTCNN

    return MTCNN(keep_all=True, min_face_size=40)


@pytest.fixture(scope="module")
def looks(mtcnn, photo):
    return lesson_02.look_everywhere(mtcnn.pnet, photo, 40)


def test_pyramid_ends_where_the_window_covers_the_picture():
    scales = lesson_02.scales(512, 20)
    assert scales[0] == pytest.approx(0.6) and len(scales) == 10
    assert 512 * scales[-1] >= 12 > 512 * scales[-1] * lesson_02.FACTOR
    assert lesson_02.scales(10, 20) == []


def test_cascade_ends_with_what_the_library_finds(mtcnn, photo, looks):
    stages = lesson_02.cascade(mtcnn, photo, looks)
    boxes, probabilities = mtcnn.detect(photo)
    assert [stage.name for stage in stages] == ["P-Net", "after NMS", "R-Net", "O-Net"]
    assert len(stages[-1].boxes) == len(boxes) == 1
    np.testing.assert_allclose(stages[-1].boxes, boxes.astype(float), atol=0.01)
    np.testing.assert_allclose(stages[-1].scores, probabilities.astype(float), atol=1e-4)
    counts = [len(stage.boxes) for stage in stages]
    assert counts == sorted(counts, reverse=True) and counts[0] > 50


def test_thresholds_that_nothing_passes_leave_no_boxes(mtcnn, photo, looks):
    assert [len(stage.boxes) for stage in lesson_02.cascade(mtcnn, photo, looks, (1.1, 0.7, 0.7))] == [0, 0, 0, 0]
    stages = lesson_02.cascade(mtcnn, photo, looks, (0.6, 1.1, 0.7))
    assert len(stages[1].boxes) and [len(stage.boxes) for stage in stages[2:]] == [0, 0]


def test_a_place_of_the_map_is_the_window_shown_alone(mtcnn, photo, looks):
    look = looks[2]
    pixels = lesson_02.normalise(lesson_02.level(photo, look.scale))
    with torch.no_grad():
        alone = mtcnn.pnet(pixels[:, :, 8:20, 12:24])[1][0, 1]
    assert float(alone) == pytest.approx(look.probability[4, 6], abs=1e-5)


def test_boxes_are_moved_squared_and_cut():
    boxes = np.array([[10, 10, 30, 50]], np.float32)
    np.testing.assert_allclose(lesson_02.moved(boxes, np.array([[0.5, 0, 0, -0.25]]), extra=0), [[20, 10, 30, 40]])
    np.testing.assert_allclose(lesson_02.squared(boxes), [[0, 10, 40, 50]])
    image = np.zeros((60, 60, 3), np.uint8)
    over_the_edge = np.array([[-20, -20, 20, 20], [40, 40, 90, 90], [70, 70, 80, 80]], np.float32)
    assert lesson_02.patches(image, over_the_edge[:2], 24).shape == (2, 3, 24, 24)
    assert lesson_02.patches(image, over_the_edge[:0], 24).shape == (0, 3, 24, 24)


def test_example_is_the_clip_with_the_trait_or_the_first(tmp_path):
    clips = pd.DataFrame({"target_id": ["005", "007"]})
    assert lesson_02.example(tmp_path, clips, "leaves") == "005"
    people = [{"id": "005", "leaves": False}, {"id": "007", "leaves": True}]
    (tmp_path / "mini.json").write_text(json.dumps({"people": people}))
    assert lesson_02.example(tmp_path, clips, "leaves") == "007"


def test_figures_are_drawn(mtcnn, photo, looks):
    stages = lesson_02.cascade(mtcnn, photo, looks)
    boxes, points = stages[-1].boxes, np.zeros((1, 5, 2), np.float32)
    one, none = Detections(boxes, np.ones(1), points), Detections(boxes[:0], np.ones(0), points[:0])
    figures = [
        lesson_02.pyramid_figure(photo, 40),
        lesson_02.maps_figure(photo, looks[:3]),
        lesson_02.melting_figure(photo, stages),
        lesson_02.melting_figure(photo, lesson_02.cascade(mtcnn, photo, looks, (1.1, 0.7, 0.7))),
        lesson_02.boxes_figure(photo, {"one": boxes, "two": boxes}, "boxes"),
        lesson_02.frames_figure(np.stack([photo, photo]), [one, none], [0, 1, 9], "frames", landmarks=True),
        lesson_02.choices_figure({"one": [1.0, None, 3.0], "two": [None, None, None]}, "choices"),
    ]
    assert all(isinstance(figure, Figure) for figure in figures)
    assert len(figures[2].axes) == 4


@pytest.fixture(scope="module")
def films(tiny_ffpp):
    clips = faceforensics.index(tiny_ffpp)
    return lesson_02.one_set(tiny_ffpp, clips, frames=2, lines=240)


def test_one_set_is_a_film_and_its_fakes_at_the_same_frames(films, tiny_ffpp):
    assert [film.shape for film in films] == [(2, 240, 240, 3)] * 3
    real = read_frames(tiny_ffpp / "original_sequences/youtube/c23/videos/000.mp4", [2, 6])[1]
    small = [cv2.resize(frame, real[0].shape[1::-1], interpolation=cv2.INTER_AREA) for frame in films[0]]
    assert np.abs(np.stack(small).astype(int) - real).mean() < 2
    assert 0 < np.abs(films[0].astype(int) - films[1]).mean() < 40


def test_each_speed_up_finds_the_same_faces(films):
    ladder = lesson_02.speed_ups(films)
    assert ladder.index.tolist()[0] == "the usual loop"
    assert len(ladder) == 5
    assert ladder["lost"].tolist() == [0] * 5
    assert ladder["overlap"].iloc[0] == 1
    assert (ladder["overlap"] > 0.7).all()
    figure = lesson_02.speed_figure(ladder, "title")
    assert len(figure.axes[0].patches) == 5


def test_overlap_by_hand():
    assert lesson_02._overlap((0, 0, 2, 2), (1, 0, 3, 2)) == pytest.approx(1 / 3)
    assert lesson_02._overlap((0, 0, 1, 1), (5, 5, 6, 6)) == 0
    assert lesson_02._biggest(None) is None
