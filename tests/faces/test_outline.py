"""The outline of a face from five points: it moves with them, holds them, and says where it cannot be."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from torchfakes_utils.faces.outline import CORNERS, outlines, outlines_of

UPRIGHT = np.array([[60.0, 60], [100, 60], [80, 84], [64, 105], [96, 105]])


def turn(points):
    """Of each corner how far the outline turns there: all of one sign where it is convex."""
    along = np.roll(points, -1, 0) - points
    after = np.roll(along, -1, 0)
    return along[:, 0] * after[:, 1] - along[:, 1] * after[:, 0]


@pytest.mark.parametrize("forehead", [True, False])
def test_it_is_convex_and_symmetric_and_holds_the_landmarks(forehead):
    found = outlines(UPRIGHT, forehead)
    assert found.shape == (CORNERS, 2) and (turn(found) > 0).all(), "clockwise, as a picture is seen"
    mirrored = np.array([160, 0]) + found * [-1, 1]
    assert np.allclose(np.sort(mirrored, 0), np.sort(found, 0), atol=1e-6)
    for point in UPRIGHT:  # inside: to the right of every edge
        (x, y), (across, down) = (np.roll(found, -1, 0) - found).T, (point - found).T
        assert (x * down - y * across > 0).all(), point


def test_only_the_forehead_differs():
    low, high = outlines(UPRIGHT, False), outlines(UPRIGHT, True)
    assert high[:, 1].min() < low[:, 1].min() < UPRIGHT[:, 1].min() and high[:, 1].max() == low[:, 1].max()


@given(st.floats(-3, 3), st.floats(0.2, 4), st.floats(-50, 50), st.floats(-0.5, 0.5))
def test_it_goes_with_whatever_is_done_to_the_face(angle, zoom, shift, shear):
    """Turned, scaled, moved and sheared alike: what an affine map does to the landmarks, it does to the outline."""
    matrix = zoom * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) @ [[1, shear], [0, 1]]
    moved = outlines(UPRIGHT @ matrix.T + shift)
    assert np.allclose(moved, outlines(UPRIGHT) @ matrix.T + shift, atol=1e-6)


def test_many_at_once_and_one_without_a_face():
    nobody = np.full((5, 2), np.nan)
    found = outlines(np.stack([UPRIGHT, nobody, UPRIGHT + 3]))
    assert np.allclose(found[2], found[0] + 3) and np.isnan(found[1]).all()


def test_of_a_table_they_are_shares_of_each_crop(tmp_path):
    Image.new("RGB", (320, 80)).save(tmp_path / "wide.png")
    text = " ".join(f"{value:.1f}" for value in UPRIGHT.ravel())
    faces = pd.DataFrame({
        "landmarks": [text, "", "1 2 3", text, text],
        "crop_size": [160, 160, 160, "", ""],
        "file": ["a.png", "b.png", "c.png", str(tmp_path / "wide.png"), str(tmp_path / "gone.png")],
    })  # fmt: skip
    found = outlines_of(faces)
    assert found.shape == (5, 2, CORNERS, 2)
    assert np.allclose(found[0, 1], outlines(UPRIGHT / 160)) and np.allclose(
        found[0, 0], outlines(UPRIGHT / 160, False)
    )
    assert np.allclose(found[3, 1], outlines(UPRIGHT) / [320, 80]), "as large as its file says"
    assert np.isnan(found[[1, 2, 4]]).all()
    assert outlines_of(faces.head(0)).shape == (0, 2, CORNERS, 2)
