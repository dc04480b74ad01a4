"""What a report says in words and numbers."""

from dataclasses import replace

import pytest

from torchfakes_utils.metrics.band import Band, Rate
from torchfakes_utils.models.decision import Decision
from torchfakes_utils.report.contents import NetworkAttention
from torchfakes_utils.report.text import (
    cell,
    change,
    ends,
    headline,
    how_fixed,
    interval,
    limits,
    number,
    own_findings,
    ranges,
)
from torchfakes_utils.report.text import temperature_helped as helped

from helpers.report import clip_scores, made_up_report

REPORT, FAKES_ONLY = made_up_report(), made_up_report(clip_scores(reals=()))


def test_a_metric_comes_with_its_interval_or_with_the_reason_why_not():
    low, high = REPORT.clip.auc_interval
    assert interval(REPORT.clip, "auc", 2) == f"0.94 ({low:.2f} to {high:.2f})"
    assert interval(FAKES_ONLY.clip, "auc").startswith("not known (only fake ones")
    assert cell(FAKES_ONLY.clip, "auc").startswith("– only fake ones")
    assert interval(FAKES_ONLY.aggregations["mean"], "auc") == "not known (not measured)", "it has no reasons"


def test_numbers():
    assert (number(None), number(0.12345), ends(None), ends((0.1, 0.25), 1)) == ("–", "0.123", "–", "0.1 to 0.2")
    assert change(-0.05, (-0.1, 0.02)) == "−0.050 (−0.100 to +0.020)" and change(None, None) == "–"


def test_the_headline_counts_clips_and_answers():
    first, given, forced, _ = headline(made_up_report(decision=Decision(photo=Band((0.55,), 0.25))))
    assert first.startswith("4 real and 4 fake clips, 8 crops of 8 people. By clip: AUC 0.938 (")
    assert given == (
        "Three answers: of 4 real clips 1 is called fake and 2 real; of 4 fake clips 3 are called fake and 0 real; "
        "of the others it says that it cannot tell."
    )
    assert "always answering “fake” has 0.500" in forced
    assert "1 of 4 real clips called fake, 1 of 4 fakes missed" in forced


def test_where_no_verdict_is_given_the_headline_says_why():
    assert headline(REPORT)[1].startswith(
        "None of them gets a verdict: its thresholds and temperature were never fixed"
    )


@pytest.mark.parametrize(
    ("by", "units", "said"),
    [
        ("clip", 8, "from drawing the 8 clips anew; nobody says who is in them"),
        ("person", 1, "from drawing the 1 group of people who share a film anew, each with all its clips"),
        ("target", 5, "from drawing the 5 groups of people whose films these are anew"),
    ],
)
def test_what_was_drawn_is_said(by, units, said):
    report = replace(REPORT, clip=replace(REPORT.clip, drawn_by=by, units=units))
    assert headline(report)[-1].startswith(f"Intervals are 95 %, {said}")


def test_what_validation_could_not_fix_is_said():
    assert how_fixed(Decision(notes=("one class",))).endswith("What has to be known of that: one class.")
    assert how_fixed(Decision(0.4)) == "Temperature and limits were fixed on validation clips."
    assert "were ever fixed" in how_fixed(Decision())


def test_limits_are_those_of_films_and_of_photos_with_what_validation_counted():
    film = Band((0.8, 0.9), 0.2, Rate(0.05, 0.001, 0.249, 1, 22, 20), None, 0.25, None)
    rows = {name: (film, photo) for name, film, photo in limits(Decision(photo=Band((), 0.125), film=film))}
    assert rows["called fake from"] == ("0.800", "never") and rows["called real up to"] == ("0.200", "0.125")
    assert rows["called fake from, as one of 10 faces"] == ("0.900", "never"), "of more faces the last one holds"
    assert rows["real ones called fake"][0] == "1 of 22 real clips: 5.0 % (0.1 to 24.9 %), 20 people or pairs"
    assert rows["fakes called real"] == ("not counted: too few people",) * 2
    assert rows["real ones without a verdict"] == ("25.0 %", "–")


def test_ranges_have_the_digits_that_tell_something():
    found = ranges(Decision(ranges={"face": (92.4, None), "distance": (None, 1.437)}))
    assert ("face (px)", "92", "–") in found and ("distance from training's faces", "–", "1.44") in found


@pytest.mark.parametrize(
    ("before", "after", "said"), [(0.2, 0.1, "closer"), (0.1, 0.2, "farther"), (None, None, "both classes")]
)
def test_what_the_temperature_did(before, after, said):
    frame = replace(REPORT.calibration.frame, ece_balanced_uncalibrated=before, ece_balanced=after)
    assert said in helped(frame, 1.5) and "changes nothing" in helped(frame, 1)


def test_the_network_s_own_findings_are_beyond_those_that_know_nothing():
    def row(network, kind, region, low, high):
        return NetworkAttention(
            kind=kind, region=region, crops=1, clips=1, area=0.1, ratio=1.5, low=low, high=high,
            verdict="cannot tell", network=network,
        )  # fmt: skip

    rows = [row("trained", "fake", "nose", 1.5, 2.0), row("random labels", "fake", "nose", 1.4, 1.6),
            row("trained", "fake", "chin", 1.5, 2.0), row("random labels", "fake", "chin", 0.8, 1.2),
            row("trained", "real", "chin", 0.9, 1.2), row("random labels", "real", "chin", None, None)]  # fmt: skip
    assert "on real faces nothing; on fake faces chin." in own_findings(rows)
