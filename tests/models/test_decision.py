"""Decisions: what is fixed on validation, what gets no answer, and that it survives being stored."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest

from torchfakes_utils.faces.quality import QUALITIES
from torchfakes_utils.metrics.band import Band, Rate
from torchfakes_utils.models.decision import (
    CANNOT_TELL,
    DISTANCE,
    FAKE,
    FEWEST_FRAMES,
    LIMITS,
    NOT_FIXED,
    NOT_SETTLED,
    REAL,
    Decision,
    decide,
    seen_ranges,
)
from torchfakes_utils.models.scope import Scope

from helpers.decisions import answering

RANGES = {"face": (60.0, None), "sharpness": (20.0, 900.0), "brightness": (50.0, 190.0), "contrast": (20.0, 90.0)}
USUAL = {"face": 100, "sharpness": 200, "brightness": 120, "contrast": 50}


@pytest.mark.parametrize(
    ("changed", "said"),
    [({}, ""), ({"face": 31}, "too small (face 31; 60 px or more wanted)"), ({"face": 5000}, ""),
     ({"sharpness": 3}, "too blurred (sharpness 3; 20 or more wanted)"), ({"sharpness": 1e4}, "too noisy"),
     ({"brightness": 9}, "too dark"), ({"brightness": 250}, "too bright"), ({"contrast": 2}, "too little contrast"),
     ({"contrast": 120}, "too much contrast"), ({"face": np.nan}, "")],
)  # fmt: skip
def test_crops_unlike_those_of_training_get_no_answer(changed, said):
    assert Decision(ranges=RANGES).outside(USUAL | changed).startswith(said)
    assert bool(Decision(ranges=RANGES).outside(USUAL | changed)) == bool(said)
    dark = USUAL | {"brightness": 9, "sharpness": 1}
    assert Decision(ranges=RANGES).outside(dark).startswith("too dark"), "which is what made it soft"
    assert Decision().outside(USUAL | changed) == "", "nothing is known of what training has seen"


def test_every_quality_that_is_measured_has_a_limit_and_no_other():
    assert set(LIMITS) == {*QUALITIES, DISTANCE}


def test_ranges_are_what_was_seen_a_little_widened():
    generator = np.random.default_rng(0)
    seen = pd.DataFrame({"face": generator.uniform(80, 120, 5000), "brightness": generator.uniform(100, 140, 5000)})
    ranges = seen_ranges(seen)
    assert ranges["face"] == (pytest.approx(80 / 1.25, rel=0.01), None), "a face cannot be too large"
    assert ranges["brightness"] == (pytest.approx(80, rel=0.01), pytest.approx(175, rel=0.01))
    assert "contrast" not in ranges


def test_a_cut_off_face_gets_no_answer_from_whoever_has_not_seen_many():
    usual = Decision().ranges["outside"]
    assert usual == seen_ranges(pd.DataFrame({"outside": np.zeros(100)}))["outside"], "training saw none"
    assert Decision().outside({"outside": 19.0}) == "" and "cut off" in Decision().outside({"outside": 31.0})
    seen = seen_ranges(pd.DataFrame({"outside": np.linspace(0, 40, 1000)}))
    assert Decision(ranges=seen).outside({"outside": 31.0}) == ""


def test_a_decision_survives_json():
    rate = Rate(0.05, 0.01, 0.14, 2, 40, 20)
    band, scope = Band((0.7, 0.8), 0.2, rate, rate, 0.1, None), Scope("own", ("a",), ("c23", ""), True)
    decision = Decision(0.31, 1.7, RANGES, ("a note",), "a caution", band, Band(), 0.01, 0.2, scope, "0" * 64)
    assert Decision(**json.loads(json.dumps(dataclasses.asdict(decision)))) == decision


@pytest.mark.parametrize(
    "wrong",
    [{"threshold": 2}, {"temperature": 0}, {"temperature": -1}, {"bananas": 1}, {"threshold": True},
     {"threshold": "0.5"}, {"threshold": None}, {"temperature": float("inf")}, {"temperature": 10**400},
     {"notes": "abc"}, {"notes": [1]}, {"notes": ["x" * 500_000]}, {"caution": None}, {"caution": "x" * 500_000},
     {"likeness": "abc"}, {"likeness": None}, {"ranges": []}, {"ranges": {"face": 3}}, {"ranges": {"face": "ab"}},
     {"ranges": {"face": (2, 1)}}, {"ranges": {"face": (True, None)}}, {"ranges": {"face": (None, float("nan"))}},
     {"photo": None}, {"film": []}, {"film": "x"}, {"scope": None}, {"scope": {"practice": "no"}},
     {"film": {"fake_from": ["0.4"]}}],
    ids=lambda wrong: str(wrong)[:40],
)  # fmt: skip
def test_nonsense_is_refused(wrong):
    with pytest.raises((TypeError, ValueError)):
        Decision(**wrong)


def scores(labels, logits, frames=2):
    names = [f"{number:03d}" for number in range(len(labels))]
    table = pd.DataFrame({"clip_id": names, "method": "m", "compression": "c23", "label": labels, "logit": logits})
    return table.loc[table.index.repeat(frames)].reset_index(drop=True)


def test_both_numbers_come_from_validation():
    generator = np.random.default_rng(0)
    labels = np.repeat([0, 1], [400, 1600])
    logits = np.where(labels == 1, 2.0, -2.0) + 2 * generator.normal(size=2000)  # calibrated where half are fake
    decision = decide(scores(labels, 3 * logits + 1.0))
    assert decision.temperature == pytest.approx(3, rel=0.15)
    at = decision.temperature * np.log(decision.threshold / (1 - decision.threshold))
    assert at == pytest.approx(1.0, abs=0.4), "a detector that leans to fake gets a higher threshold"
    assert decision.notes == () and set(decision.ranges) == {"outside"} and decision.caution == ""


def test_validation_of_one_class_leaves_the_plain_decision_and_says_so():
    decision = decide(scores([1, 1, 1], [1.0, 2.0, 3.0]))
    assert (decision.threshold, decision.temperature) == (0.5, 1.0)
    assert len(decision.notes) == 3 and all("both classes" in note for note in decision.notes[:2])
    assert decision.notes[2] == "nothing is called fake: validation shows fewer than 2 people in real clips"
    assert decision.silence == "" and decision.film.real_to is not None and not decision.film.fake_from
    assert "not known: validation has fewer than two clips of a class" in decision.caution


def test_only_crops_that_are_separated_are_said_to_be():
    generator = np.random.default_rng(0)
    labels = np.repeat([0, 1], [40, 160])
    (near,) = decide(scores(labels, 1e-3 * (0.5 * labels + generator.normal(size=200)))).notes
    assert near.startswith("temperature 1: ") and "too close to 0" in near and "without an error" not in near
    (apart,) = decide(scores(labels, 1e-3 * (2 * labels - 1))).notes
    assert apart.startswith("temperature 1: ") and "separate the classes without an error" in apart


@pytest.mark.slow
def test_a_detector_that_does_not_beat_a_coin_is_cautioned_against():
    generator = np.random.default_rng(0)
    labels = np.repeat([0, 1], [8, 32])
    coins = [decide(scores(labels, generator.normal(size=40))).caution for _ in range(40)]
    assert sum(map(bool, coins)) >= 36, "of coins, a 95 % interval lets one in forty pass"
    assert coins[0].startswith("on validation this detector is not known to do better than a coin: AUC by clip 0.")
    better = [decide(scores(labels, 3 * labels + generator.normal(size=40))).caution for _ in range(10)]
    assert better == [""] * 10
    assert "AUC by clip 0.0" in decide(scores(labels, generator.normal(size=40) - 5 * labels)).caution, "it is reversed"


def test_what_lacks_for_a_judgement_is_named():
    clips = scores(np.repeat([0, 1], [16, 64]), np.arange(80.0))
    assert "validation has fewer than two people of a class" in decide(clips.assign(target_id="000")).caution
    single = scores(np.repeat([0, 1], [1, 64]), np.arange(65.0))
    assert "validation has fewer than two clips of a class" in decide(single.assign(target_id="000")).caution
    assert "fewer than two" not in decide(clips).caution


def test_reasons_not_to_trust_it_stand_one_after_the_other():
    assert Decision().cautioned("one").cautioned("two").caution == "two; one"


def test_the_limit_of_distances_does_not_hang_on_the_order_of_the_rows():
    generator = np.random.default_rng(0)
    crops = scores(np.repeat([0, 1], 12), generator.normal(size=24), frames=3)
    crops = crops.assign(frame=np.tile([0, 1, 2], 24), distance=generator.uniform(1, 2, 72))
    whole = decide(crops)
    low, high = whole.ranges[DISTANCE]
    assert low is None and crops["distance"].quantile(0.9) < high < 4
    shuffled = crops.sample(frac=1, random_state=1)
    for other in (shuffled, shuffled.reset_index(drop=True), crops.set_index(np.arange(72) + 500)):
        assert decide(other).ranges[DISTANCE][1] == pytest.approx(high)
    assert DISTANCE not in decide(crops.assign(distance=np.nan)).ranges


def test_films_are_decided_on_means_and_photos_on_single_crops():
    """Single crops stray farther than means of many, so that the photo's band is the wider one."""
    generator = np.random.default_rng(0)
    labels = np.repeat([0, 1], 60)
    crops = scores(labels, 3.0 * labels - 1.5 + 0.5 * generator.normal(size=120), frames=20)
    crops = crops.assign(frame=np.tile(np.arange(20), 120), logit=crops["logit"] + 2 * generator.normal(size=2400))
    decision = decide(crops)
    assert decision.photo.from_of() > decision.film.from_of() and decision.photo.real_to < decision.film.real_to
    assert decision.band(1) is decision.photo and decision.band(FEWEST_FRAMES) is decision.film
    some = crops[crops["frame"].isin(np.linspace(0, 19, 16).round().astype(int))]
    assert decide(some) == decision, "of a clip no more crops count than a verdict rests on"


def test_crops_that_get_no_answer_count_nowhere():
    """Dark crops, whose scores are noise, widen nothing: `predict` leaves them out, too."""
    generator = np.random.default_rng(0)
    labels = np.repeat([0, 1], 40)
    crops = scores(labels, 3.0 * labels - 1.5 + 0.5 * generator.normal(size=80), frames=4)
    crops = crops.assign(frame=np.tile(np.arange(4), 80), brightness=120.0, distance=1.0)
    dark = crops["frame"] == 3
    crops.loc[dark, "brightness"] = 10.0
    crops.loc[dark, "logit"] = 8 * generator.normal(size=dark.sum())
    training = pd.DataFrame({"brightness": generator.uniform(80, 160, 500)})
    whole, usable = decide(crops, training), decide(crops[~dark], training)
    assert whole == usable
    blind = decide(crops.drop(columns="brightness"), training)
    assert blind.photo.real_to < whole.photo.real_to and blind.photo.from_of() > whole.photo.from_of()
    assert decide(crops.assign(brightness=10.0), training).photo.fake_from == (), "nobody is left"


def test_a_practice_detector_is_silent_without_a_measure_of_its_data():
    generator = np.random.default_rng(0)
    crops = scores(np.repeat([0, 1], 12), np.repeat([-3.0, 3.0], 12) + generator.normal(size=24))
    practice = decide(crops, scope=Scope("Mini-FF++", practice=True))
    assert practice.silence.startswith("a practice detector") and practice.band(16) == Band()
    assert practice.silence.endswith("train it again in a new folder")
    fitted = decide(crops.assign(distance=generator.uniform(1, 2, 48)), scope=Scope("Mini-FF++", practice=True))
    known = dataclasses.replace(fitted, likeness="0" * 64)
    assert known.silence == "" and known.band(16).fake_from
    for blind in ({"likeness": ""}, {"ranges": {}}, {"ranges": {DISTANCE: (None, None)}}):
        assert dataclasses.replace(known, **blind).silence == practice.silence


def test_the_reason_for_silence_is_what_lacks_and_not_all_that_was_noted():
    decision = decide(scores([0, 1], [-1.0, 1.0]).assign(target_id="one"))
    assert any(note.startswith("temperature 1") for note in decision.notes), "that is no reason"
    why = "validation shows fewer than 2 people in"
    assert decision.silence == (
        f"nothing is called fake: {why} real clips; nothing is called real: {why} fakes; "
        "more people in validation are needed"
    )
    assert Decision(notes=("by hand",)).silence == NOT_FIXED


def test_a_run_that_has_not_ended_gives_no_verdict_and_says_how_it_is_finished():
    decision = answering(0.5)
    assert decision.silence == "" and decision.band(1).fake_from
    unfinished = dataclasses.replace(decision, notes=(NOT_SETTLED,), scope=Scope("Mini-FF++", practice=True))
    assert unfinished.silence == f"{NOT_SETTLED}; run the same `torchfakes train` again to finish it"
    assert unfinished.band(1) == unfinished.band(16) == Band()


def test_a_distance_that_is_no_number_passes_nowhere():
    """An infinite one was measured; a NaN was not, and is not looked at."""
    for decision in (Decision(), Decision(ranges={DISTANCE: (None, 2.0)})):
        said = decision.outside({DISTANCE: np.inf})
        assert said == "unlike the faces of its training (its distance is no number)"
        assert decision.outside({DISTANCE: np.nan}) == ""


def test_the_sentence_and_the_rates_are_in_words():
    decision = Decision(false_alarms=0.01, misses=0.1)
    assert "at most 1 % are called fake and of whose fakes at most 10 % real" in decision.meaning
    band = Band((0.9,), 0.1, Rate(0.0, 0.0, 0.369, 0, 16, 8), Rate(0.25, 0.03, 0.65, 8, 32, 4))
    expected = "of 16 real validation clips (8 people or pairs) 0 were called fake (95 % interval 0 % to 36.9 %)"
    assert decision.rate(FAKE, band) == expected
    assert decision.rate(REAL, band).startswith("of 32 fake validation clips (4 people or pairs) 8 were called real (")
    assert decision.rate(CANNOT_TELL, band) == "" and "too few people" in decision.rate(FAKE, Band((0.9,)))


def test_people_count_in_films_as_in_photos():
    """Four people with eight fakes each are four chances, however many clips they are in."""
    generator = np.random.default_rng(0)
    labels = np.repeat([0, 1], [8, 32])
    crops = scores(labels, 2.0 * labels - 1 + generator.normal(size=40), frames=6).assign(frame=np.tile(range(6), 40))
    people = [f"p{number % 8}" if number < 8 else f"p{number % 4}" for number in range(40)]
    decision = decide(crops.assign(target_id=np.repeat(people, 6)))
    for band in (decision.photo, decision.film):
        assert (band.false_alarms.people, band.misses.people, band.misses.clips) == (8, 4, 32)
