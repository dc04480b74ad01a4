"""What judges a window of sound: three networks from small to large, each to one logit, above 0 for fake.

- `Logistic`: means and spreads of the coefficients over time, and a line through them.
- `SmallCnn`: convolutions over time and frequency.
- `RawNet2`: Tak, Patino, Todisco, Nautsch, Evans and Larcher, End-to-End Anti-Spoofing with RawNet2, ICASSP 2021, after
  Jung, Kim, Shim, Kim and Yu, Improved RawNet with Feature Map Scaling, Interspeech 2020. Its order and equations are
  kept; it is made narrower and its recurrent layer smaller, for a CPU.
"""

import itertools
import math

import torch
from torch import nn
from torch.nn import functional as F

from torchfakes_utils.audio.spectral import hertz_of, mel_of
from torchfakes_utils.io.sound import RATE


class Logistic(nn.Module):
    """Features (B, C, F) to logits (B,): a line through the mean and the spread of each row, standardised."""

    mean: torch.Tensor
    scale: torch.Tensor

    def __init__(self, rows: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(2 * rows))
        self.register_buffer("scale", torch.ones(2 * rows))
        self.line = nn.Linear(2 * rows, 1)
        nn.init.zeros_(self.line.weight)
        nn.init.zeros_(self.line.bias)

    @staticmethod
    def summary(features: torch.Tensor) -> torch.Tensor:
        """(B, 2 C): what is left of (B, C, F) when time is forgotten."""
        return torch.cat([features.mean(2), features.std(2)], dim=1)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Judge."""
        logits: torch.Tensor = self.line((self.summary(features) - self.mean) / self.scale)[:, 0]
        return logits


class SmallCnn(nn.Module):
    """Features (B, C, F) to logits (B,): four blocks of convolution, normalisation and pooling.

    Each row's mean over the window is taken away first: it holds the microphone and the room, not the voice.
    """

    def __init__(self, rows: int, width: int = 12) -> None:
        super().__init__()
        widths = [1, width, 2 * width, 3 * width, 4 * width]
        self.norm = nn.BatchNorm1d(rows)
        self.blocks = nn.Sequential(*(
            nn.Sequential(
                nn.Conv2d(before, after, 3, stride=(1, 2) if at == 0 else 1, padding=1, bias=False),
                nn.BatchNorm2d(after), nn.ReLU(), nn.MaxPool2d(2),
            )
            for at, (before, after) in enumerate(itertools.pairwise(widths))
        ))  # fmt: skip
        self.drop = nn.Dropout(0.3)
        self.head = nn.Linear(2 * widths[-1], 1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Judge."""
        centred = features - features.mean(2, keepdim=True)
        maps = self.blocks(self.norm(centred)[:, None])
        pooled = torch.cat([maps.mean((2, 3)), maps.amax((2, 3))], dim=1)
        logits: torch.Tensor = self.head(self.drop(pooled))[:, 0]
        return logits


class SincFilters(nn.Module):
    """Band-pass filters on the waveform, (B, N) to (B, C, N - taps + 1); their bands are fixed on the mel scale.

    g[n] = 2 f2 sinc(2 π f2 n) - 2 f1 sinc(2 π f1 n), under Hamming's window (Ravanelli and Bengio, Speaker Recognition
    from Raw Waveform with SincNet, SLT 2018, equations 4 to 7). Tak et al. found fixed bands to be no worse than
    learned ones, where there is little data.
    """

    filters: torch.Tensor

    def __init__(self, count: int, taps: int = 129) -> None:
        super().__init__()
        edges = hertz_of(torch.linspace(mel_of(30.0), mel_of(RATE / 2), count + 1, dtype=torch.float64)) / RATE
        n = torch.arange(taps, dtype=torch.float64) - (taps - 1) / 2
        low, high = (2 * edge[:, None] * torch.sinc(2 * edge[:, None] * n) for edge in (edges[:-1], edges[1:]))
        shape = 0.54 + 0.46 * torch.cos(2 * math.pi * n / (taps - 1))
        self.register_buffer("filters", ((high - low) * shape).float()[:, None], persistent=False)

    def forward(self, signal: torch.Tensor) -> torch.Tensor:
        """Filter."""
        return F.conv1d(signal[:, None], self.filters)


class FeatureMapScaling(nn.Module):
    """x · s + s with s = sigmoid(W · mean over time of x): each channel is weighed by what all of them hold.

    Source: Jung et al. 2020, equations 1 to 3 (the form that multiplies and adds).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weigh = nn.Linear(channels, channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, C, F) to (B, C, F)."""
        scale = torch.sigmoid(self.weigh(x.mean(2)))[:, :, None]
        return x * scale + scale


class _Residual(nn.Module):
    """Normalise, activate and convolve twice; add what came in; pool over three samples; scale the feature maps."""

    def __init__(self, before: int, after: int, first: bool = False) -> None:
        super().__init__()
        # The first block follows a normalisation of its own (Tak et al., table 1).
        self.enter = nn.Identity() if first else nn.Sequential(nn.BatchNorm1d(before), nn.LeakyReLU(0.3))
        self.one = nn.Conv1d(before, after, 3, padding=1)
        self.norm = nn.BatchNorm1d(after)
        self.two = nn.Conv1d(after, after, 3, padding=1)
        self.shortcut = nn.Conv1d(before, after, 1) if before != after else nn.Identity()
        self.scale = FeatureMapScaling(after)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, C, F) to (B, C', F / 3)."""
        inside = self.two(F.leaky_relu(self.norm(self.one(self.enter(x))), 0.3))
        pooled: torch.Tensor = self.scale(F.max_pool1d(inside + self.shortcut(x), 3))
        return pooled


class RawNet2(nn.Module):
    """Waveforms (B, N) to logits (B,); N is 16 000 (a second) or more.

    Sinc filters, absolute value and pooling; six residual blocks, two narrow and four wide; a gated recurrent unit, of
    whose last state a fully connected layer makes the answer. Tak et al. have 20 filters of 1024 taps, blocks of 20
    and 128 channels and a unit of 1024; here the unit has 64 and the wide blocks 48 channels.
    """

    def __init__(self, filters: int = 20, wide: int = 48, state: int = 64) -> None:
        super().__init__()
        self.sinc = SincFilters(filters)
        self.norm = nn.BatchNorm1d(filters)
        widths = [filters, filters, filters, wide, wide, wide, wide]
        self.blocks = nn.Sequential(*(
            _Residual(before, after, first=at == 0)
            for at, (before, after) in enumerate(itertools.pairwise(widths))
        ))  # fmt: skip
        self.last = nn.BatchNorm1d(wide)
        self.unit = nn.GRU(wide, state, batch_first=True)
        self.between = nn.Linear(state, state)
        self.head = nn.Linear(state, 1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, signal: torch.Tensor) -> torch.Tensor:
        """Judge."""
        maps = F.leaky_relu(self.norm(F.max_pool1d(self.sinc(signal).abs(), 3)), 0.3)
        maps = F.leaky_relu(self.last(self.blocks(maps)), 0.3)
        _, state = self.unit(maps.transpose(1, 2))
        logits: torch.Tensor = self.head(self.between(state[-1]))[:, 0]
        return logits
