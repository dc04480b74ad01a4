"""Verdicts of the web page, in node, beside those of `inference.verdict.judge`: the same JSON, word by word."""

import dataclasses
import json
import math

import numpy as np
import pytest

from torchfakes_utils.export.description import describe
from torchfakes_utils.faces.search import Found
from torchfakes_utils.faces.tracking import Track
from torchfakes_utils.inference.verdict import Answers, judge
from torchfakes_utils.io.media import PHOTO, Media
from torchfakes_utils.metrics.band import MOST_FACES, Band, Rate
from torchfakes_utils.models.decision import CANNOT_TELL, DISTANCE, FAKE, REAL, Decision
from torchfakes_utils.models.scope import Scope

from helpers.decisions import answering
from helpers.export import build
from helpers.web import in_node

LIMIT = 2.0

VERDICTS = """async (cases) => {
  const { faceVerdict, outside, overall } = await load("verdict.js");
  return cases.map(({ people, decision, notes }) => {
    const faces = people.map((frames, number) => faceVerdict(number, frames.map((frame) => ({
      ...frame, cannot_tell: outside(decision.ranges, { outside: 0, distance: frame.distance }),
    })), decision));
    const prediction = overall("a.png", faces, decision, notes);
    return { ...prediction, faces: prediction.faces.map((face) => ({ ...face, face: face.face + 1 })) };
  });
}"""


def described(decision: Decision) -> dict:
    """A decision as programs get it."""
    detector = build()
    detector.decision = decision
    return json.loads(json.dumps(describe(detector, "fp32", ())["decision"]))


def ours(scores: list[list[float]], distances: list[list[float]], decision: Decision) -> dict:
    """The prediction for people with so many crops each, as JSON has it."""
    most = max(map(len, scores), default=1)
    people = [[Track(
        np.arange(len(one)), np.tile(np.array([20, 20, 50, 60], np.float32), (len(one), 1)), np.zeros((len(one), 5, 2)),
        np.full(len(one), 0.5, np.float32), np.full(len(one), "detected"),
    )] for one in scores]  # fmt: skip
    crops = [np.full((16, 16, 3), 90, np.uint8) for one in scores for _ in one]
    media = Media("a.png", PHOTO, np.arange(most), np.zeros(most), [], notes=("a note",))
    answers = Answers(*(np.array([value for one in values for value in one], float) for values in (scores, distances)))
    return judge(Found(media, people, crops, (200, 200)), answers, decision, 1.3).to_json()


def both(cases: list[tuple[list, list, Decision]], modules) -> list[tuple[dict, dict]]:
    """Ours and the page's, of cases of scores, distances and a decision."""
    given, expected = [], []
    for scores, distances, decision in cases:
        expected.append(json.loads(json.dumps(ours(scores, distances, decision))))
        frames = [
            [{"frame": at, "time": 0, "box": [20, 20, 50, 60], "face_probability": 0.5,
              "probability_fake": None if math.isnan(fake) else fake, "distance": None if math.isnan(far) else far}
             for at, (fake, far) in enumerate(zip(*pair, strict=True))]
            for pair in zip(scores, distances, strict=True)
        ]  # fmt: skip
        notes = ["a note", *decision.cautions]
        given.append({"people": frames, "decision": described(decision), "notes": notes})
    return list(zip(expected, in_node(modules, VERDICTS, given), strict=True))


def check_same(one: dict, other: dict) -> None:
    """Equal but for the last digit of means, and the interval, which the page has none of."""
    assert one.keys() == other.keys()
    for name in one.keys() - {"faces", "interval"}:
        if name == "probability_fake":
            assert other[name] == (None if one[name] is None else pytest.approx(one[name], rel=1e-12))
        else:
            assert one[name] == other[name], name
    for face, its in zip(one.get("faces", ()), other.get("faces", ()), strict=True):
        check_same(face, its)


def random_band(rng: np.random.Generator) -> Band:
    """Any: also one without one end, or without both, and with ends between which hardly anything lies."""
    starts = np.sort(rng.uniform(0.4, 1, MOST_FACES))
    end = float(rng.choice([0.9999, 0.3, 0.7])) * starts[0]
    rates = [Rate(float(share), float(share / 3), float(min(1, 2 * share)), 3, 40, people) for share, people in
             zip(rng.uniform(0, 0.5, 2), (1, 23), strict=True)]  # fmt: skip
    has_start, has_end, counted = rng.random(3) < (0.9, 0.9, 0.8)
    return Band(
        tuple(starts) if has_start else (), end if has_end else None, rates[0] if counted and has_start else None,
        rates[1] if counted and has_end else None,
    )  # fmt: skip


def random_case(rng: np.random.Generator) -> tuple[list, list, Decision]:
    """Up to eleven people with up to nine crops, around the ends of a band, some of them unlike those of training."""
    scope = Scope("data, named “so”", ("Deepfakes", "GAN"), ("c23", ""), bool(rng.random() < 0.3))
    ranges = {} if rng.random() < 0.15 else {DISTANCE: (None, LIMIT)}
    decision = Decision(
        0.5, 1.0, ranges, ("a reason",), "it is a coin" if rng.random() < 0.2 else "", random_band(rng),
        random_band(rng), scope=scope, likeness="0" * 64 if rng.random() < 0.9 else "",
    )  # fmt: skip
    ends = [*decision.photo.fake_from[:4], *decision.film.fake_from[:2], decision.photo.real_to, decision.film.real_to]
    near = [end for end in ends if end is not None] or [0.5]
    scores, distances = [], []
    for _ in range(rng.integers(0, 12)):
        crops = int(rng.choice([1, 1, 3, 4, 9]))
        middle = rng.choice(near) + rng.choice([0, 1e-3, -1e-4, -1e-8, 1e-13, 0.2, -0.3])
        scores.append(np.clip(middle + rng.choice([0, 0.05]) * rng.normal(size=crops), 0, 1).tolist())
        far = rng.uniform(0.5, 1.3 * LIMIT, crops)
        distances.append((far if rng.random() < 0.8 else far + LIMIT).tolist())
    if scores and rng.random() < 0.05:
        scores[0][0] = math.nan
    return scores, distances, decision


def test_any_verdict_is_ours(modules):
    rng = np.random.default_rng(0)
    found = both([random_case(rng) for _ in range(400)], modules)
    for one, other in found:
        check_same(one, other)
    # The cases were not all of one kind.
    assert {one["verdict"] for one, _ in found} == {FAKE, REAL, CANNOT_TELL}
    words = " ".join(one["reason"] + one["rate"] for one, _ in found)
    for part in (
        "no face found", "no number", "unlike the faces of its training", "a practice detector, and this face",
        "no verdict is given: a practice detector, which", "fake never", "real never", "among 10 faces",
        "by itself, but each face", "on average over 4 frames", "crops unlike those of training are left out",
        "was not counted", "95 % interval",
    ):  # fmt: skip
        assert part in words, part


def test_each_answer_and_its_limits(modules):
    band = Band((0.8,) * MOST_FACES, 0.2, Rate(0.05, 0.01, 0.125, 2, 40, 20), Rate(0.02, 0.0, 0.1, 1, 50, 25))
    decision = Decision(0.5, photo=band, film=band, scope=Scope("Set", ("A",)))
    found = both([([[score]], [[math.nan]], decision) for score in (0.8, 0.5, 0.2)], modules)
    assert [other["verdict"] for _, other in found] == [FAKE, CANNOT_TELL, REAL]
    assert all(other["limits"] == [0.2, 0.8] and other["meaning"] == decision.meaning for _, other in found)
    assert found[0][1]["rate"] == decision.rate(FAKE, band) != "" == found[1][1]["rate"]
    assert found[0][1]["scope"] == "trained on Set: A; it says nothing of wholly generated faces, nor of sound"
    for one, other in found:
        check_same(one, other)


def test_ten_faces_take_a_higher_limit_than_one(modules):
    band = Band(tuple(np.linspace(0.8, 0.95, MOST_FACES)), 0.3)
    decision = Decision(0.5, photo=band, film=band)
    among = band.from_of(10)
    assert band.from_of() < 0.83 < among < 0.85
    cases = [[[0.83], *[[0.1]] * others] for others in (0, 9)] + [[[0.1]] * 9 + [[among]]]
    found = both([(scores, [[math.nan]] * len(scores), decision) for scores in cases], modules)
    assert [other["verdict"] for _, other in found] == [FAKE, CANNOT_TELL, FAKE]
    assert found[1][1]["limits"] == [0.3, among] and "among 10 faces (from 0.80 on by itself" in found[1][1]["reason"]
    assert found[2][1]["reason"].startswith("face 10 of 10, ")
    for one, other in found:
        check_same(one, other)


def test_the_band_goes_by_the_usable_frames(modules):
    decision = dataclasses.replace(answering(0.9), film=answering(0.6).film, ranges={DISTANCE: (None, LIMIT)})
    far = LIMIT + 1
    cases = [([[0.7] * 3], [[1.0] * 3]), ([[0.7] * 4], [[1.0] * 4]), ([[0.7] * 4], [[1.0, 1.0, 1.0, far]])]
    found = both([(*case, decision) for case in cases], modules)
    assert [other["verdict"] for _, other in found] == [REAL, FAKE, REAL]
    assert [other["limits"][1] for _, other in found] == [0.9, 0.6, 0.9]
    for one, other in found:
        check_same(one, other)


@pytest.mark.parametrize("practice", [False, True])
def test_a_face_unlike_those_of_training_gets_no_answer(modules, practice):
    scope = Scope("Mini", ("A",), practice=practice)
    decision = answering(0.5, ranges={DISTANCE: (None, LIMIT)}, scope=scope, likeness="0" * 64)
    ((one, other),) = both([([[0.9]], [[LIMIT + 0.004]], decision)], modules)
    check_same(one, other)
    assert other["verdict"] == CANNOT_TELL and other["probability_fake"] is None
    assert "unlike the faces of its training (distance 2.004; 2.000 or less wanted)" in other["reason"]
    assert other["reason"].startswith("a practice detector, and this face") == practice


def test_without_bands_it_is_said_why(modules):
    decision = Decision(0.5, notes=("nothing is called fake: validation shows few people",))
    ((one, other),) = both([([[0.9]], [[math.nan]], decision)], modules)
    check_same(one, other)
    assert other["verdict"] == CANNOT_TELL and other["limits"] == [None, None] and other["rate"] == ""
    why = "nothing is called fake: validation shows few people; more people in validation are needed"
    assert other["reason"].endswith(f"no verdict is given: {why}")


def test_a_distance_that_is_no_number_passes_nowhere(modules):
    code = """async () => {
      const { outside } = await load("verdict.js");
      const { measured } = await load("judge.js");
      const said = (value, measures) => outside({}, { distance: measured(value, { measures_distance: measures }) });
      return [NaN, Infinity, 1.5].map((value) => [said(value, true), said(value, false)]);
    }"""
    refusal = Decision().outside({DISTANCE: math.inf})
    assert in_node(modules, code, None) == [[refusal, ""], [refusal, ""], ["", ""]]


def test_numbers_are_written_as_python_writes_them(modules):
    rng = np.random.default_rng(0)
    values = [*(np.arange(0, 65) / 64), *rng.uniform(0, 300, 200), 1.5, 2.5, 12.125, 1e6 + 0.5]
    values = [float(value) for value in values]
    code = """async (values) => {
      const { fixed } = await load("verdict.js");
      return values.map((value) => [0, 1, 2, 3, 4, 5, 9, 17].map((digits) => fixed(value, digits)));
    }"""
    found = in_node(modules, code, values)
    for value, texts in zip(values, found, strict=True):
        assert texts == [f"{value:.{digits}f}" for digits in (0, 1, 2, 3, 4, 5, 9, 17)], value
