import dataclasses
import itertools

import cv2
import numpy as np
import pytest
import torch
from torchvision.ops import nms

from torchfakes_utils.export import mtcnn_numpy
from torchfakes_utils.export.face_networks import face_networks
from torchfakes_utils.export.mtcnn_numpy import CascadeDetector, FaceNetworks, find_faces
from torchfakes_utils.faces.config import DEFAULTS
from torchfakes_utils.faces.detection import FaceDetector

# What the module promises, in pixels of the picture that is shown to the cascade and as probabilities.
PIXELS, PROBABILITY = 0.01, 1e-4

FAR_AWAY = dataclasses.replace(DEFAULTS, min_face=0.05)


def as_callable(network):
    def run(pixels):
        with torch.inference_mode():
            return [output.numpy() for output in network(torch.from_numpy(np.ascontiguousarray(pixels)))]

    return run


@pytest.fixture(scope="module")
def networks():
    return FaceNetworks(*map(as_callable, face_networks().values()))


@pytest.fixture(scope="module")
def pictures():
    import skimage.data
    from matplotlib import cbook
    from PIL import Image

    with Image.open(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)) as image:
        hopper = np.asarray(image.convert("RGB"))
    astronaut = skimage.data.astronaut()
    row = [cv2.resize(cut, (260, 260), interpolation=cv2.INTER_AREA) for cut in (astronaut, hopper[:512, :512])]
    wide = np.full((720, 1280, 3), 90, np.uint8)
    wide[200:712, 500:1012] = astronaut
    far = np.full((720, 1080, 3), 90, np.uint8)
    far[300:428, 500:628] = cv2.resize(astronaut, (128, 128), interpolation=cv2.INTER_AREA)
    return {
        "astronaut": astronaut,
        "hopper": hopper,
        "three": np.hstack([*row, row[0][:, ::-1]]),
        "large": wide,
        "far": far,
        "cut off": astronaut[:180, 200:],
        "no face": skimage.data.chelsea(),
        "noise": np.random.default_rng(0).integers(0, 256, (150, 200, 3), dtype=np.uint8),
        "flat": np.full((90, 160, 3), 128, np.uint8),
        "tiny": astronaut[::16, ::16],
        "one pixel": astronaut[:1, :1],
        "strip": astronaut[100:164],
    }


# In which faces are looked for that are as small as a twentieth of the picture; this takes time.
LOOKED_AT_CLOSELY = ("far", "three", "tiny", "flat")
FACES = {"astronaut": 1, "hopper": 1, "three": 3, "large": 1, "cut off": 1}


@pytest.mark.slow
@pytest.mark.parametrize("config", [DEFAULTS, FAR_AWAY], ids=["close up", "far away"])
def test_the_cascade_finds_what_the_original_finds(networks, pictures, config):
    original, ours = FaceDetector("cpu", config), CascadeDetector(networks, config)
    for name, picture in pictures.items():
        if config is FAR_AWAY and name not in LOOKED_AT_CLOSELY:
            continue
        (expected,) = original.detect(picture[None])
        (found,) = ours.detect([picture])
        assert len(found) == len(expected), name
        if config is DEFAULTS:
            assert len(found) == FACES.get(name, 0), name
        scale = max(1.0, min(picture.shape[:2]) / config.detect_lines)  # to pixels of the whole picture
        assert np.allclose(found.boxes, expected.boxes, rtol=0, atol=PIXELS * scale), name
        assert np.allclose(found.landmarks, expected.landmarks, rtol=0, atol=PIXELS * scale), name
        assert np.allclose(found.probabilities, expected.probabilities, rtol=0, atol=PROBABILITY), name
        assert found.boxes.dtype == found.landmarks.dtype == np.float32


def test_a_second_look_is_finer_as_the_original_s_is(networks, pictures):
    for finer in (1.0, 4.0):
        (expected,) = FaceDetector("cpu").detect(pictures["large"][None], finer)
        (found,) = CascadeDetector(networks).detect([pictures["large"]], finer)
        assert np.allclose(found.boxes, expected.boxes, rtol=0, atol=0.1) and len(found) == 1


@pytest.mark.slow
def test_the_surest_face_comes_first_and_frames_may_differ_in_size(networks, pictures):
    three, one = CascadeDetector(networks).detect([pictures["three"], pictures["astronaut"]])
    assert (np.diff(three.probabilities) <= 0).all() and len(one) == 1
    assert CascadeDetector(networks).detect([]) == []


@pytest.mark.parametrize("size", [(24, 24), (48, 48), (7, 31), (1, 1)])
def test_area_resize_is_adaptive_average_pooling(size):
    pixels = torch.rand(3, 37, 20) * 255
    expected = torch.nn.functional.adaptive_avg_pool2d(pixels, size)
    assert np.allclose(mtcnn_numpy.area_resize(pixels.numpy(), *size), expected.numpy(), rtol=0, atol=1e-3)


def test_area_resize_by_hand():
    # Three pixels to two: the middle one counts in full for both.
    pixels = np.array([[[0.0, 30.0, 90.0]]], np.float32)
    assert mtcnn_numpy.area_resize(pixels, 1, 2).tolist() == [[[15.0, 60.0]]]


def test_distinct_is_non_maximum_suppression():
    rng = np.random.default_rng(0)
    corners = rng.uniform(0, 100, (300, 2)).astype(np.float32)
    boxes = np.concatenate([corners, corners + rng.uniform(5, 40, (300, 2)).astype(np.float32)], 1)
    scores = rng.choice(np.linspace(0, 1, 40, dtype=np.float32), 300)  # with ties
    for most in (0.3, 0.5, 0.7):
        expected = nms(torch.from_numpy(boxes), torch.from_numpy(scores), most).tolist()
        assert mtcnn_numpy.distinct(boxes, scores, most).tolist() == expected


def test_a_box_inside_another_goes_only_where_the_smaller_counts():
    boxes = np.array([[0, 0, 100, 100], [40, 40, 60, 60], [200, 0, 240, 40]], np.float32)
    scores = np.array([0.8, 0.9, 0.7], np.float32)
    assert mtcnn_numpy.distinct(boxes, scores, 0.7).tolist() == [1, 0, 2]
    assert mtcnn_numpy.distinct(boxes, scores, 0.7, smaller=True).tolist() == [1, 2]


def test_the_pyramid_by_hand():
    levels = mtcnn_numpy.pyramid(240, 320, 36)
    assert levels[0] == (12 / 36, 81, 107)
    assert all(low[0] == pytest.approx(0.709 * high[0]) for high, low in itertools.pairwise(levels))
    assert min(levels[-1][1:]) >= 13 and int(240 * levels[-1][0] * 0.709 + 1) < 13
    assert mtcnn_numpy.pyramid(240, 320, 300) == []  # no face so large can be in it


def test_a_box_over_the_edge_gives_what_is_inside_and_one_outside_is_left_out():
    pixels = np.arange(100, dtype=np.float32).reshape(1, 10, 10).repeat(3, 0)
    boxes = np.array([[-5, -5, 4, 4], [20, 20, 30, 30], [9, 9, 40, 40]], np.float32)
    kept, patches = mtcnn_numpy.patches_of(pixels, boxes, 4)
    assert kept.tolist() == boxes[[0, 2]].tolist() and patches.shape == (2, 3, 4, 4)
    # The first four pixels either way, none of them resized.
    assert np.allclose(patches[0], mtcnn_numpy.scaled(pixels[:, :4, :4]))


def test_a_candidate_outside_of_the_picture_does_not_end_the_search(pictures, networks):
    """Where facenet-pytorch gives up: the first network's boxes, moved by their offsets, may leave the picture."""

    def stray(image):
        probability, offsets = networks.pnet(image)
        offsets[:, :, -1, -1], probability[:, -1, -1] = 40.0, 0.99
        return probability, offsets

    picture = cv2.resize(pictures["astronaut"], (240, 240), interpolation=cv2.INTER_AREA)
    expected = find_faces(picture, networks, 36)
    found = find_faces(picture, dataclasses.replace(networks, pnet=stray), 36)
    assert np.allclose(found.boxes, expected.boxes) and len(found) == 1


def test_the_last_network_says_of_views_what_the_other_s_says(pictures, networks):
    view = cv2.resize(pictures["astronaut"][0:280, 100:380], (48, 48), interpolation=cv2.INTER_AREA)
    views = np.stack([view, view[:, ::-1]])
    found = mtcnn_numpy.CascadeDetector(networks).offsets(views)
    assert found.shape == (2, 4) and np.allclose(found, FaceDetector("cpu").offsets(views), atol=1e-4)
