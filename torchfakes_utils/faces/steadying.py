"""One box for one face, wherever the picture begins: the mean of what the last network says of it in several views.

MTCNN looks through windows on whole pixels of a picture that it scales down, cuts its candidates off to whole pixels,
and moves each once. So a box differs where a photo begins a pixel later, is resized or mirrored, and with the box the
crop, and with the crop what a detector says. Here the face is brought to one size, the last network looks at it in
views that lie a little apart and in their mirror images, and the mean of where it puts the face is taken; then once
more from there. What is left of a box's ends are some thousandths of the face where it was hundredths.
"""

from collections.abc import Callable

import numpy as np

from torchfakes_utils.faces.detection import square_crop

# The last network sees squares of so many pixels. The face is shown twice as large, so that views may lie apart by
# parts of its pixels; round it there is room for them.
_SEEN = 48
_FACE, _ROOM = 2 * _SEEN, 1.5
_REGION = round(_ROOM * _FACE)
# Edge of each view, and how far its centre lies from the face's, pixels of the region.
_VIEWS = ((96, 0, 0), (88, 4, 4), (88, -4, -4), (104, -4, 4), (104, 4, -4))
_ROUNDS = 2
# A box that moves so far that less of both is shared (intersection over union) is not that of the same face.
_LEAST_SHARED = 0.5

# Of views (N, 48, 48, 3) uint8 RGB how far the face's ends lie from theirs, as shares of their edge, (N, 4).
Offsets = Callable[[np.ndarray], np.ndarray]


def steadied(picture: np.ndarray, boxes: np.ndarray, offsets: Offsets) -> np.ndarray:
    """The same faces with steadier boxes.

    Args:
        picture: (H, W, 3) uint8, RGB.
        boxes: (K, 4), x1 y1 x2 y2 in its pixels.
        offsets: the last network of the cascade, such as `FaceDetector.offsets`.

    Returns:
        (K, 4) float32; a face that is not found again round its box keeps it.
    """
    found = [_steadied(picture, np.asarray(box, float), offsets) for box in boxes]
    return np.array(found, np.float32).reshape(-1, 4)


def _steadied(picture: np.ndarray, first: np.ndarray, offsets: Offsets) -> np.ndarray:
    box = first
    for _ in range(_ROUNDS):
        region, (left, top, right, _) = square_crop(picture, box, _ROOM, _REGION)
        mirrored = _seen(np.ascontiguousarray(region[:, ::-1]), offsets)
        back = np.array([_REGION - mirrored[2], mirrored[1], _REGION - mirrored[0], mirrored[3]])
        mean = (_seen(region, offsets) + back) / 2
        box = mean * ((right - left) / _REGION) + np.array([left, top, left, top])
        if not _is_same(first, box):
            return first
    return box


def _seen(region: np.ndarray, offsets: Offsets) -> np.ndarray:
    """Where the views of a region put the face, on average, (4,) in its pixels."""
    squares = np.array([[(_REGION - edge) / 2 + x, (_REGION - edge) / 2 + y, edge] for edge, x, y in _VIEWS], int)
    views = [square_crop(region, (x, y, x + edge, y + edge), 1.0, _SEEN)[0] for x, y, edge in squares]
    ends = np.concatenate([squares[:, :2], squares[:, :2] + squares[:, 2:]], axis=1)
    mean: np.ndarray = (ends + offsets(np.stack(views)) * squares[:, 2:]).mean(axis=0)
    return mean


def _is_same(first: np.ndarray, box: np.ndarray) -> bool:
    both = np.clip(np.minimum(first[2:], box[2:]) - np.maximum(first[:2], box[:2]), 0, None).prod()
    areas = (first[2:] - first[:2]).prod() + np.clip(box[2:] - box[:2], 0, None).prod()
    return bool(both >= _LEAST_SHARED * (areas - both))
