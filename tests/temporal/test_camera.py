"""A crop that is calmer than the face in it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from torchfakes_utils.faces.detection import square_crop
from torchfakes_utils.temporal.camera import calm_path, cut


def squares(centres: np.ndarray, edge: float = 100) -> np.ndarray:
    return np.column_stack([centres - edge / 2, centres + edge / 2])


def test_a_nod_stays_in_the_crop_and_a_walk_is_followed():
    times = np.arange(0, 10, 0.08)
    nod, walk = 10 * np.sin(2 * np.pi * 0.8 * times), 20 * times
    known = np.arange(0, 125, 4)
    way = calm_path(times[known], squares(np.stack([walk, nod], axis=1)[known] + 300), times)
    middle = (times > 2) & (times < 8)
    assert np.abs(way.centres[middle, 1] - 300).max() < 2, "the nod is not followed"
    assert np.abs(way.centres[middle, 0] - walk[middle] - 300).max() < 6, "who walks is"
    assert way.edge == 100 and set(way.parts.tolist()) == {0}


def test_what_jumps_is_another_part_and_neither_is_averaged_with_the_other():
    times = np.arange(0, 4, 0.1)
    centres = np.where(times[:, None] < 2, 100.0, 400.0) * np.ones((1, 2))
    way = calm_path(times, squares(centres), times)
    assert way.centres[times < 2] == pytest.approx(100) and way.centres[times >= 2] == pytest.approx(400)
    assert way.parts[0] != way.parts[-1] and len(set(way.parts.tolist())) == 2


def test_one_known_place_is_enough():
    way = calm_path(np.array([3.0]), squares(np.array([[50.0, 60.0]])), np.array([0.0, 90.0]), wider=1.5)
    assert way.centres.tolist() == [[50, 60], [50, 60]] and way.edge == 150


@given(st.integers(30, 90), st.integers(30, 90), st.sampled_from([32, 48, 64]))
def test_on_whole_pixels_and_without_scaling_it_cuts_what_square_crop_cuts(x, y, edge):
    frame = np.random.default_rng(0).integers(0, 255, (128, 128, 3)).astype(np.uint8)
    left, top = x - edge // 2, y - edge // 2
    theirs, _ = square_crop(frame, (left, top, left + edge, top + edge), 1.0, edge)
    assert (cut(frame, np.array([x, y], float), edge, edge) == theirs).all()


@pytest.mark.parametrize("size", [24, 40, 96])
def test_a_crop_moves_by_less_than_a_pixel_where_its_centre_does(size):
    ramp = 0.83 * np.arange(200)[None, :, None] + np.random.default_rng(0).uniform(0, 1, (200, 200, 1))
    frame = np.floor(ramp).astype(np.uint8).repeat(3, axis=2)
    one, other = (cut(frame, np.array([100.0 + shift, 100.0]), 80, size)[4:-4, 4:-4].mean() for shift in (0.0, 10.4))
    assert other - one == pytest.approx(0.83 * 10.4, abs=0.25)


@pytest.mark.parametrize("edge", [64.01, 66.0, 70.0, 640.0])
def test_a_large_square_is_made_small_whatever_its_edge(edge):
    frame = np.full((700, 900, 3), 90, np.uint8)
    assert (cut(frame, np.array([400.0, 300.0]), edge, 32) == 90).all()


def test_beside_the_frame_the_border_is_repeated():
    frame = np.full((40, 40, 3), 200, np.uint8)
    assert (cut(frame, np.array([0.0, 0.0]), 30, 20) == 200).all()
