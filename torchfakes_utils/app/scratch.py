"""Folders for what must not outlive the program, not even where it is killed: the next one to start removes them."""

import contextlib
import os
import shutil
import sys
import tempfile
from pathlib import Path

if sys.platform != "win32":
    import fcntl

# While a folder is being made, nobody holds it yet: under this name nobody takes it for one that was left behind.
_FRESH = "torchfakes-fresh-"


class Scratch:
    """A folder in the system's folder for temporary files, which nobody else may enter.

    It is held by a lock on itself, which the system takes away when the program ends, however it ends. (On Windows,
    which has none on folders, what a killed program leaves stays.)

    Attributes:
        folder: it is empty at first.
    """

    def __init__(self, prefix: str) -> None:
        """Make it, and remove what programs that are no more have left under the same prefix."""
        sweep_abandoned(prefix)
        fresh = Path(tempfile.mkdtemp(prefix=_FRESH)).resolve()
        self._held = _lock(fresh)
        self.folder = fresh.with_name(prefix + fresh.name.removeprefix(_FRESH))
        fresh.rename(self.folder)

    def close(self) -> None:
        """Delete it with all that is in it."""
        shutil.rmtree(self.folder, ignore_errors=True)
        if self._held is not None:
            os.close(self._held)
            self._held = None


def sweep_abandoned(prefix: str) -> None:
    """Delete the folders of a prefix that are ours and that no program holds any more."""
    if sys.platform == "win32":
        return
    for folder in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        with contextlib.suppress(OSError):
            if folder.is_symlink() or not folder.is_dir() or folder.stat().st_uid != os.getuid():
                continue
            held = _lock(folder)
            if held is not None:
                shutil.rmtree(folder, ignore_errors=True)
                os.close(held)


def _lock(folder: Path) -> int | None:
    """A descriptor that holds the folder until it is closed; None where another program does."""
    if sys.platform == "win32":
        return None
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor
