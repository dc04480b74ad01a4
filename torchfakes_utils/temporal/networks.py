"""Networks for windows of films: heads on features of frames, and networks of the frames themselves.

All of them give one logit a window and begin at zero, so that training begins at a loss of ln 2.
"""

from pathlib import Path
from typing import cast

import torch
from torch import nn

from torchfakes_utils.errors import InputError
from torchfakes_utils.models.foreign_weights import UnusableWeightsError, checked, places, read_weights

_WIDTH = 48  # of the heads: a few thousand windows hold no more


def steps(features: torch.Tensor) -> torch.Tensor:
    """How features change: half the step from the tick before to the one after, (B, T, D); 0 at either end.

    The central difference is where its features are, in time; the difference to the tick before lies half a tick back.
    """
    middle = (features[:, 2:] - features[:, :-2]) / 2
    return nn.functional.pad(middle, (0, 0, 1, 1))


class GRUHead(nn.Module):
    """A gated recurrent unit that goes through a window both ways, and the mean of what it says.

    Source: Cho et al., Learning Phrase Representations using RNN Encoder-Decoder, EMNLP 2014; on features of frames for
    forgeries: Sabir et al., Recurrent Convolutional Strategies for Face Manipulation Detection in Videos, 2019.
    """

    def __init__(self, features: int, width: int = _WIDTH, dropout: float = 0.2) -> None:
        super().__init__()
        self.entry = nn.Linear(2 * features, width)
        self.dropout = nn.Dropout(dropout)
        self.unit = nn.GRU(width, width, batch_first=True, bidirectional=True)
        self.classifier = _zero(nn.Linear(2 * width, 1))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(B, T, D) to logits (B,)."""
        both = torch.cat([features, steps(features)], dim=2)
        told = self.unit(self.dropout(self.entry(both).relu()))[0]
        logits: torch.Tensor = self.classifier(told.mean(dim=1))
        return logits.squeeze(1)


class AttentionHead(nn.Module):
    """Two layers of self-attention over a window, with a learned place for every tick.

    Source: Vaswani et al., Attention Is All You Need, NeurIPS 2017, with the norms before each part.
    """

    def __init__(self, features: int, ticks: int, width: int = _WIDTH, dropout: float = 0.1) -> None:
        super().__init__()
        self.entry = nn.Linear(2 * features, width)
        self.places = nn.Parameter(0.02 * torch.randn(1, ticks, width))
        self.layers = nn.Sequential(
            *(nn.TransformerEncoderLayer(width, 4, 2 * width, dropout, batch_first=True, norm_first=True)
              for _ in range(2))
        )  # fmt: skip
        self.classifier = _zero(nn.Linear(width, 1))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(B, T, D) to logits (B,)."""
        both = torch.cat([features, steps(features)], dim=2)
        logits: torch.Tensor = self.classifier(self.layers(self.entry(both).relu() + self.places).mean(dim=1))
        return logits.squeeze(1)


class CorrelationHead(nn.Module):
    """How strongly some learned movements go together with some learned positions: a covariance over the window.

    Each of `width` pairs is a direction in the features and one in their changes; what is kept of a pair is the mean of
    the product over time. It is the idea of Agarwal et al. (Protecting World Leaders Against Deep Fakes, CVPR Workshops
    2019), who correlate measured movements of the face and the head, with movements that are learned.
    """

    def __init__(self, features: int, width: int = 16, dropout: float = 0.2) -> None:
        super().__init__()
        self.positions = nn.Linear(features, width, bias=False)
        self.movements = nn.Linear(features, width, bias=False)
        self.dropout = nn.Dropout(dropout)
        self.classifier = _zero(nn.Linear(width, 1))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(B, T, D) to logits (B,)."""
        together = (self.positions(features) * self.movements(steps(features))).mean(dim=1)
        logits: torch.Tensor = self.classifier(self.dropout(together))
        return logits.squeeze(1)


class DifferenceNetwork(nn.Module):
    """A small 3-D network of what changes from frame to frame: four convolutions, 200,000 weights.

    The wall behind somebody and a face that is still vanish in the differences; what moves stays. Two streams, optical
    flow beside pictures, are the older form of the thought (Simonyan and Zisserman, NeurIPS 2014).
    """

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            _block(2, width, (3, 5, 5), (1, 2, 2)),
            _block(width, 2 * width, (3, 3, 3), (1, 2, 2)),
            _block(2 * width, 4 * width, (3, 3, 3), (1, 2, 2)),
            _block(4 * width, 6 * width, (3, 3, 3), (2, 2, 2)),
        )
        self.dropout = nn.Dropout(0.2)
        self.classifier = _zero(nn.Linear(6 * width, 1))

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """(B, 3, T, S, S) in about -1…1 to logits (B,)."""
        grey = frames.mean(dim=1, keepdim=True)
        middle = grey[:, :, 1:-1]
        change = (grey[:, :, 2:] - grey[:, :, :-2]) / 2
        # Beside the change, what a place differs by from its mean over the window: where the jaw is, and not only how
        # fast it goes.
        seen = torch.cat([4 * change, 2 * (middle - middle.mean(dim=2, keepdim=True))], dim=1)
        found = self.layers(seen).mean(dim=(2, 3, 4))
        logits: torch.Tensor = self.classifier(self.dropout(found))
        return logits.squeeze(1)


def _block(before: int, after: int, kernel: tuple[int, int, int], stride: tuple[int, int, int]) -> nn.Sequential:
    around = tuple(size // 2 for size in kernel)
    convolution = nn.Conv3d(before, after, kernel, stride, cast("tuple[int, int, int]", around), bias=False)
    return nn.Sequential(convolution, nn.BatchNorm3d(after), nn.ReLU(inplace=True))


class ClipNetwork(nn.Module):
    """torchvision's R(2+1)D-18: convolutions in space, then in time, residual; 31 million weights.

    Source: Tran et al., A Closer Look at Spatiotemporal Convolutions for Action Recognition, CVPR 2018. Published
    weights of Kinetics-400 expect the means and spreads below, of 0…1.
    """

    _MEAN, _SPREAD = (0.43216, 0.394666, 0.37645), (0.22803, 0.22145, 0.216989)

    def __init__(self) -> None:
        super().__init__()
        from torchvision.models.video import r2plus1d_18

        self.network = r2plus1d_18()
        self.network.fc = _zero(nn.Linear(self.network.fc.in_features, 1))
        shape = (1, 3, 1, 1, 1)
        self.register_buffer("mean", torch.tensor(self._MEAN).view(shape), persistent=False)
        self.register_buffer("spread", torch.tensor(self._SPREAD).view(shape), persistent=False)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """(B, 3, T, S, S) in -1…1 to logits (B,)."""
        mean, spread = self.get_buffer("mean"), self.get_buffer("spread")
        logits: torch.Tensor = self.network(((frames + 1) / 2 - mean) / spread)
        return logits.squeeze(1)


def fill_clip_network(network: ClipNetwork, path: Path) -> None:
    """Give it the body's weights from a file, such as torchvision's of Kinetics-400; the last layer begins at zero.

    Raises:
        InputError: the file cannot be read, or is of another network.
    """
    own = {name: value for name, value in network.network.state_dict().items() if not name.startswith("fc.")}
    try:
        found = [numbers for _, numbers in places(read_weights(path))]
        theirs = max(found, key=lambda numbers: len(own.keys() & numbers.keys()), default={})
        if missing := sorted(
            own.keys() - theirs.keys() - {name for name in own if name.endswith("num_batches_tracked")}
        ):
            raise UnusableWeightsError(f"{missing[0]} and {len(missing) - 1} more of {len(own)} tensors absent")
        state = {name: checked(name, theirs.get(name, value), value) for name, value in own.items()}
    except UnusableWeightsError as error:
        raise InputError(f"{path}: not weights of r2plus1d_18 ({error})") from error
    network.network.load_state_dict(state, strict=False)


def _zero(layer: nn.Linear) -> nn.Linear:
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.zero_()
    return layer


def build(architecture: str, features: int, ticks: int) -> nn.Module:
    """A network by its name, with random weights from torch's global generator.

    Args:
        architecture: one of `config.ARCHITECTURES`.
        features: of a frame, for the heads.
        ticks: of a window.

    Raises:
        InputError: no such network.
    """
    kinds = {
        "gru": lambda: GRUHead(features), "attention": lambda: AttentionHead(features, ticks),
        "correlation": lambda: CorrelationHead(features), "diff3d": DifferenceNetwork, "r2plus1d_18": ClipNetwork,
    }  # fmt: skip
    if architecture not in kinds:
        raise InputError(f"no network for films is called {architecture!r}; there are {', '.join(kinds)}")
    return kinds[architecture]()
