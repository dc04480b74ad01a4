"""Numbers in prose come from the run, statements are true in it, and a notebook still belongs to its twin."""

import json

import nbformat
import numpy as np
import pytest
import torch
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from torchfakes_utils.course import build, filling, prose, runner
from torchfakes_utils.course.prose import Marks, Value
from torchfakes_utils.errors import InputError

from helpers.lessons import twin

COMPUTED = "auc, by_clip, by_frame, word, nothing = 0.9162, 0.8, 0.7, 'rises', float('nan')"
TEXT = (
    "# # 01 · Prose\n#\n# It gets {= auc : .2f =} of pairs, {= 1 - auc : .0 % =} wrong.\n"
    "# <!-- holds: auc > 0.9 -->\n# The curve {= word =}. <!-- holds: by_clip\n# > by_frame -->"
)
FILLED = "# 01 · Prose\n\nIt gets 0.92 of pairs, 8 % wrong.\nThe curve rises."


@pytest.fixture
def lesson(home):
    """Writes the twin of a lesson of these cells and says in which folder the notebooks are."""

    def write(*cells):
        folder = home / "notebooks"
        (folder / "source").mkdir(parents=True, exist_ok=True)
        (folder / "source" / "01_prose.py").write_text(twin(*cells))
        return folder

    return write


# --- what is a mark


@pytest.mark.parametrize(
    "text",
    [
        r"$\frac{{a}}{b}$, $x{=}y$, $\stackrel{=}{a}$",
        "`f'{x=}'`, `f'{x = }'`, `{{ jinja }}`, `{% if %}`, `{a: b}`, `{'a' : 1}`",
        "<!-- a comment --> <!-- what it upholds: nothing -->",
        "a = b, a => b, {=html}",
    ],
)
def test_formulas_and_code_are_no_marks(text):
    assert not prose.read(text) and prose.filled(text, []) == text and prose.fits(text, text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{= a =}", Value("a")),
        ("{= a : .2f =}", Value("a", ".2f")),
        ("{= a / b\n: .0 % =}", Value("a / b", ".0 %")),
        ("{= a[b : c] =}", Value("a[b : c]")),
        ("{= a[b : c].mean() : .1f =}", Value("a[b : c].mean()", ".1f")),
        ("{= {'a' : 1}['a'] : d =}", Value("{'a' : 1}['a']", "d")),
        ("{= (lambda a : a)(1) =}", Value("(lambda a : a)(1)")),
        ("{= 'up' if a > b else 'down' =}", Value("'up' if a > b else 'down'")),
        ("{= a == b =}", Value("a == b")),
    ],
)
def test_a_value_and_its_format(text, value):
    assert prose.read(f"before {text} behind") == Marks((value,), ())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("It is {= auc : .2f, which is good.", "half a mark in “It is {= auc : .2f, which"),
        ("It is auc =} good.", "half a mark"),
        ("{= a {= b =}", "is no expression"),
        ("{= a =} and {= b", "half a mark in “and {= b”"),
        ("{= two words : .2f =}", "`{= two words : .2f =}` is no expression of Python"),
        ("{=  =}", "no expression"),
        ("<!-- holds: a > -->", "`a >` is no expression"),
        ("<!-- holds: a > b", "half a mark"),
        ("<!-- holds a > b -->", "half a mark"),
        ("<!-- hold: a > b -->", "half a mark"),
        ("<!-- holds: a = b -->", "`a = b` is no expression"),
    ],
)
def test_half_a_mark_is_named(text, said):
    with pytest.raises(ValueError, match="mark|expression") as caught:
        prose.read(text)
    assert said in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "readable"),
    [
        ("A. <!-- holds: a -->\nB.", "A.\nB."),
        ("A.\n<!-- holds: a -->\nB.", "A.\nB."),
        ("A.\n<!-- holds: a --> <!-- holds: b -->\nB.", "A.\nB."),
        ("A <!-- holds: a\n and b --> and B.", "A and B."),
        ("A.\n\n<!-- holds: a -->", "A."),
        ("<!-- holds: a -->\nA.", "A."),
        ("| a | <!-- holds: a -->\n|---|", "| a |\n|---|"),
    ],
)
def test_a_condition_leaves_no_gap(text, readable):
    assert prose.filled(text, []) == readable and prose.fits(text, readable)


def test_a_filled_text_fits_its_template_only():
    text = "a {= b =} c.d {= e =} <!-- holds: f -->"
    assert prose.fits(text, "a 1 c.d 2")
    for other in (text, "a 1 cxd 2", "a 1 c.d ", "a 1 c.d 2\nmore", "b 1 c.d 2", "a {= b =} c.d 2"):
        assert not prose.fits(text, other)


# --- what a value is


@pytest.mark.parametrize(
    ("value", "form", "text"),
    [
        (0.9162, ".2f", "0.92"), (0.9162, ".0 %", "92 %"), (0.9162, ".1%", "91.6%"), (12345, ",", "12,345"),
        (3, "", "3"), ("rises", "", "rises"), (np.float32(0.5), ".1f", "0.5"), (np.int64(4), "", "4"),
        (torch.tensor([0.25]), ".2f", "0.25"), (-0.001, ".2f", "0.00"), (-0.001, ".0 %", "0 %"), (-0.5, ".1f", "-0.5"),
    ],
)  # fmt: skip
def test_said(value, form, text):
    assert prose.said(value, form) == text


@pytest.mark.parametrize(
    ("value", "form", "message"),
    [
        (float("nan"), ".2f", "it is nan"), (np.float32("inf"), "", "it is inf"),
        (0.1 + 0.2, "", "say how it is written"),
        (np.ones(3), ".2f", "it is [1, 1, 1], not one value"), (torch.ones(2, 2), "", "an array of shape (2, 2)"),
        (None, "", "it is None"), (True, "", "neither a number nor a text"), ("", "", "it is ''"),
        ("a\nb", "", "one line of text"), ("a", ".2f", "format code"), ([1], "", "it is [1]"),
    ],
)  # fmt: skip
def test_nothing_to_be_said(value, form, message):
    with pytest.raises((TypeError, ValueError)) as caught:
        prose.said(value, form)
    assert message in str(caught.value)


def test_only_true_is_true():
    for value in (True, np.True_, torch.tensor(3) > 2):
        assert prose.truth(value) is True
    for value in (1, "yes", np.array([True, True]), None, 0.3):
        with pytest.raises(TypeError, match="neither True nor False"):
            prose.truth(value)


# --- in a kernel


def run(*cells):
    """A notebook of these cells, Markdown where they begin with "#", after a run."""
    kinds = [new_markdown_cell if cell.startswith("#") else new_code_cell for cell in cells]
    notebook = new_notebook(cells=[make(cell) for make, cell in zip(kinds, cells, strict=True)])
    client = filling.FillingClient(notebook, kernel_name="python3", timeout=60)
    client.execute(env=build._environment())
    return notebook, client.problems


@pytest.mark.slow
def test_all_that_goes_wrong_is_said_and_the_run_goes_on(monkeypatch):
    monkeypatch.setattr(filling, "SECONDS", 8)  # long enough for the others on a busy machine
    notebook, problems = run(
        COMPUTED + "\nimport time, numpy as np",
        "# {= later : .2f =}",
        "# {= nothing : .2f =} and {= 1 / 0 =}",
        "# <!-- holds: by_clip < by_frame --> <!-- holds: nothing > 0 -->",
        "# <!-- holds: np.ones(2) > 0 --> <!-- holds: missing -->",
        "# {= half",
        "# fine: {= [value for value in (auc, by_clip) if value > by_frame][0] : .4f =} {= print('aside') or word =}",
        "later = 1\nlater",
        "# <!-- holds: time.sleep(12) or True -->",
        "later + 1",
        "# {= later =}",
    )
    assert problems == [
        "cell 1: `{= later : .2f =}`: NameError: name 'later' is not defined",
        "cell 2: `{= nothing : .2f =}`: ValueError: it is nan",
        "cell 2: `{= 1 / 0 =}`: ZeroDivisionError: division by zero",
        "cell 3: `by_clip < by_frame` does not hold",
        "cell 3: `nothing > 0` does not hold",
        "cell 4: `np.ones(2) > 0`: TypeError: it is [True, True], neither True nor False",
        "cell 4: `missing`: NameError: name 'missing' is not defined",
        "cell 5: half a mark in “# {= half”: write {= expression : format =} or <!-- holds: expression -->",
        problems[8],
    ]
    assert problems[8].startswith("cell 8: no answer after 8 s to ") and "time.sleep" in problems[8]
    assert notebook.cells[1].source == "# {= later : .2f =}" and not notebook.cells[1].metadata
    assert notebook.cells[6].source == "# fine: 0.9162 rises"
    # What is evaluated takes no number, and leaves no output.
    assert [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"] == [1, 2, 3]
    assert [len(cell.outputs) for cell in notebook.cells if cell.cell_type == "code"] == [0, 1, 1]
    assert notebook.cells[10].source == "# 1"


@pytest.mark.slow
def test_a_notebook_is_filled_in_and_belongs_to_its_twin(lesson, home):
    folder = lesson(COMPUTED, TEXT, "print(2)")
    (target,) = build.build(folder)
    notebook = nbformat.read(target, as_version=4)
    nbformat.validate(notebook)
    assert [cell.source for cell in notebook.cells] == [COMPUTED, FILLED, "print(2)"]
    assert notebook.cells[1].metadata.keys() == {prose.KEY}
    made = build.from_twin(folder / "source" / "01_prose.py")
    assert [cell.id for cell in made.cells] == [cell.id for cell in notebook.cells]
    assert build.build(folder) == []

    # Another outcome, another number: the ids stay, and the twin's words do not change.
    lesson(COMPUTED.replace("0.9162", "0.95"), TEXT, "print(2)")
    build.build(folder)
    again = nbformat.read(target, as_version=4)
    assert "0.95 of pairs, 5 % wrong" in again.cells[1].source
    assert [cell.id for cell in again.cells][1:] == [cell.id for cell in notebook.cells][1:]

    # A number changed by hand still fits; a word does not, and neither does what nobody filled.
    made = build.from_twin(folder / "source" / "01_prose.py")
    again.cells[1].source = again.cells[1].source.replace("wrong", "right")
    assert build.differences(made, again)[0].startswith("cell 1: not filled in as its twin says: '# 01")
    again.cells[1].source, again.cells[1].metadata = made.cells[1].source, {}
    assert build.differences(made, again)[0].startswith("cell 1: not filled in")
    made.cells[1].source += "!"
    assert build.differences(made, again) == [f"cell 1: another source: {made.cells[1].source[:60]!r}"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{= later =}", r"01_prose\.py, cell 1: `\{= later =\}`: NameError: name 'later' is not defined$"),
        ("<!-- holds: auc > 0.95 -->", r"01_prose\.py, cell 1: `auc > 0\.95` does not hold$"),
        ("<!-- holds: auc > 1 --> {= nothing : d =}", r"it is nan; cell 1: `auc > 1` does not hold$"),
    ],
)
def test_a_lesson_that_lies_is_not_built(lesson, text, message):
    folder = lesson(COMPUTED, f"# # 01\n#\n# {text}")
    with pytest.raises(InputError, match=message):
        build.build(folder)
    assert not (folder / "01_prose.ipynb").exists()


def test_half_a_mark_is_refused_before_anything_runs(lesson, monkeypatch):
    monkeypatch.setattr(build, "execute", None)
    folder = lesson(COMPUTED, "# # 01\n#\n# It gets {= auc : .2f of pairs.")
    with pytest.raises(InputError, match=r"01_prose\.py, cell 1: half a mark in “.*auc : \.2f of pairs\.”"):
        build.build(folder)


@pytest.mark.slow
def test_another_run_fills_in_its_own_numbers_and_says_what_is_not_true_there(lesson, home, capsys):
    folder = lesson("import os\nauc = float(os.environ.get('AUC', '0.95'))", "# # 01\n#\n# {= auc : .2f =}.",
                    "# # 02\n#\n# A good one. <!-- holds: auc > 0.9 -->")  # fmt: skip
    build.build(folder)
    before = (folder / "01_prose.ipynb").read_bytes()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUC", "0.5")
        assert runner.run(folder, home / "out") == 0  # other data, another outcome: no fault of who runs it
    assert "0.50." in (home / "out" / "01_prose.html").read_text()
    assert (folder / "01_prose.ipynb").read_bytes() == before
    said = "cell 2: `auc > 0.9` does not hold"
    assert json.loads((home / "out" / "report.json").read_text())["notebooks"]["01_prose"]["untrue"] == [said]
    assert said in capsys.readouterr().out
    assert "not true here" in (home / "out" / "index.html").read_text()


def test_nothing_between_two_conditions_is_lost():
    text = "One.\n<!-- holds: a > b --> Of {= c =} before,\n{= d =} are left.\n<!-- holds: c > d -->\n\nEnd."
    assert prose.filled(text, ["30", "20"]) == "One.\n Of 30 before,\n20 are left.\n\nEnd."
