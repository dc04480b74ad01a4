"""The tables that flow between the stages, on disk and in pandas: `clips.csv`, `faces.csv`, `scores.csv`.

`label` is 1 for fake and 0 for real. Paths in a table are relative to the folder that holds the table.
"""

import os
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from torchfakes_utils.errors import InputError
from torchfakes_utils.io.files import atomic_write

CLIPS_FILE, FACES_FILE, FAILURES_FILE = "clips.csv", "faces.csv", "failures.csv"

CLIP_COLUMNS = ["clip_id", "path", "label", "method", "compression", "target_id", "source_id", "split"]
# What the indexers write: also the clip_id of the real clip, in the same compression, whose frames a fake shows ("" for
# real clips and where it is not known). Tables without it are welcome; their fakes just share nothing.
INDEX_COLUMNS = [*CLIP_COLUMNS, "original_id"]
FACE_COLUMNS = [*CLIP_COLUMNS, "frame", "x1", "y1", "x2", "y2", "landmarks", "probability", "sharpness"]
# What `faces` writes beside them: where the box comes from ("detected", "interpolated" in a gap, or "reused" from the
# original), and how the crop is stored (edge in px, file format, quality or "lossless").
EXTRACTED_COLUMNS = [*FACE_COLUMNS, "found", "crop_size", "crop_format", "crop_quality"]
SCORE_COLUMNS = ["clip_id", "method", "compression", "split", "frame", "path", "label", "logit", "probability_fake"]
# What scoring writes beside them: why a crop gets no answer ("" for those that do), and whose scores they are (the
# first digits of the SHA-256 of the weights).
SCORED_COLUMNS = [*SCORE_COLUMNS, "cannot_tell", "detector"]
FAILURE_COLUMNS = ["clip_id", "path", "label", "method", "compression", "split", "reason"]

# A clip's file name is shared by the four fakes of one pair and by every compression: only the three together
# name one video. Grouping by `clip_id` alone is a known mistake of the field.
CLIP_KEY = ["method", "compression", "clip_id"]

# Identifiers look like numbers ("000"); read as numbers they would lose their zeros.
TEXT_COLUMNS = [
    "clip_id", "path", "method", "compression", "target_id", "source_id", "split", "landmarks", "reason", "original_id",
    "found", "crop_format", "crop_quality", "cannot_tell", "detector",
]  # fmt: skip


def read_table(path: Path | str, columns: Sequence[str]) -> pd.DataFrame:
    """Read a table and check that it is what the next stage needs.

    Args:
        columns: the columns that have to be there, such as `FACE_COLUMNS`; more are welcome.

    Returns:
        One row a line, identifiers as text, empty text as "".

    Raises:
        InputError: the file is absent, empty, not a CSV, lacks a column, or holds a label other than 0 and 1.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such table; make it with the stage before (see `torchfakes --help`)")
    try:
        table = pd.read_csv(path, dtype=dict.fromkeys(TEXT_COLUMNS, str), keep_default_na=False, na_values={"": ""})
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a table in CSV format ({str(error).strip().splitlines()[0]})") from error
    if missing := [name for name in columns if name not in table.columns]:
        plural = "s" * (len(missing) > 1)
        raise InputError(f"{path}: lacks the column{plural} {', '.join(missing)}; is it the right table?")
    if "label" in table.columns and not table["label"].isin([0, 1]).all():
        wrong = table.loc[~table["label"].isin([0, 1]), "label"].iloc[0]
        raise InputError(f"{path}: label {wrong!r} found; labels are 1 for fake and 0 for real")
    text = [name for name in TEXT_COLUMNS if name in table.columns]
    table[text] = table[text].fillna("")
    return table


def write_table(table: pd.DataFrame, path: Path | str, columns: Sequence[str] | None = None) -> Path:
    """Write `table` (its `columns`, in that order, when given) as CSV, whole or not at all; return the path.

    Raises:
        InputError: the folder cannot be written to, or the disk is full.
    """
    with atomic_write(path) as temporary:
        (table if columns is None else table[list(columns)]).to_csv(temporary, index=False, lineterminator="\n")
    return Path(path)


def write_index(clips: pd.DataFrame, root: Path, out: Path | str | None = None) -> Path:
    """Write the `INDEX_COLUMNS` of the clips of the data set in `root`, to which their paths are relative.

    Args:
        out: the table, whose path is returned; by default `clips.csv` in `root`.

    Raises:
        InputError: the folder cannot be written to, or the disk is full.
    """
    out = Path(out) if out else root / CLIPS_FILE
    if out.parent.resolve() != root.resolve():
        paths = [Path(os.path.relpath(root / path, out.parent)).as_posix() for path in clips["path"]]
        clips = clips.assign(path=paths)
    return write_table(clips, out, INDEX_COLUMNS)
