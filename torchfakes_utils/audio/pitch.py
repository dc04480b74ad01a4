"""Where a voice swings, and how fast: fundamental frequency by autocorrelation; and whether anybody speaks at all."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import median_filter

from torchfakes_utils.io.sound import RATE

# Hz between which voices of adults and children lie.
LOWEST, HIGHEST = 60.0, 400.0
# A frame holds three periods of the lowest voice.
_SIZE, HOP = 800, 160
# Of a frame that repeats itself, the correlation with itself one period later. Noise seldom reaches it.
PERIODIC = 0.5

# Below this level (of full scale, in dB) a recording is taken for silence; 16 bits end at -96.
SILENT_BELOW = -70.0
# What lies so far below the loud frames (their 95th percentile) is a pause.
_PAUSE = 25.0
# Seconds of voiced sound in a recording, at least, before anything is said of its voice.
LEAST_VOICED = 0.4
# Speech swells and fades several times a second; tones and hums do not. Standard deviation of the level, in dB.
_LEAST_CHANGE = 3.0


@dataclass(frozen=True)
class Pitch:
    """What each frame is, one every 10 ms.

    Attributes:
        hertz: (F,) fundamental frequency; 0 where nothing swings.
        strength: (F,) how well the frame repeats itself, -1 to 1.
        level: (F,) dB of full scale.
    """

    hertz: np.ndarray
    strength: np.ndarray
    level: np.ndarray

    @property
    def voiced(self) -> np.ndarray:
        """(F,) bool."""
        voiced: np.ndarray = self.hertz > 0
        return voiced


def pitch(samples: np.ndarray) -> Pitch:
    """The fundamental frequency of (N,) samples at 16 kHz: the lag at which a frame is most like itself.

    The autocorrelation is divided by the energy of both parts that are compared, or short lags would win. Lags are
    whole samples: of voices above some 320 Hz, half the frequency is found now and then. Source: Rabiner, On the Use of
    Autocorrelation Analysis for Pitch Detection, IEEE TASSP 25, 1977.
    """
    half = _SIZE // 2
    padded = np.pad(samples.astype(np.float32), half)
    frames = np.lib.stride_tricks.sliding_window_view(padded, _SIZE)[::HOP]
    frames = frames - frames.mean(axis=1, keepdims=True)
    level = 10 * np.log10((frames**2).mean(axis=1) + 1e-12)
    shortest, longest = int(RATE / HIGHEST), int(RATE / LOWEST)
    alike = _alike(frames, longest)
    lags = np.arange(shortest, longest)
    # Of lags that are alike the shortest counts: two periods repeat as well as one.
    best = lags[np.argmax(alike[:, shortest:longest] - 0.0005 * (lags - shortest), axis=1)]
    strength = np.take_along_axis(alike, best[:, None], axis=1)[:, 0]
    loud = level > max(np.percentile(level, 95) - _PAUSE, SILENT_BELOW)
    voiced = median_filter((strength > PERIODIC) & loud, 5)
    hertz = np.where(voiced, RATE / best, 0.0)
    smooth = median_filter(hertz, 5)
    return Pitch(np.where(voiced & (smooth > 0), smooth, 0.0), strength, level)


def _alike(frames: np.ndarray, longest: int) -> np.ndarray:
    """Normalised autocorrelation (F, longest + 1) of frames (F, S)."""
    size = frames.shape[1]
    spectrum = np.fft.rfft(frames, 2 * size, axis=1)
    products = np.fft.irfft(np.abs(spectrum) ** 2, axis=1)[:, : longest + 1]
    squares = np.pad(np.cumsum(frames.astype(np.float64) ** 2, axis=1), ((0, 0), (1, 0)))
    lags = np.arange(longest + 1)
    first, last = squares[:, size - lags], squares[:, -1:] - squares[:, lags]
    alike: np.ndarray = products / np.sqrt(first * last + 1e-9)
    return alike


def no_speech(samples: np.ndarray) -> str:
    """Why a recording holds no speech to be judged, or "" where it seems to hold some.

    Somebody speaks where the sound is periodic like a voice (60 to 400 Hz) for `LEAST_VOICED` seconds in all, and its
    level rises and falls. Singing and some instruments do the same: this is no speech recogniser.

    Args:
        samples: (N,) at 16 kHz.
    """
    if not len(samples) or not np.any(samples):
        return "silence: every sample is 0"
    if (level := 10 * np.log10(np.mean(samples.astype(np.float64) ** 2) + 1e-12)) < SILENT_BELOW:
        return f"as good as silence ({level:.0f} dB of full scale)"
    found = pitch(samples)
    seconds = found.voiced.sum() * HOP / RATE
    if seconds < LEAST_VOICED:
        return f"no speech found: {seconds:.1f} s of it swing as a voice does, {LEAST_VOICED} s or more wanted"
    heard = found.level[found.level > found.level.max() - 50]
    if heard.std() < _LEAST_CHANGE:
        return "no speech found: its loudness hardly changes, as that of a tone or a hum"
    return ""
