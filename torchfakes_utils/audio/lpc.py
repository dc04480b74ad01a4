"""Linear prediction by hand: a voice as a source and a filter, taken apart and put together again.

Sources: Atal and Hanauer, Speech Analysis and Synthesis by Linear Prediction of the Speech Wave, JASA 50, 1971;
Levinson's recursion as in Rabiner and Schafer, Digital Processing of Speech Signals (1978), section 8.3.2.
"""

import numpy as np
from scipy.signal import lfilter

from torchfakes_utils.audio import pitch as pitches
from torchfakes_utils.io.sound import RATE

# One coefficient a thousand hertz, and some for the mouth's opening: the rule of thumb of the field.
ORDER = 18
_SIZE, _HOP = 480, 160
# White noise 90 dB below a frame keeps the equations solvable where it is silent.
_NOISE = 1e-9


def levinson(correlation: np.ndarray, order: int) -> tuple[np.ndarray, np.ndarray]:
    """Solve the normal equations of linear prediction, for many frames at once.

    Args:
        correlation: (F, > order) autocorrelation of each frame, lag 0 first and above 0.
        order: coefficients.

    Returns:
        a: (F, order + 1) with a[:, 0] = 1, so that the sum of a[k] x[n - k] is what prediction leaves over; error: (F,)
        its energy.
    """
    frames = len(correlation)
    a = np.zeros((frames, order + 1))
    a[:, 0] = 1
    error = correlation[:, 0].astype(np.float64)
    for step in range(1, order + 1):
        # What the filter so far leaves of the correlation at this lag, over its error: the reflection coefficient.
        left = np.einsum("fk,fk->f", a[:, :step], correlation[:, step:0:-1])
        reflection = -left / error
        before = a[:, : step + 1].copy()
        a[:, : step + 1] = before + reflection[:, None] * before[:, ::-1]
        error = error * (1 - reflection**2)
    return a, error


def analysed(samples: np.ndarray, order: int = ORDER) -> tuple[np.ndarray, np.ndarray]:
    """The filter (F, order + 1) and the gain (F,) of a frame every 10 ms, of (N,) samples."""
    padded = np.pad(samples.astype(np.float64), _SIZE // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, _SIZE)[::_HOP] * np.hanning(_SIZE)
    spectrum = np.fft.rfft(frames, 2 * _SIZE, axis=1)
    correlation = np.fft.irfft(np.abs(spectrum) ** 2, axis=1)[:, : order + 1]
    correlation[:, 0] = correlation[:, 0] * (1 + _NOISE) + 1e-8
    a, error = levinson(correlation, order)
    return a, np.sqrt(error / np.sum(np.hanning(_SIZE) ** 2))


def excitation(hertz: np.ndarray, length: int, generator: np.random.Generator) -> np.ndarray:
    """What lungs and vocal folds give, (length,), of power 1: pulses where a voice swings, noise elsewhere.

    Args:
        hertz: (F,) fundamental frequency every 10 ms; 0 for noise.
        length: samples.
        generator: of the noise.
    """
    at = np.minimum(np.arange(length) // _HOP, len(hertz) - 1)
    speed = hertz[at]
    turns = np.floor(np.cumsum(speed) / RATE)
    pulses = np.diff(turns, prepend=0.0) > 0
    # Each pulse carries the energy of its period.
    voiced = pulses * np.sqrt(RATE / np.maximum(speed, 1.0))
    noise = generator.standard_normal(length)
    # A voice is never pulses alone: air hisses through the folds.
    return np.where(speed > 0, 0.97 * voiced + 0.25 * noise, noise)


def resynthesised(samples: np.ndarray, order: int = ORDER, seed: int = 0) -> np.ndarray:
    """(N,) samples spoken again by a linear-prediction vocoder: filter, gain and pitch are kept, the rest is forgotten.

    Args:
        samples: at 16 kHz.
        order: of the filter.
        seed: of the noise.
    """
    a, gain = analysed(samples, order)
    source = excitation(pitches.pitch(samples).hertz, len(samples), np.random.default_rng(seed))
    out = np.zeros(len(samples) + _SIZE)
    shape = np.hanning(2 * _HOP + 1)[:-1]  # two overlapping halves sum to 1
    for frame in range(len(a)):
        start = frame * _HOP - _HOP
        low, high = max(start, 0), min(start + 2 * _HOP, len(samples))
        if high <= low:
            continue
        # Each frame's filter starts a little earlier, so that it rings as it would have by then.
        early = max(low - _SIZE, 0)
        spoken = lfilter([gain[frame]], a[frame], source[early:high])[low - early :]
        out[low:high] += spoken * shape[low - start : high - start]
    return out[: len(samples)].astype(np.float32)
