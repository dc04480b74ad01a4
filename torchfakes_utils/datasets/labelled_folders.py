"""Folders whose names are the labels: `real/` and `fake/`, `original/` and `Deepfakes/`, `train/real/` and so on.

In them lie films, photos (each a clip of one frame), or folders of numbered pictures, which are the frames of one film.
"""

import logging
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from torchfakes_utils.datasets import split_files, splits
from torchfakes_utils.datasets.dealing import deal_by_size, dealt, warn_of_copies
from torchfakes_utils.datasets.faceforensics import FAKE_METHODS, REAL_METHODS
from torchfakes_utils.datasets.own_table import SPLIT_WORDS, UNKNOWN
from torchfakes_utils.errors import InputError
from torchfakes_utils.io.clips import is_film, is_picture, is_unlistable
from torchfakes_utils.io.folders import STAMP_FILE
from torchfakes_utils.io.tables import INDEX_COLUMNS

logger = logging.getLogger(__name__)

_REAL = {"real", "reals", "original", "originals", "genuine", "pristine", "authentic", *REAL_METHODS}
_FAKE = {"fake", "fakes", "deepfake", "manipulated", "forged", *(name.casefold() for name in FAKE_METHODS)}
# Between label and clip these say nothing.
_NEUTRAL = {"frames", "videos", "images", "raw", "c23", "c40"}
# A folder that holds one of these is what a command of ours has made.
_OURS = {STAMP_FILE, "extraction.json", "history.csv", "report.json"}

_PAIR = re.compile("([0-9]+)_([0-9]+)")


@dataclass(frozen=True)
class _Found:
    """A clip with what its folders say: label and method, split ("" for none), and what other folders it lies in."""

    path: Path
    name: str
    label: int
    method: str
    split: str
    place: tuple[str, ...]

    @property
    def clip_id(self) -> str:
        return "-".join((*self.place, self.name))


def is_labelled(root: Path) -> bool:
    """Whether a folder has both real and fake clips in folders of such names."""
    found, _ = _search(root)
    return len({clip.label for clip in found}) == 2


def labelled_folders(root: Path, rule: str = "official") -> pd.DataFrame:
    """List the clips of labelled folders.

    Who is seen is known where a fake's name begins with that of a real clip in the same place: `000_003` is made from
    `000`. Folders called train, val and test are the split; where there is no val, a seventh of train is kept for it.
    Else it is the official one where all pairs are FaceForensics++'s, and people are dealt out where not.

    Raises:
        InputError: nothing found, or two clips of one name.
    """
    found, left_out = _search(root)
    if left_out:
        logger.warning("%d files left out: in no folder that says real or fake (first: %s)", len(left_out), left_out[0])
    if films := [clip.path for clip in found if clip.path.is_dir()]:
        logger.warning("%d folders of numbered pictures are taken for films (first: %s)", len(films), films[0])
    clips = pd.DataFrame(list(_rows(root, found)), columns=INDEX_COLUMNS)
    if clips.empty:
        raise InputError(
            f"{root}: no clips found in folders called real and fake, or the like; list them in a table (--from-csv)"
        )
    if any(clip.split for clip in found):
        clips = _with_val(clips)
    elif _is_faceforensics(clips):
        clips["method"] = clips["method"].where(clips["label"] == 1, "youtube")
        pairs = splits.splits_of(root)
        strict = rule == "strict"
        clips = (
            splits.assign_strictly(clips, pairs, splits.read_films(root))
            if strict
            else splits.assign_splits(clips, pairs)
        )
    else:
        clips = clips.assign(split=dealt(clips))
        _warn_of_series(root, clips)
    warn_of_copies(clips, root)
    return clips.sort_values(["label", "method", "clip_id"], ignore_index=True)


def _warn_of_series(root: Path, clips: pd.DataFrame) -> None:
    """Say that pictures which lie side by side, and might be frames of one film, are dealt out one by one."""
    photos = clips["path"][[is_picture(root / path) for path in clips["path"]]]
    series = photos.str.extract(r"^(.*[^\d/])\d+\.\w+$")[0].dropna()
    alike = series[series.duplicated(keep=False)]
    if clips["split"][alike.index].groupby(alike).nunique().gt(1).any():
        first = photos[alike.index[0]]
        logger.warning(
            "%s: %d pictures share a name but for its number (first: %s), and are dealt out one by one; frames of one "
            "film belong into a folder of their own, or they are on both sides of the split", root, len(alike), first
        )  # fmt: skip


def _search(root: Path) -> tuple[list[_Found], list[Path]]:
    """The clips in labelled folders, and films and pictures elsewhere; by words first, else by 0 and 1."""
    everything = [(path, path.relative_to(root).parts[:-1]) for path in _clips(root)]
    for by_words in (True, False):
        found: list[_Found] = []
        left_out: list[Path] = []
        for path, folders in everything:
            clip = _clip(path, folders, by_words)
            if clip is None:
                left_out.append(path)
            else:
                found.append(clip)
        if found:
            break
    return found, left_out


def _clip(path: Path, folders: tuple[str, ...], by_words: bool) -> _Found | None:
    said = [(_label(name, by_words), name) for name in folders]
    labels = {label for label, _ in said if label is not None}
    if len(labels) != 1:
        return None
    label = labels.pop()
    method = next(name for one, name in reversed(said) if one is not None)
    sides = [SPLIT_WORDS[word] for name in folders for word in _words(name) if word in SPLIT_WORDS]
    if any(word in SPLIT_WORDS for word in _words(method)):  # training_real
        method = "fake" if label else "real"
    method = {name.casefold(): name for name in FAKE_METHODS}.get(method.casefold(), method)
    method = {"0": "real", "1": "fake"}.get(method, method)
    place = tuple(name for one, name in said if one is None and name.casefold() not in _NEUTRAL)
    return _Found(path, path.name if path.is_dir() else path.stem, label, method, sides[0] if sides else "", place)


def _words(name: str) -> list[str]:
    return re.split(r"[\W_]+", name.casefold())


def _label(name: str, by_words: bool) -> int | None:
    """What a folder's name says: 0 for real, 1 for fake, None for nothing or for both."""
    words = set(_words(name)) if by_words else set()
    real, fake = (
        bool(words & _REAL) or (not by_words and name == "0"),
        bool(words & _FAKE) or (not by_words and name == "1"),
    )
    return None if real == fake else int(fake)


def _clips(root: Path) -> Iterator[Path]:
    """Films, photos and folders of numbered pictures; linked folders are entered, but none twice."""
    met: set[str] = set()
    for folder, below, names in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        if real in met or _OURS & set(names):
            below.clear()
            continue
        met.add(real)
        below[:] = sorted(name for name in below if not name.startswith("."))
        files = [Path(folder, name) for name in sorted(names)]
        pictures = [path for path in files if is_picture(path)]
        if odd := [path for path in files if is_unlistable(path)]:
            logger.warning("%s: %d files left out: their names are in no encoding that is known", folder, len(odd))
        yield from (path for path in files if is_film(path))
        if _is_film_of_pictures(Path(folder), root, pictures):
            yield Path(folder)
        else:
            yield from pictures


def _is_film_of_pictures(folder: Path, root: Path, pictures: list[Path]) -> bool:
    """Whether these are a film's frames: numbered, of one name but for that, in a folder that is no label or split."""
    above = [_label(name, True) for name in folder.relative_to(root).parts[:-1]]
    numbered = folder.name in ("0", "1") and not any(label is not None for label in above)
    said_nothing = folder != root and _label(folder.name, True) is None and not numbered
    if len(pictures) < 2 or not said_nothing or set(_words(folder.name)) & (set(SPLIT_WORDS) | _NEUTRAL):
        return False
    names = {re.fullmatch(r"(.*?)\d+", path.stem) for path in pictures}
    return None not in names and len({match.group(1) for match in names if match}) == 1


def _rows(root: Path, found: list[_Found]) -> Iterator[tuple[object, ...]]:
    """The `INDEX_COLUMNS` of each clip."""
    reals = {(clip.place, clip.name): clip.clip_id for clip in found if not clip.label}
    taken: dict[tuple[str, str], Path] = {}
    for clip in found:
        name = clip.clip_id
        if (clip.method, name) in taken:  # a.jpg and a.png
            name += f"_{clip.path.suffix.removeprefix('.')}"
        if (other := taken.setdefault((clip.method, name), clip.path)) != clip.path:
            raise InputError(
                f"{clip.path}: has the name of {other}; give it another, or list both in a table (--from-csv)"
            )
        target, source, original = name, "", ""
        if clip.label:
            target, source, original = _origin(clip, reals)
        path = clip.path.relative_to(root).as_posix()
        yield name, path, clip.label, clip.method, UNKNOWN, target, source, clip.split, original


def _origin(clip: _Found, reals: dict[tuple[tuple[str, ...], str], str]) -> tuple[str, str, str]:
    """Target, source and original of a fake, as far as names say."""
    if (clip.place, clip.name) in reals:  # real/1.jpg and fake/1.jpg may be one person, or numbered by chance
        return reals[clip.place, clip.name], "", ""
    for end in reversed([match.start() for match in re.finditer("[_-]", clip.name)]):
        original = reals.get((clip.place, clip.name[:end]))
        if original is not None:
            pair = _PAIR.fullmatch(clip.name)
            source = reals.get((clip.place, pair[2]), pair[2]) if pair else ""
            return original, source, original
    return clip.clip_id, "", ""


def _is_faceforensics(clips: pd.DataFrame) -> bool:
    """Whether all fakes are by its methods and of its pairs, and all reals are its ids."""
    fakes = clips[clips["label"] == 1]
    if not set(fakes["method"]) <= set(FAKE_METHODS):
        return False
    pairs = {pair for side in splits.read_splits(split_files.FOLDER).values() for pair in side}
    ids = {name for pair in pairs for name in pair}
    made = set(zip(fakes["target_id"], fakes["source_id"], strict=True))
    return set(clips.loc[clips["label"] == 0, "clip_id"]) <= ids and made <= pairs | {pair[::-1] for pair in pairs}


def _with_val(clips: pd.DataFrame) -> pd.DataFrame:
    """A seventh of the training set for validation, where its folders have none."""
    if "val" in set(clips["split"]) or "train" not in set(clips["split"]):
        return clips
    train = clips["split"] == "train"
    counts = pd.crosstab(clips.loc[train, "target_id"], clips.loc[train, "label"]).reindex(columns=[0, 1], fill_value=0)
    sides = deal_by_size({name: tuple(row) for name, *row in counts.itertuples()})
    # A test is there already: what would be dealt to it stays in training.
    kept = clips["target_id"].map(sides) == "val"
    return clips.assign(split=clips["split"].mask(train & kept, "val"))
