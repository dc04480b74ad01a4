"""What learners touch, in a real JupyterLab: it answers, and nothing goes wrong in cells, widgets or page."""

import os
import shutil
from pathlib import Path

import nbformat
import pytest

from torchfakes_utils.course import build
from torchfakes_utils.course.predictions import VIEW

from helpers.browser import require_package
from helpers.jupyterlab import HANDLES, Notebook, server, this_checkout
from helpers.lessons import twin

pytestmark = [pytest.mark.slow, pytest.mark.browser]

CELLS = (
    """\
import ipywidgets
from torchfakes_utils import course
from torchfakes_utils.course import plots, practice, quizzes, widgets
import matplotlib.pyplot as plt

plots.use_style()

def bars(size, kind, hatched):
    if size == 7:
        raise ValueError("seven <is> too many")
    figure, ax = plt.subplots()
    ax.bar(["real", "fake"], [size, 10], hatch="//" * hatched)
    ax.set(title=f"{size} of {kind}", ylabel="crops")
    return plots.finish(figure)

def double(x):
    return 2 * x

DOUBLE = practice.Exercise("double", "Twice as much", minutes=1, difficulty=1, reference=double,
                           cases=lambda generator: [(generator.random(),) for _ in range(3)])
print(ipywidgets.__version__)""",
    "widgets.explore(bars, labels={'size': 'how many'}, size=(1, 9, 1, 5), kind=['faces', 'clips'], hatched=False)",
    "widgets.explore(bars, size=(1, 9, 1, 5), kind=['a'], hatched=True, states=[{'size': 2}, {}], alt='Bars.')",
    "number = course.predict('How many?', 0, 100)",
    "choice = course.predict('Which?', options=['the one', 'the other'])",
    "def double(x):\n    # your code here\n    ...\n\ncourse.check(DOUBLE, double)",
    "course.quiz('03')",
    "number.answer(42)\nchoice.answer('the one')",
)


@pytest.fixture(scope="module")
def lesson(tmp_path_factory):
    """The folder of a lesson with everything in it that can be touched; nothing has been run."""
    folder = tmp_path_factory.mktemp("lesson")
    (folder / "01_x.py").write_text(twin(*CELLS))
    nbformat.write(build.from_twin(folder / "01_x.py"), folder / "01_x.ipynb")
    return folder


@pytest.fixture(scope="module")
def lab(lesson, tmp_path_factory):
    require_package("jupyterlab")
    with server(lesson, tmp_path_factory.mktemp("server"), **this_checkout(lesson)) as address:
        yield address


def play(notebook: Notebook) -> None:
    """Touch everything once."""
    page = notebook.page
    notebook.run_all()
    assert notebook.errors() == []
    first, second = notebook.explored()
    assert first.labels() == ["how many", "kind", "hatched"] and first.spoken.startswith("5 of faces")
    # A slider, a menu and a box change the picture, and what is read out with it.
    first.move("how many", "ArrowRight")
    first.move("kind")
    assert first.spoken.startswith("6 of clips")
    first.move("hatched")
    # An error is told, and the picture stays.
    shown = first.picture
    first.control("how many").press("ArrowRight")
    page.get_by_text("ValueError: seven <is> too many").wait_for()
    assert first.spoken.startswith("6 of clips")
    first.move("how many", "ArrowRight")
    page.get_by_text("ValueError: seven").wait_for(state="hidden")
    assert first.spoken.startswith("8 of clips") and first.picture != shown
    # Of two widgets that look alike, each follows its own controls.
    second.move("size", "ArrowLeft ArrowLeft")
    assert second.spoken == "Bars." and first.spoken.startswith("8 of clips")

    guess = page.locator(".jp-CodeCell:has-text(\"predict('How many?'\") .jp-OutputArea")
    guess.locator(HANDLES).press("ArrowRight")
    guess.get_by_text("your guess: 51").wait_for()
    other = page.locator(".jp-CodeCell:has-text(\"predict('Which?'\") .jp-OutputArea")
    other.locator("input[type=radio]").nth(1).check()
    other.get_by_text("your guess: the other").wait_for()
    quiz = page.locator('.jp-CodeCell:has-text("course.quiz") .jp-OutputArea')
    quiz.get_by_role("button", name="A", exact=True).first.click()
    quiz.locator("i").filter(has_text="Right.").or_(quiz.locator("i").filter(has_text="No.")).first.wait_for()
    assert notebook.errors() == []


def said(outputs: list[dict]) -> str:
    """What a cell has printed."""
    return "".join(output.get("text", "") for output in outputs)


@pytest.fixture
def older_lab(lesson, tmp_path):
    """JupyterLab 3 with the ipywidgets of Colab, 7.7; the kernel is this Python with those widgets.

    It is an environment of its own, which somebody has to make: tests download nothing.

        python -m venv /tmp/lab3 && /tmp/lab3/bin/pip install "jupyterlab<4" ipywidgets==7.7.1
        TORCHFAKES_JUPYTERLAB_3=/tmp/lab3 pytest tests/course/test_jupyterlab.py
    """
    place = os.environ.get("TORCHFAKES_JUPYTERLAB_3")
    if not place:
        pytest.skip("TORCHFAKES_JUPYTERLAB_3 names no environment")
    for package in ("ipywidgets", "ipython_genutils"):
        (found,) = Path(place).glob(f"lib/python3*/site-packages/{package}")
        shutil.copytree(found, tmp_path / "packages" / package)
    environment = this_checkout(lesson)
    environment["PYTHONPATH"] = os.pathsep.join([str(tmp_path / "packages"), environment["PYTHONPATH"]])
    with server(lesson, tmp_path / "server", python=str(Path(place) / "bin" / "python"), **environment) as address:
        yield address


def test_with_ipywidgets_7_too(chromium, older_lab):
    with chromium().new_context(viewport={"width": 1200, "height": 1000}) as context:
        notebook = Notebook(context.new_page(), older_lab, "01_x.ipynb")
        play(notebook)
        assert said(notebook.outputs()[0]).startswith("7.7.")


def test_everything_that_can_be_touched_answers(chromium, lab, lesson):
    with chromium().new_context(viewport={"width": 1200, "height": 1000}) as context:
        notebook = Notebook(context.new_page(), lab, "01_x.ipynb")
        play(notebook)
        outputs = notebook.outputs()
        assert said(outputs[0]).startswith("8.")
        assert "not attempted" in said(outputs[5]).lower()
        # What the notebook now holds.
        (shown,) = outputs[2]
        assert set(shown["data"]) == {"text/plain", "image/png", VIEW}
        assert shown["metadata"]["image/png"]["alt"] == "Bars. Shown at size 2; size 5."
        notebook.save()
    # As it is published, and opened without being run: pictures of some settings, questions, the quiz with its folds.
    # (In a notebook of one's own, JupyterLab looks for the widgets that were there, and says so in their place.)
    published = nbformat.read(lesson / "01_x.ipynb", as_version=4)
    build.clean(published, lesson)
    nbformat.write(published, lesson / "02_published.ipynb")
    with chromium().new_context(viewport={"width": 1200, "height": 1000}) as context:
        opened = Notebook(context.new_page(), lab, "02_published.ipynb")
        opened.page.locator(".jp-OutputArea-output img").first.wait_for()
        text, picture, words = "application/vnd.jupyter.stdout", "image/png", "text/html"
        assert opened.kinds() == [text, picture, picture, words, words, text, words, words, words]
        assert opened.errors() == []
