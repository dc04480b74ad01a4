"""What a program has to know to use an exported file: it travels in the file, and lies beside it as `detector.json`.

Cutting the crop, and knowing when not to answer, is left to the program; how both are done is written here.
"""

import contextlib
import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import safetensors.torch

from torchfakes_utils import __version__
from torchfakes_utils.errors import InputError
from torchfakes_utils.export.face_networks import FACE_NETWORKS
from torchfakes_utils.export.mtcnn_numpy import SURE
from torchfakes_utils.faces.config import ExtractionConfig
from torchfakes_utils.faces.tracking import FINER
from torchfakes_utils.inference.search import (
    CLOSE_UP,
    FAR_AWAY,
    FAR_PROBABILITY,
    FARTHER,
    FARTHER_FROM,
    MOST_PEOPLE,
)
from torchfakes_utils.models.decision import LIMITS
from torchfakes_utils.models.detector import Detector

FORMAT = 2
DETECTOR, FACE_NETWORK = "torchfakes detector", "torchfakes face network"
# Under this name the description is found in a file: a property of an ONNX model, a method of a .pte program.
KEY = "torchfakes"

# How a program without Python measures what decides whether a crop gets an answer.
_MEASURES = {
    "outside": "share of the crop's square that lies outside of the picture, per cent",
    "face": "longer edge of the face's box, x2 - x1 or y2 - y1, in pixels of the picture as displayed",
    "brightness": "mean of 0.299 R + 0.587 G + 0.114 B over every second pixel of every second row of the crop at "
    "160 x 160 pixels, from the first on",
    "contrast": "standard deviation (divided by n, not n - 1) of the same numbers",
    "sharpness": "variance of the Laplacian: 0.299 R + 0.587 G + 0.114 B of the crop, rounded to whole numbers, at "
    "160 x 160 pixels; at each pixel above + below + left + right - 4 times itself, the border mirrored without "
    "its outermost pixel; of all these the variance (divided by n)",
}  # fmt: skip


def describe(detector: Detector, precision: str, packages: Iterable[str]) -> dict[str, Any]:
    """What a program has to know to use an exported detector, as JSON can hold it.

    Args:
        detector: with its decision.
        precision: "fp32" or "int8".
        packages: that make the file.
    """
    preprocessing, decision = detector.preprocessing, detector.decision
    size, cut, scale = preprocessing.size, preprocessing.crop_size, preprocessing.crop_scale
    again = "" if size == cut else f"; then brought to {size} px (bilinear, averaging where it shrinks)"
    return {
        "format": FORMAT, "kind": DETECTOR, "torchfakes": __version__, "precision": precision,
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
            "crop_scale": scale, "crop_size": cut, "size": size, "mean": preprocessing.mean, "std": preprocessing.std,
            "padding": "edge", "inside_graph": ["(crops - mean) / std", "sigmoid(logit / temperature)"],
            "crop": f"a square round the middle of the face's box, its edge {scale} times the box's longer one, all "
            f"rounded to whole pixels; outside of the picture its outermost pixels are repeated; brought to {cut} px, "
            f"by averaging over areas where it shrinks and bicubic (a = -0.75) where it grows{again}",
        },
        "decision": dataclasses.asdict(decision) | {
            "rule": "fake where the mean of probability_fake over the usable crops of a face is threshold or more, "
            "real below; cannot tell without a usable crop",
            "usable": "each of `order` that has a range lies in it; an end that is null is not looked at",
            "order": list(LIMITS), "measures": _MEASURES, "measured_on": f"the crop at {cut} px",
            "words": {name: [limit.below, limit.above] for name, limit in LIMITS.items()},
        },
        "face_detection": {
            "networks": list(FACE_NETWORKS), "input": "float32 RGB, (x - 127.5) * 0.0078125", "thresholds": list(SURE),
            "search_passes": _passes(CLOSE_UP),
            "far_passes": [
                one | {"from_lines": lines}
                for config, lines in ((FAR_AWAY, 0), (FARTHER, FARTHER_FROM)) for one in _passes(config)
            ],
            "search": "search_passes one after the other until somebody is found: the picture scaled down until its "
            "shorter side has so many lines (never up), the smallest face being min_face of that side, and "
            "12 pixels at least. Then, of "
            "far_passes, those with the largest from_lines that the picture's shorter side reaches: the first of them, "
            "for faces of far_probability beside those that are found (none of which shares half of the smaller box); "
            "where nobody is found, one after the other, for faces of min_probability. The most_people most prominent "
            "ones are judged: by the area of the box times the probability",
            "far_probability": FAR_PROBABILITY, "most_people": MOST_PEOPLE,
            "min_probability": CLOSE_UP.min_probability,
            "steps": "torchfakes_utils/export/mtcnn_numpy.py",
        },
        "licence": "program: MIT; face networks: facenet-pytorch, MIT; detector weights: as the data that they were "
        "trained on allow, see the model card beside the run",
        "made_with": _versions(packages),
    }  # fmt: skip


def _passes(config: ExtractionConfig) -> list[dict[str, float]]:
    """One look, and a closer one."""
    return [{"min_face": config.min_face, "lines": finer * config.detect_lines} for finer in (1, FINER)]


def describe_face_network(name: str, packages: Iterable[str]) -> dict[str, Any]:
    """What is written into the file of one of `FACE_NETWORKS`."""
    return {"format": FORMAT, "kind": FACE_NETWORK, "name": name, "made_with": _versions(packages)}


def _versions(packages: Iterable[str]) -> dict[str, str]:
    return {package: metadata.version(package) for package in ("torch", *packages)}


def weights_sha256(detector: Detector) -> str:
    """Of the weights as `models.detector.save` writes them, also of a detector that was never saved."""
    if detector.sha256:
        return detector.sha256
    state = {name: value.detach().cpu().contiguous() for name, value in detector.state_dict().items()}
    return hashlib.sha256(safetensors.torch.save(state)).hexdigest()


def read_description(text: str | None, path: Path | str, kind: str = DETECTOR) -> dict[str, Any]:
    """The description found in a file.

    Raises:
        InputError: there is none, or one of something else.
    """
    with contextlib.suppress(ValueError, TypeError, KeyError, RecursionError):
        description: dict[str, Any] = json.loads(text or "null")
        if description["kind"] == kind and description["format"] == FORMAT:
            return description
    raise InputError(f"{path}: not a {kind} of this version; make one with `torchfakes export`")


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
