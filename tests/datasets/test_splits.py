"""No person and no film on two sides, whatever the clips; and what the other ways to split leak."""

import json
import math
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from torchfakes_utils.datasets.dealing import SPLITS
from torchfakes_utils.datasets.splits import (
    assign_splits,
    assign_strictly,
    compare,
    leaks,
    read_films,
    splits_of,
)
from torchfakes_utils.errors import InputError
from torchfakes_utils.io.tables import CLIP_COLUMNS

PAIRS = {"train": [("000", "001"), ("002", "003")], "val": [("004", "005")], "test": [("006", "007"), ("008", "009")]}
FILMS = {f"{number:03d}": f"film{number}" for number in range(10)}


def clip(target: str, source: str = "", method: str = "", split: str = "") -> dict:
    method = method or ("FaceSwap" if source else "youtube")
    name = f"{target}_{source}" if source else target
    row = {"clip_id": name, "path": f"{method}/{name}.mp4", "label": int(bool(source)), "method": method}
    return row | {"compression": "c23", "target_id": target, "source_id": source, "split": split}


def table(*clips: dict) -> pd.DataFrame:
    return pd.DataFrame(clips, columns=CLIP_COLUMNS)


def both_ways(pairs: dict = PAIRS) -> pd.DataFrame:
    """All real clips of the pairs, and one fake in each direction."""
    ways = [way for side in pairs.values() for one, other in side for way in ((one, other), (other, one))]
    return table(*[clip(one) for one, _ in ways], *[clip(*way) for way in ways])


# --- strict


def test_without_shared_films_strict_is_official() -> None:
    clips = both_ways()
    assert assign_strictly(clips, PAIRS, FILMS)["split"].tolist() == assign_splits(clips, PAIRS)["split"].tolist()


@pytest.mark.parametrize(
    ("one", "other", "moved", "to"), [("003", "006", "006 007", "train"), ("005", "008", "008 009", "val")]
)
def test_a_film_across_the_sides_moves_a_group_with_its_pair(one: str, other: str, moved: str, to: str) -> None:
    clips = both_ways()
    strict = assign_strictly(clips, PAIRS, FILMS | {other: FILMS[one]}).set_index("clip_id")["split"]
    official = assign_splits(clips, PAIRS).set_index("clip_id")["split"]
    changed = strict[strict != official]
    assert set(changed) == {to}
    assert set(changed.index) == {name for name in strict.index if set(name.split("_")) & set(moved.split())}


def test_the_strict_test_set_is_part_of_the_official_one() -> None:
    """Whoever trained on the official training set has seen nothing of it."""
    clips = both_ways()
    strict = assign_strictly(clips, PAIRS, FILMS | {"000": "film6", "004": "film9"})["split"]
    official = assign_splits(clips, PAIRS)["split"]
    assert (official[strict == "test"] == "test").all()
    assert (strict == "test").sum() == 0  # here both test pairs are tied to others
    assert (strict[official == "train"] == "train").all()


def test_a_fake_across_the_pairs_ties_them() -> None:
    clips = table(clip("000"), clip("006"), clip("007"), clip("006", "000"))
    assert set(assign_strictly(clips, PAIRS, {})["split"]) == {"train"}
    assert assign_splits(clips, PAIRS)["split"].tolist() == ["train", "test", "test", ""]


def test_unknown_people_are_in_no_split(caplog: pytest.LogCaptureFixture) -> None:
    clips = table(clip("000"), clip("900"), clip("900", "901"))
    assert assign_strictly(clips, PAIRS, FILMS)["split"].tolist() == ["train", "", ""]
    assert "2 of 3 clips are in no split" in caplog.text


def test_actors_are_dealt_out_and_fakes_across_are_left_out() -> None:
    reals = [
        clip(f"{number:02d}__kitchen", method="actors") | {"target_id": f"{number:02d}"} for number in range(1, 29)
    ]
    fakes = [
        clip("01", "02", "DeepFakeDetection"), clip("05", "12", "DeepFakeDetection"),
        clip("01", "06", "DeepFakeDetection"),
    ]  # fmt: skip
    split = assign_strictly(table(*reals, *fakes), {}, {})["split"].tolist()
    assert [split[:28].count(side) for side in SPLITS] == [20, 4, 4]
    assert split[28:] == ["train", "val", ""]
    assert set(assign_splits(table(*reals, *fakes), {})["split"]) == {"test"}


NAMES = st.sampled_from([f"{number:03d}" for number in range(14)])
ACTORS = st.sampled_from([f"{number:02d}" for number in range(1, 15)])


@st.composite
def clips_of_any_kind(draw: st.DrawFn) -> pd.DataFrame:
    ff = st.builds(clip, NAMES, NAMES | st.just(""))
    dfd = st.builds(lambda a, b: clip(a, b, "DeepFakeDetection" if b else "actors"), ACTORS, ACTORS | st.just(""))
    return table(*draw(st.lists(ff | dfd, min_size=1, max_size=30)))


@pytest.mark.slow
@given(
    clips=clips_of_any_kind(),
    films=st.dictionaries(NAMES, st.sampled_from(["a", "b", "c", "d", "e"])),
    sides=st.lists(st.sampled_from(SPLITS), min_size=7, max_size=7),
)
def test_nobody_and_no_film_is_on_two_sides(clips: pd.DataFrame, films: dict, sides: list[str]) -> None:
    pairs = {split: [] for split in SPLITS}
    for number, side in enumerate(sides):
        pairs[side].append((f"{2 * number:03d}", f"{2 * number + 1:03d}"))
    strict = assign_strictly(clips, pairs, films)
    assert set(strict["split"]) <= {*SPLITS, ""}
    seen: dict[str, set[str]] = {}
    for row in strict[strict["split"] != ""].itertuples():
        family = "actor" if row.method in ("actors", "DeepFakeDetection") else "person"
        people = [name for name in (row.target_id, row.source_id) if name]
        shown = [f"{family} {name}" for name in people]
        shown += [f"film {films[name]}" for name in people if family == "person" and name in films]
        for name in shown:
            seen.setdefault(name, set()).add(row.split)
    assert not {name: sides for name, sides in seen.items() if len(sides) > 1}
    shares = leaks(strict, films)[["target_in_train", "source_in_train", "film_in_train"]]
    assert shares.fillna(0).to_numpy().sum() == 0


# --- films


def test_reading_films(tmp_path: Path) -> None:
    (tmp_path / "conversion_dict.json").write_text('{"000": "--b1Ua-kWJE 0", "001": "--b1Ua-kWJE 1"}')
    assert read_films(tmp_path) == {"000": "--b1Ua-kWJE", "001": "--b1Ua-kWJE"}
    (tmp_path / "splits").mkdir()
    (tmp_path / "splits/conversion_dict.json").write_text('{"000": "x 0"}')
    assert read_films(tmp_path) == {"000": "x"}


@pytest.mark.parametrize("text", ["[1, 2]", '{"000": 5}', '{"000": ""}', "{", '{"000": {"a": 1}}'])
def test_films_of_another_form(tmp_path: Path, text: str) -> None:
    (tmp_path / "conversion_dict.json").write_text(text)
    with pytest.raises(
        InputError, match="conversion_dict.json: cannot be read .*; ids and videos are expected, .*ondyari"
    ):
        read_films(tmp_path)


def test_a_folder_without_lists_of_its_own_is_split_by_the_official_ones(tmp_path: Path) -> None:
    (tmp_path / "splits").mkdir()  # as `mkdir` leaves it
    assert [len(pairs) for pairs in splits_of(tmp_path).values()] == [360, 70, 70]
    films = read_films(tmp_path)
    assert (len(films), len(set(films.values()))) == (1000, 977)


def test_lists_of_ones_own_win_and_have_no_films_but_their_own(tmp_path: Path) -> None:
    (tmp_path / "splits").mkdir()
    for split, pairs in PAIRS.items():
        (tmp_path / f"splits/{split}.json").write_text(json.dumps(pairs))
    assert splits_of(tmp_path) == PAIRS
    with pytest.raises(InputError, match=r"splits/conversion_dict.json: no such file; the strict split needs it"):
        read_films(tmp_path)


# --- what leaks


def test_leaks_are_counted_by_hand() -> None:
    clips = table(
        clip("000", split="train"), clip("001", "000", split="train"),
        clip("000", "005", split="test"), clip("005", "001", split="test"), clip("006", "007", split="test"),
        clip("008", split="test"), clip("009", split="val"),
    )  # fmt: skip
    found = leaks(clips, {"001": "x", "008": "x", "006": "y"})
    assert found.loc["test"].tolist() == [4, 1 / 4, 1 / 3, 2 / 3]  # films are known of three test clips
    assert found.loc["val", "clips"] == 1
    assert found.loc["val", "target_in_train"] == 0
    assert math.isnan(found.loc["val", "source_in_train"])
    assert math.isnan(leaks(clips).loc["test", "film_in_train"])


def test_actor_01_is_not_sequence_01() -> None:
    clips = table(clip("01", split="train"), clip("01", method="actors", split="test"))
    assert leaks(clips).loc["test", "target_in_train"] == 0


def test_the_ways_to_split_compared() -> None:
    numbers = [f"{number:03d}" for number in range(200)]
    couples = list(zip(numbers[::2], numbers[1::2], strict=True))
    pairs = {"train": couples[:72], "val": couples[72:86], "test": couples[86:]}
    films = {name: f"film {name}" for name in numbers} | {numbers[-1]: "film 000"}
    found = compare(both_ways(pairs), pairs, films)
    assert found.index.tolist() == ["clips at random", "targets at random", "official", "strict"]
    assert found.loc["clips at random", "target_in_train"] > 0.9
    assert found.loc["targets at random", "target_in_train"] > 0.5  # as a source in other clips of training
    assert found.loc["targets at random", "source_in_train"] == pytest.approx(0.72, abs=0.1)
    assert found.loc["official"].tolist()[1:3] == [0, 0]
    assert found.loc["official", "film_in_train"] == pytest.approx(3 / 56)  # one of 28 real clips, two of 28 fakes
    assert found.loc["strict"].tolist()[1:] == [0, 0, 0]


def test_wrong_rule(tmp_path: Path) -> None:
    from torchfakes_utils.datasets.faceforensics import write_clips

    with pytest.raises(InputError, match="unknown split 'loose'; choose from official, strict"):
        write_clips(tmp_path, rule="loose")


def test_strict_on_disk(tmp_path: Path) -> None:
    from torchfakes_utils.datasets.faceforensics import write_clips
    from torchfakes_utils.io.tables import read_table

    for name in ("000", "006"):
        path = tmp_path / f"original_sequences/youtube/c23/videos/{name}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "splits").mkdir()
    for split, pairs in PAIRS.items():
        (tmp_path / f"splits/{split}.json").write_text(json.dumps(pairs))
    with pytest.raises(InputError, match="the strict split needs it"):
        write_clips(tmp_path, rule="strict")
    (tmp_path / "splits/conversion_dict.json").write_text(json.dumps({"000": "x 0", "006": "x 1"}))
    split = read_table(write_clips(tmp_path, rule="strict"), CLIP_COLUMNS)["split"].tolist()
    assert split == ["train", "train"]
    assert read_table(write_clips(tmp_path), CLIP_COLUMNS)["split"].tolist() == ["train", "test"]
