"""Does what is learned from some manipulations help against others? Train on each alone, or on all but each.

The runs stay in their folders: a second call trains what is missing, and goes on where a run was stopped.
"""

import logging
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import pandas as pd

from torchfakes_utils.crops.table import limit_frames, load_faces
from torchfakes_utils.errors import InputError
from torchfakes_utils.evaluation.config import Scoring
from torchfakes_utils.evaluation.scoring import score
from torchfakes_utils.io.files import write_record
from torchfakes_utils.io.folders import STAMP_FILE, Stamp, claim, owned
from torchfakes_utils.io.machine import torch_device
from torchfakes_utils.io.names import components
from torchfakes_utils.io.tables import write_table
from torchfakes_utils.metrics.binary import by_clip
from torchfakes_utils.metrics.intervals import with_intervals
from torchfakes_utils.metrics.people import same_source
from torchfakes_utils.models.detector import load_detector
from torchfakes_utils.models.run_files import STATE_FILE
from torchfakes_utils.training.config import TrainingConfig
from torchfakes_utils.training.data import load_crops
from torchfakes_utils.training.distributed import World
from torchfakes_utils.training.learner import check_start
from torchfakes_utils.training.patience import ask_patience
from torchfakes_utils.training.run import train

logger = logging.getLogger(__name__)

TABLE_FILE, RECORD_FILE = "matrix.csv", "matrix.json"

# How a row is called, and its run's folder, that is trained on all manipulations but one.
_ALL_BUT = "all but "

_STAMP = Stamp("a matrix", "torchfakes matrix", 1)


@dataclass(frozen=True)
class Cell:
    """A detector of one manipulation, or of "all but" one, on another's clips, by clip and at its own threshold.

    The real clips are those of the tested manipulation's own data source (`metrics.people.same_source`). The
    AUC comes with the ends of its 95 % interval; what cannot be computed is None.
    """

    trained_on: str
    tested_on: str
    auc: float | None
    low: float | None
    high: float | None
    balanced_accuracy: float | None
    real_clips: int
    fake_clips: int


@dataclass(frozen=True)
class Matrix:
    """Every detector on every manipulation: a row a pair, tested on the clips of one split."""

    split: str
    methods: list[str]
    rows: list[Cell]
    left_out: bool = False  # each detector has learned from all manipulations but one
    self_blended: float = 0.0  # share of the fakes it has learned from that were self-blended


def matrix(
    faces_csv: Path | str,
    out: Path | str,
    config: TrainingConfig = TrainingConfig(),
    split: str = "test",
    scoring: Scoring = Scoring(),
    most_hours: float | None = None,
    leave_out: bool = False,
) -> Matrix:
    """Train on each manipulation of a table alone, and measure every detector on every manipulation.

    Args:
        faces_csv: the table of crops.
        out: a run folder for each manipulation, `matrix.csv` and `matrix.json`; new, or made by this function.
        config: how to train; its `methods` choose the manipulations, None takes all of the table.
        split: which rows are tested on.
        scoring: how they are scored.
        most_hours: on a CPU, how long all runs together may take that are begun; None asks nobody.
        leave_out: train on all manipulations but each, instead of each alone: what a detector is worth against what it
            has not seen is then the diagonal.

    Raises:
        InputError: fewer than two manipulations, other things in `out`, it would take too long, or what
            `training.run.train` and `scoring.score` raise.
    """
    faces_csv, out = Path(faces_csv), Path(out)
    table = load_faces(faces_csv)
    known = sorted(table.loc[table["label"] == 1, "method"].unique())
    methods = tuple(dict.fromkeys(config.methods or known))
    if unknown := [name for name in methods if name not in known]:
        raise InputError(f"no fakes of the method {unknown[0]!r} in the table; there are {', '.join(known) or 'none'}")
    if len(methods) < 2:
        there = ", ".join(methods) or "none"
        raise InputError(f"{faces_csv}: a matrix takes two manipulations or more; there are {there}")
    owned(out, _STAMP)
    trained_on = {name: (name,) for name in methods}
    if leave_out:
        trained_on = {f"{_ALL_BUT}{name}": tuple(one for one in methods if one != name) for name in methods}
    names = components({*table["method"], *methods, *trained_on}, (TABLE_FILE, RECORD_FILE, STAMP_FILE))
    faces = load_faces(faces_csv, split)
    faces = faces[(faces["label"] == 0) | faces["method"].isin(methods)].reset_index(drop=True)
    runs = {out / names[name]: replace(config, methods=chosen) for name, chosen in trained_on.items()}
    world = World(1, 0, torch_device(config.device))
    crops, preprocessing = load_crops(faces_csv, config)
    faces = faces[faces["path"].isin(crops["path"])].reset_index(drop=True)  # without those that are far too small
    faces = faces if scoring.frames is None else limit_frames(faces, scoring.frames)
    if not all((run / STATE_FILE).exists() for run in runs):
        check_start(config, preprocessing)
    ask_patience(crops, preprocessing, runs, world, most_hours, print if scoring.progress else logger.info)
    claim(out, _STAMP)
    rows: list[Cell] = []
    for name, (run, one) in zip(trained_on, runs.items(), strict=True):
        logger.info("training on %s", name)
        detector = load_detector(train(faces_csv, run, one, progress=scoring.progress).run)
        clips = by_clip(score(detector, faces, scoring))
        rows += [_cell(name, tested, clips, detector.decision.threshold) for tested in methods]
    found = Matrix(split, list(methods), rows, leave_out, config.self_blended)
    write_table(pd.DataFrame(rows), out / TABLE_FILE)
    write_record(out / RECORD_FILE, asdict(found))
    return found


def _cell(trained: str, tested: str, clips: pd.DataFrame, threshold: float) -> Cell:
    fakes, reals = clips[(clips["label"] == 1) & (clips["method"] == tested)], clips[clips["label"] == 0]
    measured = with_intervals(pd.concat([fakes, reals[same_source(fakes, reals)]], ignore_index=True), threshold)
    low, high = measured["auc_interval"] or (None, None)
    counts = measured["n_real"], measured["n_fake"]
    return Cell(trained, tested, measured["auc"], low, high, measured["balanced_accuracy"], *counts)


def lines(found: Matrix) -> list[str]:
    """The matrix for people: a line a detector, a column a manipulation."""
    trained = list(dict.fromkeys(row.trained_on for row in found.rows))
    width = max(map(len, (*trained, *found.methods))) + 2
    aucs = {(row.trained_on, row.tested_on): "–" if row.auc is None else f"{row.auc:.3f}" for row in found.rows}
    table = [["", *found.methods], *([one, *(aucs[one, other] for other in found.methods)] for one in trained)]
    rows = [f"{name:<{width}}" + "".join(f"{cell:>{width}}" for cell in cells) for name, *cells in table]
    blends = f", {found.self_blended:.0%} of the fakes self-blended" if found.self_blended else ""
    return [f"AUC by clip; rows: trained on{blends}, columns: tested on", *rows]
