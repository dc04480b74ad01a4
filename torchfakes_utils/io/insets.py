"""Where a part of a film's picture is cut while the rest goes on: a picture in the picture, one tile of a video call.

No cut of the whole picture tells of it, and who is shown there changes in the same place.
"""

import numpy as np

# Mean difference from which on a part of the picture may be cut, grey levels; of each point that is, …
_LEAST_PART, _LEAST_POINT = 12.0, 6.0
# … and it is so many times what changes there from picture to picture around it, and right before and after it.
_SUDDEN, _AROUND, _ALONE = 4.0, 6, 2.0
# Share of 4 x 4 points side by side that are cut at once, at least: the edge of what moves is narrower. And times at
# which that happens, at most.
_WHOLE, _MOST, _MOST_OF_NINE = 0.85, 500, 5
# Of two pictures that are farther apart, seconds, nothing is known of what lies between.
_APART = 0.5
# Who is in it: of a face and what is around it, by so much of its edge, this share is cut.
_REACH, _SHARE = 1.8, 0.7


def find_inset_cuts(indices: np.ndarray, pictures: np.ndarray, rate: float) -> np.ndarray:
    """Where parts of a film are cut.

    Args:
        indices: (N,) frames that were decoded, increasing.
        pictures: (N, R, C) float32, points of each in grey; R and C even, C at most 62.
        rate: frames a second.

    Returns:
        (M, 1 + R) int64: the last of these frames before the cut, and for each row of points those that are cut, as the
        bits of a number.
    """
    rows, columns = pictures.shape[1:]
    change = np.abs(np.diff(pictures, axis=0))
    near = np.diff(indices) <= _APART * rate
    found = []
    for at in np.flatnonzero((_parts(change) >= _LEAST_PART).any(axis=(1, 2)) & near).tolist():
        cut = _cut_points(at, change, pictures)
        if (_parts(cut[None]) >= _WHOLE).any():
            found.append([int(indices[at]), *(cut @ (1 << np.arange(columns))).tolist()])
    return np.asarray(found[:_MOST], np.int64).reshape(-1, 1 + rows)


def _parts(points: np.ndarray) -> np.ndarray:
    """(N, R, C) of points to the means of all 4 x 4 of them, every two points: (N, R / 2 - 1, C / 2 - 1)."""
    count, rows, columns = points.shape
    halves = points.reshape(count, rows // 2, 2, columns // 2, 2).mean(axis=(2, 4))
    return np.asarray((halves[:, 1:, 1:] + halves[:, 1:, :-1] + halves[:, :-1, 1:] + halves[:, :-1, :-1]) / 4)


def _cut_points(at: int, change: np.ndarray, pictures: np.ndarray) -> np.ndarray:
    """(R, C) which points change suddenly from one picture to the next, and stay so."""
    start = max(at - _AROUND, 0)
    around = np.delete(change[start : at + _AROUND + 1], at - start, axis=0)
    beside = np.concatenate([change[max(at - 2, 0) : at], change[at + 1 : at + 3]])
    if not len(beside):
        return np.zeros(change.shape[1:], bool)
    least = np.maximum(_SUDDEN * np.median(around, axis=0), _ALONE * beside.max(axis=0))
    stays = np.abs(pictures[min(at + 3, len(pictures) - 1)] - pictures[max(at - 2, 0)]) >= _LEAST_POINT
    cut = (change[at] >= np.maximum(least, _LEAST_POINT)) & stays
    # Some points are by chance as they were: most of those around them tell.
    around_each = np.lib.stride_tricks.sliding_window_view(np.pad(cut, 1), (3, 3))
    return np.asarray(around_each.sum(axis=(2, 3)) >= _MOST_OF_NINE)


def is_cut_off(
    insets: np.ndarray, before: int, after: int, box: np.ndarray, size: tuple[int, int], columns: int = 32
) -> bool:
    """Whether a part of the picture is cut between two frames, and a face's place lies in it.

    Args:
        insets: as `find_inset_cuts` gives them.
        before, after: indices of the frames.
        box: (4,) x1, y1, x2, y2 of the face in the first one, pixels.
        size: height and width of the frames.
        columns: C.
    """
    between = [inset[1:] for inset in insets if before <= inset[0] < after]
    if not between:
        return False
    middle, reach = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) / 2 * _REACH
    rows = (np.arange(len(between[0])) + 0.5) * size[0] / len(between[0])
    across = (np.arange(columns) + 0.5) * size[1] / columns
    face = (np.abs(rows - middle[1]) <= reach[1])[:, None] & (np.abs(across - middle[0]) <= reach[0])
    cuts = ((inset[:, None] >> np.arange(columns)) & 1 for inset in between)
    return any(cut[face].mean() >= _SHARE for cut in cuts if face.any())
