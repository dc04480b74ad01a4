"""One face through a clip: which detection is the same person, and what lies in a gap.

Faces are linked by where they are, not by what they look like: frames are taken from one shot, in order, and a head
does not change places with its neighbour. Nobody is followed across a cut. What a picture shows is only asked where a
face was *not* found: a gap is filled where the picture there still looks like the face before or after it.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from torchfakes_utils.faces.config import DEFAULTS
from torchfakes_utils.faces.detection import Detections, FaceDetector
from torchfakes_utils.faces.thumbnails import likeness
from torchfakes_utils.io.insets import is_cut_off

DETECTED, INTERPOLATED, REUSED = "detected", "interpolated", "reused"

# Where no face is found, a second look takes so many times the lines: before a frame is given up it may cost more.
FINER = 4.0

# Of a film, a face is believed that is found twice in a shot, or once by so much: a fold of a curtain that looks like a
# face in one frame does not do so in the next.
_VERY_SURE = 0.995

# A gap is filled if it is no longer than this (in frames looked at), …
_LONGEST_GAP = 4
# … if the place looks like the face beside the gap (on Mini-FF++, c23 and c40, true faces in gaps of up to a third of a
# second have 0.66 and more, in gaps of two thirds most have; the wall behind somebody who left has 0.26 at most), …
_LEAST_LIKENESS = 0.5
# … and lies in the picture, but for this share of its area.
_MOST_OUTSIDE = 0.1


# A face through some frames: place of the frame -> place of the face among those found in it.
_Faces = dict[int, int]


@dataclass(frozen=True)
class Track:
    """One face through some frames of a clip; N frames, in order.

    Attributes:
        frames: (N,) indices of the frames in which the face is known.
        boxes: (N, 4) float32, x1 y1 x2 y2 in pixels of the full frame.
        landmarks: (N, 5, 2) float32, in pixels of the full frame.
        probabilities: (N,) float32; of an interpolated face the lower of its neighbours'.
        found: (N,) text, "detected", "interpolated" or "reused".
    """

    frames: np.ndarray
    boxes: np.ndarray
    landmarks: np.ndarray
    probabilities: np.ndarray
    found: np.ndarray

    def __len__(self) -> int:
        return len(self.frames)

    @classmethod
    def of(
        cls, frames: ArrayLike, boxes: ArrayLike, landmarks: ArrayLike, probabilities: ArrayLike, found: ArrayLike
    ) -> "Track":
        """From lists, also such as `to_json` gives."""
        return cls(
            np.asarray(frames, np.int64),
            np.asarray(boxes, np.float32).reshape(-1, 4),
            np.asarray(landmarks, np.float32).reshape(-1, 5, 2),
            np.asarray(probabilities, np.float32),
            np.asarray(found, object),
        )

    def to_json(self) -> dict[str, list[Any]]:
        """As `json.dumps` takes it; numbers come back exactly."""
        return {name: value.tolist() for name, value in vars(self).items()}

    def reused(self) -> "Track":
        """The same for a fake whose frames show the same; what is interpolated stays so."""
        return replace(self, found=np.where(self.found == INTERPOLATED, INTERPOLATED, REUSED).astype(object))


def follow(
    detections: Sequence[Detections],
    min_probability: float = DEFAULTS.min_probability,
    shots: np.ndarray | None = None,
) -> list[int | None]:
    """Choose one face and follow it through a shot.

    The largest face of each frame by itself would jump from one person to the other. So all faces are linked into
    tracks, each to the nearest face seen before, and the one with most area times probability over the clip wins.

    Args:
        detections: of a clip's frames, in order.
        min_probability: a track counts if its surest face reaches this. The others of it need not: a face that is
            half turned away is the same face, if it is where it has to be.
        shots: (N,) which shot each frame belongs to; all to one where not given.

    Returns:
        For each frame the index of the followed face among its detections, or None where that face is lost.
    """
    tracks = [track for at in _by_shot(shots, len(detections)) for track in _tracks(detections, at)]
    sure = [track for track in tracks if _surest(track, detections) >= min_probability]
    best = max(sure, key=lambda track: _prominence(track, detections), default={})
    return [best.get(frame) for frame in range(len(detections))]


def _by_shot(shots: np.ndarray | None, count: int) -> list[list[int]]:
    """The places of the frames of each shot."""
    if shots is None:
        return [list(range(count))]
    return [np.flatnonzero(shots == shot).tolist() for shot in np.unique(shots)]


def _tracks(
    detections: Sequence[Detections],
    places: Sequence[int],
    is_other: Callable[[int, int, np.ndarray], bool] = lambda before, after, box: False,
) -> list[_Faces]:
    """All faces in some frames, linked; `is_other` says whether a box of one place shows something else at another."""
    tracks: list[_Faces] = []
    last: list[np.ndarray] = []  # the box of each, where it was seen last
    for place in places:
        boxes = detections[place].boxes
        free = set(range(len(boxes)))
        still = [
            np.full(4, np.nan) if is_other(max(track), place, box) else box  # it is near nothing
            for track, box in zip(tracks, last, strict=True)
        ]
        for track, face in _links(still, boxes):
            tracks[track][place], last[track] = face, boxes[face]
            free.remove(face)
        tracks += [{place: face} for face in sorted(free)]
        last += [boxes[face] for face in sorted(free)]
    return tracks


def _surest(track: _Faces, detections: Sequence[Detections]) -> float:
    return max(float(detections[place].probabilities[face]) for place, face in track.items())


def _prominence(track: _Faces, detections: Sequence[Detections]) -> float:
    faces = [detections[place].only([face]) for place, face in track.items()]
    return sum(float(face.probabilities[0] * np.prod(face.boxes[0, 2:] - face.boxes[0, :2])) for face in faces)


def detect_twice(
    detector: FaceDetector,
    frames: Sequence[np.ndarray],
    min_probability: float = DEFAULTS.min_probability,
    shots: np.ndarray | None = None,
) -> list[Detections]:
    """The faces in a clip's frames, (H, W, 3) uint8 RGB; a second, closer look where a shot's main one is lost."""
    detections = detector.detect(frames)
    lost = []
    for places in _by_shot(shots, len(frames)):
        chosen = follow([detections[place] for place in places], min_probability)
        lost += [place for place, face in zip(places, chosen, strict=True) if face is None]
    for at, found in zip(lost, detector.detect([frames[at] for at in lost], finer=FINER), strict=True):
        detections[at] = found
    return detections


def track_everyone(
    frames: np.ndarray,
    detections: Sequence[Detections],
    thumbnails: Sequence[np.ndarray],
    size: tuple[int, int],
    shots: np.ndarray | None = None,
    insets: np.ndarray | None = None,
) -> list[Track]:
    """Every appearance of a person in a shot, the most prominent first; the arguments are those of `track_face`.

    Who is seen in one frame of several is believed only where the face detector is very sure. Nobody is followed where
    the part of the picture is cut in which they are; `insets` is what `insets.find_inset_cuts` gives.
    """

    def is_other(before: int, after: int, box: np.ndarray) -> bool:
        return insets is not None and is_cut_off(insets, int(frames[before]), int(frames[after]), box, size)

    tracks = []
    lone = _VERY_SURE if len(frames) > 1 else DEFAULTS.min_probability
    for places in _by_shot(shots, len(frames)):
        for faces in _tracks(detections, places, is_other):
            if _surest(faces, detections) >= (DEFAULTS.min_probability if len(faces) > 1 else lone):
                track = _filled(faces, frames, detections, thumbnails, size, places)
                tracks.append((_prominence(faces, detections), track))
    return [track for _, track in sorted(tracks, key=lambda one: -one[0])]


def track_face(
    frames: np.ndarray,
    detections: Sequence[Detections],
    thumbnails: Sequence[np.ndarray],
    size: tuple[int, int],
    min_probability: float = DEFAULTS.min_probability,
    shots: np.ndarray | None = None,
) -> Track:
    """Follow one face and fill its gaps.

    A face that is not found in a frame or two, between frames in which it is, mostly blinked, turned or was smeared by
    compression. Its place is then interpolated from the frames before and after, and marked as such, if the gap is
    short, the place lies in the picture, and the picture there looks like the face.

    Args:
        frames: (N,) indices of the frames looked at, increasing.
        detections: what was found in each.
        thumbnails: each frame's `thumbnail`.
        size: height and width of the full frames.
        min_probability, shots: see `follow`.

    Returns:
        The track; of length 0 where there is no face.
    """
    chosen = follow(detections, min_probability, shots)
    faces = {at: face for at, face in enumerate(chosen) if face is not None}
    return _filled(faces, frames, detections, thumbnails, size, range(len(detections)))


def _filled(
    track: _Faces,
    frames: np.ndarray,
    detections: Sequence[Detections],
    thumbnails: Sequence[np.ndarray],
    size: tuple[int, int],
    places: Sequence[int],
) -> Track:
    """The track of some faces of one shot, with those in short gaps that the picture shows to be there."""
    known = {at: detections[at].only([index]) for at, index in sorted(track.items())}
    filled: dict[int, Detections] = {}
    for before, after in itertools.pairwise(known):
        gap = [at for at in places if before < at < after]
        for at in gap if len(gap) <= _LONGEST_GAP else ():
            share = (frames[at] - frames[before]) / (frames[after] - frames[before])
            face = _between(known[before], known[after], share)
            scale = thumbnails[at].shape[0] / size[0]
            neighbours = [(thumbnails[side], known[side].boxes[0] * scale) for side in (before, after)]
            box = face.boxes[0]
            if _inside(box, size) and likeness(thumbnails[at], box * scale, neighbours) >= _LEAST_LIKENESS:
                filled[at] = face
    faces = dict(sorted((known | filled).items()))
    return Track.of(
        [frames[at] for at in faces],
        [face.boxes for face in faces.values()],
        [face.landmarks for face in faces.values()],
        [face.probabilities[0] for face in faces.values()],
        [INTERPOLATED if at in filled else DETECTED for at in faces],
    )


def face_near(track: Track, frame: int, found: Detections) -> Track | None:
    """Of the faces found in a frame, the one that continues a track that has none there; None if none does."""
    after = int(np.searchsorted(track.frames, frame))
    neighbours = [track.boxes[at] for at in (after - 1, after) if 0 <= at < len(track)]
    links = [link for box in neighbours for link in _links([box], found.boxes)]
    if not links:
        return None
    face = found.only([links[0][1]])
    return Track.of([frame], face.boxes, face.landmarks, face.probabilities, [DETECTED])


def _between(before: Detections, after: Detections, share: float) -> Detections:
    return Detections(
        (1 - share) * before.boxes + share * after.boxes,
        np.minimum(before.probabilities, after.probabilities),
        (1 - share) * before.landmarks + share * after.landmarks,
    )


def _inside(box: np.ndarray, size: tuple[int, int]) -> bool:
    x1, y1, x2, y2 = box
    seen = max(0.0, min(x2, size[1]) - max(x1, 0)) * max(0.0, min(y2, size[0]) - max(y1, 0))
    return bool(seen >= (1 - _MOST_OUTSIDE) * max(1e-6, (x2 - x1) * (y2 - y1)))


def _links(last: list[np.ndarray], boxes: np.ndarray) -> list[tuple[int, int]]:
    """Pairs of (track, box) that show the same face, each track and each box at most once, the nearest first.

    Nearness is the distance of the centres over the mean edge: frames are far apart in time, so that a moving head
    may not overlap with itself any more, but it does not change places with its neighbour.
    """
    if not last or not len(boxes):
        return []
    centre_a, edge_a = _centre_and_edge(np.stack(last))
    centre_b, edge_b = _centre_and_edge(boxes)
    edges = (edge_a[:, None] + edge_b[None]) / 2
    distance = np.linalg.norm(centre_a[:, None] - centre_b[None], axis=2) / edges
    ratio = np.maximum(edge_a[:, None] / edge_b[None], edge_b[None] / edge_a[:, None])
    distance[(distance > 0.8) | (ratio > 2)] = np.inf
    tracks, faces = np.nonzero(np.isfinite(distance))
    links: dict[int, int] = {}
    for pair in np.argsort(distance[tracks, faces], kind="stable").tolist():
        track, face = int(tracks[pair]), int(faces[pair])
        if track not in links and face not in links.values():
            links[track] = face
    return list(links.items())


def _centre_and_edge(boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], 1e-6)
    return (boxes[:, :2] + boxes[:, 2:]) / 2, sides.max(axis=1)
