"""Which clips belong together: those that share a person, directly or through others."""

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from torchfakes_utils.metrics.people import knows_people, same_source, units


def table(*rows: tuple[str, str, str]) -> pd.DataFrame:
    clips = pd.DataFrame(rows, columns=["clip_id", "target_id", "source_id"])
    return clips.assign(method="x", compression="c23")


def test_a_pair_with_its_originals_and_fakes_is_one_unit() -> None:
    pairs = table(("000", "000", ""), ("003", "003", ""), ("000_003", "000", "003"), ("001", "001", ""))
    assert units(pairs).tolist() == [0, 0, 0, 1]


def test_crops_of_a_clip_are_of_one_unit_and_a_clip_without_a_name_is_its_own() -> None:
    unknown = table(("a", "", ""), ("a", "", ""), ("b", "", ""), ("c", "anna", ""), ("d", "", "anna"))
    assert units(unknown).tolist() == [0, 0, 1, 2, 2]
    assert knows_people(unknown)
    assert not knows_people(unknown[:3])


def test_a_table_that_names_nobody_counts_clips() -> None:
    clips = table(("a", "", ""), ("b", "", ""), ("a", "", "")).drop(columns=["target_id", "source_id"])
    assert units(clips).tolist() == [0, 1, 0]
    assert len(units(clips[:0])) == 0
    assert not knows_people(clips)


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=12))
def test_units_are_the_finest_partition_in_which_nobody_is_in_two(pairs: list[tuple[int, int]]) -> None:
    clips = table(*((f"{row}", f"p{target}", f"p{source}") for row, (target, source) in enumerate(pairs)))
    found = units(clips)
    # By hand: names are passed on until nothing changes.
    group = np.arange(len(pairs))
    for _ in pairs:
        for one, people in enumerate(pairs):
            for other, others in enumerate(pairs):
                if set(people) & set(others):
                    group[one] = group[other] = min(group[one], group[other])
    assert (found[:, None] == found).tolist() == (group[:, None] == group).tolist()


def test_fakes_belong_to_the_real_clips_in_which_their_targets_are_seen() -> None:
    youtube = table(("000", "000", ""), ("001", "001", "")).assign(method="youtube")
    actors = table(("01__talking", "01", ""), ("02__walking", "02", "")).assign(method="actors")
    reals = pd.concat([youtube, actors])
    swapped, filmed = table(("000_001", "000", "001")), table(("01_02__talking__X", "01", "02"))
    assert same_source(swapped, reals).tolist() == [True, True, False, False], "001 is no target, but of the source"
    assert same_source(filmed, reals).tolist() == [False, False, True, True]
    assert not same_source(filmed, youtube).any(), "nothing is borrowed"
    assert same_source(filmed.assign(target_id=""), reals).all(), "nobody says whose films they are"
    assert same_source(filmed.drop(columns="target_id"), reals).all()
