"""A tiny neural vocoder, trained here within a minute: from a log-mel spectrogram and a pitch back to sound.

A source of sines and hiss (as in Wang, Takaki and Yamagishi, Neural Source-Filter Waveform Models, TASLP 28, 2020) is
filtered by what a network of one-dimensional ConvNeXt blocks makes of the mel spectrogram: for every bin of a
short-time spectrum a gain and a turn of the phase, as in networks that end in an inverse transform (Kaneko et al.,
iSTFTNet, ICASSP 2022; Siuzdak, Vocos, ICLR 2024). There is no discriminator: it is trained on spectra at three
resolutions (Yamamoto, Song and Kim, Parallel WaveGAN, ICASSP 2020, equations 4 to 6), and phase is what it learns
least.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from torchfakes_utils.audio import pitch as pitches
from torchfakes_utils.audio.spectral import banded, istft, stft
from torchfakes_utils.io.sound import RATE

_SIZE, _HOP, _MELS = 512, 160, 80
_RESOLUTIONS = ((1024, 256), (512, 128), (256, 64))


@dataclass(frozen=True)
class VocoderTraining:
    """How it is trained.

    Attributes:
        steps: of the optimiser; after 300 the loss falls slowly, and a lesson has no more time.
        batch: excerpts a step.
        samples: of an excerpt; half a second.
        learning_rate: of AdamW, at the top of a single cycle.
        width: channels of the network.
        seed: of all that is drawn.
    """

    steps: int = 300
    batch: int = 8
    samples: int = 8000
    learning_rate: float = 2e-3
    width: int = 96
    seed: int = 0


class _Block(nn.Module):
    """A ConvNeXt block over time (Liu et al., CVPR 2022)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv1d(width, width, 7, padding=3, groups=width)
        self.norm = nn.GroupNorm(1, width)
        self.out, self.into = nn.Conv1d(width, 3 * width, 1), nn.Conv1d(3 * width, width, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, C, F) to (B, C, F)."""
        more: torch.Tensor = self.into(F.gelu(self.out(self.norm(self.depthwise(x)))))
        return x + more


class NeuralVocoder(nn.Module):
    """Log-mel (B, 80, F) and a source (B, N) to sound (B, N)."""

    def __init__(self, width: int = 96, blocks: int = 3) -> None:
        super().__init__()
        bins = 1 + _SIZE // 2
        self.enter = nn.Conv1d(_MELS, width, 7, padding=3)
        self.blocks = nn.Sequential(*(_Block(width) for _ in range(blocks)))
        self.leave = nn.Conv1d(width, 2 * bins, 1)
        nn.init.zeros_(self.leave.weight)

    def forward(self, mel: torch.Tensor, source: torch.Tensor) -> torch.Tensor:
        """Filter the source."""
        shape, turn = self.leave(self.blocks(self.enter((mel + 6) / 4))).chunk(2, dim=1)
        gain = torch.exp(shape.clamp(-12, 6))
        filtered = stft(source, _SIZE, _HOP) * torch.polar(gain, math.pi * torch.tanh(turn))
        return istft(filtered, source.shape[1], _HOP)


def source_of(samples: np.ndarray, seed: int = 0) -> np.ndarray:
    """The source (N,) float32 of (N,) samples: sines at the pitch and its multiples, and hiss."""
    hertz = pitches.pitch(samples).hertz
    at = np.minimum(np.arange(len(samples)) // pitches.HOP, len(hertz) - 1)
    speed = hertz[at]
    phase = 2 * np.pi * np.cumsum(speed) / RATE
    generator = np.random.default_rng(seed)
    hiss = 0.3 * generator.standard_normal(len(samples))
    harmonics = np.zeros(len(samples))
    for number in range(1, int(RATE / 2 / pitches.LOWEST)):
        inside = (speed > 0) & (number * speed < 0.48 * RATE)
        if not inside.any():
            break
        harmonics += np.where(inside, np.sin(number * phase), 0)
    many = np.sqrt(np.maximum(0.24 * RATE / np.maximum(speed, 1.0), 1.0))
    return (np.where(speed > 0, harmonics / many + 0.3 * hiss, hiss)).astype(np.float32)


def _mel(samples: torch.Tensor) -> torch.Tensor:
    return banded(samples, _MELS, "mel", _SIZE, _HOP)


def spectral_distance(made: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Spectral convergence and distance of log magnitudes, the mean of three resolutions: a number from 0 up."""
    total = made.new_zeros(())
    for size, hop in _RESOLUTIONS:
        ours, theirs = (stft(x, size, hop).abs().clamp_min(1e-5) for x in (made, wanted))
        total = total + torch.linalg.vector_norm(theirs - ours) / torch.linalg.vector_norm(theirs)
        total = total + (theirs.log() - ours.log()).abs().mean()
    return total / len(_RESOLUTIONS)


def train(
    recordings: Sequence[np.ndarray], config: VocoderTraining = VocoderTraining()
) -> tuple[NeuralVocoder, list[float]]:
    """Train on recordings, (N,) float32 each at 16 kHz; the network, at test, and the loss of each step."""
    generator = np.random.default_rng(config.seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        network = NeuralVocoder(config.width)
    known = [_levelled(one) for one in recordings if len(one) > config.samples]
    sources = [source_of(one, number) for number, one in enumerate(known)]
    share = np.array([len(one) for one in known], float)
    optimiser = torch.optim.AdamW(network.parameters(), lr=config.learning_rate, betas=(0.8, 0.99))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, config.learning_rate, total_steps=config.steps)
    losses: list[float] = []
    for _ in range(config.steps):
        which = generator.choice(len(known), config.batch, p=share / share.sum())
        starts = [int(generator.integers(len(known[i]) - config.samples)) for i in which]
        wanted, source = (
            torch.from_numpy(np.stack([all_of[i][s : s + config.samples] for i, s in zip(which, starts, strict=True)]))
            for all_of in (known, sources)
        )
        loss = spectral_distance(network(_mel(wanted), source), wanted)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimiser.step()
        schedule.step()
        losses.append(float(loss.detach()))
    return network.eval(), losses


def _levelled(samples: np.ndarray) -> np.ndarray:
    return (samples * (0.1 / max(float(np.sqrt(np.mean(samples**2))), 1e-6))).astype(np.float32)


@torch.inference_mode()
def resynthesised(network: NeuralVocoder, samples: np.ndarray, seed: int = 0) -> np.ndarray:
    """(N,) samples spoken again by the network, from their mel spectrogram and pitch alone."""
    level = _levelled(samples)
    made = network(_mel(torch.from_numpy(level)[None]), torch.from_numpy(source_of(level, seed))[None])
    spoken: np.ndarray = made[0].numpy()
    return spoken * float(np.sqrt(np.mean(samples**2)) / 0.1)
