"""How somebody's table is written: its encoding, what stands between the columns, where its header is.

Spreadsheets write what their country and their menu say. What can be known is read; the rest is refused in one line,
and no value ever moves into another column.
"""

import contextlib
import csv
import io
import logging
import re
from collections.abc import Collection
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from torchfakes_utils.errors import InputError

logger = logging.getLogger(__name__)

_SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}

# By their first bytes: what is called .csv and holds no text.
_NO_TEXT = {
    b"PK\x03\x04": "a spreadsheet's workbook or an archive, not a table in CSV format; save it as CSV",
    b"\xd0\xcf\x11\xe0": "a spreadsheet's workbook, not a table in CSV format; save it as CSV",
    b"\x1f\x8b": "compressed; unpack it",
    b"PAR1": "in Parquet format; save it as CSV",
}
_HEAD = 1 << 16  # bytes in which a header ends


@dataclass(frozen=True)
class Form:
    """How a table is written.

    Attributes:
        encoding: by Python's name.
        separator: between columns.
        before: lines before the header.
        names: of the columns, each once; the known ones as we write them.
        padded: there are blanks round the names, and so round the values.
    """

    encoding: str
    separator: str
    before: int
    names: list[str]
    padded: bool


def read_rows(path: Path, known: Collection[str], **settings: Any) -> tuple[pd.DataFrame, Form]:
    """Read a table, however it is written.

    Args:
        path: a file.
        known: names of columns by which the separator is found, in whatever case and between whatever blanks.
        settings: of `pandas.read_csv`.

    Raises:
        InputError: it is no text, or a row has more fields than the header has names.
    """
    form = form_of(path, known)
    with contextlib.suppress(UnicodeDecodeError):
        return _read(path, form, known, settings), form
    damaged = InputError(f"{path}: not a table in CSV format that can be read; save it as CSV in UTF-8")
    if form.encoding != "utf-8-sig":  # half of a letter of UTF-16
        raise damaged
    form = form_of(path, known, "cp1252")
    try:
        table = _read(path, form, known, settings)
    except UnicodeDecodeError as error:
        raise damaged from error
    logger.warning("%s: not in UTF-8, and read as Windows-1252; save it as UTF-8 if names look odd", path)
    return table, form


def form_of(path: Path, known: Collection[str], encoding: str | None = None) -> Form:
    """How a table is written, from how it begins.

    Raises:
        InputError: it cannot be read, is empty or no text, or a known column is there twice.
    """
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    for start, what in _NO_TEXT.items():
        if head.startswith(start):
            raise InputError(f"{path}: {what}")
    encoding = encoding or _encoding(head)
    lines = re.split(r"\r\n|\r|\n", head.decode(encoding, errors="replace"))
    before, separators = 0, list(_SEPARATORS)
    while before < len(lines) and (not lines[before].strip() or _is_hint(lines[before])):
        if _is_hint(lines[before]):
            separators.insert(0, lines[before].strip("\ufeff")[4])
        before += 1
    if before == len(lines):
        raise InputError(f"{path}: not a table in CSV format (it is empty)")
    text = "\n".join(lines[before:])
    splits = {separator: _fields(text, separator) for separator in separators}
    by_name = {name.casefold(): name for name in known}

    def likely(separator: str) -> tuple[int, int]:
        return sum(name.strip().casefold() in by_name for name in splits[separator]), len(splits[separator])

    separator = max(separators, key=likely)
    raw = splits[separator]
    names = [by_name.get(name.strip().casefold(), name.strip()) for name in raw]
    if twice := sorted({name for name in names if name in known and names.count(name) > 1}):
        raise InputError(f"{path}: has the column {twice[0]} twice; rename one of them")
    # Of others that have no name, or share one, the place is the name.
    names = [name if name and names.count(name) == 1 else f"column {place}" for place, name in enumerate(names, 1)]
    return Form(encoding, separator, before, names, any(name != name.strip() for name in raw))


def first_line(path: Path, form: Form) -> str:
    """The header as it stands there, for a message."""
    with path.open(encoding=form.encoding, errors="replace") as file:
        lines = [line for line, _ in zip(file, range(form.before + 1), strict=False)]
    return repr(lines[-1].strip()[:60])


def with_slashes(paths: pd.Series, folder: Path) -> pd.Series:
    """Paths as they are written here: a backslash, where there is no file of such a name, is Windows's slash."""
    foreign = paths.str.contains("\\", regex=False)
    if not foreign.any():
        return paths
    there = [is_foreign and (folder / path).exists() for path, is_foreign in zip(paths, foreign, strict=True)]
    return paths.where(there, paths.str.replace("\\", "/", regex=False))


def _is_hint(line: str) -> bool:
    """A first line that tells a spreadsheet the separator."""
    return re.fullmatch(r"sep=.", line.strip("\ufeff").rstrip(" ").casefold()) is not None


def _encoding(head: bytes) -> str:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    # A table begins with a letter or a quotation mark, half of which is zero in UTF-16.
    if head[1:2] == b"\0":
        return "utf-16-le"
    if head[:1] == b"\0":
        return "utf-16-be"
    return "utf-8-sig"


def _fields(text: str, separator: str) -> list[str]:
    try:
        return next(csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=False))
    except (csv.Error, StopIteration):
        return [text]


def _read(path: Path, form: Form, known: Collection[str], settings: dict[str, Any]) -> pd.DataFrame:
    # pandas measures rows by the first, and drops the last values of all where that one is too long.
    if set(form.names) & set(known):
        _refuse_long_rows(path, form, 1)
    else:  # this is no header, and what it lacks is to be said
        settings = settings | {"nrows": 0}
    try:
        return pd.read_csv(
            path, encoding=form.encoding, sep=form.separator, skiprows=form.before, header=0, names=form.names,
            index_col=False, skipinitialspace=form.padded, compression=None, **settings,
        )  # fmt: skip
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        _refuse_long_rows(path, form)
        why = str(error).strip().splitlines()[0].removeprefix("Error tokenizing data. C error: ")
        if "EOF inside string" in why:
            why = "a quotation mark is opened and never closed"
        raise InputError(f"{path}: not a table in CSV format ({why})") from error


def _refuse_long_rows(path: Path, form: Form, most: int | None = None) -> None:
    """Name the first row (of the first `most`) with more values than columns: which is whose, nobody can know."""
    with path.open(encoding=form.encoding, newline="") as file:
        for _ in range(form.before):
            next(file)
        rows = csv.reader(file, delimiter=form.separator, skipinitialspace=form.padded)
        try:
            for row in islice(filter(None, rows), 1, None if most is None else 1 + most):
                if len(row) > len(form.names):
                    mark = _SEPARATORS.get(form.separator, "separator")
                    raise InputError(
                        f"{path}: line {form.before + rows.line_num} has {len(row)} values for {len(form.names)} "
                        f"columns; put quotes round a value that holds a {mark}"
                    )
        except csv.Error as error:
            raise InputError(f"{path}: not a table in CSV format (line {rows.line_num}: {error})") from error


def lines_of(rows: pd.DataFrame, form: Form) -> list[int]:
    """The line of the file on which each row begins, of a table read with all its lines (`skip_blank_lines=False`)."""
    within = sum(rows[name].str.count("\n").to_numpy() for name in rows.columns)  # of values in quotes
    lines: list[int] = (form.before + 2 + np.arange(len(rows)) + np.cumsum(within) - within).tolist()
    return lines
