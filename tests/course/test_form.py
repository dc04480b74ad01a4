"""Lengths are counted, and what the form of a lesson lacks is told."""

import re
import sys
import types
from pathlib import Path

import pytest

from torchfakes_utils.course import build, form, lengths
from torchfakes_utils.course.practice import Exercise

from helpers import lessons

TWINS = sorted((Path(__file__).parents[2] / "notebooks" / "source").glob("*.py"))

README = (TWINS[0].parents[2] / "README.md").read_text(encoding="utf-8")

HEADER = """# # 03 · Sharp
#
# - **Time:** about 5 min to read, 10 min of exercises, 20 s to run on two CPU cores."""
TASK = """# # Look
#
# ### Your turn · Sharpness by hand
#
# *5 min, difficulty 1 of 3.* Four neighbours."""
STUB = """def laplacian(grey):
    \"\"\"(H, W) to (H, W).\"\"\"
    # your code here


course.check(lesson_03.LAPLACIAN, laplacian)
laplacian = course.yours(lesson_03.LAPLACIAN, laplacian)"""


def notebook(tmp_path, *cells):
    path = tmp_path / "03_sharp.py"
    path.write_text(lessons.twin(*cells))
    return build.from_twin(path)


def test_words_are_those_outside_folds_links_and_conditions(tmp_path):
    text = (
        "# # One two <!-- holds: a > b -->[three](../four.md) {= five : .2f =}\n"
        "#\n# <details><summary>six</summary>\n#\n# seven eight\n#\n# </details>"
    )
    assert lengths.words(notebook(tmp_path, text)) == 4


def test_lines_are_those_of_given_code(tmp_path):
    given = "import numpy\n\n# a remark\nprint(\n    1\n)"
    assert lengths.lines(notebook(tmp_path, given, STUB)) == 3


def test_minutes_of_exercises_are_those_of_their_headings_and_of_the_quiz(tmp_path):
    asked = notebook(tmp_path, HEADER, TASK, STUB)
    assert lengths.tasks(asked) == [lengths.Task("Sharpness by hand", 5, 1)]
    assert lengths.length(asked).exercises == 5
    with_quiz = notebook(tmp_path, HEADER, TASK, STUB, 'course.quiz("03")')
    assert lengths.length(with_quiz) == lengths.Length(5, 10) == lengths.stated(with_quiz)


def test_reading_is_rounded_up_to_five_minutes(tmp_path):
    assert lengths.length(notebook(tmp_path, "# # " + "word " * 1000)).reading == 5
    assert lengths.length(notebook(tmp_path, "# # " + "word " * 1001)).reading == 10
    assert lengths.length(notebook(tmp_path, "print(1)\n" * 51)).reading == 10


@pytest.mark.parametrize(
    ("part", "cells"),
    [
        ("header is to say: - **Time:** about 5 min to read, 0 min", [HEADER]),
        ("no section “## Quiz”", [HEADER]),
        ("no fold for teachers", [HEADER]),
        ("“Predict first” is left over", ["# # **Predict first.** What?"]),
        ("0 predictions", [HEADER]),
        ("`guess` has no answer", ['guess = course.predict("?", 0, 1)']),
        ("its name is used twice", ['guess = course.predict("?", 0, 1)\n' * 2 + "guess.answer(1)"]),
        ("does not say “*5 min", ["# # Look\n#\n# ### Your turn · Look closely"]),
        ("1 exercises under", [TASK]),
        ("0 exercises with course.check", [HEADER]),
        ("does not close with", ["# # Title\n#\n# ## Recap\n#\n# It was fine."]),
    ],
)  # fmt: skip
def test_what_is_missing_is_told(tmp_path, part, cells):
    assert [line for line in form.problems(notebook(tmp_path, *cells)) if part in line]


def with_solution(tmp_path, monkeypatch, lines, minutes=5):
    """A lesson whose module knows one exercise, and whose fold holds these lines."""
    module = types.ModuleType("torchfakes_utils.course.lesson_99")
    module.DOUBLE = Exercise(
        "double", "Twice", minutes, 1, lambda x: 2 * x, lambda g: [(g.random(),) for _ in range(3)]
    )
    monkeypatch.setitem(sys.modules, module.__name__, module)
    task = "# # Look\n#\n# ### Your turn · Twice\n#\n# *5 min, difficulty 1 of 3.* Double it."
    stub = 'import math\n\n\ndef double(x):\n    """2 x."""\n    # your code here\n\n\n'
    stub += "course.check(lesson_99.DOUBLE, double)"
    fold = f"# # Look\n#\n# <details><summary>A solution</summary>\n#\n# ```python\n{lines}\n# ```\n#\n# </details>"
    taken = "double = course.yours(lesson_99.DOUBLE, double)"
    return [line for line in form.problems(notebook(tmp_path, task, stub, taken, fold)) if "`double`" in line]


def test_a_folded_solution_is_tried_with_the_imports_of_the_lesson(tmp_path, monkeypatch):
    assert not with_solution(tmp_path, monkeypatch, "# def double(x):\n#     return math.fsum([x, x])")
    found = with_solution(tmp_path, monkeypatch, "# def double(x):\n#     return 3 * x")
    assert len(found) == 1 and "the folded solution is not right: Not yet" in found[0]
    assert "no solution folds open" in with_solution(tmp_path, monkeypatch, "# 2 + 2")[0]


def test_a_heading_states_what_its_exercise_says(tmp_path, monkeypatch):
    found = with_solution(tmp_path, monkeypatch, "# def double(x):\n#     return 2 * x", minutes=8)
    assert len(found) == 1 and "no heading says Task(title='Twice', minutes=8" in found[0]


@pytest.mark.parametrize("twin", [twin for twin in TWINS if "capstone" not in twin.stem], ids=lambda twin: twin.stem)
def test_a_lesson_has_the_form_of_all(twin):
    """Minutes as counted, exercises with a solution that is right, predictions with an answer."""
    assert form.problems(build.from_twin(twin)) == []


@pytest.mark.parametrize("twin", TWINS, ids=lambda twin: twin.stem)
def test_the_readme_lists_each_lesson_with_its_minutes(twin):
    notebook = build.from_twin(twin)
    row = re.search(rf"^\|[^|]*\| \[[^|]*\({'notebooks/' + twin.stem}\.ipynb\) \|(.*)$", README, re.MULTILINE)
    assert row, f"the README's table of lessons lacks {twin.stem}"
    _, reading, exercises, running, *_ = (cell.strip() for cell in row[1].split("|"))
    if stated := lengths.stated(notebook):
        assert (int(reading), int(exercises)) == (stated.reading, stated.exercises)
        seconds = re.search(r"(\d+) s to run", notebook.cells[0].source)
        assert float(running) == round(int(seconds[1]) / 60, 1)


def test_a_command_that_finds_something_missing_says_so(capsys):
    assert form.main(["no such lesson"]) == 2
    assert "no such lesson" in capsys.readouterr().err
