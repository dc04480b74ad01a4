"""Somebody's detector from the Hugging Face Hub: fetched, pinned to a commit and checked.

What comes from the Hub is a stranger's. So only a few files are asked for, none of which can run code; their sizes are
looked at before they are fetched; and weights count once their SHA-256 is the one that their description names.
"""

import contextlib
import logging
import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from torchfakes_utils.errors import InputError
from torchfakes_utils.hub.repository import COMMIT, check_name
from torchfakes_utils.io.files import atomic_write, check_writable, sha256_of
from torchfakes_utils.io.hub_client import hub_client, one_line, repository_info, status
from torchfakes_utils.models.detector import load_detector
from torchfakes_utils.models.run_files import (
    BEST_FOLDER,
    CARD_FILE,
    DETECTOR_FILE,
    LIKENESS_FILE,
    MOST_BYTES,
    REPORT_FILE,
    WEIGHTS_FILE,
)

if TYPE_CHECKING:
    from huggingface_hub import ModelInfo

logger = logging.getLogger(__name__)

# All that is ever fetched. The description comes first and the weights last: who has the weights has everything.
PULLED = (DETECTOR_FILE, CARD_FILE, REPORT_FILE, LIKENESS_FILE, WEIGHTS_FILE)

# Of these a damaged copy is replaced: the description tells what they have to be.
_MENDED = (LIKENESS_FILE, WEIGHTS_FILE)

MOST_BYTES_OF_TEXT = 20 * 10**6

# Where a copy to work with is put: what measures a detector writes beside it, which the Hub's cache is no place for.
WORK = Path("runs")

_ADDRESS = re.compile(r"hf:/{1,2}([^@]*)(?:@(.*))?", re.DOTALL)  # a Path has made one slash of two
PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")


def pull(name: str, revision: str | None = None, out: Path | str | None = None) -> Path:
    """Fetch a detector into the Hub's cache, from which it also comes where the Hub cannot be reached, and check it.

    Args:
        name: `owner/name` of the repository, or `hf://owner/name@revision`.
        revision: a branch, a tag, or a commit (40 hexadecimal digits), the only one of them that never changes; None is
            the main branch.
        out: a folder for a copy.

    Returns:
        The folder of the copy, or the one in the cache, whose name is the commit.

    Raises:
        InputError: it cannot be had, or is none that can be trusted.
    """
    if (address := _ADDRESS.fullmatch(name)) is not None:  # as it is written for a run
        name, revision = address[1], address[2] if revision is None else revision
    folder = _fetch(name, revision)
    try:
        with one_line(name):
            load_detector(folder)
    except InputError as error:
        reason = str(error).removeprefix(f"{name}: ").removeprefix(f"{folder}{os.sep}").split(";")[0]
        raise InputError(
            f"{name}: commit {folder.name} is refused ({reason}); delete {folder.parents[1]} and pull again, "
            "and if that does not help, tell its owner"
        ) from error
    return folder if out is None else copy(folder, out)


def copy(folder: Path, out: Path | str) -> Path:
    """Copy a detector that was fetched, all of it or nothing; return `out`.

    Where the same detector is there already, what was added to it stays as it is, a report of one's own among it.

    Raises:
        InputError: another detector is there, or other things, or it cannot be written to.
    """
    out = Path(out)
    check_place(out)
    files = [file for file in PULLED if (folder / file).is_file()]
    same = {file for file in files if _same(out / file, folder / file)}
    if (out / DETECTOR_FILE).exists() and DETECTOR_FILE not in same:
        raise InputError(f"{out}: holds another detector; choose another folder, or delete this one")
    if DETECTOR_FILE not in same and out.is_dir():  # a copy that was broken off may have left some
        others = {path.name for path in out.iterdir() if not path.name.startswith(".")} - same
        if others:
            raise _other_things(out, others)
    with contextlib.ExitStack() as written:
        # All are written before any takes its place, the description last: where it is, everything is.
        for file in files:
            if file not in same and (file in _MENDED or not (out / file).exists()):
                shutil.copyfile(folder / file, written.enter_context(atomic_write(out / file)))
    return out


def check_place(out: Path) -> None:
    """See before a detector is fetched that it can be copied to a folder.

    Raises:
        InputError: it holds other things, or cannot be written to.
    """
    if (out / BEST_FOLDER / DETECTOR_FILE).exists():
        raise InputError(f"{out}: holds a training run; choose another folder")
    if out.is_dir() and not (out / DETECTOR_FILE).exists():
        others = {path.name for path in out.iterdir() if not path.name.startswith(".")} - {*PULLED}
        if others:
            raise _other_things(out, others)
    check_writable(out)


def _other_things(out: Path, names: set[str]) -> InputError:
    return InputError(f"{out}: holds other things than a detector, such as {min(names)}; choose another folder")


def _same(one: Path, other: Path) -> bool:
    return one.is_file() and one.stat().st_size == other.stat().st_size and sha256_of(one) == sha256_of(other)


def resolve(run: Path | str, work: Path | None = None) -> Path:
    """Where a run is on this machine: a path as it is; `hf://owner/name` or `hf://owner/name@revision` once fetched.

    Args:
        run: a path or an address.
        work: a folder in which to make a copy that can be written to, named by owner, name and commit; one that is
            there already is taken as it is, with all that was added to it. None: the Hub's cache, to read only.

    Raises:
        InputError: not an address, or it cannot be had.
    """
    found = _ADDRESS.fullmatch(os.fspath(run).replace(os.sep, "/"))
    if found is None:
        return Path(run)
    name, revision = found.groups()
    folder = _fetch(name, revision)
    if work is None:
        return folder
    out = work / f"{name.replace('/', '--')}-{folder.name[:12]}"
    if not (out / DETECTOR_FILE).is_file():
        copy(folder, out)
        logger.warning("%s at commit %s is now in %s", name, folder.name, out)
    return out


def _fetch(name: str, revision: str | None) -> Path:
    """The folder in the Hub's cache, named by the commit, with those of `PULLED` that the repository holds."""
    check_name(name, revision)
    cached = _cached(name, revision)
    if cached is not None and cached.name == revision:
        return cached  # a commit never changes
    api = hub_client()
    try:
        with one_line(name):
            info = repository_info(api, name, revision, sizes=True)
    except InputError as error:
        if cached is None or (status(error) or 500) < 500:  # a clear no is not answered from the cache
            raise
        logger.warning("%s; taking commit %s from the cache", error, cached.name)
        return cached
    wanted = _wanted(name, info)
    with one_line(name):
        # By the name that was given, which the cache then knows when the Hub cannot be reached; the rest by the commit.
        first = Path(api.hf_hub_download(name, DETECTOR_FILE, revision=revision))
        if first.parent.name != info.sha:
            raise InputError(f"{name}: was changed just now; try again")
        for file in wanted:
            api.hf_hub_download(name, file, revision=info.sha)
    return first.parent


def _wanted(name: str, info: "ModelInfo") -> list[str]:
    """Which files to fetch of a repository, if it is a detector and of a sensible size."""
    sizes = {file.rfilename: file.size for file in info.siblings or []}
    pickled = sorted(file for file in sizes if file.endswith(PICKLED))
    if WEIGHTS_FILE not in sizes and pickled:
        danger = f"holds only pickled weights ({pickled[0]}), which can run code when they are opened"
        raise InputError(f"{name}: {danger}; ask its owner for {WEIGHTS_FILE}")
    for file in (WEIGHTS_FILE, DETECTOR_FILE):
        if file not in sizes:
            raise InputError(f"{name}: no TorchFakes detector (it holds no {file}); check the name")
    if not COMMIT.fullmatch(info.sha or ""):
        raise InputError(f"{name}: the Hub names no commit; check HF_ENDPOINT")
    wanted = [file for file in PULLED if file in sizes]
    for file in wanted:
        size, most = sizes[file], MOST_BYTES.get(file, MOST_BYTES_OF_TEXT)
        if size is None or size > most:
            known = "of unknown size" if size is None else f"{size / 1e6:,.0f} MB"
            raise InputError(f"{name}: {file} is {known}, more than the {most / 1e6:,.0f} MB that are fetched")
    return wanted


def _cached(name: str, revision: str | None) -> Path | None:
    """The folder in the Hub's cache, if the weights have come, too."""
    from huggingface_hub import try_to_load_from_cache

    found = [try_to_load_from_cache(name, file, revision=revision or "main") for file in (DETECTOR_FILE, WEIGHTS_FILE)]
    paths = [Path(path) for path in found if isinstance(path, str)]  # else None, or a mark that the Hub has none
    return paths[1].parent if len(paths) == len(found) else None
