"""The tables that flow between the stages, on disk and in pandas: `clips.csv`, `faces.csv`, `scores.csv`.

`label` is 1 for fake and 0 for real. Paths in a table are relative to the folder that holds the table.
"""

import os
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from torchfakes_utils.errors import InputError
from torchfakes_utils.io.files import atomic_write, check_no_link, check_replaceable, sha256_of
from torchfakes_utils.io.table_forms import first_line, read_rows, with_slashes

CLIPS_FILE, FACES_FILE, FAILURES_FILE = "clips.csv", "faces.csv", "failures.csv"

CLIP_COLUMNS = ["clip_id", "path", "label", "method", "compression", "target_id", "source_id", "split"]
# What the indexers write: also the clip_id of the real clip, in the same compression, whose frames a fake shows ("" for
# real clips and where it is not known). Tables without it are welcome; their fakes just share nothing.
INDEX_COLUMNS = [*CLIP_COLUMNS, "original_id"]
FACE_COLUMNS = [*CLIP_COLUMNS, "frame", "x1", "y1", "x2", "y2", "landmarks", "probability", "sharpness"]
# What `faces` writes beside them: the original (a real clip names itself here, see `faces.films`), where the box comes
# from ("detected", "interpolated" in a gap, or "reused" from the original), how much of the crop lies outside of the
# frame (per cent), and how it is stored (edge in px, file format, quality or "lossless").
EXTRACTED_COLUMNS = [*FACE_COLUMNS, "original_id", "found", "outside", "crop_size", "crop_format", "crop_quality"]
SCORE_COLUMNS = ["clip_id", "method", "compression", "split", "frame", "path", "label", "logit", "probability_fake"]
# What scoring writes beside them: who is in the clip ("" where it is not known), how far a crop lies from the faces of
# training, why it gets no answer ("" for those that do), and whose scores they are (the first digits of the SHA-256 of
# the weights).
SCORED_COLUMNS = [*SCORE_COLUMNS, "target_id", "source_id", "distance", "cannot_tell", "detector"]
FAILURE_COLUMNS = ["clip_id", "path", "label", "method", "compression", "split", "reason"]

# Which seconds of a clip are forged, where somebody knows: of a clip that is not in it, nobody does.
SEGMENTS_FILE, SEGMENT_COLUMNS = "segments.csv", ["method", "compression", "clip_id", "start_s", "end_s"]

# A clip's file name is shared by the four fakes of one pair and by every compression: only the three together
# name one video. Grouping by `clip_id` alone is a known mistake of the field.
CLIP_KEY = ["method", "compression", "clip_id"]

# Identifiers look like numbers ("000"); read as numbers they would lose their zeros.
TEXT_COLUMNS = [
    "clip_id", "path", "method", "compression", "target_id", "source_id", "split", "landmarks", "reason", "original_id",
    "found", "crop_format", "crop_quality", "cannot_tell", "detector",
]  # fmt: skip

NUMBER_COLUMNS = [
    "frame", "x1", "y1", "x2", "y2", "probability", "sharpness", "outside", "crop_size", "logit", "probability_fake",
    "distance", "start_s", "end_s",
]  # fmt: skip

# What people write instead of 0 and 1. True is fake, as 1 is.
_LABELS = {
    **dict.fromkeys(("0", "0.0", "0,0", "real", "false", "original", "genuine", "pristine"), 0),
    **dict.fromkeys(("1", "1.0", "1,0", "fake", "true", "deepfake", "manipulated"), 1),
}


def read_table(path: Path | str, columns: Sequence[str]) -> pd.DataFrame:
    """Read a table and check that it is what the next stage needs.

    However it is written (see `table_forms`): people make such tables by hand, and save ours with a spreadsheet.

    Args:
        columns: the columns that have to be there, such as `FACE_COLUMNS`; more are welcome.

    Returns:
        One row a line, identifiers as text, empty text as "", labels as 0 and 1.

    Raises:
        InputError: the file is absent, empty, not a CSV, lacks a column, or holds a label that is neither real nor
            fake, or a word where a number is wanted.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such table; make it with the stage before (see `torchfakes --help`)")
    known = {*columns, *TEXT_COLUMNS, *NUMBER_COLUMNS}
    text_types = dict.fromkeys(TEXT_COLUMNS, str)
    table, form = read_rows(path, known, dtype=text_types, keep_default_na=False)
    if missing := [name for name in columns if name not in table.columns]:
        plural = "s" * (len(missing) > 1)
        begins = f"it begins with {first_line(path, form)}"
        raise InputError(f"{path}: lacks the column{plural} {', '.join(missing)}; is it the right table? ({begins})")
    if "label" in table.columns:
        table = _with_labels(table, path)
    table = _with_numbers(table, path)
    for name in table.columns.intersection(TEXT_COLUMNS):
        text = table[name].fillna("")
        text = text.str.strip() if form.padded else text
        text = text.str.replace(",", ".", regex=False) if name == "landmarks" else text  # a spreadsheet's numbers
        table[name] = with_slashes(text, path.parent) if name == "path" else text
    for name in table.columns.intersection(["target_id", "source_id"]):
        table[name] = _whole_numbers(table[name])
    return table


def _whole_numbers(people: pd.Series) -> pd.Series:
    """Identifiers that a program has saved as numbers with a fraction, as whole ones: "12.0" is "12".

    pandas makes a column of numbers with gaps one of fractions: only reals lack a source, so that this would name other
    people than the targets.
    """
    known = people[people != ""]
    return people.str.removesuffix(".0") if len(known) and known.str.fullmatch(r"\d+\.0").all() else people


def labels_of(column: pd.Series) -> pd.Series:
    """0 for real and 1 for fake, from numbers and from the words for them; NaN for whatever else."""
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        return column.where(column.isin([0, 1]))
    return column.astype(str).str.strip().str.casefold().map(_LABELS)


def _with_labels(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    labels = labels_of(table["label"])
    if labels.isna().any():
        blank = (table.fillna("").astype(str) == "").all(axis=1)  # a spreadsheet leaves rows that were emptied
        if (labels.isna() & ~blank).any():
            wrong = table.loc[labels.isna() & ~blank, "label"].iloc[0]
            raise InputError(f"{path}: label {str(wrong)!r} found; labels are 1 for fake and 0 for real")
        table, labels = table[~blank].reset_index(drop=True), labels[~blank].reset_index(drop=True)
    return table.assign(label=labels.astype(int))


def _with_numbers(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Numbers as numbers, with a comma for a point where a spreadsheet has written them so."""
    for name in table.columns.intersection(NUMBER_COLUMNS):
        numbers, empty = table[name], table[name].isna()
        if not pd.api.types.is_numeric_dtype(numbers):
            words = table[name].astype(str).str.strip().str.replace(",", ".", regex=False)
            numbers, empty = pd.to_numeric(words, errors="coerce"), words.isin(["", "nan"])
        wrong = table[name][~np.isfinite(numbers.astype(float)) & ~empty]
        if len(wrong):
            raise InputError(f"{path}: {name} is {str(wrong.iloc[0])!r} in one row, and should be a number")
        table = table.assign(**{name: numbers})
    return table


def write_table(table: pd.DataFrame, path: Path | str, columns: Sequence[str] | None = None) -> Path:
    """Write `table` (its `columns`, in that order, when given) as CSV, whole or not at all; return the path.

    Raises:
        InputError: the folder cannot be written to, or the disk is full.
    """
    with atomic_write(path) as temporary:
        (table if columns is None else table[list(columns)]).to_csv(temporary, index=False, lineterminator="\n")
    return Path(path)


def check_table(path: Path | str, columns: Sequence[str]) -> None:
    """See that a table can be written, and that what is there is an earlier one of the same columns.

    Raises:
        InputError: somebody else's file, or no way to write there.
    """
    check_replaceable(path, re.compile(re.escape(",".join(columns)) + r"\r?\n"))


def write_index(clips: pd.DataFrame, root: Path, out: Path | str | None = None) -> Path:
    """Write the `INDEX_COLUMNS` of the clips of the data set in `root`, to which their paths are relative.

    Args:
        out: the table, whose path is returned; by default `clips.csv` in `root`.

    Raises:
        InputError: a file is there that is not as this function left it, such as a list of one's own or one with splits
            made by hand; or the folder cannot be written to, or the disk is full.
    """
    out = Path(out) if out else root / CLIPS_FILE
    if out.parent.resolve() != root.resolve():
        paths = [Path(os.path.relpath(root / path, out.parent)).as_posix() for path in clips["path"]]
        clips = clips.assign(path=paths)
    # What this function writes is known again by its digest, in the form that `sha256sum -c` takes.
    record = out.with_name(f".{out.name}.sha256")
    check_no_link(record)
    before = [sha256_of(out) if out.is_file() else ""] * os.path.lexists(out)
    with atomic_write(out) as temporary:
        clips[INDEX_COLUMNS].to_csv(temporary, index=False, lineterminator="\n")
        now = sha256_of(temporary)
        if not {*before} <= {now, _first_word(record)}:
            ours = "made or changed by hand, for it is not as `torchfakes clips` would leave it"
            raise InputError(f"{out}: {ours}; move it away, or give --out another name")
    with atomic_write(record) as temporary:
        temporary.write_text(f"{now}  {out.name}\n", encoding="utf-8")
    return out


def _first_word(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8").partition(" ")[0]
    except (OSError, ValueError):
        return None
