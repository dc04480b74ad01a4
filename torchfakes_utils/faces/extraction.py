"""From clips to face crops: `faces.csv`, and the crops that its rows name.

How a face is found, followed and cut is in `detection`, `tracking` and `clip`; who does which clips is in `workers`.
This module says what is to be done, and puts the results together: it remembers each clip that is done, so that a run
which was stopped, or to which new clips were added, goes on where it was.
"""

import csv
import logging
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from filelock import FileLock, Timeout
from tqdm.auto import tqdm

from torchfakes_utils.datasets.faceforensics import FAKE_METHODS, REAL_METHODS, with_reals
from torchfakes_utils.datasets.mini.config import MINI_FILE
from torchfakes_utils.errors import InputError
from torchfakes_utils.faces.clip import CROP_NAME, Group, Job
from torchfakes_utils.faces.config import DATA_KEY, DEFAULTS, EXTRACTION_FILE, EXTRACTION_FORMAT, ExtractionConfig
from torchfakes_utils.faces.films import films
from torchfakes_utils.faces.parts import Clip, Part, load_part, read_part
from torchfakes_utils.faces.workers import Workers, run_groups, threads_of_one_process
from torchfakes_utils.io import tables
from torchfakes_utils.io.files import atomic_write
from torchfakes_utils.io.folders import Stamp, claim, owned, sweep
from torchfakes_utils.io.names import components

logger = logging.getLogger(__name__)

# After so many clips, each of which ended in an error that nobody foresaw, no further one is tried.
_HOPELESS = 10

_LOCK_FILE = ".torchfakes-lock"  # so that nobody else's is emptied

# Fields that choose clips or hardware: they may differ between two runs into one folder. All others change the crops.
_FREE_FIELDS = ("compression", "methods", "device", "batch")

# Folders between a clip of Mini-FF++ and its data set's: original_sequences/youtube/c23/videos, and the set's own.
_FOLDERS_ABOVE = 5


@dataclass(frozen=True)
class ExtractionReport:
    """What an extraction came to: clips looked at, crops written in all, clips that gave none, seconds it took."""

    clips: int
    faces: int
    failures: int
    seconds: float


def extract_faces(
    root: Path | str,
    out: Path | str,
    config: ExtractionConfig = DEFAULTS,
    workers: Workers | int = 1,
    progress: bool = True,
    overwrite: bool = False,
) -> ExtractionReport:
    """Cut the faces out of a data set's clips.

    Writes `faces.csv`, `failures.csv` (the clips that gave no crop, and why), `extraction.json` (the configuration,
    and of which data set the crops are)
    and `crops/<method>/<compression>/<clip>/<frame>.png` into `out`. A second run does only what is not done yet: new
    clips, and clips whose file has changed since. Stopped at any point, even by `kill -9`, and started again, it ends
    with the very tables of a run that was left alone.

    Args:
        root: the data set's folder, with its `clips.csv`.
        out: the folder to write to.
        config: how to find and cut.
        workers: processes, or where else to work. Several bring something from hundreds of clips on.
        progress: show a bar, on a terminal and in a notebook.
        overwrite: start again, where `out` holds an extraction with another configuration.

    Raises:
        InputError: no usable `clips.csv`, nothing in it fits the configuration, `out` cannot be written to, is being
            written to by another run or holds crops that were cut otherwise, or not one face was found.
    """
    start = time.perf_counter()
    root, out = Path(root), Path(out)
    clips = select_clips(root, config)
    with _claimed(out, config, overwrite, data_of(root, clips)):
        workers = Workers(processes=workers) if isinstance(workers, int) else workers
        job = Job(root, out, config, decoders=0 if threads_of_one_process() == 1 else 1)
        unsaved = _run(_groups(job, clips), job, workers, len(clips), progress)
        edges, failures = _write_tables(out, clips, unsaved)
    if not edges:
        raise InputError(f"{root}: not one face in {len(clips)} clips; the reasons are in {out / 'failures.csv'}")
    _warn_of_enlarged(edges, config.size)
    return ExtractionReport(len(clips), len(edges), failures, round(time.perf_counter() - start, 3))


def _run(groups: list[Group], job: Job, workers: Workers, clips: int, progress: bool) -> dict[str, Part]:
    """Do the groups; give the parts of clips that are to be tried again next time, by path.

    Raises:
        InputError: one clip after the other ended in an error that nobody foresaw: it is not the clips.
    """
    unsaved: dict[str, Part] = {}
    faces, done, left = 0, 0, sum(len(group.todo) for group in groups)
    start = time.perf_counter()
    with tqdm(total=clips, initial=clips - left, unit="clip", disable=None if progress else True) as bar:
        for parts in run_groups(groups, job, workers):
            for part in parts:
                faces += len(part["faces"])
                if part["reason"].startswith("unexpected"):
                    unsaved[part["path"]] = part
            done += len(parts)
            if len(unsaved) == done and done >= min(clips, _HOPELESS):
                raise InputError(_hopeless(unsaved))
            bar.set_postfix_str(f"{faces / (time.perf_counter() - start):.0f} faces/s", refresh=False)
            bar.update(len(parts))
    return unsaved


def _hopeless(unsaved: dict[str, Part]) -> str:
    path, part = next(iter(unsaved.items()))
    reason = part["reason"].splitlines()[0]
    return f"{path}: {reason}; and so in every clip: update torchfakes and what it needs, or report this"


def select_clips(root: Path, config: ExtractionConfig) -> list[Clip]:
    """The rows of `clips.csv` that the configuration asks for.

    Raises:
        InputError: no usable `clips.csv`, or nothing in it fits.
    """
    if not (root / tables.CLIPS_FILE).is_file():
        raise InputError(f"{root}: holds no clips.csv; make it with `torchfakes clips {root}`")
    clips = tables.read_table(root / tables.CLIPS_FILE, tables.CLIP_COLUMNS)
    twice = clips.duplicated(tables.CLIP_KEY) | clips.duplicated("path")
    if twice.any():
        first = clips["path"][twice].iloc[0]
        raise InputError(f"{root / 'clips.csv'}: names {first} twice, or another by the same name; take one row out")
    # Of the whole table, so that a name does not depend on which of it is chosen.
    names = [clips[column].map(components(clips[column])) for column in tables.CLIP_KEY]
    clips = clips.assign(place=["/".join(parts) for parts in zip(*names, strict=True)])
    there = sorted(set(clips["compression"]), key=lambda name: (name != "c23", name))
    compression = config.compression or next(iter(there), "")
    if config.compression is None and len(there) > 1:
        logger.warning("of %d compressions only %r is taken; --compression takes another", len(there), compression)
    chosen = clips[clips["compression"] == compression]
    if config.methods is not None:
        chosen = chosen[chosen["method"].isin(_with_reals(config.methods, clips))]
    if chosen.empty:
        asked = ", ".join([compression or "any compression", *(config.methods or ())])
        held = ", ".join([*there, *sorted(set(clips["method"]))]) or "no clips"
        raise InputError(f"{root / 'clips.csv'}: no clips for {asked}; it holds {held}")
    rows: list[Clip] = chosen[chosen.columns.intersection([*tables.INDEX_COLUMNS, "place"])].to_dict("records")
    return rows


def data_of(root: Path, clips: Sequence[Clip]) -> dict[str, Any]:
    """What `extraction.json` says of the data set: its `name`, and whether it is `practice` data without real people.

    It is where one clip lies in Mini-FF++'s folder, wherever `clips.csv` lies: crops are often kept elsewhere, where
    nothing else tells of what they are.
    """
    folders = {(root / clip["path"]).resolve().parent for clip in clips}
    near = {place for folder in folders for place in (folder, *folder.parents[: _FOLDERS_ABOVE - 1])}
    return {"name": root.resolve().name, "practice": any((place / MINI_FILE).is_file() for place in near)}


def _with_reals(methods: Sequence[str], clips: pd.DataFrame) -> list[str]:
    """Some methods, and the real videos that belong to them: in other data sets than FaceForensics++, all there are."""
    if set(methods) & set(clips["method"]) <= set(FAKE_METHODS + REAL_METHODS):
        return with_reals(methods)
    return [*methods, *clips.loc[clips["label"] == 0, "method"].unique()]


def _groups(job: Job, clips: Sequence[Clip]) -> list[Group]:
    """What is left to do, original by original."""
    reals = [clip for clip in clips if clip["label"] == 0 and job.config.reuse]
    real = {(clip["compression"], clip["clip_id"]): clip for clip in reals}
    groups: dict[str, Group] = {}
    for clip in clips:
        original = real.get((clip["compression"], clip.get("original_id", ""))) if clip["label"] else clip
        if read_part(job.root, job.out, clip, original) is None:
            groups.setdefault((original or clip)["path"], Group(original, [])).todo.append(clip)
    return list(groups.values())


def _write_tables(out: Path, clips: Sequence[Clip], unsaved: dict[str, Part]) -> tuple[list[float], int]:
    """Put the parts together in the order of `clips.csv`; return the edge of each face's square, and the failures."""
    failures = 0
    edges: list[float] = []  # of the crops' squares, pixels of their frames
    film = films(pd.DataFrame(clips))
    with (
        _table(out / tables.FACES_FILE, tables.EXTRACTED_COLUMNS) as face_rows,
        _table(out / tables.FAILURES_FILE, tables.FAILURE_COLUMNS) as failure_rows,
    ):
        for clip, original in zip(clips, film, strict=True):
            part = unsaved.get(clip["path"]) or load_part(out, clip)
            face_rows.writerows(clip | {"original_id": original} | row for row in part["faces"])
            edges += [float(row["x2"]) - float(row["x1"]) for row in part["faces"]]
            if not part["faces"]:
                failure_rows.writerow(clip | {"reason": part["reason"]})
                failures += 1
    return edges, failures


def _warn_of_enlarged(edges: Sequence[float], size: int) -> None:
    """Say that most crops are stored larger than they were filmed, where somebody asked for large ones."""
    enlarged = int((np.array(edges) < size).sum())
    if size > DEFAULTS.size and 2 * enlarged > len(edges):
        logger.warning(
            "%d of %d crops are enlarged to %d px, which adds no detail: in their frames they have %d px (median)",
            enlarged, len(edges), size, np.median(edges),
        )  # fmt: skip


@contextmanager
def _table(path: Path, columns: Sequence[str]) -> Iterator["csv.DictWriter[str]"]:
    """A table that is written row by row, so that a large one needs no memory."""
    with atomic_write(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        yield writer


@contextmanager
def _claimed(out: Path, config: ExtractionConfig, overwrite: bool, data: dict[str, Any]) -> Iterator[None]:
    """Be the only one to write into `out`, and into crops that are cut in one way; what they are of is only noted."""
    stamp = Stamp(
        "crops", "torchfakes extract", EXTRACTION_FORMAT, EXTRACTION_FILE, asdict(config), free=_FREE_FIELDS,
        notes={DATA_KEY: data}, parts={".parts": re.compile(r".+\.json"), "crops": CROP_NAME}, remedy="--overwrite",
        writes=(tables.FACES_FILE, tables.FAILURES_FILE),
    )  # fmt: skip
    owned(out, stamp)
    try:
        out.mkdir(parents=True, exist_ok=True)
        # Held by the operating system for as long as the process lives: no run leaves it behind.
        lock = FileLock(out / _LOCK_FILE).acquire(timeout=0)
    except Timeout as error:
        text = f"{out}: another extraction is writing there; wait for it, or choose another folder"
        raise InputError(text) from error
    except OSError as error:
        raise InputError(f"{out}: cannot write there ({error.strerror}); choose another output folder") from error
    with lock:
        claim(out, stamp, overwrite)
        sweep(out / ".parts", below=True)
        yield
