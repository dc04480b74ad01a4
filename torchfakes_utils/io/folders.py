"""Folders that a command fills: whose they are, and what in them may be removed.

A folder is ours where it holds our stamp: a JSON file that says which command made what lies there, in which format and
with which settings. Nothing is written into a folder that holds other things, and nothing is removed but what a stamp
speaks for and what a killed run of ours was writing.
"""

import contextlib
import json
import os
import re
import shutil
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torchfakes_utils.errors import InputError
from torchfakes_utils.io.files import TEMPORARY, check_format, describe_errors, write_record

# The stamp of a folder that is replaced as a whole.
STAMP_FILE = "torchfakes.json"


@dataclass(frozen=True)
class Stamp:
    """What makes the content of a folder what it is.

    Attributes:
        kind: what such a folder holds, for people: "a run".
        maker: the command that makes it: "torchfakes train".
        version: of what lies in the folder; raised when this program could not go on with what an earlier one left.
        file: the name of the stamp in the folder.
        settings: what JSON can hold; written into the stamp, and compared with those of one that is there.
        free: names of settings that may differ.
        notes: what else is written into the stamp.
        parts: folders in it whose files go when its content is begun anew with other settings, and what these are
            called: others that lie there stay.
        wording: how people call a setting that differs, where name and value would tell them nothing.
        remedy: what can be done beside choosing another folder.
    """

    kind: str
    maker: str
    version: int
    file: str = STAMP_FILE
    settings: Mapping[str, Any] = field(default_factory=dict)
    free: Collection[str] = ()
    notes: Mapping[str, Any] = field(default_factory=dict)
    parts: Mapping[str, re.Pattern[str]] = field(default_factory=dict)
    wording: Mapping[str, str] = field(default_factory=dict)
    remedy: str = "delete this one"

    def to_json(self) -> dict[str, Any]:
        """What is in the file."""
        return {"made_by": self.maker, "format": self.version, **self.settings, **self.notes}


def owned(folder: Path | str, stamp: Stamp, welcome: Collection[str] = ()) -> dict[str, Any] | None:
    """What a folder's stamp says; None of a folder that nobody has used yet.

    Args:
        folder: that a command is to fill. Hidden files in it count for nothing, and stay.
        stamp: by which it would be ours; its settings are not compared.
        welcome: names that may be there before.

    Raises:
        InputError: a file, other things in the folder, or a stamp that cannot be read.
    """
    folder = Path(folder)
    path = folder / stamp.file
    if not path.exists():
        if folder.exists() and not folder.is_dir():
            raise InputError(f"{folder}: a file; choose another folder")
        names = (path.name for path in folder.iterdir()) if folder.is_dir() else ()
        if any((not name.startswith(".") or name in stamp.parts) and name not in welcome for name in names):
            raise InputError(f"{folder}: holds other things than {stamp.kind}; choose another folder")
        return None
    try:
        there = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error}); choose another folder, or delete this one") from error
    if not isinstance(there, dict) or there.get("made_by") != stamp.maker:
        raise InputError(f"{folder}: holds other things than {stamp.kind}; choose another folder")
    return there


def claim(folder: Path | str, stamp: Stamp, overwrite: bool = False) -> None:
    """Make a folder ours, or find that it is, and clear up what a killed run was writing in it.

    Args:
        folder: to be filled; made if need be.
        overwrite: where it holds the same kind of thing with other settings, remove `stamp.parts` and begin anew.

    Raises:
        InputError: it holds other things, or the same with other settings or in another format, or cannot be written.
    """
    folder = Path(folder)
    there = owned(folder, stamp)
    if there is not None:
        changed = _changed(there, stamp)
        if not overwrite:
            check_format(there, folder / stamp.file, stamp.maker, stamp.version)
            if changed:
                named = ", ".join(stamp.wording.get(name, difference) for name, difference in changed.items())
                raise InputError(f"{folder}: holds {stamp.kind} with {named}; choose another folder, or {stamp.remedy}")
        sweep(folder)
        if there.get("format") != stamp.version or changed:
            for name, ours in stamp.parts.items():
                remove_files(folder / name, ours)
    write_record(folder / stamp.file, stamp.to_json())


def _changed(there: Mapping[str, Any], stamp: Stamp) -> dict[str, str]:
    """The settings that differ, each with its difference in words. A choice that is new, and not made, is none."""
    asked = json.loads(json.dumps(dict(stamp.settings)))  # as it is read again: with lists for tuples
    return {
        name: f"{name} {there.get(name)!r} (now {now!r})"
        for name, now in asked.items()
        if name not in stamp.free and there.get(name) != now and (name in there or now not in (None, False))
    }


def sweep(folder: Path | str, below: bool = False) -> None:
    """Remove what a killed run was writing in a folder (`below`: at any depth); only who alone writes there may."""
    for path in list(Path(folder).glob("**/.torchfakes-*" if below else ".torchfakes-*")):
        if re.fullmatch(TEMPORARY, path.name) and path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)


def remove_files(folder: Path, ours: re.Pattern[str]) -> None:
    """Remove the files in a folder, at any depth, whose names are ours, and the folders that are empty then."""
    if folder.is_symlink():
        return
    for place, _, names in os.walk(folder, topdown=False):  # follows no link
        for name in filter(ours.fullmatch, names):
            Path(place, name).unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # other things are in it
            Path(place).rmdir()


@contextlib.contextmanager
def replaced_folder(folder: Path | str, stamp: Stamp, welcome: Collection[str] = ()) -> Iterator[Path]:
    """Give an empty folder that takes the place of `folder` when the block ends well; else that is as it was.

    The stamp is written into it, and names what the block made: only that is removed when it is replaced in turn. What
    else lies in `folder`, such as a `.git`, is carried over.

    Args:
        folder: may be there, if it is empty or ours.
        welcome: names that may be there before, and that may be replaced.

    Raises:
        InputError: it holds other things, or cannot be written to.
    """
    place = Path(folder).resolve()  # "." has no name
    fresh, old = (place.with_name(f".{place.name}.torchfakes-{word}") for word in ("fresh", "old"))
    with describe_errors(Path(folder)):
        _finish(place, old, stamp)
        owned(folder, stamp, welcome)
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        try:
            yield fresh
            made = sorted(path.name for path in fresh.iterdir())
            write_record(fresh / stamp.file, stamp.to_json() | {"made": [*made, stamp.file]})
            if place.exists():
                place.rename(old)
            try:
                fresh.rename(place)
            finally:
                _finish(place, old, stamp)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)


def _finish(place: Path, old: Path, stamp: Stamp) -> None:
    """Bring a replacement to its end, at whichever step it was interrupted."""
    if old.is_dir() and not place.exists():
        old.rename(place)
    if not old.is_dir():
        return
    stamped = old / stamp.file  # not there in a folder that nobody had used yet, but for what was welcome
    made = json.loads(stamped.read_text(encoding="utf-8"))["made"] if stamped.exists() else []
    for path in old.iterdir():
        if path.name not in made and not (place / path.name).exists():
            path.rename(place / path.name)
    shutil.rmtree(old, ignore_errors=True)
