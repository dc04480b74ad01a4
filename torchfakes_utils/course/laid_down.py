"""The lessons in a folder of the learner's own: to run and to write in, without outputs, so that no answer is in sight.

    torchfakes course init lessons

works from an installed wheel as from a checkout. A second call brings what is new; what somebody has changed stays.
"""

import hashlib
import json
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from torchfakes_utils.course.folders import LAID_DOWN
from torchfakes_utils.errors import InputError
from torchfakes_utils.io.files import atomic_write

# What lessons show or link to, beside themselves; the same patterns stand in pyproject.toml, for the wheel.
PATTERNS = ("notebooks/*.ipynb", "notebooks/es/*.ipynb", "docs/glossary.md", "docs/pictures/*.jpg")
_SHARED = "share/torchfakes/"


@dataclass(frozen=True)
class LaidDown:
    """What was done: the lessons in the folder, and which of its files were left as somebody has changed them."""

    folder: Path
    lessons: tuple[Path, ...]
    kept: tuple[Path, ...]


def lay_down(folder: Path, outputs: bool = False) -> LaidDown:
    """Put the lessons into a folder, where `notebooks/` and what they link to lie as in a checkout.

    Args:
        folder: made where it is missing; its data and runs will lie there, too, unless it is inside a checkout.
        outputs: with what the lessons showed when they were built.

    Raises:
        InputError: the folder is a checkout's own, holds other things, or cannot be written to.
    """
    if (folder / "pyproject.toml").is_file():
        raise InputError(f"{folder}: its lessons would be written over; give a folder of your own, such as lessons")
    record = folder / LAID_DOWN
    if folder.is_dir() and not record.is_file() and any(folder.iterdir()):
        raise InputError(f"{folder}: holds other things; give a new folder")
    ours = _read_record(record)
    kept, sums = [], dict(ours)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, source in sources().items():
            content = _content(source, outputs)
            there = folder / name
            if there.is_file() and _digest(there.read_bytes()) not in (ours.get(name), _digest(content)):
                kept.append(there)
                continue
            with atomic_write(there) as temporary:
                temporary.write_bytes(content)
            sums[name] = _digest(content)
        with atomic_write(record) as temporary:
            temporary.write_text(json.dumps(sums, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise InputError(f"{folder}: cannot be written to ({error.strerror}); give a folder of yours") from error
    return LaidDown(folder, tuple(sorted(folder.glob("notebooks/*.ipynb"))), tuple(kept))


def sources() -> dict[str, Path]:
    """Where the lessons lie in this installation, by their path in the folder to be made.

    Raises:
        InputError: this installation has none.
    """
    root = Path(__file__).parents[2]
    found = {path.relative_to(root).as_posix(): path for pattern in PATTERNS for path in root.glob(pattern)}
    if (root / "pyproject.toml").is_file() and found:
        return found
    installed = [(str(path), Path(str(path.locate()))) for path in metadata.files("torchfakes") or []]
    found = {name.partition(_SHARED)[2]: path for name, path in installed if _SHARED in name and path.is_file()}
    if not found:
        raise InputError("this installation holds no lessons; install a wheel of torchfakes, or work in a checkout")
    return found


def _content(source: Path, outputs: bool) -> bytes:
    content = source.read_bytes()
    if outputs or source.suffix != ".ipynb":
        return content
    notebook = json.loads(content)
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
    return (json.dumps(notebook, indent=1, ensure_ascii=False) + "\n").encode()


def _read_record(record: Path) -> dict[str, str]:
    """What was laid down before; nothing where the record is not to be read: then every other file is somebody's."""
    try:
        found = json.loads(record.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
