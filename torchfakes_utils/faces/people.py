"""Who is who across cuts: which appearances in different shots are the same person, as far as a picture can tell.

Nobody is recognised by their face. But a film often returns to a shot that it has left, for an answer or an insert: the
same person then sits before the same wall, nearly as before, and is one person again. Whoever comes back in another way
is counted anew.
"""

from collections.abc import Sequence

import numpy as np

from torchfakes_utils.faces.thumbnails import patch
from torchfakes_utils.faces.tracking import DETECTED, Track

# What is compared: the face, and it with its surroundings; edges of these over the face's.
_SCALES = (1.0, 1.6)
# From so much likeness of both on, it is the same: somebody who returns after an insert has 0.9 and more, other people
# in the same place 0.7 at most, the same person in another moment of a shot mostly 0.5 to 0.85.
_LEAST_LIKENESS = 0.85
# Faces that stand for an appearance: so many of its first, and of its last.
_TELLING = 3


def prominence(track: Track) -> float:
    """How much there is to see of somebody: the sum of area times probability."""
    sides = track.boxes[:, 2:] - track.boxes[:, :2]
    return float((sides.prod(axis=1) * track.probabilities)[track.found == DETECTED].sum())


def people(
    tracks: Sequence[Track], frames: np.ndarray, thumbnails: Sequence[np.ndarray], height: int, shots: np.ndarray
) -> list[list[Track]]:
    """Put the appearances together that show the same person.

    Args:
        tracks: each within one shot.
        frames: (N,) indices of the frames looked at.
        thumbnails: each frame's `thumbnail`.
        height: of the full frames.
        shots: (N,) which shot each frame belongs to.

    Returns:
        Each person's appearances in order, never two of one shot; the most prominent person first.
    """
    place = {frame: at for at, frame in enumerate(frames.tolist())}
    tracks = sorted(tracks, key=lambda track: (int(track.frames[0]), -prominence(track)))
    shot_of = [int(shots[place[int(track.frames[0])]]) for track in tracks]
    likeness = _likeness([_sights(track, place, thumbnails, height) for track in tracks])
    found: list[list[int]] = []
    for number, shot in enumerate(shot_of):
        free = [person for person in found if shot not in (shot_of[other] for other in person)]
        near = max(free, key=lambda person: likeness[number, person].max(), default=None)
        if near is not None and likeness[number, near].max() >= _LEAST_LIKENESS:
            near.append(number)
        else:
            found.append([number])
    appearances = [[tracks[number] for number in person] for person in found]
    return sorted(appearances, key=lambda person: -sum(map(prominence, person)))


def _sights(track: Track, place: dict[int, int], thumbnails: Sequence[np.ndarray], height: int) -> np.ndarray:
    """(K, scales, P) what an appearance looks like, K times."""
    ends = sorted({*range(min(_TELLING, len(track))), *range(max(0, len(track) - _TELLING), len(track))})
    ends = (ends * 2 * _TELLING)[: 2 * _TELLING]  # so that all have as many
    sights = []
    for at in ends:
        picture = thumbnails[place[int(track.frames[at])]]
        box = track.boxes[at] * (picture.shape[0] / height)
        middle, reach = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) / 2
        boxes = (np.concatenate([middle - scale * reach, middle + scale * reach]) for scale in _SCALES)
        sights.append([patch(picture, one).ravel() for one in boxes])
    return np.asarray(sights)


def _likeness(sights: Sequence[np.ndarray]) -> np.ndarray:
    """(T, T) how much appearances are alike where they are most so; see `thumbnails.likeness`."""
    if not sights:
        return np.zeros((0, 0))
    count, each = len(sights), 2 * _TELLING
    least = np.full((count * each, count * each), np.inf, np.float32)
    for scale in range(len(_SCALES)):
        flat = np.concatenate([one[:, scale] for one in sights])
        variance = np.maximum((flat**2).mean(axis=1), 1.0)
        alike = flat @ flat.T / flat.shape[1] / np.maximum(variance[:, None], variance[None])
        least = np.minimum(least, alike)
    return np.asarray(least.reshape(count, each, count, each).max(axis=(1, 3)))
