"""Which crops files are calibrated and checked on, and how the time of a file is taken."""

import dataclasses
import json
import shutil

import numpy as np
import pandas as pd
import pytest
import torch

from torchfakes_utils.crops.table import load_faces
from torchfakes_utils.errors import InputError
from torchfakes_utils.export import check
from torchfakes_utils.export.config import ExportConfig
from torchfakes_utils.export.export import export_run
from torchfakes_utils.export.onnx_format import OnnxRuntime
from torchfakes_utils.metrics.band import Band
from torchfakes_utils.models.decision import Decision
from torchfakes_utils.models.detector import load_detector
from torchfakes_utils.models.provenance import find_faces, trained_on

from helpers.decisions import answering
from helpers.export import crops_of, noise


def test_latencies_are_taken_in_turn_and_their_median_counts(monkeypatch):
    clock, calls = [0.0], []

    def network(name, seconds):
        def run(crop):
            calls.append(name)
            clock[0] += seconds * (50 if len(calls) % 10 < 2 else 1)  # now and then something else takes the machine
            return crop

        return run

    monkeypatch.setattr(check.time, "perf_counter", lambda: clock[0])
    times = check.latencies({"slow": network("slow", 0.04), "fast": network("fast", 0.01)}, noise(3, 8))
    assert times == pytest.approx({"slow": 40.0, "fast": 10.0})
    assert calls[:4] == ["slow", "fast", "slow", "fast"]


@pytest.mark.slow
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


@pytest.mark.slow
def test_another_table_than_the_run_s_is_used_but_said(run, table, tmp_path):
    faces = tmp_path / "faces"
    shutil.copytree(table.parent, faces)
    with (faces / "faces.csv").open("a") as file:
        file.write("\n")
    (note,) = check.read_data(load_detector(run), faces / "faces.csv", trained_on(run)).notes
    assert "not the table that this run was trained on" in note
    assert check.read_data(load_detector(run), table, trained_on(run)).notes == ()


@pytest.mark.slow
def test_test_crops_of_one_class_are_refused_before_any_work(run, table, tmp_path, monkeypatch):
    shutil.copytree(table.parent, tmp_path / "faces")
    faces = pd.read_csv(tmp_path / "faces/faces.csv", dtype={"clip_id": str})
    faces[(faces["split"] != "test") | (faces["label"] == 0)].to_csv(tmp_path / "faces/faces.csv", index=False)
    made = tmp_path / "onnx"
    shutil.copytree(run, tmp_path / "run")
    export_run(tmp_path / "run", ExportConfig(out=made, precisions=("fp32",), faces=table))
    before = {path.name: path.read_bytes() for path in made.iterdir()}
    monkeypatch.setattr(OnnxRuntime, "export_detector", lambda *words: pytest.fail("worked"))
    with pytest.raises(InputError, match=r"split 'test' holds real crops alone.*--precision fp32"):
        export_run(tmp_path / "run", ExportConfig(out=made, faces=tmp_path / "faces/faces.csv"))
    assert {path.name: path.read_bytes() for path in made.iterdir()} == before


@pytest.mark.slow
def test_int8_is_calibrated_on_validation_crops_and_checked_on_test_crops(run, table):
    data = check.read_data(load_detector(run), table)
    for name, crops in (("val", data.calibration), ("test", data.crops)):
        known = {crop.tobytes() for crop in crops_of(load_faces(table, name))}
        assert {crop.tobytes() for crop in crops} <= known
    assert len(data.crops) == len(data.faces) == 24 and set(data.faces["split"]) == {"test"}
    assert len(data.validation_crops) == len(data.validation) and set(data.validation["split"]) == {"val"}


@pytest.mark.slow
def test_a_file_whose_distances_are_longer_gets_as_much_more_of_a_limit(run, table):
    detector = load_detector(run)
    data, own = check.read_data(detector, table), detector.decision.ranges["distance"][1]
    # The tiny table has one person there, and one alone has no spread.
    assert check.own_limit(detector, detector.answers, data) is None
    data = dataclasses.replace(
        data, validation=data.validation.assign(clip_id=range(len(data.validation)), target_id="")
    )

    def longer(crops):
        return detector.answers(detector.preprocessing.normalise(crops)) * torch.tensor([1.0, 1.25])

    assert check.own_limit(detector, longer, data) == pytest.approx(1.25 * own, rel=1e-5)
    assert check.own_limit(detector, lambda crops: longer(crops) * torch.nan, data) is None
    assert check.own_limit(detector, longer, dataclasses.replace(data, validation=None)) is None


def test_three_answers_are_compared_and_not_one_threshold():
    decision = dataclasses.replace(answering(0.9), photo=Band((0.9,) * 32, 0.1))
    own = np.array([3.0, 0.0, 0.0, -3.0])
    near, far = np.array([3.5, 0.9, -0.9, -2.7]), np.array([0.5, 3.0, -3.0, 0.0])
    assert check._agreement(decision, own, own) == check._agreement(decision, near, own) == 1
    assert check._agreement(decision, far, own) == 0
    assert check._agreement(Decision(), own, own) is None
