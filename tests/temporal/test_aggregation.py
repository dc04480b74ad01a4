"""From the scores of frames to that of a clip."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from torchfakes_utils.metrics.binary import by_clip
from torchfakes_utils.temporal.aggregation import WAYS, clip_scores, longest_run, mean, run_share, top_k

SCORES = st.lists(st.floats(0, 1), min_size=1, max_size=40).map(np.array)


@given(SCORES)
def test_the_highest_all_together_are_the_mean_and_one_is_the_maximum(scores):
    assert top_k(scores, len(scores)) == pytest.approx(mean(scores))
    assert top_k(scores, 1) == scores.max()
    assert mean(scores) - 1e-12 <= top_k(scores) <= scores.max() + 1e-12


@given(SCORES, st.floats(0.01, 1))
def test_a_run_is_above_throughout_and_no_other_is_longer(scores, threshold):
    start, end = longest_run(scores, threshold)
    assert (scores[start:end] >= threshold).all()
    above = "".join("x" if score >= threshold else " " for score in scores)
    assert end - start == max((len(run) for run in above.split()), default=0)
    assert run_share(scores, threshold) == (end - start) / len(scores)


def test_order_matters_to_the_run_alone():
    together, scattered = np.array([0.1, 0.9, 0.9, 0.9, 0.1, 0.1]), np.array([0.9, 0.1, 0.9, 0.1, 0.9, 0.1])
    assert mean(together) == mean(scattered) and top_k(together) == top_k(scattered)
    assert longest_run(together) == (1, 4) and run_share(scattered) == pytest.approx(1 / 6)


def test_of_runs_as_long_the_higher_is_taken():
    assert longest_run(np.array([0.6, 0.6, 0.1, 0.9, 0.9])) == (3, 5)
    assert longest_run(np.array([0.1, 0.2])) == (0, 0)


@pytest.mark.parametrize("k", [0, 4])
def test_more_of_the_highest_than_there_are_is_refused(k):
    with pytest.raises(ValueError, match=f"the {k} highest of 3"):
        top_k(np.ones(3), k)


def test_clips_are_told_apart_by_all_three_names_and_ordered_by_frame():
    rows = [{"method": method, "compression": "c23", "clip_id": "000_003", "label": 1, "frame": frame, "split": "test",
             "target_id": "000", "source_id": "003", "probability_fake": score}
            for method in ("Temporal", "Deepfakes")
            for frame, score in ((2, 0.9), (0, 0.8), (1, 0.1), (3, 0.7))]  # fmt: skip
    table = pd.DataFrame(rows)
    runs = clip_scores(table, "longest run")
    assert len(runs) == 2 and runs["probability_fake"].tolist() == [0.5, 0.5], "0.8, 0.1, 0.9, 0.7 in order"
    pd.testing.assert_frame_equal(clip_scores(table, "mean")[by_clip(table).columns], by_clip(table))
    assert set(WAYS) == {"mean", "top k", "longest run"}
