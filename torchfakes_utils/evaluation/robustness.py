"""How a detector bears what happens to films between the camera and the viewer: seven changes, each at five strengths.

The crops of a clip are changed as they are stored, before the network's own preprocessing, by the codecs themselves:
JPEG by OpenCV's libjpeg, H.264 by x264, which gets a clip's crops as a short film. The original films were compressed
before (FaceForensics++ at c23): what is measured is what is added to that.
"""

import json
import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import msgspec
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm import tqdm

from torchfakes_utils.crops.table import limit_frames
from torchfakes_utils.errors import InputError
from torchfakes_utils.evaluation.config import RobustnessConfig, Scoring
from torchfakes_utils.evaluation.results import Measurement, PerturbationCurve, Robustness, StrengthMeasurement
from torchfakes_utils.evaluation.scoring import Change, fingerprint, score
from torchfakes_utils.io.files import read_json, write_record
from torchfakes_utils.io.video import read_frames, write_video
from torchfakes_utils.metrics.binary import by_clip
from torchfakes_utils.metrics.intervals import compare, with_intervals
from torchfakes_utils.models.detector import Detector

logger = logging.getLogger(__name__)

# (H, W, 3) uint8, RGB.
Crop = NDArray[Any]


@dataclass(frozen=True)
class Perturbation:
    """Something that happens to films: what a strength is, and five of them from mild to harsh.

    `apply` takes the crops of a clip in the order of their frames, a strength, and random numbers.
    """

    name: str
    unit: str
    strengths: tuple[float, ...]
    apply: Callable[[list[Crop], float, np.random.Generator], list[Crop]]


def _jpeg(crops: list[Crop], quality: float, _: np.random.Generator) -> list[Crop]:
    options = [cv2.IMWRITE_JPEG_QUALITY, int(quality)]
    files = [cv2.imencode(".jpg", crop[..., ::-1], options)[1] for crop in crops]
    return [np.ascontiguousarray(np.asarray(cv2.imdecode(file, cv2.IMREAD_COLOR))[..., ::-1]) for file in files]


def _h264(crops: list[Crop], crf: float, _: np.random.Generator) -> list[Crop]:
    height, width = crops[0].shape[:2]
    # The codec wants even edges.
    padded = [np.pad(crop, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge") for crop in crops]
    with TemporaryDirectory() as folder:
        path = write_video(Path(folder) / "clip.mp4", padded, crf=int(crf), preset="medium")
        frames = read_frames(path)[1]
    return [np.ascontiguousarray(frame[:height, :width]) for frame in frames]


def _rescale(crops: list[Crop], factor: float, _: np.random.Generator) -> list[Crop]:
    def there_and_back(crop: Crop) -> Crop:
        height, width = crop.shape[:2]
        small = (max(1, round(width / factor)), max(1, round(height / factor)))
        return cv2.resize(cv2.resize(crop, small, interpolation=cv2.INTER_AREA), (width, height))

    return [there_and_back(crop) for crop in crops]


def _blur(crops: list[Crop], sigma: float, _: np.random.Generator) -> list[Crop]:
    return [cv2.GaussianBlur(crop, (0, 0), sigma) for crop in crops]


def _noise(crops: list[Crop], sigma: float, generator: np.random.Generator) -> list[Crop]:
    noisy = (crop + generator.normal(0, sigma, crop.shape) for crop in crops)
    return [np.clip(np.rint(crop), 0, 255).astype(np.uint8) for crop in noisy]


def _darken(crops: list[Crop], factor: float, _: np.random.Generator) -> list[Crop]:
    return [np.rint(crop * factor).astype(np.uint8) for crop in crops]


def _shift(crops: list[Crop], share: float, generator: np.random.Generator) -> list[Crop]:
    """All crops of a clip in one direction; what comes in from outside is the mirror image of what is inside."""
    angle = generator.uniform(0, 2 * np.pi)
    edge = min(crops[0].shape[:2])
    matrix = np.array([[1, 0, share * edge * np.cos(angle)], [0, 1, share * edge * np.sin(angle)]], np.float32)
    return [cv2.warpAffine(crop, matrix, crop.shape[1::-1], borderMode=cv2.BORDER_REFLECT_101) for crop in crops]


PERTURBATIONS: dict[str, Perturbation] = {
    "jpeg": Perturbation("JPEG", "quality", (90, 70, 50, 30, 10), _jpeg),
    "h264": Perturbation("H.264", "CRF", (18, 23, 30, 37, 44), _h264),
    "rescale": Perturbation("scaled down and up", "factor", (1.5, 2, 3, 4, 6), _rescale),
    "blur": Perturbation("Gaussian blur", "sigma, px of the crop", (0.5, 1, 1.5, 2, 3), _blur),
    "noise": Perturbation("noise", "sigma, of 255", (2, 5, 10, 15, 25), _noise),
    "brightness": Perturbation("darkened", "factor", (0.85, 0.7, 0.55, 0.4, 0.25), _darken),
    "shift": Perturbation("crop shifted", "share of its edge", (0.02, 0.05, 0.1, 0.15, 0.2), _shift),
}


def changer(name: str, strength: float, seed: int = 0) -> Change:
    """A perturbation at one strength, for `scoring.score`; what is random in it depends on seed and clip alone."""
    apply, place = PERTURBATIONS[name].apply, list(PERTURBATIONS).index(name)
    return lambda crops, clip: apply(crops, strength, np.random.default_rng([seed, place, clip]))


def check_names(config: RobustnessConfig) -> tuple[str, ...]:
    """The perturbations that are chosen.

    Raises:
        InputError: there is no such one.
    """
    for name in config.perturbations or ():
        if name not in PERTURBATIONS:
            raise InputError(f"no perturbation {name!r}; choose of {', '.join(PERTURBATIONS)}")
    return config.perturbations or tuple(PERTURBATIONS)


def robustness(
    detector: Detector,
    faces: pd.DataFrame,
    config: RobustnessConfig = RobustnessConfig(),
    scoring: Scoring = Scoring(),
    kept: Path | None = None,
) -> Robustness:
    """Measure a detector on changed crops, strength by strength.

    Args:
        detector: any.
        faces: from `load_faces`.
        config: what is changed, and how it is measured.
        scoring: how crops are scored.
        kept: a file in which every finished strength is kept, so that a second call goes on where the first was
            stopped; it is begun anew for another detector, other crops or another configuration.

    Raises:
        InputError: no such perturbation, or no crop can be read.
    """
    chosen, faces = check_names(config), limit_frames(faces, config.frames)
    quiet, identity = Scoring(scoring.batch, scoring.device), _identity(detector, faces, config)
    rows = _rows_kept(kept, identity)

    def scored(change: Change | None = None) -> tuple[pd.DataFrame, float]:
        """Clips, and the share of crops that get an answer."""
        scores = score(detector, faces, quiet, change)
        return by_clip(scores), float(np.mean(scores["cannot_tell"] == ""))

    plain, answered = scored()
    work = [(name, strength) for name in chosen for strength in PERTURBATIONS[name].strengths]
    bar = tqdm(work, desc="perturb", unit="pass", leave=False, disable=None if scoring.progress else True)
    found: dict[str, list[StrengthMeasurement]] = {name: [] for name in chosen}
    for name, strength in bar:
        key = f"{name} {strength:g}"
        bar.set_postfix_str(key)
        if key not in rows:
            changed = _measured(*scored(changer(name, strength, config.seed)), plain, detector, config)
            rows[key] = {"strength": strength, **changed}
            if kept is not None:
                write_record(kept, {"identity": identity, "rows": rows})
        found[name].append(msgspec.convert(rows[key], StrengthMeasurement))
    return Robustness(
        frames=config.frames,
        clips=len(plain),
        plain=msgspec.convert(_measured(plain, answered, plain, detector, config), Measurement),
        perturbations={
            name: PerturbationCurve(PERTURBATIONS[name].name, PERTURBATIONS[name].unit, tuple(curve))
            for name, curve in found.items()
        },
    )


def _measured(
    clips: pd.DataFrame, coverage: float, plain: pd.DataFrame, detector: Detector, config: RobustnessConfig
) -> dict[str, Any]:
    """The fields of a `Measurement`."""
    threshold = detector.decision.threshold
    gap = compare(clips, plain, (threshold, threshold), config.replicates)["auc"]
    measured = with_intervals(clips, threshold, config.replicates)
    measured |= {"coverage": coverage, "auc_change": gap["difference"], "auc_change_interval": gap["interval"]}
    return {field.name: measured[field.name] for field in fields(Measurement)}


def _identity(detector: Detector, faces: pd.DataFrame, config: RobustnessConfig) -> dict[str, Any]:
    """What a measurement depends on, beside its name and strength."""
    crops = pd.util.hash_pandas_object(faces[["path", "frame", "label"]], index=False)
    identity = {
        "detector": fingerprint(detector),
        "decision": asdict(detector.decision),
        "crops": f"{int(crops.sum() % 2**63):x}",
        "config": {name: value for name, value in asdict(config).items() if name != "perturbations"},
    }
    return dict(json.loads(json.dumps(identity)))  # as it is read again: with lists for tuples


def _rows_kept(path: Path | None, identity: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Measurements of the same things that a file holds, by name and strength."""
    if path is None or not path.is_file():
        return {}
    try:
        there = read_json(path)
        return dict(there["rows"]) if there["identity"] == identity else {}
    except (OSError, ValueError, KeyError, TypeError):
        logger.warning("%s cannot be read: robustness is measured from the start", path)
        return {}
