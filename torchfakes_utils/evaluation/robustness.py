"""How a detector bears what happens to films between the camera and the viewer: seven changes, each at up to five
strengths.

JPEG (libjpeg) and H.264 (x264) compress the frames of the film, out of which the crops are then cut again, see
`recompression`; what else is changed is changed in the crops as they are stored. Where the films are not there, H.264
is not measured, and a JPEG's grid begins at a place of the crop that is drawn for each clip: that of a photo does not
begin where somebody's face does. The original films were compressed before (FaceForensics++ at c23): what is measured
is what is added to that.
"""

import logging
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm import tqdm

from torchfakes_utils.crops.table import first_of, limit_frames
from torchfakes_utils.errors import InputError
from torchfakes_utils.evaluation.config import RobustnessConfig, Scoring
from torchfakes_utils.evaluation.films import NO_FILMS, ClipKey, Films, by_clip_of, clip_name, why
from torchfakes_utils.evaluation.kept import Kept, films_digest, identity_of
from torchfakes_utils.evaluation.recompression import H264, JPEG, Codec, as_jpeg, recompress
from torchfakes_utils.evaluation.results import Measurement, PerturbationCurve, Robustness, StrengthMeasurement
from torchfakes_utils.evaluation.scoring import Change, score, score_crops
from torchfakes_utils.io.tables import CLIP_KEY
from torchfakes_utils.metrics.binary import by_clip
from torchfakes_utils.metrics.intervals import compare, with_intervals
from torchfakes_utils.models.detector import Detector

logger = logging.getLogger(__name__)

# (H, W, 3) uint8, RGB.
Crop = NDArray[Any]

# Clips whose films are decoded together: a whole data set of changed crops would not fit into memory. No more threads
# than this do so, since each holds a run of frames.
_WINDOW, _DECODERS = 16, 4
# Of a JPEG at half the lines of colour, px.
_JPEG_BLOCK = 16
# Of what is kept of measurements: it changes with what they mean.
_FORMAT = 2


@dataclass(frozen=True)
class Perturbation:
    """Something that happens to films: what a strength is, and five of them from mild to harsh.

    `apply` takes the crops of a clip in the order of their frames, a strength, and random numbers; None of what cannot
    be done to crops. `codec` is what does it to the frames of the film, where these are there.
    """

    name: str
    unit: str
    strengths: tuple[float, ...]
    apply: Callable[[list[Crop], float, np.random.Generator], list[Crop]] | None
    codec: Codec | None = None


def _jpeg(crops: list[Crop], quality: float, generator: np.random.Generator) -> list[Crop]:
    """All crops of a clip with the grid in one place, up to a block of colour from their corner."""
    down, right = generator.integers(0, _JPEG_BLOCK, 2)
    padded = [np.pad(crop, ((down, 0), (right, 0), (0, 0)), mode="reflect") for crop in crops]
    return [np.ascontiguousarray(picture[down:, right:]) for picture in as_jpeg(padded, quality)]


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
    "jpeg": Perturbation("JPEG", "quality", (90, 70, 50, 30, 10), _jpeg, JPEG),
    "h264": Perturbation("H.264", "CRF", (18, 23, 30, 37, 44), None, H264),
    "rescale": Perturbation("scaled down and up", "factor", (1.5, 2, 3, 4, 6), _rescale),
    "blur": Perturbation("Gaussian blur", "sigma, px of the crop", (0.5, 1, 1.5, 2, 3), _blur),
    "noise": Perturbation("noise", "sigma, of 255", (2, 5, 10, 15, 25), _noise),
    "brightness": Perturbation("darkened", "factor", (0.85, 0.7, 0.55, 0.4, 0.25), _darken),
    "shift": Perturbation("crop shifted", "share of its edge", (0.02, 0.05, 0.1, 0.15, 0.2), _shift),
}


def strengths_of(name: str, count: int = 5) -> tuple[float, ...]:
    """So many of a perturbation's five strengths, evenly spread; the harshest is always among them."""
    strengths = PERTURBATIONS[name].strengths
    places = np.linspace(len(strengths) - 1, 0, count).round().astype(int)
    return tuple(strengths[place] for place in sorted(places))


def changer(name: str, strength: float, seed: int = 0) -> Change:
    """A perturbation at one strength, for `scoring.score`; what is random in it depends on seed and clip alone."""
    apply, place = PERTURBATIONS[name].apply, list(PERTURBATIONS).index(name)
    if apply is None:
        raise ValueError(f"{name} is nothing that can be done to crops")
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
    films: Films = NO_FILMS,
) -> Robustness:
    """Measure a detector on changed crops, strength by strength.

    Args:
        detector: any.
        faces: from `load_faces`.
        config: what is changed, and how it is measured.
        scoring: how crops are scored.
        kept: a file in which what is finished is kept (every strength; all strengths together of what compresses
            films), so that a second call goes on where the first was stopped; it is begun anew for another detector,
            other crops or another configuration.
        films: that the crops were cut from. A clip whose film is gone or has changed is left out of what compresses
            films, and named.

    Raises:
        InputError: no such perturbation, or no crop can be read.
    """
    chosen = check_names(config)
    work = _Work(detector, limit_frames(faces, config.frames), config, scoring, films, kept)
    total = config.strengths * len(chosen)
    bar = tqdm(total=total, desc="perturb", unit="pass", leave=False, disable=None if scoring.progress else True)
    curves: dict[str, PerturbationCurve] = {}
    not_measured: dict[str, str] = {}
    with bar:
        for name in chosen:
            found = work.curve(name, bar)
            if isinstance(found, str):
                not_measured[name] = found
            else:
                curves[name] = found
    plain = msgspec.convert(_measured(work.plain, work.answered, work.plain, detector, config), Measurement)
    return Robustness(config.frames, len(work.plain), plain, curves, not_measured)


class _Work:
    """The measurements of one detector on some crops, those that are kept included."""

    def __init__(
        self,
        detector: Detector,
        faces: pd.DataFrame,
        config: RobustnessConfig,
        scoring: Scoring,
        films: Films,
        kept: Path | None,
    ) -> None:
        self._detector, self._faces, self._config, self._films = detector, faces, config, films
        self._quiet = Scoring(scoring.batch, scoring.device)
        settings = {name: value for name, value in asdict(config).items() if name not in ("perturbations", "strengths")}
        self._kept = Kept(kept, identity_of(detector, faces, settings, _FORMAT))
        self.plain, self.answered = self._scored()

    def curve(self, name: str, bar: "tqdm[Any]") -> PerturbationCurve | str:
        """A perturbation at all its strengths; or why it is not measured."""
        one, reason, wanted = PERTURBATIONS[name], "", strengths_of(name, self._config.strengths)
        if one.codec is not None:
            reason = self._films.reason or self._in_films(name, one.codec, bar)
            if not reason:
                return self._assembled(name, in_films=True)
        if one.apply is None:
            bar.update(len(wanted))
            return reason
        for strength in wanted:
            bar.set_postfix_str(f"{name} {strength:g}")
            if (key := self._key(name, strength)) not in self._kept.rows:
                self._kept.add({key: self._row(strength, *self._scored(changer(name, strength, self._config.seed)))})
            bar.update()
        return self._assembled(name, in_films=False)

    def _in_films(self, name: str, codec: Codec, bar: "tqdm[Any]") -> str:
        """Measure what compresses films, at all strengths that are not kept; why nothing can be, or ""."""
        strengths = [
            strength
            for strength in strengths_of(name, self._config.strengths)
            if self._key(name, strength, True) not in self._kept.rows
        ]
        bar.set_postfix_str(name)
        if strengths:
            scores, left_out = self._scored_films(codec, strengths)
            if left_out:
                logger.warning("%s: %s", name, _named(left_out))
            if not scores:
                return f"no film can be used ({_named(left_out)})"
            self._kept.add(
                {
                    self._key(name, strength, True): self._row(strength, *_by_clip(own)) | {"left_out": left_out}
                    for strength, own in scores.items()
                }
            )
        bar.update(self._config.strengths)
        return ""

    def _scored_films(
        self, codec: Codec, strengths: Sequence[float]
    ) -> tuple[dict[float, pd.DataFrame], dict[str, str]]:
        """Scores of crops from compressed films by strength, none where no film can be used; and who is left out."""
        clips, left_out = by_clip_of(self._faces), dict[str, str]()
        found: dict[float, list[pd.DataFrame]] = {}

        def compressed(clip: tuple[ClipKey, pd.DataFrame]) -> tuple[pd.DataFrame, dict[float, list[Crop]]] | None:
            key, rows = clip
            path = None
            try:
                path = self._films.path(key)
                return rows, recompress(codec, path, rows, strengths)
            except InputError as error:
                left_out[clip_name(key)] = why(error, path)
                return None

        with ThreadPoolExecutor(min(_DECODERS, os.cpu_count() or 1)) as pool:
            for start in range(0, len(clips), _WINDOW):
                done = [one for one in pool.map(compressed, clips[start : start + _WINDOW]) if one is not None]
                for strength in strengths if done else ():
                    rows = pd.concat([own for own, _ in done])
                    crops = [crop for _, own in done for crop in own[strength]]
                    found.setdefault(strength, []).append(score_crops(self._detector, rows, crops, self._quiet))
        return {strength: pd.concat(parts) for strength, parts in found.items()}, dict(sorted(left_out.items()))

    def _scored(self, change: Change | None = None) -> tuple[pd.DataFrame, float]:
        return _by_clip(score(self._detector, self._faces, self._quiet, change))

    def _row(self, strength: float, clips: pd.DataFrame, coverage: float) -> dict[str, Any]:
        """A strength's measurement, against the unchanged crops of the same clips."""
        same = self.plain.merge(clips[CLIP_KEY], on=CLIP_KEY)
        return {"strength": strength, **_measured(clips, coverage, same, self._detector, self._config)}

    def _key(self, name: str, strength: float, in_films: bool = False) -> str:
        """What a measurement is kept under; one of films only as long as these are the same."""
        return f"{name} {strength:g}" + (f" in films {films_digest(self._films)}" if in_films else "")

    def _assembled(self, name: str, in_films: bool) -> PerturbationCurve:
        one = PERTURBATIONS[name]
        measured = strengths_of(name, self._config.strengths)
        rows = [self._kept.rows[self._key(name, strength, in_films)] for strength in measured]
        strengths = tuple(msgspec.convert(row, StrengthMeasurement) for row in rows)
        return PerturbationCurve(one.name, one.unit, strengths, in_films, rows[0].get("left_out", {}))


def _by_clip(scores: pd.DataFrame) -> tuple[pd.DataFrame, float]:
    """Clips, and the share of crops that get an answer."""
    return by_clip(scores), float(np.mean(scores["cannot_tell"] == ""))


def _named(left_out: dict[str, str]) -> str:
    """Which clips are left out, and why, in a line."""
    reasons = [f"{clip}: {reason}" for clip, reason in left_out.items()]
    return f"{'1 clip is' if len(reasons) == 1 else f'{len(reasons)} clips are'} left out: {first_of(reasons)}"


def _measured(
    clips: pd.DataFrame, coverage: float, plain: pd.DataFrame, detector: Detector, config: RobustnessConfig
) -> dict[str, Any]:
    """The fields of a `Measurement`."""
    threshold = detector.decision.threshold
    gap = compare(clips, plain, (threshold, threshold), config.replicates)["auc"]
    measured = with_intervals(clips, threshold, config.replicates)
    measured |= {"coverage": coverage, "auc_change": gap["difference"], "auc_change_interval": gap["interval"]}
    return {field.name: measured[field.name] for field in fields(Measurement)}
