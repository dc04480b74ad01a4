"""A lesson goes on with any answer that was right: as the type that it needs, and with its inputs as they were."""

import copy

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torchvision.ops import nms

from torchfakes_utils.course import (
    handing_on,
    lesson_02,
    lesson_02b,
    lesson_05b,
    lesson_07_exercises,
    practice,
)
from torchfakes_utils.course import lesson_01_exercises as lesson_01
from torchfakes_utils.course import lesson_04_exercises as lesson_04
from torchfakes_utils.course import lesson_09_exercises as lesson_09
from torchfakes_utils.course import lesson_12_exercises as lesson_12
from torchfakes_utils.course.practice import State


def emptied(edges):
    groups = []
    while edges:
        edge = edges.pop()
        touched = [group for group in groups if group & set(edge)]
        groups = [group for group in groups if group not in touched] + [set().union(*touched, edge)]
    return (group for group in groups)


def in_place(x, branches, mix, scale):
    x += scale * mix(torch.cat([branch(x) for branch in branches], 1))
    return torch.relu(x)


def turned(pixels, orientation):
    image = Image.fromarray(pixels)
    turns = {3: Image.ROTATE_180, 6: Image.ROTATE_270, 8: Image.ROTATE_90}
    return image.transpose(turns[orientation]) if orientation in turns else image


def suppressed(boxes, scores, limit):
    return nms(torch.tensor(boxes), torch.tensor(scores), limit)


ANSWERS = [
    (lesson_02.SUPPRESS, suppressed),
    (lesson_02.SUPPRESS, lambda *words: np.array(suppressed(*words), float)),
    (lesson_02.SUPPRESS, lambda *words: tuple(suppressed(*words))),
    (lesson_02.PYRAMID, lambda *words: (scale for scale in lesson_02.pyramid_scales(*words))),
    (lesson_02.PYRAMID, lambda *words: pd.Series(lesson_02.pyramid_scales(*words))),
    (lesson_02.PYRAMID, lambda *words: torch.tensor(lesson_02.pyramid_scales(*words), dtype=torch.float64)),
    (lesson_02b.FOLLOW, lambda *words: np.array(lesson_02b.follow_one(*words), object)),
    (lesson_02b.SQUARE, lambda *words: torch.tensor(lesson_02b.square(*words))),
    (lesson_05b.LARGEST_BATCH, lambda *words: float(lesson_05b.largest_batch(*words))),
    (lesson_05b.RESIDUAL, lambda *words: lesson_05b.residual(*words).detach().numpy()),
    (lesson_05b.RESIDUAL, in_place),
    (lesson_07_exercises.PAIRED, lambda *words: pd.Series(lesson_07_exercises.paired(*words))),
    (lesson_09.UPRIGHT, turned),
    (lesson_09.UPRIGHT, lambda *words: torch.tensor(lesson_09.upright(*words).copy())),
    (lesson_09.UPRIGHT, lambda *words: lesson_09.upright(*words).tolist()),
    (lesson_09.WITHOUT_NOTE, lambda data: bytearray(lesson_09.without_note(data))),
    (lesson_12.SYMMETRIC, lambda *words: tuple(map(torch.tensor, lesson_12.symmetric(*words)))),
    (lesson_12.SYMMETRIC, lambda *words: [lesson_12.symmetric(*words)[0].tolist(), np.ones(1) * lesson_12.symmetric(
        *words)[1]]),
    (lesson_12.SYMMETRIC, lambda *words: (lesson_12.symmetric(*words)[0].astype(np.int8), lesson_12.symmetric(
        *words)[1])),
    (lesson_04.HOLD_OUT, lambda *words: tuple(set(side.tolist()) for side in lesson_04.hold_out(*words))),
    (lesson_01.ISLANDS, emptied),
    (lesson_01.ISLANDS, lambda edges: {frozenset(group) for group in lesson_01.islands(edges)}),
    (lesson_01.READ_NAME, lambda stem: np.array(lesson_01.read_name(stem))),
]  # fmt: skip


@pytest.mark.parametrize(("exercise", "answer"), ANSWERS)
def test_a_right_answer_is_handed_on_as_the_lessons_own(exercise, answer, capsys):
    taken = practice.yours(exercise, answer)
    assert "yours is right" in capsys.readouterr().out
    for case in exercise.inputs(1):
        kept = copy.deepcopy(case)
        expected = exercise.reference(*copy.deepcopy(case))
        with torch.no_grad():
            found = taken(*case)
        if exercise is lesson_01.ISLANDS:  # their order is free
            found = sorted(found)
        assert handing_on.fits(found, expected) and not exercise.difference(expected, found)
        assert not practice._changed(kept, case)
    # A check below, and this cell run again, are about the learner's own.
    assert practice.judge(exercise, taken).state is State.RIGHT
    again = practice.yours(exercise, taken)
    assert getattr(again, practice.LEARNERS) is answer


def test_a_function_that_fits_is_handed_on_as_it_is(capsys):
    assert practice.yours(lesson_02.SUPPRESS, lesson_02.suppress) is lesson_02.suppress


def test_what_cannot_become_the_type_stays_what_it_is():
    assert handing_on.alike("text", [np.ones(3)]) == "text"
    assert handing_on.alike(None, [1]) is None and handing_on.alike([1], [1, "a"]) == [1]
    assert handing_on.alike([2.0, None], [[1, None], [None]]) == [2, None]
    assert handing_on.alike({"a": 1}, [pd.Series({"a": 2})]).index.tolist() == ["a"]


def test_networks_are_handed_on_themselves():
    network, numbers, table = torch.nn.Linear(1, 1), np.ones(2), {"a": [torch.ones(1)]}
    kept, copied, other, one = handing_on.copied((network, numbers, table, 1))
    assert kept is network and copied is not numbers and one == 1 and other["a"][0] is not table["a"][0]
