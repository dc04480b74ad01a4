"""Which file is kept, and why others are not."""

import dataclasses
import json

import pytest

from torchfakes_utils.export.parity import Distances, Exported, Parity, why_refused

DISTANCES = Distances(1e-4, 0.06, 0.05, 0.01, 2.0, 2.0)


def far(**changes):
    return {"distances": dataclasses.replace(DISTANCES, **changes)}


def parity(**changes):
    usual = Parity(
        "detector.int8.onnx", "int8", 1.0, 100, 10, 0.2, 0.1, {"crop": 0.9, "clip": 0.9}, {"crop": 0.9, "clip": 0.9},
        {"crop": 0.0, "clip": 0.0}, 1.0, 1.0, 4.0, 4.0, DISTANCES,
    )  # fmt: skip
    return dataclasses.replace(usual, **changes)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, ""),
        ({"points": {"crop": -0.5, "clip": -9.0}}, ""),  # by crop it counts
        ({"points": {"crop": 3.0, "clip": 3.0}}, ""),
        ({"points": {"crop": -0.51, "clip": 0.0}}, "0.51 points lower"),
        ({"points": {"crop": None, "clip": None}}, "cannot be measured"),
        ({"max_logit_difference": float("nan")}, "no numbers"),
        ({"precision": "fp32", "max_logit_difference": 1e-3}, ""),
        ({"precision": "fp32", "max_logit_difference": 1.1e-3}, "0.0011"),
        ({"precision": "fp32", "max_logit_difference": float("inf")}, "no numbers"),
        (far(turned=0.05, largest_difference=0.3), ""),
        (far(turned=0.051), "5.1% of the test crops are refused for their distance from training by it alone"),
        (far(largest_difference=float("nan")), "no numbers"),
        ({"distances": None}, ""),
        ({"precision": "fp32", "max_logit_difference": 0.0} | far(largest_difference=1.1e-3), "a distance differs"),
    ],
)
def test_the_limits(changes, words):
    why = why_refused(parity(**changes))
    assert words in why and bool(why) == bool(words) and "\n" not in why


def test_figures_that_are_no_numbers_can_be_written_as_json(tmp_path):
    wrong = parity(max_logit_difference=float("nan"), **far(largest_difference=float("inf")))
    checked = Exported(rejected=[wrong], folder=tmp_path)
    (written,) = json.loads(json.dumps(checked.to_json(), allow_nan=False))["rejected"]
    assert written["max_logit_difference"] is None and written["distances"]["largest_difference"] is None
