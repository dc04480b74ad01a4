"""The instructor's kit that is made from the lessons: schedules that add up, notes for each lesson, and the answers.

    python -m torchfakes_utils.course.kit [docs/instructors]

writes `schedules.md`, `lessons.md` and `answers.md` there; what people write themselves stands beside them. `make
instructors` is the same.
"""

import argparse
import math
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from torchfakes_utils.course import form, lengths, quizzes
from torchfakes_utils.course.exercise_table import found as exercises_of
from torchfakes_utils.course.folders import lessons
from torchfakes_utils.io.files import atomic_write

MOST_WITHOUT_A_BREAK = 90  # minutes
_SCHEDULES = Path(__file__).with_name("schedules.yaml")
_MADE = "<!-- made by torchfakes_utils.course.kit from the lessons; change those, then: make instructors -->\n"
_FOLD = re.compile(re.escape(form.TEACHERS) + r"\s*(.*?)\s*</details>", re.DOTALL)
_TASK = re.compile(r"^### Your turn · (.+?)\n", re.MULTILINE)
_SOLUTION = re.compile(r"<details><summary>A solution</summary>\s*(```python\n.*?```)\s*</details>", re.DOTALL)


@dataclass(frozen=True)
class Lesson:
    """A built lesson, as a teacher sees it.

    Attributes:
        number, name, title: such as "03", "03_sharp_enough", "Sharp enough?".
        notebook: with its outputs.
    """

    number: str
    name: str
    title: str
    notebook: NotebookNode

    @property
    def markdown(self) -> str:
        """All its prose, numbers filled in."""
        return "\n\n".join(cell.source for cell in self.notebook.cells if cell.cell_type == "markdown")

    @property
    def minutes(self) -> int:
        """To read it and to do its exercises."""
        found = lengths.stated(self.notebook) or lengths.length(self.notebook)
        return found.reading + found.exercises


@dataclass(frozen=True)
class Block:
    """A part of a day: `rest` where it is a break."""

    what: str
    minutes: int
    rest: bool = False


@dataclass(frozen=True)
class Day:
    """Blocks one after the other.

    Attributes:
        begins, ends: minutes after midnight, when it begins and when it has to be over.
        blocks: what happens.
    """

    begins: int
    ends: int
    blocks: tuple[Block, ...]

    @property
    def over(self) -> int:
        """When it is over, by its blocks."""
        return self.begins + sum(block.minutes for block in self.blocks)

    @property
    def stretches(self) -> list[int]:
        """Minutes between one break and the next."""
        found = [0]
        for block in self.blocks:
            if block.rest:
                found.append(0)
            else:
                found[-1] += block.minutes
        return found


@dataclass(frozen=True)
class Schedule:
    """A course: its title, for whom it is, and its days."""

    title: str
    whom: str
    days: tuple[Day, ...]


@cache
def read_lessons(folder: Path = Path("notebooks")) -> dict[str, Lesson]:
    """The built lessons by number."""
    found = {}
    for path in sorted(folder.glob("*.ipynb")):
        number = path.stem.partition("_")[0]
        notebook = nbformat.read(path, as_version=4)
        title = re.search(r"^# (?:\w+ · )?(.+)$", notebook.cells[0].source, re.MULTILINE)
        found[number] = Lesson(number, path.stem, title[1] if title else number, notebook)
    return found


def read_schedules(known: dict[str, Lesson], path: Path = _SCHEDULES) -> list[Schedule]:
    """The schedules, with the minutes that their lessons say.

    Args:
        known: from `read_lessons`.
        path: of the YAML file.

    Raises:
        ValueError: a lesson or an exercise that there is not.
    """
    import yaml

    given = yaml.safe_load(path.read_text(encoding="utf-8"))
    return [Schedule(one["title"], one["for"], tuple(_day(day, known) for day in one["days"])) for one in given]


def _day(given: dict[str, Any], known: dict[str, Lesson]) -> Day:
    return Day(_clock(given["begins"]), _clock(given["ends"]), tuple(_block(one, known) for one in given["blocks"]))


def _clock(text: str) -> int:
    hours, minutes = text.split(":")
    return 60 * int(hours) + int(minutes)


def _block(given: dict[str, Any], known: dict[str, Lesson]) -> Block:
    if "talk" in given:
        return Block(given["talk"], given["minutes"])
    for name, what in (("break", "Break"), ("lunch", "Lunch")):
        if name in given:
            return Block(what, given[name], rest=True)
    number = given["lesson"]
    if number not in known:
        raise ValueError(f"no lesson {number!r}; there are {', '.join(known)}")
    lesson, without = known[number], given.get("without", [])
    asked = {task.title: task.minutes for task in lengths.tasks(lesson.notebook)}
    if unknown := [title for title in without if title not in asked]:
        raise ValueError(f"lesson {number} has no exercise {unknown[0]!r}; there are {', '.join(asked)}")
    minutes = lesson.minutes - sum(asked[title] for title in without)
    left_out = f", without {' and '.join(f'“{title}”' for title in without)}" if without else ""
    link = f"[{number} · {lesson.title}](../../notebooks/{lesson.name}.ipynb){left_out}"
    return Block(link, lengths.STEP * math.ceil(minutes / lengths.STEP))


def schedules_page(schedules: Sequence[Schedule]) -> str:
    """A table a day, in Markdown."""
    lines = [
        "# Schedules", _MADE,
        "Minutes of a lesson are those of its header: to read it and to do its exercises, for people who read English "
        f"as a second language. No stretch is longer than {MOST_WITHOUT_A_BREAK} minutes. Who falls behind leaves out "
        "what [the notes](lessons.md) say, and folds a solution open.", "",
    ]  # fmt: skip
    for schedule in schedules:
        lines += [f"## {schedule.title}", "", f"For {schedule.whom}.", ""]
        for number, day in enumerate(schedule.days, 1):
            lines += [f"### Day {number}", ""] if len(schedule.days) > 1 else []
            lines += ["| from | to | minutes | what |", "|---|---|---|---|", *_rows(day), ""]
    return "\n".join(lines)


def _rows(day: Day) -> Iterator[str]:
    at = day.begins
    for block in day.blocks:
        yield f"| {_told(at)} | {_told(at + block.minutes)} | {block.minutes} | {block.what} |"
        at += block.minutes


def _told(minutes: int) -> str:
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def notes_page(known: dict[str, Lesson]) -> str:
    """What to draw, where rooms stop and what to leave out, lesson by lesson."""
    lines = ["# Notes for each lesson", _MADE, "The same stands, folded, at the end of each lesson.", ""]
    for lesson in known.values():
        fold = _FOLD.search(lesson.markdown)
        if fold is None:
            continue
        asked = ", ".join(f"{task.title} ({task.minutes})" for task in lengths.tasks(lesson.notebook))
        lines += [
            f"## {lesson.number} · {lesson.title}",
            "",
            f"{lesson.minutes} min. Exercises, with minutes: {asked}.",
            "",
        ]
        lines += [fold[1].strip(), ""]
    return "\n".join(lines)


def answers_page(known: dict[str, Lesson]) -> str:
    """Solutions, the mistakes that checks know with what they say, and the quizzes' right answers."""
    lines = ["# Answers", _MADE, "Not for learners. A check tells each of these mistakes from all others.", ""]
    for lesson in known.values():
        solved = dict(_solutions(lesson.markdown))
        asked = exercises_of(lesson.number) if lesson.number in lessons() else []
        if not solved and not asked:
            continue
        lines += [f"## {lesson.number} · {lesson.title}", ""]
        hints = {exercise.title: list(exercise.wrong) for exercise in asked}
        for title, code in solved.items():
            lines += [f"### {title}", "", code, ""]
            lines += [f"- {hint}" for hint in hints.get(title, [])] + [""] * bool(hints.get(title))
        lines += _quiz(lesson.number)
    return "\n".join(lines)


def _solutions(text: str) -> Iterator[tuple[str, str]]:
    """The title of each task, and the first solution that folds open below it."""
    tasks = list(_TASK.finditer(text))
    ends = [*(task.start() for task in tasks[1:]), len(text)]
    for task, end in zip(tasks, ends, strict=False):
        found = _SOLUTION.search(text, task.end(), end)
        if found:
            yield task[1], found[1]


def _quiz(number: str) -> list[str]:
    asked = quizzes.questions(number)
    lines = ["### Quiz", ""] if asked else []
    for place, question in enumerate(asked, 1):
        right = next(choice for choice in question.choices if choice.right)
        lines += [f"{place}. {question.text}", f"   **{right.text}** {right.feedback}"]
    return [*lines, ""]


def write_kit(out: Path, notebooks: Path = Path("notebooks")) -> list[Path]:
    """Write all pages; they are returned.

    Args:
        out: the folder, made where it is missing.
        notebooks: the built lessons.
    """
    known = read_lessons(notebooks)
    pages = {
        "schedules.md": schedules_page(read_schedules(known)),
        "lessons.md": notes_page(known),
        "answers.md": answers_page(known),
    }
    out.mkdir(parents=True, exist_ok=True)
    for name, text in pages.items():
        with atomic_write(out / name) as temporary:
            temporary.write_text(text.rstrip() + "\n", encoding="utf-8")
    return [out / name for name in pages]


def main(argv: list[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m torchfakes_utils.course.kit", description=__doc__.split("\n")[0])
    parser.add_argument("out", nargs="?", type=Path, default=Path("docs/instructors"), help="where the pages go")
    for path in write_kit(parser.parse_args(argv).out):
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
