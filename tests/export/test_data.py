"""Which crops files are calibrated and checked on."""

import json
import shutil

import pytest

from torchfakes_utils.crops.table import load_faces
from torchfakes_utils.export.data import find_faces, read_data, trained_on
from torchfakes_utils.models.detector import load_detector

from helpers.export import crops_of

pytestmark = pytest.mark.slow


def test_the_run_s_own_table_is_found_near_it_by_its_content(run, table, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_faces(run) == table.resolve() and find_faces(run / "best") == table.resolve()
    moved = tmp_path / "elsewhere/runs/one"
    shutil.copytree(run / "best", moved / "best")
    (moved / "config.json").write_text(json.dumps({"faces_sha256": "0" * 64}))
    shutil.copytree(table.parent, tmp_path / "elsewhere/data/tiny/faces")
    assert find_faces(moved) is None  # a table, but not this one's
    (moved / "config.json").unlink()
    assert find_faces(moved) is None


def test_another_table_than_the_run_s_is_used_but_said(run, table, tmp_path):
    faces = tmp_path / "faces"
    shutil.copytree(table.parent, faces)
    with (faces / "faces.csv").open("a") as file:
        file.write("\n")
    (note,) = read_data(load_detector(run), faces / "faces.csv", trained_on(run)).notes
    assert "not the table that this run was trained on" in note
    assert read_data(load_detector(run), table, trained_on(run)).notes == ()


def test_int8_is_calibrated_on_validation_crops_and_checked_on_test_crops(run, table):
    data = read_data(load_detector(run), table)
    for name, crops in (("val", data.calibration), ("test", data.crops)):
        known = {crop.tobytes() for crop in crops_of(load_faces(table, name))}
        assert {crop.tobytes() for crop in crops} <= known
    assert len(data.crops) == len(data.faces) == 24 and set(data.faces["split"]) == {"test"}
