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


def test_a_bill_names_what_each_answer_costs_and_silence_costs_a_look():
    desk = lesson_06.Desk("desk", fakes=0.1, miss=5, alarm=50, look=2)
    nan = float("nan")
    one = lesson_06.bill([0, 0, 0, 0, 1, 1], [1, 0, 0, nan, 0, nan], desk)
    assert one.alarms == pytest.approx(100 * 0.9 / 4 * 50) and one.misses == pytest.approx(100 * 0.1 / 2 * 5)
    assert one.looks == pytest.approx(100 * (0.9 / 4 + 0.1 / 2) * 2)
    assert one.total == pytest.approx(one.alarms + one.misses + one.looks)
    by_threshold = lesson_06.bill(LABELS, np.asarray(SCORES) >= 0.5, desk)
    assert by_threshold.total == pytest.approx(lesson_06.cost(LABELS, SCORES, 0.5, desk))


@pytest.mark.parametrize(
    ("prices", "how", "points"),
    [((5, 50, 10), "all is believed", 50), ((1000, 1, 10), "nothing is believed", 90),
     ((1000, 50, 1), "somebody looks at all", 100)],
)  # fmt: skip
def test_without_a_detector_a_desk_does_what_is_cheapest(prices, how, points):
    found = lesson_06.without_detector(LABELS, lesson_06.Desk("desk", 0.1, *prices))
    assert found[0] == how and found[1].total == pytest.approx(points)


def clips_of_pairs():
    """Two pairs of people, a real clip of each of the four, and a fake of each; the second pair scores higher."""
    people = [("0", "1"), ("1", "0"), ("2", "3"), ("3", "2")]
    rows = [{"method": "m" if label else "r", "compression": "c", "clip_id": f"{one}{label}", "label": label,
             "target_id": one, "source_id": other if label else "",
             "probability_fake": 0.2 + 0.3 * label + 0.2 * (int(one) > 1)}
            for one, other in people for label in (0, 1)]  # fmt: skip
    return pd.DataFrame(rows)


def test_a_clip_is_judged_by_what_other_people_show():
    clips, seen = clips_of_pairs(), []

    def fix(rest):
        seen.append(set(rest["target_id"]))
        highest = rest.loc[rest["label"] == 0, "probability_fake"].max()
        return lambda scores: (scores > highest).astype(float)

    answers = lesson_06.judged_by_others(clips, fix)
    assert seen == [{"2", "3"}, {"0", "1"}]
    # 0.2 and 0.5 against the others' highest real score, 0.4; 0.4 and 0.7 against 0.2.
    assert answers.tolist() == [0, 1, 0, 1, 1, 1, 1, 1]


def test_bills_are_of_three_ways_and_the_title_names_the_cheapest():
    desk = lesson_06.NEWSROOM
    clips = pd.concat([clips_of_pairs().assign(clip_id=lambda own, i=i: own["clip_id"] + f"x{i}",
                                               target_id=lambda own, i=i: own["target_id"] + f"x{i}",
                                               source_id=lambda own, i=i: own["source_id"].where(
                                                   own["source_id"] == "", own["source_id"] + f"x{i}"),
                                               probability_fake=lambda own, i=i: own["probability_fake"] + i / 100)
                       for i in range(4)], ignore_index=True)  # fmt: skip
    found = lesson_06.bills(clips, desk)
    assert list(found) == ["no detector: all is believed", "one threshold", "two limits"]
    assert found["two limits"].looks > 0 == found["one threshold"].looks
    figure = lesson_06.bills_figure(found, desk)
    cheapest = min(found, key=lambda name: found[name].total).partition(":")[0]
    assert f"“{cheapest}” costs least" in figure.get_suptitle()
    assert {text.get_text().strip() for text in figure.axes[0].texts} >= {f"{one.total:,.0f}" for one in found.values()}


def test_few_people_get_fewer_answers_and_no_more_false_alarms():
    few, many = (lesson_06.limits_of_sets(people, sets=30, new=200) for people in (8, 140))
    assert few["silent"].mean() > many["silent"].mean() + 0.05
    assert few["fake_from"].std() > 1.5 * many["fake_from"].std()
    assert few["false_alarms"].mean() < 0.06 and many["false_alarms"].mean() < 0.06
    assert (few["real_to"] < few["fake_from"]).all()
    figure = lesson_06.few_people_figure({8: few, 140: many}, "t")
    assert [ax.get_ylabel() for ax in figure.axes] == ["8 people", "140 people"]
    assert len(figure.axes[0].lines[0].get_xdata()) == 30


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
