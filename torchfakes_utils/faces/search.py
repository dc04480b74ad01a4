"""Everybody in a file: found near and far, followed through each shot, known again across cuts, and cut out.

It is how `predict` finds faces in what somebody hands over, and how `evaluate` finds them in films without their table.
"""

import dataclasses
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from torchfakes_utils.faces.config import ExtractionConfig
from torchfakes_utils.faces.detection import Detections, FaceDetector, square_crop
from torchfakes_utils.faces.people import people
from torchfakes_utils.faces.steadying import steadied
from torchfakes_utils.faces.thumbnails import thumbnail
from torchfakes_utils.faces.tracking import Track, detect_twice, track_everyone
from torchfakes_utils.io.media import Media
from torchfakes_utils.io.video import spread

# Faces are first looked for as in training, then for those of people who are farther away than in the clips of
# FaceForensics++: beside the others, or where there are no others. In a picture of many lines a face may be smaller
# still and yet large enough to be judged.
CLOSE_UP = ExtractionConfig()
FAR_AWAY = dataclasses.replace(CLOSE_UP, min_face=0.05)
FARTHER = dataclasses.replace(CLOSE_UP, min_face=0.025)
FARTHER_FROM = 1200  # lines of a photo, from which on
# How sure a face has to be that is found far away beside others: of small places that look like one there are many.
FAR_PROBABILITY = 0.98

# Frames of a film in which far faces are looked for beside near ones: each takes as long as nine frames do near by.
_FAR_FRAMES, _FAR_EACH = 12, 2

# People who are judged in one file, the most prominent; and crops of all of them.
MOST_PEOPLE = 32
_MOST_CROPS = 256

# A detector of faces with these settings, on that device.
MakeDetector = Callable[[str, ExtractionConfig], FaceDetector]


@dataclass(frozen=True)
class Found:
    """The people in a file, not judged yet.

    Attributes:
        media: the file.
        people: the appearances of each, one in a shot; the most prominent person first.
        crops: (S, S, 3) uint8 RGB, of all appearances of all people, one after the other.
        size: height and width of the pictures, pixels.
        others: how many people there are beside these.
    """

    media: Media
    people: list[list[Track]]
    crops: list[np.ndarray]
    size: tuple[int, int]
    others: int = 0

    def without_pictures(self) -> "Found":
        """The same, for whoever keeps it: nothing more is cut out of them."""
        return dataclasses.replace(self, media=dataclasses.replace(self.media, pictures=[]))


def face_detectors(device: str, make: MakeDetector = FaceDetector) -> list[FaceDetector]:
    """For who is near, far, and farther in a large photo, as `find_people` takes them."""
    return [make(device, config) for config in (CLOSE_UP, FAR_AWAY, FARTHER)]


def find_people(
    media: Media,
    detectors: Sequence[FaceDetector],
    crop_scale: float = CLOSE_UP.crop_scale,
    crop_size: int = CLOSE_UP.size,
    patience: float = math.inf,
) -> Found:
    """Everybody in a file.

    Args:
        media: the file.
        detectors: from `face_detectors`.
        crop_scale, crop_size: how crops are cut, see `square_crop`.
        patience: seconds that it may take.

    Raises:
        InputError: it takes longer.
    """
    for detector in detectors:
        detector.until = time.monotonic() + patience
    detections = _detections(media, detectors)
    thumbnails = [thumbnail(picture) for picture in media.pictures]
    height, width = media.pictures[0].shape[:2]
    tracks = track_everyone(media.indices, detections, thumbnails, (height, width), media.shots, media.insets)
    found = people(tracks, media.indices, thumbnails, height, media.shots)
    judged = _thinned(found[:MOST_PEOPLE])
    if len(media.pictures) == 1:  # in a film the mean over frames is steadier than any box
        judged = [[_steadied(media.pictures[0], track, detectors[0]) for track in person] for person in judged]
    picture = dict(zip(media.indices.tolist(), media.pictures, strict=True))
    crops = [
        square_crop(picture[int(frame)], box, crop_scale, crop_size)[0]
        for person in judged
        for track in person
        for frame, box in zip(track.frames, track.boxes, strict=True)
    ]
    return Found(media, judged, crops, (height, width), len(found) - len(judged))


def _steadied(picture: np.ndarray, track: Track, detector: FaceDetector) -> Track:
    return dataclasses.replace(track, boxes=steadied(picture, track.boxes, detector.offsets))


def _detections(media: Media, detectors: Sequence[FaceDetector]) -> list[Detections]:
    near, *others = detectors
    detections = detect_twice(near, media.pictures, shots=media.shots)
    if not others:
        return detections
    one = len(media.pictures) == 1
    far = others[-1] if one and min(media.pictures[0].shape[:2]) >= FARTHER_FROM else others[0]
    if not any((found.probabilities >= CLOSE_UP.min_probability).any() for found in detections):
        return detect_twice(far, media.pictures, shots=media.shots)
    places = [0] if one else _far_places(media.shots)
    for place, found in zip(places, far.detect([media.pictures[place] for place in places]), strict=True):
        detections[place] = _with_others(detections[place], found)
    return detections


def _far_places(shots: np.ndarray) -> list[int]:
    """Where to look for far faces: in two frames of each shot, where these are not too many."""
    places = []
    for shot in np.unique(shots):
        own = np.flatnonzero(shots == shot)
        places += own[spread(_FAR_EACH, len(own))].tolist()
    return [places[at] for at in spread(_FAR_FRAMES, len(places)).tolist()]


def _with_others(near: Detections, far: Detections) -> Detections:
    """The faces that were found near, and those found far that are not among them, or not for sure."""
    far = far.only(np.flatnonzero(far.probabilities >= FAR_PROBABILITY))
    weak = near.probabilities < CLOSE_UP.min_probability
    near = near.only([face for face, box in enumerate(near.boxes) if not (weak[face] and _covered(box, far.boxes))])
    new = far.only([face for face, box in enumerate(far.boxes) if not _covered(box, near.boxes)])
    both = zip(vars(near).values(), vars(new).values(), strict=True)
    return Detections(*(np.concatenate(parts) for parts in both))


def _covered(box: np.ndarray, others: np.ndarray) -> bool:
    """Whether half of a box, or of one of the others, is the same place."""
    sides = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    areas = np.minimum((box[2:] - box[:2]).prod(), (others[:, 2:] - others[:, :2]).prod(axis=1))
    return bool((np.clip(sides, 0, None).prod(axis=1) > areas / 2).any())


def _thinned(found: list[list[Track]]) -> list[list[Track]]:
    """The same people, in fewer frames where all together are too many."""
    most = max(3, _MOST_CROPS // max(1, len(found)))
    thinned = []
    for person in found:
        counts = [len(track) for track in person]
        kept = np.zeros(sum(counts), bool)
        kept[spread(most, len(kept))] = True
        parts = np.split(kept, np.cumsum(counts)[:-1])
        thinned.append([_only(track, part) for track, part in zip(person, parts, strict=True) if part.any()])
    return thinned


def _only(track: Track, kept: np.ndarray) -> Track:
    return Track(*(values[kept] for values in vars(track).values()))
