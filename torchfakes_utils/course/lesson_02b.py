"""What learners write in lesson 02b: one face followed through a film, and the square to cut out."""

from collections.abc import Sequence

import numpy as np

from torchfakes_utils.course import comparison
from torchfakes_utils.course.lesson_02 import Box, iou
from torchfakes_utils.course.practice import Exercise


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


def _biggest(boxes: np.ndarray) -> int:
    return int(np.argmax([_area(box) for box in boxes]))


def _follow(films_boxes: Sequence[np.ndarray], least: float, lost: str = "", update: bool = True) -> list[int | None]:
    """`lost`: what is done where nothing overlaps, "" for the right thing, else one of the mistakes."""
    last: np.ndarray | None = None
    chosen: list[int | None] = []
    for boxes in films_boxes:
        place = None
        if len(boxes) == 0:
            pass
        elif last is None:
            place = _biggest(boxes)
        else:
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
        own = np.asarray(found, float)
        if (own != own.round()).any():
            return f"yours is {comparison.describe(found)}, and whole pixels are expected"
        wide, high = own[2] - own[0], own[3] - own[1]
        if wide != high:
            return f"yours is {wide:g} wide and {high:g} high, and a square is expected"
        return "" if np.abs(np.subtract(expected, own)).max() <= 1 else said
    return said


# --- random inputs


def _films(generator: np.random.Generator) -> list[tuple[list[np.ndarray]]]:
    """A face that walks to the right beside a smaller one that stands still; for some frames it is not seen."""
    films = []
    for missed in ((), (4, 5), (3, 7, 8)):
        film = []
        for frame in range(14):
            middle = np.array([100 + 9 * frame, 150]) + generator.normal(0, 1.5, 2)
            walker = np.tile(middle, 2) + np.array([-40, -50, 40, 50])
            bystander = np.array([300.0, 120, 345, 170]) + generator.normal(0, 1, 4)
            grown = walker + np.array([-25, -25, 25, 25])  # a box round head and shoulders: bigger, and a worse fit
            small = bystander + np.array([10, 60, -15, 35])
            both = [walker, bystander] if frame not in missed else [small, bystander]
            if frame in (2, 9) and frame not in missed:
                both = [grown, bystander, walker]
            film.append(np.array(both))
        films.append((film,))
    nobody_first = [np.zeros((0, 4)), *films[0][0][:5], np.zeros((0, 4)), *films[0][0][6:]]
    return [*films, (nobody_first,)]


def _face_boxes(generator: np.random.Generator) -> list[tuple[np.ndarray, float]]:
    high = [np.tile(corner, 2) + np.array([0, 0, 70, 100]) for corner in generator.uniform(-20, 200, (3, 2))]
    wide = [np.tile(corner, 2) + np.array([0, 0, 110, 80]) for corner in generator.uniform(30, 200, (2, 2))]
    return [(box.round(1), scale) for box, scale in zip([*high, *wide], (1.3, 1.0, 2.0, 1.3, 1.5), strict=True)]


# --- the exercises

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
