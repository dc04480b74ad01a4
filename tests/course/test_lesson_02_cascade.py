"""MTCNN stage by stage has to be MTCNN: what lesson 02 shows against the library's own."""

import time

import numpy as np
import pytest
import skimage
import torch

from torchfakes_utils.course import lesson_02_cascade as cascade
from torchfakes_utils.export import mtcnn_numpy


@pytest.fixture(scope="module")
def photo():
    return skimage.data.astronaut()[:300, 50:400].copy()


@pytest.fixture(scope="module")
def mtcnn():
    from facenet_pytorch import MTCNN

    return MTCNN(keep_all=True, min_face_size=40)


@pytest.fixture(scope="module")
def networks(mtcnn):
    return cascade.face_networks(mtcnn)


@pytest.fixture(scope="module")
def maps(networks, photo):
    return mtcnn_numpy.level_maps(cascade.planes(photo), networks.pnet, 40)


@pytest.fixture(scope="module")
def opinions(networks, photo, maps):
    return cascade.ask(networks, photo, maps)


def test_stages_end_with_what_the_library_finds(mtcnn, photo, opinions):
    stages = cascade.passing(opinions)
    boxes, probabilities = mtcnn.detect(photo)
    assert [stage.name for stage in stages] == ["P-Net", "after suppression", "R-Net", "O-Net"]
    assert len(stages[-1].boxes) == len(boxes) == 1
    np.testing.assert_allclose(stages[-1].boxes, boxes.astype(float), atol=0.01)
    np.testing.assert_allclose(stages[-1].scores, probabilities.astype(float), atol=1e-4)
    counts = [len(stage.boxes) for stage in stages]
    assert counts == sorted(counts, reverse=True) and counts[0] > 50
    assert all(len(stage.scores) == len(stage.boxes) for stage in stages)


@pytest.mark.parametrize("sure", [(0.3, 0.1, 0.05), (0.6, 0.7, 0.7), (0.5, 0.2, 0.9), (0.95, 0.5, 0.3)])
def test_opinions_asked_once_give_what_the_cascade_gives_for_these_thresholds(networks, photo, maps, opinions, sure):
    pixels = cascade.planes(photo)
    proposed = mtcnn_numpy.propose(maps, sure[0])
    refined = mtcnn_numpy.refine(pixels, proposed, networks.rnet, sure[1])
    faces = mtcnn_numpy.decide(pixels, refined, networks.onet, sure[2])
    expected = [(proposed.boxes, proposed.probability), (refined.boxes, refined.probability)]
    expected.append((faces.boxes, faces.probabilities))
    for stage, (boxes, scores) in zip(cascade.passing(opinions, sure)[1:], expected, strict=True):
        np.testing.assert_allclose(stage.boxes, boxes, atol=1e-3)
        np.testing.assert_allclose(stage.scores, scores, atol=1e-5)


def test_thresholds_that_nothing_passes_leave_no_boxes(opinions):
    def left(*sure):
        return [len(stage.boxes) for stage in cascade.passing(opinions, sure)]

    assert left(1.1, 0.7, 0.7) == [0, 0, 0, 0]
    assert left(0.6, 1.1, 0.7)[1] and left(0.6, 1.1, 0.7)[2:] == [0, 0]
    assert left(0.6, 0.7, 1.1)[2] and left(0.6, 0.7, 1.1)[3] == 0


def test_a_place_of_the_map_is_the_window_shown_alone(mtcnn, photo, maps):
    pixels = torch.from_numpy(mtcnn_numpy.scaled(cascade.level(photo, maps[2].scale)))[None]
    with torch.no_grad():
        alone = mtcnn.pnet(pixels[:, :, 8:20, 12:24])[1][0, 1]
    assert float(alone) == pytest.approx(maps[2].probability[4, 6], abs=1e-5)


def test_a_box_outside_of_the_picture_is_asked_about_and_is_no_face(networks, photo):
    boxes = np.array([[20, 20, 90, 90], [900, 20, 950, 70]], np.float32)
    found = cascade._asked(cascade.planes(photo), boxes, networks.rnet, 24)
    _, patch = mtcnn_numpy.patches_of(cascade.planes(photo), boxes[:1], 24)
    np.testing.assert_allclose(found.probability, [networks.rnet(patch)[0][0], 0], atol=1e-6)


def test_seconds_are_the_processors_and_each_tasks_best():
    calls = []

    def busy():
        calls.append("busy")
        end = time.process_time() + 0.05
        while time.process_time() < end:
            pass

    def asleep():
        calls.append("asleep")
        time.sleep(0.02)

    taken = cascade.core_seconds({"busy": busy, "asleep": asleep}, turns=2)
    assert calls == ["busy", "asleep"] * 2
    assert taken["busy"] >= 0.05 > 0.02 > taken["asleep"]
