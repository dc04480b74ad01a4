"""What learners write in lesson 02b: one face followed through a film, and the square to cut out."""

from collections.abc import Callable, Sequence
from typing import Any

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


def _follow(
    films_boxes: Sequence[np.ndarray],
    least: float,
    lost: str = "",
    keeps: Callable[[int | None, np.ndarray | None], bool] = lambda place, _: place is not None,
    begin: Callable[[np.ndarray], int] = _biggest,
) -> list[int | None]:
    """The loop, with a place for each mistake.

    Args:
        films_boxes: as of `follow_one`.
        least: as of `follow_one`.
        lost: what is done where nothing overlaps, "" for the right thing, else one of the mistakes.
        keeps: of the box's number and the last box, whether the box is remembered.
        begin: which box of the first frame that has some.
    """
    last: np.ndarray | None = None
    chosen: list[int | None] = []
    for boxes in films_boxes:
        place = None
        if len(boxes) == 0:
            pass
        elif last is None:
            place = begin(boxes)
        else:
            overlaps = [iou(box, last) for box in boxes]
            near = int(np.argmax(overlaps))
            if lost == "biggest of those":
                fitting = [k for k, overlap in enumerate(overlaps) if overlap >= least]
                near = max(fitting, key=lambda k: _area(boxes[k]), default=near)
            place = near if overlaps[near] >= least or lost == "nearest" else None
            if place is None and lost == "biggest":
                place = _biggest(boxes)
            if place is None and lost == "drift":
                last = boxes[near]
        if place is not None and keeps(place, last):
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


def _begun_again_at_0(film: Sequence[np.ndarray], least: float = 0.3) -> list[int | None]:
    return _follow(film, least, keeps=lambda place, _: bool(place))


def _none_for_0(film: Sequence[np.ndarray], least: float = 0.3) -> list[int | None]:
    return [place or None for place in _begun_again_at_0(film, least)]


def _cut_off(box: Box, scale: float = 1.3) -> tuple[int, ...]:
    return tuple(max(0, end) for end in square(box, scale))


def _pushed_back(box: Box, scale: float = 1.3) -> tuple[int, ...]:
    left, top, right, bottom = square(box, scale)
    x, y = max(0, left), max(0, top)
    return x, y, x + right - left, y + bottom - top


def within_a_pixel(expected: Box, found: Box) -> str:
    """How two boxes differ; "" where no end is more than a pixel off: how halves are rounded is nobody's mistake.

    A square is expected wherever the expected box is one; what a mistake gives may be none.
    """
    said = comparison.difference(expected, found)
    if said and not comparison.difference(np.zeros(4), np.zeros(np.shape(found))):
        own = np.asarray(found, float)
        if (own != own.round()).any():
            return f"yours is {comparison.describe(found)}, and whole pixels are expected"
        if expected[2] - expected[0] == expected[3] - expected[1] and (text := _no_square(own)):
            return text
        return "" if np.abs(np.subtract(expected, own)).max() <= 1 else said
    return said


def _no_square(box: np.ndarray) -> str:
    """What is wrong with sides that are not equal; "" where they are."""
    wide, high = box[2] - box[0], box[3] - box[1]
    text = f"yours is {wide:g} wide and {high:g} high, and a square is expected" if wide != high else ""
    if abs(wide - high) != 1:
        return text
    return (
        f"{text}. Where each end is rounded by itself, it may be a pixel out of square: round the edge, then one "
        "corner, and add"
    )


# --- random inputs, after the examples of the lesson


def _films(generator: np.random.Generator) -> list[tuple[Any, ...]]:
    """A face that walks to the right beside a smaller one that stands still; for some frames it is not seen."""
    told = [np.array([[0.0, 0, 4, 4], [10, 0, 16, 6]]), np.array([[11.0, 0, 17, 6]]), np.array([[0.0, 0, 4, 4]])]
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
        films.append(film)
    nobody_first = [np.zeros((0, 4)), *films[0][:5], np.zeros((0, 4)), *films[0][6:]]
    turned = [boxes[::-1] for boxes in films[2]]  # the biggest box is the last one
    half = [np.array([[0.0, 0, 8, 4]]), np.array([[0.0, 0, 4, 4]]), np.array([[0.0, 0, 4, 2]])]
    fast = [np.array([[0.0, 0, 10, 10]]), np.array([[4.0, 0, 14, 10]]), np.array([[4.0, 0, 6, 2]])]  # 0.43, then 0.04
    given = [(turned, 0.75), (half, 0.5)]
    return [(told,), *((film,) for film in films), (nobody_first,), (turned,), (fast,), *given]


def _face_boxes(generator: np.random.Generator) -> list[tuple[np.ndarray, float]]:
    """Boxes whose squares begin and end between pixels, so that ends rounded by themselves make no square."""
    cases = [(np.array([100.0, 60, 180, 160]), 1.3)]
    for number, scale in enumerate((1.3, 1.0, 2.0, 1.3, 1.5)):
        edge = generator.integers(90, 200) + generator.uniform(0.45, 0.55)
        corner = generator.integers(20, 120, 2) if number else generator.integers(-30, -5, 2)
        # An end at .1 or .2 is another whole pixel away from its corner than one at .6 or .7, however one rounds.
        corner = corner + generator.permutation([generator.uniform(0.1, 0.2), generator.uniform(0.6, 0.7)])
        half = np.array([edge, 0.7 * edge][:: generator.choice([1, -1])]) / scale / 2
        cases.append((np.concatenate([corner + edge / 2 - half, corner + edge / 2 + half]), scale))
    return cases


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
            lambda film, least=0.3: _follow(film, least, keeps=lambda _, last: last is None),
        "Of the boxes that overlap you take the biggest. Take the one that overlaps most.":
            lambda film, least=0.3: _follow(film, least, "biggest of those"),
        "The box that overlaps most may still overlap too little: below `least` the answer is None.":
            lambda film, least=0.3: _follow(film, least, "nearest"),
        "You begin with the first box of a frame. Begin with the biggest one.":
            lambda film, least=0.3: _follow(film, least, begin=lambda _: 0),
        "`least` is given: compare with it. It is 0.3 only where nobody says so.":
            lambda film, least=0.3: _follow(film, 0.3),
        "`least` is given: compare with it, not with a number of your own.": lambda film, least=0.3: _follow(film, 0.5),
        "An overlap of just `least` is enough: >= and not >.": lambda film, least=0.3: _follow(film, least + 1e-9),
        "0 is a box, too: ask whether the number `is not None`.": _begun_again_at_0,
        "0 is a box, too, and you answer None: ask whether the number `is not None`.":
            _none_for_0,
        "Where nothing overlaps enough, the last box stays where it was.":
            lambda film, least=0.3: _follow(film, least, "drift"),
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
        "It may reach out of the picture: nothing is cut off at 0.": _cut_off,
        "It may reach out of the picture: do not push it back to 0.": _pushed_back,
        "The margin is added on both sides: the whole edge is `scale` times the longer side.":
            lambda box, scale=1.3: square(box, 2 * scale - 1),
    },
)  # fmt: skip
