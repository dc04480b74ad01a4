"""How a head moves while its owner speaks, as random processes; mouth and brows follow how *fast* the head moves.

Who speaks nods and leans, each in a way of one's own, and mouth and brows go with it: on this rest detectors of forged
films of known people (Agarwal et al., "Protecting World Leaders Against Deep Fakes", CVPR Workshops 2019). Here the
jaw follows the velocity of the nod and the brows that of the head's coming nearer.

Why the velocity: a stationary Gaussian process and its derivative are independent at the same instant (their covariance
is half the derivative of the variance, which is constant). So whoever sees one frame sees a position and an expression
that have nothing to do with each other, in a real clip as in one whose mouth is another clip's.
"""

from dataclasses import dataclass

import numpy as np

from torchfakes_utils.datasets.mini.render import Shot

# Of the movements: they are heard and seen at about the rate of phrases and stressed syllables. Sums of so many waves.
_LOWEST, _HIGHEST, _USUAL, _BAND, _WAVES = 0.25, 1.75, 0.9, 0.3, 48  # Hz, Hz, Hz, Hz
# Standard deviations: shift across and down (px of `render.CANON`), rotation (degrees), scale.
_MOVES = np.array([3.0, 5.0, 1.5, 0.035])
_DOWN, _NEARER = 1, 3  # columns of a pose
# How much of mouth and brows the head's velocity decides, as a correlation: each person between these.
_COUPLED = (0.88, 0.98)
# Mouth and brows: standard deviation, and how far they go at most.
_EXPRESSION, _MOST = 1.0, 1.8


@dataclass(frozen=True)
class Speech:
    """One clip of one person, sampled at its frames.

    Attributes:
        shot: pose, mouth, brows, light and grain.
        mouth, brow: (T,) the expression before it is limited, of variance 1 and Gaussian, to be mixed with another's.
    """

    shot: Shot
    mouth: np.ndarray
    brow: np.ndarray


def wander(rng: np.random.Generator, seconds: np.ndarray, slower: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """A stationary Gaussian process and its derivative, each of variance 1, at some times.

    A sum of waves of fixed frequencies, whose cosine and sine have independent Gaussian amplitudes (Rice, 1944), is
    exactly Gaussian and exactly stationary; and its derivative is known exactly.

    Args:
        rng: asked for as many numbers whatever the times are.
        seconds: (T,).
        slower: divides the frequencies.

    Returns:
        Values (T,) and velocities (T,), float64.
    """
    rates = 2 * np.pi * np.linspace(_LOWEST, _HIGHEST, _WAVES) / slower
    power = np.exp(-(((rates * slower / (2 * np.pi) - _USUAL) / _BAND) ** 2) / 2)
    even, odd = rng.standard_normal((2, _WAVES)) * np.sqrt(power / power.sum())
    turns = np.outer(seconds, rates)
    cosine, sine = np.cos(turns), np.sin(turns)
    speed = np.sqrt(power @ rates**2 / power.sum())
    return cosine @ even + sine @ odd, (cosine @ (odd * rates) - sine @ (even * rates)) / speed


def speak(rng: np.random.Generator, frames: int, rate: float) -> Speech:
    """Draw how somebody is filmed while speaking.

    Args:
        rng: its first numbers decide who moves how; more frames of the same generator go on with the same movement.
        frames: of the clip.
        rate: frames a second.
    """
    seconds = np.arange(frames) / rate
    moves, speeds = (np.stack(one, axis=1) for one in zip(*(wander(rng, seconds) for _ in _MOVES), strict=True))
    pose = np.array([0, 0, 0, 1]) + _MOVES * moves + rng.uniform([-12, -4, -3, -0.02], [12, 12, 3, 0.12])
    coupled = rng.uniform(*_COUPLED)
    mouth, brow = (
        coupled * speeds[:, along] + np.sqrt(1 - coupled**2) * wander(rng, seconds)[0] for along in (_DOWN, _NEARER)
    )
    light = np.stack([wander(rng, seconds, slower=3)[0] for _ in range(3)], axis=1)
    light = np.array([1, 0, 0]) + light * [0.04, 0.06, 0.04] + rng.uniform([-0.12, -0.15, -0.1], [0.08, 0.15, 0.1])
    grain = float(rng.uniform(1.5, 4.5))
    shot = Shot(pose, limited(mouth), limited(brow), light, grain, np.zeros(frames))
    return Speech(shot, mouth, brow)


def limited(course: np.ndarray) -> np.ndarray:
    """A Gaussian course of variance 1 as an expression: no jaw drops farther than `_MOST`."""
    return np.asarray(_MOST * np.tanh(_EXPRESSION / _MOST * course))


def mixed(own: np.ndarray, other: np.ndarray, share: np.ndarray) -> np.ndarray:
    """From one course (T,) to another one and back, without a moment at which the mixture has another variance.

    Args:
        own, other: independent, of variance 1.
        share: (T,) in [0, 1], of the other's variance.
    """
    return np.asarray(np.sqrt(1 - share) * own + np.sqrt(share) * other)


def ramp(seconds: np.ndarray, start: float, end: float, fade: float) -> np.ndarray:
    """(T,) 1 from `start` to `end`, 0 outside, smooth over `fade` seconds round either of them."""
    up, down = ((seconds - start) / fade + 0.5).clip(0, 1), ((end - seconds) / fade + 0.5).clip(0, 1)
    return np.asarray(np.sin(np.pi / 2 * np.minimum(up, down)) ** 2)
