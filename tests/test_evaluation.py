"""Evaluation: scores that can be recognised, metrics that can be worked out by hand, and what must be refused."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from torchfakes_utils import evaluation
from torchfakes_utils.dataset import Preprocessing, load_faces
from torchfakes_utils.detector import Detector, DetectorConfig, save
from torchfakes_utils.errors import InputError
from torchfakes_utils.metrics import binary_metrics
from torchfakes_utils.tables import FACE_COLUMNS, SCORE_COLUMNS, read_table, write_table


class BrightnessDetector(torch.nn.Module):
    """Takes bright crops for fakes: quick, and its score is known beforehand."""

    preprocessing = Preprocessing(size=16)

    def __init__(self):
        super().__init__()
        self.extra = {}
        self.slope = torch.nn.Parameter(torch.tensor(4.0))

    def forward(self, images):
        return self.slope * images.mean(dim=(1, 2, 3))


CLIPS = [
    # clip, method, label, split, brightness of its two crops
    ("000", "youtube", 0, "test", (20, 40)),
    ("003", "youtube", 0, "test", (60, 140)),
    ("000_003", "Deepfakes", 1, "test", (200, 220)),
    ("003_000", "Deepfakes", 1, "test", (240, 180)),
    ("000_003", "FaceSwap", 1, "test", (30, 50)),
    ("003_000", "FaceSwap", 1, "test", (150, 250)),
    ("007", "youtube", 0, "val", (10, 10)),
]


@pytest.fixture
def faces_csv(tmp_path):
    rows = []
    for clip, method, label, split, levels in CLIPS:
        for frame, level in enumerate(levels):
            path = f"crops/{method}/c23/{clip}/{frame}.png"
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (20, 20), (level,) * 3).save(tmp_path / path)
            # Blurred beyond any threshold: the test split is never filtered.
            rows.append(
                dict.fromkeys(FACE_COLUMNS, "")
                | {"clip_id": clip, "path": path, "label": label, "method": method, "compression": "c23"}
                | {"split": split, "frame": frame, "probability": 1.0, "sharpness": 0.0}
            )
    return write_table(pd.DataFrame(rows), tmp_path / "faces.csv", FACE_COLUMNS)


@pytest.fixture
def bright_run(tmp_path, monkeypatch):
    """A run folder whose detector is a `BrightnessDetector`."""
    detector = BrightnessDetector()
    monkeypatch.setattr(evaluation, "load", lambda run: detector)
    run = tmp_path / "run"
    run.mkdir()
    return run, detector


def expected_probability(level):
    return 1 / (1 + np.exp(-4 * (level - 127.5) / 128))


def test_scores_are_those_of_the_detector_row_by_row(faces_csv):
    scores = evaluation.score(BrightnessDetector(), load_faces(faces_csv, "test"), batch=5)
    assert list(scores.columns) == SCORE_COLUMNS
    levels = [level for *_, split, pair in CLIPS if split == "test" for level in pair]
    assert scores["probability_fake"].to_numpy() == pytest.approx([expected_probability(level) for level in levels])
    assert 1 / (1 + np.exp(-scores["logit"].to_numpy())) == pytest.approx(scores["probability_fake"].to_numpy())


def test_scores_do_not_depend_on_the_batch_nor_change_the_mode(faces_csv):
    faces, detector = load_faces(faces_csv), BrightnessDetector().train()
    one_by_one = evaluation.score(detector, faces, batch=1)
    pd.testing.assert_frame_equal(one_by_one, evaluation.score(detector, faces, batch=64))
    assert detector.training


def test_summary_by_frame_clip_and_method(faces_csv):
    scores = evaluation.score(BrightnessDetector(), load_faces(faces_csv))
    summary = evaluation.summarise(scores, "test")
    assert summary["split"] == "test"
    assert (summary["frame"]["n"], summary["clip"]["n"]) == (12, 6)
    # By clip, mean brightness: reals 30, 100; fakes 210, 210, 40, 200. Seven of the eight pairs are in order.
    assert summary["clip"]["auc"] == pytest.approx(7 / 8)
    low, high = summary["clip"]["auc_interval"]
    assert 0 <= low <= 7 / 8 <= high <= 1
    assert summary["clip"]["confusion"] == {"tn": 2, "fp": 0, "fn": 1, "tp": 3}
    assert len(summary["clip"]["balanced_accuracy_interval"]) == 2
    assert list(summary["methods"]) == ["Deepfakes", "FaceSwap"]
    assert summary["methods"]["Deepfakes"]["auc"] == 1
    assert summary["methods"]["FaceSwap"]["auc"] == pytest.approx(3 / 4)
    assert summary["methods"]["FaceSwap"]["recall"] == 0.5
    assert (summary["methods"]["FaceSwap"]["clips"], summary["methods"]["FaceSwap"]["frames"]) == (2, 4)


def test_one_class_is_null_with_a_reason(faces_csv):
    scores = evaluation.score(BrightnessDetector(), load_faces(faces_csv))
    reals = evaluation.summarise(scores, "val")
    assert reals["clip"]["auc"] is None
    assert reals["clip"]["auc_interval"] is None
    assert "only real" in reals["clip"]["reasons"]["auc"]
    assert "only real" in reals["clip"]["reasons"]["auc_interval"]
    assert reals["methods"] == {}
    fakes = evaluation.summarise(scores[scores["label"] == 1], "test")
    assert fakes["methods"]["Deepfakes"]["auc"] is None
    assert "only fake" in fakes["methods"]["Deepfakes"]["reasons"]["auc"]
    assert "0.5" not in json.dumps(fakes["clip"] | {"threshold": None, "accuracy": None, "loss": None})


def test_a_single_real_clip_has_an_auc_but_no_interval(faces_csv):
    scores = evaluation.score(BrightnessDetector(), load_faces(faces_csv))
    summary = evaluation.summarise(scores[scores["clip_id"] != "003"], "test")
    assert summary["clip"]["auc"] is not None
    assert summary["clip"]["auc_interval"] is None
    assert "fewer than two" in summary["clip"]["reasons"]["auc_interval"]


def test_a_split_without_scores_is_refused(faces_csv):
    scores = evaluation.score(BrightnessDetector(), load_faces(faces_csv))
    with pytest.raises(InputError, match="train"):
        evaluation.summarise(scores, "train")


def test_evaluate_leaves_scores_and_metrics_in_the_run(faces_csv, bright_run):
    run, _ = bright_run
    summary = evaluation.evaluate(run, faces_csv)
    assert json.loads((run / "metrics.json").read_text()) == summary
    scores = read_table(run / "scores.csv", SCORE_COLUMNS)
    assert len(scores) == summary["frame"]["n"] == 12
    assert set(scores["split"]) == {"test"}
    assert scores["clip_id"].tolist()[0] == "000"


def test_a_stored_threshold_is_used(faces_csv, bright_run):
    run, detector = bright_run
    detector.extra = {"threshold": 0.99}
    summary = evaluation.evaluate(run, faces_csv)
    assert summary["clip"]["threshold"] == 0.99
    assert summary["clip"]["predicted_fake_rate"] == 0


def test_crops_cut_in_another_way_are_refused(faces_csv, bright_run):
    run, _ = bright_run
    (faces_csv.parent / "extraction.json").write_text(json.dumps({"crop_scale": 2.0, "size": 160}))
    with pytest.raises(InputError, match="crop"):
        evaluation.evaluate(run, faces_csv)
    assert not (run / "scores.csv").exists()


def test_missing_crops_and_splits_are_refused(faces_csv, bright_run):
    run, _ = bright_run
    with pytest.raises(InputError, match="train"):
        evaluation.evaluate(run, faces_csv, split="train")
    (faces_csv.parent / "crops/FaceSwap/c23/003_000/1.png").unlink()
    with pytest.raises(InputError, match="003_000/1.png"):
        evaluation.evaluate(run, faces_csv)


def test_a_run_folder_without_a_detector_is_refused(faces_csv, tmp_path):
    for folder in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(InputError, match="torchfakes train") as caught:
            evaluation.evaluate(folder, faces_csv)
        assert "\n" not in str(caught.value)


def test_a_folder_that_cannot_be_written_to_is_named(faces_csv, bright_run):
    run, _ = bright_run
    run.rmdir()
    run.write_text("a file where the folder should be")
    with pytest.raises(InputError, match="cannot write"):
        evaluation.evaluate(run, faces_csv)


def test_a_saved_network_end_to_end(faces_csv, tmp_path):
    torch.manual_seed(0)
    preprocessing = Preprocessing(size=80)
    detector = Detector(DetectorConfig(pretrained=None, preprocessing=preprocessing)).eval()
    save(detector, tmp_path / "run" / "best", {"threshold": 0.25})
    summary = evaluation.evaluate(tmp_path / "run", faces_csv, split="val")
    scores = read_table(tmp_path / "run" / "scores.csv", SCORE_COLUMNS)
    crops = torch.stack([torch.full((3, 20, 20), level, dtype=torch.uint8) for level in (10, 10)])
    assert scores["probability_fake"].to_numpy() == pytest.approx(detector.probability(crops).numpy(), abs=1e-5)
    again = binary_metrics(scores["label"], scores["probability_fake"], 0.25)
    assert summary["frame"]["loss"] == pytest.approx(again["loss"])
    assert summary["frame"]["threshold"] == 0.25
