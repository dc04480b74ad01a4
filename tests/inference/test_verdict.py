"""From scores to a verdict: the mean over frames, its interval, and which of several people decides."""

import numpy as np
import pytest

from torchfakes_utils.inference.verdict import FaceVerdict, Prediction, digits_apart, frame_interval
from torchfakes_utils.models.decision import CANNOT_TELL


def test_a_score_beside_the_threshold_is_told_with_as_many_digits_as_it_takes():
    assert [digits_apart(score, 0.5) for score in (0.4, 0.498, 0.5, 0.49996)] == [2, 3, 5, 5]


def test_the_interval_is_of_the_mean_over_frames():
    assert frame_interval(np.array([0.2, 0.4])) is None
    assert frame_interval(np.full(5, 0.25)) == (0.25, 0.25)
    scores = np.random.default_rng(1).uniform(0.3, 0.7, 400)
    low, high = frame_interval(scores)
    half = 1.96 * scores.std() / 20
    assert (low, high) == pytest.approx((scores.mean() - half, scores.mean() + half), abs=0.004)
    few, many = (np.diff(frame_interval(scores[:count])) for count in (20, 400))
    assert few > 2 * many


def test_the_most_fake_looking_face_that_was_judged_decides():
    scores = [0.2, None, 0.7, 0.0]
    faces = [FaceVerdict(number, CANNOT_TELL, score, None, "", []) for number, score in enumerate(scores)]
    assert Prediction("x", CANNOT_TELL, None, "", faces).deciding is faces[2]
    assert Prediction("x", CANNOT_TELL, None, "", faces[3:]).deciding is faces[3]
    assert Prediction("x", CANNOT_TELL, None, "", faces[1:2]).deciding is None
