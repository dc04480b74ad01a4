"""Splits where nobody has published one: people and films are dealt out to train, val and test."""

import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from torchfakes_utils.io.files import sha256_of

logger = logging.getLogger(__name__)

SPLITS = ("train", "val", "test")

# Where val and test begin: the shares of FaceForensics++'s 720, 140 and 140 sequences.
BOUNDS = (0.72, 0.86)

_BEGINNING = 1 << 16  # bytes that tell a file from most others of its size


def deal(names: Sequence[str]) -> dict[str, str]:
    """Deal names out to train, val and test, 72/14/14, by a digest of each name: the same for any set of names.

    Where that would leave a side empty, though there are names enough, they are dealt by their number.
    """
    sides = {name: SPLITS[int(np.searchsorted(BOUNDS, _chance(name), side="right"))] for name in names}
    if not sides or len(set(sides.values())) == len(SPLITS):
        return sides
    return deal_by_size(dict.fromkeys(names, (1,)))


def deal_by_size(sizes: Mapping[str, Sequence[int]]) -> dict[str, str]:
    """Deal groups out to train, val and test, so that each side gets about its share of the clips, 72/14/14.

    The largest come first, each to the side that lacks most; equal ones in the order of a digest of their names, so
    that chance and the order of a table have no say. No side stays empty where there are three groups; of two, one is
    for training and one for validation. The same holds for each class by itself.

    Args:
        sizes: how many clips of each class (always in the same order) a group has, by its name.
    """
    order = sorted(sizes, key=lambda name: (-sum(sizes[name]), _chance(name)))
    counts = np.array([sizes[name] for name in order], dtype=float).reshape(len(order), -1)
    shares = np.diff([0.0, *BOUNDS, 1.0])
    total = np.maximum(counts.sum(0), 1)
    filled = np.zeros((len(SPLITS), counts.shape[1]))
    # Of each class, and of all together: the groups not dealt yet, and whether a side has any.
    kinds = np.column_stack([counts > 0, counts.any(axis=1)])
    left, has = kinds.sum(0), np.zeros((len(SPLITS), kinds.shape[1]), bool)
    sides = {}
    for name, group, kind in zip(order, counts, kinds, strict=True):
        need = ((shares[:, None] - filled / total) * group / total).sum(1)
        # With no more groups left than sides that have none, each of these is due one.
        due = (~has & kind & (left <= (~has).sum(0))).sum(1)
        side = int(np.where(due == due.max(), need, -np.inf).argmax())
        filled[side] += group
        has[side] |= kind
        left -= kind
        sides[name] = SPLITS[side]
    return sides


def _chance(name: str) -> float:
    """From 0 to 1, of a name."""
    return int(hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()[:8], 16) / 16**8


def components(links: Sequence[tuple[str, str]]) -> list[list[str]]:
    """The groups of names that are linked, directly or through others; sorted, as are the names in each."""
    from scipy.cluster.hierarchy import DisjointSet

    groups = DisjointSet(sorted({name for link in links for name in link}))
    for one, other in links:
        groups.merge(one, other)
    return [sorted(group) for group in groups.subsets()]


def dealt(clips: pd.DataFrame) -> pd.Series:
    """A split, 72/14/14, by which people who forge each other, and clips of one film, stay together."""
    person = "person " + clips["target_id"]
    other = ("person " + clips["source_id"]).where(clips["source_id"] != "", person)
    links = list(zip(person, other, strict=True))
    film = clips["original_id"].where(clips["label"] == 1, clips["clip_id"])
    links += [(one, f"film {name}") for one, name in zip(person, film, strict=True) if name]
    group_of = {name: group[0] for group in components(links) for name in group}
    groups = person.map(group_of)
    counts = pd.crosstab(groups, clips["label"]).reindex(columns=[0, 1], fill_value=0)
    return groups.map(deal_by_size({name: tuple(row) for name, *row in counts.itertuples()}))


def warn_of_sides(clips: pd.DataFrame, where: Path) -> None:
    """Say what nobody can train or test on: a side that is empty, or has clips of one class alone."""
    counts = pd.crosstab(clips["split"], clips["label"]).reindex(index=SPLITS, columns=[0, 1], fill_value=0)
    if counts.loc["test"].any() and not counts.loc[["train", "val"]].to_numpy().any():
        logger.warning("%s: all its clips are for testing; `train` needs others", where)
        return
    lacking = [f"no {split} clips" for split in SPLITS if not counts.loc[split].any()]
    for split in (split for split in SPLITS if counts.loc[split].any()):
        lacking += [
            f"no {name} clips in {split}" for label, name in ((0, "real"), (1, "fake")) if not counts.loc[split, label]
        ]
    if lacking:
        logger.warning(
            "%s: %s; training needs both classes in train and val, a test both in test (too few people, or all of them "
            "forge each other?)", where, ", ".join(lacking)
        )  # fmt: skip


def warn_of_copies(clips: pd.DataFrame, root: Path) -> None:
    """Say where copies of one file are real and fake, or on two sides of the split.

    Args:
        clips: with `path`, `label` and `split`; files are read as far as their sizes agree.
        root: what the paths are relative to.
    """
    files = clips["path"].map(lambda path: root / path)
    same = _known_again(files, _bytes)
    same = _known_again(files, _beginning, same)
    same = _known_again(files, _digest, same)
    for name, what in (("label", "real and fake"), ("split", "on two sides of the split")):
        apart = clips[clips[name].groupby(same).transform("nunique") > 1]
        if len(apart):
            first = apart[same[apart.index] == same[apart.index[0]]].drop_duplicates(name)["path"]
            logger.warning("%s: %d clips are copies of others, and yet %s (first: %s and %s); take one of each away",
                           root, len(apart), what, *first[:2])  # fmt: skip


def _known_again(files: pd.Series, by: Callable[[Path], str], same: pd.Series | None = None) -> pd.Series:
    """A text for each file, the same for those that agree in this too: only what may be a copy is looked at."""
    same = pd.Series("", files.index) if same is None else same
    maybe = same.duplicated(keep=False) if len(files) > 1 else pd.Series(False, files.index)
    return same.where(~maybe, same + " " + files[maybe].map(by).astype(str))


def _bytes(path: Path) -> str:
    """Its size; of a folder or of nothing, what no other is called."""
    try:
        return str(path.stat().st_size or path) if path.is_file() else str(path)
    except (OSError, ValueError):
        return str(path)


def _beginning(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.sha256(file.read(_BEGINNING)).hexdigest()
    except OSError:  # which extraction will say
        return str(path)


def _digest(path: Path) -> str:
    try:
        return sha256_of(path)
    except OSError:
        return str(path)
