"""A new lesson: a small one that runs and has the form of all others, to be replaced piece by piece.

torchfakes course new "Whose light is it?"
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torchfakes_utils.course import build, colab, folders, lengths
from torchfakes_utils.errors import InputError
from torchfakes_utils.io.files import atomic_write

_TEMPLATES = Path(__file__).parent / "templates"
_ROW = re.compile(r"^\| (\d\d[a-z]?) \| \[.*\n", re.MULTILINE)
_QUIZZES, _README = "torchfakes_utils/course/quizzes.yaml", "README.md"


@dataclass(frozen=True)
class NewLesson:
    """What was made.

    Attributes:
        number: of the lesson.
        twin: people edit this; the notebook is made from it.
        module: its exercises.
        test: what their checks say.
        changed: files that have a line or more for it.
    """

    number: str
    twin: Path
    module: Path
    test: Path
    changed: tuple[Path, ...]


def new_lesson(title: str, root: Path) -> NewLesson:
    """Make a lesson behind the last one: its text twin, exercises, test, quiz, and its line in the README.

    Args:
        title: as it stands in the heading, such as "Whose light is it?".
        root: of the checkout.

    Raises:
        InputError: the title has no letters, or `root` is no checkout; nothing is written then.
    """
    words = re.findall(r"[a-z0-9]+", title.lower().replace("'", ""))
    if not words or "|" in title or not title.isprintable():
        raise InputError(f'{title!r} is no title for a lesson; give some words, such as "Whose light is it?"')
    quizzes, readme = root / _QUIZZES, root / _README
    if not (quizzes.is_file() and readme.is_file() and (root / "notebooks" / "source").is_dir()):
        raise InputError(f"{root}: a lesson is made in a checkout of TorchFakes; clone it and work there")
    before = readme.read_text(encoding="utf-8")
    if not _ROW.search(before):
        raise InputError(f"{readme}: there is no table of lessons to add a row to")
    number = f"{1 + max(int(name[:2]) for name in folders.lessons(root / 'torchfakes_utils' / 'course')):02d}"
    stem, module = f"{number}_{'_'.join(words)}", f"lesson_{number}"
    twin = root / "notebooks" / "source" / f"{stem}.py"
    made = NewLesson(
        number, twin, root / "torchfakes_utils" / "course" / f"{module}.py",
        root / "tests" / "course" / f"test_{module}.py", (quizzes, readme),
    )  # fmt: skip
    fields = {"number": number, "title": title, "module": module, "badge": colab.badge(stem), "setup": colab.SETUP_CELL}
    _write(made.module, _rendered("module.py.jinja", fields))
    _write(made.test, _rendered("test.py.jinja", fields))
    _write(twin, _rendered("twin.py.jinja", fields | {"reading": 5, "exercises": 5}))
    length = lengths.length(build.from_twin(twin))
    minutes = {"reading": length.reading, "exercises": length.exercises}
    _write(twin, _rendered("twin.py.jinja", fields | minutes))
    _write(quizzes, quizzes.read_text(encoding="utf-8").rstrip() + "\n" + _rendered("quiz.yaml.jinja", fields))
    row = f"| {number} | [{title}](notebooks/{stem}.ipynb) | … | {length.reading} | {length.exercises} | 0.2 | "
    _write(readme, _with_row(before, f"{row}{colab.badge(stem)} |\n"))
    return made


def _with_row(text: str, row: str) -> str:
    """The README with one more row below the last lesson's."""
    end = [found.end() for found in _ROW.finditer(text)][-1]
    return text[:end] + row + text[end:]


def _rendered(name: str, fields: dict[str, Any]) -> str:
    import jinja2

    source = (_TEMPLATES / name).read_text(encoding="utf-8")
    return (
        jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
        .from_string(source)
        .render(fields)
    )


def _write(path: Path, text: str) -> None:
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
