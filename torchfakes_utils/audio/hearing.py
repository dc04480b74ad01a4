"""Recordings on their way into a network: read once, kept while there is room, cut into windows, changed at random."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import scipy.fft

from torchfakes_utils.errors import InputError
from torchfakes_utils.io.sound import RATE, read_sound

logger = logging.getLogger(__name__)

# Bytes of samples that are kept: 18 hours of sound at 16 bits. What is beyond is read again in every epoch.
_MOST_KEPT = 2 * 10**9


@dataclass
class Recordings:
    """Files that are read when they are asked for.

    Attributes:
        files: their paths.
        unreadable: why some could not be read, by their place.
    """

    files: Sequence[str]
    unreadable: dict[int, str] = field(default_factory=dict)
    _kept: dict[int, np.ndarray] = field(default_factory=dict)
    _bytes: int = 0

    def samples(self, at: int) -> np.ndarray | None:
        """(N,) float32 at 16 kHz; None of a file that cannot be read, which is said once."""
        if at in self._kept:
            return self._kept[at].astype(np.float32) / 32767
        if at in self.unreadable:
            return None
        try:
            samples = read_sound(self.files[at]).samples
        except InputError as error:
            self.unreadable[at] = str(error)
            logger.warning("%s", error)
            return None
        if self._bytes < _MOST_KEPT:
            self._kept[at] = (np.clip(samples, -1, 1) * 32767).astype(np.int16)
            self._bytes += self._kept[at].nbytes
        return samples

    def readable(self, places: Sequence[int]) -> list[int]:
        """Those of some places whose files can be read."""
        return [at for at in places if self.samples(at) is not None]


def excerpt(samples: np.ndarray, size: int, generator: np.random.Generator) -> np.ndarray:
    """A window (size,) from anywhere in a recording (N,); of a shorter one a repetition that begins anywhere."""
    start = int(generator.integers(max(len(samples) - size + 1, 1)))
    if len(samples) >= size:
        return samples[start : start + size]
    return np.resize(np.roll(samples, -int(generator.integers(len(samples)))), size)


def changed(windows: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Windows (B, N) as they might have come through other microphones and lines: colour, band, hiss.

    A third of them loses what lies above 2 to 7.5 kHz, all are made brighter or duller by up to 6 dB, half of them get
    hiss 15 to 40 dB below the voice. None of it depends on the label.
    """
    count, size = windows.shape
    spectrum = scipy.fft.rfft(windows, axis=1)  # in float32, where numpy's takes twice as much
    place = np.linspace(0, 1, spectrum.shape[1])
    tilt = generator.uniform(-6, 6, (count, 1))
    edge = np.where(generator.random((count, 1)) < 1 / 3, generator.uniform(2000, 7500, (count, 1)), RATE) / (RATE / 2)
    gain = 10 ** (tilt * (place - 0.5) / 20) / (1 + np.exp(np.clip((place - edge) * 80, -50, 50)))
    made: np.ndarray = scipy.fft.irfft(spectrum * gain.astype(np.float32), size, axis=1)
    level = np.sqrt((made**2).mean(axis=1)) * 10 ** (-generator.uniform(15, 40, count) / 20)
    for row in np.flatnonzero(generator.random(count) < 0.5):
        made[row] += generator.standard_normal(size, dtype=np.float32) * np.float32(level[row])
    return made
