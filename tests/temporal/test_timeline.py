"""When in a clip it shows."""

import numpy as np
import pandas as pd
import pytest

from torchfakes_utils.temporal.timeline import overlap, pointing, pointing_table, timeline


def windows(length: float = 10.0, size: float = 1.6, step: float = 0.4):
    starts = np.arange(0, length - size + 1e-9, step)
    return starts, starts + size


def test_a_place_is_the_mean_of_the_windows_that_hold_its_middle():
    found = timeline(np.array([0.0, 0.5]), np.array([1.0, 1.5]), np.array([0.2, 0.8]))
    assert found.starts.tolist() == [0, 0.5, 1.0] and found.ends.tolist() == [0.5, 1.0, 1.5]
    assert found.scores == pytest.approx([0.2, 0.5, 0.8])


def test_where_no_window_was_there_is_no_score():
    found = timeline(np.array([0.0, 3.0]), np.array([1.0, 4.0]), np.array([0.2, 0.8]))
    assert np.isnan(found.scores[[2, 3, 4, 5]]).all() and found.scores[[0, 1, 6, 7]] == pytest.approx(
        [0.2, 0.2, 0.8, 0.8]
    )


def test_windows_that_know_point_and_windows_by_chance_do_not():
    starts, ends = windows()
    middle = (starts + ends) / 2
    knowing = np.where((middle > 4) & (middle < 6), 0.9, 0.1)
    found = pointing(timeline(starts, ends, knowing), (4.0, 6.0))
    assert found.auc > 0.95 and found.hit and found.iou > 0.5 and found.chance == pytest.approx(0.2)
    generator = np.random.default_rng(0)
    blind = [pointing(timeline(starts, ends, generator.random(len(starts))), (4.0, 6.0)) for _ in range(400)]
    assert np.mean([one.auc for one in blind]) == pytest.approx(0.5, abs=0.05)
    assert np.mean([one.hit for one in blind]) == pytest.approx(0.2, abs=0.08)


def test_a_clip_that_is_forged_throughout_has_nothing_to_point_at():
    starts, ends = windows()
    assert pointing(timeline(starts, ends, starts / 10), (0.0, 10.0)).auc is None


@pytest.mark.parametrize(("one", "other", "share"), [
    ((0, 2), (0, 2), 1), ((0, 2), (1, 3), 1 / 3), ((0, 1), (2, 3), 0), ((0, 0), (0, 2), 0), ((0, 4), (1, 2), 0.25),
])  # fmt: skip
def test_overlap_is_intersection_over_union(one, other, share):
    assert overlap(one, other) == pytest.approx(share) == overlap(other, one)


def test_only_clips_with_one_known_span_are_in_the_table():
    starts, ends = windows()
    known = {"compression": "c23", "clip_id": "a", "start_s": starts, "end_s": ends, "probability_fake": starts / 10}
    rows = pd.concat([pd.DataFrame(known | {"method": method}) for method in ("Part", "Whole", "youtube")])
    segments = pd.DataFrame([("Part", "c23", "a", 7.0, 9.0), ("Whole", "c23", "a", 0.0, 10.0)],
                            columns=["method", "compression", "clip_id", "start_s", "end_s"])  # fmt: skip
    table = pointing_table(rows, segments)
    assert table["method"].tolist() == ["Part"] and table["auc"].iloc[0] > 0.8
