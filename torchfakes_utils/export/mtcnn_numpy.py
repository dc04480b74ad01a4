"""MTCNN's cascade in numpy: the specification that programs without PyTorch follow, in a browser or on a phone.

Three small networks find the faces; what goes on between them, pyramids, boxes and their overlaps, is arithmetic, and
is written out here as facenet-pytorch does it. The networks are callables, so that any runtime can stand behind them
(every `runtimes.Runtime` writes them as files). Lesson 02 shows the steps one by one. Source: Zhang et al., "Joint Face
Detection and Alignment Using Multitask Cascaded Convolutional Networks", IEEE Signal Processing Letters 2016.

Boxes agree with `detection.FaceDetector` to a hundredth of a pixel of the picture that the cascade is shown, and
probabilities to 1e-4 (tests/export/test_mtcnn_numpy.py), with one exception: facenet-pytorch gives up on a picture in
which a candidate lies outside altogether, and the cascade leaves out that candidate.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from torchfakes_utils.errors import InputError
from torchfakes_utils.faces.config import DEFAULTS, ExtractionConfig
from torchfakes_utils.faces.detection import LEAST_SIDE, Detections, shown_size

# A position of the first network's map stands for a window of so many pixels; neighbours are so far apart.
WINDOW, STRIDE = 12, 2
# Each level of the pyramid has so many times the lines of the one above: half the area.
FACTOR = 0.709
# How sure each of the three networks has to be that there is a face.
SURE = (0.6, 0.7, 0.7)
# Two boxes that overlap more than this are the same face: within a level, then over all levels and after each network.
OVERLAP_LEVEL, OVERLAP = 0.5, 0.7

Array = np.ndarray
FaceCallable = Callable[[Array], Sequence[Array]]


@dataclass(frozen=True)
class FaceNetworks:
    """The three networks. They take float32 RGB, scaled by `scaled`, and give arrays of float32.

    Attributes:
        pnet: (1, 3, H, W), H and W 12 or more, to probability (1, H', W') and offsets (1, 4, H', W').
        rnet: (N, 3, 24, 24) to probability (N,) and offsets (N, 4).
        onet: (N, 3, 48, 48) to probability (N,), offsets (N, 4), landmarks (N, 10): five x, then five y.
    """

    pnet: FaceCallable
    rnet: FaceCallable
    onet: FaceCallable


@dataclass
class CascadeDetector:
    """`detection.FaceDetector` on other runtimes: the same call, the same answers, no PyTorch needed."""

    networks: FaceNetworks
    config: ExtractionConfig = DEFAULTS  # of which `face_pixels` and `min_face` count here
    until: float = math.inf  # by `time.monotonic`, when it has to be done with a picture

    def detect(self, frames: Sequence[Array] | Array, finer: float = 1.0) -> list[Detections]:
        """Find the faces in frames, the surest first; as `FaceDetector.detect`, but frames may differ in size.

        Args:
            frames: N of (H, W, 3) uint8, RGB.
            finer: look at so many times the lines that the configuration says.

        Raises:
            InputError: it takes longer than it may.
        """
        found = []
        for frame in frames:
            if time.monotonic() > self.until:
                raise InputError("takes longer to look at than it may; give fewer frames, or cut out a part")
            found.append(self._detect(frame, finer))
        return found

    def offsets(self, views: Array) -> Array:
        """As `FaceDetector.offsets`."""
        return np.asarray(self.networks.onet(scaled(views.transpose(0, 3, 1, 2).astype(np.float32)))[1])

    def _detect(self, frame: Array, finer: float) -> Detections:
        height, width = frame.shape[:2]
        if min(height, width) < LEAST_SIDE:
            return Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros((0, 5, 2), np.float32))
        size, smallest = shown_size(height, width, self.config, finer)
        # AREA: the mean over the area that a pixel covers, parts of pixels counting in part, rounded to a whole number.
        shown = frame if size == (width, height) else cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
        found = find_faces(shown, self.networks, smallest)
        back = np.array([width / size[0], height / size[1]], np.float32)  # rounded separately when scaled
        return Detections(found.boxes * np.tile(back, 2), found.probabilities, found.landmarks * back)


def find_faces(picture: Array, networks: FaceNetworks, smallest: float) -> Detections:
    """The cascade: the faces in pixels of a picture, the surest first.

    Args:
        picture: (H, W, 3) uint8, RGB, already scaled down (time goes with its area).
        networks: the three.
        smallest: edge of the smallest face that is looked for, in pixels of `picture`.
    """
    pixels = picture.transpose(2, 0, 1).astype(np.float32)  # (3, H, W)
    found = propose(level_maps(pixels, networks.pnet, smallest))
    return decide(pixels, refine(pixels, found, networks.rnet), networks.onet)


@dataclass(frozen=True)
class LevelMap:
    """What the first network answers on one level of the pyramid, for each place of its window.

    Attributes:
        scale: of the level.
        probability: (h, w) float32.
        offsets: (4, h, w) float32: how far the face's ends lie from the window's, in window sizes.
    """

    scale: float
    probability: Array
    offsets: Array


@dataclass(frozen=True)
class Candidates:
    """Boxes that may hold a face.

    Attributes:
        boxes: (K, 4), x1 y1 x2 y2.
        probability: (K,).
        offsets: (K, 4): how far a network would move the boxes' ends, as shares of their edges.
    """

    boxes: Array
    probability: Array
    offsets: Array

    def __getitem__(self, chosen: Array) -> "Candidates":
        """Some of them, by a mask or by places."""
        return Candidates(self.boxes[chosen], self.probability[chosen], self.offsets[chosen])


def scaled(pixels: Array) -> Array:
    """0…255 to the range that the three networks take, about -1…1."""
    return ((pixels - np.float32(127.5)) * np.float32(0.0078125)).astype(np.float32)


def pyramid(height: int, width: int, smallest: float) -> list[tuple[float, int, int]]:
    """The levels at which the first network looks: (scale, height, width), from fine to coarse.

    At the first level the smallest face is as large as the network's window; at the last the picture hardly is.
    """
    levels, scale = [], WINDOW / smallest
    shorter = min(height, width) * scale
    while shorter >= WINDOW:
        levels.append((scale, int(height * scale + 1), int(width * scale + 1)))
        scale, shorter = scale * FACTOR, shorter * FACTOR
    return levels


def level_maps(pixels: Array, pnet: FaceCallable, smallest: float) -> list[LevelMap]:
    """First network: its answers on every level of the pyramid of a picture (3, H, W) float32, 0…255."""
    maps = []
    for scale, height, width in pyramid(pixels.shape[1], pixels.shape[2], smallest):
        probability, offsets = pnet(scaled(area_resize(pixels, height, width))[None])
        maps.append(LevelMap(scale, probability[0], offsets[0]))
    return maps


def windows(level: LevelMap, sure: float = SURE[0]) -> Candidates:
    """The windows of a level that may hold a face, in pixels of the picture."""
    rows, columns = np.nonzero(level.probability >= np.float32(sure))
    corner = np.stack([columns, rows], 1).astype(np.float32) * STRIDE
    ends = [np.floor((corner + reach) / np.float32(level.scale)) for reach in (1, WINDOW)]
    boxes = np.concatenate(ends, axis=1, dtype=np.float32)
    return Candidates(boxes, level.probability[rows, columns], level.offsets[:, rows, columns].T)


def propose(maps: Sequence[LevelMap], sure: float = SURE[0]) -> Candidates:
    """Of all windows of all levels those that differ, moved and made square."""
    found = [(np.zeros((0, 4)), np.zeros(0), np.zeros((0, 4)))]
    for candidates in (windows(level, sure) for level in maps):
        some = candidates[distinct(candidates.boxes, candidates.probability, OVERLAP_LEVEL)]
        found.append((some.boxes, some.probability, some.offsets))
    together = Candidates(*(np.concatenate(parts, dtype=np.float32) for parts in zip(*found, strict=True)))
    kept = together[distinct(together.boxes, together.probability, OVERLAP)]
    # Of the first network alone an edge of n pixels is n long; the others move boxes by edges of n + 1.
    edges = np.tile(kept.boxes[:, 2:] - kept.boxes[:, :2], 2)
    return Candidates(squared(kept.boxes + kept.offsets * edges), kept.probability, kept.offsets)


def refine(pixels: Array, found: Candidates, rnet: FaceCallable, sure: float = SURE[1]) -> Candidates:
    """Second network: most of them thrown away, the others moved and made square."""
    boxes, patches = patches_of(pixels, found.boxes, 24)
    if not len(boxes):
        return found[np.zeros(0, int)]
    probability, offsets = rnet(patches)
    kept = Candidates(boxes, probability, offsets)[probability > np.float32(sure)]
    kept = kept[distinct(kept.boxes, kept.probability, OVERLAP)]
    return Candidates(squared(moved(kept.boxes, kept.offsets)), kept.probability, kept.offsets)


def decide(pixels: Array, found: Candidates, onet: FaceCallable, sure: float = SURE[2]) -> Detections:
    """Third network: the faces, their probabilities, and five landmarks of each."""
    boxes, patches = patches_of(pixels, found.boxes, 48)
    if not len(boxes):
        return Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros((0, 5, 2), np.float32))
    probability, offsets, landmarks = onet(patches)
    passed = probability > np.float32(sure)
    boxes, probability, offsets = boxes[passed], probability[passed], offsets[passed]
    # (K, 10) to (K, 5, 2), as shares of the box's edges.
    shares = landmarks[passed].reshape(-1, 2, 5).transpose(0, 2, 1)
    points = shares * (boxes[:, None, 2:] - boxes[:, None, :2] + 1) + boxes[:, None, :2] - 1
    boxes = moved(boxes, offsets)
    kept = distinct(boxes, probability, OVERLAP, smaller=True)
    return Detections(boxes[kept], probability[kept], points[kept].astype(np.float32))


def distinct(boxes: Array, scores: Array, most: float, smaller: bool = False) -> Array:
    """Non-maximum suppression: places of those boxes that overlap with no surer one, the surest first.

    Args:
        boxes: (K, 4), x1 y1 x2 y2.
        scores: (K,).
        most: boxes that overlap more than this with a surer one go.
        smaller: what two boxes share is taken of the smaller box, pixels at both ends counting, and not of their
            union: a box inside another goes, too.
    """
    waiting = np.argsort(-scores, kind="stable")
    extra = np.float32(1 if smaller else 0)
    areas = np.prod(boxes[:, 2:] - boxes[:, :2] + extra, axis=1)
    kept = []
    while len(waiting):
        first, waiting = waiting[0], waiting[1:]
        kept.append(first)
        low = np.maximum(boxes[first, :2], boxes[waiting, :2])
        high = np.minimum(boxes[first, 2:], boxes[waiting, 2:])
        shared = np.prod(np.maximum(0, high - low + extra), axis=1)
        whole = np.minimum(areas[first], areas[waiting]) if smaller else areas[first] + areas[waiting] - shared
        waiting = waiting[shared <= np.float32(most) * whole]  # not divided: a box may be empty
    return np.array(kept, int)


def squared(boxes: Array) -> Array:
    """The squares (K, 4) over the middles of boxes, as wide as their longer edges."""
    edges = boxes[:, 2:] - boxes[:, :2]
    longest = edges.max(axis=1, keepdims=True)
    corner = boxes[:, :2] + edges * np.float32(0.5) - longest * np.float32(0.5)
    return np.concatenate([corner, corner + longest], axis=1)


def moved(boxes: Array, offsets: Array) -> Array:
    """Boxes (K, 4) whose ends are moved by shares (K, 4) of their edges."""
    return np.asarray(boxes + offsets * np.tile(boxes[:, 2:] - boxes[:, :2] + 1, 2))


def patches_of(pixels: Array, boxes: Array, size: int) -> tuple[Array, Array]:
    """The boxes (K, 4) that do not lie outside of a picture, and what is in them, (K, 3, size, size), scaled.

    Ends are cut to whole pixels, the first pixel being 1, and to the picture (3, H, W), float32, 0…255: a box that
    reaches over the edge gives what is inside, stretched.
    """
    height, width = pixels.shape[1:]
    ends = np.trunc(boxes).astype(int)
    start = np.maximum(ends[:, :2], 1) - 1
    stop = np.minimum(ends[:, 2:], [width, height])
    inside = (start < stop).all(axis=1)
    patches = [
        area_resize(pixels[:, y1:y2, x1:x2], size, size)
        for (x1, y1), (x2, y2) in zip(start[inside], stop[inside], strict=True)
    ]
    return boxes[inside], scaled(np.stack(patches)) if patches else np.zeros((0, 3, size, size), np.float32)


def area_resize(pixels: Array, height: int, width: int) -> Array:
    """(3, H, W) float32 to (3, height, width): PyTorch's "area", which is adaptive average pooling.

    Pixel i of n is the mean of all pixels from floor(i * N / n) up to ceil((i + 1) * N / n), each of them counting in
    full; a pixel at a border thus counts for both neighbours. (OpenCV's "area" counts it in parts.)
    """
    rows, columns = _weights(pixels.shape[1], height), _weights(pixels.shape[2], width)
    return np.asarray(rows @ pixels @ columns.T)


@lru_cache(4096)
def _weights(before: int, after: int) -> Array:
    """(after, before) float32: the weight of every old pixel in every new one."""
    new, old = np.arange(after)[:, None], np.arange(before)
    start, stop = new * before // after, -(-(new + 1) * before // after)
    counted = (start <= old) & (old < stop)
    return np.asarray(counted / counted.sum(axis=1, keepdims=True), np.float32)
