"""The way into `clips.csv` for what somebody lists in a table of their own: films, photos, folders of frames."""

import logging
import os
from pathlib import Path

import pandas as pd

from torchfakes_utils.datasets.dealing import SPLITS, dealt, warn_of_copies, warn_of_sides
from torchfakes_utils.errors import InputError
from torchfakes_utils.io.table_forms import first_line, lines_of, read_rows, with_slashes
from torchfakes_utils.io.tables import CLIP_KEY, INDEX_COLUMNS, labels_of, write_index

logger = logging.getLogger(__name__)

UNKNOWN = "unknown"

# What people call the sides.
SPLIT_WORDS = {
    **{name: name for name in SPLITS}, "": "", "training": "train", "valid": "val", "validation": "val", "dev": "val",
    "testing": "test",
}  # fmt: skip

_NAMED = 3  # bad rows that are named, of many


def write_from_csv(csv: Path | str, out: Path | str) -> Path:
    """Turn a table of one's own into `clips.csv`, see `from_csv`; in both, paths are relative to the table's folder."""
    if Path(csv).is_file() and Path(out).exists() and Path(out).samefile(csv):
        raise InputError(f"{out}: is the table that is read, and would be lost; give --out another name")
    clips = from_csv(csv)
    warn_of_sides(clips, Path(csv))
    warn_of_copies(clips, Path(csv).parent)
    return write_index(clips, Path(csv).parent, out)


def from_csv(csv: Path | str) -> pd.DataFrame:
    """Read a table that describes films, photos and folders of frames in any layout.

    However it is written: with commas, semicolons, tabs or bars, in UTF-8, UTF-16 or Windows-1252, with slashes or
    backslashes. `path` (relative to the table's folder) and `label` (1 or FAKE, 0 or REAL) have to be there. These may
    be:

    - `clip_id` (else the file's name without its ending), `method` (else "fake" or "real"), `compression` (else
      "unknown"): the three together name one clip;
    - `target_id`, `source_id`: who is seen, and whose face or expression it is. Else each clip is its own target;
    - `original_id`: the `clip_id` of the real clip whose frames a fake shows;
    - `split`: train, val, test or empty. Else people (and originals) are dealt out, 72/14/14, so that nobody is on two
      sides.

    Returns:
        The columns `INDEX_COLUMNS`. A clip that is not there is kept, and counted in a warning: extraction names it.

    Raises:
        InputError: the table is absent or no CSV, lacks a column, names nothing that is there, contradicts itself, or
            has rows that cannot be used; they are named by their lines.
    """
    csv = Path(csv)
    if not csv.is_file():
        raise InputError(f"{csv}: no such table")
    given = _read(csv)
    labels = labels_of(given["label"])
    _refuse(csv, labels.isna(), "label is neither 1 or FAKE nor 0 or REAL")
    given = given.assign(label=labels.astype(int), path=with_slashes(given["path"], csv.parent))
    _refuse(csv, given["path"] == "", "path is empty")
    if "split" in given:
        splits = given["split"].str.casefold().map(SPLIT_WORDS)
        _refuse(csv, splits.isna(), f"split is none of {', '.join(SPLITS)}")
        given = given.assign(split=splits)
    _refuse_contradictions(csv, given)
    clips = _completed(given, csv.parent)
    taken = "method, compression and clip_id are taken; give each clip a name, or for frames the folder that holds them"
    _refuse(csv, clips.duplicated(CLIP_KEY), taken)
    clips = clips.reset_index(drop=True)
    return clips if "split" in given else clips.assign(split=dealt(clips))


def _read(csv: Path) -> pd.DataFrame:
    """The rows as text, each with its line as index."""
    rows, form = read_rows(csv, INDEX_COLUMNS, dtype=str, keep_default_na=False, skip_blank_lines=False)
    if missing := [name for name in ("path", "label") if name not in rows.columns]:
        wanted = "it needs path and label (1 fake, 0 real), each the name of a column"
        begins = f"it begins with {first_line(csv, form)}"
        raise InputError(f"{csv}: lacks the column {' and '.join(missing)}; {wanted} ({begins})")
    rows = rows.fillna("")
    rows.index = pd.Index(lines_of(rows, form))
    rows = rows.apply(lambda column: column.str.strip())
    rows = rows[(rows != "").any(axis=1)]
    if rows.empty:
        raise InputError(f"{csv}: holds no rows")
    return rows


def _refuse(csv: Path, bad: pd.Series, reason: str) -> None:
    if bad.any():
        lines = [str(line) for line in bad.index[bad]]
        more = f" and {len(lines) - _NAMED} more" if len(lines) > _NAMED else ""
        raise InputError(f"{csv}: line {', '.join(lines[:_NAMED])}{more}: {reason}")


def _refuse_contradictions(csv: Path, given: pd.DataFrame) -> None:
    """One film twice, under whatever names; and nothing there at all."""
    paths = given["path"].map(lambda path: os.path.abspath(csv.parent / path))  # noqa: PTH100 - links stay, dots go
    files = paths.map(_file)
    absent = files.isna()
    if absent.all():
        raise InputError(f"{csv}: none of its {len(given)} clips is there, such as {paths.iloc[0]}")
    if absent.any():
        first = given["path"][absent].iloc[0]
        logger.warning("%s: %d of %d videos are not there, such as %s", csv, absent.sum(), len(given), first)
    files = files.where(~absent, paths).astype(str)
    both = given.groupby(files)["label"].transform("nunique") > 1
    _refuse(csv, both, "one film under both labels, real and fake")
    _refuse(csv, files.duplicated(), "this film is listed before")


def _file(path: str) -> str | None:
    """Which file a path leads to, by whatever links; None where there is none."""
    try:
        found = Path(path).stat()
    except (OSError, ValueError):  # a ValueError: a null byte in the name
        return None
    return f"{found.st_dev} {found.st_ino}" if found.st_ino else path


def _completed(given: pd.DataFrame, folder: Path) -> pd.DataFrame:
    """The optional columns, filled in where they are absent or empty."""
    names = given["path"].map(lambda path: Path(path).name if (folder / path).is_dir() else Path(path).stem)
    clips = given.reindex(columns=INDEX_COLUMNS, fill_value="")
    methods = given["label"].map({0: "real", 1: "fake"})
    for name, default in {"clip_id": names, "method": methods, "compression": UNKNOWN}.items():
        clips[name] = clips[name].where(clips[name] != "", default)
    film = clips["original_id"].where(clips["original_id"] != "", clips["clip_id"])
    clips["target_id"] = clips["target_id"].where(clips["target_id"] != "", film)
    return clips
