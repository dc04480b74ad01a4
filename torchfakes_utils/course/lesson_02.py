"""What learners write in lesson 02, in both of its notebooks: a pyramid, boxes, their overlap, and one face followed."""

from collections.abc import Sequence

import numpy as np

from torchfakes_utils.course import comparison
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


def follow_one(films_boxes: Sequence[np.ndarray], least: float = 0.3) -> list[int | None]:
    """Follow one face through a film.

    Args:
        films_boxes: (K, 4) for each frame; K may be 0.
        least: overlap with the last box known below which a box is somebody else.

    Returns:
        For each frame the number of the face's box; None where it is not seen.
    """
    return _follow(films_boxes, least)


def square(box: Box, scale: float = 1.3) -> tuple[int, int, int, int]:
    """The square over a box's middle whose edge is `scale` times the longer side: x1, y1, x2, y2 on whole pixels."""
    x1, y1, x2, y2 = box
    return _square_of(box, scale * max(x2 - x1, y2 - y1))


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


def _suppress(boxes: np.ndarray, order: np.ndarray, limit: float, overlap=iou, stays=None, until: int = 0) -> list[int]:  # type: ignore[no-untyped-def]
    """The loop, with a place for each mistake: the order, the overlap, who stays, and when it ends."""
    stays = stays or (lambda shared: shared <= limit)
    waiting, kept = [int(place) for place in order], []
    while len(waiting) > until:
        best = waiting.pop(0)
        kept.append(best)
        waiting = [other for other in waiting if stays(overlap(boxes[best], boxes[other]))]
    return kept


def _sorted(scores: np.ndarray) -> np.ndarray:
    return np.argsort(-np.asarray(scores), kind="stable")


def _places_in_order(boxes: np.ndarray, scores: np.ndarray, limit: float) -> list[int]:
    order = list(_sorted(scores))
    return [order.index(place) for place in suppress(boxes, scores, limit)]


def _against_all(boxes: np.ndarray, scores: np.ndarray, limit: float) -> list[int]:
    order = [int(place) for place in _sorted(scores)]
    return [k for n, k in enumerate(order) if all(iou(boxes[k], boxes[other]) <= limit for other in order[:n])]


def _of_smaller(a: Box, b: Box) -> float:
    return _shared(a, b) / min(_area(a), _area(b))


def _without_union(a: Box, b: Box) -> float:
    return _shared(a, b) / (_area(a) + _area(b))


def _biggest(boxes: np.ndarray) -> int:
    return int(np.argmax([_area(box) for box in boxes]))


def _follow(films_boxes: Sequence[np.ndarray], least: float, lost: str = "", update: bool = True) -> list[int | None]:
    """`lost`: what is done where nothing overlaps, "" for the right thing, else one of the mistakes."""
    last, chosen = None, []
    for boxes in films_boxes:
        place = None
        if len(boxes) and last is None:
            place = _biggest(boxes)
        elif len(boxes):
            overlaps = [iou(box, last) for box in boxes]
            near = int(np.argmax(overlaps))
            if lost == "biggest of those":
                fitting = [k for k, overlap in enumerate(overlaps) if overlap >= least]
                near = max(fitting, key=lambda k: _area(boxes[k]), default=near)
            place = near if overlaps[near] >= least or lost == "nearest" else None
            if place is None and lost == "biggest":
                place = _biggest(boxes)
        if place is not None and (update or last is None):
            last = boxes[place]
        elif place is None and lost == "begin again":
            last = None
        chosen.append(place)
    return chosen


def _square_of(box: Box, edge: float) -> tuple[int, int, int, int]:
    x1, y1, x2, y2 = box
    whole = round(edge)
    left, top = round((x1 + x2 - whole) / 2), round((y1 + y2 - whole) / 2)
    return left, top, left + whole, top + whole


def _from_the_corner(box: Box, scale: float = 1.3) -> tuple[int, ...]:
    left, top, right, bottom = square(box, scale)
    x, y = round(box[0]), round(box[1])
    return x, y, x + right - left, y + bottom - top


def _stretched(box: Box, scale: float = 1.3) -> tuple[int, ...]:
    x1, y1, x2, y2 = box
    wide, high = (x2 - x1) * scale, (y2 - y1) * scale
    ends = (x1 + x2 - wide) / 2, (y1 + y2 - high) / 2, (x1 + x2 + wide) / 2, (y1 + y2 + high) / 2
    return tuple(round(end) for end in ends)


def within_a_pixel(expected: Box, found: Box) -> str:
    """How two boxes differ; "" where no end is more than a pixel off: how halves are rounded is nobody's mistake."""
    said = comparison.difference(expected, found)
    if said and not comparison.difference(np.zeros(4), np.zeros(np.shape(found))):
        return "" if np.abs(np.subtract(expected, found)).max() <= 1 else said
    return said


# --- random inputs


def _a_box(generator: np.random.Generator, middle: Sequence[float] = (150, 150)) -> np.ndarray:
    half = generator.uniform(20, 60, 2)
    return np.concatenate([middle - half, middle + half])


def _two_boxes(generator: np.random.Generator) -> list[tuple[np.ndarray, np.ndarray]]:
    first = _a_box(generator)
    near = first + generator.uniform(5, 30, 2)[[0, 1, 0, 1]]
    inside = first + np.array([8, 6, -5, -9])
    pairs = [(first, near), (near, first), (first, inside), (first, first.copy())]
    apart = [first + np.array(by)[[0, 1, 0, 1]] for by in ((200, 210), (200, 5), (5, -230))]
    return [*pairs, *((first, other) for other in apart)]


def _crowds(generator: np.random.Generator) -> list[tuple[np.ndarray, np.ndarray, float]]:
    """Some boxes round each of three faces, so that neighbours overlap and the outermost hardly do."""
    crowds = []
    for limit in (0.3, 0.5, 0.6):
        middles = np.repeat([[100, 100], [150, 110], [300, 200]], 5, axis=0) + generator.normal(0, 14, (15, 2))
        halves = generator.uniform(26, 44, (15, 2))
        crowds.append((np.concatenate([middles - halves, middles + halves], 1), generator.permutation(15) / 15, limit))
    chain = np.array([[0, 0, 100, 100], [40, 0, 140, 100], [80, 0, 180, 100]]) + generator.uniform(0, 40, 2)[[0, 1, 0, 1]]
    crowds.append((chain, np.array([0.9, 0.8, 0.7]), 0.35))  # the second goes, and takes nobody with it
    lone = np.array([[10.0, 10, 60, 70]])
    exactly_half = np.array([[0.0, 0, 64, 64], [0, 0, 128, 64], [200, 200, 240, 240]])
    return [*crowds, (lone, np.array([0.9]), 0.5), (exactly_half, np.array([0.7, 0.9, 0.8]), 0.5)]


def _films(generator: np.random.Generator) -> list[tuple[list[np.ndarray]]]:
    """A face that walks to the right beside a smaller one that stands still; for some frames it is not seen."""
    films = []
    for missed in ((), (4, 5), (3, 7, 8)):
        film = []
        for frame in range(14):
            middle = np.array([100 + 9 * frame, 150]) + generator.normal(0, 1.5, 2)
            walker = np.concatenate([middle - [40, 50], middle + [40, 50]])
            bystander = np.array([300.0, 120, 345, 170]) + generator.normal(0, 1, 4)
            grown = walker + [-25, -25, 25, 25]  # a box round head and shoulders: bigger, and a worse fit
            small = bystander - [-10, 0, 15, 25] + [0, 60, 0, 60]
            both = [walker, bystander] if frame not in missed else [small, bystander]
            if frame in (2, 9) and frame not in missed:
                both = [grown, bystander, walker]
            film.append(np.array(both))
        films.append((film,))
    nobody_first = [np.zeros((0, 4)), *films[0][0][:5], np.zeros((0, 4)), *films[0][0][6:]]
    return [*films, (nobody_first,)]


def _face_boxes(generator: np.random.Generator) -> list[tuple[np.ndarray, float]]:
    high = [np.concatenate([corner, corner + [70, 100]]) for corner in generator.uniform(-20, 200, (3, 2))]
    wide = [np.concatenate([corner, corner + [110, 80]]) for corner in generator.uniform(30, 200, (2, 2))]
    return [(box.round(1), scale) for box, scale in zip([*high, *wide], (1.3, 1.0, 2.0, 1.3, 1.5), strict=True)]


# --- the exercises: lesson 02

PYRAMID = Exercise(
    "pyramid_scales", "The pyramid's scales", minutes=5, difficulty=1, reference=pyramid_scales,
    cases=lambda generator: [
        *((int(generator.integers(200, 900)), int(generator.integers(16, 60))) for _ in range(3)),
        (int(generator.integers(300, 900)), 20, 0.5), (48, 48), (30, 40),
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
        "These are sides in pixels. Return the scales.":
            lambda shorter, least, factor=FACTOR: [
                shorter * scale for scale in pyramid_scales(shorter, least, factor)
            ],
    },
)  # fmt: skip

CELL = Exercise(
    "cell_to_box", "From a place of the map to a box", minutes=5, difficulty=1, reference=cell_to_box,
    cases=lambda generator: [
        (int(row), int(row + generator.integers(3, 30)), float(generator.uniform(0.03, 0.6)))
        for row in generator.integers(0, 30, 5)
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
        "This is the share of the smaller box. Divide by the area of the union.": _of_smaller,
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
            lambda boxes, scores, limit: _suppress(boxes, _sorted(scores), limit, stays=lambda shared: shared > limit),
        "These are places in the sorted order. Return the numbers that the boxes had at first.": _places_in_order,
        "A box that was thrown away throws nobody away any more: compare with the boxes that you keep.": _against_all,
        "Overlap is measured by the smaller box here. Use `iou`, which divides by the union.":
            lambda boxes, scores, limit: _suppress(boxes, _sorted(scores), limit, _of_smaller),
        "Overlap is divided by the sum of both areas here. Use `iou`, which divides by the union.":
            lambda boxes, scores, limit: _suppress(boxes, _sorted(scores), limit, _without_union),
        "The last box is lost: go on while there is any box left.":
            lambda boxes, scores, limit: _suppress(boxes, _sorted(scores), limit, until=1),
        "A box that overlaps by exactly the limit stays: only more than the limit is too much.":
            lambda boxes, scores, limit: _suppress(boxes, _sorted(scores), limit, stays=lambda shared: shared < limit),
    },
    afterwards="torchvision.ops.nms does the same, in C++.",
)  # fmt: skip

# --- 02b

FOLLOW = Exercise(
    "follow_one", "Follow one face", minutes=10, difficulty=2, reference=follow_one, cases=_films,
    wrong={
        "You take the biggest face of each frame, and remember nothing. Keep the last box, and compare with it.":
            lambda film, least=0.3: [_biggest(boxes) if len(boxes) else None for boxes in film],
        "Where nothing overlaps with the last box, you take the biggest: that is somebody else. Answer None.":
            lambda film, least=0.3: _follow(film, least, "biggest"),
        "You begin again with the biggest face after a gap. Remember the last box until the face is back.":
            lambda film, least=0.3: _follow(film, least, "begin again"),
        "You compare with the first box of the film. The face moves: remember the last one.":
            lambda film, least=0.3: _follow(film, least, update=False),
        "Of the boxes that overlap you take the biggest. Take the one that overlaps most.":
            lambda film, least=0.3: _follow(film, least, "biggest of those"),
        "The box that overlaps most may still overlap too little: below `least` the answer is None.":
            lambda film, least=0.3: _follow(film, least, "nearest"),
    },
)  # fmt: skip

SQUARE = Exercise(
    "square", "The square to cut out", minutes=5, difficulty=1, reference=square, cases=_face_boxes,
    difference=within_a_pixel,
    wrong={
        "This is no square: both sides grew, each by itself. The edge is the longer side, times the scale.": _stretched,
        "The edge is taken of the shorter side: hair or chin would be cut off.":
            lambda box, scale=1.3: _square_of(box, scale * min(box[2] - box[0], box[3] - box[1])),
        "The square begins in the box's corner. It has to lie over the box's middle.": _from_the_corner,
        "The margin is added on both sides: the whole edge is `scale` times the longer side.":
            lambda box, scale=1.3: square(box, 2 * scale - 1),
    },
)  # fmt: skip
