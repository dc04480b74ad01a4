"""Every lesson in a real JupyterLab: run all of it, move every control of every widget, see each picture change.

`make test` comes here after the notebooks, when their inputs are there (tests/conftest.py), and tries one lesson;
`make test-lab` tries all of them, which takes as long as running them all once more. A test alone is left out where the
inputs of its lesson have not been made; `make course` makes them.
"""

import os
from pathlib import Path

import nbformat
import pytest

from torchfakes_utils.course import build, folders, state
from torchfakes_utils.course.steps import STEPS

from helpers.browser import require_package
from helpers.jupyterlab import Notebook, server, this_checkout, without_outputs

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.timeout(1200)]

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
ALL = sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb"))
FEW = ["03_sharp_enough"]
NAMES = ALL if os.environ.get("TORCHFAKES_ALL_IN_JUPYTERLAB") else FEW


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """The address of a JupyterLab, and the folder it is over."""
    require_package("jupyterlab")
    folder = tmp_path_factory.mktemp("notebooks")
    with server(folder, tmp_path_factory.mktemp("server"), **this_checkout()) as address:
        yield address, folder


@pytest.mark.parametrize("name", NAMES)
def test_every_widget_of_a_lesson_answers(name, lab, chromium, record_property):
    lesson = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    _prepare(build.needed(lesson))
    address, folder = lab
    without_outputs(NOTEBOOKS / f"{name}.ipynb", folder)
    wanted = sum(cell.source.count("widgets.explore(") for cell in lesson.cells if cell.cell_type == "code")
    with chromium().new_context(viewport={"width": 1200, "height": 1000}) as context:
        notebook = Notebook(context.new_page(), address, f"{name}.ipynb")
        notebook.run_all(900)
        assert notebook.errors() == []
        found = notebook.explored()
        assert len(found) == wanted
        took = [(label, round(widget.move(label), 2)) for widget in found for label in widget.labels()]
        assert notebook.errors() == []
        notebook.close()
    record_property("seconds", took)
    print(name, took)


def _prepare(steps: list[str]) -> None:
    where = folders.paths()
    if os.environ.get("CI"):
        for step in steps:
            state.ensure(step, progress=False)
    elif missing := [step for step in steps if not state._stands(STEPS[step], where)]:
        pytest.skip(f"not made here: {', '.join(missing)}")
