"""The site: its sources are laid down with links that lead somewhere, and Sphinx builds them without a word."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from torchfakes_utils.cli.main import COMMANDS
from torchfakes_utils.course.colab import REPOSITORY

ROOT = Path(__file__).parents[1]
STAGE = ROOT / "docs" / "site" / "stage.py"


@pytest.fixture(scope="module")
def staged(tmp_path_factory):
    """The sources, as `make site` lays them down."""
    out = tmp_path_factory.mktemp("site") / "source"
    subprocess.run([sys.executable, str(STAGE), str(out)], check=True, timeout=120)
    return out


def texts(folder):
    """The Markdown of all pages and lessons by path."""
    for page in folder.rglob("*.md"):
        yield page, page.read_text(encoding="utf-8")
    for page in folder.rglob("*.ipynb"):
        cells = nbformat.read(page, as_version=4).cells
        yield page, "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


def test_every_link_leads_to_a_page_of_the_site_or_into_the_repository(staged):
    seen = 0
    for page, text in texts(staged):
        for target in re.findall(r"\]\(([^)\s#]+)[^)]*\)", re.sub(r"```.*?```", "", text, flags=re.DOTALL)):
            seen += 1
            if target.startswith(f"{REPOSITORY}/") and "/main/" in target:
                assert (ROOT / target.partition("/main/")[2]).exists(), f"{page.name}: {target}"
            elif "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"
    assert seen > 300


def test_every_page_is_in_the_index_once(staged):
    index = (staged / "index.md").read_text(encoding="utf-8").splitlines()
    pages = [path.relative_to(staged).with_suffix("").as_posix() for path in staged.rglob("*.*")
             if path.suffix in (".md", ".rst", ".ipynb") and path.name != "index.md"]  # fmt: skip
    assert [(page, index.count(page)) for page in pages if index.count(page) != 1] == []


def test_each_command_and_each_room_has_its_place(staged):
    listed = (staged / "reference" / "commands.md").read_text(encoding="utf-8")
    assert [name for name in COMMANDS if f"\n## {name}\n" not in listed] == []
    rooms = {path.parent.name for path in (ROOT / "torchfakes_utils").glob("*/__init__.py")}
    assert rooms <= {path.stem for path in (staged / "reference").glob("*.rst")}


def test_no_lesson_waits_for_a_script_from_elsewhere(staged):
    for page in (staged / "notebooks").glob("*.ipynb"):
        for cell in nbformat.read(page, as_version=4).cells:
            kinds = [set(output.get("data", {})) for output in cell.get("outputs", [])]
            assert not [kind for kind in kinds if len(kind) > 1 and "application/vnd.jupyter.widget-view+json" in kind]
            assert "colab-badge.svg" not in cell.source


@pytest.mark.slow
def test_it_builds_without_a_warning_and_is_found_in_without_a_server(staged, tmp_path):
    """Some lessons and one room of modules; the whole takes a minute, and `make site` builds it."""
    some = tmp_path / "source"
    shutil.copytree(staged, some)
    for page in (some / "notebooks").glob("*.ipynb"):
        if page.name[:3] not in ("03_", "05_"):
            notebook = nbformat.read(page, as_version=4)
            notebook.cells = notebook.cells[:1]
            nbformat.write(notebook, page)
    for page in (some / "reference").glob("*.rst"):
        if page.stem not in ("metrics", "errors", "index_of_names"):
            page.write_text(f"{page.stem}\n{'=' * len(page.stem)}\n", encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "sphinx",
        "-q",
        "-W",
        "--keep-going",
        "-b",
        "html",
        str(some),
        str(tmp_path / "html"),
    ]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=600, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=False
    )
    told = [line for line in done.stderr.splitlines() if "WARNING" in line or "ERROR" in line]
    assert told == [] and done.returncode == 0, done.stderr[-2000:]
    html = tmp_path / "html"
    assert "laplacian" in (html / "searchindex.js").read_text(encoding="utf-8").lower()
    lesson = (html / "notebooks" / "05_fine_tune.html").read_text(encoding="utf-8")
    asked = re.findall(r'<(?:script|link|img)[^>]+(?:src|href)="(https?:[^"]+)"', lesson)
    assert asked == [] and "<img" in lesson
    assert "<math" in (html / "notebooks" / "03_sharp_enough.html").read_text(encoding="utf-8")
    assert "with_intervals" in (html / "reference" / "metrics.html").read_text(encoding="utf-8")
