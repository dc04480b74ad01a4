"""People are dealt out by size: the same whatever the order, no side empty, nobody on two."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from torchfakes_utils.datasets.dealing import SPLITS, components, deal, deal_by_size

NAMES = st.sampled_from([f"{number:03d}" for number in range(14)])


def test_components() -> None:
    assert components([("b", "a"), ("c", "d"), ("d", "e"), ("f", "f")]) == [["a", "b"], ["c", "d", "e"], ["f"]]
    assert components([]) == []


@given(st.lists(st.tuples(NAMES, NAMES), max_size=30))
def test_linked_names_share_a_group_and_every_name_is_in_one(links: list[tuple[str, str]]) -> None:
    groups = components(links)
    place = {name: number for number, group in enumerate(groups) for name in group}
    assert len(place) == sum(map(len, groups)) == len({name for link in links for name in link})
    assert all(place[one] == place[other] for one, other in links)


def test_dealing_is_the_same_for_any_set_and_near_its_shares() -> None:
    names = [f"name {number}" for number in range(3000)]
    sides = deal(names)
    assert deal(names[5:99]) == {name: sides[name] for name in names[5:99]}
    for split, share in zip(SPLITS, (0.72, 0.14, 0.14), strict=True):
        assert list(sides.values()).count(split) / 3000 == pytest.approx(share, abs=0.03)


def test_a_few_names_are_dealt_by_their_number() -> None:
    assert deal(["a", "b"]) == deal(["b", "a"])
    for number in range(50):
        names = [f"{number} of {other}" for other in range(10)]
        for count in range(3, 11):
            assert set(deal(names[:count]).values()) == set(SPLITS)
    assert deal(["a"]) == {"a": "train"}
    assert deal([]) == {}


def test_whoever_has_most_clips_is_for_training() -> None:
    sides = deal_by_size({"one": (500, 500)} | {f"other {number}": (3, 7) for number in range(60)})
    assert sides["one"] == "train"
    clips = Counter()
    for name, side in sides.items():
        clips[side] += 1000 if name == "one" else 10
    assert {side: count / 1600 for side, count in clips.items()} == pytest.approx(
        {"train": 0.72, "val": 0.14, "test": 0.14}, abs=0.01
    )


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)).filter(any), min_size=1, max_size=20), st.randoms())
def test_no_side_is_empty_and_order_does_not_matter(sizes: list[tuple[int, int]], random) -> None:
    groups = {f"group {number}": size for number, size in enumerate(sizes)}
    sides = deal_by_size(groups)
    assert set(sides) == set(groups)
    if len(groups) >= 3:
        assert set(sides.values()) == set(SPLITS)
    for label in (0, 1):
        with_it = {name for name, size in groups.items() if size[label]}
        if len(with_it) == len(groups) >= 3:
            assert {sides[name] for name in with_it} == set(SPLITS)
    shuffled = list(groups)
    random.shuffle(shuffled)
    assert deal_by_size({name: groups[name] for name in shuffled}) == sides
