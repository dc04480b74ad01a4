"""From scores to a verdict: the mean over frames, its interval, and which of several people decides."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from torchfakes_utils.faces.search import Found
from torchfakes_utils.faces.tracking import DETECTED, Track
from torchfakes_utils.inference.verdict import Answers, FaceVerdict, Prediction, digits_apart, frame_interval, judge
from torchfakes_utils.io.media import Media
from torchfakes_utils.metrics.band import Band, Rate
from torchfakes_utils.models.decision import CANNOT_TELL, FAKE, REAL, Decision
from torchfakes_utils.models.scope import Scope


def test_a_score_beside_the_threshold_is_told_with_as_many_digits_as_it_takes():
    assert [digits_apart(score, 0.5) for score in (0.4, 0.498, 0.5, 0.49996)] == [2, 3, 5, 5]
    assert [digits_apart(0.5, 0.2, end) for end in (0.98, 0.9985, 0.99996, 1.0)] == [2, 3, 5, 2], "no limit reads as 1"
    assert digits_apart(0.5, 0.001) == 3 and digits_apart(0.5, 0.0) == 2
    for gap, digits in ((1e-7, 7), (1e-12, 12), (1e-16, 17)):
        assert digits_apart(0.5 - gap, 0.5) in (digits - 1, digits), "five digits are not always enough"
    assert digits_apart(0.5, 0.5, 0.2) == 5, "no digits tell what is the same"


def test_just_below_the_limit_it_is_seen_that_it_is_below():
    band = Band((0.5,), 0.2)
    prediction = judged([0.49999999], dataclasses.replace(BANDED, photo=band))
    assert prediction.verdict == CANNOT_TELL
    assert "P(fake) is 0.49999999; called fake from 0.50000000 on" in prediction.reason


def test_the_interval_is_of_the_mean_over_frames():
    assert frame_interval(np.array([0.2, 0.4])) is None
    assert frame_interval(np.full(5, 0.25)) == (0.25, 0.25)
    scores = np.random.default_rng(1).uniform(0.3, 0.7, 400)
    low, high = frame_interval(scores)
    half = 1.96 * scores.std() / 20
    assert (low, high) == pytest.approx((scores.mean() - half, scores.mean() + half), abs=0.004)
    few, many = (np.diff(frame_interval(scores[:count])) for count in (20, 400))
    assert few > 2 * many


def test_the_face_whose_score_is_the_file_s_decides():
    scores = [0.2, None, 0.7, 0.7]
    verdicts = [REAL, CANNOT_TELL, CANNOT_TELL, FAKE]
    faces = [FaceVerdict(face, *about, None, "", []) for face, about in enumerate(zip(verdicts, scores, strict=True))]
    assert Prediction("x", FAKE, 0.7, "", faces).deciding is faces[3]
    assert Prediction("x", CANNOT_TELL, 0.7, "", faces).deciding is faces[2]
    assert Prediction("x", REAL, 0.2, "", faces).deciding is faces[0]
    assert Prediction("x", CANNOT_TELL, None, "", faces).deciding is None


def test_who_is_seen_often_may_make_a_file_fake_by_a_lower_score_than_somebody_seen_once_has():
    once, often = found(1), found(1, frames=4)
    both = dataclasses.replace(often, people=[*once.people, *often.people], crops=[*once.crops, *often.crops])
    prediction = judge(both, Answers(np.array([0.78, *[0.72] * 4]), np.full(5, np.nan)), BANDED, 1.0)
    assert (prediction.verdict, prediction.probability_fake) == (FAKE, pytest.approx(0.72))
    assert prediction.deciding is prediction.faces[1] and prediction.limits == (0.3, 0.7)
    assert prediction.reason.startswith("face 2 of 2, which decides: ")
    assert judged([0.78, 0.72]).reason.startswith("face 1 of 2, the most fake-looking one: ")


def found(faces, frames=1):
    """So many people side by side in a film of so many frames, each with one appearance."""
    indices, picture = np.arange(frames), np.random.default_rng(0).integers(60, 190, (64, 64, 3)).astype(np.uint8)
    boxes, landmarks = [[8, 8, 56, 56]] * frames, np.zeros((frames, 5, 2))
    tracks = [[Track.of(indices, boxes, landmarks, [1.0] * frames, [DETECTED] * frames)] for _ in range(faces)]
    media = Media("file", "photo" if frames == 1 else "video", indices, indices / 2, [picture] * frames, frames / 2.0)
    return Found(media, tracks, [picture] * (faces * frames), (64, 64))


# Fake from .8 on by itself, from .98 on among ten; real up to .2. A film's limits are nearer to each other.
PHOTO = Band(
    tuple(np.linspace(0.8, 0.98, 10)) + (0.98,) * 22, 0.2, Rate(0.0, 0.0, 0.37, 0, 8, 8), Rate(0.1, 0.0, 0.4, 3, 32, 4)
)
FILM = Band((0.7,) * 32, 0.3)
BANDED = Decision(photo=PHOTO, film=FILM, scope=Scope("own", ("Deepfakes",)))


def judged(scores, decision=BANDED, frames=1, distances=None):
    scores = np.asarray(scores, float)
    distances = np.full(len(scores), np.nan) if distances is None else np.asarray(distances, float)
    return judge(found(len(scores) // frames, frames), Answers(scores, distances), decision, 1.0)


@pytest.mark.parametrize(
    ("score", "verdict", "rate"),
    [(0.95, FAKE, "of 8 real validation clips"), (0.8, FAKE, "of 8 real"), (0.79, CANNOT_TELL, ""),
     (0.21, CANNOT_TELL, ""), (0.2, REAL, "of 32 fake validation clips"), (0.0, REAL, "of 32 fake")],
)  # fmt: skip
def test_three_answers_with_their_rates_scope_and_meaning(score, verdict, rate):
    prediction = judged([score])
    assert (prediction.verdict, prediction.faces[0].verdict) == (verdict, verdict)
    assert prediction.rate.startswith(rate) and bool(prediction.rate) == bool(rate)
    assert prediction.limits == (0.2, 0.8) and prediction.scope == BANDED.scope.line
    assert prediction.meaning == BANDED.meaning
    assert "called fake from 0.80" in prediction.reason and "real up to 0.20" in prediction.reason


def test_each_person_has_a_verdict_and_the_file_s_is_corrected_for_how_many_there_are():
    scores = [0.1] * 9 + [0.9]
    prediction = judged(scores)
    assert [face.verdict for face in prediction.faces] == [REAL] * 9 + [FAKE]
    assert prediction.verdict == CANNOT_TELL and prediction.limits[1] == pytest.approx(0.98)
    assert "face 10 of 10" in prediction.reason and "among 10 faces" in prediction.reason
    assert "from 0.80 on by itself, but each face is another chance of a false alarm" in prediction.reason
    assert judged([*scores[:9], 0.99]).verdict == FAKE
    assert judged([0.1] * 10).verdict == REAL
    assert judged([0.1] * 9 + [0.5]).verdict == CANNOT_TELL, "one of them may be a fake"


def test_a_film_is_judged_by_its_own_band_and_a_few_frames_by_that_of_photos():
    assert judged([0.75] * 4, frames=4).verdict == FAKE and judged([0.75] * 4, frames=4).limits == (0.3, 0.7)
    assert judged([0.75] * 3, frames=3).verdict == CANNOT_TELL


def test_faces_that_are_far_from_those_of_training_get_no_answer():
    decision = dataclasses.replace(BANDED, ranges={"distance": (None, 2.0)})
    prediction = judged([0.95, 0.05], decision, distances=[2.5, 1.0])
    assert [face.verdict for face in prediction.faces] == [CANNOT_TELL, REAL]
    assert prediction.verdict == CANNOT_TELL, "the other one may be the fake"
    assert prediction.reason.endswith("; so far real, but 1 of 2 faces could not be judged") and prediction.rate == ""
    assert judged([0.05, 0.95], decision, distances=[2.5, 1.0]).verdict == FAKE
    assert prediction.faces[0].frames[0].distance == 2.5
    (face,) = judged([0.95], decision, distances=[2.5]).faces
    assert "unlike the faces of its training (distance 2; 2 or less" not in face.reason
    assert "unlike the faces of its training (distance 2.5; 2.0 or less wanted)" in face.reason
    assert judged([0.95], decision, distances=[np.nan]).verdict == FAKE, "what is not measured is not looked at"


def test_a_file_is_not_called_real_while_some_of_its_faces_were_not_looked_at():
    crowd = dataclasses.replace(found(2), others=3)
    prediction = judge(crowd, Answers(np.array([0.1, 0.05]), np.full(2, np.nan)), BANDED, 1.0)
    assert prediction.verdict == CANNOT_TELL
    assert prediction.reason.endswith("; so far real, but 3 of 5 faces could not be judged")
    forged = judge(crowd, Answers(np.array([0.1, 0.95]), np.full(2, np.nan)), BANDED, 1.0)
    assert forged.verdict == FAKE and "so far real" not in forged.reason


def test_a_practice_detector_accuses_nobody_who_is_not_of_its_data():
    scope, ranges = Scope("Mini-FF++", practice=True), {"distance": (None, 2.0)}
    practice = dataclasses.replace(BANDED, ranges=ranges, scope=scope, likeness="0" * 64)
    strange = judged([0.99], practice, distances=[2.5])
    assert strange.verdict == CANNOT_TELL
    assert strange.reason.startswith("a practice detector, and this face is not of its data")
    assert judged([0.99], practice, distances=[1.0]).verdict == FAKE
    huge = judged([0.99], practice, distances=[np.inf])
    assert huge.verdict == CANNOT_TELL and "(its distance is no number)" in huge.reason
    assert huge.faces[0].frames[0].distance is None
    for lacking in ({"ranges": {}}, {"ranges": {"distance": (None, None)}}, {"likeness": ""}):
        blind = judged([0.99], dataclasses.replace(practice, **lacking), distances=[1.0])
        assert blind.verdict == CANNOT_TELL and "a practice detector" in blind.reason


def test_who_was_never_fixed_says_nothing_and_why():
    prediction = judged([0.99], Decision())
    assert prediction.verdict == CANNOT_TELL and prediction.probability_fake == pytest.approx(0.99)
    assert prediction.reason.startswith("P(fake) is 0.99, and no verdict is given: its thresholds and temperature were")
    assert prediction.limits == (None, None) and "\n" not in prediction.reason
    never = dataclasses.replace(BANDED, photo=Band((), 0.2), notes=("nothing is called fake: why",))
    assert (
        judged([0.99], never).verdict == CANNOT_TELL
        and "called fake never, real up to 0.20" in judged([0.99], never).reason
    )
    assert judged([0.1], never).verdict == REAL


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_a_file_is_fake_only_where_somebody_passes_the_limit_for_so_many(scores):
    prediction = judged(scores)
    limit = PHOTO.from_of(len(scores))
    assert (prediction.verdict == FAKE) == (max(scores) >= limit)
    assert (prediction.verdict == REAL) == (max(scores) <= 0.2)
    assert all(face.verdict == FAKE for face in prediction.faces if face.probability_fake >= 0.8)
