"""An answer is compared with the expected one as a reader would: numbers by value, with words for what departs."""

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from torchfakes_utils.course.comparison import describe, difference


@pytest.mark.parametrize(
    ("expected", "found"),
    [
        (1, 1.0), (1, True), (0.5, torch.tensor(0.5)), (np.float64(0.5), np.float32(0.5)), (0.3, 0.1 + 0.2),
        (np.array([1, 2]), [1, 2]), ([1, 2], (1, 2)), ((1, 2), torch.tensor([1, 2])), ([1.5], pd.Series([1.5])),
        (np.array([np.nan, np.inf]), [float("nan"), float("inf")]), (np.zeros((0, 4)), []),
        (np.ones(2), [torch.tensor(1.0, requires_grad=True), 1]), (torch.ones(2, dtype=torch.bfloat16), [1, 1]),
        (np.array([True, False]), [1, 0]), ([0, 1], range(2)), (1 / 3, torch.tensor(1.0) / 3),
        (np.zeros((2, 2), np.uint8), Image.new("L", (2, 2))), (1j, 1j), (None, None), ("fake", "fake"),
        ({"a": [1]}, {"a": torch.tensor([1])}), ({1, 2}, [2, 1]), ([np.ones(2), np.ones(3)], [[1, 1], [1, 1, 1]]),
        (["a", "b"], np.array(["a", "b"])), (pd.DataFrame({"a": [1]}), pd.DataFrame({"a": [1.0]})),
        (slice(3), slice(3)), (10**30, 10**30), (("a", 1), ["a", 1.0]),
    ],
)  # fmt: skip
def test_alike(expected, found):
    assert difference(expected, found) == ""


@pytest.mark.parametrize(
    ("expected", "found", "said"),
    [
        (0.5, 0.25, "yours is 0.25, and 0.5 is expected"),
        (0.5, float("nan"), "yours is nan"),
        (0.5, [0.5], "yours is of shape (1,), and a single number is expected"),
        (np.ones((2, 3)), np.ones((3, 2)), "yours is of shape (3, 2), and shape (2, 3) is expected"),
        (np.ones(2), 1, "yours is a single number"),
        ([1, 2, 3], [1, 5, 4], "yours has 5 at [1], where 2 is expected (2 of 3 values differ)"),
        (np.eye(2), torch.zeros(2, 2), "yours has 0 at [0, 0]"),
        (1000.0, 1000.2, "yours is 1000.2, and 1000 is expected"),
        (0.5, "0.5", "yours is '0.5', and a number is expected"),
        (np.ones(3), "ones", "an array of shape (3,) is expected"),
        (0.5, None, "yours is None, and 0.5 is expected"),
        (None, 0, "yours is 0, and None is expected"),
        (0.5, print, "yours is a builtin_function_or_method, and a number is expected"),
        ("fake", "Fake", "capital letters and blanks count"),
        ("fake", "real", "yours is 'real', and 'fake' is expected"),
        ("fake", 1, "the text 'fake' is expected"),
        ({"auc": 1}, {}, "yours lacks 'auc'"),
        ({"auc": 1}, {"auc": 1, "b": 2}, "nobody asked for"),
        ({"auc": 1}, {"auc": 2}, "in part 'auc', yours is 2"),
        ({"auc": 1}, 1, "a dict is expected"),
        ({1, 2}, {1}, "yours lacks 2"),
        ({1}, {1, 3}, "yours has 3"),
        ({1}, 1, "a set is expected"),
        ([np.ones(2), np.ones(3)], [np.ones(2)], "yours has 1 parts, and 2 are expected"),
        ([np.ones(2), np.ones(3)], [np.ones(2), np.zeros(3)], "in part 1, yours has 0 at [0]"),
        (["a"], "a", "a list of 1 is expected"),
        (slice(3), slice(4), "yours is a slice"),
        (1.0, 1j, "yours is 0+1j"),
    ],
)
def test_told_apart(expected, found, said):
    assert said in difference(expected, found)


def test_an_object_that_cannot_be_compared_is_another():
    class Touchy:
        def __eq__(self, other):
            raise RuntimeError

        __hash__ = None

    assert difference(slice(3), Touchy()) and difference(Touchy(), 3)


def test_values_are_described_in_a_few_words():
    told = {0.123456: "0.1235", "a" * 99: "'" + "a" * 58 + "…", None: "None", (1, 2.5): "[1, 2.5]", True: "True"}
    assert {value: describe(value) for value in told} == told
    assert describe(np.zeros((2, 3))) == describe(torch.zeros(2, 3)) == "an array of shape (2, 3)"
    assert describe(("a", np.zeros(9))) == "('a', an array of shape (9,))"
    assert describe(object()) == "an object" and describe({}) == "a dict"
