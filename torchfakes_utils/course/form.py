"""The form of a lesson, and what of it a text twin lacks: exercises with folded solutions, predictions with answers.

A lesson's exercise is looked at as learners meet it: its heading states what its `Exercise` says, its stub is tried by
`check` and `yours`, and the solution that folds open is right.
"""

import ast
import importlib
import re
from collections.abc import Iterator
from typing import Any

from nbformat import NotebookNode

from torchfakes_utils.course import lengths, practice, prose
from torchfakes_utils.course.practice import MARK, Exercise, State

MOST_PREDICTIONS = 6
FEWEST_TASKS, MOST_TASKS = 2, 4
SECTIONS = ("Open challenge", "Quiz", "Misconceptions", "Recap", "Sources")
LAST_OF_RECAP = "**What this would have told the team.**"
TEACHERS = "<details><summary>For whoever teaches this</summary>"
UNDONE = ("Predict first", "later edition", "in preparation")

_SOLUTION = re.compile(r"<details><summary>A solution</summary>\s*```python\n(.*?)```\s*</details>", re.DOTALL)


def problems(notebook: NotebookNode) -> list[str]:
    """What the form of a lesson lacks, one line each.

    Args:
        notebook: as `build.from_twin` gives it.
    """
    return [*_time(notebook), *_sections(notebook), *_predictions(notebook), *_tasks(notebook), *_exercises(notebook)]


def _markdown(notebook: NotebookNode) -> str:
    return "\n\n".join(prose.template(cell) for cell in notebook.cells if cell.cell_type == "markdown")


def _code(notebook: NotebookNode) -> str:
    """All code as one module, without the lines that only IPython reads."""
    cells = (cell.source for cell in notebook.cells if cell.cell_type == "code")
    return "\n\n".join(re.sub(r"^(\s*)[%!].*$", r"\1pass", source, flags=re.MULTILINE) for source in cells)


def _time(notebook: NotebookNode) -> Iterator[str]:
    found, said = lengths.length(notebook), lengths.stated(notebook)
    if said != found:
        line = f"about {found.reading} min to read, {found.exercises} min of exercises, … s to run on two CPU cores."
        yield f"its header is to say: - **Time:** {line}"
    if found.reading > lengths.MOST_MINUTES or found.exercises > lengths.MOST_MINUTES:
        yield f"it is longer than {lengths.MOST_MINUTES} min of reading, or of exercises"


def _sections(notebook: NotebookNode) -> Iterator[str]:
    text = _markdown(notebook)
    for title in SECTIONS:
        if not re.search(rf"^## {title}$", text, re.MULTILINE):
            yield f"no section “## {title}”"
    if TEACHERS not in text:
        yield f"no fold for teachers: {TEACHERS}"
    recap = re.search(r"^## Recap\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    if recap and LAST_OF_RECAP not in recap[1].strip().rpartition("\n\n")[2]:
        yield f"the recap does not close with {LAST_OF_RECAP}"
    yield from (f"“{words}” is left over" for words in UNDONE if words in text)
    if not lengths.has_quiz(notebook):
        yield "no quiz"


def _predictions(notebook: NotebookNode) -> Iterator[str]:
    tree = ast.parse(_code(notebook))
    asked = [
        ast.unparse(node.targets[0])
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and _called(node.value) == "course.predict"
    ]
    if not 1 <= len(asked) <= MOST_PREDICTIONS:
        yield f"{len(asked)} predictions; one at least, {MOST_PREDICTIONS} at most"
    answered = {_called(node) for node in ast.walk(tree)}
    for name in asked:
        if asked.count(name) > 1 or f"{name}.answer" not in answered:
            yield f"the prediction `{name}` has no answer, or its name is used twice"


def _called(node: ast.AST) -> str:
    """The name of what is called, with its dots; "" for anything else."""
    return ast.unparse(node.func) if isinstance(node, ast.Call) else ""


def _tasks(notebook: NotebookNode) -> Iterator[str]:
    count = len(lengths.tasks(notebook))
    if not FEWEST_TASKS <= count <= MOST_TASKS:
        allowed = f"{FEWEST_TASKS} to {MOST_TASKS}"
        yield f"{count} exercises under “### Your turn · …” with minutes and difficulty; {allowed}"
    headings = len(re.findall(r"^### Your turn\b", _markdown(notebook), re.MULTILINE))
    if headings != count:
        yield "a “Your turn” does not say “*5 min, difficulty 1 of 3.*” two lines below its heading"


# --- the exercises that are checked


def _exercises(notebook: NotebookNode) -> Iterator[str]:
    found = exercises(notebook)
    if len(found) < FEWEST_TASKS:
        yield f"{len(found)} exercises with course.check; {FEWEST_TASKS} at least"
    tasks, code = lengths.tasks(notebook), _code(notebook)
    judged = dict(_solutions(notebook, found))
    for exercise in found:
        said = lengths.Task(exercise.title, exercise.minutes, exercise.difficulty)
        if said not in tasks:
            yield f"`{exercise.name}`: no heading says {said}"
        if not re.search(rf"^def {exercise.name}\(", code, re.MULTILINE):
            yield f"`{exercise.name}`: no stub"
        if exercise.name not in judged:
            yield f"`{exercise.name}`: no solution folds open, or it defines no function of that name"
        elif judged[exercise.name]:
            yield f"`{exercise.name}`: the folded solution is not right: {judged[exercise.name]}"
    if code.count(MARK) < len(found):
        yield f"fewer stubs with “# {MARK}” than exercises"
    if code.count("course.yours(") < len(found):
        yield "an exercise has no course.yours: what follows would need the learner's function"


def exercises(notebook: NotebookNode) -> list[Exercise]:
    """The exercises that a lesson checks, in its order."""
    tree, found = ast.parse(_code(notebook)), []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _called(node) == "course.check":
            module, _, name = ast.unparse(node.args[0]).rpartition(".")
            exercise = getattr(importlib.import_module(f"torchfakes_utils.course.{module}"), name)
            if exercise not in found:
                found.append(exercise)
    return found


def _solutions(notebook: NotebookNode, found: list[Exercise]) -> Iterator[tuple[str, str]]:
    """The name of each exercise that has a folded solution, and what is wrong with it; "" where it is right."""
    names: dict[str, Any] = {}
    lines = [node for node in ast.parse(_code(notebook)).body if isinstance(node, ast.Import | ast.ImportFrom)]
    exec("\n".join(map(ast.unparse, lines)), names)
    by_name = {exercise.name: exercise for exercise in found}
    for source in _SOLUTION.findall(_markdown(notebook)):
        exec(compile(source, "a folded solution", "exec"), names)
        for name in re.findall(r"^def (\w+)\(", source, re.MULTILINE):
            if name in by_name:
                verdict = practice.judge(by_name[name], names[name])
                yield name, "" if verdict.state is State.RIGHT else verdict.text
