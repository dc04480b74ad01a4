"""What lesson 06 has beside the package: costs of a threshold, scores in another world, intervals, figures."""

import matplotlib
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from torchfakes_utils.course import lesson_06
from torchfakes_utils.metrics.binary import binary_metrics

matplotlib.use("Agg")

LABELS = [0, 0, 0, 0, 1, 1, 1, 1]
SCORES = [0.1, 0.2, 0.3, 0.6, 0.4, 0.7, 0.8, 0.9]
MATRIX = pd.DataFrame([
    {"trained_on": one, "tested_on": two, "auc": 0.9 if one == two else 0.6, "low": 0.5, "high": 1.0}
    for one in ("A", "B") for two in ("A", "B")
])  # fmt: skip
scored = st.lists(st.tuples(st.integers(0, 1), st.floats(0, 1)), min_size=2, max_size=30).filter(
    lambda rows: 0 < sum(label for label, _ in rows) < len(rows)
)


def test_error_rates():
    assert lesson_06.error_rates(LABELS, SCORES, 0.5) == (0.25, 0.25)
    assert lesson_06.error_rates(LABELS, SCORES, 0.0) == (1.0, 0.0)
    assert lesson_06.error_rates(LABELS, SCORES, 1.1) == (0.0, 1.0)
    assert lesson_06.error_rates(LABELS, SCORES, 0.4) == (0.25, 0.0), "a score at the threshold is called fake"


def test_a_cost_weights_each_error_by_how_often_it_can_occur():
    desk = lesson_06.Desk("desk", fakes=0.1, miss=5, alarm=50)
    assert lesson_06.cost(LABELS, SCORES, 0.5, desk) == pytest.approx(100 * (0.9 * 0.25 * 50 + 0.1 * 0.25 * 5))
    assert lesson_06.cost([0, 1], [0.2, 0.8], 0.5, desk) == 0


def test_what_was_counted_may_be_worse_than_it_looks():
    desk = lesson_06.NEWSROOM
    assert lesson_06.cost([0] * 4 + [1] * 4, [0.1] * 4 + [0.9] * 4, 0.5, desk) == 0
    worst = lesson_06.pessimistic_cost([0] * 4 + [1] * 4, [0.1] * 4 + [0.9] * 4, 0.5, desk)
    assert worst == pytest.approx(lesson_06.points(0.4899, 0.4899, desk), rel=1e-3)


def test_the_two_desks_want_different_thresholds():
    newsroom, bank = (lesson_06.best_threshold(LABELS, SCORES, desk) for desk in lesson_06.DESKS.values())
    assert newsroom == pytest.approx(0.65) and bank == pytest.approx(0.35)


@given(rows=scored, fakes=st.floats(0.01, 0.99), miss=st.floats(0.1, 100), alarm=st.floats(0.1, 100))
def test_no_threshold_is_cheaper_than_the_best(rows, fakes, miss, alarm):
    labels, scores = zip(*rows, strict=True)
    desk = lesson_06.Desk("desk", fakes, miss, alarm)
    least = lesson_06.cost(labels, scores, lesson_06.best_threshold(labels, scores, desk), desk)
    for threshold in [*scores, 0.0, 0.5, 1.5]:
        assert least <= lesson_06.cost(labels, scores, threshold, desk) + 1e-9


def test_wilson():
    low, high = lesson_06.wilson(0, 4)
    assert low == pytest.approx(0, abs=1e-9) and high == pytest.approx(0.4899, abs=1e-4)
    low, high = lesson_06.wilson(50, 100)
    assert (low, high) == (pytest.approx(0.4038, abs=1e-4), pytest.approx(0.5962, abs=1e-4))


def test_the_clips_of_two_people_who_swapped_are_one_pair():
    names = ["000", "003", "000_003", "003_000", "007"]
    assert lesson_06.pairs_of_people(names) == ["000_003"] * 4 + ["007"]


def test_light_cells_are_the_auc():
    figure = lesson_06.pair_table(LABELS, SCORES, "t")
    dark = figure.axes[0].images[0].get_array()
    assert 1 - np.mean(dark) == pytest.approx(binary_metrics(LABELS, SCORES)["auc"])


def test_the_desk_counts_both_errors_and_finds_the_cheapest_threshold():
    left, middle, right = lesson_06.at_desk(LABELS, SCORES, 0.5, lesson_06.BANK).axes
    counts = [text.get_text() for text in middle.texts]
    assert counts == ["3", "left alone", "1", "false alarms", "1", "missed", "3", "found"]
    assert [line.get_xdata()[0] for line in left.lines if line.get_linestyle() == "--"] == [0.5]
    lost = lesson_06.cost(LABELS, SCORES, 0.5, lesson_06.BANK)
    assert f"{lost:,.0f} (least" in right.get_title("left") + right.get_title()


def test_a_detector_that_looks_at_nothing_is_as_good_as_its_class_is_common():
    (ax,) = lesson_06.accuracies(0.9, 0.8).axes
    always_real, always_fake, own = (line.get_ydata() for line in ax.lines[:3])
    assert (always_real[0], always_real[-1], always_fake[0], always_fake[-1]) == (1, 0, 0, 1)
    assert (own[0], own[-1]) == (pytest.approx(0.8), pytest.approx(0.9))


def test_a_high_score_is_worth_less_where_fakes_are_rare():
    left, right = lesson_06.reliability_figure(LABELS, SCORES, [0.5, 0.001], high=0.6).axes
    counts = [text.get_text() for text in left.texts if "crops" in text.get_text()]
    assert counts == [f"{count} crops" for count in (1, 2, 2, 1, 2)]
    shares = [text.get_text() for text in right.texts]
    assert shares == ["75%", "0.3%"]


def test_a_cell_of_the_matrix_is_an_auc_with_its_interval():
    (ax,) = lesson_06.matrix_figure(MATRIX, "t").axes
    values = [text.get_text() for text in ax.texts]
    assert values[::2] == ["0.90", "0.60", "0.60", "0.90"] and set(values[1::2]) == {"0.50 to 1.00"}


def test_precision_falls_with_the_share_of_fakes_and_the_roc_curve_does_not():
    def texts(share):
        left, right = lesson_06.two_curves(LABELS, SCORES, share).axes
        return [text.get_text() for text in left.texts], float(
            (right.get_title("left") or right.get_title()).split()[-1]
        )

    assert texts(0.8)[0] == texts(0.001)[0]
    assert texts(0.8)[1] > texts(0.1)[1] > texts(0.001)[1]


def ece(labels, scores, weights=None, signed=False):
    which = np.minimum((scores * 10).astype(int), 9)
    gaps = [((which == b).mean(), scores[which == b].mean() - labels[which == b].mean()) for b in set(which)]
    if signed:
        return abs(sum(share * gap for share, gap in gaps))
    return sum((1 / len(gaps) if weights == "alike" else share) * abs(gap) for share, gap in gaps)


@pytest.mark.parametrize(
    ("answer", "said"),
    [(lambda labels, scores: None, "Not attempted"), (ece, "Right."),
     (lambda labels, scores: ece(labels, scores, "alike"), "counts alike"),
     (lambda labels, scores: ece(labels, scores, signed=True), "cancel out"),
     (lambda labels, scores: np.abs(labels - scores).mean(), "its own label"), (lambda labels, scores: 0.9, "Not yet"),
     (lambda labels, scores: ece(labels[scores < 1], scores[scores < 1]) * 10 / 11, "Not yet"),
     (lambda labels, scores: labels + "a", "Your function stopped with")],
    ids=["none", "right", "alike", "signed", "single", "other", "without ones", "error"],
)  # fmt: skip
def test_the_exercise_on_calibration_tells_wrong_answers_apart(capsys, answer, said):
    lesson_06.check_ece(answer)
    assert said in capsys.readouterr().out


@pytest.mark.parametrize(
    ("threshold", "said"),
    [
        (None, "Not attempted"),
        (2.0, "between 0 and 1"),
        (0.65, "A good choice"),
        (0.0, "false alarms cost most"),
        ("high", "no number"),
        (0.95, "Most of what is lost are misses"),
    ],
)
def test_the_exercise_on_thresholds(capsys, threshold, said):
    lesson_06.check_threshold(threshold, LABELS, SCORES, lesson_06.NEWSROOM)
    assert said in capsys.readouterr().out
