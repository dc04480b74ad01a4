"""What the figures of a report draw, against the numbers that they are given."""

import numpy as np
import pytest

from torchfakes_utils.evaluation.results import (
    Measurement,
    PerturbationCurve,
    Robustness,
    Spread,
    StrengthMeasurement,
)
from torchfakes_utils.metrics.band import Band
from torchfakes_utils.metrics.binary import by_clip
from torchfakes_utils.report import figures
from torchfakes_utils.report.contents import MapSimilarity, NetworkAttention

from helpers.report import FAKES, REALS, clip_scores, made_up_report

REPORT = made_up_report()


def points(ax, marker):
    """Where the marks of a kind lie, from left to right: (N, 2)."""
    drawn = [line.get_xydata() for line in ax.lines if line.get_marker() == marker]
    return np.concatenate(drawn) if drawn else np.empty((0, 2))


def texts(ax):
    return [text.get_text() for text in ax.texts]


def test_every_clip_is_a_mark_in_the_row_of_its_method():
    (ax,) = figures.scores(by_clip(clip_scores()), Band((0.55, 0.6), 0.25), "A title").axes
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names == ["real (youtube)", "Deepfakes", "FaceSwap"] and ax.get_title("left") == "A title"
    assert points(ax, "o").tolist() == [[value, 0] for value in REALS]
    assert sorted(points(ax, "X")[:, 0]) == sorted(FAKES) and set(points(ax, "X")[:, 1]) == {1, 2}
    assert [list(line.get_xdata()) for line in ax.lines if line.get_linestyle() == "--"] == [[0.25] * 2, [0.55] * 2]
    assert texts(ax) == ["called real up to 0.250", "called fake from 0.550 on"]
    assert [(zone.get_x(), zone.get_x() + zone.get_width()) for zone in ax.patches] == [(0, 0.25), (0.55, 1)]
    (bare,) = figures.scores(by_clip(clip_scores())).axes
    assert not bare.texts and not bare.patches, "no band, no lines"
    (silent,) = figures.scores(by_clip(clip_scores()), Band()).axes
    assert texts(silent) == ["nothing is called real", "nothing is called fake"] and not silent.patches


def test_curves_meet_the_threshold_at_its_error_rates():
    left, right = figures.curves(REPORT.curves, REPORT.clip).axes
    assert points(left, "o").tolist() == [[REPORT.clip.fpr, 1 - REPORT.clip.fnr]] == [[0.25, 0.75]]
    curve = max(left.lines, key=lambda line: len(line.get_xdata()))
    assert np.trapezoid(curve.get_ydata(), curve.get_xdata()) == pytest.approx(REPORT.clip.auc)
    assert "0.938" in left.get_title("left")
    assert [line.get_ydata()[0] for line in right.lines if line.get_linestyle() == ":"] == [0.5], "share of fakes"
    assert figures.curves(made_up_report(clip_scores(reals=())).curves, REPORT.clip) is None


def test_runs_are_dots_beside_their_mean_and_its_interval():
    rows = [("AUC", Spread(0.8, (0.7, 0.9), (0.65, 0.95))), ("EER", Spread(None, (None, None), None))]
    (ax,) = figures.runs(rows).axes
    assert points(ax, "o").tolist() == [[0.7, 0], [0.9, 0]] and texts(ax) == ["0.700 to 0.900"]
    assert [list(line.get_xdata()) for line in ax.lines if line.get_marker() == "None"] == [[0.8, 0.8]]
    assert ax.collections[0].get_segments()[0].tolist() == [[0.65, 0], [0.95, 0]]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["AUC"]
    assert figures.runs(rows[1:]) is None


def test_rows_are_values_between_their_ends_and_the_unknown_is_left_out():
    rows = [("a", 0.9, (0.8, 1.0)), ("unknown", None, None), ("b", 0.95, None)]
    (ax,) = figures.interval_rows(rows, "AUC", "A title").axes
    assert points(ax, "o").tolist() == [[0.9, 0], [0.95, 1]] and texts(ax) == ["0.90  (0.80 to 1.00)", "0.95"]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "b"]
    assert ax.get_xlim()[0] < 0.5 and "chance" in ax.get_xlabel()
    (near,) = figures.interval_rows(rows, "AUC", from_chance=False).axes
    assert 0.7 < near.get_xlim()[0] < 0.8 and "chance" not in near.get_xlabel()
    (below,) = figures.interval_rows([("c", 0.5, (0.3, 0.7))], "AUC", from_chance=False).axes
    assert below.get_xlim()[0] < 0.3 and "chance" in below.get_xlabel()


def test_reliability_is_what_is_said_against_what_is_so_and_counts_below():
    bins = REPORT.calibration.frame.bins
    upper, lower = figures.reliability(bins, "crops").axes
    assert points(upper, "o").tolist() == [[row.predicted, row.fake] for row in bins]
    assert [bar.get_height() for bar in lower.patches] == [row.count for row in bins]
    assert sum(bar.get_height() for bar in lower.patches) == 8


def test_the_rule_in_use_is_a_diamond_on_the_curve_of_risk():
    (ax,) = figures.risk_coverage([0.5, 1.0], [0.0, 0.25], (0.75, 0.1), "crops", "A title").axes
    assert points(ax, "D").tolist() == [[0.75, 0.1]] and ax.lines[0].get_xydata().tolist() == [[0.5, 0], [1, 0.25]]
    assert "crops" in ax.get_xlabel() and ax.get_ylim()[1] > 0.25
    assert not len(points(figures.risk_coverage([1.0], [0.0], None, "clips").axes[0], "D"))


def measurement(auc, coverage, kind=Measurement, **more):
    ends = None if auc is None else (auc - 0.1, auc + 0.1)
    return kind(auc, 0.8, 0.1, 0.2, 0.5, ends, None, None, None, None, coverage, None, None, **more)


def test_robustness_begins_with_the_crops_as_they_are():
    strengths = tuple(
        measurement(auc, coverage, StrengthMeasurement, strength=strength)
        for auc, coverage, strength in ((0.8, 0.9, 2.0), (None, 0.5, 4.5))
    )
    curves = {
        name: PerturbationCurve(name.upper(), "factor", strengths) for name in ("one", "two", "three", "four", "five")
    }
    figure = figures.robustness(Robustness(4, 8, measurement(0.9, 1.0), curves), "A title")
    assert [ax.get_title("left") for ax in figure.axes[:5]] == ["ONE", "TWO", "THREE", "FOUR", "FIVE"]
    auc, answered = figure.axes[0].lines[:2]
    np.testing.assert_allclose(auc.get_ydata(), [0.9, 0.8, np.nan])
    assert list(answered.get_ydata()) == [1.0, 0.9, 0.5] and answered.get_linestyle() == "--"
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ["as is", "2", "4.5"]
    assert figure.get_suptitle() == "A title" and "AUC by clip" in " ".join(texts(figure.axes[-1]))


def test_attention_is_a_panel_a_network_real_and_fake_apart():
    def row(network, kind, region, ratio):
        low, high = (None, None) if ratio is None else (ratio - 0.2, ratio + 0.2)
        return NetworkAttention(
            kind=kind, region=region, crops=4, clips=2, area=0.1, ratio=ratio, low=low, high=high,
            verdict="cannot tell", network=network,
        )  # fmt: skip

    rows = [row("trained", "real", "nose", 1.4), row("trained", "fake", "mouth", 2.0),
            row("random weights", "real", "nose", None), row("random weights", "fake", "mouth", 0.9)]  # fmt: skip
    trained, random = figures.regions(rows).axes
    assert (trained.get_title("left"), random.get_title("left")) == ("trained", "random weights")
    assert points(trained, "o").tolist() == [[1.4, -0.15]] and points(trained, "X").tolist() == [[2.0, 1.15]]
    assert not len(points(random, "o")) and points(random, "X")[0, 0] == 0.9


def test_maps_of_replaced_weights_are_drawn_in_their_order():
    rows = [
        MapSimilarity("head", 0.9, 0.8, 1.0, 0.9, 0.0, 4),
        MapSimilarity("head and stem", None, None, None, None, 1.0, 4),
    ]
    (ax,) = figures.cascading_randomisation(rows).axes
    np.testing.assert_allclose(points(ax, "o"), [[0, 0.9], [1, np.nan]])
    assert [label.get_text() for label in ax.get_xticklabels()] == ["head", "head and stem"]


def test_the_same_figure_is_the_same_file():
    first, again = (figures.svg(figures.scores(by_clip(clip_scores()), Band((0.55,), 0.25))) for _ in range(2))
    assert first == again and first.lstrip().startswith("<?xml")


NAMES = (r"$\unknown$", "$x$", "<b>", "\x1b[2J", "\u4e2d\u6587", "$$", "a_b^c")


def test_names_are_text_and_no_mathematics(recwarn):
    table = clip_scores()
    for name in NAMES:
        table.loc[table["label"] == 1, "method"] = name
        (ax,) = (drawn := figures.scores(by_clip(table))).axes
        assert [label.get_text() for label in ax.get_yticklabels()] == ["real (youtube)", name]
        assert not any(label.get_parse_math() for label in ax.get_yticklabels())
        assert "<svg" in figures.svg(drawn)
        rows = figures.interval_rows([(name, 0.7, (0.6, 0.8))], name, name)
        assert not any(text.get_parse_math() for text in (*rows.axes[0].texts, rows.axes[0].title))
        figures.svg(rows)
    assert not recwarn.list
