"""An answer is compared with the expected one as a reader would: numbers by value, with words for what departs."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from torchfakes_utils.course.comparison import describe, difference, written


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
        (0.5, Fraction(1, 2)), ([0.5, 2], [Fraction(1, 2), Decimal(2)]), (np.ones(2), np.array([1, 1.0], object)),
        (np.ones((1, 2)), pd.DataFrame({"a": [1], "b": [1]})), (np.ones(2), np.array([torch.tensor(1.0), 1], object)),
        (np.eye(2), torch.eye(2).to_sparse()),
        ([], pd.Series([])), ([], pd.Series([], dtype=str)), (np.zeros(0), np.array([], "U3")),
        (0.5, Decimal("0.5")), (1j, np.array(1j, object)), ([0, None], np.array([0, None], object)),
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
        (np.ones(2), 1, "yours is a single number, and two numbers are expected"),
        (np.ones(3), 1, "yours is a single number, and shape (3,) is expected"),
        ([1, 2, 3], [1, 5, 4], "yours has 5 at [1], where 2 is expected (2 of 3 values differ)"),
        (np.eye(2), torch.zeros(2, 2), "yours has 0 at [0, 0]"),
        (1000.0, 1000.2, "yours is 1000.2, and 1000 is expected"),
        (0.5, "0.5", "yours is '0.5', and a number is expected"),
        (np.ones(3), "ones", "an array of shape (3,) is expected"),
        (0.5, None, "yours is None, and 0.5 is expected"),
        (None, 0, "yours is 0, and None is expected"),
        (0.5, print, "yours is a function, and a number is expected"),
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
        ([np.ones(2), np.ones(3)], [np.ones(2)], "yours has 1 part, and 2 are expected"),
        (["a"], ["a", "b"], "yours has 2 parts, and 1 is expected"),
        ([np.ones(2), np.ones(3)], [np.ones(2), np.zeros(3)], "in part 1, yours has 0 at [0]"),
        (["a"], "a", "a list of 1 is expected"),
        (slice(3), slice(4), "yours is a slice"),
        (1.0, 1j, "yours is 0+1j"),
        (60000000, 24130000, "yours is 24130000, and 60000000 is expected"),
        (1.0, pd.DataFrame({"a": [1]}), "yours is of shape (1, 1), and a single number is expected"),
        ("fake", pd.DataFrame({"a": [1]}), "yours is a table of shape (1, 1), and the text"),
        (1.0, pd.DataFrame({"a": ["x"]}), "yours is a table of shape (1, 1), and a number is expected"),
        (1.0, np.array(["x", "y"]), "yours is an array of shape (2,), and a number is expected"),
        (np.ones(2), torch.empty(2, device="meta"), "yours is a tensor, and an array of shape (2,) is expected"),
        (np.ones(2), pd.Series(["a", "b"]), "yours is an array of shape (2,), and an array of shape (2,)"),
        (1.0, print, "yours is a function"),
        (1.0, int, "yours is a class"),
        (1.0, b"1", "yours is bytes"),
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


def test_small_arguments_are_written_out_so_that_one_can_try_them():
    pairs = [("a", ""), ("b", "c")]
    assert written(pairs) == "[('a', ''), ('b', 'c')]" and written((1,)) == "(1,)"
    assert written(np.array(["b", "a"])) == "['b', 'a']"
    assert written(np.array([[0, 1.5], [2, 3]])) == written(torch.tensor([[0, 1.5], [2, 3]])) == "[[0, 1.5], [2, 3]]"
    assert written(pd.DataFrame({"who": ["000"], "n": [1]})) == "{'who': ['000'], 'n': [1]}"
    assert written([np.zeros((0, 4)), np.ones(1)]) == "[[], [1]]"
    assert written(np.zeros((9, 9))) == "an array of shape (9, 9)"
    assert written("it's " * 99) == describe("it's " * 99) and written([print]) == describe([print])
    endless: list = []
    endless.append(endless)
    assert "list" in written(endless) or written(endless).startswith("(")


def test_lists_without_end_are_described():
    endless: list = []
    endless.extend([endless] * 5)
    deep: list = []
    for _ in range(5000):
        deep = [deep]
    for value in (endless, deep):
        assert "list" in describe(value) and "a list" in difference(np.ones(2), value) and difference("text", value)
        assert difference([np.ones(2), np.ones(3)], value) and difference(["a"], value) and difference({"a"}, value)


@pytest.mark.filterwarnings("ignore")
def test_an_object_that_raises_when_it_is_looked_at_has_a_kind():
    class Raising:
        def __getattr__(self, name):
            raise RuntimeError(name)

        def __array__(self, *_):
            raise ZeroDivisionError

    assert describe(Raising()) == "a Raising"
    nested = torch.nested.nested_tensor([torch.ones(2), torch.ones(3)])
    assert describe(nested) == "a tensor"


@pytest.mark.filterwarnings("ignore")
def test_quantised_numbers_are_numbers():
    assert difference(np.ones(2), torch.quantize_per_tensor(torch.ones(2), 1, 0, torch.qint8)) == ""
