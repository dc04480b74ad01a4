"""The same clips with the face found in each film by itself: what it is worth that a fake has its original's box.

Extraction cuts a fake where its original's face is, if the two films show the same: one framing for both, so that a
network cannot tell them by how they are cut. Whoever judges a film has no original. So each such fake is searched here
by extraction's own code, as if its original were not there, in the frames that the table names, and scored again.

It is not yet `predict`'s search, which chooses frames of its own, looks in every shot, also for small and far faces,
and judges everybody whom it finds; here one face is followed, in the table's frames, as if they were of one shot.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
from tqdm import tqdm

from torchfakes_utils.crops.table import read_extraction
from torchfakes_utils.errors import InputError
from torchfakes_utils.evaluation.config import Scoring
from torchfakes_utils.evaluation.films import (
    SQUARE,
    ClipKey,
    Films,
    by_clip_of,
    check_crop,
    check_frames,
    clip_name,
    why,
)
from torchfakes_utils.evaluation.results import Difference, OwnBoxes
from torchfakes_utils.evaluation.scoring import score_crops
from torchfakes_utils.faces.config import DEFAULTS, ExtractionConfig
from torchfakes_utils.faces.detection import FaceDetector, square_crop
from torchfakes_utils.faces.quality import percent_outside
from torchfakes_utils.faces.thumbnails import thumbnail
from torchfakes_utils.faces.tracking import REUSED, detect_twice, track_face
from torchfakes_utils.io.clips import frames_at
from torchfakes_utils.io.tables import CLIP_KEY
from torchfakes_utils.metrics.binary import by_clip
from torchfakes_utils.metrics.intervals import compare
from torchfakes_utils.models.detector import Detector

_CROP_KEY = [*CLIP_KEY, "frame"]

# A detector of faces with these settings, on that device.
MakeDetector = Callable[[str, ExtractionConfig], FaceDetector]


@dataclass
class _Search:
    """What was found so far; `frames` counts those of the clips that show a face somewhere."""

    scores: list[pd.DataFrame] = field(default_factory=list)
    overlaps: list[float] = field(default_factory=list)
    no_face: list[ClipKey] = field(default_factory=list)
    left_out: dict[ClipKey, str] = field(default_factory=dict)
    frames: int = 0


def own_boxes(
    detector: Detector,
    scored: tuple[pd.DataFrame, pd.DataFrame],
    films: Films,
    scoring: Scoring = Scoring(),
    replicates: int = 1000,
    settings: ExtractionConfig = DEFAULTS,
    face_detector: MakeDetector = FaceDetector,
) -> OwnBoxes:
    """Measure a detector with the faces that are found in the films themselves, and as the table has them.

    Args:
        detector: any.
        scored: rows of `load_faces`, and their scores.
        films: that the crops were cut from.
        scoring: how crops are scored.
        replicates: of the bootstrap behind the intervals.
        settings: how faces are found and cut, see `settings_of`.
        face_detector: makes what finds them.

    Returns:
        Both ways, and how far apart. A clip in whose film no face is found, or whose film is gone or has changed, is
        left out of both, and counted.
    """
    faces, scores = scored
    if films.reason:
        return OwnBoxes(films.reason)
    clips = _borrowed(faces)
    if not clips:
        return OwnBoxes("every crop is cut where a face was found in its own film: both ways are one")
    found, finder = _Search(), face_detector(scoring.device, settings)
    for clip, rows in tqdm(clips, desc="own boxes", unit="clip", leave=False, disable=_quiet(scoring)):
        path = None
        try:
            path = films.path(clip)
            own, crops = _cut_alone(path, rows, finder, settings)
        except InputError as error:
            found.left_out[clip] = why(error, path)
            continue
        if not crops:
            found.no_face.append(clip)
            continue
        found.frames += len(rows)
        found.overlaps += _overlaps(own, rows)
        found.scores.append(score_crops(detector, own, crops, Scoring(scoring.batch, scoring.device)))
    return _compared(scores, [clip for clip, _ in clips], found, detector.decision.threshold, replicates)


def settings_of(folder: Path) -> ExtractionConfig:
    """How the crops in `folder` were found and cut, as far as its `extraction.json` says.

    Raises:
        InputError: as `read_extraction`, or a value is out of its range.
    """
    record = read_extraction(folder)
    names = {one.name for one in fields(ExtractionConfig)} - {"compression", "methods", "device", "batch"}
    given: dict[str, Any] = {name: value for name, value in record.items() if name in names}
    return ExtractionConfig(**given)


def _quiet(scoring: Scoring) -> bool | None:
    return None if scoring.progress else True


def _borrowed(faces: pd.DataFrame) -> list[tuple[ClipKey, pd.DataFrame]]:
    """Fakes of which crops are cut where their original's face is, or of which nobody says where from they are."""
    fakes = faces[faces["label"] == 1]
    if "found" in faces:
        fakes = fakes[fakes["found"].eq(REUSED).groupby([fakes[name] for name in CLIP_KEY]).transform("any")]
    return by_clip_of(fakes) if len(fakes) else []


def _cut_alone(
    path: Path, rows: pd.DataFrame, finder: FaceDetector, settings: ExtractionConfig
) -> tuple[pd.DataFrame, list[np.ndarray]]:
    """The rows of a clip's crops whose face is found in the film alone, with its squares, and the crops.

    Raises:
        InputError: the film cannot be read, or is not the one that the crops were cut from.
    """
    check_frames(path, rows)
    place = {int(frame): at for at, frame in enumerate(rows["frame"])}
    read = dict(frames_at(path, sorted(place), threads=1))
    if lost := sorted(set(place) - set(read)):
        raise InputError(f"its frame {lost[0]} cannot be decoded")
    frames = list(read.values())
    if len({frame.shape for frame in frames}) > 1:
        raise InputError("its frames are of several sizes")
    edges = {index: check_crop(frame, rows.iloc[place[index]]) for index, frame in read.items()}
    pictures, shape = [thumbnail(frame) for frame in frames], frames[0].shape[:2]
    detections = detect_twice(finder, frames, settings.min_probability)
    track = track_face(np.array(list(read)), detections, pictures, shape, settings.min_probability)
    crops, squares = [], []
    for index, box in zip(track.frames.tolist(), track.boxes, strict=True):
        crop, square = square_crop(read[index], box, settings.crop_scale, edges[index])
        crops.append(crop)
        squares.append(square)
    own = rows.iloc[[place[index] for index in track.frames.tolist()]].copy()
    own[SQUARE] = np.array(squares, float).reshape(-1, 4)
    return own.assign(outside=percent_outside(own[SQUARE].to_numpy(float), shape)), crops


def _overlaps(own: pd.DataFrame, rows: pd.DataFrame) -> list[float]:
    """Intersection over union of each new square and the table's."""
    new, old = own[SQUARE].to_numpy(float), rows.set_index("frame").loc[own["frame"], SQUARE].to_numpy(float)
    sides = np.minimum(new[:, 2:], old[:, 2:]) - np.maximum(new[:, :2], old[:, :2])
    both = np.clip(sides, 0, None).prod(axis=1)
    areas = [(squares[:, 2:] - squares[:, :2]).prod(axis=1) for squares in (new, old)]
    shares: list[float] = (both / (areas[0] + areas[1] - both)).tolist()
    return shares


def _compared(
    scores: pd.DataFrame, searched: list[ClipKey], found: _Search, threshold: float, replicates: int
) -> OwnBoxes:
    """Both ways on the same clips and frames."""
    left_out = {clip_name(clip): reason for clip, reason in found.left_out.items()}
    no_face = tuple(map(clip_name, found.no_face))
    if not found.scores:
        first = next(iter(left_out.items()), ("", "no face is found in any film"))
        return OwnBoxes(f"no fake can be used ({': '.join(filter(None, first))})", no_face=no_face, left_out=left_out)
    new = pd.concat(found.scores)
    is_searched = pd.MultiIndex.from_frame(scores[CLIP_KEY]).isin(searched)
    own = pd.concat([scores[~is_searched], new])
    stored = scores.merge(own[_CROP_KEY], on=_CROP_KEY)
    own = own.merge(stored[_CROP_KEY], on=_CROP_KEY)
    metrics = compare(by_clip(own), by_clip(stored), (threshold, threshold), replicates)
    return OwnBoxes(
        reason=None,
        clips=len(own.drop_duplicates(CLIP_KEY)),
        crops=len(own),
        searched=len(new.drop_duplicates(CLIP_KEY)),
        no_face=no_face,
        no_face_crops=found.frames - len(new),
        overlap=float(np.median(found.overlaps)),
        left_out=left_out,
        metrics=msgspec.convert(metrics, dict[str, Difference]),
    )
