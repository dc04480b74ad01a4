"""Who is in training and who in the test: the official split, a strict one, and what any split leaks.

A forgery shows two people, and FaceForensics++ has some people twice: its 1000 sequences come from 977 YouTube videos.
The *official* split keeps the pairs of a forgery together, and most papers report on it. Seven videos straddle it. The
*strict* split joins ids by pair and by video, and moves whole groups.

The DeepFakeDetection part ("DFD": actors, filmed on purpose) has no official split. Officially, here, all of it is a
test on something unseen; strictly it is split by actor, and what shows two actors of different sides is left out.
"""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec
import numpy as np
import pandas as pd

from torchfakes_utils.datasets import split_files
from torchfakes_utils.datasets.dealing import BOUNDS, SPLITS, components, deal
from torchfakes_utils.errors import InputError

logger = logging.getLogger(__name__)

RULES = ("official", "strict")

# The DFD recordings show other people in other places, made by another method, which makes them what the field uses
# them for: a test of how a detector does on what it was not trained on.
ACTOR_METHODS = ("actors", "DeepFakeDetection")

Splits = dict[str, list[tuple[str, str]]]  # pairs of ids, by split
Films = dict[str, str]  # YouTube video, by id

# As they are published: lists of pairs of ids; and by id the video's address, a blank and which cut from it this is.
_Id = Annotated[str, msgspec.Meta(min_length=1)]
_Film = Annotated[str, msgspec.Meta(pattern=r"\S")]
_SPLITS_FORM = 'a list of pairs of ids is expected, such as [["000", "003"]], as in dataset/splits'
_FILMS_FORM = 'ids and videos are expected, such as {"000": "--b1Ua-kWJE 0"}, as in dataset/'
_SOURCE = "https://github.com/ondyari/FaceForensics"
Form = TypeVar("Form")

# Draws over which the splits by chance in `compare` are averaged.
_DRAWS = 20


def read_splits(folder: Path | str) -> Splits:
    """Read `train.json`, `val.json` and `test.json` in the form in which they are published: lists of pairs of ids.

    Raises:
        InputError: a file is absent or of another form, or an id is in two splits.
    """
    folder = Path(folder)
    kind = list[tuple[_Id, _Id]]
    splits: Splits = {split: _read(folder / f"{split}.json", kind, _SPLITS_FORM) for split in SPLITS}
    _split_by_id(splits, str(folder))
    return splits


def splits_of(root: Path | str) -> Splits:
    """The pairs by which a folder of FaceForensics++ is split: those in its `splits/`, else the official ones.

    Raises:
        InputError: it has lists of its own, and they are not all there or are of another form.
    """
    folder = Path(root) / "splits"
    has_own = any((folder / f"{split}.json").exists() for split in SPLITS)
    return read_splits(folder if has_own else split_files.FOLDER)


def read_films(root: Path | str) -> Films:
    """Read which YouTube video each sequence comes from: id to video.

    Args:
        root: the data set's folder; the file is `splits/conversion_dict.json` or `conversion_dict.json` in it, else
            the official one, if the folder is split by the official lists.

    Raises:
        InputError: the folder is split by lists of its own and has no such file, or it has another form than the
            published one.
    """
    places = [Path(root) / "splits" / "conversion_dict.json", Path(root) / "conversion_dict.json"]
    path = next((place for place in places if place.is_file()), None)
    if path is None and splits_of(root) == read_splits(split_files.FOLDER):
        path = split_files.FOLDER / "conversion_dict.json"
    if path is None:
        form = 'such as {"000": "VIDEO 0"}, for ids that are not split by the official lists'
        raise InputError(f"{places[0]}: no such file; the strict split needs it, {form}")
    return {name: film.split()[0] for name, film in _read(path, dict[str, _Film], _FILMS_FORM).items()}


def _read(path: Path, kind: type[Form], form: str) -> Form:
    """What a JSON file of the authors holds, if it is of that kind."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, ValueError, msgspec.MsgspecError) as error:
        why = getattr(error, "strerror", None) or error
        raise InputError(f"{path}: cannot be read ({why}); {form} at {_SOURCE}") from error


def check_names(kind: str, given: Sequence[str], known: Sequence[str], which: str = "FaceForensics++ has") -> None:
    """Refuse a name, by an InputError, that is not one of those known."""
    for name in given:
        if name not in known:
            raise InputError(f"unknown {kind} {name!r}; {which} {', '.join(known)}")


def assign_splits(clips: pd.DataFrame, splits: Splits) -> pd.DataFrame:
    """The official split: a fake shows two people, and both have to be on one side.

    Splitting by the target alone would put the source of most test fakes into the training set.

    Args:
        clips: a table with `CLIP_COLUMNS`.
        splits: pairs of ids by split, as `read_splits` gives them.

    Returns:
        A copy with `split` set. It is "" where an id is in no split, or where a fake's two ids are in different
        ones (their number is logged); actors and DeepFakeDetection, which have no official split, are all "test".

    Raises:
        InputError: an id is in two splits.
    """
    assigned = by_people(clips, _split_by_id(splits, "splits"))
    return with_splits(clips, assigned.mask(clips["method"].isin(ACTOR_METHODS), "test"))


def assign_strictly(clips: pd.DataFrame, splits: Splits, films: Films) -> pd.DataFrame:
    """The strict split: no target, source or YouTube video is on two sides.

    Ids are joined by the published pairs, by the fakes in the table and by shared videos into groups. A group whose
    ids are officially on several sides goes to the first of these in the order train, val, test. So the strict test
    set is a part of the official one: whoever trained on the official training set has not seen it.

    Actors (DFD) forge each other so much that all of them would be one group. They are dealt out by their numbers
    instead (of seven in a row five train, one val, one test), and fakes across sides are left out.

    Args:
        clips: a table with `CLIP_COLUMNS`.
        splits: pairs of ids by split, as `read_splits` gives them.
        films: id to YouTube video, as `read_films` gives it.

    Returns:
        A copy with `split` set; "" where it has to be left out (their number is logged).

    Raises:
        InputError: an id is in two splits.
    """
    official = _split_by_id(splits, "splits")
    actors = clips["method"].isin(ACTOR_METHODS)
    fakes = clips[~actors & (clips["source_id"] != "")]
    links = [pair for pairs in splits.values() for pair in pairs]
    links += list(zip(fakes["target_id"], fakes["source_id"], strict=True))
    links += [(name, f"film {film}") for name, film in films.items()]
    split_of: dict[str, str] = {}
    for group in components(links):
        sides = {official[name] for name in group if name in official}
        split_of |= dict.fromkeys(group, next((split for split in SPLITS if split in sides), ""))
    # Of people who are in no pair and no film nothing is known but the official split.
    assigned = by_people(clips, official | split_of)
    # By an actor's number: the same whichever part of DFD has been downloaded.
    actor_splits = {name: {5: "val", 6: "test"}.get(int(name) % 7, "train") for name in people(clips[actors])}
    if len(set(actor_splits.values())) < len(SPLITS):  # of a few actors
        actor_splits = deal(list(actor_splits))
    return with_splits(clips, assigned.mask(actors, by_people(clips, actor_splits)))


def people(clips: pd.DataFrame) -> list[str]:
    """Whoever is seen in clips, or lends a face or an expression to a fake; each once, sorted."""
    return sorted({*clips["target_id"], *clips["source_id"]} - {""})


def by_people(clips: pd.DataFrame, split_of: Mapping[str, str]) -> pd.Series:
    """The split of a clip's people; "" where they are in none, or in two different ones."""
    target = clips["target_id"].map(lambda name: split_of.get(name, "")).astype(str)
    source = clips["source_id"].map(lambda name: split_of.get(name, "")).astype(str)
    source = source.where(clips["source_id"] != "", target)  # a real clip shows one person only
    return target.where(target == source, "")


def with_splits(
    clips: pd.DataFrame, splits: pd.Series, why: str = "an id unknown, or a pair across splits"
) -> pd.DataFrame:
    """The clips with `split` set; how many are in none is logged, with the reason."""
    if without := int((splits == "").sum()):
        logger.warning("%d of %d clips are in no split (%s)", without, len(clips), why)
    return clips.assign(split=splits)


def leaks(clips: pd.DataFrame, films: Films | None = None) -> pd.DataFrame:
    """What the training set knows of the people in the other sets.

    Args:
        clips: a table with `CLIP_COLUMNS`, splits assigned.
        films: id to YouTube video; None where it is not known.

    Returns:
        A row for "val" and "test": `clips` (their number), and the shares from 0 to 1 of those whose target, whose
        source (of fakes) and whose YouTube video (of the target or the source) also shows in training. The share is
        NaN where there is nothing to count.
    """
    names, films = _named(clips), films or {}
    train = names[clips["split"] == "train"]
    known = {*train["target"], *train["source"]} - {""}
    seen = {films[name] for name in known if name in films}
    rows = {}
    for split in SPLITS[1:]:
        these = names[clips["split"] == split]
        fakes = these[these["source"] != ""]
        shown = [{films[name] for name in (row.target, row.source) if name in films} for row in these.itertuples()]
        rows[split] = {
            "clips": len(these),
            "target_in_train": these["target"].isin(known).mean(),
            "source_in_train": fakes["source"].isin(known).mean(),
            "film_in_train": pd.Series([bool(shot & seen) for shot in shown if shot], dtype=bool).mean(),
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def compare(clips: pd.DataFrame, splits: Splits, films: Films) -> pd.DataFrame:
    """What each way to split leaks: the `leaks` of the test set, a row a way.

    Two ways by chance, as one finds them in code (means of twenty draws): clips at random, and targets at random
    ("I split by person"); then the official split and the strict one.

    Args:
        clips: of FaceForensics++ without DFD; their `split` does not matter.
        splits: see `assign_strictly`, as for `films`.
    """
    every = pd.Series(np.arange(len(clips)).astype(str), index=clips.index)
    ways = {"clips at random": every, "targets at random": clips["target_id"]}
    rows = {}
    for name, cards in ways.items():
        draws = [leaks(clips.assign(split=cards.map(_dealt(cards, seed))), films).loc["test"] for seed in range(_DRAWS)]
        rows[name] = pd.concat(draws, axis=1).mean(axis=1)
    rows["official"] = leaks(assign_splits(clips, splits), films).loc["test"]
    rows["strict"] = leaks(assign_strictly(clips, splits, films), films).loc["test"]
    return pd.DataFrame.from_dict(rows, orient="index")


def _dealt(cards: pd.Series, seed: int) -> dict[str, str]:
    order = np.random.default_rng(seed).permutation(sorted(set(cards)))
    parts = np.split(order, [round(share * len(order)) for share in BOUNDS])
    return {name: split for split, part in zip(SPLITS, parts, strict=True) for name in part}


def _named(clips: pd.DataFrame) -> pd.DataFrame:
    """Targets and sources under names that tell actor 01 from sequence 01."""
    family = np.where(clips["method"].isin(ACTOR_METHODS), "actor ", "")
    target = family + clips["target_id"].astype(object)
    return pd.DataFrame({"target": target, "source": (family + clips["source_id"]).where(clips["source_id"] != "", "")})


def _split_by_id(splits: Splits, where: str) -> dict[str, str]:
    by_id: dict[str, str] = {}
    for split, pairs in splits.items():
        for name in (name for pair in pairs for name in pair):
            if by_id.setdefault(name, split) != split:
                raise InputError(f"{where}: id {name} is in both {by_id[name]} and {split}; it may be in only one")
    return by_id
