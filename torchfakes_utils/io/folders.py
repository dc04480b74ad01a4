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
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from torchfakes_utils.errors import InputError
from torchfakes_utils.io.files import (
    TEMPORARY,
    check_format,
    check_no_link,
    describe_errors,
    read_json,
    umask,
    write_record,
)

# The stamp of a folder that is replaced as a whole.
STAMP_FILE = "torchfakes.json"

Welcome = Mapping[str, re.Pattern[str]]

# What becomes a folder, or was it, lies beside it for a moment, under such a name and with a mark in it.
_BESIDE, _MARK = ".torchfakes.", ".torchfakes-replacing.json"


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
        writes: names in it, of files and folders, that are written: none of these may be a link.
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
    writes: Collection[str] = ()
    wording: Mapping[str, str] = field(default_factory=dict)
    remedy: str = "delete this one"

    def to_json(self) -> dict[str, Any]:
        """What is in the file."""
        return {"made_by": self.maker, "format": self.version, **self.settings, **self.notes}


def owned(folder: Path | str, stamp: Stamp, welcome: Welcome = MappingProxyType({})) -> dict[str, Any] | None:
    """What a folder's stamp says; None of a folder that nobody has used yet.

    Args:
        folder: that a command is to fill. Hidden files in it count for nothing, and stay.
        stamp: by which it would be ours; its settings are not compared.
        welcome: files that may be there before, and what each then holds in all: it may be lost.

    Raises:
        InputError: a file, other things in the folder, or a stamp that cannot be read.
    """
    folder = Path(folder)
    path = folder / stamp.file
    if not path.exists():
        if folder.exists() and not folder.is_dir():
            raise InputError(f"{folder}: a file; choose another folder")
        for other in folder.iterdir() if folder.is_dir() else ():
            if other.name in welcome and _holds(other, welcome[other.name]):
                continue
            if not other.name.startswith(".") or other.name in {*stamp.parts, *welcome}:
                raise InputError(f"{folder}: holds other things than {stamp.kind}; choose another folder")
        return None
    try:
        there = read_json(path)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error}); choose another folder, or delete this one") from error
    if not isinstance(there, dict) or there.get("made_by") != stamp.maker:
        raise InputError(f"{folder}: holds other things than {stamp.kind}; choose another folder")
    return there


def _holds(path: Path, content: re.Pattern[str]) -> bool:
    try:
        return content.fullmatch(path.read_text(encoding="utf-8")) is not None
    except (OSError, ValueError):
        return False


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
    for name in stamp.writes:
        check_no_link(folder / name)
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


def remove_files(folder: Path, ours: re.Pattern[str], by_path: bool = False) -> None:
    """Remove the files in a folder, at any depth, that are ours, and the folders that are empty then.

    Args:
        folder: nothing is removed in one that is a link.
        ours: what their names are, or with `by_path` their paths from the folder on, with slashes.
        by_path: see `ours`.
    """
    if folder.is_symlink():
        return
    for place, _, names in os.walk(folder, topdown=False):  # follows no link
        for path in (Path(place, name) for name in names):
            if ours.fullmatch(path.relative_to(folder).as_posix() if by_path else path.name):
                path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # other things are in it
            Path(place).rmdir()


@contextlib.contextmanager
def replaced_folder(folder: Path | str, stamp: Stamp, welcome: Welcome = MappingProxyType({})) -> Iterator[Path]:
    """Give an empty folder that takes the place of `folder` when the block ends well; else that is as it was.

    The stamp is written into it, and names the files that the block made: only these are removed when it is replaced in
    turn. What else lies in `folder`, such as a `.git`, is carried over.

    Args:
        folder: may be there, if it is empty or ours.
        welcome: see `owned`.

    Raises:
        InputError: it holds other things, among them one that would be replaced, or cannot be written to.
    """
    place = Path(folder).resolve()  # "." has no name
    with describe_errors(Path(folder)):
        _finish(place)
        there = owned(folder, stamp, welcome)
        place.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(dir=place.parent, prefix=_BESIDE))
        try:
            _mark(fresh, place)
            yield fresh
            fresh.chmod(0o777 & ~umask())
            made = sorted([*_files(fresh), stamp.file])
            ours = {*_made(there or {}), *welcome}
            _check_untouched(place, made, ours)
            write_record(fresh / stamp.file, stamp.to_json() | {"made": made})
            if place.exists():
                _mark(place, place, ours)
                place.rename(fresh.with_name(f"{fresh.name}-old"))
            fresh.rename(place)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
            _finish(place)


def _mark(folder: Path, place: Path, ours: Iterable[str] | None = None) -> None:
    """Say in a folder that it is to be `place`, or was (then with those of its files that are ours)."""
    mark = {"of": place.name, "ours": None if ours is None else sorted(ours)}
    (folder / _MARK).write_text(json.dumps(mark), encoding="utf-8")


def _made(stamp: Mapping[str, Any]) -> list[str]:
    """The files that a stamp names as ours; a stranger's stamp may say anything."""
    names = stamp.get("made")
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []


def _finish(place: Path) -> None:
    """Bring a replacement to its end, at whichever step it was interrupted; by its mark alone a folder is ours."""
    for beside in sorted(place.parent.glob(f"{_BESIDE}*")):
        try:
            mark = read_json(beside / _MARK)
            of, ours = mark["of"], mark["ours"]
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if of != place.name:
            continue
        if ours is None:
            shutil.rmtree(beside, ignore_errors=True)
        elif not place.exists():
            beside.rename(place)
        else:
            _carry_over(beside, place, ours)
            if [path.name for path in beside.iterdir()] == [_MARK]:  # else something is kept there, and its mark
                shutil.rmtree(beside, ignore_errors=True)
    if place.is_dir():
        (place / _MARK).unlink(missing_ok=True)


def _carry_over(old: Path, new: Path, ours: Collection[str]) -> None:
    """Move what is not ours, as whole as possible, and remove what is."""
    for path in [one for one in old.iterdir() if one.name != _MARK]:  # which goes last
        if path.is_dir() and not path.is_symlink():
            inside = {name.removeprefix(f"{path.name}/") for name in ours if name.startswith(f"{path.name}/")}
            if inside or (new / path.name).exists():
                _carry_over(path, new / path.name, inside)
                continue
        elif path.name in ours:
            path.unlink()
            continue
        if not os.path.lexists(new / path.name):
            new.mkdir(parents=True, exist_ok=True)
            path.rename(new / path.name)
    with contextlib.suppress(OSError):  # what stands in the way of something of ours is kept here
        old.rmdir()


def _files(folder: Path) -> list[str]:
    files = [path for path in folder.rglob("*") if not path.is_dir() and path.name != _MARK]
    return [path.relative_to(folder).as_posix() for path in files]


def _check_untouched(place: Path, made: Collection[str], ours: Collection[str]) -> None:
    """Refuse to replace a file that is not ours.

    Raises:
        InputError: there is one.
    """
    for name in made:
        above = [place / one for one in Path(name).parents if one.name]
        in_the_way = [one for one in above if one.is_symlink() or (one.exists() and not one.is_dir())]
        if in_the_way or (os.path.lexists(place / name) and name not in ours):
            found = [*in_the_way, place / name][0]
            raise InputError(f"{found}: not made by us, and in the way; move it, or choose another folder")
