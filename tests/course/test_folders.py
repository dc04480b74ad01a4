"""Where the inputs of the lessons live."""

import pytest

from torchfakes_utils import course
from torchfakes_utils.course import folders
from torchfakes_utils.errors import InputError


def test_paths_are_found_from_within_a_checkout(tmp_path, monkeypatch):
    monkeypatch.delenv("TORCHFAKES_HOME", raising=False)
    monkeypatch.delenv("TORCHFAKES_DATA", raising=False)
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "torchfakes"\n')
    inner = tmp_path / "notebooks"
    inner.mkdir()
    (inner / "pyproject.toml").write_text("not = toml = at all")
    monkeypatch.chdir(inner)
    where = course.paths()
    assert (where.home, where.data, where.run) == (tmp_path, tmp_path / "data" / "mini", tmp_path / "runs" / "mini")
    assert where.is_mini
    assert course.short(where.faces_csv) == "data/mini/faces/faces.csv"
    assert course.short("/elsewhere/clip.mp4") == "clip.mp4"


def test_another_data_set_keeps_its_folder_to_itself(home, monkeypatch):
    own = home / "own" / "mini"
    own.mkdir(parents=True)
    monkeypatch.setenv("TORCHFAKES_DATA", str(own))
    where = course.paths()
    assert where.data == own and not where.faces.is_relative_to(own) and where.run.parent == home / "runs"
    assert not where.is_mini
    # Jupyter starts a kernel in the notebook's folder; a relative path counts from the checkout all the same.
    (home / "notebooks").mkdir()
    monkeypatch.chdir(home / "notebooks")
    monkeypatch.setenv("TORCHFAKES_DATA", "own/mini")
    assert course.paths() == where


def test_two_data_sets_in_folders_of_one_name_do_not_meet(home, monkeypatch):
    runs = set()
    for parent in ("one", "two"):
        (home / parent / "films").mkdir(parents=True)
        monkeypatch.setenv("TORCHFAKES_DATA", f"{parent}/films")
        runs.add(course.paths().run)
    assert len(runs) == 2


def test_a_data_set_that_is_not_there(home, monkeypatch):
    monkeypatch.setenv("TORCHFAKES_DATA", str(home / "absent"))
    with pytest.raises(InputError, match="absent: TORCHFAKES_DATA names no folder"):
        course.paths()


def test_a_lesson_may_have_a_second_notebook_and_modules_that_are_its_parts(tmp_path):
    for name in ("lesson_12", "lesson_06b", "lesson_06", "lesson_06_costs", "lesson_06b_bands", "lesson_00", "plots"):
        (tmp_path / f"{name}.py").touch()
    assert folders.lessons(tmp_path) == ["00", "06", "06b", "12"]
    assert folders.lessons()[0] == "00" and all(name[:2].isdigit() for name in folders.lessons())
