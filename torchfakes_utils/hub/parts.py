"""What has come of a detector's weights, kept beside where it is to be until it is made.

It lies hidden in the run's folder, in a folder that bears the commit's name: a later call goes on with the commit that
an earlier one began, whatever the repository's main branch holds by then. A folder may also hold what somebody has put
there; nothing is ever deleted but the files that are written here.
"""

import contextlib
import re
from pathlib import Path

from torchfakes_utils.io.files import check_no_link
from torchfakes_utils.models.run_files import WEIGHTS_FILE

_FOLDER = re.compile(r"\.fetched-([0-9a-f]{40})")
_OURS = (WEIGHTS_FILE, f".{WEIGHTS_FILE}.part")  # whole, and as `download_large` keeps it


def place(run: Path, commit: str) -> Path:
    """Where the weights of a commit are until a detector is made of them.

    Raises:
        InputError: a link is there, which leads who knows where.
    """
    folder = run / f".fetched-{commit}"
    check_no_link(folder)
    return folder / WEIGHTS_FILE


def begun(run: Path) -> tuple[str, int] | None:
    """The commit of which something has come, the last one if there are several, and how many bytes."""
    found = [(folder.stat().st_mtime, commit, _bytes(folder)) for commit, folder in _folders(run)]
    came = sorted(one for one in found if one[2])
    return came[-1][1:] if came else None


def size(run: Path) -> int:
    """Bytes that have come, of whatever commits."""
    return sum(_bytes(folder) for _, folder in _folders(run))


def forget(run: Path, but: str | None = None) -> list[str]:
    """Delete what has come, `but` that of one commit; return the commits of which something had."""
    gone = []
    for commit, folder in _folders(run):
        if commit != but:
            gone += [commit] * bool(_bytes(folder))
            for name in _OURS:
                (folder / name).unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # it holds something of somebody's
                folder.rmdir()
    return gone


def _folders(run: Path) -> list[tuple[str, Path]]:
    found = [(_FOLDER.fullmatch(path.name), path) for path in run.glob(".fetched-*")]
    return [(match[1], path) for match, path in found if match and path.is_dir() and not path.is_symlink()]


def _bytes(folder: Path) -> int:
    return sum((folder / name).stat().st_size for name in _OURS if (folder / name).is_file())
