"""What a detector may speak of, in one line."""

import dataclasses
import json

import pytest

from torchfakes_utils.models.scope import Scope


@pytest.mark.parametrize(
    ("scope", "line"),
    [
        (Scope(), "what it was trained on is not known; it says nothing of wholly generated faces, nor of sound"),
        (
            Scope("Mini-FF++ (mini)", ("Deepfakes", "FaceSwap"), ("c23",), True),
            "trained on Mini-FF++ (mini), practice data that shows no real person: Deepfakes and FaceSwap at c23; it "
            "says nothing of wholly generated faces, nor of sound",
        ),
        (Scope("df40", ("StyleGAN-3", "x")), "trained on df40: StyleGAN-3 and x; it says nothing of sound"),
        (
            Scope("own", tuple("abcdefgh"), ("", "")),
            "trained on own: a, b, c, d, e and 3 more; it says nothing of wholly generated faces, nor of sound",
        ),
    ],
    ids=["unknown", "practice", "generated", "many"],
)
def test_the_line(scope, line):
    assert scope.line == line and "\n" not in line
    assert Scope(**json.loads(json.dumps(dataclasses.asdict(scope)))) == scope


@pytest.mark.parametrize(
    "wrong",
    [{"data": 3}, {"methods": (1,)}, {"compressions": 4}, {"bananas": ()}, {"methods": "abc"}, {"practice": "no"},
     {"practice": 1}, {"practice": None}],
)  # fmt: skip
def test_what_is_no_scope_is_refused(wrong):
    with pytest.raises(TypeError):
        Scope(**wrong)


@pytest.mark.parametrize("wrong", [{"data": "x" * 500_000}, {"methods": ["x" * 500_000]}, {"methods": ["x"] * 100_000}])
def test_a_scope_that_fits_into_no_line_is_refused_without_being_repeated(wrong):
    with pytest.raises(ValueError, match="more than") as refused:
        Scope(**wrong)
    assert len(str(refused.value)) < 100
