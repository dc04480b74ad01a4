"""By which program something was made, by whom, and of which table."""

import re
import subprocess
from pathlib import Path
from typing import Any

import torch

from torchfakes_utils import __version__
from torchfakes_utils.io.files import read_json, sha256_of
from torchfakes_utils.models.run_files import BEST_FOLDER, DETECTOR_FILE, TRAINING_FILE

# Where a table of faces lies, seen from a folder above the run or the one that the command runs in.
_TABLES = ("data/*/faces/faces.csv", "data/*/faces.csv", "*/faces/faces.csv", "*/faces.csv", "faces.csv")

_WORD = re.compile(r"[a-z0-9-]{1,40}")


def provenance() -> dict[str, Any]:
    """By which program a run was made: versions, and the git revision where it runs from a checkout."""
    return {"versions": {"torchfakes": __version__, "torch": torch.__version__}, "git_revision": _git_revision()}


def made_by_others(extra: Any) -> dict[str, str]:
    """Who made a detector that was not trained here, by what stands beside its weights: `made by`, `licence`, `learned
    from` and `commit`, as far as they are there; {} of one's own.

    Args:
        extra: `Detector.extra`, which may be a stranger's.
    """
    told = extra.get("published") if isinstance(extra, dict) else None
    if not isinstance(told, dict):
        return {}
    names = {"made by": "title", "licence": "licence", "learned from": "trained_on", "commit": "revision"}
    return {ours: told[name][:400] for ours, name in names.items() if isinstance(told.get(name), str)}


def trained_on(run: Path) -> str | None:
    """SHA-256 of the table that a run was trained on, as far as its folder, or that of its detector, tells."""
    for folder in (run, run.parent) if run.name == BEST_FOLDER else (run, run / BEST_FOLDER):
        for name in (TRAINING_FILE, DETECTOR_FILE):
            try:
                known = read_json(folder / name)
                found = known.get("faces_sha256") or known["extra"]["run"]["faces_sha256"]
            except (OSError, ValueError, KeyError, TypeError, AttributeError):
                continue
            if isinstance(found, str):
                return found
    return None


def find_faces(run: Path, *folders: Path) -> Path | None:
    """The table that a run was trained on, if it still lies near: known by its SHA-256, not by its name.

    Args:
        run: its folder, or that of its detector.
        folders: where else to look, beside the folders above the run and the one that the command runs in.
    """
    wanted = trained_on(run)
    if wanted is None:
        return None
    for folder in dict.fromkeys([*folders, *run.resolve().parents[:3], Path.cwd()]):
        for path in (found for pattern in _TABLES for found in sorted(folder.glob(pattern))):
            if sha256_of(path) == wanted:
                return path
    return None


def remedy(folder: Path, extra: Any = None) -> str:
    """What gives back a detector whose files are damaged or gone, done as it is said.

    Args:
        folder: in which it is.
        extra: `Detector.extra`, as far as it could be read; it may be a stranger's.
    """
    told = extra.get("published") if isinstance(extra, dict) else None
    if isinstance(told, dict) and _WORD.fullmatch(str(told.get("name"))):
        files = " --files FILES" if told.get("by_hand") else ""
        return f"torchfakes pull {told['name']} {folder}{files} makes it again"
    if folder.parent.name == "snapshots":  # the Hub's cache, which takes what it has for sound
        return f"delete {folder.parents[1]} and start the same command again, which fetches it anew"
    return "copy the folder again, or pull or train it again"


def _git_revision() -> str | None:
    """Of the checkout that this file lies in, with a + where files in it were changed; None elsewhere."""
    here = Path(__file__).resolve().parents[1]
    if not (here.parent / ".git").exists():  # installed somewhere inside another project's checkout
        return None

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=here, capture_output=True, text=True, check=True, timeout=10).stdout

    try:
        changed = git("status", "--porcelain", "--untracked-files=no").strip()
        return git("rev-parse", "HEAD").strip() + ("+" if changed else "")
    except (OSError, subprocess.SubprocessError):
        return None
