"""A new lesson has the form of all others before anybody has written a word of it, and disturbs nothing."""

import importlib.util
import json
import re
import shutil
import sys
from pathlib import Path

import pytest
import yaml

from torchfakes_utils.cli import main
from torchfakes_utils.course import build, form, quizzes, scaffold
from torchfakes_utils.errors import InputError

ROOT = Path(__file__).parents[2]
TITLE = "Whose light is it?"


@pytest.fixture
def checkout(tmp_path):
    """What of a checkout a new lesson needs."""
    kept = ("README.md", "pyproject.toml", "docs/glossary.md", "torchfakes_utils/course/quizzes.yaml")
    for name in (*kept, *(path.relative_to(ROOT) for path in (ROOT / "torchfakes_utils/course").glob("lesson_*.py"))):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "notebooks" / "source").mkdir(parents=True)
    (tmp_path / "tests" / "course").mkdir(parents=True)
    return tmp_path


def files(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def loaded(path, name, monkeypatch):
    """A module from a file, as the package would have it."""
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, module)
    spec.loader.exec_module(module)
    return module


def test_it_has_the_form_of_a_lesson_and_its_tests_pass(checkout, monkeypatch):
    made = scaffold.new_lesson(TITLE, checkout)
    package = "torchfakes_utils.course"
    module = loaded(made.module, f"{package}.lesson_{made.number}", monkeypatch)
    monkeypatch.setattr(f"{package}.lesson_{made.number}", module, raising=False)
    assert form.problems(build.from_twin(made.twin)) == []
    tests = loaded(made.test, "test_of_it", monkeypatch)
    ran = [value() for name, value in vars(tests).items() if name.startswith("test_")]
    assert len(ran) == len(form.exercises(build.from_twin(made.twin))) == 2


def test_it_comes_after_the_last_one_and_has_a_quiz_and_a_row(checkout):
    before = files(checkout)
    made = scaffold.new_lesson(TITLE, checkout)
    numbers = [path.stem[:2] for path in (ROOT / "notebooks" / "source").glob("*.py")]
    assert made.number == f"{int(max(numbers)) + 1:02d}" and made.twin.name == f"{made.number}_whose_light_is_it.py"
    asked = yaml.safe_load((checkout / "torchfakes_utils/course/quizzes.yaml").read_text())
    assert [*asked][-1] == made.number and len(asked[made.number]) == 3
    rows = re.findall(r"^\| (\d\d[a-z]?) \| \[(.*?)\]", (checkout / "README.md").read_text(), re.MULTILINE)
    assert rows[-1] == (made.number, TITLE)
    assert all(len(line) <= 120 for file in (made.module, made.test) for line in file.read_text().splitlines())
    changed = {name for name, content in files(checkout).items() if before.get(name) != content}
    new = {path.relative_to(checkout) for path in (made.twin, made.module, made.test, *made.changed)}
    assert changed == new


def test_two_lessons_have_two_numbers(checkout):
    first, second = (scaffold.new_lesson(title, checkout) for title in (TITLE, TITLE))
    assert int(second.number) == int(first.number) + 1


def test_its_questions_have_the_form_of_all(checkout, monkeypatch):
    made = scaffold.new_lesson(TITLE, checkout)
    asked = yaml.safe_load((checkout / "torchfakes_utils/course/quizzes.yaml").read_text())
    monkeypatch.setattr(quizzes, "lessons", lambda: [*asked])
    assert quizzes.problems(asked) == [] and made.number in asked


@pytest.mark.parametrize("title", ["", "?!", "a | b", "two\nlines"])
def test_a_title_that_is_none_writes_nothing(checkout, title):
    before = files(checkout)
    with pytest.raises(InputError, match="no title"):
        scaffold.new_lesson(title, checkout)
    assert files(checkout) == before


@pytest.mark.parametrize("missing", ["README.md", "torchfakes_utils/course/quizzes.yaml", "table"])
def test_outside_of_a_checkout_nothing_is_written(checkout, missing):
    if missing == "table":
        (checkout / "README.md").write_text("# No lessons\n")
    else:
        (checkout / missing).unlink()
    before = files(checkout)
    with pytest.raises(InputError, match="checkout|table"):
        scaffold.new_lesson(TITLE, checkout)
    assert files(checkout) == before


def test_the_command_says_what_to_do_next(checkout, monkeypatch, capsys):
    monkeypatch.setenv("TORCHFAKES_HOME", str(checkout))
    assert main.main(["course", "new", *TITLE.split()]) == 0
    lines = capsys.readouterr().out
    assert "_whose_light_is_it.py" in lines
    assert "make notebooks NAMES=" in lines
    assert main.main(["course", "new", TITLE, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["twin"].endswith("_whose_light_is_it.py")
    assert main.main(["course", "new"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
