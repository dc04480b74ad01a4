"""How long a lesson takes to read and to work through, counted from its text twin.

    python -m torchfakes_utils.course.lengths [lessons, such as 03]

prints both, and what of the form of a lesson is missing (`form`). Running time is measured, not counted, and stands in
the report of `torchfakes course`.
"""

import argparse
import math
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from nbformat import NotebookNode

from torchfakes_utils.course import build, colab, prose
from torchfakes_utils.course.practice import MARK
from torchfakes_utils.errors import InputError

WORDS_PER_MINUTE = 200  # of a second-language reader
LINES_PER_MINUTE = 10  # of code that is read, not written
QUIZ_MINUTES = 3
MOST_MINUTES = 45  # of reading, and of exercises
STEP = 5  # minutes; nobody plans by less

_FOLD = re.compile(r"<details>.*?</details>", re.DOTALL)
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_TASK = re.compile(r"^### Your turn · (.+?)\n\n\*(\d+) min, difficulty ([123]) of 3\.\*", re.MULTILINE)
_STATED = re.compile(
    r"- \*\*Time:\*\* about (\d+) min to read, (\d+) min of exercises, (\d+) s to run on two CPU cores\."
)


@dataclass(frozen=True)
class Task:
    """What a cell asks of the learner.

    Attributes:
        title: what stands in its heading.
        minutes: that it takes.
        difficulty: 1, 2 or 3.
    """

    title: str
    minutes: int
    difficulty: int


@dataclass(frozen=True)
class Length:
    """Minutes of a lesson, rounded up to five.

    Attributes:
        reading: what is outside folds, and the code that is given.
        exercises: what the learner writes, and the quiz.
    """

    reading: int
    exercises: int


def length(notebook: NotebookNode) -> Length:
    """How long a lesson takes.

    Args:
        notebook: a lesson, as `build.from_twin` gives it, or built.
    """
    reading = words(notebook) / WORDS_PER_MINUTE + lines(notebook) / LINES_PER_MINUTE
    working = sum(task.minutes for task in tasks(notebook)) + QUIZ_MINUTES * has_quiz(notebook)
    return Length(_up(reading), _up(working))


def _up(minutes: float) -> int:
    return STEP * math.ceil(minutes / STEP)


def words(notebook: NotebookNode) -> int:
    """Words that everybody reads: of the Markdown, without what is folded and the addresses of links."""
    return sum(
        len(re.findall(r"\w[\w’'-]*", readable(cell))) for cell in notebook.cells if cell.cell_type == "markdown"
    )


def readable(cell: NotebookNode) -> str:
    """The text of a Markdown cell as it is read: without folds, addresses and conditions; a value counts as a word."""
    text = _LINK.sub(r"\1", _FOLD.sub("", prose.template(cell)))
    return re.sub(r"\{=\s.*?\s=\}", "0", re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL), flags=re.DOTALL)


def lines(notebook: NotebookNode) -> int:
    """Lines of code that is given to be read: neither the set-up cell, nor imports, blanks and comments, nor stubs."""
    count = 0
    for cell in notebook.cells:
        if cell.cell_type != "code" or cell.source.strip() == colab.SETUP_CELL or MARK in cell.source:
            continue
        count += sum(bool(re.match(r"\s*(?!#|import |from )\S", line)) for line in cell.source.splitlines())
    return count


def tasks(notebook: NotebookNode) -> list[Task]:
    """What the lesson asks of the learner, in its order."""
    texts = [prose.template(cell) for cell in notebook.cells if cell.cell_type == "markdown"]
    return [Task(title, int(minutes), int(level)) for text in texts for title, minutes, level in _TASK.findall(text)]


def has_quiz(notebook: NotebookNode) -> bool:
    """Whether the lesson ends with its questions."""
    return any("course.quiz(" in cell.source for cell in notebook.cells if cell.cell_type == "code")


def stated(notebook: NotebookNode) -> Length | None:
    """What the lesson's header says; None where it says nothing of the kind."""
    found = _STATED.search(prose.template(notebook.cells[0]))
    return Length(int(found[1]), int(found[2])) if found else None


def main(argv: list[str] | None = None) -> int:
    """The command line; returns the exit status: 1 where something is missing."""
    from torchfakes_utils.course import form  # which counts, too

    parser = argparse.ArgumentParser(
        prog="python -m torchfakes_utils.course.lengths", description=__doc__.split("\n")[0]
    )
    parser.add_argument("lessons", nargs="*", help="some only, such as 03; all by default")
    try:
        twins = build.select(sorted(Path("notebooks/source").glob("*.py")), parser.parse_args(argv).lessons)
    except InputError as error:
        print(f"lengths: {error}", file=sys.stderr)
        return 2
    missing = 0
    for twin in twins:
        notebook = build.from_twin(twin)
        found = length(notebook)
        asked = ", ".join(f"{task.title} ({task.minutes})" for task in tasks(notebook)) or "none"
        print(
            f"{twin.stem}: {found.reading} min to read ({words(notebook)} words, {lines(notebook)} lines), "
            f"{found.exercises} min of exercises: {asked}"
        )
        for problem in form.problems(notebook):
            print(f"  {problem}")
            missing += 1
    return int(missing > 0)


if __name__ == "__main__":
    sys.exit(main())
