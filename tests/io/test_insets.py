"""A part of the picture that is cut is found; what moves, flashes or is cut as a whole is no inset."""

import numpy as np
import pytest

from torchfakes_utils.io.insets import find_inset_cuts, is_cut_off

ROWS, COLUMNS, FRAMES = 18, 32, 40
SIGHTS = np.random.default_rng(3).uniform(0, 255, (3, ROWS, COLUMNS)).astype(np.float32)
TILE = np.s_[2:9, 20:28]


def film():
    """A still picture, with a little noise."""
    noise = np.random.default_rng(4).normal(0, 1, (FRAMES, ROWS, COLUMNS))
    return (SIGHTS[0] + noise).astype(np.float32)


def found(pictures):
    return find_inset_cuts(np.arange(len(pictures)), pictures, 25)


def cut_off(insets, box, frames=(5, 35), size=(ROWS * 10, COLUMNS * 10)):
    return is_cut_off(insets, *frames, np.array(box, float), size)


def test_a_tile_is_cut_and_whoever_is_in_it_and_nobody_else():
    pictures = film()
    pictures[20:][(slice(None), *TILE)] = SIGHTS[1][TILE]
    insets = found(pictures)
    assert insets[:, 0].tolist() == [19]
    assert cut_off(insets, (220, 35, 260, 75))
    assert not cut_off(insets, (40, 60, 120, 140)) and not cut_off(insets, (150, 40, 190, 80))
    assert not cut_off(insets, (220, 35, 260, 75), (5, 19)) and not cut_off(insets, (220, 35, 260, 75), (20, 35))
    assert cut_off(insets, (220, 35, 260, 75), (19, 20))


def test_frames_of_which_only_some_are_decoded():
    pictures = film()
    pictures[20:][(slice(None), *TILE)] = SIGHTS[1][TILE]
    assert find_inset_cuts(np.arange(0, 4 * FRAMES, 4), pictures, 25)[:, 0].tolist() == [76]
    assert len(find_inset_cuts(np.arange(0, 50 * FRAMES, 50), pictures, 25)) == 0, "too far apart"


@pytest.mark.parametrize("speed", [1, 2, 3])
def test_what_moves_is_no_inset(speed):
    pictures = film()
    for at in range(FRAMES):
        left = (speed * at) % (COLUMNS - 8)
        pictures[at, 4:16, left : left + 8] = 20
    jumps = [at for at in range(1, FRAMES) if (speed * at) % (COLUMNS - 8) < (speed * (at - 1)) % (COLUMNS - 8)]
    assert set(found(pictures)[:, 0].tolist()) <= {at - 1 for at in jumps}


def test_a_moment_is_no_inset():
    pictures = film()
    pictures[20][TILE] += 100
    assert len(found(pictures)) == 0


def test_next_to_nothing():
    assert found(film()[:1]).shape == (0, 1 + ROWS) and found(film()[:2]).shape == (0, 1 + ROWS)
    assert not cut_off(np.zeros((0, 1), int), (0, 0, 9, 9)) and not cut_off(np.zeros((0, 1 + ROWS), int), (0, 0, 9, 9))
    pictures = film()
    pictures[20:] = SIGHTS[1]
    assert not cut_off(found(pictures), (900, 900, 950, 950)), "outside of the picture"
