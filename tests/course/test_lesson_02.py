"""MTCNN stage by stage has to be MTCNN: what the lesson shows against the library's own."""

import json

import cv2
import matplotlib
import numpy as np
import pandas as pd
import pytest
import skimage
import torch

from torchfakes_utils.course import lesson_02
from torchfakes_utils.datasets import faceforensics
from torchfakes_utils.export import mtcnn_numpy
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
def networks(mtcnn):
    return lesson_02.face_networks(mtcnn)


@pytest.fixture(scope="module")
def maps(networks, photo):
    return mtcnn_numpy.level_maps(lesson_02.planes(photo), networks.pnet, 40)


def test_stages_end_with_what_the_library_finds(mtcnn, networks, photo, maps):
    stages = lesson_02.cascade_stages(networks, photo, maps)
    boxes, probabilities = mtcnn.detect(photo)
    assert [stage.name for stage in stages] == ["P-Net", "after NMS", "R-Net", "O-Net"]
    assert len(stages[-1].boxes) == len(boxes) == 1
    np.testing.assert_allclose(stages[-1].boxes, boxes.astype(float), atol=0.01)
    np.testing.assert_allclose(stages[-1].scores, probabilities.astype(float), atol=1e-4)
    counts = [len(stage.boxes) for stage in stages]
    assert counts == sorted(counts, reverse=True) and counts[0] > 50
    assert all(len(stage.scores) == len(stage.boxes) for stage in stages)


def test_thresholds_that_nothing_passes_leave_no_boxes(networks, photo, maps):
    def left(*sure):
        return [len(stage.boxes) for stage in lesson_02.cascade_stages(networks, photo, maps, sure)]

    assert left(1.1, 0.7, 0.7) == [0, 0, 0, 0]
    assert left(0.6, 1.1, 0.7)[1] and left(0.6, 1.1, 0.7)[2:] == [0, 0]
    assert left(0.6, 0.7, 1.1)[2] and left(0.6, 0.7, 1.1)[3] == 0


def test_a_place_of_the_map_is_the_window_shown_alone(mtcnn, photo, maps):
    pixels = torch.from_numpy(mtcnn_numpy.scaled(lesson_02.level(photo, maps[2].scale)))[None]
    with torch.no_grad():
        alone = mtcnn.pnet(pixels[:, :, 8:20, 12:24])[1][0, 1]
    assert float(alone) == pytest.approx(maps[2].probability[4, 6], abs=1e-5)


def test_example_is_the_clip_with_the_trait_or_the_first(tmp_path):
    clips = pd.DataFrame({"target_id": ["005", "007"]})
    assert lesson_02.example(tmp_path, clips, "leaves") == "005"
    people = [{"id": "005", "leaves": False}, {"id": "007", "leaves": True}]
    (tmp_path / "mini.json").write_text(json.dumps({"people": people}))
    assert lesson_02.example(tmp_path, clips, "leaves") == "007"


def lines_of(ax):
    return [line for line in ax.lines if line.get_marker() == "o"]


def test_the_pyramid_has_a_window_on_each_level_of_its_true_size(photo):
    ax = lesson_02.pyramid_figure(photo, 40).axes[0]
    sizes = [picture.get_array().shape[:2] for picture in ax.images]
    assert sizes == [(height, width) for _, height, width in mtcnn_numpy.pyramid(*photo.shape[:2], 40)]
    assert [patch.get_width() for patch in ax.patches] == [12] * len(sizes)
    assert [text.get_text() for text in ax.texts[:2]] == ["40 px", "56 px"]


def test_maps_stand_below_their_levels_with_their_surest_place(photo, maps):
    axes = lesson_02.maps_figure(photo, maps[:3]).axes
    for above, below, answer in zip(axes[:3], axes[3:], maps, strict=False):
        assert above.get_title() == f"faces of {12 / answer.scale:.0f} px"
        assert below.get_title() == f"surest: {answer.probability.max():.3f}"
        np.testing.assert_array_equal(below.images[0].get_array(), answer.probability)


@pytest.mark.parametrize("sure", [mtcnn_numpy.SURE, (1.1, 0.7, 0.7)], ids=["as it is", "nothing passes"])
def test_each_stage_shows_its_boxes_and_their_number(networks, photo, maps, sure):
    stages = lesson_02.cascade_stages(networks, photo, maps, sure)
    figure = lesson_02.melting_figure(photo, stages)
    assert [ax.get_title() for ax in figure.axes] == [f"{stage.name}: {len(stage.boxes)}" for stage in stages]
    assert [len(ax.patches) for ax in figure.axes] == [len(stage.boxes) for stage in stages]


def test_boxes_are_drawn_where_they_are(photo):
    boxes = np.array([[10, 20, 40, 60], [50, 50, 90, 80]], np.float32)
    figure = lesson_02.boxes_figure(photo, {"one": boxes, "two": boxes[:1]}, "boxes")
    drawn = [[patch.get_bbox().extents.tolist() for patch in ax.patches] for ax in figure.axes]
    assert drawn == [boxes.tolist(), boxes[:1].tolist()] and figure._suptitle.get_text() == "boxes"


def test_frames_show_their_faces_and_how_many_there_are(photo):
    points = np.arange(10, dtype=np.float32).reshape(1, 5, 2)
    boxes = np.array([[10, 20, 40, 60]], np.float32)
    one, none = Detections(boxes, np.ones(1), points), Detections(boxes[:0], np.ones(0), points[:0])
    figure = lesson_02.frames_figure(np.stack([photo] * 2), [one, none], [0, 1, 9], "frames", landmarks=True)
    assert [ax.get_title() for ax in figure.axes] == ["frame 0: 1 found", "frame 1: 0 found"]
    assert [len(ax.patches) for ax in figure.axes] == [2, 0]  # a white line on a black one
    np.testing.assert_array_equal(lines_of(figure.axes[0])[0].get_xydata(), points[0])


def test_choices_leave_gaps_where_none_is_chosen():
    figure = lesson_02.choices_figure({"one": [1.0, None, 3.0], "two": [None, None, None]}, "choices")
    np.testing.assert_array_equal(lines_of(figure.axes[0])[0].get_ydata(), [1, np.nan, 3])
    assert [len(ax.patches) for ax in figure.axes] == [1, 3] and figure.axes[1].get_title() == "two"


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


@pytest.mark.slow
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
