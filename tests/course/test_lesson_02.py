"""Lesson 02's exercises: what learners may write, and what they are told."""

import numpy as np
import torch
from torchvision.ops import box_iou, nms

from tests.helpers.exercises import assert_teaches
from torchfakes_utils.course import lesson_02
from torchfakes_utils.export import mtcnn_numpy
from torchfakes_utils.faces.detection import square_crop


def test_pyramid():
    def looped(shorter_side, min_face, factor=0.709):
        found = []
        while min_face <= shorter_side:
            found.append(12 / min_face)
            min_face /= factor
        return found

    def by_logarithm(shorter_side, min_face, factor=0.709):
        if min_face > shorter_side:
            return []
        levels = int(np.floor(np.log(min_face / shorter_side) / np.log(factor) + 1e-12)) + 1
        return torch.tensor(12 / min_face * factor ** np.arange(levels))

    def from_the_photograph(shorter_side, min_face, factor=0.709):
        scale, found = 1, []
        while shorter_side * scale >= 12:
            found.append(scale)
            scale *= factor
        return found

    def upside_down(shorter_side, min_face, factor=0.709):
        return lesson_02.pyramid_scales(shorter_side, min_face, factor)[::-1]

    def one_more(shorter_side, min_face, factor=0.709):
        scale, found = 12 / min_face, []
        while True:
            found.append(scale)
            scale *= factor
            if shorter_side * scale < 12:
                return [*found, scale] if shorter_side >= min_face else found

    def strict(shorter_side, min_face, factor=0.709):
        scale, found = 12 / min_face, []
        while shorter_side * scale > 12:
            found.append(scale)
            scale *= factor
        return found

    assert_teaches(
        lesson_02.PYRAMID,
        right=[looped, by_logarithm],
        wrong={
            "not the photograph itself": from_the_photograph,
            "One level too many": one_more,
            ">= and not >": strict,
            "values differ": upside_down,
        },
    )


def test_the_pyramid_is_that_of_the_cascade():
    for height, width, least in ((512, 700, 20), (240, 240, 36), (90, 50, 40)):
        scales = [scale for scale, *_ in mtcnn_numpy.pyramid(height, width, least)]
        np.testing.assert_allclose(lesson_02.pyramid_scales(min(height, width), least), scales)


def test_cell():
    def one_by_one(row, column, scale):
        x, y = 2 * column, 2 * row
        return x / scale, y / scale, (x + 12) / scale, (y + 12) / scale

    def tensor(row, column, scale):
        return (torch.tensor([column, row, column + 6, row + 6]) * 2) / scale

    def swapped(row, column, scale):
        return [2 * row / scale, 2 * column / scale, (2 * row + 12) / scale, (2 * column + 12) / scale]

    def smaller(row, column, scale):
        return [2 * column * scale, 2 * row * scale, (2 * column + 12) * scale, (2 * row + 12) * scale]

    def stepless(row, column, scale):
        return [column / scale, row / scale, (column + 12) / scale, (row + 12) / scale]

    def small_window(row, column, scale):
        return [2 * column / scale, 2 * row / scale, 2 * column / scale + 12, 2 * row / scale + 12]

    assert_teaches(
        lesson_02.CELL,
        right=[one_by_one, tensor, lambda *words: list(one_by_one(*words))],
        wrong={
            "x and y are exchanged": swapped,
            "divide by the scale.": smaller,
            "moves by 2 px": stepless,
            "The window has 12 px on its level": small_window,
            "shape (4,) is expected": lambda row, column, scale: one_by_one(row, column, scale)[:2],
        },
    )


def test_a_cell_is_the_cascades_window_but_for_rounding():
    level = mtcnn_numpy.LevelMap(0.3, np.eye(9, dtype=np.float32), np.zeros((4, 9, 9), np.float32))
    found = mtcnn_numpy.windows(level).boxes
    own = [lesson_02.cell_to_box(place, place, 0.3) for place in range(9)]
    assert np.abs(found - own).max() <= 1 / 0.3


def test_iou():
    def numpy_one(a, b):
        low, high = np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])
        shared = np.prod(np.clip(high - low, 0, None))
        return shared / (np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - shared)

    def torchs(a, b):
        return box_iou(torch.tensor(a)[None], torch.tensor(b)[None])[0, 0]

    def negative(a, b):
        width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
        shared = width * height
        return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)

    def plain_sum(a, b):
        shared = np.prod(np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None))
        return shared / (np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]))

    assert_teaches(
        lesson_02.IOU,
        right=[numpy_one, torchs],
        wrong={
            "negative width or height": negative,
            "counted twice": plain_sum,
            "an area in pixels": lambda a, b: lesson_02.iou(a, b) and lesson_02._shared(a, b),
            "for iou(": lambda a, b: 1 - lesson_02.iou(a, b),
        },
    )


def test_suppress():
    def vectorised(boxes, scores, limit):
        order, keep = np.argsort(-scores), []
        while order.size:
            best, order = order[0], order[1:]
            keep.append(best)
            overlaps = np.array([lesson_02.iou(boxes[best], boxes[other]) for other in order])
            order = order[overlaps <= limit] if order.size else order
        return np.array(keep)

    def torchs(boxes, scores, limit):
        return nms(torch.tensor(boxes), torch.tensor(scores), limit)

    def looped(boxes, scores, limit):
        keep = []
        for place in sorted(range(len(boxes)), key=lambda k: -scores[k]):
            if all(lesson_02.iou(boxes[place], boxes[other]) <= limit for other in keep):
                keep.append(place)
        return keep

    def lowest_first(boxes, scores, limit):
        return looped(boxes, -scores, limit)

    def unsorted(boxes, scores, limit):
        return looped(boxes, -np.arange(len(boxes)), limit)

    def turned_round(boxes, scores, limit):
        order, keep = list(np.argsort(-scores)), []
        while order:
            best = order.pop(0)
            keep.append(best)
            order = [other for other in order if lesson_02.iou(boxes[best], boxes[other]) > limit]
        return keep

    def loses_the_last(boxes, scores, limit):
        order, keep = list(np.argsort(-scores)), []
        while len(order) > 1:
            best = order.pop(0)
            keep.append(best)
            order = [other for other in order if lesson_02.iou(boxes[best], boxes[other]) <= limit]
        return keep

    assert_teaches(
        lesson_02.SUPPRESS,
        right=[vectorised, torchs, looped],
        wrong={
            "least sure box": lowest_first,
            "not sorted": unsorted,
            "wrong way round": turned_round,
            "The last box is lost": loses_the_last,
            "is expected": lambda boxes, scores, limit: boxes[looped(boxes, scores, limit)],
        },
    )


def test_follow():
    def by_hand(film, least=0.3):
        last, chosen = None, []
        for boxes in film:
            if len(boxes) == 0:
                chosen.append(None)
            elif last is None:
                chosen.append(int(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1).argmax()))
            else:
                best = max(range(len(boxes)), key=lambda k: lesson_02.iou(boxes[k], last))
                chosen.append(best if lesson_02.iou(boxes[best], last) >= least else None)
            last = last if chosen[-1] is None else boxes[chosen[-1]]
        return chosen

    def generated(film, least=0.3):
        yield from by_hand(film, least)

    def biggest(film, least=0.3):
        return [int(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1).argmax()) if len(boxes) else None for boxes in film]

    def falls_back(film, least=0.3):
        return [big if own is None else own for own, big in zip(by_hand(film, least), biggest(film), strict=True)]

    def from_the_first(film, least=0.3):
        first = next(boxes[biggest([boxes])[0]] for boxes in film if len(boxes))
        chosen = []
        for boxes in film:
            overlaps = [lesson_02.iou(box, first) for box in boxes]
            chosen.append(int(np.argmax(overlaps)) if len(boxes) and max(overlaps) >= least else None)
        return chosen

    assert_teaches(
        lesson_02.FOLLOW,
        right=[by_hand, generated],
        wrong={
            "compare with the first box": from_the_first,
            "remember nothing": biggest,
            "shape (14,) is expected": lambda film, least=0.3: [0] * (len(film) - 1),
        },
    )
    film = lesson_02.FOLLOW.inputs()[1][0]
    assert lesson_02.follow_one(film)[3:7] == [0, None, None, 0]
    assert falls_back(film) != by_hand(film)


def test_square():
    def in_numpy(box, scale=1.3):
        middle, edge = (box[:2] + box[2:]) / 2, scale * (box[2:] - box[:2]).max()
        return np.concatenate([middle - edge / 2, middle + edge / 2]).round()

    def the_packages(box, scale=1.3):
        return square_crop(np.zeros((400, 400, 3), np.uint8), box, scale, 2)[1]

    def stretched(box, scale=1.3):
        middle, sides = (box[:2] + box[2:]) / 2, scale * (box[2:] - box[:2])
        return np.concatenate([middle - sides / 2, middle + sides / 2]).round()

    def both_sides(box, scale=1.3):
        return in_numpy(box, 1 + 2 * (scale - 1))

    def at_the_corner(box, scale=1.3):
        edge = round(scale * max(box[2] - box[0], box[3] - box[1]))
        return [round(box[0]), round(box[1]), round(box[0]) + edge, round(box[1]) + edge]

    assert_teaches(
        lesson_02.SQUARE,
        right=[in_numpy, the_packages],
        wrong={
            "no square": stretched,
            "begins in the box's corner": at_the_corner,
            "shape (4,) is expected": lambda box, scale=1.3: in_numpy(box, scale)[:2],
        },
    )
    for seed in range(5):
        for box, scale in lesson_02.SQUARE.inputs(seed):
            assert lesson_02.square(box, scale) == the_packages(box, scale)
    assert "is expected" in lesson_02.within_a_pixel((0, 0, 9, 9), both_sides(np.array([0.0, 0, 9, 9])))
