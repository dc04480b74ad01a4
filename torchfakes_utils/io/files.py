"""Files that appear whole or not at all, and their digests."""

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from torchfakes_utils.errors import InputError

# The names of the folders that hold what is being written: by these, and no others, `folders.sweep` removes them.
TEMPORARY = r"\.torchfakes-[a-z0-9_]{8}"


@contextlib.contextmanager
def atomic_write(path: Path | str) -> Iterator[Path]:
    """Give a temporary path whose file takes the place of `path` when the block ends well, and vanishes when it fails.

    The file lies in a folder of its own beside `path`, under the same name: encoders choose their format by its suffix,
    and whatever a library leaves beside it goes with the folder.

    Raises:
        InputError: the folder cannot be made or written to, or the disk is full.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=path.parent, prefix=".torchfakes-"))
    except OSError as error:
        raise InputError(
            f"{path.parent}: cannot write there ({error.strerror}); choose another output folder"
        ) from error
    temporary = folder / path.name
    try:
        with describe_errors(path):
            yield temporary
            # Libraries that write by way of a private file leave it private.
            temporary.chmod(0o666 & ~_umask())
            temporary.replace(path)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


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
        raise InputError(
            f"{path}: cannot be written ({error.strerror}); free some space or choose another folder"
        ) from error


def sha256_of(path: Path | str) -> str:
    """SHA-256 of a file's content, 64 hexadecimal digits; the file may be larger than the memory.

    Raises:
        OSError: it cannot be read.
    """
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
