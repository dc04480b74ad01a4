"""How a lesson begins, and what a kernel says of names that are not there: in a real kernel."""

from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

BEGIN = "from torchfakes_utils import course\ncourse.begin()"
CELLS = [
    BEGIN,
    "missing + 1",  # a cell above was not run
    "def inner():\n    return absent\ninner()",  # the name is missing in a function
    "def written():\n    return 1\nwriten()",  # a slip
    BEGIN,  # once more
    "missing + 1",
    "1 / 0",  # other exceptions are as ever
    "missing = 1; missing",
]


@pytest.fixture(scope="module")
def errors() -> list[Any]:
    """What each cell showed as an error, None where it ran."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    NotebookClient(notebook, kernel_name="python3", allow_errors=True, timeout=120).execute()
    return [next((output for output in cell.outputs if output.output_type == "error"), None) for cell in notebook.cells]


def test_a_name_that_no_cell_has_made_yet_is_told_in_one_line(errors: list[Any]) -> None:
    for error in (errors[1], errors[5]):
        assert error.ename == "NameError"  # and the cell has failed, so that "run all" ends there
        (line,) = error.traceback
        assert line.startswith("NameError: name 'missing' is not defined. If a cell further up makes it, run that")
        assert "\n" not in line


def test_the_way_to_a_name_within_a_function_is_shown(errors: list[Any]) -> None:
    text = "\n".join(errors[2].traceback)
    assert "absent" in text
    assert "inner()" in text
    assert "Run All Above" not in text


def test_a_slip_is_thought_of(errors: list[Any]) -> None:
    assert "Otherwise look at the spelling" in errors[3].traceback[0]


def test_beginning_twice_and_other_errors_are_as_ever(errors: list[Any]) -> None:
    assert errors[0] is None
    assert errors[4] is None
    assert errors[6].ename == "ZeroDivisionError"
    assert len(errors[6].traceback) > 1
    assert errors[7] is None
