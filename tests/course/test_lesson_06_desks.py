"""What lessons 06 and 06b reckon with: costs of a threshold, bills, thresholds fixed on other people, few people."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from torchfakes_utils.course import lesson_06_desks as desks

LABELS = [0, 0, 0, 0, 1, 1, 1, 1]
SCORES = [0.1, 0.2, 0.3, 0.6, 0.4, 0.7, 0.8, 0.9]
scored = st.lists(st.tuples(st.integers(0, 1), st.floats(0, 1)), min_size=2, max_size=30).filter(
    lambda rows: 0 < sum(label for label, _ in rows) < len(rows)
)


def test_error_rates():
    assert desks.error_rates(LABELS, SCORES, 0.5) == (0.25, 0.25)
    assert desks.error_rates(LABELS, SCORES, 0.0) == (1.0, 0.0)
    assert desks.error_rates(LABELS, SCORES, 1.1) == (0.0, 1.0)
    assert desks.error_rates(LABELS, SCORES, 0.4) == (0.25, 0.0), "a score at the threshold is called fake"


def test_a_cost_weights_each_error_by_how_often_it_can_occur():
    desk = desks.Desk("desk", fakes=0.1, miss=5, alarm=50)
    assert desks.cost(LABELS, SCORES, 0.5, desk) == pytest.approx(100 * (0.9 * 0.25 * 50 + 0.1 * 0.25 * 5))
    assert desks.cost([0, 1], [0.2, 0.8], 0.5, desk) == 0
    several = desks.costs(LABELS, SCORES, np.array([0.0, 0.5, 1.1]), desk)
    assert several == pytest.approx([desks.cost(LABELS, SCORES, threshold, desk) for threshold in (0.0, 0.5, 1.1)])


def test_a_bill_names_what_each_answer_costs_and_silence_costs_a_look():
    desk = desks.Desk("desk", fakes=0.1, miss=5, alarm=50, look=2)
    nan = float("nan")
    one = desks.bill([0, 0, 0, 0, 1, 1], [1, 0, 0, nan, 0, nan], desk)
    assert one.alarms == pytest.approx(100 * 0.9 / 4 * 50) and one.misses == pytest.approx(100 * 0.1 / 2 * 5)
    assert one.looks == pytest.approx(100 * (0.9 / 4 + 0.1 / 2) * 2)
    assert one.total == pytest.approx(one.alarms + one.misses + one.looks)
    by_threshold = desks.bill(LABELS, np.asarray(SCORES) >= 0.5, desk)
    assert by_threshold.total == pytest.approx(desks.cost(LABELS, SCORES, 0.5, desk))


@pytest.mark.parametrize(
    ("prices", "how", "points"),
    [((5, 50, 10), "all is believed", 50), ((1000, 1, 10), "nothing is believed", 90),
     ((1000, 50, 1), "somebody looks at all", 100)],
)  # fmt: skip
def test_without_a_detector_a_desk_does_what_is_cheapest(prices, how, points):
    found = desks.without_detector(desks.Desk("desk", 0.1, *prices))
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

    answers = desks.judged_by_others(clips, fix)
    assert seen == [{"2", "3"}, {"0", "1"}]
    # 0.2 and 0.5 against the others' highest real score, 0.4; 0.4 and 0.7 against 0.2.
    assert answers.tolist() == [0, 1, 0, 1, 1, 1, 1, 1]


def many_pairs():
    return pd.concat([clips_of_pairs().assign(clip_id=lambda own, i=i: own["clip_id"] + f"x{i}",
                                              target_id=lambda own, i=i: own["target_id"] + f"x{i}",
                                              source_id=lambda own, i=i: own["source_id"].where(
                                                  own["source_id"] == "", own["source_id"] + f"x{i}"),
                                              probability_fake=lambda own, i=i: own["probability_fake"] + i / 100)
                      for i in range(4)], ignore_index=True)  # fmt: skip


def test_bills_are_of_three_ways_and_known_limits_are_taken_as_they_are():
    clips = many_pairs()
    found = desks.bills(clips, desks.NEWSROOM)
    assert list(found) == ["no detector: all is believed", "one threshold", "two limits"]
    assert found["two limits"].looks > 0 == found["one threshold"].looks
    limits = desks.judged_by_others(clips, desks.by_band)
    assert desks.bills(clips, desks.NEWSROOM, limits) == found
    silent = desks.bills(clips, desks.NEWSROOM, np.full(len(clips), np.nan))["two limits"]
    assert silent.total == silent.looks == pytest.approx(100 * desks.NEWSROOM.look)


def test_halves_are_all_of_them_or_as_many_as_are_wanted():
    found = desks.halves(np.array([3, 3, 1, 2, 4]))
    assert len(found) == 6 and {tuple(half) for half in found} == {(1, 2), (1, 3), (1, 4), (2, 3), (2, 4), (3, 4)}
    many = desks.halves(np.arange(100))
    assert len(many) == 70 and all(len(set(half)) == 50 for half in many)
    assert len({tuple(sorted(half)) for half in many}) == 70


def test_few_people_get_fewer_answers_and_no_more_false_alarms():
    few, many = (desks.limits_of_sets(people, sets=30, new=200) for people in (8, 140))
    assert few["silent"].mean() > many["silent"].mean() + 0.05
    assert few["fake_from"].std() > 1.5 * many["fake_from"].std()
    assert few["false_alarms"].mean() < 0.06 and many["false_alarms"].mean() < 0.06
    assert (few["real_to"] < few["fake_from"]).all()


def test_the_two_desks_want_different_thresholds():
    newsroom, bank = (desks.best_threshold(LABELS, SCORES, desk) for desk in desks.DESKS.values())
    assert newsroom == pytest.approx(0.65) and bank == pytest.approx(0.35)


@given(rows=scored, fakes=st.floats(0.01, 0.99), miss=st.floats(0.1, 100), alarm=st.floats(0.1, 100))
def test_no_threshold_is_cheaper_than_the_best(rows, fakes, miss, alarm):
    labels, scores = zip(*rows, strict=True)
    desk = desks.Desk("desk", fakes, miss, alarm)
    least = desks.cost(labels, scores, desks.best_threshold(labels, scores, desk), desk)
    for threshold in [*scores, 0.0, 0.5, 1.5]:
        assert least <= desks.cost(labels, scores, threshold, desk) + 1e-9
