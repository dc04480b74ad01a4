"""The course's machinery: inputs, figures, widgets, the builder and the runner, tried on lessons made up here."""

import base64
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import matplotlib
import nbformat
import numpy as np
import pandas as pd
import pytest
import skimage
from matplotlib.figure import Figure
from PIL import Image

from torchfakes_utils import course
from torchfakes_utils.course import build, colab, plots, runner, state, widgets
from torchfakes_utils.errors import InputError

matplotlib.use("Agg")

LESSON = """\
# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent, format_version: '1.3', jupytext_version: 0.0.0}
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
FAILING = "# %% [markdown]\n# # 01 · Fails\n\n# %%\n1 + 1\n\n# %%\nraise ValueError('on purpose')\n\n# %%\n2 + 2\n"


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCHFAKES_HOME", str(tmp_path))
    monkeypatch.delenv("TORCHFAKES_DATA", raising=False)
    return tmp_path


@pytest.fixture
def lessons(home):
    folder = home / "notebooks"
    (folder / "source").mkdir(parents=True)
    (folder / "source" / "00_lesson.py").write_text(LESSON)
    return folder


def add(folder: Path, name: str, twin: str) -> None:
    """A twin with its notebook as it is before it was run."""
    (folder / "source" / f"{name}.py").write_text(twin)
    nbformat.write(build.from_twin(folder / "source" / f"{name}.py"), folder / f"{name}.ipynb")


# Inputs


def test_paths_are_found_from_within_a_checkout(tmp_path, monkeypatch):
    monkeypatch.delenv("TORCHFAKES_HOME", raising=False)
    monkeypatch.delenv("TORCHFAKES_DATA", raising=False)
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "torchfakes"\n')
    inner = tmp_path / "notebooks"
    inner.mkdir()
    (inner / "pyproject.toml").write_text("not = toml = at all")
    monkeypatch.chdir(inner)
    where = course.paths()
    assert (
        where.home == tmp_path and where.data == tmp_path / "data" / "mini" and where.run == tmp_path / "runs" / "mini"
    )
    assert course.short(where.faces_csv) == "data/mini/faces/faces.csv"
    assert course.short("/elsewhere/clip.mp4") == "clip.mp4"


def test_another_data_set_keeps_its_folder_to_itself(home, monkeypatch):
    own = home / "own" / "mini"
    own.mkdir(parents=True)
    monkeypatch.setenv("TORCHFAKES_DATA", str(own))
    where = course.paths()
    assert where.data == own and not where.faces.is_relative_to(own) and where.run.parent == home / "runs"
    assert state._settings("faces", where) == {}
    assert course.ensure("mini") == own
    # Jupyter starts a kernel in the notebook's folder; a relative path counts from the checkout all the same.
    (home / "notebooks").mkdir(exist_ok=True)
    monkeypatch.chdir(home / "notebooks")
    monkeypatch.setenv("TORCHFAKES_DATA", "own/mini")
    assert course.paths() == where
    monkeypatch.setenv("TORCHFAKES_DATA", str(own / "absent"))
    with pytest.raises(InputError, match="TORCHFAKES_DATA"):
        course.paths()


@pytest.fixture
def builders(home, monkeypatch):
    """The pipeline's place is taken by builders that write an empty result and note that they were called."""
    calls = []

    def builder(step):
        def make(where, progress):
            calls.append(step)
            target = state._places(step, where)[0]
            if step in ("mini", "run"):
                (target / "best").mkdir(parents=True, exist_ok=True)
                (target / "best" / "detector.json").touch()
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                target.touch()

        return make

    monkeypatch.setattr(state, "_BUILDERS", {step: builder(step) for step in state.STEPS})
    return calls


def test_a_page_links_to_the_next_page_and_to_files_that_are_on_the_web():
    cell = nbformat.v4.new_markdown_cell(
        "[next](05_fine_tune.ipynb#top) [card](../docs/data_card.md) [web](https://x.org)"
    )
    page = runner._page(nbformat.v4.new_notebook(cells=[cell]), "title", Path("notebooks"))
    assert 'href="05_fine_tune.html#top"' in page and 'href="https://x.org"' in page
    assert f'href="{colab.REPOSITORY}/blob/main/docs/data_card.md"' in page and ".ipynb" not in page


def test_metrics_are_told_with_their_intervals():
    metrics = {"split": "test", "clip": {"auc": 0.9, "auc_interval": [0.8, 1.0], "accuracy": 0.7}}
    assert runner._metric_lines(metrics)[1] == "test split, by clip: auc 0.900 (0.800 to 1.000), accuracy 0.700"


def test_a_script_without_a_guard_is_told_so_instead_of_waiting_for_itself(tmp_path):
    """The worker processes of a build run the script again before they start to work."""
    (tmp_path / "script.py").write_text(
        "from concurrent.futures import ProcessPoolExecutor\n"
        "from multiprocessing import get_context\n"
        "from torchfakes_utils import course\n"
        "from torchfakes_utils.course import state\n"
        "def build(step, where, progress):\n"
        "    with ProcessPoolExecutor(1, mp_context=get_context('spawn')) as pool:\n"
        "        return list(pool.map(abs, [-1]))\n"
        "state._ensure = build\n"
        "print(course.ensure('mini'))\n"
    )
    environment = os.environ | {"TORCHFAKES_HOME": str(tmp_path)}
    script = [sys.executable, str(tmp_path / "script.py")]
    done = subprocess.run(script, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0
    assert "put course.ensure(...) and what follows under: if __name__ == '__main__':" in done.stderr


def test_ensure_builds_what_is_missing_once(builders, home, capsys):
    assert course.ensure("run") == home / "runs" / "mini"
    assert builders == ["mini", "clips", "faces", "run"]
    assert len(capsys.readouterr().out.splitlines()) == 4
    assert course.ensure("faces") == home / "data" / "mini" / "faces" / "faces.csv"
    assert course.ensure("clips").name == "clips.csv"
    assert builders == ["mini", "clips", "faces", "run"] and capsys.readouterr().out == ""


def test_other_settings_build_anew(builders, home, monkeypatch):
    course.ensure("scores")
    old = home / "data" / "mini" / "faces" / "crops"
    old.mkdir()
    monkeypatch.setattr(state, "EXTRACTION", {"frames": 3})
    builders.clear()
    course.ensure("scores")
    assert builders == ["faces", "run", "scores"] and not old.exists()


def test_what_the_learner_made_by_hand_is_used_and_kept(builders, home, monkeypatch):
    best = home / "runs" / "mini" / "best"
    best.mkdir(parents=True)
    (best / "detector.json").write_text("theirs")

    def refuse(where, progress):
        raise InputError("another configuration lives there")

    monkeypatch.setitem(state._BUILDERS, "run", refuse)
    assert course.ensure("run") == home / "runs" / "mini"
    monkeypatch.setattr(state, "TRAINING", {"epochs": 99})
    course.ensure("scores")
    assert (best / "detector.json").read_text() == "theirs"


def test_a_failing_step_says_why(builders, monkeypatch):
    def refuse(where, progress):
        raise InputError("no faces found")

    monkeypatch.setitem(state._BUILDERS, "faces", refuse)
    with pytest.raises(InputError, match="no faces found"):
        course.ensure("scores")
    with pytest.raises(InputError, match="mini, clips, faces, run, scores"):
        course.ensure("heads")


def test_a_home_that_cannot_be_written_to(home, monkeypatch):
    (home / "file").touch()
    monkeypatch.setenv("TORCHFAKES_HOME", str(home / "file"))
    with pytest.raises(InputError, match="TORCHFAKES_HOME"):
        course.ensure("clips")


# Figures and widgets


@pytest.fixture
def faces(tmp_path):
    rows = []
    for person in ("000", "001"):
        for label, method, clip in ((0, "youtube", person), (1, "Deepfakes", f"{person}_005")):
            for frame in (0, 10):
                file = tmp_path / f"{clip}_{frame}.png"
                Image.new("RGB", (160, 160), (200, 30 * label, frame)).save(file)
                rows.append((clip, label, method, "c23", person, frame, file))
    return pd.DataFrame(rows, columns=["clip_id", "label", "method", "compression", "target_id", "frame", "file"])


def test_faces_grid_sets_a_fake_below_its_real_face(faces):
    pairs = plots.face_pairs(faces)
    assert len(pairs) == 4 and (pairs["clip_id_fake"].str[:3] == pairs["clip_id_real"]).all()
    figure = plots.faces_grid(faces, columns=2)
    titles = [ax.get_title() for ax in figure.axes]
    assert titles == ["real 000", "real 001", "Deepfakes", "Deepfakes"]
    with pytest.raises(ValueError, match="no real face"):
        plots.faces_grid(faces[faces["label"] == 1])


def test_figures_return_what_they_show():
    figure = Figure()
    ax = figure.subplots()
    assert plots.roc(ax, [0, 0, 1, 1], [0.1, 0.6, 0.4, 0.9]) == pytest.approx(0.75)
    assert any("AUC 0.75" in text.get_text() for text in ax.texts)
    ax = figure.subplots()
    plots.histogram(ax, [1, 2, 3, 4], [0, 0, 1, 1], bins=4, threshold=2.5)
    assert [text.get_text().strip() for text in ax.texts] == ["real", "fake"]
    ax = figure.subplots()
    plots.curves(ax, [0, 1], {"loss": [1, 0.5]})
    assert ax.texts[0].get_text() == " loss"
    assert plots.images([np.zeros((4, 4), np.uint8)] * 3, columns=2, labels=[0, 1, 0]).axes[3].get_visible() is False


def draw(size: int, kind: str = "box") -> Figure:
    if size == 4:
        raise ValueError("four is <not> allowed")
    figure = Figure(figsize=(2, 1))
    figure.text(0.1, 0.1 * size, kind)
    return figure


def test_a_widget_redraws_and_survives_an_error():
    shown = widgets.explore(draw, size=(1, 5, 1, 2), kind=["box", "ring"])
    slider, menu, message, picture = shown.widget.children
    first = picture.value
    assert slider.value == 2 and shown.png == first and bytes(first).startswith(b"\x89PNG")
    slider.value = 3
    second = picture.value
    menu.value = "ring"
    assert len({first, second, picture.value}) == 3
    slider.value = 4
    assert "four is &lt;not&gt; allowed" in message.value
    slider.value = 2
    menu.value = "box"
    assert picture.value == first and message.value == ""


def test_a_widget_has_a_picture_for_readers_without_a_kernel():
    bundle = widgets.explore(draw, size=(1, 5, 1))._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "image/png", widgets.VIEW}
    assert bundle[widgets.VIEW]["model_id"]


def test_controls():
    kinds = {(0, 1, 0.5): "FloatSlider", (0, 5, 1): "IntSlider", True: "Checkbox"}
    assert [type(widgets.control(spec)).__name__ for spec in kinds] == list(kinds.values())
    assert widgets.control([("three", 3), ("four", 4)]).value == 3
    with pytest.raises(TypeError, match="no control"):
        widgets.control("three")
    with pytest.raises(TypeError, match="return its figure"):
        widgets.png(None)


# Builder


def test_builder_makes_a_clean_notebook(lessons, home):
    (target,) = build.build(lessons)
    notebook = nbformat.read(target, as_version=4)
    nbformat.validate(notebook)
    assert notebook.metadata == build.METADATA
    printed, parts, picture, widget, plain = (cell.outputs for cell in notebook.cells[1:])
    assert [output.text for output in printed] == ["2\n"]
    assert [output.text for output in parts] == ["part\n" * 3]  # one piece, and no progress bar
    assert len(picture) == 1 and "image/jpeg" in picture[0].data  # a photograph
    assert widget[0].data["text/plain"] == "(interactive: run this cell)" and build.VIEW not in widget[0].data
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


def test_nbval_checks_the_tagged_cell(lessons, home):
    """The notebook passes, and fails once the checked output is another; the other cells are only run."""
    add(
        lessons,
        "02_short",
        '# %% [markdown]\n# # t\n\n# %% tags=["nbval-check-output"]\nprint(1 + 1)\n\n# %%\nprint(3)\n',
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


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("raise ValueError('on purpose')", "ValueError: on purpose"),
        ("print('/ro' + 'ot/crops/1.png')", "course.short"),
        ("from IPython.display import HTML\nHTML('<p>' + 'x' * 1_600_000 + '</p>')", "cell 0 has 1.6 MB"),
    ],
)
def test_builder_refuses(lessons, cell, message):
    (lessons / "source" / "01_bad.py").write_text(f"# %%\n{cell}\n")
    with pytest.raises(InputError, match=message):
        build.build(lessons, ["01_bad"])
    assert not (lessons / "01_bad.ipynb").exists()


def test_builder_command(lessons, capsys):
    shutil.copy(lessons / "source" / "00_lesson.py", lessons / "source" / "07_other.py")
    assert build.main(["--notebooks", str(lessons), "99"]) == 2
    assert "00_lesson, 07_other" in capsys.readouterr().err
    assert build.main(["--notebooks", str(lessons / "nowhere")]) == 2


def test_differences_are_named(lessons):
    twin = build.from_twin(lessons / "source" / "00_lesson.py")
    other = build.from_twin(lessons / "source" / "00_lesson.py")
    assert all("not run" in line for line in build.differences(twin, other))
    other.cells[0].source += "!"
    other.cells[1].metadata = {}
    other.cells.pop()
    found = "; ".join(build.differences(twin, other))
    assert "5 cells, the twin has 6" in found and "cell 0: another source" in found and "cell 1: other tags" in found


def test_needed_inputs_are_read_from_the_code(lessons):
    (lessons / "source" / "05_x.py").write_text(
        "# %%\nrun = course.ensure('run')\n\n# %% [markdown]\n# course.ensure('scores')\n"
    )
    assert build.needed(build.from_twin(lessons / "source" / "05_x.py")) == ["mini", "clips", "faces", "run"]
    assert build.needed(build.from_twin(lessons / "source" / "00_lesson.py")) == []


# Runner


def test_runner_goes_on_after_a_failure(lessons, home, capsys):
    add(lessons, "00_lesson", LESSON)
    add(lessons, "01_fails", FAILING)
    add(lessons, "02_after", "# %% [markdown]\n# # 02 · After\n\n# %%\nprint('still here')\n")
    before = (lessons / "02_after.ipynb").read_bytes()
    out = home / "out"
    assert runner.run(lessons, out, only=["01", "02"]) == 1
    report = json.loads((out / "report.json").read_text())
    assert list(report["notebooks"]) == ["01_fails", "02_after"] and report["inputs"] == {}
    failed, good = report["notebooks"].values()
    assert failed["errors"] == ["ValueError: on purpose"] and (failed["cells_run"], failed["cells"]) == (2, 3)
    assert good["errors"] == [] and good["cells_run"] == good["cells"] == 1 and 0 < good["seconds"] <= report["seconds"]
    assert "still here" in (out / "02_after.html").read_text() and "on purpose" in (out / "01_fails.html").read_text()
    index = (out / "index.html").read_text()
    assert 'href="01_fails.html"' in index and "02 · After" in index and "on purpose" in index
    assert "FAILED: ValueError: on purpose" in capsys.readouterr().out
    assert (lessons / "02_after.ipynb").read_bytes() == before
    assert runner.run(lessons, out, only=["02_after"]) == 0


def test_pictures_beside_a_notebook_are_inside_its_page(lessons, home):
    picture = home / "docs" / "pictures" / "page.jpg"
    picture.parent.mkdir(parents=True)
    picture.write_bytes(b"a picture")
    add(lessons, "02_shows", "# %% [markdown]\n# # 02 · Shows\n#\n# ![A page](../docs/pictures/page.jpg)\n")
    assert runner.run(lessons, home / "out") == 0
    page = (home / "out" / "02_shows.html").read_text()
    assert f"data:image/jpeg;base64,{base64.b64encode(b'a picture').decode()}" in page and "../docs" not in page


def test_runner_prepares_inputs_and_prints_the_metrics(lessons, builders, home, capsys):
    add(
        lessons,
        "03_uses",
        "# %%\nfrom torchfakes_utils import course\n# course.ensure('scores') is what is prepared\n1\n",
    )
    (home / "runs" / "mini").mkdir(parents=True)
    metrics = {"split": "test", "frame": {"auc": 0.91, "eer": None}, "clip": {"auc": 0.95}}
    (home / "runs" / "mini" / "report.json").write_text(json.dumps(metrics))
    assert runner.run(lessons, home / "out") == 0
    assert builders == ["mini", "clips", "faces", "run", "scores"]
    assert list(json.loads((home / "out" / "report.json").read_text())["inputs"]) == builders
    assert "test split, by clip: auc 0.950" in capsys.readouterr().out


def test_runner_reports_an_input_that_cannot_be_built(lessons, builders, home, monkeypatch):
    def refuse(where, progress):
        raise InputError("the disk is full")

    monkeypatch.setitem(state._BUILDERS, "clips", refuse)
    add(lessons, "03_uses", "# %%\n# course.ensure('faces')\n1\n")
    assert runner.run(lessons, home / "out") == 1
    report = json.loads((home / "out" / "report.json").read_text())
    assert report["input_errors"] == {"clips": "the disk is full"} and report["notebooks"]["03_uses"]["errors"] == []


def test_runner_without_lessons(home):
    with pytest.raises(InputError, match="no lessons"):
        runner.run(home, home / "out")


# Colab


def test_setup_cell_works_here_and_pins_nothing():
    assert not colab.on_colab()
    subprocess.run([sys.executable, "-c", colab.SETUP_CELL], check=True, cwd=Path(__file__).parents[2])
    assert "==" not in colab.SETUP_CELL and "torchfakes @ git+https://" in colab.SETUP_CELL
    assert colab.badge("03_x").endswith("notebooks/03_x.ipynb)")


def test_jpeg_only_where_it_pays():
    photograph = Image.fromarray(skimage.data.astronaut())
    flat = Image.new("RGBA", (600, 600), (0, 0, 0, 0))
    for image, kind in ((photograph, "image/jpeg"), (flat, "image/png")):
        buffer = io.BytesIO()
        image.save(buffer, "png")
        found, data = build.smaller(buffer.getvalue())
        assert found == kind and len(data) <= len(buffer.getvalue())
