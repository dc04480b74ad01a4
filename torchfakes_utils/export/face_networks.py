"""MTCNN's three networks as every runtime can compute them, and what to trace them with."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional

FACE_NETWORKS = ("pnet", "rnet", "onet")
FACE_INPUTS = {"pnet": "image", "rnet": "patches", "onet": "patches"}
FACE_OUTPUTS = {name: ("probability", "offsets", "landmarks")[: 3 if name == "onet" else 2] for name in FACE_NETWORKS}


class FaceNetwork(nn.Module):
    """One of MTCNN's networks on the weights of facenet-pytorch's, in operations that every runtime has.

    The same numbers as the original's to 1e-6, with four things written otherwise: of "face or not" the softmax of two
    is the sigmoid of their difference; the weights of the dense layer are sorted so that its input needs no
    transposition; the slope below zero after it is written out; and where the original's pooling rounds up, a border
    is added that never wins.
    """

    def __init__(self, original: nn.Module) -> None:
        super().__init__()
        parts = dict(original.named_children())
        heads = sorted(name for name in parts if "_" in name and not name.startswith("softmax"))
        trunk: list[nn.Module] = []
        for name, part in parts.items():
            if isinstance(part, nn.MaxPool2d):
                trunk.append(_PoolUp(part.kernel_size))
            elif isinstance(part, nn.Linear) and name not in heads:
                trunk += [nn.Flatten(), _sorted(part, side=3)]
            elif isinstance(part, nn.PReLU) and isinstance(trunk[-1], nn.Linear):
                trunk.append(_Slope(part.weight.detach()))
            elif isinstance(part, (nn.Conv2d, nn.PReLU)) and name not in heads:
                trunk.append(part)
        self.trunk = nn.Sequential(*trunk)
        self.sure = _difference(parts[heads[0]])
        self.others = nn.ModuleList(parts[name] for name in heads[1:])
        self.eval()

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """As `mtcnn_numpy.FaceNetworks` says."""
        features = self.trunk(pixels)
        sure = self.sure(features).squeeze(1).sigmoid()  # (1, 1, H', W') to (1, H', W'), or (N, 1) to (N,)
        return sure, *(head(features) for head in self.others)


class _PoolUp(nn.Module):
    """Max pooling in steps of two that counts a last, incomplete window, too."""

    def __init__(self, size: int | tuple[int, int]) -> None:
        super().__init__()
        self.size = size

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        padded = functional.pad(pixels, (0, 1, 0, 1), value=-1e30)  # finite: 0 times infinity would be no number
        return functional.max_pool2d(padded, self.size, 2)


class _Slope(nn.Module):
    """PReLU on (N, C): XNNPACK knows it on pictures only."""

    def __init__(self, slope: torch.Tensor) -> None:
        super().__init__()
        self.slope = nn.Parameter(slope)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return functional.relu(values) - self.slope * functional.relu(-values)


def _sorted(layer: nn.Linear, side: int) -> nn.Module:
    """A dense layer on (W, H, C), as the original flattens, as one on (C, H, W)."""
    weight = layer.weight.detach().reshape(layer.out_features, side, side, -1).permute(0, 3, 2, 1)
    return _filled(nn.Linear(layer.in_features, layer.out_features), weight.flatten(1), layer.bias.detach())


def _difference(layer: nn.Module) -> nn.Module:
    """How much more the second of two outputs, of a dense layer or a convolution, is than the first."""
    weight, bias = (layer.get_parameter(name).detach() for name in ("weight", "bias"))
    one = nn.Linear(weight.shape[1], 1) if isinstance(layer, nn.Linear) else nn.Conv2d(weight.shape[1], 1, 1)
    return _filled(one, weight[1:] - weight[:1], bias[1:] - bias[:1])


def _filled(layer: nn.Linear | nn.Conv2d, weight: torch.Tensor, bias: torch.Tensor) -> nn.Module:
    layer.weight, layer.bias = nn.Parameter(weight.contiguous()), nn.Parameter(bias)
    return layer


def face_networks() -> dict[str, FaceNetwork]:
    """The three networks by name; their weights come with facenet-pytorch."""
    from facenet_pytorch.models.mtcnn import ONet, PNet, RNet  # 4 s

    return {name: FaceNetwork(kind()) for name, kind in zip(FACE_NETWORKS, (PNet, RNet, ONet), strict=True)}


def face_example(name: str, batch: int = 1) -> torch.Tensor:
    """Something to trace a face network with, or to compare it on."""
    shape = {"pnet": (1, 3, 61, 83), "rnet": (batch, 3, 24, 24), "onet": (batch, 3, 48, 48)}[name]
    return torch.from_numpy(np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32))
