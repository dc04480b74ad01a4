"""Files that appear whole or not at all, records in JSON among them, and digests."""

import contextlib
import errno
import hashlib
import json
import math
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from torchfakes_utils.errors import InputError

# The names of the folders that hold what is being written: by these, and no others, `folders.sweep` removes them.
TEMPORARY = r"\.torchfakes-[a-z0-9_]{8}"

_MOST_JSON = 100_000_000  # bytes; a report of 100,000 clips has some ten million

# Characters at the start of a file, by which it is known.
_HEAD = 20_000


@contextlib.contextmanager
def atomic_write(path: Path | str) -> Iterator[Path]:
    """Give a temporary path whose file takes the place of `path` when the block ends well, and vanishes when it fails.

    The file lies in a folder of its own beside `path`, under the same name: encoders choose their format by its suffix,
    and whatever a library leaves beside it goes with the folder.

    Raises:
        InputError: the folder cannot be made or written to, the disk is full, or a link is where the file would be.
    """
    path = Path(path)
    check_no_link(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=path.parent, prefix=".torchfakes-"))
    except OSError as error:
        raise InputError(f"{path.parent}: cannot write there ({error.strerror}); {_remedy(error)}") from error
    temporary = folder / path.name
    try:
        with describe_errors(path):
            yield temporary
            # Libraries that write by way of a private file leave it private.
            temporary.chmod(0o666 & ~umask())
            temporary.replace(path)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def check_no_link(path: Path) -> None:
    """Refuse to put a file where somebody has put a link: it would be lost, or what it leads to.

    Raises:
        InputError: a link is there.
    """
    if path.is_symlink():
        raise InputError(f"{path}: a link, which would be lost; move it away")


@contextlib.contextmanager
def describe_errors(path: Path) -> Iterator[None]:
    """Say in one line what the file system has against writing `path`.

    Raises:
        InputError: it is full, read-only, …
    """
    try:
        yield
    except OSError as error:
        if error.errno is None:  # raised by a library for reasons of its own, not by the file system
            raise
        raise InputError(f"{path}: cannot be written ({error.strerror}); {_remedy(error)}") from error


def _remedy(error: OSError) -> str:
    """What helps against what the file system has to say."""
    if error.errno == errno.ENAMETOOLONG:
        return "choose a shorter name"
    full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    return "free some space or choose another folder" if full else "choose another output folder"


def check_writable(folder: Path | str) -> None:
    """Find out before the work whether its results can be written into a folder, which is made when they are.

    Raises:
        InputError: they cannot.
    """
    folder = Path(folder)
    there = next(place for place in (folder.absolute(), *folder.absolute().parents) if os.path.lexists(place))
    if there.is_symlink() and not os.path.lexists(os.path.realpath(there)):
        raise InputError(
            f"{folder}: a link in its way leads to {there.readlink()}, which is not there; make that folder, or choose "
            "another"
        )
    try:
        tempfile.TemporaryDirectory(dir=there, prefix=".torchfakes-").cleanup()
    except OSError as error:
        raise InputError(f"{folder}: cannot write there ({error.strerror}); {_remedy(error)}") from error


def check_room(folder: Path | str, wanted: int) -> None:
    """See before the work that so many bytes fit where a folder is, or will be.

    Raises:
        InputError: they do not.
    """
    folder = Path(folder)
    there = next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())
    free = shutil.disk_usage(there).free
    if free < wanted:
        raise InputError(
            f"{folder}: {wanted / 1e6:,.0f} MB are needed and {free / 1e6:,.0f} MB are free; free some, or choose "
            "another folder"
        )


def check_replaceable(path: Path | str, beginning: re.Pattern[str]) -> None:
    """See before the work that no file of somebody else's would be lost where a file of ours is to be written.

    Args:
        path: of the file; its folder has to be one that can be written to.
        beginning: what ours begin with.

    Raises:
        InputError: a file is there that does not begin so, a link or a device, or the folder cannot be written to.
    """
    path = Path(path)
    check_no_link(path)
    if path.exists():
        try:
            check_no_device(path)
            with path.open(encoding="utf-8", newline="") as file:
                ours = beginning.match(file.read(_HEAD)) is not None
        except (OSError, ValueError):
            ours = False
        if not ours:
            raise InputError(f"{path}: is there, and not what would be written; move it, or give another name")
    check_writable(path.parent)


def sha256_of(path: Path | str) -> str:
    """SHA-256 of a file's content, 64 hexadecimal digits; the file may be larger than the memory.

    Raises:
        OSError: it cannot be read.
    """
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_record(path: Path | str, content: Any) -> Path:
    """Write what JSON can hold, whole or not at all; return the path.

    Raises:
        InputError: the folder cannot be written to, or the disk is full.
    """
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    return Path(path)


def read_json(path: Path | str) -> Any:
    """What a file of JSON holds; it may be a stranger's.

    Raises:
        OSError: it cannot be read.
        ValueError: it is longer than `_MOST_JSON`, or as `parse_json` says.
    """
    check_no_device(path)
    with Path(path).open("rb") as file:
        content = file.read(min(_MOST_JSON, os.fstat(file.fileno()).st_size) + 1)
    if len(content) > _MOST_JSON:
        raise ValueError(f"it is longer than {_MOST_JSON / 1e6:.0f} MB")
    return parse_json(content)


def parse_json(content: bytes) -> Any:
    """What a text of JSON holds, which may be a stranger's: numbers are finite, and no name is there twice.

    Raises:
        ValueError: it is something else, or nested too deeply.
    """
    try:
        return json.loads(
            content.decode("utf-8-sig"),
            object_pairs_hook=_each_once,
            parse_int=_whole,
            parse_float=_finite,
            parse_constant=_finite,
        )
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _whole(text: str) -> int:
    _finite(text)  # larger than any float, it would fail wherever it is used
    return int(text)


def _finite(text: str) -> float:
    if not math.isfinite(value := float(text)):
        raise ValueError(f"{text[:20]} is no number that is used here")
    return value


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):  # of two values, nobody knows which one is meant
        names = [name for name, _ in pairs]
        raise ValueError(f"it names {next(name for name in names if names.count(name) > 1)[:100]!r} twice")
    return found


def check_no_device(path: Path | str) -> None:
    """Refuse what may never answer, or never end: pipes and devices, be it at the end of a link.

    Raises:
        OSError: nothing is there.
        ValueError: neither a file nor a folder.
    """
    mode = Path(path).stat().st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise ValueError("it is a pipe or a device, and no file")


def read_record(path: Path | str, maker: str, version: int) -> dict[str, Any]:
    """Read a JSON object whose `format` is the one that this program writes.

    Args:
        maker: the command that makes it, such as "torchfakes evaluate".

    Raises:
        InputError: it cannot be read, is no such object, or is of another format.
    """
    path = Path(path)
    try:
        record = read_json(path)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error}); run `{maker}` again") from error
    if not isinstance(record, dict):
        raise InputError(f"{path}: not what `{maker}` writes; run it again")
    check_format(record, path, maker, version)
    return record


def check_format(record: Mapping[str, Any], path: Path, maker: str, version: int) -> None:
    """Refuse a record that another version of this program made: nothing is migrated.

    Raises:
        InputError: its `format` is another, or it has none.
    """
    if (found := record.get("format")) != version:
        named = "without one" if found is None else repr(found)
        raise InputError(
            f"{path}: `{maker}` of another torchfakes made it (format {named}; this one makes {version}); "
            "run it again, or use the torchfakes that made it"
        )


def umask() -> int:
    """The permissions that new files of this process do not get."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
