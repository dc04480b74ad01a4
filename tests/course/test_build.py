"""Notebooks are made from their twins, clean and complete, or refused with a reason."""

import io
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import skimage
from PIL import Image

from torchfakes_utils.course import build
from torchfakes_utils.errors import InputError

from helpers.lessons import twin

LESSON = """\
# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent, format_version: '1.3', jupytext_version: 0.0.0}
#   torchfakes:
#     needs: [clips]
# ---

# %% [markdown]
# # 00 · A lesson
#
# One plus one.

# %% tags=["nbval-check-output"]
print(1 + 1)

# %%
import sys
import matplotlib.pyplot as plt
import ipywidgets
import skimage
from tqdm import tqdm
from torchfakes_utils.course import plots, widgets

for _ in tqdm(range(3)):
    print("part")

# %%
def part(size: int):
    figure, ax = plt.subplots(figsize=(4, 4))
    ax.imshow(skimage.data.astronaut()[:100 * size, :100 * size])
    return plots.finish(figure)

part(3)

# %%
widgets.explore(part, size=(1, 5, 1))

# %%
display(ipywidgets.IntSlider())
object()
"""


@pytest.fixture
def lessons(built_steps, home):
    """A folder of one lesson, whose needs take no time."""
    folder = home / "notebooks"
    (folder / "source").mkdir(parents=True)
    (folder / "source" / "00_lesson.py").write_text(LESSON)
    return folder


@pytest.mark.slow
def test_builder_makes_a_clean_notebook(lessons, built_steps, home):
    (target,) = build.build(lessons)
    assert built_steps == ["mini", "clips"]
    notebook = nbformat.read(target, as_version=4)
    nbformat.validate(notebook)
    assert notebook.metadata == build.METADATA | {"torchfakes": {"needs": ["clips"]}}
    printed, parts, picture, widget, plain = (cell.outputs for cell in notebook.cells[1:])
    assert [output.text for output in printed] == ["2\n"]
    assert [output.text for output in parts] == ["part\n" * 3]  # one piece, and no progress bar
    assert len(picture) == 1 and "image/jpeg" in picture[0].data  # a photograph
    assert widget[0].data["text/plain"].endswith("(interactive: run this cell)") and build.VIEW not in widget[0].data
    assert set(widget[0].data) & {"image/png", "image/jpeg"}
    assert plain[0].data == {"text/plain": "(interactive: run this cell)"}
    assert plain[1].data["text/plain"] == "<object>"  # without its address
    text = target.read_text()
    assert str(home) not in text and "T00:" not in text

    assert build.build(lessons) == []  # in step: nothing to do
    build.build(lessons, force=True)
    assert target.read_text() == text

    with (lessons / "source" / "00_lesson.py").open("a") as twin:
        twin.write("\n# %%\n3\n")
    ids = [cell.id for cell in notebook.cells]
    build.build(lessons, ["00"])
    assert [cell.id for cell in nbformat.read(target, as_version=4).cells][: len(ids)] == ids


@pytest.mark.slow
def test_nbval_checks_the_tagged_cell(lessons, home):
    """The notebook passes, and fails once the checked output is another; the other cells are only run."""
    (lessons / "source" / "02_short.py").write_text(
        '# %% [markdown]\n# # t\n\n# %% tags=["nbval-check-output"]\nprint(1 + 1)\n\n# %%\nprint(3)\n'
    )
    (target,) = build.build(lessons, ["02"])
    command = [
        sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--nbval-lax", "--nbval-current-env",
        "--nbval-sanitize-with", str(Path(__file__).parents[1] / "nbval_sanitize.cfg"), f"--rootdir={home}",
        str(target),
    ]  # fmt: skip
    for saved, status in (("2", 0), ("5", 1)):
        target.write_text(target.read_text().replace('"2\\n"', f'"{saved}\\n"').replace('"3\\n"', '"4\\n"'))
        result = subprocess.run(command, cwd=home, capture_output=True, text=True)
        assert result.returncode == status, result.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("raise ValueError('on purpose')", "ValueError: on purpose"),
        (
            "from torchfakes_utils import course\ncourse.ensure('run')",
            r"01_bad\.py asks for 'run', which its header does not declare",
        ),
        ("print('/ro' + 'ot/crops/1.png')", "course.short"),
        ("from IPython.display import HTML\nHTML('<p>' + 'x' * 1_600_000 + '</p>')", "cell 0 has 1.6 MB"),
    ],
)
def test_builder_refuses(lessons, cell, message):
    (lessons / "source" / "01_bad.py").write_text(twin(cell, needs="clips"))
    with pytest.raises(InputError, match=message):
        build.build(lessons, ["01_bad"])
    assert not (lessons / "01_bad.ipynb").exists()


def test_builder_command(lessons, capsys):
    shutil.copy(lessons / "source" / "00_lesson.py", lessons / "source" / "07_other.py")
    assert build.main(["--notebooks", str(lessons), "99"]) == 2
    assert "00_lesson, 07_other" in capsys.readouterr().err
    assert build.main(["--notebooks", str(lessons / "nowhere")]) == 2


def test_a_second_notebook_of_a_lesson_comes_behind_the_first_and_can_be_chosen_alone():
    files = [Path(f"{name}.py") for name in ("07_where", "06b_how_sure", "06_is_it_good")]
    assert [file.stem for file in build.select(files, ["06"])] == ["06_is_it_good", "06b_how_sure"]
    assert [file.stem for file in build.select(files, ["06b"])] == ["06b_how_sure"]


def test_differences_are_named(lessons):
    made, other = (build.from_twin(lessons / "source" / "00_lesson.py") for _ in range(2))
    assert all("not run" in line for line in build.differences(made, other))
    other.cells[0].source += "!"
    other.cells[1].metadata = {}
    other.cells.pop()
    other.metadata["torchfakes"]["needs"] = ["faces"]
    found = "; ".join(build.differences(made, other))
    assert "5 cells, the twin has 6" in found and "cell 0: another source" in found and "cell 1: other tags" in found
    assert "other needs" in found


@pytest.mark.parametrize(
    ("needs", "steps"),
    [("", []), ("clips", ["mini", "clips"]), ("export, mini", ["mini", "clips", "faces", "run", "export"])],
)
def test_needed_inputs_are_those_of_the_header_with_all_before_them(tmp_path, needs, steps):
    (tmp_path / "05_x.py").write_text(twin("course.ensure('scores')", needs=needs))
    assert build.needed(build.from_twin(tmp_path / "05_x.py")) == steps


def test_a_header_that_declares_what_there_is_not(tmp_path):
    (tmp_path / "05_x.py").write_text(twin("1", needs="run, heads"))
    with pytest.raises(InputError, match="'heads' is no input of the course"):
        build.needed(build.from_twin(tmp_path / "05_x.py"))


def test_jpeg_only_where_it_pays():
    photograph = Image.fromarray(skimage.data.astronaut())
    flat = Image.new("RGBA", (600, 600), (0, 0, 0, 0))
    for image, kind in ((photograph, "image/jpeg"), (flat, "image/png")):
        buffer = io.BytesIO()
        image.save(buffer, "png")
        found, data = build.smaller(buffer.getvalue())
        assert found == kind and len(data) <= len(buffer.getvalue())
