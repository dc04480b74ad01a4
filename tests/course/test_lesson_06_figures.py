"""The figures of lesson 06 show what they say."""

import matplotlib
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from torchfakes_utils.course import lesson_06_desks as desks
from torchfakes_utils.course import lesson_06_figures as figures
from torchfakes_utils.metrics.binary import binary_metrics

matplotlib.use("Agg")

LABELS = [0, 0, 0, 0, 1, 1, 1, 1]
SCORES = [0.1, 0.2, 0.3, 0.6, 0.4, 0.7, 0.8, 0.9]


def texts(ax):
    return [text.get_text().strip() for text in ax.texts]


def test_light_cells_are_the_auc():
    figure = figures.pair_table(LABELS, SCORES, "t")
    dark = figure.axes[0].images[0].get_array()
    assert 1 - np.mean(dark) == pytest.approx(binary_metrics(LABELS, SCORES)["auc"])


def test_a_detector_that_looks_at_nothing_is_as_good_as_its_class_is_common():
    (ax,) = figures.accuracies(0.9, 0.8).axes
    always_real, always_fake, own = (line.get_ydata() for line in ax.lines[:3])
    assert (always_real[0], always_real[-1], always_fake[0], always_fake[-1]) == (1, 0, 0, 1)
    assert (own[0], own[-1]) == (pytest.approx(0.8), pytest.approx(0.9))


def test_a_count_allows_the_rate_at_which_it_comes_up_one_time_in_twenty():
    assert figures.allowed(0, 16) == pytest.approx(1 - 0.05 ** (1 / 16))
    assert figures.allowed(np.array([0, 3, 4]), 4) == pytest.approx([1 - 0.05**0.25, 0.9873, 1], abs=1e-3)


def test_precision_is_of_those_called_fake():
    assert figures.precision(0.1, 0.9, 0.5) == pytest.approx(0.9)
    assert figures.precision(0.1, 0.9, 0.01) == pytest.approx(0.009 / (0.009 + 0.099))


def test_precision_falls_with_the_share_of_fakes_and_the_roc_curve_does_not():
    def drawn(share):
        left, right = figures.two_curves(LABELS, SCORES, share).axes
        return left.lines[1].get_xydata(), right.lines[0].get_ydata(), right.lines[1].get_ydata()

    (common, high, _), (rare, low, worst) = drawn(0.8), drawn(0.01)
    assert (common == rare).all() and high[-1] == pytest.approx(0.8) and low[-1] == pytest.approx(0.01)
    assert low[0] == 1, "no real clip above the highest fake"
    assert worst[0] < 0.02 and (worst <= low + 1e-9).all(), "what four real clips allow"


def test_the_worst_precision_is_the_dashed_line():
    hits, worst = figures.worst_precision(LABELS, SCORES, 0.01)
    dashed = figures.two_curves(LABELS, SCORES, 0.01).axes[1].lines[1]
    assert (dashed.get_xdata() == hits).all() and (dashed.get_ydata() == worst).all()
    reals = int((np.asarray(LABELS) == 0).sum())
    assert worst[0] == pytest.approx(figures.precision(1 - 0.05 ** (1 / reals), hits[0], 0.01)), "no alarm yet"


def within(figure, text):
    """Whether a text of a figure lies within its edges."""
    box = text.get_window_extent()
    return figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1


def test_the_name_of_a_way_to_decide_is_not_cut_off():
    found = {"no detector: somebody looks at all": desks.Bill(0, 0, 100), "two limits": desks.Bill(0, 1, 30)}
    figure = figures.bills_figure(found, desks.NEWSROOM)
    assert all(within(figure, label) for label in figure.axes[0].get_yticklabels())


@pytest.mark.parametrize("desk", desks.DESKS.values(), ids=desks.DESKS)
def test_no_curve_runs_through_what_no_detector_costs(desk):
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], [16, 64])
    scores = np.where(labels == 1, rng.beta(6, 2, 80), rng.beta(1, 6, 80))
    lower = figures.at_desk(labels, scores, 0.5, desk).axes[1]
    box = lower.get_legend().get_window_extent()
    drawn = lower.transData.transform(np.column_stack([np.linspace(0, 1, 201), lower.lines[0].get_ydata()]))
    assert not any(box.contains(*point) for point in drawn)


def test_the_desk_counts_both_errors_and_bills_beside_no_detector():
    figure = figures.at_desk(LABELS, SCORES, 0.5, desks.BANK)
    upper, lower = figure.axes
    assert texts(upper) == ["3 left alone", "1 false alarms", "1 missed", "3 found"]
    assert [line.get_xdata()[0] for line in upper.lines if line.get_linestyle() == "--"] == [0.5]
    lost, blind = desks.cost(LABELS, SCORES, 0.5, desks.BANK), desks.without_detector(desks.BANK)[1].total
    assert f"loses {lost:,.0f} points at 0.50, and {blind:,.0f} with no detector" in figure.get_suptitle()
    assert lower.get_yscale() == "symlog"
    assert texts(lower.get_legend()) == [f"no detector, somebody looks at all: {blind:,.0f}"]
    best = desks.best_threshold(LABELS, SCORES, desks.BANK)
    assert f"cheapest: {desks.cost(LABELS, SCORES, best, desks.BANK):,.0f}" in texts(lower)


def test_a_promise_stands_above_its_bill():
    found = {"newsroom": np.array([[1.0, 20.0], [3.0, 40.0]])}
    (ax,) = figures.promises(found, desks.DESKS, "t").axes
    assert texts(ax) == ["mean 2", "mean 30", "no detector: 50"]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["promised", "billed"]
    assert sorted(ax.lines[0].get_xdata()) == [1, 3] and sorted(ax.lines[2].get_xdata()) == [20, 40]


def test_a_line_is_a_validation_set():
    tables = {people: desks.limits_of_sets(people, sets=5, new=50) for people in (8, 20)}
    figure = figures.few_people_figure(tables, "t")
    assert [ax.get_ylabel() for ax in figure.axes] == ["8 people", "20 people"]
    assert len(figure.axes[0].lines[0].get_xdata()) == 5


def test_the_cheapest_way_is_named():
    found = {"no detector: all is believed": desks.Bill(0, 50, 0), "one threshold": desks.Bill(5, 5, 0),
             "two limits": desks.Bill(0, 1, 30)}  # fmt: skip
    figure = figures.bills_figure(found, desks.NEWSROOM)
    assert "“one threshold” costs least" in figure.get_suptitle()
    assert {"50", "10", "31"} <= set(texts(figure.axes[0]))


def test_a_suspects_caption_is_of_the_crop_that_is_shown(tmp_path):
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / "0.png")
    crops = pd.DataFrame({
        "clip_id": ["a", "a", "b"], "probability_fake": [0.2, 0.7, 0.4], "sharpness": [10.0, 20.0, 30.0],
        "file": [tmp_path / "0.png"] * 3,
    })  # fmt: skip
    shown = figures.best_of(crops, ["b", "a"])
    assert shown["probability_fake"].tolist() == [0.4, 0.7] and shown["sharpness"].tolist() == [30, 20]
    titles = [ax.get_title() for ax in figures.suspects(shown, "t").axes]
    assert titles == ["P(fake) 0.40\nsharpness 30", "P(fake) 0.70\nsharpness 20"]
