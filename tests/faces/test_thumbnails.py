"""Fakes share a face with the original whose frames they show, and with no other film."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from torchfakes_utils.faces.thumbnails import aligned, difference, likeness, thumbnail

from helpers.scenes import boxed, film


def pictures(portrait: np.ndarray, shifts: list[int]) -> list[np.ndarray]:
    return [thumbnail(frame) for frame in film(portrait, shifts)]


def paired(original: list[np.ndarray], fake: list[np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
    return list(zip(original, fake, strict=True))


def boxes(shifts: list[int], scale: float = 120 / 192) -> np.ndarray:
    return np.stack([boxed(shift).boxes[0] * scale for shift in shifts])


def test_a_forged_face_is_aligned_and_a_shifted_one_is_not(portraits: list[np.ndarray]) -> None:
    shifts = [10, 30, 50, 70]
    original = pictures(portraits[0], shifts)
    x1, y1, x2, y2 = 70, 40, 130, 120
    forged = portraits[0].copy()
    forged[y1:y2, x1:x2] = cv2.GaussianBlur(255 - forged[y1:y2, x1:x2], (0, 0), 3)
    assert aligned(paired(original, pictures(forged, shifts)), boxes(shifts))
    brighter = np.clip(forged * 0.9 + 20, 0, 255).astype(np.uint8)
    assert aligned(paired(original, pictures(brighter, shifts)), boxes(shifts))
    assert not aligned(paired(original, pictures(forged, [shift + 8 for shift in shifts])), boxes(shifts))
    assert not aligned(paired(original, pictures(portraits[1], shifts)), boxes(shifts))
    assert not aligned([(frame, cv2.resize(frame, (90, 60))) for frame in original], boxes(shifts))
    assert not aligned([], np.zeros((0, 4)))


def test_half_of_the_frames_may_be_flawed(portraits: list[np.ndarray]) -> None:
    shifts = [10, 30, 50, 70, 90]
    original = pictures(portraits[0], shifts)
    flawed = [*original[:3], *(np.zeros_like(frame) for frame in original[3:])]
    assert difference(paired(original, flawed), boxes(shifts)) == 0


def test_face_that_fills_the_picture_has_no_surroundings(portraits: list[np.ndarray]) -> None:
    original = pictures(portraits[0], [0])
    height, width = original[0].shape
    assert difference(paired(original, original), np.array([[0, 0, width * 2, height * 2]], np.float32)) == np.inf


@given(st.integers(8, 400), st.integers(8, 400))
def test_a_thumbnail_keeps_the_shape_and_never_enlarges(height: int, width: int) -> None:
    small = thumbnail(np.full((height, width, 3), 50, np.uint8))
    assert small.dtype == np.uint8
    assert min(small.shape) <= 120
    assert small.shape[0] <= height
    assert small.shape[1] <= width
    if min(height, width) <= 120:
        assert small.shape == (height, width)
    else:
        assert small.shape[1] / small.shape[0] == pytest.approx(width / height, rel=1.0 / min(small.shape) + 0.02)


def test_a_place_is_like_the_face_that_is_there_and_unlike_the_wall(portraits: list[np.ndarray]) -> None:
    first, second = pictures(portraits[0], [10, 40])
    here, there = boxes([10, 40])
    assert likeness(second, there, [(first, here)]) > 0.9
    assert likeness(second, there - [60, 0, 60, 0], [(first, here)]) < 0.5
    assert likeness(np.full_like(second, 90), there, [(first, here)]) == 0
    wall = np.full_like(first, 120)
    assert likeness(second, there, [(wall, here), (first, here)]) > 0.9, "the best of several counts"
