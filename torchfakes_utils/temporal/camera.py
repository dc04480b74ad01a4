"""A crop that follows a face more slowly than the face moves, so that the movement stays to be seen.

Crops that are cut frame by frame where the face is hold it still: what a head does, nods and leans, is taken out of
them. A box for a whole clip keeps it, but loses people who walk. Here the box goes where the face is on average over a
second or two, as a calm cameraman would.
"""

from dataclasses import dataclass

import cv2
import numpy as np

# The standard deviation of the average over time, seconds: what moves at 0.5 Hz and faster is kept to within 1 %.
CALM = 1.0
# Made smaller than this, linear interpolation would skip pixels: what is left to it is a half.
_SKIPS = 0.45
# A face's place that lies so many of its edges from the place before it is another shot's, or another person's.
_JUMP = 0.75


@dataclass(frozen=True)
class Path:
    """Where a square crop lies at each tick.

    Attributes:
        centres: (T, 2) x and y, pixels of the frame.
        edge: of the square, pixels; the same at all ticks, for a box that grows hides that somebody comes nearer.
        parts: (T,) which unbroken part of a face's way each tick belongs to.
    """

    centres: np.ndarray
    edge: float
    parts: np.ndarray


def calm_path(known_times: np.ndarray, squares: np.ndarray, times: np.ndarray, wider: float = 1.0) -> Path:
    """The way of a crop, from where a face was found now and then.

    Args:
        known_times: (N,) seconds, increasing; N is 1 or more.
        squares: (N, 4) x1 y1 x2 y2 of the face's crops at these times, pixels.
        times: (T,) of the ticks, seconds.
        wider: edge of the crop over the median of the squares' edges.

    Source: the average is a Nadaraya-Watson regression with a Gaussian kernel (Nadaraya, 1964).
    """
    squares = np.asarray(squares, float)
    found = (squares[:, :2] + squares[:, 2:]) / 2
    edges = (squares[:, 2:] - squares[:, :2]).max(axis=1)
    jumps = np.abs(np.diff(found, axis=0)).max(axis=1) > _JUMP * np.minimum(edges[1:], edges[:-1])
    part_of = np.concatenate([[0], np.cumsum(jumps)])
    nearest = np.abs(times[:, None] - known_times).argmin(axis=1)  # (T,)
    parts = part_of[nearest]
    distance = (times[:, None] - known_times) / CALM  # (T, N)
    log_weights = np.where(parts[:, None] == part_of, -(distance**2) / 2, -np.inf)
    weights = np.exp(log_weights - log_weights.max(axis=1, keepdims=True))
    centres = weights @ found / weights.sum(axis=1, keepdims=True)
    return Path(centres, float(np.median(edges)) * wider, parts)


def cut(frame: np.ndarray, centre: np.ndarray, edge: float, size: int) -> np.ndarray:
    """A square of a frame (H, W, 3) uint8 as (size, size, 3) uint8; its place is not rounded to pixels.

    What of it lies outside of the frame repeats the border.
    """
    scale = size / edge
    if scale < _SKIPS:
        shrunk = cv2.resize(frame, None, fx=2 * scale, fy=2 * scale, interpolation=cv2.INTER_AREA)
        ratio = np.array([shrunk.shape[1] / frame.shape[1], shrunk.shape[0] / frame.shape[0]])
        return cut(shrunk, (np.asarray(centre) + 0.5) * ratio - 0.5, edge * float(ratio.mean()), size)
    left, top = np.asarray(centre, float) - edge / 2
    # Pixels are squares whose middles have whole numbers.
    shift = -scale * np.array([left, top]) + (scale - 1) / 2
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    picture: np.ndarray = cv2.warpAffine(
        frame, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return picture
