"""Copy-synthesis: a real recording is taken apart as a vocoder does, and put together again by it.

Words, speaker, melody and timing stay; what is lost is what the vocoder forgets. Every text-to-speech system ends in
one, so that a detector that hears vocoders needs no fakes of systems that it cannot get (Wang and Yamagishi, Spoofed
Training Data for Speech Spoofing Countermeasure Can Be Efficiently Created Using Neural Vocoders, ICASSP 2023).
"""

from collections.abc import Callable

import numpy as np
import torch

from torchfakes_utils.audio import lpc, neural_vocoder
from torchfakes_utils.audio.spectral import filter_bank, griffin_lim, magnitude_of_mel, stft
from torchfakes_utils.io.sound import RATE

_SIZE, _HOP, _MELS = 512, 128, 80

# (N,) samples at 16 kHz and a seed to as many samples.
Vocoder = Callable[[np.ndarray, int], np.ndarray]

# What the copies are called in a table, as the field does.
GRIFFIN_LIM, MEL, LPC, WORLD, NEURAL = "Griffin-Lim", "mel inversion", "LPC", "WORLD", "neural vocoder"


def by_griffin_lim(samples: np.ndarray, seed: int = 0) -> np.ndarray:
    """All magnitudes kept, all phases forgotten and guessed anew."""
    signal = torch.from_numpy(np.ascontiguousarray(samples, np.float32))[None]
    return griffin_lim(stft(signal, _SIZE, _HOP).abs(), len(samples), _HOP, seed=seed)[0].numpy()


def by_mel(samples: np.ndarray, seed: int = 0) -> np.ndarray:
    """Only the power in 80 mel bands kept: harmonics of high bands are smeared, and phases guessed."""
    signal = torch.from_numpy(np.ascontiguousarray(samples, np.float32))[None]
    power = stft(signal, _SIZE, _HOP).abs() ** 2
    magnitude = magnitude_of_mel(filter_bank(_MELS, _SIZE) @ power, _SIZE)
    return griffin_lim(magnitude, len(samples), _HOP, seed=seed)[0].numpy()


def by_world(samples: np.ndarray, _seed: int = 0) -> np.ndarray:
    """WORLD (Morise, Yokomori and Ozawa, IEICE Transactions 2016): pitch, envelope and aperiodicity kept.

    Needs the package pyworld, which is built when it is installed.
    """
    import pyworld

    values = np.ascontiguousarray(samples, np.float64)
    hertz, times = pyworld.harvest(values, RATE)
    envelope = pyworld.cheaptrick(values, hertz, times, RATE)
    aperiodicity = pyworld.d4c(values, hertz, times, RATE)
    made = pyworld.synthesize(hertz, envelope, aperiodicity, RATE)
    return np.pad(made, (0, max(0, len(samples) - len(made))))[: len(samples)].astype(np.float32)


def without_world() -> str:
    """Why WORLD does not work here, or ""."""
    try:
        import pyworld  # noqa: F401
    except ImportError as error:  # 0.3.5 asks for pkg_resources, which newer setuptools do not have
        return f"pyworld cannot be imported ({error}); try: pip install pyworld 'setuptools<81'"
    return ""


def vocoders(network: neural_vocoder.NeuralVocoder | None = None, world: bool = False) -> dict[str, Vocoder]:
    """All that are to be used, by name: the neural one where a `network` is given, WORLD where it is asked for."""
    found: dict[str, Vocoder] = {
        GRIFFIN_LIM: by_griffin_lim,
        MEL: by_mel,
        LPC: lambda samples, seed: lpc.resynthesised(samples, seed=seed),
    }
    if world:
        found[WORLD] = by_world
    if network is not None:
        found[NEURAL] = lambda samples, seed: neural_vocoder.resynthesised(network, samples, seed)
    return found
