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

import logging
import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

import pandas as pd

from torchfakes_utils.datasets import splits
from torchfakes_utils.datasets.splits import ACTOR_METHODS, assign_splits, check_names, splits_of
from torchfakes_utils.errors import InputError
from torchfakes_utils.io.clips import below, clips_in
from torchfakes_utils.io.tables import INDEX_COLUMNS, write_index

logger = logging.getLogger(__name__)

FAKE_METHODS = ("Deepfakes", "Face2Face", "FaceSwap", "NeuralTextures", "FaceShifter", "DeepFakeDetection")
REAL_METHODS = ("youtube", "actors")
# Of Mini-FF++'s temporal family (`mini.temporal`), which has the same layout.
TEMPORAL_METHODS = ("Temporal", "TemporalPart")
COMPRESSIONS = ("raw", "c23", "c40")
# The masks of FaceShifter were never published; of the temporal family `segments.csv` says when, and nothing where.
UNMASKED_METHODS = ("FaceShifter", *TEMPORAL_METHODS)

# Target, source and scene, as far as a name has them; of the other methods, as `_FAKE_NAME`.
_FAKE_NAME = re.compile("([0-9]+)_([0-9]+)()")
_NAMES = {
    "youtube": re.compile("([0-9]+)()()"),
    "actors": re.compile("([0-9]+)__.+()()"),
    "DeepFakeDetection": re.compile("([0-9]+)_([0-9]+)(__.+)__[^_]+"),
}

_LAYOUT = (
    "FaceForensics++ keeps its videos in original_sequences/youtube/<compression>/videos/*.mp4 and "
    "manipulated_sequences/<method>/<compression>/videos/*.mp4"
)


def index(
    root: Path | str, methods: Sequence[str] | None = None, compressions: Sequence[str] | None = None
) -> pd.DataFrame:
    """List the videos below a folder in FaceForensics++'s layout; reads names only, never a video.

    Names may be written in other case, and films in other formats than mp4. Where there are folders of frames instead
    of films, as DeepfakeBench has them (`c23/frames/000/*.png`), each is a clip.

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
    chosen = [*REAL_METHODS, *FAKE_METHODS, *TEMPORAL_METHODS] if methods is None else with_reals(methods)
    check_names("compression", compressions or (), COMPRESSIONS)
    if not root.is_dir():
        raise InputError(f"{root}: no such folder. {_LAYOUT}")
    rows, left_out = [], [] if methods else _unknown_methods(root)
    for method in chosen:
        for compression in compressions or COMPRESSIONS:
            found, others = clips_in(below(root, *_folder(method).parts, compression))
            left_out += others
            for name, path in found.items():
                row = _row(name, path.relative_to(root), method, compression)
                if row is None:
                    left_out.append(path)
                else:
                    rows.append(row)
    if left_out:
        logger.warning("%d files left out: not named as in FaceForensics++ (first: %s)", len(left_out), left_out[0])
    if not rows:
        raise InputError(_nothing_found(root, methods, compressions))
    order = ["label", "method", "compression", "clip_id"]
    return pd.DataFrame(rows, columns=INDEX_COLUMNS).sort_values(order, ignore_index=True)


def with_reals(methods: Sequence[str]) -> list[str]:
    """Add to some methods the real videos that they were made from: without these, there is nothing to tell apart.

    Raises:
        InputError: a method is unknown.
    """
    check_names("method", methods, FAKE_METHODS + TEMPORAL_METHODS + REAL_METHODS)
    reals = ["actors" if method in ACTOR_METHODS else "youtube" for method in methods]
    return list(dict.fromkeys([*reals, *methods]))  # each once, in this order


def write_clips(
    root: Path | str,
    out: Path | str | None = None,
    methods: Sequence[str] | None = None,
    compressions: Sequence[str] | None = None,
    rule: str = "official",
) -> Path:
    """Index and split a folder, and write `clips.csv`; see `layouts.index_clips`.

    Raises:
        InputError: as `split_clips`, or the table cannot be written.
    """
    return write_index(split_clips(Path(root), methods, compressions, rule), Path(root), out)


def split_clips(
    root: Path, methods: Sequence[str] | None = None, compressions: Sequence[str] | None = None, rule: str = "official"
) -> pd.DataFrame:
    """Index a folder, and split it by its own lists or the official ones.

    Raises:
        InputError: as `index`, `splits.splits_of` and `splits.read_films` do.
    """
    check_names("split", [rule], splits.RULES, "choose from")
    clips = index(root, methods, compressions)
    # Of actors alone there is nothing that an official split would apply to.
    official = {} if set(clips["method"]) <= set(ACTOR_METHODS) else splits_of(root)
    if rule == "official":
        return assign_splits(clips, official)
    return splits.assign_strictly(clips, official, splits.read_films(root) if official else {})


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


def find_mask(root: Path | str, clip: Mapping[str, object]) -> Path | None:
    """The mask video of a clip, in whatever case it is named; None where there is none, or it was not downloaded."""
    path = mask_path(clip)
    found = None if path is None else below(Path(root), *PurePosixPath(path).parts)
    return found if found is not None and found.is_file() else None


def _folder(method: str) -> PurePosixPath:
    return PurePosixPath("original_sequences" if method in REAL_METHODS else "manipulated_sequences", method)


def _unknown_methods(root: Path) -> list[Path]:
    """Folders beside those of the methods, whose films nobody would miss otherwise."""
    known = {name.casefold() for name in (*REAL_METHODS, *FAKE_METHODS, *TEMPORAL_METHODS)}
    parts = [below(root, name) for name in ("original_sequences", "manipulated_sequences")]
    inside = [path for part in parts if part.is_dir() for path in sorted(part.iterdir()) if path.is_dir()]
    return [path for path in inside if path.name.casefold() not in known and not path.name.startswith(".")]


def _row(name: str, path: Path, method: str, compression: str) -> tuple[object, ...] | None:
    """The `INDEX_COLUMNS` of one video, or None where its name is not one of the data set's."""
    match = _NAMES.get(method, _FAKE_NAME).fullmatch(name)
    if match is None:
        return None
    target, source, scene = match.groups()
    fake = method not in REAL_METHODS
    original = target + scene if fake else ""
    return name, path.as_posix(), int(fake), method, compression, target, source, "", original


def _nothing_found(root: Path, methods: Sequence[str] | None, compressions: Sequence[str] | None) -> str:
    asked = [name for names in (methods, compressions) if names for name in names]
    try:
        inside = sorted(path.name for path in root.iterdir() if not path.name.startswith("."))
    except OSError as error:
        inside = [f"nothing that can be read ({error.strerror})"]
    shown = ", ".join(inside[:5]) + " …" * (len(inside) > 5) or "nothing"
    only = f" for {', '.join(asked)}" if asked else ""
    return f"{root}: no videos found{only}; the folder holds {shown}. {_LAYOUT}"
