"""How much detail a forged face has: as much as its original has, or a little more, or a little less.

A forgery smooths or jags a face. Left at that, nobody needs to look at a face to know: the fake is the blurrier one of
a pair. So the face that a manipulation draws is split into three bands, and the two upper ones are amplified or damped
by one number a clip until they hold as much energy as the target's own face, times a factor that lies as often above 1
as below. What the detail looks like (blobs, jagged edges, a grid) stays; how much of it there is tells nothing.
"""

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from torchfakes_utils.datasets.mini.render import Grain

# Gaussian blurs whose differences are the bands, standard deviations in px of the canonical frame: below the first
# lies what a pixel or two are wide (grain, lashes, jagged edges), between them wrinkles, lips and lids.
_FINE, _COARSE = 0.8, 2.5
# A decoder's output has next to no fine band: amplified any further it would be ringing and nothing else.
_MOST = {"middle": 3.0, "fine": 2.0}
_PAD = 8  # pixels around the edit that the blurs look at


@dataclass(frozen=True)
class Detail:
    """What a forged face's bands are multiplied by, and how much grain (in grey levels) it gets on top."""

    middle: float = 1.0
    fine: float = 1.0
    grain: float = 0.0

    def give(self, image: np.ndarray, mask: np.ndarray, sensor: Grain) -> np.ndarray:
        """The picture (H, W, 3) uint8 with this detail wherever `mask` (H, W) is not 0."""
        window = around(mask)
        part = image[window]
        low, lower = _lows(part)
        mixed = cv2.addWeighted(part.astype(np.float32), self.fine, low, self.middle - self.fine, 0, dtype=cv2.CV_32F)
        mixed = cv2.addWeighted(mixed, 1, lower, 1 - self.middle, 0, dtype=cv2.CV_32F)
        result = image.copy()
        result[window] = cv2.addWeighted(mixed, 1, sensor.cut()[window], self.grain, 0, dtype=cv2.CV_8U)
        return result


def around(mask: np.ndarray) -> tuple[slice, slice]:
    """The rows and columns of a mask (H, W) that are not 0, and a few pixels around them."""
    left, top, wide, high = cv2.boundingRect((mask > 0).astype(np.uint8))
    return slice(max(0, top - _PAD), top + high + _PAD), slice(max(0, left - _PAD), left + wide + _PAD)


def matched(own: np.ndarray, wanted: np.ndarray, grain: float) -> Detail:
    """The detail by which a drawn face comes to hold a wanted energy.

    Args:
        own: the energies of the drawn face, as `energies` gives them.
        wanted: those to be reached.
        grain: of the camera, standard deviation in grey levels.
    """
    noise = _noise()
    # Grain as the camera's first; what is missing then, the face's own detail gives; what it has not, grain again.
    share = min(grain * grain, 0.9 * wanted[1] / noise[1])
    fine = min(_MOST["fine"], np.sqrt((wanted[1] - share * noise[1]) / (own[1] + 1e-3)))
    share = max(0.0, wanted[1] - fine**2 * own[1]) / noise[1]
    middle = min(_MOST["middle"], np.sqrt(max(0.0, wanted[0] - share * noise[0]) / (own[0] + 1e-3)))
    return Detail(float(middle), float(fine), float(np.sqrt(share)))


def energies(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Mean square of the luma's middle and fine band inside a mask, (2,), in squared grey levels."""
    window = around(mask)
    luma = cv2.cvtColor(image[window], cv2.COLOR_RGB2GRAY)
    low, lower = _lows(luma)
    inside = mask[window] > 0.02
    return np.array([np.square(band[inside]).mean() for band in (low - lower, luma - low)])


def _lows(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The picture without its fine band, and without the middle one either, float32."""
    image = image.astype(np.float32)
    once = cv2.GaussianBlur(image, (0, 0), _FINE)
    # What a blur loses, blurred, is given back: a steeper filter, so that the bands hardly overlap.
    low = cv2.addWeighted(once, 2, cv2.GaussianBlur(once, (0, 0), _FINE), -1, 0)
    return low, cv2.GaussianBlur(image, (0, 0), _COARSE)


@cache
def _noise() -> np.ndarray:
    """The energies of grain of standard deviation 1."""
    strength = 20.0  # so that rounding to grey levels does not count
    grey = np.full((512, 512, 3), 128, np.uint8)
    noise = np.random.default_rng(0).standard_normal(grey.shape, dtype=np.float32)
    grainy = cv2.addWeighted(grey, 1, noise, strength, 0, dtype=cv2.CV_8U)
    return energies(grainy, np.ones(grey.shape[:2], np.float32)) / strength**2
