"""Small grey pictures of frames, and what is told by comparing them: whether two films correspond, and where a face is.

The fakes of FaceForensics++ show the frames of their original, with another face in the same place. So the face found
in the original serves them all, which saves four fifths of the detection, and gives real and fake crops one framing: a
network cannot tell them by how they are cut. `aligned` checks that the frames do correspond.
"""

from collections.abc import Sequence

import cv2
import numpy as np

# Edge of the shorter side of the small grey pictures by which frames are compared, px.
_LINES = 120

# The surroundings of the face by which a fake is compared with its original, as multiples of the face's longer edge:
# outside what a forger touches, inside what moves with the head.
_RING = (1.4, 2.6)
# Mean difference of grey levels there that compression and noise may make: on Mini-FF++ up to 1.6 at c23 and 4.9 at
# c40; fakes that lag behind by four frames have 7 to 22, another film has 32 and more.
_MOST_DIFFERENT = 6.0


def thumbnail(frame: np.ndarray) -> np.ndarray:
    """A small grey picture (h, w) uint8 of a frame (H, W, 3) uint8 RGB, by which frames are compared.

    Its shorter side has 120 px; a smaller frame keeps its size.
    """
    scale = min(1.0, _LINES / min(frame.shape[:2]))
    size = (max(1, round(frame.shape[1] * scale)), max(1, round(frame.shape[0] * scale)))
    # Linear, every so many pixels: ten times as fast as the mean over all of them, and good enough to compare.
    return cv2.cvtColor(cv2.resize(frame, size, interpolation=cv2.INTER_LINEAR), cv2.COLOR_RGB2GRAY)


def aligned(pairs: Sequence[tuple[np.ndarray, np.ndarray]], boxes: Sequence[np.ndarray] | np.ndarray) -> bool:
    """Whether a fake's frames show what the original's frames show, so that the face is in the same place.

    Compared is a ring round the face: what a forger changes lies within, and what is far from the face may stand
    still while the head moves. Half of the frames may differ, since a fake has flaws.

    Args:
        pairs: the `thumbnail` of some of the original's frames, each with that of the fake's frame of the same index.
        boxes: N of (4,), the face in each, in pixels of the thumbnails.
    """
    if not pairs or any(original.shape != fake.shape for original, fake in pairs):
        return False
    return difference(pairs, boxes) <= _MOST_DIFFERENT


def difference(pairs: Sequence[tuple[np.ndarray, np.ndarray]], boxes: Sequence[np.ndarray] | np.ndarray) -> float:
    """The median over frames of the mean difference round the face, grey levels; see `aligned`."""
    each = []
    for (original, fake), box in zip(pairs, boxes, strict=True):
        centre, edge = (box[:2] + box[2:]) / 2, max(float(np.max(box[2:] - box[:2])), 1e-6)
        rows, columns = np.arange(original.shape[0])[:, None] + 0.5, np.arange(original.shape[1])[None] + 0.5
        away = np.maximum(np.abs(rows - centre[1]), np.abs(columns - centre[0])) * 2 / edge
        ring = (away > _RING[0]) & (away <= _RING[1])
        # Brightness may differ as a whole (another decoder, another colour range): that moves nothing.
        change = original[ring].astype(np.float32) - fake[ring]
        if len(change):
            each.append(float(np.abs(change - np.median(change)).mean()))
    return float(np.median(each)) if each else np.inf


def likeness(picture: np.ndarray, box: np.ndarray, faces: Sequence[tuple[np.ndarray, np.ndarray]]) -> float:
    """How much a place is like the face of which it is most so; 1 is equal, 0 unrelated.

    The covariance over the larger of the two variances: correlation alone would stretch the faint shades of a bare
    wall until they look like those of a face.

    Args:
        picture: a thumbnail.
        box: (4,), the place, in its pixels.
        faces: thumbnails, with the box of the face in each.
    """
    here, others = patch(picture, box), [patch(*face) for face in faces]
    return max(float((here * other).mean() / max(here.var(), other.var(), 1.0)) for other in others)


def patch(picture: np.ndarray, box: np.ndarray, edge: int = 24) -> np.ndarray:
    """A box of a picture as a grey square (edge, edge) of mean 0: the same for faces near and far, bright and dark."""
    x1, y1, x2, y2 = (float(value) for value in box)
    steps = (np.arange(edge, dtype=np.float32) + 0.5) / edge
    columns, rows = np.meshgrid(x1 + steps * (x2 - x1) - 0.5, y1 + steps * (y2 - y1) - 0.5)
    patch = cv2.remap(picture, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE).astype(np.float32)
    return np.asarray(patch - patch.mean())
