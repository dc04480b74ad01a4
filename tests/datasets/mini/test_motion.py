"""How a head moves: a Gaussian process whose velocity says nothing at an instant, and all over time."""

import numpy as np
import pytest
from scipy import stats

from torchfakes_utils.datasets.mini import motion


def draws(count: int, frames: int) -> list[motion.Speech]:
    return [motion.speak(np.random.default_rng([7, seed]), frames, 12.5) for seed in range(count)]


def test_a_movement_has_variance_one_at_every_moment_and_so_has_its_velocity():
    times = np.array([0.0, 0.4, 3.7, 9.1])
    both = np.array([motion.wander(np.random.default_rng(seed), times) for seed in range(4000)])  # (N, 2, T)
    assert both.var(axis=0) == pytest.approx(np.ones((2, 4)), abs=0.1)
    assert both.mean(axis=0) == pytest.approx(np.zeros((2, 4)), abs=0.06)
    # Gaussian, and independent of each other at the same instant: so are their squares.
    assert stats.kurtosis(both[:, 0, 2]) == pytest.approx(0, abs=0.3)
    for at in range(4):
        assert np.corrcoef(both[:, 0, at], both[:, 1, at])[0, 1] == pytest.approx(0, abs=0.06)
        assert np.corrcoef(both[:, 0, at] ** 2, both[:, 1, at] ** 2)[0, 1] == pytest.approx(0, abs=0.08)


def test_the_velocity_is_the_derivative():
    times = np.arange(0, 4, 0.001)
    values, speeds = motion.wander(np.random.default_rng(3), times)
    slopes = np.gradient(values, times)
    assert np.corrcoef(slopes, speeds)[0, 1] > 0.99999


def test_a_longer_clip_of_the_same_generator_goes_on_with_the_same_movement():
    short, long = (motion.speak(np.random.default_rng(5), frames, 12.5) for frames in (30, 80))
    for name in ("pose", "mouth", "brow", "light"):
        assert getattr(long.shot, name)[:30] == pytest.approx(getattr(short.shot, name))


def test_over_time_the_mouth_follows_the_nod_and_at_one_instant_it_does_not():
    found = draws(400, 60)
    over_time = []
    for one in found[:60]:
        nod = np.gradient(one.shot.pose[:, 1])
        over_time.append(np.corrcoef(nod[1:-1], one.mouth[1:-1])[0, 1])
    assert np.mean(over_time) > 0.85 and min(over_time) > 0.5
    here = np.array([(*one.shot.pose[40], one.shot.mouth[40], one.shot.brow[40]) for one in found])
    apart = np.corrcoef(here.T)[:4, 4:]
    assert np.abs(apart).max() < 0.16, "400 draws: a correlation of nothing strays by 0.05"


def test_what_one_frame_shows_has_the_same_law_whoever_lends_the_mouth():
    """Real: pose and mouth of one person. Fake: the mouth of another. The same means, spreads and dependences."""
    people = draws(500, 32)
    moments = []
    for shift in (0, 1):
        lent = people[shift:] + people[:shift]
        rows = np.array([(*one.shot.pose[30, 1:], other.shot.mouth[30], other.shot.brow[30])
                         for one, other in zip(people, lent, strict=True)])  # fmt: skip
        squares = np.column_stack([rows, rows**2])
        moments.append(np.corrcoef(squares.T))
    assert np.abs(moments[0] - moments[1]).max() < 0.2


def test_a_mixture_of_two_courses_keeps_its_variance():
    generator = np.random.default_rng(0)
    own, other = generator.standard_normal((2, 200_000))
    for share in (0.0, 0.2, 0.5, 1.0):
        assert motion.mixed(own, other, np.full(len(own), share)).var() == pytest.approx(1, abs=0.02)


def test_a_ramp_is_smooth_and_lasts_as_long_as_it_should():
    times = np.arange(0, 10, 0.01)
    share = motion.ramp(times, 3.0, 5.0, 0.24)
    assert share[times < 2.8].max() == 0 and share[(times > 3.2) & (times < 4.8)].min() == 1 and share[-1] == 0
    assert np.abs(np.diff(share)).max() < 0.08
    assert share.sum() * 0.01 == pytest.approx(2.0, abs=0.03)


def test_no_jaw_drops_farther_than_it_can():
    assert np.abs(motion.limited(np.linspace(-9, 9, 50))).max() <= 1.8
