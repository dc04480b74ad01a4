"""The page: what it says of films that are, are not, or are only in part at hand."""

import re

import pytest

from torchfakes_utils.cli.output import summary_lines
from torchfakes_utils.evaluation.results import (
    Difference,
    Measurement,
    OwnBoxes,
    PerturbationCurve,
    Robustness,
    Stability,
    StrengthMeasurement,
    Turning,
)
from torchfakes_utils.metrics.band import Band, Rate
from torchfakes_utils.metrics.bootstrap import METRICS
from torchfakes_utils.models.decision import Decision
from torchfakes_utils.models.scope import Scope
from torchfakes_utils.report.page import page

from helpers.report import clip_scores, made_up_report

UNKNOWN = dict.fromkeys(Measurement.__dataclass_fields__) | {"auc": 0.8, "coverage": 1.0}
GONE = {f"Deepfakes/c23/{number}": "the film is gone" for number in range(7)}


def text(tmp_path, **parts):
    """The page of a made-up report, and what the command says of it."""
    report = made_up_report(**parts)
    return page(report, clip_scores(), tmp_path), "\n".join(summary_lines(report))


def test_what_was_not_asked_for_says_how_to_ask(tmp_path):
    written, said = text(tmp_path)
    assert "--no-own-boxes" in written and "--perturb" in written and "predict sees" not in said


def test_both_ways_stand_side_by_side_with_their_difference(tmp_path):
    metrics = {name: Difference(0.945, 0.961, -0.016, (-0.03, -0.004), 0.01) for name in METRICS}
    left_out = {"Deepfakes/c23/1": "the film is gone"}
    own = OwnBoxes(None, 900, 10, 8, 120, 3, ("FaceSwap/c23/9",), 0.92, left_out, metrics, {"auc": (0.902, 0.971)})
    written, said = text(tmp_path, own_boxes=own)
    for part in (
        "0.945 (0.902 to 0.971)",
        "0.961",
        "−0.016",
        "The films of 10 of the 900 clips",
        "Several people were found in 3 films",
        "Nobody was found there in 1 films",
        "Deepfakes/c23/1",
    ):
        assert part in written
    assert "(10 of 900 clips; no face in 1 films; 1 clips left out)" in said
    assert "0.945  [0.902, 0.971] against 0.961" in said


def test_own_boxes_that_cannot_be_measured_say_why(tmp_path):
    written, said = text(tmp_path, own_boxes=OwnBoxes("no fake can be used", left_out=GONE))
    assert (
        "Not measured: no fake can be used" in written and "and 2 more" in written and "Deepfakes/c23/5" not in written
    )
    assert "not measured (no fake can be used)" in said


def test_verdicts_that_turn_stand_change_by_change(tmp_path):
    mirrored = Turning("mirrored", 40, 2, 0.05, (0.001, 0.4), 0.125, 0.031)
    every = Turning("all changes", 40, 2, 0.025, (0.0, 0.3), 0.1, None)
    found = Stability(None, 40, 4, 33, 3, {"Deepfakes/c23/1": "the film is gone"}, {"mirrored": mirrored}, every)
    written, said = text(tmp_path, stability=found)
    for part in ("mirrored", "5.0% (0.1% to 40.0%)", "12.5%", "0.031", "33 of them", "in 3 more", "Deepfakes/c23/1"):
        assert part in written
    assert "40 photos, 33 of them called fake or real" in said and "2.5% of the verdicts turn" in said
    nothing, line = text(tmp_path, stability=Stability("the films are not there"))
    assert "Not measured: the films are not there" in nothing and "not measured (the films are not there)" in line
    assert "--stability" in text(tmp_path)[0]


@pytest.mark.parametrize("some", [True, False])
def test_h264_without_films_is_one_line(tmp_path, some):
    curve = PerturbationCurve("JPEG", "quality", (StrengthMeasurement(**UNKNOWN, strength=90.0),), some, GONE)
    found = Robustness(4, 8, Measurement(**UNKNOWN), {"jpeg": curve} if some else {}, {"h264": "no films"})
    written, said = text(tmp_path, robustness=found)
    assert "Not measured: h264 (no films)." in written and "h264 is not measured: no films" in said
    assert ("JPEG compress" in written) == ("and 2 more" in written) == some


def test_what_a_verdict_means_comes_first_with_every_answer_of_every_class(tmp_path):
    band = Band((0.55,), 0.25, Rate(0.05, 0.001, 0.249, 1, 22, 20), None, 0.25, None)
    decision = Decision(photo=band, film=band, scope=Scope("Some data", ("Deepfakes",), ("c23",)))
    scores = clip_scores()
    scores.loc[0, "cannot_tell"] = "unlike the faces of its training (distance 2.0; 1.5 or less wanted)"
    report = made_up_report(scores, decision=decision)
    written = page(report, scores, tmp_path)
    first = written[written.index('<section id="verdicts"') : written.index('<section id="numbers"')]
    assert decision.meaning in first and "Trained on Some data: Deepfakes at c23" in first
    rows = re.findall(r'<th scope="row">([^<]*)</th><td[^>]*>([^<]*)</td><td[^>]*>([^<]*)</td>', first)[:5]
    assert [(name, real.partition(":")[0], fake.partition(":")[0]) for name, real, fake in rows] == [
        ("called fake", "1 of 4", "3 of 4"), ("called real", "1 of 4", "0 of 4"),
        ("cannot tell: between the limits", "1 of 4", "1 of 4"), ("cannot tell: unlike training", "1 of 4", "0 of 4"),
        ("people or pairs", "4", "4"),
    ]  # fmt: skip
    assert rows[0][1] == "1 of 4: 25.0 % (0.6 to 80.6 %)", "exact, by person"
    assert "5.0 % (0.1 to 24.9 %), 20 people or pairs" in first and "data:image/svg+xml" in first
    assert "called fake from 0.550; called real up to 0.250" in first, "for those who cannot see the figure"
    assert "6 of 8 clips are called fake or real." not in written and "5 of 8 clips are called fake or real." in written


def test_what_could_steer_a_terminal_is_an_escape_in_the_page(tmp_path):
    scope = Scope("Some\x1b[31m data", ("Deep\x9bfakes",))
    page, _ = text(tmp_path, decision=Decision(notes=("a note\x07 of somebody",), scope=scope))
    assert "Some\\x1b[31m data" in page and not set(page) & {"\x1b", "\x07", "\x9b"}
    assert "<table>" in page and "&lt;table" not in page, "its own markup stays"


def test_of_a_detector_that_is_silent_the_page_says_why(tmp_path):
    assert "It never gives a verdict: its thresholds and temperature were never fixed" in text(tmp_path)[0]
