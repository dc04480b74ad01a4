"""What learners write in lesson 02: a pyramid, boxes from a map, their overlap, and suppression."""

import operator
from collections.abc import Callable, Sequence

import numpy as np

from torchfakes_utils.course.practice import Exercise
from torchfakes_utils.export.mtcnn_numpy import FACTOR, STRIDE, WINDOW

Box = Sequence[float] | np.ndarray  # x1, y1, x2, y2


def pyramid_scales(shorter_side: float, min_face: float, factor: float = FACTOR) -> list[float]:
    """Scales at which faces from `min_face` px up to the whole picture become 12 px high, the finest first."""
    scale, scales = WINDOW / min_face, []
    while shorter_side * scale >= WINDOW:
        scales.append(scale)
        scale *= factor
    return scales


def cell_to_box(row: int, column: int, scale: float) -> np.ndarray:
    """The window that a place of P-Net's map stands for: x1, y1, x2, y2 in pixels of the photograph, (4,)."""
    corner = np.array([column, row]) * STRIDE
    return np.concatenate([corner, corner + WINDOW]) / scale


def iou(a: Box, b: Box) -> float:
    """Intersection over union of two boxes: 1 for equal boxes, 0 for boxes apart."""
    return _shared(a, b) / (_area(a) + _area(b) - _shared(a, b))


def suppress(boxes: np.ndarray, scores: np.ndarray, limit: float) -> list[int]:
    """Non-maximum suppression: the numbers of the boxes (N, 4) to keep, the surest first.

    Of two boxes that overlap by more than `limit`, the surer one stays.
    """
    return _suppress(boxes, np.argsort(-np.asarray(scores), kind="stable"), limit)


# --- what the solutions and the mistakes are made of


def _area(box: Box) -> float:
    return float((box[2] - box[0]) * (box[3] - box[1]))


def _shared(a: Box, b: Box, least: float = 0, more: float = 0) -> float:
    sides = [max(least, min(a[k + 2], b[k + 2]) - max(a[k], b[k]) + more) for k in (0, 1)]
    return float(sides[0] * sides[1])


def _enclosing(a: Box, b: Box) -> float:
    return _area([min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])])


def _with_last_pixels(a: Box, b: Box) -> float:
    a, b = ([box[0], box[1], box[2] + 1, box[3] + 1] for box in (a, b))
    return iou(a, b)


def _suppress(
    boxes: np.ndarray,
    order: np.ndarray,
    limit: float,
    overlap: Callable[[Box, Box], float] = iou,
    stays: Callable[[float, float], bool] = operator.le,
    until: int = 0,
) -> list[int]:
    """The loop, with a place for each mistake: the order, the overlap, who stays, and when it ends."""
    waiting, kept = [int(place) for place in order], []
    while len(waiting) > until:
        best = waiting.pop(0)
        kept.append(best)
        waiting = [other for other in waiting if stays(overlap(boxes[best], boxes[other]), limit)]
    return kept


def _sorted(scores: np.ndarray) -> np.ndarray:
    return np.argsort(-np.asarray(scores), kind="stable")


def _places_in_order(boxes: np.ndarray, scores: np.ndarray, limit: float) -> list[int]:
    order = list(_sorted(scores))
    return [order.index(place) for place in suppress(boxes, scores, limit)]


def _against_all(boxes: np.ndarray, scores: np.ndarray, limit: float) -> list[int]:
    order = [int(place) for place in _sorted(scores)]
    return [k for n, k in enumerate(order) if all(iou(boxes[k], boxes[other]) <= limit for other in order[:n])]


def _removing_while_looping(boxes: np.ndarray, scores: np.ndarray, limit: float) -> list[int]:
    waiting, kept = [int(place) for place in _sorted(scores)], []
    while waiting:
        best = waiting.pop(0)
        kept.append(best)
        for other in waiting:
            if iou(boxes[best], boxes[other]) > limit:
                waiting.remove(other)
    return kept


def _rounded(shorter_side: float, min_face: float, factor: float = FACTOR) -> list[float]:
    scale, scales = WINDOW / min_face, []
    while round(shorter_side * scale) >= WINDOW:
        scales.append(scale)
        scale *= factor
    return scales


def _of_smaller(a: Box, b: Box) -> float:
    return _shared(a, b) / min(_area(a), _area(b))


def _without_union(a: Box, b: Box) -> float:
    return _shared(a, b) / (_area(a) + _area(b))


# --- random inputs, after the examples of the lesson


def _a_box(generator: np.random.Generator, middle: Sequence[float] = (150, 150)) -> np.ndarray:
    half = generator.uniform(20, 60, 2)
    return np.concatenate([middle - half, middle + half])


def _two_boxes(generator: np.random.Generator) -> list[tuple[np.ndarray, np.ndarray]]:
    first = _a_box(generator)
    near = first + generator.uniform(5, 30, 2)[[0, 1, 0, 1]]
    inside = first + np.array([8, 6, -5, -9])
    told = (np.array([0.0, 0, 2, 2]), np.array([1.0, 0, 3, 2]))
    pairs = [told, (first, near), (near, first), (first, inside), (first, first.copy())]
    apart = [first + np.array(by)[[0, 1, 0, 1]] for by in ((200, 210), (200, 5), (5, -230))]
    return [*pairs, *((first, other) for other in apart)]


def _crowds(generator: np.random.Generator) -> list[tuple[np.ndarray, np.ndarray, float]]:
    """Some boxes round each of three faces, so that neighbours overlap and the outermost hardly do."""
    crowds = []
    for limit in (0.3, 0.5, 0.6):
        middles = np.repeat([[100, 100], [150, 110], [300, 200]], 5, axis=0) + generator.normal(0, 14, (15, 2))
        halves = generator.uniform(26, 44, (15, 2))
        crowds.append((np.concatenate([middles - halves, middles + halves], 1), generator.permutation(15) / 15, limit))
    chain = np.array([[0, 0, 100, 100], [40, 0, 140, 100], [80, 0, 180, 100]]) + generator.uniform(0, 40)
    crowds.append((chain, np.array([0.9, 0.8, 0.7]), 0.35))  # the second goes, and takes nobody with it
    lone = np.array([[10.0, 10, 60, 70]])
    exactly_half = np.array([[0.0, 0, 64, 64], [0, 0, 128, 64], [200, 200, 240, 240]])
    told = (np.array([[0.0, 0, 10, 10], [1, 0, 11, 10], [20, 0, 30, 10]]), np.array([0.7, 0.9, 0.8]), 0.5)
    alike = (np.array([[0.0, 0, 30, 30], [1, 0, 31, 30], [2, 0, 32, 30]]), np.array([0.9, 0.8, 0.7]), 0.5)  # two go
    return [told, alike, *crowds, (lone, np.array([0.9]), 0.5), (exactly_half, np.array([0.7, 0.9, 0.8]), 0.5)]


# --- the exercises

PYRAMID = Exercise(
    "pyramid_scales", "The pyramid's scales", minutes=5, difficulty=1, reference=pyramid_scales,
    cases=lambda generator: [
        (100, 40), *((int(generator.integers(200, 900)), int(generator.integers(16, 60))) for _ in range(3)),
        (int(generator.integers(300, 900)), 20, 0.5), (48, 48), (30, 40),
        (int(generator.integers(155, 160)), 20, 0.5),  # the level below the last is of 11.6 to 11.9 px
    ],
    wrong={
        "The first level is not the photograph itself: a face of `min_face` px has to be 12 px high there.":
            lambda shorter, least, factor=FACTOR: pyramid_scales(shorter, WINDOW, factor),
        "The first scale is turned round: it makes `min_face` px into 12, so it is 12 / min_face.":
            lambda shorter, least, factor=FACTOR: pyramid_scales(shorter, WINDOW**2 / least, factor),
        "One level too many: ask whether the window still fits before you note the scale.":
            lambda shorter, least, factor=FACTOR: [
                *(found := pyramid_scales(shorter, least, factor)), (found[-1] * factor if found else WINDOW / least)
            ],
        "A picture of exactly 12 px still holds one window: >= and not >.":
            lambda shorter, least, factor=FACTOR: [
                scale for scale in pyramid_scales(shorter, least, factor) if shorter * scale > WINDOW
            ],
        "You stop when the picture is smaller than `min_face`. The window has 12 px on every level.":
            lambda shorter, least, factor=FACTOR: [
                scale for scale in pyramid_scales(shorter, least, factor) if shorter * scale >= least
            ],
        "A picture of 11.6 px is smaller than the window: do not round.": _rounded,
        "`factor` is given. It is 0.709 only where nobody says so.":
            lambda shorter, least, factor=FACTOR: pyramid_scales(shorter, least),
        "These are sides in pixels. Return the scales.":
            lambda shorter, least, factor=FACTOR: [
                shorter * scale for scale in pyramid_scales(shorter, least, factor)
            ],
    },
)  # fmt: skip

CELL = Exercise(
    "cell_to_box", "From a place of the map to a box", minutes=5, difficulty=1, reference=cell_to_box,
    cases=lambda generator: [
        (3, 5, 0.5),
        *(
            (int(row), int(row + generator.integers(3, 30)), float(generator.uniform(0.03, 0.6)))
            for row in generator.integers(0, 30, 5)
        ),
    ],
    wrong={
        "x and y are exchanged: a column is a place from left to right, which is x.":
            lambda row, column, scale: cell_to_box(column, row, scale),
        "A level is a smaller copy: to come back to the photograph, divide by the scale.":
            lambda row, column, scale: cell_to_box(row, column, 1 / scale),
        "From one place of the map to the next, the window moves by 2 px, not by 1.":
            lambda row, column, scale: cell_to_box(row / 2, column / 2, scale),
        "The window has 12 px on its level. In the photograph it is larger: divide its end by the scale, too.":
            lambda row, column, scale: [*(start := cell_to_box(row, column, scale)[:2]), *(start + WINDOW)],
        "The window is 12 px wide, from its begin to its end: add 12, not 11.":
            lambda row, column, scale: cell_to_box(row, column, scale) - np.array([0, 0, 1, 1]) / scale,
        "These are a corner, a width and a height. The last two numbers are where the box ends.":
            lambda row, column, scale: [*cell_to_box(row, column, scale)[:2], WINDOW / scale, WINDOW / scale],
    },
)  # fmt: skip

IOU = Exercise(
    "iou", "Intersection over union", minutes=5, difficulty=1, reference=iou, cases=_two_boxes,
    wrong={
        "Boxes that lie apart share nothing: a negative width or height has to become 0.":
            lambda a, b: (shared := _shared(a, b, -np.inf)) / (_area(a) + _area(b) - shared),
        "What both share is counted twice in the sum of the areas: take it away once.": _without_union,
        "This is the share of one box. Divide by the area of the union.": _of_smaller,
        "This is an area in pixels. Divide it by the area of the union.": _shared,
        "The union is what either box covers, not the smallest box round both.":
            lambda a, b: _shared(a, b) / _enclosing(a, b),
        "Here x2 is where a box ends, and its width is x2 - x1, without + 1.": _with_last_pixels,
    },
)  # fmt: skip

SUPPRESS = Exercise(
    "suppress", "Non-maximum suppression", minutes=15, difficulty=2, reference=suppress, cases=_crowds,
    wrong={
        "You begin with the least sure box: turn the order round.":
            lambda boxes, scores, limit: _suppress(boxes, _sorted(scores)[::-1], limit),
        "The boxes are not sorted: whichever comes first wins, however unsure it is.":
            lambda boxes, scores, limit: _suppress(boxes, np.arange(len(scores)), limit),
        "The limit is compared the wrong way round: boxes that overlap by more than it go, the others stay.":
            lambda boxes, scores, limit: _suppress(boxes, _sorted(scores), limit, stays=operator.gt),
        "You remove from a list while you loop over it, and so the loop leaves out the next box. Make a new list.":
            _removing_while_looping,
        "You give scores. Return the numbers of the boxes.":
            lambda boxes, scores, limit: np.asarray(scores)[suppress(boxes, scores, limit)],
        "These are the right boxes. Return the surest first.":
            lambda boxes, scores, limit: sorted(suppress(boxes, scores, limit)),
        "These are places in the sorted order. Return the numbers that the boxes had at first.": _places_in_order,
        "A box that was thrown away throws nobody away any more: compare with the boxes that you keep.": _against_all,
        "Overlap is measured by the smaller box here. Use `iou`, which divides by the union.":
            lambda boxes, scores, limit: _suppress(boxes, _sorted(scores), limit, _of_smaller),
        "Overlap is divided by the sum of both areas here. Use `iou`, which divides by the union.":
            lambda boxes, scores, limit: _suppress(boxes, _sorted(scores), limit, _without_union),
        "The last box is lost: go on while there is any box left.":
            lambda boxes, scores, limit: _suppress(boxes, _sorted(scores), limit, until=1),
        "A box that overlaps by exactly the limit stays: only more than the limit is too much.":
            lambda boxes, scores, limit: _suppress(boxes, _sorted(scores), limit, stays=operator.lt),
    },
    afterwards="torchvision.ops.nms does the same, in C++.",
)  # fmt: skip
