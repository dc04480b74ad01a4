"""FaceForensics++ as it lies on disk: which videos there are, what their names say, which split they belong to.

The data set is that of Rössler et al., "FaceForensics++: Learning to Detect Manipulated Facial Images" (ICCV 2019),
in the folders that its download script makes. Any part of it will do::

    original_sequences/{youtube,actors}/{raw,c23,c40}/videos/*.mp4
    manipulated_sequences/<method>/{raw,c23,c40}/videos/*.mp4
    manipulated_sequences/<method>/masks/videos/*.mp4
    splits/{train,val,test}.json

A real video is named by its number ("033"), a fake by two of them, `<target>_<source>` ("033_097": the face of 097
put into 033). The DeepFakeDetection part (actors; "DFD") adds the scene: `01__walking_outside` is real,
`01_02__walking_outside__YVGY8LOK` is a fake of it.
"""

import json
import logging
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

import pandas as pd

from torchfakes_utils.errors import InputError
from torchfakes_utils.tables import INDEX_COLUMNS, write_table

logger = logging.getLogger(__name__)

FAKE_METHODS = ("Deepfakes", "Face2Face", "FaceSwap", "NeuralTextures", "FaceShifter", "DeepFakeDetection")
REAL_METHODS = ("youtube", "actors")
COMPRESSIONS = ("raw", "c23", "c40")
SPLITS = ("train", "val", "test")

# The DFD recordings have no official split. They show other people in other places, made by another method, which
# makes them what the field uses them for: a test of how a detector does on what it was not trained on.
ACTOR_METHODS = ("actors", "DeepFakeDetection")

# The masks of FaceShifter were never published.
UNMASKED_METHODS = ("FaceShifter",)

Splits = dict[str, list[tuple[str, str]]]

_NUMBER = r"[0-9]+"
_REAL_NAMES = {
    "youtube": re.compile(rf"(?P<target>{_NUMBER})"),
    "actors": re.compile(rf"(?P<target>{_NUMBER})__.+"),
}
_FAKE_NAME = re.compile(rf"(?P<target>{_NUMBER})_(?P<source>{_NUMBER})")
_ACTOR_FAKE_NAME = re.compile(rf"(?P<target>{_NUMBER})_(?P<source>{_NUMBER})(?P<scene>__.+)__[^_]+")

_LAYOUT = (
    "FaceForensics++ keeps its videos in original_sequences/youtube/<compression>/videos/*.mp4 and "
    "manipulated_sequences/<method>/<compression>/videos/*.mp4"
)
_SPLITS_SOURCE = "dataset/splits at https://github.com/ondyari/FaceForensics"


def index(
    root: Path | str, methods: Sequence[str] | None = None, compressions: Sequence[str] | None = None
) -> pd.DataFrame:
    """List the videos below a folder in FaceForensics++'s layout; reads names only, never a video.

    Args:
        root: the folder that holds `original_sequences` and `manipulated_sequences`, complete or not.
        methods: which methods to list, with their real videos (see `with_reals`); without it, all there are.
        compressions: which of `COMPRESSIONS`; without it, all there are.

    Returns:
        The columns `INDEX_COLUMNS`, sorted (real first, then by method, compression, name), `split` empty as yet.
        Real videos have their folder ("youtube" or "actors") as method and no `source_id`.

    Raises:
        InputError: the folder is not there, holds no such video, or a method or compression is unknown.
    """
    root = Path(root)
    chosen = [*REAL_METHODS, *FAKE_METHODS] if methods is None else with_reals(methods)
    _check_names("compression", compressions, COMPRESSIONS)
    if not root.is_dir():
        raise InputError(f"{root}: no such folder. {_LAYOUT}")
    rows, unnamed = [], []
    for method in chosen:
        for compression in compressions or COMPRESSIONS:
            for path in sorted((root / _folder(method) / compression / "videos").glob("*.mp4")):
                row = _row(path.relative_to(root), method, compression)
                if row is None:
                    unnamed.append(path)
                else:
                    rows.append(row)
    if unnamed:
        logger.warning("%d files left out: not named as in FaceForensics++ (first: %s)", len(unnamed), unnamed[0])
    if not rows:
        raise InputError(_nothing_found(root, methods, compressions))
    order = ["label", "method", "compression", "clip_id"]
    return pd.DataFrame(rows, columns=INDEX_COLUMNS).sort_values(order, ignore_index=True)


def with_reals(methods: Sequence[str]) -> list[str]:
    """Add to some methods the real videos that they were made from: without these, there is nothing to tell apart.

    Raises:
        InputError: a method is unknown.
    """
    _check_names("method", methods, FAKE_METHODS + REAL_METHODS)
    reals = ["actors" if method in ACTOR_METHODS else "youtube" for method in methods]
    return list(dict.fromkeys([*reals, *methods]))  # each once, in this order


def read_splits(folder: Path | str) -> Splits:
    """Read `train.json`, `val.json` and `test.json` in the form in which they are published: lists of pairs of ids.

    Raises:
        InputError: a file is absent or of another form, or an id is in two splits (the same person would be seen
            in training and in the test).
    """
    folder = Path(folder)
    splits = {split: _read_pairs(folder / f"{split}.json") for split in SPLITS}
    _split_by_id(splits, str(folder))
    return splits


def assign_splits(clips: pd.DataFrame, splits: Mapping[str, Sequence[tuple[str, str]]]) -> pd.DataFrame:
    """Give each clip the split of its people: a fake shows two of them, and both have to be on one side.

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
    split_by_id = _split_by_id(splits, "splits")
    target = clips["target_id"].map(lambda name: split_by_id.get(name, "")).astype(str)
    source = clips["source_id"].map(lambda name: split_by_id.get(name, "")).astype(str)
    source = source.where(clips["source_id"] != "", target)  # a real clip shows one person only
    assigned = target.where(target == source, "")
    assigned = assigned.mask(clips["method"].isin(ACTOR_METHODS), "test")
    if without := int((assigned == "").sum()):
        logger.warning("%d of %d clips are in no split (an id unknown, or a pair across splits)", without, len(clips))
    return clips.assign(split=assigned)


def write_clips(
    root: Path | str,
    out: Path | str | None = None,
    methods: Sequence[str] | None = None,
    compressions: Sequence[str] | None = None,
) -> Path:
    """Index a folder, assign the splits of its `splits/` folder, and write `clips.csv`.

    Args:
        root: the data set's folder.
        out: the table to write, by default `root/clips.csv`; its paths are relative to its own folder.
        methods: see `index`.
        compressions: see `index`.

    Returns:
        The path of the table.

    Raises:
        InputError: as `index` and `read_splits` do, or where the table cannot be written.
    """
    root = Path(root)
    clips = index(root, methods, compressions)
    if set(clips["method"]) <= set(ACTOR_METHODS):  # nothing that an official split would apply to
        splits: Splits = {split: [] for split in SPLITS}
    else:
        splits = read_splits(root / "splits")
    clips, out = assign_splits(clips, splits), Path(out) if out else root / "clips.csv"
    if out.parent.resolve() != root.resolve():
        clips["path"] = [Path(os.path.relpath(root / path, out.parent)).as_posix() for path in clips["path"]]
    return write_table(clips, out, INDEX_COLUMNS)


def mask_path(clip: Mapping[str, object]) -> str | None:
    """Where the video lies that marks the manipulated pixels of a clip, relative to the data set's folder.

    Args:
        clip: a row of `clips.csv`.

    Returns:
        The path, or None where there is no mask: for real clips and for FaceShifter. One mask serves every
        compression. It is not checked that the file was downloaded.
    """
    if clip["label"] == 0 or clip["method"] in UNMASKED_METHODS:
        return None
    return str(PurePosixPath(_folder(str(clip["method"])), "masks", "videos", f"{clip['clip_id']}.mp4"))


def _check_names(kind: str, given: Sequence[str] | None, known: Sequence[str]) -> None:
    for name in given or ():
        if name not in known:
            raise InputError(f"unknown {kind} {name!r}; FaceForensics++ has {', '.join(known)}")


def _folder(method: str) -> PurePosixPath:
    return PurePosixPath("original_sequences" if method in REAL_METHODS else "manipulated_sequences", method)


def _row(path: Path, method: str, compression: str) -> dict[str, object] | None:
    """The row of one video, or None where its name is not one of the data set's."""
    real = method in REAL_METHODS
    pattern = _REAL_NAMES[method] if real else _ACTOR_FAKE_NAME if method in ACTOR_METHODS else _FAKE_NAME
    match = pattern.fullmatch(path.stem)
    if match is None:
        return None
    return {
        "clip_id": path.stem,
        "path": path.as_posix(),
        "label": int(not real),
        "method": method,
        "compression": compression,
        "target_id": match["target"],
        "source_id": "" if real else match["source"],
        "split": "",
        "original_id": "" if real else match["target"] + (match.groupdict().get("scene") or ""),
    }


def _nothing_found(root: Path, methods: Sequence[str] | None, compressions: Sequence[str] | None) -> str:
    asked = [name for names in (methods, compressions) if names for name in names]
    try:
        inside = sorted(path.name for path in root.iterdir() if not path.name.startswith("."))
    except OSError as error:
        inside = [f"nothing that can be read ({error.strerror})"]
    shown = ", ".join(inside[:5]) + (" …" if len(inside) > 5 else "") if inside else "nothing"
    only = f" for {', '.join(asked)}" if asked else ""
    return f"{root}: no videos found{only}; the folder holds {shown}. {_LAYOUT}"


def _read_pairs(path: Path) -> list[tuple[str, str]]:
    try:
        pairs = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such split file; the official ones are in {_SPLITS_SOURCE}") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise InputError(f"{path}: not JSON ({error}); the official files are in {_SPLITS_SOURCE}") from error
    if not isinstance(pairs, list):
        raise InputError(f"{path}: a list of pairs of ids is expected, such as {_SPLITS_SOURCE}")
    for pair in pairs:
        if not (isinstance(pair, list) and len(pair) == 2 and all(isinstance(name, str) and name for name in pair)):
            raise InputError(f'{path}: {json.dumps(pair)} is not a pair of ids such as ["000", "003"]')
    return [(first, second) for first, second in pairs]


def _split_by_id(splits: Mapping[str, Sequence[tuple[str, str]]], where: str) -> dict[str, str]:
    by_id: dict[str, str] = {}
    for split, pairs in splits.items():
        for name in (name for pair in pairs for name in pair):
            if by_id.setdefault(name, split) != split:
                raise InputError(f"{where}: id {name} is in both {by_id[name]} and {split}; it may be in only one")
    return by_id
