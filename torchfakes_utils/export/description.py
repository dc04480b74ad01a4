"""What a program has to know to use an exported file: it travels in the file, and lies beside it as `detector.json`.

Cutting the crop, and knowing when not to answer, is left to the program; how both are done is written here, with what
has to be said beside an answer.
"""

import contextlib
import copy
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
from torchfakes_utils.faces.search import (
    CLOSE_UP,
    FAR_AWAY,
    FAR_PROBABILITY,
    FARTHER,
    FARTHER_FROM,
    MOST_PEOPLE,
)
from torchfakes_utils.faces.tracking import FINER
from torchfakes_utils.models.decision import DISTANCE, FAKE, FEWEST_FRAMES, LIMITS, REAL, Decision
from torchfakes_utils.models.detector import Detector
from torchfakes_utils.models.likeness import digest
from torchfakes_utils.models.preprocessing import Preprocessing

FORMAT = 3
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
    DISTANCE: "the output `distance`, where measures_distance is true; a crop where that is no finite number is not "
    "usable, whatever the range",
}  # fmt: skip


# How answers are made of scores. `inference.verdict.judge` and web/verdict.js do just that.
_RULE = (
    "A crop is usable where each of `order` that has a range lies in it (an end that is null is not looked at). "
    "Somebody's score is the mean of probability_fake over their usable crops, and their band is `film` from "
    "fewest_frames usable crops on, `photo` below. Of m people with a usable crop, one is called fake from "
    "fake_from[min(m, number of fake_from) - 1] of their band on, and real up to real_to of it; where fake_from is "
    "empty, nobody is called fake, and where real_to is null, nobody real. The file is fake where one of its people "
    "is; real where everybody found is, with or without a usable crop; cannot tell otherwise. By itself, somebody is "
    "judged with m = 1. `threshold` is for measurements that force an answer, not for verdicts. With each verdict "
    "goes its `rate` (of the band), scope.line and `meaning`; where `silence` is not empty, it says why there never "
    "is one, and both bands are empty. Where `distance_limits` is beside `decision`, it has the upper end of distance "
    "for each file, which in 8 bits may be another"
)


def describe(detector: Detector, precision: str, packages: Iterable[str]) -> dict[str, Any]:
    """What a program has to know to use an exported detector, as JSON can hold it.

    Args:
        detector: with its decision.
        precision: "fp32" or "int8".
        packages: that make the file.
    """
    size = detector.preprocessing.size
    return {
        "format": FORMAT, "kind": DETECTOR, "torchfakes": __version__, "precision": precision,
        "source": {"architecture": detector.config.architecture, "weights_sha256": weights_sha256(detector)},
        "input": {
            "name": "crops", "type": "uint8", "shape": ["B", 3, size, size], "colours": "RGB", "layout": "NCHW",
            "range": [0, 255],
        },
        "outputs": {
            "logit": "(B,) float32: the mean over a crop and its mirror image; above 0 it looks fake; before the "
            "temperature",
            "probability_fake": "(B,) float32: P(fake) = sigmoid(logit / temperature)",
            "distance": "(B,) float32: of the crop from the faces of training, in standard deviations of what an early "
            "layer sees; 0 where none is measured",
        },
        "preprocessing": _preprocessing(detector.preprocessing),
        "decision": _decision(detector),
        "face_detection": _face_detection(),
        "licence": "program: MIT; face networks: facenet-pytorch, MIT; detector weights: as the data that they were "
        "trained on allow, see the model card beside the run",
        "made_with": _versions(packages),
    }  # fmt: skip


def _preprocessing(preprocessing: Preprocessing) -> dict[str, Any]:
    size, cut, scale = preprocessing.size, preprocessing.crop_size, preprocessing.crop_scale
    again = "" if size == cut else f"; then brought to {size} px (bilinear, averaging where it shrinks)"
    inside = [
        "(crops - mean) / std", "the crop and its mirror image", "sigmoid(logit / temperature)", "distance",
    ]  # fmt: skip
    return {
        "crop_scale": scale, "crop_size": cut, "size": size, "mean": preprocessing.mean, "std": preprocessing.std,
        "padding": "edge", "inside_graph": inside,
        "crop": f"a square round the middle of the face's box, its edge {scale} times the box's longer one, all "
        f"rounded to whole pixels; outside of the picture its outermost pixels are repeated; brought to {cut} px, "
        f"by averaging over areas where it shrinks and bicubic (a = -0.75) where it grows{again}",
    }  # fmt: skip


def _decision(detector: Detector) -> dict[str, Any]:
    decision = detector.decision
    return dataclasses.asdict(decision) | {
        "photo": _band(decision, 1), "film": _band(decision, FEWEST_FRAMES), "fewest_frames": FEWEST_FRAMES,
        "scope": dataclasses.asdict(decision.scope) | {"line": decision.scope.line},
        "meaning": decision.meaning, "silence": decision.silence, "rule": _RULE,
        "order": list(LIMITS), "measures": _MEASURES, "measures_distance": detector.likeness is not None,
        "likeness": likeness_sha256(detector),
        "measured_on": f"the crop at {detector.preprocessing.crop_size} px",
        "words": {name: [limit.below, limit.above] for name, limit in LIMITS.items()},
    }  # fmt: skip


def _band(decision: Decision, frames: int) -> dict[str, Any]:
    """The band that holds for so many usable crops, with what is said of how often it is wrong."""
    band = decision.band(frames)
    return dataclasses.asdict(band) | {"rate": {verdict: decision.rate(verdict, band) for verdict in (FAKE, REAL)}}


def _face_detection() -> dict[str, Any]:
    return {
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


def likeness_sha256(detector: Detector) -> str:
    """Of the likeness as it is stored, also of one that was never saved; "" where the detector has none."""
    if detector.likeness is None:
        return ""
    return detector.decision.likeness or digest(detector.likeness)


def check_same(description: Mapping[str, Any], detector: Detector, path: Path | str) -> None:
    """Refuse a network that was not made from this detector, or from it when it measured other distances.

    Raises:
        InputError: its weights or its likeness have another SHA-256.
    """
    theirs, own = description["source"]["weights_sha256"], weights_sha256(detector)
    if theirs != own:
        raise InputError(
            f"{path}: made from other weights ({theirs[:12]}) than this detector's ({own[:12]}); export the run again"
        )
    # Of a file that measures nothing every distance is 0, and nobody would be refused.
    decision = description["decision"]
    measures = decision.get("likeness") if decision.get("measures_distance") else ""
    if measures != likeness_sha256(detector):
        raise InputError(
            f"{path}: made of another likeness than this detector's, so that its distances are others; export the run "
            "again"
        )


def limit_of(decision: Decision) -> float | None:
    """The distance beyond which a decision refuses a crop; None where it looks at none."""
    return decision.ranges.get(DISTANCE, (None, None))[1]


def with_limit(detector: Detector, limit: float | None) -> Detector:
    """The same detector, sharing all numbers, with another limit of distances; None changes nothing."""
    other = copy.copy(detector)
    if limit is not None:
        ranges = detector.decision.ranges | {DISTANCE: (None, limit)}
        other.decision = dataclasses.replace(detector.decision, ranges=ranges)
    return other


def use_limit(detector: Detector, description: Mapping[str, Any]) -> None:
    """Let a detector refuse by the distances of an exported file of it, whose limit may be another."""
    limit = description["decision"]["ranges"].get(DISTANCE, (None, None))[1]
    detector.decision = with_limit(detector, limit).decision
