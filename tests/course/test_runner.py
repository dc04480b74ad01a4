"""The whole course in one go: a page a lesson, a report, and on after a failure."""

import base64
import json
import time
from pathlib import Path

import nbformat
import pytest

from torchfakes_utils.course import colab, runner
from torchfakes_utils.errors import InputError

from helpers.lessons import add, twin

FAILING = twin("# # 01 · Fails", "1 + 1", "raise ValueError('on purpose')", "2 + 2")


@pytest.fixture
def lessons(home):
    return home / "notebooks"


def test_a_page_links_to_the_next_page_and_to_files_that_are_on_the_web():
    cell = nbformat.v4.new_markdown_cell(
        "[next](05_fine_tune.ipynb#top) [second](06b_how_sure.ipynb) [card](../docs/data_card.md) [web](https://x.org)"
    )
    page = runner._page(nbformat.v4.new_notebook(cells=[cell]), "title", Path("notebooks"))
    assert 'href="05_fine_tune.html#top"' in page and 'href="06b_how_sure.html"' in page
    assert 'href="https://x.org"' in page
    assert f'href="{colab.REPOSITORY}/blob/main/docs/data_card.md"' in page and ".ipynb" not in page


def test_metrics_are_told_with_their_intervals():
    metrics = {"split": "test", "clip": {"auc": 0.9, "auc_interval": [0.8, 1.0], "accuracy": 0.7}}
    assert runner._metric_lines(metrics)[1] == "test split, by clip: auc 0.900 (0.800 to 1.000), accuracy 0.700"


@pytest.mark.slow
def test_runner_goes_on_after_a_failure(lessons, home, capsys):
    add(lessons, "00_lesson", twin("1 + 1"))
    add(lessons, "01_fails", FAILING)
    add(lessons, "02_after", twin("# # 02 · After", "print('still here')"))
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


@pytest.mark.slow
def test_pictures_beside_a_notebook_are_inside_its_page(lessons, home):
    picture = home / "docs" / "pictures" / "page.jpg"
    picture.parent.mkdir(parents=True)
    picture.write_bytes(b"a picture")
    add(lessons, "02_shows", twin("# # 02 · Shows\n#\n# ![A page](../docs/pictures/page.jpg)"))
    assert runner.run(lessons, home / "out") == 0
    page = (home / "out" / "02_shows.html").read_text()
    assert f"data:image/jpeg;base64,{base64.b64encode(b'a picture').decode()}" in page and "../docs" not in page


@pytest.mark.slow
def test_runner_prepares_inputs_and_prints_the_metrics(lessons, built_steps, home, capsys):
    add(lessons, "03_uses", twin("1", needs="scores"))
    (home / "runs" / "mini").mkdir(parents=True)
    metrics = {"split": "test", "frame": {"auc": 0.91, "eer": None}, "clip": {"auc": 0.95}}
    (home / "runs" / "mini" / "report.json").write_text(json.dumps(metrics))
    assert runner.run(lessons, home / "out") == 0
    assert built_steps == ["mini", "clips", "faces", "run", "scores"]
    assert list(json.loads((home / "out" / "report.json").read_text())["inputs"]) == built_steps
    assert "test split, by clip: auc 0.950" in capsys.readouterr().out


@pytest.mark.slow
def test_runner_reports_an_input_that_cannot_be_built(lessons, built_steps, home, change_step):
    def refuse(order):
        raise InputError("the disk is full")

    change_step("clips", build=refuse)
    add(lessons, "03_uses", twin("1", needs="faces"))
    assert runner.run(lessons, home / "out") == 1
    report = json.loads((home / "out" / "report.json").read_text())
    assert report["input_errors"] == {"clips": "the disk is full"} and report["notebooks"]["03_uses"]["errors"] == []


@pytest.mark.slow
def test_a_lesson_runs_while_the_inputs_of_another_are_made(lessons, built_steps, home, change_step):
    def slow(order):
        order.where.run.mkdir(parents=True)
        deadline = time.monotonic() + 60
        while not (home / "early").exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        (order.where.run / "waited").write_text(str((home / "early").exists()))

    change_step("run", build=slow)
    add(lessons, "00_times", twin("# # 00 · Times", _touched("times", "early and late")))
    add(lessons, "01_late", twin("# # 01 · Late", _touched("late", "early"), needs="run"))
    add(lessons, "02_early", twin("# # 02 · Early", _touched("early", ""), needs="mini"))
    alone = nbformat.read(lessons / "00_times.ipynb", as_version=4)
    alone.metadata["torchfakes"] = {"needs": [], "alone": True}
    nbformat.write(alone, lessons / "00_times.ipynb")
    assert runner.run(lessons, home / "out") == 0
    assert (home / "runs" / "mini" / "waited").read_text() == "True"
    report = json.loads((home / "out" / "report.json").read_text())
    assert list(report["notebooks"]) == ["00_times", "01_late", "02_early"]  # told in their order


def _touched(name, after):
    """A cell that leaves a file, and wants to find those of others."""
    wanted = after.split(" and ") if after else []
    wait = f"assert all(Path('..', name).exists() for name in {wanted})"
    return f"from pathlib import Path\n{wait}\nPath('../{name}').touch()"


def test_what_goes_wrong_in_a_thread_is_raised_in_the_end(lessons, home, monkeypatch):
    add(lessons, "00_lesson", twin("1 + 1"))
    monkeypatch.setattr(runner, "_page", lambda *_: (_ for _ in ()).throw(OSError("the disk is full")))
    with pytest.raises(OSError, match="the disk is full"):
        runner.run(lessons, home / "out")


def test_runner_without_lessons(home):
    with pytest.raises(InputError, match="no lessons"):
        runner.run(home, home / "out")
