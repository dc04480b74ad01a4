"""What a report says in words and numbers."""

from dataclasses import replace

import pytest

from torchfakes_utils.models.decision import Decision
from torchfakes_utils.report.contents import NetworkAttention
from torchfakes_utils.report.text import cell, change, ends, headline, how_fixed, interval, number, own_findings
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


def test_the_headline_counts_clips_and_mistakes():
    first, mistakes, _ = headline(REPORT)
    assert first.startswith("4 real and 4 fake clips, 8 crops of 8 people. By clip: AUC 0.938 (")
    assert "always answering “fake” has 0.500" in first
    assert mistakes == "It called 1 of 4 real clips fake, and missed 1 of 4 fakes."


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
    assert "Validation could not fix" in how_fixed(Decision(notes=("one class",)))
    assert "both classes counting alike" in how_fixed(Decision())


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
