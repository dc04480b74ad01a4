"""The three answers on clips whose truth is known: counted by clip, with shares and intervals by person."""

import pandas as pd
import pytest

from torchfakes_utils.evaluation.answering import answers_by_class
from torchfakes_utils.metrics.band import Band, exact_interval
from torchfakes_utils.models.decision import FEWEST_FRAMES, Decision

DECISION = Decision(photo=Band((0.9,), 0.1), film=Band((0.7,), 0.3))


def crops(clip, label, scores, person="", silent=0):
    """The crops of a clip, the first few of which are unlike those of training."""
    rows = [(clip, label, frame, score) for frame, score in enumerate(scores)]
    table = pd.DataFrame(rows, columns=["clip_id", "label", "frame", "probability_fake"])
    why = ["too dark (x)" if frame < silent else "" for frame in range(len(scores))]
    return table.assign(
        method="m" if label else "youtube",
        compression="c23",
        split="test",
        target_id=person,
        source_id="",
        cannot_tell=why,
    )


def test_every_clip_gets_one_answer_of_four():
    many = FEWEST_FRAMES
    tables = [
        crops("a", 0, [0.2] * many), crops("b", 0, [0.5] * many), crops("c", 0, [0.8] * many),
        crops("d", 0, [0.8] * many, silent=many), crops("e", 1, [0.8]), crops("f", 1, [0.95]),
        crops("g", 1, [0.0] * many + [0.8] * many, silent=many),
    ]  # fmt: skip
    real, fake = answers_by_class(pd.concat(tables), DECISION).values()
    assert [one.clips for one in (real.real, real.between, real.fake, real.unlike)] == [1, 1, 1, 1]
    assert (fake.clips, fake.between.clips, fake.fake.clips) == (3, 1, 2), "one crop alone has a band of its own"
    assert (real.fake.share, (real.fake.low, real.fake.high)) == (0.25, exact_interval(1, 4))


def test_shares_are_those_of_people_and_counts_those_of_clips():
    tables = [crops(f"{number}", 0, [0.8] * 4, "a") for number in range(9)] + [crops("x", 0, [0.1] * 4, "b")]
    found = answers_by_class(pd.concat(tables), DECISION)["real"]
    assert (found.clips, found.people, found.fake.clips) == (10, 2, 9) and found.fake.share == 0.5
    assert (found.fake.low, found.fake.high) == pytest.approx(exact_interval(1, 2))


def test_a_detector_that_is_silent_answers_nothing_and_one_class_is_enough():
    found = answers_by_class(crops("a", 1, [0.99] * 4), Decision())
    assert list(found) == ["fake"] and found["fake"].between.clips == 1
    assert answers_by_class(crops("a", 1, [0.99] * 4, silent=4), DECISION)["fake"].unlike.clips == 1
