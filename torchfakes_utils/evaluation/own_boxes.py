"""The same clips as `predict` would see them: what it is worth that a table cuts a fake where its original's face is.

Extraction cuts a fake where its original's face is, if the two films show the same: one framing for both, so that a
network cannot tell them by how they are cut. Whoever judges a film has no original. So films, real and fake, are opened
here as `predict` opens them, in frames of its choice, searched by its own search (`faces.search`), and scored again.

Who is found may be several people, of whom the table names one: the one nearest its squares counts. Of a large data
set some clips are taken, as many real as fake, and of each manipulation as many.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec
import numpy as np
import pandas as pd
from tqdm import tqdm

from torchfakes_utils.errors import InputError
from torchfakes_utils.evaluation.config import OwnBoxesConfig, Scoring
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
from torchfakes_utils.evaluation.results import Difference, OwnBoxes
from torchfakes_utils.evaluation.scoring import score_crops
from torchfakes_utils.faces.detection import FaceDetector, check_size, squares
from torchfakes_utils.faces.quality import percent_outside
from torchfakes_utils.faces.search import Found, MakeDetector, face_detectors, find_people
from torchfakes_utils.io.clips import frames_at, read_spread
from torchfakes_utils.io.limits import Limits
from torchfakes_utils.io.machine import torch_device
from torchfakes_utils.io.media import VIDEO, Media
from torchfakes_utils.io.reader import Reader
from torchfakes_utils.io.tables import CLIP_KEY
from torchfakes_utils.io.video import spread
from torchfakes_utils.metrics.binary import by_clip
from torchfakes_utils.metrics.config import FRAMES
from torchfakes_utils.metrics.intervals import compare, intervals
from torchfakes_utils.models.detector import Detector

logger = logging.getLogger(__name__)

_LIMITS = Limits(adjustable=False)

# By what clips are taken evenly; the data sources of real ones are methods, too.
_KINDS = ["label", "method", "compression"]


@dataclass
class _Search:
    """What was found so far; `crowded` are clips with several people."""

    scores: list[pd.DataFrame] = field(default_factory=list)
    overlaps: list[float] = field(default_factory=list)
    no_face: list[ClipKey] = field(default_factory=list)
    left_out: dict[ClipKey, str] = field(default_factory=dict)
    crowded: int = 0


@dataclass(frozen=True)
class _Person:
    """The table's person, as the film shows them.

    Attributes:
        rows: a row a crop, as in `faces.csv`.
        crops: (S, S, 3) uint8 RGB, of each.
        overlaps: intersection over union of each of the table's squares with that in the nearest frame looked at.
    """

    rows: pd.DataFrame
    crops: list[np.ndarray]
    overlaps: list[float]


def own_boxes(
    detector: Detector,
    scored: tuple[pd.DataFrame, pd.DataFrame],
    films: Films,
    config: OwnBoxesConfig = OwnBoxesConfig(),
    scoring: Scoring = Scoring(),
    replicates: int = 1000,
    face_detector: MakeDetector = FaceDetector,
) -> OwnBoxes:
    """Measure a detector with the faces that `predict` finds in the films themselves, and as the table has them.

    Args:
        detector: any.
        scored: rows of `load_faces`, and their scores.
        films: that the crops were cut from.
        config: how many clips are taken.
        scoring: how crops are scored.
        replicates: of the bootstrap behind the intervals.
        face_detector: makes what finds faces.

    Returns:
        Both ways, and how far apart. A clip in whose film nobody is found where the table has its face, or whose film
        is gone, cannot be read or has changed, is left out of both, and named.
    """
    faces, scores = scored
    if films.reason:
        return OwnBoxes(films.reason)
    clips = by_clip_of(faces)
    taken = _taken(clips, config.clips)
    found, search = _Search(), _FilmSearch(detector, scoring.device, face_detector)
    quiet = None if scoring.progress else True
    with closing(search.reader):
        for clip, rows in tqdm(taken, desc="own boxes", unit="clip", leave=False, disable=quiet):
            path = None
            try:
                path = films.path(clip)
                people = search(path, rows)
            except InputError as error:
                found.left_out[clip] = why(error, path)
                continue
            found.crowded += len(people.people) + people.others > 1
            person = _nearest(people, rows, detector.preprocessing.crop_scale)
            if person is None:
                found.no_face.append(clip)
                continue
            found.overlaps += person.overlaps
            found.scores.append(
                score_crops(detector, person.rows, person.crops, Scoring(scoring.batch, scoring.device))
            )
    compared = _compared(scores, found, detector.decision.threshold, replicates)
    return replace(compared, of=len(clips), taken=len(taken))


def _taken(clips: Sequence[tuple[ClipKey, pd.DataFrame]], most: int) -> list[tuple[ClipKey, pd.DataFrame]]:
    """So many of the clips at most, evenly over labels, then over methods, and in each by name; always the same."""
    kinds = pd.DataFrame([rows[_KINDS].iloc[0] for _, rows in clips], columns=_KINDS).reset_index(drop=True)
    places: list[int] = []
    labels = [own for _, own in kinds.groupby("label")]
    for own, share in zip(labels, _shared_out(most, [len(own) for own in labels]), strict=True):
        groups = [group.index.to_numpy() for _, group in own.groupby(_KINDS)]
        for group, count in zip(groups, _shared_out(share, [len(group) for group in groups]), strict=True):
            places += group[spread(count, len(group))].tolist() if count else []
    return [clips[at] for at in sorted(places)]


def _shared_out(total: int, sizes: Sequence[int]) -> list[int]:
    """How many each of some groups gives, of `total` in all: as many each, but for those that have not so many."""
    given = [0] * len(sizes)
    left = total
    for waiting, at in zip(range(len(sizes), 0, -1), np.argsort(sizes, kind="stable").tolist(), strict=True):
        given[at] = min(sizes[at], left // waiting)
        left -= given[at]
    return given


class _FilmSearch:
    """Opens a clip as `predict` does, and finds everybody in it.

    Attributes:
        reader: opens films in a process of its own; to be closed.
    """

    def __init__(self, detector: Detector, device: str, face_detector: MakeDetector) -> None:
        self._preprocessing = detector.preprocessing
        self._detectors = face_detectors(str(torch_device(device)), face_detector)
        self.reader = Reader(_LIMITS)

    def __call__(self, path: Path, rows: pd.DataFrame) -> Found:
        """Everybody in a clip, whose crops are `rows`.

        Raises:
            InputError: it cannot be read, or is not the one that the crops were cut from.
        """
        _check_same(path, rows)
        media = _folder(path) if path.is_dir() else self.reader.open_media(path, FRAMES)
        check_size(media.pictures[0], str(path))
        how = self._preprocessing.crop_scale, self._preprocessing.crop_size
        return find_people(media, self._detectors, *how, _LIMITS.patience)


def _check_same(path: Path, rows: pd.DataFrame) -> None:
    """See, by one crop, that a film is the one that the crops were cut from.

    Raises:
        InputError: it is not, or cannot be read.
    """
    check_frames(path, rows)
    row = rows.iloc[len(rows) // 2]
    frame = dict(frames_at(path, [int(row["frame"])], threads=1)).get(int(row["frame"]))
    if frame is None:
        raise InputError(f"its frame {int(row['frame'])} cannot be decoded")
    check_crop(frame, row)


def _folder(path: Path) -> Media:
    """A folder of frames as if it were a film, which `predict` does not take it for."""
    indices, pictures, shots = read_spread(path, FRAMES)
    return Media(str(path), VIDEO, indices, np.zeros(len(indices)), pictures, shots=shots)


def _nearest(found: Found, rows: pd.DataFrame, crop_scale: float) -> _Person | None:
    """Of the people in a clip the one whom its rows in the table show; None where nobody is there.

    Compared are each of the table's squares and where somebody is in the nearest of the frames looked at.
    """
    table, wanted = rows[SQUARE].to_numpy(float), rows["frame"].to_numpy(int)
    near = found.media.indices[np.abs(found.media.indices[:, None] - wanted).argmin(axis=0)].tolist()
    best, most = None, 0.0
    for frames, boxes, crops in _everybody(found):
        place = {frame: at for at, frame in enumerate(frames.tolist())}
        there = np.array([frame in place for frame in near])
        seen = boxes[[place[frame] for frame in near if frame in place]]
        if not len(seen) or np.median(shared(seen, table[there])[0]) < SHARED:
            continue
        cuts = squares(boxes, crop_scale)
        overlaps = shared(squares(seen, crop_scale), table[there])[1]
        if overlaps.sum() > most:
            outside = percent_outside(cuts, found.size)
            own = pd.concat([rows.iloc[:1]] * len(frames), ignore_index=True).assign(frame=frames, outside=outside)
            own[SQUARE] = cuts
            best, most = _Person(own, crops, overlaps.tolist()), overlaps.sum()
    return best


def _everybody(found: Found) -> Iterator[tuple[np.ndarray, np.ndarray, list[np.ndarray]]]:
    """Frames (N,), boxes (N, 4) and crops of each person in a clip."""
    start = 0
    for person in found.people:
        frames = np.concatenate([track.frames for track in person])
        yield frames, np.concatenate([track.boxes for track in person]), found.crops[start : start + len(frames)]
        start += len(frames)


def _compared(scores: pd.DataFrame, found: _Search, threshold: float, replicates: int) -> OwnBoxes:
    """Both ways on the same clips."""
    left_out = {clip_name(clip): reason for clip, reason in found.left_out.items()}
    no_face = tuple(map(clip_name, found.no_face))
    own = by_clip(pd.concat(found.scores)) if found.scores else pd.DataFrame(columns=CLIP_KEY)
    stored = by_clip(scores).merge(own[CLIP_KEY], on=CLIP_KEY)
    own = own.merge(stored[CLIP_KEY], on=CLIP_KEY)  # crops of the table that cannot be read have no score
    if not len(own):
        first = next(iter(left_out.items()), ("", "no face is found in any film"))
        reason = f"no clip can be used ({': '.join(filter(None, first))})"
        return OwnBoxes(reason, crowded=found.crowded, no_face=no_face, left_out=left_out)
    if left_out:
        logger.warning("own boxes: %d clips are left out, such as %s: %s", len(left_out), *next(iter(left_out.items())))
    metrics = compare(own, stored, (threshold, threshold), replicates)
    return OwnBoxes(
        reason=None,
        clips=len(own),
        crops=int(own["frames"].sum()),
        crowded=found.crowded,
        no_face=no_face,
        overlap=float(np.median(found.overlaps)),
        left_out=left_out,
        metrics=msgspec.convert(metrics, dict[str, Difference]),
        intervals=intervals(own, threshold, replicates) or {},
    )
