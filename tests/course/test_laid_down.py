"""The lessons in a folder of one's own: without outputs, never over what somebody wrote, found again as a home."""

import json
import re
import tomllib
from importlib import metadata
from pathlib import Path, PurePosixPath

import pytest

from torchfakes_utils.cli import main
from torchfakes_utils.course import folders, laid_down
from torchfakes_utils.errors import InputError

ROOT = Path(__file__).parents[2]
LESSON = "notebooks/03_sharp_enough.ipynb"


def test_lessons_come_without_outputs_and_with_all_that_they_link_to(tmp_path):
    done = laid_down.lay_down(tmp_path / "mine")
    names = sorted(path.name for path in (ROOT / "notebooks").glob("*.ipynb"))
    assert [path.name for path in done.lessons] == names and not done.kept
    for path in done.lessons:
        notebook = json.loads(path.read_text())
        assert all(not cell["outputs"] and cell["execution_count"] is None for cell in notebook["cells"]
                   if cell["cell_type"] == "code")  # fmt: skip
        text = "\n".join("".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "markdown")
        for target in re.findall(r"\]\((\.\./docs/(?:pictures|glossary)[^)#]*)", text):
            assert (path.parent / target).is_file(), target
    before = json.loads((ROOT / LESSON).read_text())
    after = json.loads((tmp_path / "mine" / LESSON).read_text())
    assert [cell["source"] for cell in before["cells"]] == [cell["source"] for cell in after["cells"]]


def test_with_outputs_they_are_the_files_themselves(tmp_path):
    laid_down.lay_down(tmp_path / "mine", outputs=True)
    assert (tmp_path / "mine" / LESSON).read_bytes() == (ROOT / LESSON).read_bytes()


def test_what_was_changed_stays_and_what_was_not_becomes_new(tmp_path, monkeypatch):
    folder = tmp_path / "mine"
    laid_down.lay_down(folder)
    (folder / LESSON).write_text("my work")
    (folder / "notebooks" / "mine.ipynb").write_text("my own")
    newer = tmp_path / "newer.ipynb"
    newer.write_text('{"cells": []}')
    real = laid_down.sources()
    given = real | {"notebooks/04_honest_data_set.ipynb": newer}
    monkeypatch.setattr(laid_down, "sources", lambda: given)
    done = laid_down.lay_down(folder)
    assert [path.name for path in done.kept] == ["03_sharp_enough.ipynb"]
    assert (folder / LESSON).read_text() == "my work" and (folder / "notebooks" / "mine.ipynb").read_text() == "my own"
    assert json.loads((folder / "notebooks" / "04_honest_data_set.ipynb").read_text()) == {"cells": []}
    (folder / LESSON).unlink()
    assert not laid_down.lay_down(folder).kept and (folder / LESSON).is_file()


def test_a_record_that_is_damaged_makes_every_file_somebodys(tmp_path):
    folder = tmp_path / "mine"
    laid_down.lay_down(folder)
    (folder / LESSON).write_text("my work")
    (folder / folders.LAID_DOWN).write_text("{")
    done = laid_down.lay_down(folder)
    assert [path.name for path in done.kept] == ["03_sharp_enough.ipynb"]


def test_folders_that_are_none_of_ours_are_refused(tmp_path, monkeypatch):
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "thesis.txt").write_text("words")
    with pytest.raises(InputError, match="holds other things"):
        laid_down.lay_down(tmp_path / "theirs")
    with pytest.raises(InputError, match="written over"):
        laid_down.lay_down(ROOT)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written to"):
        laid_down.lay_down(tmp_path / "file" / "below")
    assert [path.name for path in (tmp_path / "theirs").iterdir()] == ["thesis.txt"]


def test_the_folder_is_a_home(tmp_path, monkeypatch):
    monkeypatch.delenv("TORCHFAKES_HOME", raising=False)
    laid_down.lay_down(tmp_path / "mine")
    monkeypatch.chdir(tmp_path / "mine" / "notebooks")
    assert folders.paths().home == (tmp_path / "mine").resolve()


def test_a_wheel_holds_what_is_laid_down(tmp_path, monkeypatch):
    """As pip would install it: the wheel's list of files leads to them."""
    given = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["data-files"]
    patterns = {f"{PurePosixPath(folder).relative_to('share/torchfakes')}/{PurePosixPath(one).name}"
                for folder, some in given.items() for one in some}  # fmt: skip
    assert patterns == set(laid_down.PATTERNS)

    class Installed(PurePosixPath):
        def locate(self):
            return tmp_path / self.name

    (tmp_path / "00_start_here.ipynb").write_text('{"cells": []}')
    listed = [Installed("../../../share/torchfakes/notebooks/00_start_here.ipynb"), Installed("torchfakes_utils/a.py")]
    monkeypatch.setattr(laid_down, "PATTERNS", ("nothing/*",))
    monkeypatch.setattr(metadata, "files", lambda name: listed)
    assert laid_down.sources() == {"notebooks/00_start_here.ipynb": tmp_path / "00_start_here.ipynb"}
    monkeypatch.setattr(metadata, "files", lambda name: None)
    with pytest.raises(InputError, match="holds no lessons"):
        laid_down.sources()


def test_the_command(tmp_path, capsys):
    folder = tmp_path / "mine"
    assert main.main(["course", "init", str(folder)]) == 0
    assert "lessons are in" in capsys.readouterr().out
    (folder / LESSON).write_text("my work")
    assert main.main(["course", "init", str(folder), "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["kept"] == [str(folder / LESSON)] and "kept as you have changed it" in err
    assert main.main(["course", "init"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
