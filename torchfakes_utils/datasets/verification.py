"""Is a download whole? Every video is opened, counted and given a checksum; `manifest.csv` keeps what was found."""

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm.auto import tqdm

from torchfakes_utils.datasets.faceforensics import REAL_METHODS, UNMASKED_METHODS, find_mask, index, with_reals
from torchfakes_utils.datasets.official_script import PARTS
from torchfakes_utils.errors import DamagedError, InputError
from torchfakes_utils.io.clips import is_film
from torchfakes_utils.io.files import sha256_of
from torchfakes_utils.io.tables import INDEX_COLUMNS, check_table, write_table
from torchfakes_utils.io.video import probe

Row = dict[str, Any]  # of the manifest

MANIFEST = "manifest.csv"
MANIFEST_COLUMNS = ["path", "bytes", "modified", "sha256", "frames", "reason"]

# How many videos the complete data set has.
_COMPLETE = {part.method: part.videos for part in PARTS.values()}

# After so many files what was found is written down: who stops a night's check need not begin again.
_KEPT_EVERY = 500


@dataclass(frozen=True)
class Wanted:
    """What should be there.

    Attributes:
        methods: parts of FaceForensics++ ("youtube" for the originals); None for whatever there is.
        compressions: "raw", "c23", "c40"; None for whatever there is.
        num_videos: the first so many of each part, as the download script's -n gives them.
        complete: all videos of the parts that are named, or that are there.
        masks: as many masks as videos, of the methods that have any.
    """

    methods: Sequence[str] | None = None
    compressions: Sequence[str] | None = None
    num_videos: int | None = None
    complete: bool = False
    masks: bool = False


@dataclass(frozen=True)
class Verification:
    """What was found.

    Attributes:
        files: videos and masks that were looked at.
        bytes: their size together.
        damaged: path (relative to the folder) and reason of each that cannot be used.
        missing: a line for each part that has fewer videos than it should.
        deleted: paths of the damaged ones that are gone now.
    """

    files: int
    bytes: int
    damaged: list[tuple[str, str]]
    missing: list[str]
    deleted: list[str] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        """Nothing is damaged or missing."""
        return not self.damaged and not self.missing


def verify(
    root: Path | str, wanted: Wanted = Wanted(), workers: int = 4, progress: bool = True, delete_damaged: bool = False
) -> Verification:
    """Open every video and mask of a FaceForensics++ folder, and write `manifest.csv` into it.

    A file that has not changed (size and time) since it was last found whole is not read again.

    Args:
        wanted: what should be there.
        workers: files read at once.
        progress: show a bar on a terminal.
        delete_damaged: delete what was read and found broken, so that the download script fetches it anew; never what
            could not be read, whatever the reason (permission, memory, a disk that fails).

    Raises:
        InputError: the folder is not there, or the manifest cannot be written, or is somebody else's.
    """
    root = Path(root)
    clips, missing = _listed(root, wanted)
    check_table(root / MANIFEST, MANIFEST_COLUMNS)
    masks = sorted(
        {mask.relative_to(root).as_posix() for clip in clips.to_dict("records") if (mask := find_mask(root, clip))}
    )
    known = _known(root / MANIFEST)
    rows: list[Row] = []
    paths = [*clips["path"], *masks]
    with ThreadPoolExecutor(workers) as pool:
        found = pool.map(lambda path: _manifest_row(root, path, known.get(path)), paths)
        for row in tqdm(found, total=len(paths), unit="file", disable=None if progress else True):
            rows.append(row)
            if len(rows) % _KEPT_EVERY == 0:
                _write(root, rows, known)
    damaged = [(row["path"], row["reason"]) for row in rows if row["reason"]]
    deleted = set(_delete_broken(root, rows)) if delete_damaged else set[str]()
    rows = [row for row in rows if row["path"] not in deleted]
    _write(root, rows, known)
    return Verification(len(paths), sum(row["bytes"] for row in rows), damaged, missing, sorted(deleted))


def _delete_broken(root: Path, rows: Sequence[Row]) -> Iterator[str]:
    """Delete the files that are broken beyond doubt: when each is looked at alone, all of it can be read."""
    sound = max((row for row in rows if not row["reason"]), key=lambda row: row["bytes"], default=None)
    for path in [row["path"] for row in rows if row["reason"]]:
        # Who lacks memory or threads finds sound films broken, too.
        if _is_broken(root / path) and (sound is None or _can_be_read(root / sound["path"])):
            (root / path).unlink()
            yield path


def _is_broken(path: Path) -> bool:
    try:
        sha256_of(path)
        probe(path)
    except DamagedError:
        return True
    except (InputError, OSError, MemoryError):
        return False
    return False


def _can_be_read(path: Path) -> bool:
    try:
        probe(path)
    except (InputError, OSError, MemoryError):
        return False
    return True


def _listed(root: Path, wanted: Wanted) -> tuple[pd.DataFrame, list[str]]:
    """The videos that are there, and what is missing."""
    if not root.is_dir():
        raise InputError(f"{root}: no such folder")
    with_reals(wanted.methods or ())  # says so where a name is unknown
    try:
        clips = index(root, None, wanted.compressions)
    except InputError:
        if not wanted.methods:
            raise
        clips = pd.DataFrame(columns=INDEX_COLUMNS)
    if wanted.methods:
        clips = clips[clips["method"].isin(wanted.methods)]
    there = Counter(zip(clips["method"], clips["compression"], strict=True))
    parts = sorted({*there, *product(wanted.methods or (), wanted.compressions or ())})
    if wanted.masks:
        masked = sorted({method for method, _ in parts} - {*REAL_METHODS, *UNMASKED_METHODS})
        parts += [(method, "masks") for method in masked]
        masks = (root / "manipulated_sequences").glob("*/masks/videos/*")
        there.update((path.parts[-4], "masks") for path in masks if is_film(path))
    expected = {method: _expected(method, wanted) for method, _ in parts}
    return clips, [
        f"{method} {kind}: {there[method, kind]} of {expected[method]} videos"
        for method, kind in parts
        if there[method, kind] < expected[method]
    ]


def _expected(method: str, wanted: Wanted) -> int:
    if wanted.num_videos is not None:
        return min(wanted.num_videos, _COMPLETE[method])
    return _COMPLETE[method] if wanted.complete else 0


def _known(manifest: Path) -> dict[str, Row]:
    """What an earlier check found, by path; nothing where there is no manifest that can be read."""
    try:
        table = pd.read_csv(manifest, dtype={"sha256": str, "reason": str}, keep_default_na=False)
        return {row["path"]: row for row in table[MANIFEST_COLUMNS].to_dict("records")}
    except (OSError, ValueError, KeyError):
        return {}


def _manifest_row(root: Path, path: str, before: Row | None) -> Row:
    """The manifest's row of one file."""
    try:
        state = (root / path).stat()
        now = {"path": path, "bytes": state.st_size, "modified": state.st_mtime_ns}
        if before and not before["reason"] and all(before[name] == value for name, value in now.items()):
            return before
        now["sha256"] = sha256_of(root / path)
        return now | {"frames": probe(root / path).frames, "reason": ""}
    except InputError as error:
        return now | {"frames": 0, "reason": str(error).removeprefix(f"{root / path}: ")}
    except (OSError, MemoryError) as error:
        unread = {"path": path, "bytes": 0, "modified": 0, "sha256": "", "frames": 0}
        return unread | {"reason": f"cannot be read ({getattr(error, 'strerror', None) or 'not enough memory'})"}


def _write(root: Path, rows: list[Row], known: dict[str, Row]) -> None:
    """The manifest: what was looked at now, and what is still there of what was looked at before."""
    now = {row["path"] for row in rows}
    kept = [row for path, row in known.items() if path not in now and (root / path).is_file()]
    table = pd.DataFrame([*rows, *kept], columns=MANIFEST_COLUMNS).sort_values("path")
    write_table(table, root / MANIFEST, MANIFEST_COLUMNS)
