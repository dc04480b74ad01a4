"""A recording and its copies made alike in all that is not the voice: band, colour, level, background, length.

What a detector could go by otherwise are traces of how a copy was stored, not of how it was made. Whatever small
difference is left is smaller than what is drawn anew for every clip, real and fake alike.
"""

from dataclasses import dataclass

import numpy as np
from scipy.signal import firwin2, oaconvolve, sosfilt

from torchfakes_utils.io.sound import RATE

_TAPS = 513
_SIZE = 512
# Frames within so many dB of the loudest ones are speech, whose level is matched; the others are pauses.
_SPEECH = 30.0


@dataclass(frozen=True)
class Scene:
    """What is drawn for a clip, whether it is real or fake.

    Attributes:
        level: dB of full scale, of its speech, which is what is set last.
        tilt: dB from the lowest to the highest frequency.
        noise: dB below the speech, of a hiss that is added.
        crest: dB of the highest peak over the whole, to which peaks are rounded off, as recorders do.
        poles: (P, 2) radius and angle of an all-pass filter: phase, as rooms and microphones turn it.
        seed: of the hiss.
    """

    level: float
    tilt: float
    noise: float
    crest: float
    poles: tuple[tuple[float, float], ...]
    seed: int

    @classmethod
    def drawn(cls, generator: np.random.Generator) -> "Scene":
        """One more."""
        poles = tuple((float(generator.uniform(0.7, 0.95)), float(generator.uniform(0.05, 0.9) * np.pi))
                      for _ in range(10))  # fmt: skip
        return cls(
            float(generator.uniform(-32, -20)),
            float(generator.uniform(-12, 12)),
            float(generator.uniform(18, 27)),
            float(generator.uniform(8, 10.5)),
            poles,
            int(generator.integers(2**31)),
        )


def long_term(samples: np.ndarray) -> np.ndarray:
    """The mean power spectrum (1 + 256,) of the frames of speech in (N,) samples."""
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(samples, _SIZE // 2), _SIZE)[:: _SIZE // 2]
    power = np.abs(np.fft.rfft(frames * np.hanning(_SIZE), axis=1)) ** 2
    loud = power.sum(axis=1)
    kept = loud >= np.percentile(loud, 95) * 10 ** (-_SPEECH / 10)
    mean: np.ndarray = power[kept].mean(axis=0)
    return mean


def speech_level(samples: np.ndarray) -> float:
    """The level of the frames of speech, dB of full scale."""
    return float(10 * np.log10(long_term(samples).mean() / np.sum(np.hanning(_SIZE) ** 2) + 1e-20))


def coloured_like(samples: np.ndarray, model: np.ndarray, most: float = 15.0) -> np.ndarray:
    """(N,) samples filtered so that their level and long-term spectrum are those of `model`, (M,), within
    `most` dB a band.

    The filter is smooth and of linear phase: it changes how bright a recording is, not what is in it.
    """
    level = 10 ** ((speech_level(model) - speech_level(samples)) / 20)
    levelled = samples * level
    ratio = 10 * np.log10((_smooth(long_term(model)) + 1e-14) / (_smooth(long_term(levelled)) + 1e-14))
    gain = level * 10 ** (np.clip(ratio, -most, most) / 20)
    return filtered(samples, np.linspace(0, RATE / 2, len(gain)), gain)


def _smooth(power: np.ndarray, width: int = 9) -> np.ndarray:
    shape = np.hanning(width + 2)[1:-1]
    return np.convolve(np.pad(power, width // 2, mode="edge"), shape / shape.sum(), mode="valid")


def filtered(samples: np.ndarray, hertz: np.ndarray, gain: np.ndarray) -> np.ndarray:
    """(N,) samples through a linear-phase filter of these gains at these frequencies, from 0 to 8000 Hz; no delay."""
    taps = firwin2(_TAPS, hertz, gain, fs=RATE)
    half = _TAPS // 2
    made: np.ndarray = oaconvolve(np.pad(samples.astype(np.float64), half), taps, mode="valid")
    return made.astype(np.float32)


def band_edge(samples: np.ndarray, below: float = 55.0) -> float:
    """Hz up to which a recording has anything: where its long-term spectrum last is within `below` dB of its top."""
    power = 10 * np.log10(_smooth(long_term(samples)) + 1e-20)
    return float(np.flatnonzero(power > power.max() - below)[-1] * RATE / _SIZE)


def within_band(samples: np.ndarray, high: float, low: float = 90.0) -> np.ndarray:
    """(N,) samples without what lies below `low` and above `high` Hz."""
    edges = np.array([0, low * 0.6, low, high * 0.94, high, RATE / 2])
    return filtered(samples, edges, np.array([0, 0, 1, 1, 0, 0]))


def limited(samples: np.ndarray, crest: float) -> np.ndarray:
    """(N,) samples whose peaks are rounded off until the highest is `crest` dB above the root mean square, or less.

    Vocoders put the energy of a voice into higher or lower peaks, for they do not keep its phases: a limiter hides it.
    """
    peak = float(np.abs(samples).max()) + 1e-12
    low, high = np.log(peak / 100), np.log(peak * 10)
    for _ in range(16):
        most = np.exp((low + high) / 2)
        made = most * np.tanh(samples / most)
        found = 20 * np.log10(np.abs(made).max() / (np.sqrt(np.mean(made**2)) + 1e-12) + 1e-12)
        low, high = (low, np.log(most)) if found > crest else (np.log(most), high)
    most = np.exp(low)
    rounded: np.ndarray = most * np.tanh(samples / most)
    return rounded.astype(np.float32)


def loud_like(samples: np.ndarray, model: np.ndarray, most: float = 15.0) -> np.ndarray:
    """(N,) samples that swell and fade as `model`, (N,), does, within `most` dB: vocoders blur when a sound begins.

    Where the model is 30 dB or more below its speech it is taken instead: a vocoder's own silence is a cue. Levels are
    those of 16 ms, and 20 ms pass from one to the next.
    """
    size = _SIZE // 2
    ours, theirs = (
        np.convolve(one.astype(np.float64) ** 2, np.ones(size) / size, mode="same") for one in (samples, model)
    )
    floor = np.percentile(theirs, 95) * 1e-6 + 1e-14
    gain = np.clip(5 * np.log10((theirs + floor) / (ours + floor)), -most / 2, most / 2)
    ramp = np.hanning(size + 2)[1:-1] / np.hanning(size + 2).sum()
    quiet = (theirs < np.percentile(theirs, 95) * 10 ** (-_SPEECH / 10)).astype(np.float64)
    gain, share = (np.convolve(one, ramp, mode="same") for one in (gain, quiet))
    mixed: np.ndarray = samples * 10 ** (gain / 10) * (1 - share) + model * share
    return mixed.astype(np.float32)


def matched(samples: np.ndarray, model: np.ndarray, rounds: int = 3) -> np.ndarray:
    """(N,) samples in the colour and with the loudness of `model`, (N,), both of one band.

    Each of the two changes the other a little, so that they take turns.
    """
    for _ in range(rounds):
        samples = loud_like(coloured_like(samples, model), model)
    return samples


def in_scene(samples: np.ndarray, scene: Scene, high: float) -> np.ndarray:
    """(N,) float32 samples as they would be heard in a scene, up to `high` Hz; never louder than full scale."""
    heard: np.ndarray = limited(samples.astype(np.float64), scene.crest).astype(np.float64)
    for radius, angle in scene.poles:
        cosine = -2 * radius * np.cos(angle)
        section = np.array([[radius**2, cosine, 1, 1, cosine, radius**2]])
        heard = np.asarray(sosfilt(section, heard), np.float64)
    hertz = np.linspace(0, RATE / 2, 9)
    heard = filtered(heard, hertz, 10 ** (scene.tilt * (hertz / hertz[-1] - 0.5) / 20))
    hiss = np.random.default_rng(scene.seed).standard_normal(len(heard))
    heard = within_band(heard + hiss * 10 ** ((speech_level(heard) - scene.noise) / 20), high)
    heard = heard - heard.mean()
    heard = heard * 10 ** ((scene.level - speech_level(heard)) / 20)
    bounded: np.ndarray = heard / max(1.0, float(np.abs(heard).max()) / 0.99)
    return bounded.astype(np.float32)
