"""Two thresholds: they keep to the rates on new people, few people widen the band, and ten faces are ten chances."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from torchfakes_utils.errors import InputError
from torchfakes_utils.faces.search import MOST_PEOPLE
from torchfakes_utils.metrics.band import MOST_FACES, Band, Rate, exact_interval, fit_band, upper_limit
from torchfakes_utils.metrics.config import check_rate

RATE = 0.05


def table(real, fake, crops=1, people=True):
    """Scores (K,) or (K, crops) in log-odds, one clip a person."""
    rows = []
    for label, odds in ((0, real), (1, fake)):
        for person, own in enumerate(
            np.asarray(odds, float).reshape(len(odds), max(1, np.size(odds) // max(1, len(odds))))
        ):
            name = f"{'rf'[label]}{person}"
            rows += [{"clip_id": name, "method": "m", "compression": "c23", "label": label, "target_id": name,
                      "probability_fake": score} for score in expit(own)]  # fmt: skip
    found = pd.DataFrame(rows)
    return found if people else found.drop(columns="target_id")


@pytest.mark.parametrize(("people", "crops"), [(4, 1), (8, 1), (8, 12), (16, 12), (40, 1), (140, 3)])
@pytest.mark.parametrize("shape", ["normal", "logistic"])
def test_a_new_person_lies_beyond_the_limit_as_rarely_as_is_said(people, crops, shape):
    """Of one face, and of the most fake-looking of ten, over many validation sets of so many people."""
    generator, one, ten = np.random.default_rng(0), [], []
    draw = getattr(generator, shape)
    whose = np.repeat(np.arange(people), crops)
    for _ in range(250):
        odds = draw(size=people)[whose] + 0.5 * generator.normal(size=len(whose))
        limit, among_ten = upper_limit(odds, whose, np.array([RATE, RATE / 10]))
        new = draw(size=(300, 10)) + 0.5 * generator.normal(size=(300, 10))
        one.append(np.mean(new[:, 0] > limit))
        ten.append(np.mean(new.max(1) > among_ten))
    assert np.mean(one) <= RATE + 0.01 and np.mean(ten) <= RATE + 0.015
    assert np.mean(one) >= 0.02, "nor is so much given away that nothing would ever be called fake"


def test_ten_real_people_of_validation_make_a_file_fake_at_most_as_often_as_asked():
    """Real clips of validation, drawn by tens into files of ten faces."""
    generator = np.random.default_rng(1)
    for people in (8, 30, 140):
        real = generator.normal(-2, 1.5, people)
        band = fit_band(table(real, generator.normal(2, 1.5, people)), 0.5)
        files = generator.choice(real, (2000, 10))
        called = (band.answers(expit(files), 10) == 1).any(1).mean()
        alone = (band.answers(expit(files), 1) == 1).any(1).mean()
        assert called <= RATE
        assert people < 100 or alone > 0.2, "uncorrected, ten chances are many"


def test_fewer_people_widen_the_band():
    generator, widths = np.random.default_rng(0), []
    for people in (5, 20, 100):
        bands = [fit_band(table(*generator.normal([[-1], [1]], 1, (2, people))), 0.5) for _ in range(20)]
        widths.append(np.median([np.log(band.from_of() / (1 - band.from_of())) for band in bands]))
    assert widths[0] > widths[1] > widths[2]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(-6, 6), min_size=2, max_size=30), st.lists(st.floats(-6, 6), min_size=2, max_size=30),
    st.floats(0.01, 0.4), st.floats(0.01, 0.4),
)  # fmt: skip
def test_a_band_is_in_order_rises_with_the_faces_and_keeps_its_rates_on_what_it_saw(real, fake, alarms, misses):
    scores = table(real, fake)
    band = fit_band(scores, 0.5, alarms, misses)
    assert len(band.fake_from) == MOST_FACES and list(band.fake_from) == sorted(band.fake_from)
    assert band.real_to < band.fake_from[0]
    truth, answers = scores["label"].to_numpy(), band.answers(scores["probability_fake"].to_numpy())
    assert np.mean(answers[truth == 0] == 1) <= alarms and np.mean(answers[truth == 1] == 0) <= misses
    assert Band(**json.loads(json.dumps(dataclasses.asdict(band)))) == band


def test_classes_far_apart_leave_no_band():
    band = fit_band(table(np.linspace(-9, -7, 40), np.linspace(7, 9, 40)), 0.4)
    assert band.from_of() == pytest.approx(0.4) and band.real_to == np.nextafter(0.4, 0)
    assert (band.silent_real, band.silent_fake) == (0, 0)
    expected = (0, 0, pytest.approx(exact_interval(0, 40)[1]), 0, 40, 40)
    assert dataclasses.astuple(band.false_alarms) == expected


@pytest.mark.parametrize(("real", "fake"), [([], [1, 2, 3]), ([0.5], [1, 2, 3])])
def test_who_has_not_two_real_people_calls_nothing_fake(real, fake):
    band = fit_band(table(real, fake), 0.5)
    assert band.fake_from == () and band.from_of() == np.inf and band.false_alarms is None
    assert not (band.answers(np.array([0.0, 0.5, 1.0])) == 1).any()
    other = fit_band(table(fake, real), 0.5)
    assert other.real_to is None and other.misses is None
    assert not (other.answers(np.array([0.0, 0.5, 1.0])) == 0).any()


def test_rates_are_counted_on_people_who_were_left_out():
    """The share is the one that was asked for, and not the smaller one of what was seen."""
    generator = np.random.default_rng(3)
    shares = [fit_band(table(*generator.normal([[-0.3], [0.3]], 1, (2, 60)))  , 0.5, 0.2, 0.2).false_alarms.share
              for _ in range(40)]  # fmt: skip
    assert np.mean(shares) == pytest.approx(0.2, abs=0.03)


def test_a_rate_s_interval_is_of_people_and_not_of_their_crops():
    generator = np.random.default_rng(0)
    one = generator.normal([[-1], [1]], 1, (2, 20))
    many = np.repeat(one[..., None], 10, axis=2) + 1e-3 * generator.normal(size=(2, 20, 10))
    rates = [fit_band(table(*odds), 0.5, 0.2, 0.2).false_alarms for odds in (one, many)]
    assert [(rate.people, rate.clips) for rate in rates] == [(20, 20), (20, 20)]
    assert rates[1].high - rates[1].low == pytest.approx(rates[0].high - rates[0].low, abs=0.08)
    alone = fit_band(table(*many, people=False), 0.5, 0.2, 0.2).false_alarms
    assert alone.people == 20, "a clip of nobody known is its own unit"


def test_known_intervals():
    assert exact_interval(0, 8) == (0, pytest.approx(1 - 0.025 ** (1 / 8)))
    assert exact_interval(8, 8) == (pytest.approx(0.025 ** (1 / 8)), 1)
    assert exact_interval(5, 20) == (pytest.approx(0.0866, abs=1e-4), pytest.approx(0.4910, abs=1e-4))


@pytest.mark.parametrize(
    "wrong",
    [{"fake_from": (0.5, 0.4)}, {"fake_from": (1.2,)}, {"fake_from": (0.3,), "real_to": 0.3}, {"real_to": -1},
     {"fake_from": ("x",)}, {"fake_from": ["0.4"]}, {"fake_from": "01"}, {"fake_from": [0.5] * 100_000},
     {"fake_from": [None]}, {"fake_from": [True]}, {"fake_from": {}}, {"fake_from": None}, {"real_to": False},
     {"real_to": "0.2"}, {"real_to": float("nan")}, {"silent_real": 7}, {"silent_fake": "none"},
     {"false_alarms": []}, {"misses": "<b>"}, {"misses": {"share": 0.5}}],
)  # fmt: skip
def test_bands_that_order_nothing_are_refused(wrong):
    with pytest.raises((ValueError, TypeError)):
        Band(**wrong)


@pytest.mark.parametrize(
    "wrong",
    [{"share": 7}, {"share": None}, {"low": -0.1}, {"high": "x"}, {"high": float("inf")}, {"low": 0.3, "high": 0.2},
     {"wrong": "<b>"}, {"wrong": 41}, {"wrong": -1}, {"clips": 40.5}, {"clips": 10**400}, {"people": None},
     {"people": True}],
)  # fmt: skip
def test_rates_that_cannot_be_printed_are_refused(wrong):
    plain = {"share": 0.05, "low": 0.01, "high": 0.25, "wrong": 2, "clips": 40, "people": 20}
    assert Rate(**plain).people == 20
    with pytest.raises(ValueError, match="a rate "):
        Rate(**plain | wrong)
    with pytest.raises(ValueError, match="a rate "):
        Band(misses=plain | wrong)


@pytest.mark.parametrize("rate", [0, 1, -0.1, 1.5, float("nan"), None, "5%", True, 1e-320, 1e-12, 9e-5])
def test_rates_that_nobody_can_keep_are_refused_in_a_line(rate):
    with pytest.raises(
        InputError, match="--misses .*: give a share between 0 and 1, such as 0.05, and 0.0001 at least"
    ) as refused:
        check_rate(rate, "--misses")
    assert "\n" not in str(refused.value)
    check_rate(0.0001, "--misses")


def test_as_many_faces_as_are_judged_have_a_limit():
    assert MOST_FACES == MOST_PEOPLE
    band = Band(tuple(np.linspace(0.5, 0.9, MOST_FACES)), 0.2)
    assert band.from_of(MOST_FACES) == band.from_of(400) == 0.9 and band.from_of(1) == 0.5
