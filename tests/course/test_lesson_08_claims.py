"""What lesson 08 says of the real lab holds; where a test here fails, the lesson's text has to change."""

import pandas as pd
import pytest

from torchfakes_utils import course
from torchfakes_utils.course import lesson_08
from torchfakes_utils.course.patients import PATIENTS


def solution(patient):
    """As the lesson gives it."""
    test = lesson_08.score_summary(patient.test)
    return (
        test["AUC"] < 0.4
        or max(lesson_08.change(patient, label) for label in (0, 1)) > 0.01
        or lesson_08.company(patient) > 0.01
        or lesson_08.known_clips(patient) > 0
        or (patient.batch_labels() == "fake").mean() > 0.6
    )


@pytest.mark.slow
def test_what_the_lesson_says_of_the_real_lab_holds(capsys):
    """On Mini-FF++, over the three seeds."""
    scores = pd.read_csv(course.ensure("lab", progress=False))
    seen = pd.DataFrame(
        {
            (candidate, stage): pd.DataFrame([lesson_08.score_summary(own) for _, own in part.groupby("seed")]).mean()
            for (candidate, stage), part in scores.groupby(["candidate", "stage"])
        }
    ).T
    healthy = seen.loc["healthy", "test"]
    assert healthy["AUC"] > 0.7
    for guilty in ("blurred fakes", "labels", "imbalance and labels"):  # say "real"
        assert seen.loc[guilty, "test"]["called fake"] < 0.4
        assert seen.loc[guilty, "validation"]["accuracy"] > seen.loc["healthy", "validation"]["accuracy"] - 0.05
    for innocent in ("unfiltered", "blurred", "augmented", "frames", "mode"):
        assert seen.loc[innocent, "test"]["called fake"] > 0.5
    for other in ("crop", "augmented reals", "unbalanced", "imbalance"):  # say "fake"
        assert seen.loc[other, "test"]["called fake"] > 0.85
    assert (
        seen.loc["range", "test"]["AUC"] < healthy["AUC"] - 0.05 and seen.loc["blurred", "test"]["AUC"] < healthy["AUC"]
    )
    assert seen.loc["unbalanced", "test"]["AUC"] > seen.loc["imbalance", "test"]["AUC"]
    assert abs(seen.loc["augmented", "test"]["balanced"] - seen.loc["augmented", "validation"]["balanced"]) < 0.06
    assert seen.loc["blurred fakes", "validation"]["accuracy"] > 0.9 and seen.loc["labels", "test"]["AUC"] < 0.3
    assert seen.loc["frames apart", "validation"]["accuracy"] > 0.95
    assert abs(seen.loc["frames apart", "test"]["AUC"] - 0.5) < 0.15
    lesson_08.check_alarm(solution, [course.broken_detector(number, seed=1) for number in range(1, len(PATIENTS) + 1)])
    assert "All of them" in capsys.readouterr().out
