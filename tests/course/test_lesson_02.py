"""Lesson 02's exercises: what learners may write, and what they are told."""

import numpy as np
import pandas as pd
import torch
from torchvision.ops import box_iou, nms

from torchfakes_utils.course import lesson_02
from torchfakes_utils.export import mtcnn_numpy

from helpers.exercises import assert_teaches


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

    def rounded(shorter_side, min_face, factor=0.709):
        scale, found = 12 / min_face, []
        while int(shorter_side * scale + 0.5) >= 12:
            found.append(scale)
            scale *= factor
        return found

    assert_teaches(
        lesson_02.PYRAMID,
        right=[looped, by_logarithm, lambda *words: pd.Series(looped(*words))],  # an empty one is one of objects
        wrong={
            "not the photograph itself": from_the_photograph,
            "One level too many": one_more,
            ">= and not >": strict,
            "for pyramid_scales(100, 40), yours has 0.1508 at [0]": upside_down,
            "do not round": rounded,
            "`factor` is given": lambda shorter_side, min_face, factor=0.709: looped(shorter_side, min_face),
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
            "for cell_to_box(3, 5, 0.5), yours is of shape (2,)": lambda row, column, scale: one_by_one(
                row, column, scale
            )[:2],
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
            "the share of one box": lambda a, b: lesson_02._shared(a, b) / ((a[2] - a[0]) * (a[3] - a[1])),
            "for iou([0, 0, 2, 2], [1, 0, 3, 2]), yours is 0.6667": lambda a, b: 1 - lesson_02.iou(a, b),
        },
    )


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


def removing(boxes, scores, limit):
    order, keep = np.argsort(-scores).tolist(), []
    while order:
        keep.append(order.pop(0))
        for other in order:
            if lesson_02.iou(boxes[keep[-1]], boxes[other]) > limit:
                order.remove(other)
    return keep


def test_suppress():
    assert_teaches(
        lesson_02.SUPPRESS,
        right=[vectorised, torchs, looped],
        wrong={
            "least sure box": lowest_first,
            "not sorted": unsorted,
            "wrong way round": turned_round,
            "The last box is lost": loses_the_last,
            "You remove from a list": removing,
            "You give scores": lambda boxes, scores, limit: [scores[k] for k in looped(boxes, scores, limit)],
            "the surest first": lambda boxes, scores, limit: np.unique(looped(boxes, scores, limit)),
            "for suppress([[0, 0, 10, 10], [1, 0, 11, 10], [20, 0, 30, 10]], [0.7, 0.9, 0.8], 0.5), yours is of shape "
            "(2, 4)": lambda boxes, scores, limit: boxes[looped(boxes, scores, limit)],
        },
    )
