"""Spectra by hand: short-time Fourier transform, filter banks, log-mel, LFCC, and Griffin and Lim's way back.

All take and give batches in torch, so that a network can stand on them. Sources: Oppenheim and Schafer, Discrete-Time
Signal Processing (the transforms); Griffin and Lim, Signal Estimation from Modified Short-Time Fourier Transform, IEEE
TASSP 32, 1984 (the way back); Perraudin, Balazs and Søndergaard, A Fast Griffin-Lim Algorithm, WASPAA 2013 (momentum);
Sahidullah, Kinnunen and Hanilçi, A Comparison of Features for Synthetic Speech Detection, Interspeech 2015 (LFCC).
"""

import math
from functools import lru_cache
from typing import Literal

import torch
from torch.nn import functional as F

from torchfakes_utils.io.sound import RATE

Scale = Literal["mel", "linear"]

# Samples of a window, and from one to the next; of LFCC as in ASVspoof's baselines, 20 ms every 10 ms, with 20
# coefficients of as many filters, and their first and second differences.
SIZE, HOP = 320, 160
COEFFICIENTS = 20
# Of log-mel 8 ms every 4 ms: so short a window sees every pulse of the vocal folds by itself. Vocoders that throw
# phases away blur these, and keep what a longer window sees (`docs/benchmarks/audio.md` compares the two).
SHORT_SIZE, SHORT_HOP = 128, 64
MELS = 32
# The usual one, for comparison: 32 ms every 10 ms, which shows the harmonics of a voice and no pulse.
LONG_SIZE, LONG_HOP, LONG_MELS = 512, 160, 64
# Points of a transform, at least: a short window is filled up with zeros, so that narrow filters have bins.
POINTS = 256
# What is added before a logarithm: -100 dB of a sound of full scale.
FLOOR = 1e-10


def framed(signal: torch.Tensor, size: int, hop: int) -> torch.Tensor:
    """Overlapping frames (B, F, size) of signals (B, N), F = 1 + N // hop; frame f is centred at sample f · hop.

    The ends are mirrored, which needs more than size / 2 samples.
    """
    half = size // 2
    padded = F.pad(signal[:, None], (half, half), mode="reflect")[:, 0]
    frames: torch.Tensor = padded.unfold(1, size, hop)
    return frames


@lru_cache(maxsize=32)
def window(size: int) -> torch.Tensor:
    """Hann's window, (size,): periodic, so that shifted copies of it sum to a constant."""
    return torch.hann_window(size)


def stft(signal: torch.Tensor, size: int = 512, hop: int = 128, points: int | None = None) -> torch.Tensor:
    """Short-time Fourier transform (B, 1 + P / 2, F), complex, of signals (B, N) with N > size / 2.

    P is `points`, or `size` where not given: a shorter window is filled up with zeros.
    """
    spectra: torch.Tensor = torch.fft.rfft(framed(signal, size, hop) * window(size).to(signal), points, dim=2)
    return spectra.transpose(1, 2)


def istft(spectrum: torch.Tensor, length: int, hop: int) -> torch.Tensor:
    """The signals (B, length) whose transform comes nearest to `spectrum` (B, K, F) in least squares.

    Frames are windowed again, added where they overlap, and divided by the sum of squared windows (Griffin and Lim
    1984, equation 6).
    """
    size = 2 * (spectrum.shape[1] - 1)
    frames = torch.fft.irfft(spectrum.transpose(1, 2), n=size, dim=2)
    shape = window(size).to(frames)
    whole = hop * (frames.shape[1] - 1) + size
    squares = (shape**2).expand(1, frames.shape[1], size)
    added, weight = (
        F.fold(part.transpose(1, 2), (1, whole), (1, size), stride=(1, hop))[:, 0, 0]
        for part in (frames * shape, squares)
    )
    signal = added / weight.clamp_min(1e-8)
    half = size // 2
    return F.pad(signal[:, half : half + length], (0, max(0, length - (whole - half))))


def griffin_lim(
    magnitude: torch.Tensor, length: int, hop: int, iterations: int = 32, seed: int = 0, momentum: float = 0.99
) -> torch.Tensor:
    """Signals (B, length) with nearly these magnitudes (B, K, F): phases are guessed, and made to fit each other.

    Each round goes to the signal and back, and keeps the phases that come out. With `momentum` 0 it is the method of
    1984, whose error never grows; with more, the faster one of 2013.

    Args:
        magnitude: of `stft`, from 0 up.
        length: samples.
        hop: of the transform.
        iterations: rounds.
        seed: of the random phases at the start.
        momentum: from 0 to below 1.
    """
    generator = torch.Generator().manual_seed(seed)
    phase = torch.rand(magnitude.shape, generator=generator) * (2 * math.pi)
    angles = torch.polar(torch.ones_like(magnitude), phase.to(magnitude))
    before = torch.zeros_like(angles)
    size = 2 * (magnitude.shape[1] - 1)
    for _ in range(iterations):
        again = stft(istft(magnitude * angles, length, hop), size, hop)[..., : magnitude.shape[2]]
        ahead = again + momentum * (again - before)
        angles = ahead / ahead.abs().clamp_min(1e-12)
        before = again
    return istft(magnitude * angles, length, hop)


def mel_of(hertz: float) -> float:
    """O'Shaughnessy's mel scale: pitch as people hear it; 1000 Hz are 1000 mel."""
    return 2595 * math.log10(1 + hertz / 700)


def hertz_of(mel: torch.Tensor) -> torch.Tensor:
    """The inverse of `mel_of`."""
    return 700 * (10 ** (mel / 2595) - 1)


@lru_cache(maxsize=32)
def filter_bank(count: int, size: int = POINTS, low: float = 0.0, high: float = RATE / 2, scale: Scale = "mel",
                rate: int = RATE) -> torch.Tensor:  # fmt: skip
    """Triangular filters (count, 1 + size / 2) over a power spectrum; each rises to 1 where its neighbours reach 0.

    Args:
        count: filters.
        size: of the transform, samples.
        low, high: Hz, of the first filter's lower and the last one's upper end.
        scale: on which the centres are evenly spaced.
        rate: Hz, of the signal.
    """
    if scale == "mel":
        corners = hertz_of(torch.linspace(mel_of(low), mel_of(high), count + 2, dtype=torch.float64))
    else:
        corners = torch.linspace(low, high, count + 2, dtype=torch.float64)
    bins = torch.arange(1 + size // 2, dtype=torch.float64) * rate / size
    left, centre, right = (corners[i : i + count, None] for i in range(3))
    rising, falling = (bins - left) / (centre - left), (right - bins) / (right - centre)
    return torch.minimum(rising, falling).clamp_min(0).float()


def banded(signal: torch.Tensor, count: int, scale: Scale, size: int, hop: int) -> torch.Tensor:
    """Log power (B, count, F), natural logarithm, of signals (B, N) in the bands of `filter_bank`."""
    points = max(POINTS, 1 << (size - 1).bit_length())
    power = stft(signal, size, hop, points).abs() ** 2 / size
    return (filter_bank(count, points, scale=scale).to(power) @ power + FLOOR).log()


def log_mel(signal: torch.Tensor, count: int = MELS) -> torch.Tensor:
    """Log-mel spectrogram (B, count, F) of signals (B, N) at 16 kHz."""
    return banded(signal, count, "mel", SHORT_SIZE, SHORT_HOP)


def long_log_mel(signal: torch.Tensor, count: int = LONG_MELS) -> torch.Tensor:
    """The same with the window that most people take."""
    return banded(signal, count, "mel", LONG_SIZE, LONG_HOP)


@lru_cache(maxsize=32)
def cosines(kept: int, count: int) -> torch.Tensor:
    """The orthonormal DCT-II as a matrix (kept, count)."""
    angle = torch.arange(kept, dtype=torch.float64)[:, None] * (torch.arange(count, dtype=torch.float64) + 0.5)
    matrix = torch.cos(math.pi / count * angle) * math.sqrt(2 / count)
    matrix[0] /= math.sqrt(2)
    return matrix.float()


def differences(features: torch.Tensor, reach: int = 2) -> torch.Tensor:
    """The slope of each row over time, (B, C, F) of (B, C, F): least squares over 2 · reach + 1 frames, ends repeated.

    Source: Young et al., The HTK Book, equation 5.16.
    """
    padded = F.pad(features, (reach, reach), mode="replicate")
    steps = torch.arange(-reach, reach + 1).to(features)
    return (padded.unfold(2, 2 * reach + 1, 1) * steps).sum(-1) / (steps**2).sum()


def lfcc(signal: torch.Tensor, kept: int = COEFFICIENTS) -> torch.Tensor:
    """Linear-frequency cepstral coefficients with their first and second differences, (B, 3 · kept, F).

    Unlike mel filters, linear ones see the high bands, where vocoders forget most, as finely as the low ones.
    """
    static = cosines(kept, kept).to(signal) @ banded(signal, kept, "linear", SIZE, HOP)
    first = differences(static)
    return torch.cat([static, first, differences(first)], dim=1)


def magnitude_of_mel(power: torch.Tensor, size: int, rounds: int = 60) -> torch.Tensor:
    """Magnitudes (B, 1 + size / 2, F) whose mel bands are nearly `power` (B, M, F): what mel has summed is spread out.

    Non-negative least squares by multiplicative steps (Lee and Seung, NIPS 2000, with the bank held fixed): a
    pseudo-inverse gives negative power.
    """
    bank = filter_bank(power.shape[1], size).to(power)
    target, square = bank.T @ power, bank.T @ bank
    spread = target / bank.sum(0)[:, None].clamp_min(1e-3)
    for _ in range(rounds):
        spread = spread * target / (square @ spread).clamp_min(1e-12)
    return spread.clamp_min(0).sqrt()
