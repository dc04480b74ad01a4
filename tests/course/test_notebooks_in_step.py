"""The notebooks are what their text twins make of them, have been run, and tell nothing about who ran them."""

import re
from pathlib import Path

import nbformat
import pytest

from torchfakes_utils.course import build, prose
from torchfakes_utils.course.colab import SETUP_CELL, badge

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
NAMES = sorted({path.stem for path in [*NOTEBOOKS.glob("*.ipynb"), *(NOTEBOOKS / "source").glob("*.py")]})


def load(name: str) -> nbformat.NotebookNode:
    return nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)


@pytest.mark.parametrize("name", NAMES)
def test_notebook_matches_its_twin(name):
    twin = NOTEBOOKS / "source" / f"{name}.py"
    assert twin.is_file(), f"{name}.ipynb has no text twin"
    assert (NOTEBOOKS / f"{name}.ipynb").is_file(), f"{twin.name} has no notebook: make notebooks"
    found = build.differences(build.from_twin(twin), load(name))
    assert not found, f"make notebooks NAMES={name}: {found[0]}"


@pytest.mark.parametrize("name", NAMES)
def test_notebook_is_valid_and_carries_no_noise(name):
    notebook = load(name)
    nbformat.validate(notebook)
    assert notebook.metadata == build.from_twin(NOTEBOOKS / "source" / f"{name}.py").metadata
    assert all(set(cell.metadata) <= {"tags", prose.KEY} for cell in notebook.cells)
    ids = [cell.id for cell in notebook.cells]
    build.name_cells(notebook)
    assert ids == [cell.id for cell in notebook.cells]


@pytest.mark.parametrize("name", NAMES)
def test_outputs_are_there_and_fit_to_publish(name):
    notebook = load(name)
    build.check(notebook, (NOTEBOOKS / f"{name}.ipynb").stat().st_size, Path(name))
    for index, cell in enumerate(notebook.cells):
        # nbval compares nothing, and says nothing, where a checked cell has no output.
        if "nbval-check-output" in cell.metadata.get("tags", []):
            assert cell.outputs, f"cell {index} is to be checked and has no output"
            readable = [text for output in cell.outputs for text in build.texts(output)]
            assert any(text.strip() for text in readable), f"cell {index} is to be checked and shows no text"


@pytest.mark.parametrize("name", NAMES)
def test_lesson_begins_as_all_do(name):
    cells = load(name).cells
    assert cells[0].cell_type == "markdown" and cells[0].source.startswith("# ")
    assert any(badge(name) in cell.source for cell in cells[:2]), "the badge for Colab, as colab.badge() gives it"
    first = next(cell for cell in cells if cell.cell_type == "code")
    assert first.source.strip() == SETUP_CELL, "the set-up cell is colab.SETUP_CELL, to the letter"


def test_a_lesson_names_no_place_of_one_machine():
    for path in (NOTEBOOKS / "source").glob("*.py"):
        found = build.MACHINE_PATH.search(path.read_text())
        assert not found or found[0].startswith("/content"), f"{path.name}: {found[0]}"


@pytest.mark.parametrize("name", NAMES)
def test_every_figure_is_shown_and_says_what_it_shows(name):
    for index, cell in enumerate(load(name).cells):
        for output in cell.get("outputs", []):
            pictures = {"image/png", "image/jpeg"} & set(output.get("data", {}))
            for kind in pictures:
                assert output.metadata.get(kind, {}).get("alt", "").strip(), f"cell {index}: a picture without alt text"
            # A figure that the notebook's backend does not know is saved as its words alone.
            known = {kind for kind in output.get("metadata", {}) if kind.startswith("image/")}
            assert known <= pictures, f"cell {index}: a figure without its picture"
            assert not output.get("data", {}).get("text/plain", "").startswith("<Figure"), f"cell {index}"
        if cell.cell_type == "markdown":
            assert not re.search(r"!\[\s*\]\(|<img(?![^>]*\balt=\"[^\"]+\")", cell.source), f"cell {index}: no alt text"
