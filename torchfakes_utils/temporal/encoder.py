"""Features of a frame in which a movement shows: the first stages of EfficientNet-Lite0, frozen, on a coarse grid.

The last layers of a network for pictures say *what* is seen, wherever it is: a nod is lost on them. Half way down,
the grid still says *where*, and the channels already know edges and corners.
"""

import hashlib

import numpy as np
import torch
from torch import nn

from torchfakes_utils.models.architectures import LITE0
from torchfakes_utils.models.detector import Detector, DetectorConfig
from torchfakes_utils.models.preprocessing import Preprocessing
from torchfakes_utils.models.pretrained import build_detector

# Stages that are kept, of seven: those up to an eighth of the input. And the grid that is made of what they give. A
# ridge regression on these reads the jaw of people whom it has not met with a correlation of 0.9, and a nod with 0.98.
_STAGES, GRID = 3, 7
# (x - SPREAD) / SPREAD of 0…255 is what its weights expect.
SPREAD = 127.5
_BATCH = 64


class Encoder(nn.Module):
    """Face crops to features; no weight of it is trained."""

    def __init__(self) -> None:
        """Random weights; `pretrained_encoder` fills in ImageNet's."""
        super().__init__()
        network = Detector(DetectorConfig(LITE0, None, preprocessing=Preprocessing(112, SPREAD, SPREAD))).backbone
        self.stem = nn.Sequential(network.get_submodule("conv_stem"), network.get_submodule("bn1"))
        self.stages = nn.Sequential(*list(network.get_submodule("blocks").children())[:_STAGES])
        self.width = GRID * GRID * _channels(self.stages)
        self.requires_grad_(False)
        self.eval()

    def train(self, mode: bool = True) -> "Encoder":  # noqa: ARG002 - it always is as at test
        """As at test, whatever is asked: its batch norms are not to follow what it is shown."""
        return super().train(False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(N, 3, S, S) in -1…1 to (N, D)."""
        found = self.stages(self.stem(images))
        return nn.functional.adaptive_avg_pool2d(found, GRID).flatten(1)


def _channels(stages: nn.Module) -> int:
    """Of what the last of some stages gives: its last batch norm knows."""
    norms = [part for part in stages.modules() if isinstance(part, nn.BatchNorm2d)]
    return norms[-1].num_features


def pretrained_encoder() -> Encoder:
    """With ImageNet's weights, which come with the package.

    Raises:
        InputError: the package that holds them is absent or damaged.
    """
    config = DetectorConfig(LITE0, "imagenet", preprocessing=Preprocessing(112, SPREAD, SPREAD))
    backbone = build_detector(config, required=True)[0].backbone
    encoder = Encoder()
    encoder.stem.load_state_dict({f"{place}.{name}": value for place, part in enumerate(("conv_stem", "bn1"))
                                  for name, value in backbone.get_submodule(part).state_dict().items()})  # fmt: skip
    kept = list(backbone.get_submodule("blocks").children())[:_STAGES]
    for own, theirs in zip(encoder.stages.children(), kept, strict=True):
        own.load_state_dict(theirs.state_dict())
    return encoder


@torch.inference_mode()
def encoded(encoder: Encoder, pictures: np.ndarray) -> np.ndarray:
    """Features (T, D) float16 of face crops (T, S, S, 3) uint8 RGB, on the encoder's device."""
    device = next(encoder.parameters()).device
    found = []
    for part in np.array_split(pictures, max(1, -(-len(pictures) // _BATCH))):
        images = (torch.from_numpy(part).to(device).permute(0, 3, 1, 2).float() - SPREAD) / SPREAD
        found.append(encoder(images.contiguous(memory_format=torch.channels_last)).half().cpu())
    return torch.cat(found).numpy()


def digest_of(module: nn.Module) -> str:
    """SHA-256 of a module's weights."""
    digest = hashlib.sha256()
    for name, value in sorted(module.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
