"""What every exported format holds: the network with its arithmetic round it, the face networks, and what they need.

A crop as it is decoded goes in, P(fake) comes out: normalisation and temperature are part of the file, so that nobody
can forget them. What a program has to do itself, cutting the crop and knowing when not to answer, is said in a
description that travels in the file, and beside it as `detector.json`.
"""

import contextlib
import copy
import hashlib
import json
import logging
import warnings
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from torch import nn
from torch.nn import functional

from torchfakes_utils import __version__
from torchfakes_utils.errors import InputError
from torchfakes_utils.export.mtcnn_numpy import SURE
from torchfakes_utils.faces.tracking import FINER
from torchfakes_utils.inference.predictor import CLOSE_UP, FAR_AWAY
from torchfakes_utils.io.video import spread
from torchfakes_utils.models.decision import LIMITS
from torchfakes_utils.models.detector import Detector
from torchfakes_utils.models.preprocessing import Preprocessing

FORMAT = 1
DETECTOR, FACE_NETWORK = "torchfakes detector", "torchfakes face network"
# Under this name the description is found in a file: a property of an ONNX model, a method of a .pte program.
KEY = "torchfakes"
FACE_NETWORKS = ("pnet", "rnet", "onet")
FACE_INPUTS = {"pnet": "image", "rnet": "patches", "onet": "patches"}
FACE_OUTPUTS = {name: ("probability", "offsets", "landmarks")[: 3 if name == "onet" else 2] for name in FACE_NETWORKS}

# How a program without Python measures what decides whether a crop gets an answer.
_MEASURES = {
    "face": "longer edge of the face's box, x2 - x1 or y2 - y1, in pixels of the picture as displayed",
    "brightness": "mean of 0.299 R + 0.587 G + 0.114 B over every second pixel of every second row of the crop, "
    "from the first on",
    "contrast": "standard deviation (divided by n, not n - 1) of the same numbers",
    "sharpness": "variance of the Laplacian: 0.299 R + 0.587 G + 0.114 B of the crop, rounded to whole numbers, at "
    "160 x 160 pixels; at each pixel above + below + left + right - 4 times itself, the border mirrored without "
    "its outermost pixel; of all these the variance (divided by n)",
}  # fmt: skip

# Crops that int8 is calibrated on, each of them twice (see `calibration_set`).
CALIBRATION = 64


class WholeDetector(nn.Module):
    """Crops (B, 3, S, S) uint8 to logit (B,) and P(fake) (B,), both float32."""

    def __init__(self, detector: Detector) -> None:
        """A copy of `detector` on the CPU, ready to be traced."""
        super().__init__()
        self.network = copy.deepcopy(detector).cpu().eval()
        self.temperature = detector.decision.temperature

    def forward(self, crops: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Normalise, judge, calibrate."""
        logit = self.network(self.network.preprocessing.normalise(crops))
        return logit, (logit / self.temperature).sigmoid()

    def example(self, batch: int) -> torch.Tensor:
        """Crops of noise, to trace with: always the same ones."""
        size = self.network.preprocessing.size
        noise = np.random.default_rng(0).integers(0, 256, (batch, 3, size, size), dtype=np.uint8)
        return torch.from_numpy(noise)


class FaceNetwork(nn.Module):
    """One of MTCNN's networks on facenet-pytorch's weights, in operations that every runtime has.

    The same numbers as the original's to 1e-6, with four things written otherwise: of "face or not" the softmax of two
    is the sigmoid of their difference; the weights of the dense layer are sorted so that its input needs no
    transposition; the slope below zero after it is written out; and where the original's pooling rounds up, a border
    is added that never wins.
    """

    def __init__(self, original: nn.Module) -> None:
        """Take over the weights of facenet-pytorch's PNet, RNet or ONet."""
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
        """As `cascade.FaceNetworks` says."""
        features = self.trunk(pixels)
        sure = self.sure(features).squeeze(1).sigmoid()  # (1, 1, H', W') to (1, H', W'), or (N, 1) to (N,)
        return sure, *(head(features) for head in self.others)


class _PoolUp(nn.Module):
    """Max pooling in steps of two that counts a last, incomplete window, too."""

    def __init__(self, size: int) -> None:
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


def _sorted(layer: nn.Linear, side: int) -> nn.Linear:
    """A dense layer on (W, H, C), as the original flattens, as one on (C, H, W)."""
    weight = layer.weight.detach().reshape(layer.out_features, side, side, -1).permute(0, 3, 2, 1)
    return _filled(nn.Linear(layer.in_features, layer.out_features), weight.flatten(1), layer.bias.detach())


def _difference(layer: nn.Linear | nn.Conv2d) -> nn.Linear | nn.Conv2d:
    """How much more the second of two outputs is than the first."""
    weight, bias = layer.weight.detach(), layer.bias.detach()
    inputs = weight.shape[1]
    one = nn.Linear(inputs, 1) if isinstance(layer, nn.Linear) else nn.Conv2d(inputs, 1, 1)
    return _filled(one, weight[1:] - weight[:1], bias[1:] - bias[:1])


def _filled(layer: nn.Module, weight: torch.Tensor, bias: torch.Tensor) -> nn.Module:
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


def describe(detector: Detector, precision: str) -> dict[str, Any]:
    """What a program has to know to use an exported detector.

    Args:
        detector: with its decision.
        precision: "fp32" or "int8".

    Returns:
        A dictionary that JSON can hold.
    """
    preprocessing, decision = detector.preprocessing, detector.decision
    size, cut, scale = preprocessing.size, preprocessing.crop_size, preprocessing.crop_scale
    again = "" if size == cut else f"; then brought to {size} px (bilinear, averaging where it shrinks)"
    return {
        "format": FORMAT,
        "kind": DETECTOR,
        "torchfakes": __version__,
        "precision": precision,
        "source": {"architecture": detector.config.architecture, "weights_sha256": weights_sha256(detector)},
        "input": {
            "name": "crops", "type": "uint8", "shape": ["B", 3, size, size], "colours": "RGB", "layout": "NCHW",
            "range": [0, 255],
        },
        "outputs": {
            "logit": "(B,) float32: above 0 it looks fake; before the temperature",
            "probability_fake": "(B,) float32: P(fake) = sigmoid(logit / temperature)",
        },
        "preprocessing": {
            "crop_scale": scale,
            "crop_size": cut,
            "size": size,
            "mean": preprocessing.mean,
            "std": preprocessing.std,
            "padding": "edge",
            "inside_graph": ["(crops - mean) / std", "sigmoid(logit / temperature)"],
            "crop": f"a square round the middle of the face's box, its edge {scale} times the box's longer one, all "
            f"rounded to whole pixels; outside of the picture its outermost pixels are repeated; brought to {cut} px, "
            f"by averaging over areas where it shrinks and bicubic (a = -0.75) where it grows{again}",
        },
        "decision": decision.to_json() | {
            "rule": "fake where the mean of probability_fake over the usable crops of a face is threshold or more, "
            "real below; cannot tell without a usable crop",
            "usable": "each of `order` that has a range lies in it; an end that is null is not looked at",
            "order": list(LIMITS),
            "measures": _MEASURES,
            "measured_on": f"the crop at {cut} px",
            "words": {name: [limit.below, limit.above] for name, limit in LIMITS.items()},
        },
        "face_detection": {
            "networks": list(FACE_NETWORKS),
            "input": "float32 RGB, (x - 127.5) * 0.0078125",
            "thresholds": list(SURE),
            "looks": [
                {"min_face": config.min_face, "lines": finer * config.detect_lines}
                for config in (CLOSE_UP, FAR_AWAY) for finer in (1, FINER)
            ],
            "look": "one after the other until somebody is found: the picture scaled down until its shorter side has "
            "so many lines (never up), the smallest face being min_face of that side",
            "min_probability": CLOSE_UP.min_probability,
            "steps": "torchfakes_utils/export/mtcnn_numpy.py",
        },
        "licence": "program: MIT; face networks: facenet-pytorch, MIT; detector weights: as the data that they were "
        "trained on allow, see the model card beside the run",
    }  # fmt: skip


def versions(*packages: str) -> dict[str, str]:
    """Of installed packages, by name."""
    return {package: metadata.version(package) for package in packages}


def weights_sha256(detector: Detector) -> str:
    """Of the weights as `detector.save` writes them, also of a detector that was never saved."""
    if detector.sha256:
        return detector.sha256
    state = {name: value.detach().cpu().contiguous() for name, value in detector.state_dict().items()}
    return hashlib.sha256(safetensors.torch.save(state)).hexdigest()


def at_size(crops: torch.Tensor, description: Mapping[str, Any]) -> torch.Tensor:
    """Crops at the size that an exported detector takes; they may come at the size that they are cut at."""
    size = description["preprocessing"]["size"]
    return crops if crops.shape[-1] == size else Preprocessing(size=size).resize(crops)


def read_description(text: str | None, path: Path | str, kind: str = DETECTOR) -> dict[str, Any]:
    """The description found in a file.

    Raises:
        InputError: there is none, or one of something else.
    """
    try:
        description = json.loads(text or "null")
        known = description["kind"] == kind and description["format"] == FORMAT
    except (ValueError, TypeError, KeyError):
        known = False
    if not known:
        raise InputError(f"{path}: not a {kind} of this version; make one with `torchfakes export`")
    return description


def check_same(description: Mapping[str, Any], detector: Detector, path: Path | str) -> None:
    """Refuse a network that was not made from this detector.

    Raises:
        InputError: its weights have another SHA-256.
    """
    theirs, own = description["source"]["weights_sha256"], weights_sha256(detector)
    if theirs != own:
        raise InputError(
            f"{path}: made from other weights ({theirs[:12]}) than this detector's ({own[:12]}); export the run again"
        )


def calibration_set(crops: np.ndarray) -> np.ndarray:
    """Some validation crops, as they are and with more contrast: what int8's ranges are fixed on.

    Plain crops of a few people do not show all that others will. With ranges from half of Mini-FF++'s validation
    people, logits of the other half were off by up to 3.5 without these copies and by up to 0.17 with them (root of
    the mean square, for either half: 0.06 and 0.25 without, 0.07 and 0.06 with).

    Args:
        crops: (N, 3, S, S) uint8.

    Returns:
        (M, 3, S, S) uint8.
    """
    some = crops[spread(CALIBRATION, len(crops))].astype(np.float32)
    return np.clip(np.concatenate([some, (some - 128) * 1.3 + 128]), 0, 255).astype(np.uint8)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep to themselves what exporters log about their insides; errors are still raised."""
    root, silent = logging.getLogger(), logging.NullHandler()
    before = root.manager.disable
    root.addHandler(silent)  # without any handler, one call of logging.warning would set one up for good
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
        root.removeHandler(silent)
