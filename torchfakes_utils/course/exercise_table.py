"""What learners see for each answer that an exercise knows: a table in Markdown, for docs and reviewers.

python -m torchfakes_utils.course.exercise_table [lessons, such as 03]
"""

import argparse
import importlib
import sys
from collections.abc import Sequence

from torchfakes_utils.course.folders import lessons
from torchfakes_utils.course.practice import Exercise, judge


def table(exercises: Sequence[Exercise]) -> str:
    """Stub, solution and each mistake of the exercises, and the line that a learner sees for it.

    Returns:
        A table in Markdown.
    """
    lines = ["| exercise | answer | what the learner sees |", "|---|---|---|"]
    for exercise in exercises:
        title = f"`{exercise.name}`: {exercise.title} ({exercise.minutes} min, {'★' * exercise.difficulty})"
        answers = {"the stub": lambda *_: None, "the solution": exercise.reference}
        answers |= {f"mistake {number}": mistake for number, mistake in enumerate(exercise.wrong.values(), 1)}
        for name, answer in answers.items():
            lines.append(f"| {_cell(title)} | {name} | {_cell(judge(exercise, answer).text)} |")
            title = ""
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def found(lesson: str) -> list[Exercise]:
    """The exercises that a lesson's module describes, in their order there.

    Args:
        lesson: its number, such as "03" or "06b".
    """
    module = importlib.import_module(f"torchfakes_utils.course.lesson_{lesson}")
    return [thing for thing in vars(module).values() if isinstance(thing, Exercise)]


def main(argv: list[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m torchfakes_utils.course.exercise_table", description=__doc__.split("\n")[0]
    )
    parser.add_argument("lessons", nargs="*", help="some only, such as 03; all by default")
    options = parser.parse_args(argv)
    if unknown := [name for name in options.lessons if name not in lessons()]:
        print(f"exercise_table: no lesson {unknown[0]}; there are {', '.join(lessons())}", file=sys.stderr)
        return 2
    for name in options.lessons or lessons():
        if exercises := found(name):
            print(f"## Lesson {name}\n\n{table(exercises)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
