"""Boxes that stay where the face is when the picture is shifted, resized or mirrored."""

import cv2
import numpy as np
import pytest

from torchfakes_utils.faces.detection import FaceDetector
from torchfakes_utils.faces.steadying import steadied


def bright(views):
    """A last network to which a face is twice as large as what is bright: how far its ends lie from a view's."""
    found = []
    for view in views:
        places = np.argwhere(view[:, :, 0] > 127)[:, ::-1]
        low, high = places.min(axis=0), places.max(axis=0) + 1
        room = (high - low) / 2
        found.append([*((low - room) / len(view)), *((high + room) / len(view) - 1)])
    return np.array(found)


def square(left=100, top=80, edge=60, size=240):
    """A face, and its box: its inner half is bright."""
    picture = np.zeros((size, size, 3), np.uint8)
    quarter = edge // 4
    picture[top + quarter : top + edge - quarter, left + quarter : left + edge - quarter] = 255
    return picture, np.array([left, top, left + edge, top + edge], float)


@pytest.mark.parametrize("edge", [40, 60, 160])
def test_a_box_that_is_off_comes_to_lie_on_the_face(edge):
    picture, box = square(edge=edge, size=400)
    for moved in ([0.1, 0, 0.1, 0], [-0.1, 0.05, 0, 0.1], [-0.1, -0.1, 0.1, 0.1]):
        (found,) = steadied(picture, (box + edge * np.array(moved))[None], bright)
        assert found.dtype == np.float32 and np.abs(found - box).max() < 0.03 * edge


def test_all_boxes_are_done_and_each_by_itself():
    (one, first), (other, second) = square(20, 30, 48), square(140, 130, 60)
    both, boxes = np.maximum(one, other), np.stack([first, second])
    assert np.array_equal(steadied(both, boxes, bright), np.concatenate([steadied(both, box[None], bright)
                                                                         for box in boxes]))  # fmt: skip
    assert steadied(both, np.zeros((0, 4)), bright).shape == (0, 4)


@pytest.mark.parametrize("far", [9.0, np.nan, -0.7])
def test_a_face_that_is_not_found_again_keeps_its_box(far):
    picture, box = square()
    assert steadied(picture, box[None], lambda views: np.full((len(views), 4), far))[0] == pytest.approx(box)


def test_a_portrait_keeps_its_box_when_it_is_mirrored_shifted_and_resized(portraits):
    """What the detector of faces gives strays by some per cent of the face; here it is a few thousandths."""
    finder, strayed = FaceDetector("cpu"), {"as found": [], "steadied": []}
    for picture in portraits:
        height, width = picture.shape[:2]
        changed = {
            "mirrored": (np.ascontiguousarray(picture[:, ::-1]),
                         lambda box, w=width: [w - box[2], box[1], w - box[0], box[3]]),
            "shifted": (np.ascontiguousarray(picture[2:, 2:]), lambda box: box - 2),
            "resized": (cv2.resize(picture, (int(width * 1.25), int(height * 1.25))),
                        lambda box, x=int(width * 1.25) / width, y=int(height * 1.25) / height: box * [x, y, x, y]),
        }  # fmt: skip
        for name, how in (("as found", False), ("steadied", True)):

            def box_in(one, how=how):
                boxes = finder.detect([one])[0].boxes[:1]
                return steadied(one, boxes, finder.offsets)[0] if how else boxes[0]

            first = box_in(picture).astype(float)
            for other, moved in changed.values():
                there = np.array(moved(first))
                strayed[name].append(np.abs(box_in(other) - there).max() / (there[2] - there[0]))
    assert np.mean(strayed["steadied"]) < 0.012
    assert np.mean(strayed["steadied"]) < np.mean(strayed["as found"]) / 2, strayed
