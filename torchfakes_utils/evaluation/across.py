"""One detector on several data sets: what it is worth where it has learned nothing, each set by itself.

A folder is listed and cut as its detector needs it, a table of crops is taken as it is. What was cut stays, so that
a second call, or another run on the same data, only scores.
"""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd

from torchfakes_utils.crops.scope import data_name
from torchfakes_utils.crops.table import load_faces_for
from torchfakes_utils.datasets.layouts import index_clips
from torchfakes_utils.errors import InputError
from torchfakes_utils.evaluation.config import Scoring
from torchfakes_utils.evaluation.scoring import score
from torchfakes_utils.faces.config import ExtractionConfig
from torchfakes_utils.faces.extraction import extract_faces
from torchfakes_utils.io.files import write_record
from torchfakes_utils.io.folders import STAMP_FILE, Stamp, claim, owned
from torchfakes_utils.io.names import components
from torchfakes_utils.io.tables import (
    CLIP_COLUMNS,
    CLIPS_FILE,
    FACES_FILE,
    INDEX_COLUMNS,
    SCORED_COLUMNS,
    read_table,
    write_index,
    write_table,
)
from torchfakes_utils.metrics.binary import binary_metrics, by_clip
from torchfakes_utils.metrics.intervals import with_intervals
from torchfakes_utils.metrics.people import same_source
from torchfakes_utils.models.detector import Detector, load_detector

logger = logging.getLogger(__name__)

TABLE_FILE, RECORD_FILE = "across.csv", "across.json"
# Instead of a split: every clip.
ALL = "all"

_STAMP = Stamp("a table across data sets", "torchfakes across", 1)


@dataclass(frozen=True)
class Row:
    """A detector on the clips of one data set, by clip and at its own threshold.

    Attributes:
        data: what the set is called.
        method: the fakes that count: "all", beside all reals, as papers count; or one kind, beside those of its source.
        auc, low, high: by clip, and the ends of the 95 % interval, by person where people are known.
        balanced_accuracy: at the detector's own threshold.
        always_fake: the accuracy of who calls everything fake.
        frame_auc: by crop.
        real_clips, fake_clips: how many; crops without a face are in none of these.
        drawn_by: person, target or clip: what the interval lets vary.
    """

    data: str
    method: str
    auc: float | None
    low: float | None
    high: float | None
    balanced_accuracy: float | None
    always_fake: float | None
    frame_auc: float | None
    real_clips: int
    fake_clips: int
    drawn_by: str


@dataclass(frozen=True)
class Across:
    """The table: rows set by set; and why a set is not in it, by name."""

    split: str
    threshold: float
    rows: list[Row]
    left_out: dict[str, str]


def across(
    run: Path | str,
    data: Sequence[Path],
    out: Path | str,
    split: str = "test",
    scoring: Scoring = Scoring(),
    workers: int = 1,
) -> Across:
    """Measure a run's best detector on other data sets.

    Args:
        run: a folder with a detector.
        data: of each set its folder, in a layout that `datasets.layouts` knows, or a table `faces.csv`.
        out: for `across.csv`, `across.json`, and for each set a folder with what was cut of it and its scores.
        split: of each set; "all" takes every clip.
        scoring: how crops are scored; `frames` is also how many of a clip are cut.
        workers: processes that cut.

    Raises:
        InputError: no detector, other things in `out`, or none of the sets can be used.
    """
    out, detector = Path(out), load_detector(run)
    owned(out, _STAMP)
    names = _names(data)
    places = components(names, (TABLE_FILE, RECORD_FILE, STAMP_FILE))
    claim(out, _STAMP)
    rows, left_out = list[Row](), dict[str, str]()
    for name, path in zip(names, data, strict=True):
        try:
            place = out / places[name]
            table = path if path.is_file() else _cut(path, place / split, detector, split, scoring, workers)
            faces = load_faces_for(detector, table, None if split == ALL else split, scoring.frames)
            scores = score(detector, faces, scoring)
            place.mkdir(exist_ok=True)
            write_table(scores, place / "scores.csv", SCORED_COLUMNS)
        except InputError as error:
            if len(data) == 1:
                raise
            left_out[name] = str(error)
            logger.warning("%s: left out (%s)", name, error)
            continue
        rows += _rows(name, scores, detector.decision.threshold)
    if not rows:
        raise InputError(f"none of the data sets can be used: {next(iter(left_out.values()))}")
    found = Across(split, detector.decision.threshold, rows, left_out)
    write_table(pd.DataFrame(rows), out / TABLE_FILE)
    write_record(out / RECORD_FILE, asdict(found))
    return found


def _names(data: Sequence[Path]) -> list[str]:
    """What the sets are called; of several of one name, the second and third are numbered."""
    names = [data_name(path) if path.is_file() else path.resolve().name for path in data]
    counted: Counter[str] = Counter()
    for place, name in enumerate(names):
        counted[name] += 1
        names[place] = name if counted[name] == 1 else f"{name} ({counted[name]})"
    return names


def _cut(root: Path, place: Path, detector: Detector, split: str, scoring: Scoring, workers: int) -> Path:
    """List a data set and cut the clips that are asked for, as the detector was trained: the table of crops.

    Raises:
        InputError: it is no data set, has no such clips, or shows no face.
    """
    place.mkdir(parents=True, exist_ok=True)
    whole = root / CLIPS_FILE
    if not whole.is_file():
        whole = index_clips(root, place.parent / CLIPS_FILE)
    clips = read_table(whole, CLIP_COLUMNS).reindex(columns=INDEX_COLUMNS).fillna("")
    chosen = clips if split == ALL else clips[clips["split"] == split]
    if chosen.empty:
        there = ", ".join(f"{name or '(none)'} {count}" for name, count in clips["split"].value_counts().items())
        raise InputError(f"{root}: no clips in split {split!r} (it holds: {there}); --split {ALL} takes every one")
    write_index(chosen, whole.parent, place / CLIPS_FILE)
    wanted = detector.preprocessing
    config = ExtractionConfig(crop_scale=wanted.crop_scale, size=wanted.crop_size)
    if scoring.frames is not None:
        config = ExtractionConfig(frames=scoring.frames, crop_scale=wanted.crop_scale, size=wanted.crop_size)
    extract_faces(place, place / "faces", config, workers, progress=scoring.progress)
    return place / "faces" / FACES_FILE


def _rows(name: str, scores: pd.DataFrame, threshold: float) -> list[Row]:
    """All fakes of a set, and where there are several kinds, each."""
    methods = sorted(scores.loc[scores["label"] == 1, "method"].unique())
    kinds = {ALL: methods} | ({method: [method] for method in methods} if len(methods) > 1 else {})
    return [_row(name, kind, chosen, scores, threshold) for kind, chosen in kinds.items()]


def _row(name: str, kind: str, methods: list[str], scores: pd.DataFrame, threshold: float) -> Row:
    fakes, reals = scores[scores["method"].isin(methods) & (scores["label"] == 1)], scores[scores["label"] == 0]
    beside = reals if kind == ALL else reals[same_source(fakes, reals)]
    some = pd.concat([fakes, beside], ignore_index=True)
    measured = with_intervals(by_clip(some), threshold)
    low, high = measured["auc_interval"] or (None, None)
    frame = binary_metrics(some["label"], some["probability_fake"])["auc"]
    counts = measured["n_real"], measured["n_fake"]
    always = measured["always_fake_accuracy"]
    return Row(
        name, kind, measured["auc"], low, high, measured["balanced_accuracy"], always, frame, *counts,
        measured["drawn_by"],
    )  # fmt: skip


def lines(found: Across) -> list[str]:
    """The table for people."""
    head = ("data", "fakes", "AUC by clip", "95 % interval", "balanced", "always “fake”", "real", "fake")
    cells = [head, *(_cells(row) for row in found.rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]


def _cells(row: Row) -> tuple[str, ...]:
    between = "–" if row.low is None or row.high is None else f"{row.low:.3f} to {row.high:.3f} by {row.drawn_by}"
    numbers = [_number(row.auc), between, _number(row.balanced_accuracy), _number(row.always_fake)]
    return row.data, row.method, *numbers, str(row.real_clips), str(row.fake_clips)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
