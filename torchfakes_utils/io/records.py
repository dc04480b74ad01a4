"""Records beside what is made: JSON objects that say in which format, so that yesterday's are refused in one line."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torchfakes_utils.errors import InputError
from torchfakes_utils.io.files import atomic_write


def write_record(path: Path | str, content: Any) -> Path:
    """Write what JSON can hold, whole or not at all; return the path.

    Raises:
        InputError: the folder cannot be written to, or the disk is full.
    """
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    return Path(path)


def read_record(path: Path | str, maker: str, version: int) -> dict[str, Any]:
    """Read a JSON object whose `format` is the one that this program writes.

    Args:
        path: the file.
        maker: the command that makes it, such as "torchfakes evaluate".
        version: of the format.

    Raises:
        InputError: it is not there, cannot be read, is no such object, or is of another format.
    """
    path = Path(path)
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file; run `{maker}`") from error
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error}); run `{maker}` again") from error
    if not isinstance(record, dict):
        raise InputError(f"{path}: not what `{maker}` writes; run it again")
    check_format(record, path, maker, version)
    return record


def check_format(record: Mapping[str, Any], path: Path, maker: str, version: int, key: str = "format") -> None:
    """Refuse what another version of this program made: nothing is migrated.

    Args:
        record: what was read.
        path: from where.
        maker: the command that made it.
        version: that this program makes.
        key: under which the record says its own.

    Raises:
        InputError: the record's is another, or it has none.
    """
    found = record.get(key)
    if found != version:
        named = "without one" if found is None else f"{found!r}"
        raise InputError(
            f"{path}: `{maker}` of another torchfakes made it ({key} {named}; this one makes {version}); "
            "run it again, or use the torchfakes that made it"
        )
