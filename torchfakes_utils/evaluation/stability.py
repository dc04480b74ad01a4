"""Steady answers: how many verdicts on a photo turn when somebody resizes it, crops off a line, mirrors or saves it.

None of that makes a real photo a fake. Each photo, a frame of a film, goes the whole way again: the face is found
anew, for that is where much of the turning came from (`faces.steadying` keeps boxes where they are), cut out, judged
and compared with the limits of a photo.

It is the near search of `predict`, for the one face that the table names; not looked for are small and far faces.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from PIL import Image
from tqdm import tqdm

from torchfakes_utils.crops.table import limit_frames
from torchfakes_utils.errors import InputError
from torchfakes_utils.evaluation.config import Scoring, StabilityConfig
from torchfakes_utils.evaluation.films import (
    SHARED,
    SQUARE,
    ClipKey,
    Films,
    by_clip_of,
    check_crop,
    check_frames,
    clip_name,
    shared,
    why,
)
from torchfakes_utils.evaluation.kept import Kept, films_digest, identity_of
from torchfakes_utils.evaluation.results import Stability, Turning
from torchfakes_utils.faces.config import DEFAULTS
from torchfakes_utils.faces.detection import FaceDetector, square_crop, squares
from torchfakes_utils.faces.quality import crop_qualities, percent_outside
from torchfakes_utils.faces.steadying import steadied
from torchfakes_utils.faces.tracking import detect_twice
from torchfakes_utils.io.clips import frames_at
from torchfakes_utils.io.machine import torch_device
from torchfakes_utils.io.tables import CLIP_KEY
from torchfakes_utils.metrics.band import exact_interval
from torchfakes_utils.metrics.people import PERSON_COLUMNS, units
from torchfakes_utils.models.decision import CANNOT_TELL, DISTANCE, FAKE, REAL
from torchfakes_utils.models.detector import Detector
from torchfakes_utils.models.likeness import measured

logger = logging.getLogger(__name__)

# (H, W, 3) uint8, RGB.
Picture = np.ndarray

# Clips between two times at which what is done is kept.
_WINDOW = 16
# Of what is kept of measurements: it changes with what they mean.
_FORMAT = 1
_ALL = "all changes"


@dataclass(frozen=True)
class PhotoChange:
    """Something that is done to photos and says nothing of whether they are real.

    Attributes:
        name: for people.
        apply: the picture, changed.
        moved: where x or y (N, 2) of a picture of some width and height (2,) lie in the changed one.
    """

    name: str
    apply: Callable[[Picture], Picture]
    moved: Callable[[np.ndarray, np.ndarray], np.ndarray]


def _resized(factor: float) -> PhotoChange:
    def edges(size: np.ndarray) -> np.ndarray:
        return np.maximum(1, np.rint(size * factor)).astype(int)

    def apply(picture: Picture) -> Picture:
        size = edges(np.array(picture.shape[1::-1]))
        return np.asarray(Image.fromarray(picture).resize(tuple(size.tolist()), Image.Resampling.LANCZOS))

    return PhotoChange(f"resized to {factor:g}", apply, lambda points, size: points * edges(size) / size)


def _shifted(lines: int) -> PhotoChange:
    name = f"without its first {f'{lines} rows' if lines > 1 else 'row'} and column{'s' if lines > 1 else ''}"
    return PhotoChange(
        name, lambda picture: np.ascontiguousarray(picture[lines:, lines:]), lambda points, size: points - lines
    )


def _saved_again(picture: Picture) -> Picture:
    file = BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=90)
    return np.asarray(Image.open(file).convert("RGB"))


CHANGES: dict[str, PhotoChange] = {
    **{f"resized_{factor:g}": _resized(factor) for factor in (0.8, 0.9, 1.1, 1.25)},
    **{f"shifted_{lines}": _shifted(lines) for lines in (1, 2, 3)},
    "mirrored": PhotoChange(
        "mirrored",
        lambda picture: np.ascontiguousarray(picture[:, ::-1]),
        lambda points, size: points * [-1, 1] + [size[0], 0],
    ),
    "jpeg_90": PhotoChange("saved as JPEG of quality 90", _saved_again, lambda points, size: points),
}
_PLAIN = "plain"
_AS_IT_IS = PhotoChange("as it is", lambda picture: picture, lambda points, size: points)


@dataclass(frozen=True)
class PhotoAnswer:
    """What is said of the table's face in one photo.

    Attributes:
        verdict: "fake", "real" or "cannot tell".
        probability_fake: None where the face is not found.
    """

    verdict: str
    probability_fake: float | None = None


def stability(
    detector: Detector,
    faces: pd.DataFrame,
    films: Films,
    config: StabilityConfig = StabilityConfig(),
    scoring: Scoring = Scoring(),
    kept: Path | None = None,
    face_detector: Callable[[str], FaceDetector] = FaceDetector,
) -> Stability:
    """Measure how many verdicts on photos turn.

    Args:
        detector: any.
        faces: from `load_faces`.
        films: that the crops were cut from; frames of them are the photos.
        config: how many of each.
        scoring: `device` and `progress` count here.
        kept: a file in which answers are kept, clip by clip, so that a second call goes on where the first was stopped;
            it is begun anew for another detector, other crops or films, or another configuration.
        face_detector: makes what finds the faces, for a device.

    Returns:
        Each change, and all together. A clip whose film is gone or has changed is left out, and named.
    """
    if films.reason:
        return Stability(films.reason)
    faces = limit_frames(faces, config.frames)
    identity = identity_of(detector, faces, asdict(config) | {"films": films_digest(films)}, _FORMAT)
    done = Kept(kept, identity)
    judge = PhotoJudge(detector, scoring.device, face_detector)
    left_out: dict[str, str] = {}
    waiting: dict[str, dict[str, Any]] = {}
    clips = by_clip_of(faces)
    for clip, rows in tqdm(clips, desc="steady", unit="clip", leave=False, disable=None if scoring.progress else True):
        name = clip_name(clip)
        if name in done.rows:
            continue
        path = None
        try:
            path = films.path(clip)
            waiting[name] = _answers(path, rows, judge)
        except InputError as error:
            left_out[name] = why(error, path)
        if len(waiting) == _WINDOW:
            done.add(waiting)
            waiting = {}
    done.add(waiting)
    if left_out:
        logger.warning("stability: %d clips are left out, such as %s: %s", len(left_out), *next(iter(left_out.items())))
    return _summed_up(_table(clips, done.rows), left_out)


class PhotoJudge:
    """The whole way of a photo, for one face whose place is known."""

    def __init__(
        self, detector: Detector, device: str = "auto", face_detector: Callable[[str], FaceDetector] = FaceDetector
    ) -> None:
        """Put the detector on a device, and load what finds faces beside it."""
        self._detector, self._device = detector.to(torch_device(device)), torch_device(device)
        self._finder = face_detector(device)

    def __call__(self, picture: Picture, square: np.ndarray) -> PhotoAnswer:
        """The verdict on the face in a square, x1 y1 x2 y2 (4,), of a picture."""
        box = self._found(picture, square)
        if box is None:
            return PhotoAnswer(CANNOT_TELL)
        preprocessing, decision = self._detector.preprocessing, self._detector.decision
        crop = square_crop(picture, box, preprocessing.crop_scale, preprocessing.crop_size)[0].transpose(2, 0, 1)[None]
        images = torch.from_numpy(np.ascontiguousarray(crop)).to(self._device)
        logit, distance = self._detector.answers(preprocessing.apply(images)).cpu().double().numpy()[0]
        outside = percent_outside(squares(box[None], preprocessing.crop_scale), (picture.shape[0], picture.shape[1]))
        qualities = crop_qualities(crop, outside, np.array([(box[2:] - box[:2]).max()])).iloc[0].to_dict()
        qualities[DISTANCE] = float(measured(np.array([distance]), self._detector.likeness)[0])
        score = decision.probability([logit])
        answer = np.nan if decision.outside(qualities) else decision.band(1).answers(score)[0]
        return PhotoAnswer(CANNOT_TELL if np.isnan(answer) else FAKE if answer else REAL, float(score[0]))

    def _found(self, picture: Picture, square: np.ndarray) -> np.ndarray | None:
        """The box of the face in a square; None where none is found there."""
        found = detect_twice(self._finder, [picture])[0]
        boxes = found.boxes[found.probabilities >= DEFAULTS.min_probability]
        inside, overlaps = shared(boxes, square)
        if not (inside >= SHARED).any():
            return None
        box = boxes[np.argmax(np.where(inside >= SHARED, overlaps, -1))]
        steady: np.ndarray = steadied(picture, box[None], self._finder.offsets)[0]
        return steady


def _answers(path: Path, rows: pd.DataFrame, judge: PhotoJudge) -> dict[str, Any]:
    """By change what is said of each photo of a clip.

    Raises:
        InputError: the film cannot be read, or is not the one that the crops were cut from.
    """
    check_frames(path, rows)
    read = dict(frames_at(path, rows["frame"].tolist(), threads=1))
    answers: dict[str, list[dict[str, Any]]] = {}
    for _, row in rows.iterrows():
        if (picture := read.get(int(row["frame"]))) is None:
            raise InputError(f"its frame {int(row['frame'])} cannot be decoded")
        check_crop(picture, row)
        square = row[SQUARE].to_numpy(float)
        for name, change in {_PLAIN: _AS_IT_IS, **CHANGES}.items():
            corners = change.moved(square.reshape(2, 2), np.array(picture.shape[1::-1]))
            place = np.concatenate([corners.min(axis=0), corners.max(axis=0)])
            answers.setdefault(name, []).append(asdict(judge(change.apply(picture), place)))
    return answers


def _table(clips: Sequence[tuple[ClipKey, pd.DataFrame]], answers: dict[str, dict[str, Any]]) -> pd.DataFrame:
    """A row a photo and change, of the clips that were judged, with `person`, which is numbered."""
    rows = []
    for clip, own in clips:
        for change, given in answers.get(clip_name(clip), {}).items():
            people = {name: own[name].iloc[0] for name in PERSON_COLUMNS if name in own}
            for photo, answer in enumerate(given):
                key = dict(zip(CLIP_KEY, clip, strict=True))
                rows.append({**key, **people, "photo": photo, "change": change, **answer})
    table = pd.DataFrame(rows, columns=None if rows else [*CLIP_KEY, "photo", "change", "verdict", "probability_fake"])
    return table.assign(person=units(table), probability_fake=table["probability_fake"].astype(float))


def _summed_up(table: pd.DataFrame, left_out: dict[str, str]) -> Stability:
    plain = table[table["change"] == _PLAIN]
    seen = plain[plain["probability_fake"].notna()]
    if not len(seen):
        first = next(iter(left_out.items()), ("", "no face is found in any photo"))
        return Stability(f"no photo can be used ({': '.join(filter(None, first))})", no_face=len(plain),
                         left_out=left_out)  # fmt: skip
    key = [*CLIP_KEY, "photo"]
    pairs = table[table["change"] != _PLAIN].merge(seen.drop(columns=["change", "person"]), on=key, suffixes=("", "_0"))
    return Stability(
        reason=None,
        photos=len(seen),
        people=int(seen["person"].nunique()),
        answered=int((seen["verdict"] != CANNOT_TELL).sum()),
        no_face=len(plain) - len(seen),
        left_out=left_out,
        changes={name: _turning(one.name, pairs[pairs["change"] == name]) for name, one in CHANGES.items()},
        overall=_turning(_ALL, pairs),
    )


def _turning(name: str, pairs: pd.DataFrame) -> Turning:
    """Of photos, as they are (`_0`) and changed, a row each, how many turn."""
    other = pairs["verdict"] != pairs["verdict_0"]
    contrary = other & (pairs["verdict"] != CANNOT_TELL) & (pairs["verdict_0"] != CANNOT_TELL)
    by_person = pd.DataFrame({"turned": contrary, "any": other}).groupby(pairs["person"]).mean()
    turned, people = float(by_person["turned"].mean()), len(by_person)
    found = pairs[pairs["probability_fake"].notna()]
    difference = (found["probability_fake"] - found["probability_fake_0"]).abs().mean()
    return Turning(
        name, len(pairs), len(pairs) - len(found), turned, exact_interval(turned * people, people),
        float(by_person["any"].mean()), float(difference) if len(found) else None,
    )  # fmt: skip
