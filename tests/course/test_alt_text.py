"""Every figure says what it shows: in the notebook, in its metadata, and on the page."""

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
from bs4 import BeautifulSoup
from matplotlib.figure import Figure

from torchfakes_utils.course import alt_text, build, pages, plots, runner

from helpers.lessons import twin

MISSING = "No description has been provided for this image"
SET_UP = """\
import matplotlib.pyplot as plt
import skimage.data
from torchfakes_utils.course import plots, widgets
plots.use_style()
face = skimage.data.astronaut()[:256, 96:352]

def bars(size):
    figure, ax = plt.subplots()
    ax.bar(["real", "fake"], [size, 10])
    ax.set(title=f"{size} of them", ylabel="crops")
    return plots.finish(figure)
"""
CELLS = {
    """plt.subplots()[1].set(title='By "itself" & <b>', xlabel="x");""": 'By "itself" & <b>: drawing over x.',
    "plots.images([face] * 4, list('abcd'), title='One face')": "One face: 4 pictures (a, b, c, d).",
    "plots.images([skimage.data.astronaut()], inches=4, alt='Nothing to be seen.')": "Nothing to be seen.",
    "widgets.explore(bars, size=(1, 9, 1))":
        "At size 1: 1 of them: chart of crops (real, fake). At size 9: 9 of them: chart of crops (real, fake).",
    "widgets.with_picture(widgets.ipywidgets.HTML(), bars(3))": "3 of them: chart of crops (real, fake).",
}  # fmt: skip


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A lesson of every way to show a figure."""
    folder = tmp_path_factory.mktemp("alt") / "notebooks"
    (folder / "source").mkdir(parents=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TORCHFAKES_HOME", str(folder.parent))
        (folder / "source" / "01_figures.py").write_text(twin(SET_UP, *CELLS))
        (made,) = build.build(folder)
    return nbformat.read(made, as_version=4)


@pytest.mark.slow
def test_a_built_notebook_has_the_alt_text_of_each_figure(built):
    kinds = set()
    for cell, alt in zip(built.cells[1:], CELLS.values(), strict=True):
        (output,) = cell.outputs
        (kind,) = {"image/png", "image/jpeg"} & set(output.data)
        assert output.metadata == {kind: {"alt": alt}}
        assert output.data["text/plain"].removesuffix(" (interactive: run this cell)") == alt
        kinds.add(kind)
    assert len(kinds) == 2  # it stays with a picture that became a JPEG


@pytest.mark.slow
def test_the_page_has_it_too(built, tmp_path):
    page = runner._page(built, "Figures", tmp_path)
    pictures = BeautifulSoup(page, "html.parser").select("img")
    assert [picture["alt"] for picture in pictures] == list(CELLS.values()) and MISSING not in page
    assert all(picture["src"].startswith("data:image/") for picture in pictures)
    bare, _ = pages.PageExporter().from_notebook_node(_without_metadata(built))
    assert MISSING in bare  # what stands there comes from the notebook


def _without_metadata(notebook):
    bare = nbformat.from_dict(notebook)
    for cell in bare.cells:
        for output in cell.outputs:
            output.metadata = nbformat.NotebookNode()
    return bare


def described(**how) -> str:
    figure = Figure()
    ax = figure.subplots()
    ax.plot([0, 1], [1, 0], label=how.pop("line", None))
    ax.set(**how)
    return alt_text.describe(figure)


def test_a_chart_is_its_title_axes_and_names():
    said = described(title="Loss falls", xlabel="epoch", ylabel="loss", line="training")
    assert said == "Loss falls: chart of loss against epoch (training)."
    assert described(title="Does it fall?", xlabel="epoch") == "Does it fall? Chart over epoch."
    assert described() == "Chart." and alt_text.describe(Figure()) == "A figure without words."
    assert described(xlabel="$\\mathdefault{P}(fake)$") == "Chart over P(fake)."


def test_names_come_from_legends_lines_bars_and_texts_once_each_and_not_too_many():
    figure = Figure()
    left, right = figure.subplots(1, 2)
    plots.curves(left, [0, 1], {"real": [1, 2], "fake": [2, 1]})
    right.barh(["phone", "laptop"], [1, 2])
    right.text(0, 0, "1.5")
    right.set_title("Speed")
    figure.suptitle("Two\npanels")
    figure.colorbar(left.scatter([0], [0], c=[1]), ax=left)
    assert alt_text.describe(figure) == "Two panels: chart (real, fake); Speed, chart (phone, laptop)."
    many = Figure()
    many.subplots().bar([f"b{n}" for n in range(20)], range(20))
    assert alt_text.describe(many).endswith("b10, b11, and 8 more).")


def test_what_somebody_says_goes_before():
    picture = np.zeros((4, 4), np.uint8)
    figure = plots.images([picture] * 2, ["a", "b"], title="Black", alt="Two black\n squares.")
    assert alt_text.of(figure) == "Two black squares."
    assert alt_text.of(plots.images([picture] * 2, ["a", "b"], title="Black")) == "Black: 2 pictures (a, b)."
    assert alt_text.of(plots.images([picture])) == "A picture."
    figure, ax = plt.subplots()
    ax.axis("off")
    ax.text(0, 0, "a box")
    assert alt_text.of(plots.finish(figure)) == "Drawing (a box)."
    assert alt_text.of(plots.finish(figure, alt="A box.")) == "A box."
