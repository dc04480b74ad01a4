"""The matrix: a run a manipulation, every cell measured, and nothing trained twice."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from torchfakes_utils.crops.table import load_faces
from torchfakes_utils.errors import InputError
from torchfakes_utils.evaluation import cross_manipulation
from torchfakes_utils.evaluation.config import Scoring
from torchfakes_utils.evaluation.cross_manipulation import lines, matrix
from torchfakes_utils.training import patience
from torchfakes_utils.training.config import TrainingConfig
from torchfakes_utils.training.patience import Estimate
from torchfakes_utils.training.run import train

TINY = TrainingConfig(architecture="Meso4", pretrained=None, image_size=32, epochs=1, batch_size=4, min_sharpness=0.0)


@pytest.mark.slow
def test_every_manipulation_is_trained_alone_and_tested_on_all(tiny_faces, tmp_path, monkeypatch):
    found = matrix(tiny_faces / "faces.csv", tmp_path, TINY, scoring=Scoring(frames=2))
    assert found.methods == ["Deepfakes", "FaceSwap"] and len(found.rows) == 4
    table = pd.read_csv(tmp_path / "matrix.csv")
    assert list(table) == [
        "trained_on", "tested_on", "auc", "low", "high", "balanced_accuracy", "real_clips", "fake_clips",
    ]  # fmt: skip
    assert (table["real_clips"] == 2).all() and (table["fake_clips"] == 2).all() and table["auc"].between(0, 1).all()
    assert "Deepfakes" in lines(found)[1] and len(lines(found)) == 4
    # A second call only looks.
    monkeypatch.setattr(cross_manipulation, "train", lambda *words, **more: train(*words, **more, on_epoch=pytest.fail))
    assert matrix(tiny_faces / "faces.csv", tmp_path, TINY, scoring=Scoring(frames=2)) == found


@pytest.mark.slow
def test_one_manipulation_is_left_out_in_turn(tiny_faces, tmp_path, monkeypatch):
    asked = {}

    def watched(faces_csv, run, config, **more):
        asked[run.name] = config
        return train(faces_csv, run, config, **more)

    monkeypatch.setattr(cross_manipulation, "train", watched)
    config = replace(TINY, self_blended=0.5)
    found = matrix(tiny_faces / "faces.csv", tmp_path, config, scoring=Scoring(frames=2), leave_out=True)
    assert {name: one.methods for name, one in asked.items()} == {
        "all but Deepfakes": ("FaceSwap",), "all but FaceSwap": ("Deepfakes",),
    }  # fmt: skip
    assert all(one.self_blended == 0.5 for one in asked.values())
    assert found.left_out and found.self_blended == 0.5 and found.methods == ["Deepfakes", "FaceSwap"]
    pairs = [(row.trained_on, row.tested_on) for row in found.rows]
    assert pairs == [(f"all but {one}", other) for one in found.methods for other in found.methods]
    said = lines(found)
    assert "50% of the fakes self-blended" in said[0] and said[2].startswith("all but Deepfakes")
    # Each alone is another matrix, beside it in the same folder.
    monkeypatch.setattr(cross_manipulation, "train", train)
    alone = matrix(tiny_faces / "faces.csv", tmp_path, config, scoring=Scoring(frames=2))
    assert not alone.left_out and [row.trained_on for row in alone.rows][:2] == ["Deepfakes", "Deepfakes"]


def test_whatever_manipulations_are_called_their_runs_lie_in_the_folder(tiny_faces, tmp_path):
    table = pd.read_csv(tiny_faces / "faces.csv", dtype=str)
    table["path"] = [str(tiny_faces / path) for path in table["path"]]
    theirs = tmp_path / "theirs"
    table["method"] = table["method"].replace({"Deepfakes": str(theirs), "FaceSwap": "matrix.csv"})
    table.to_csv(tmp_path / "faces.csv", index=False)
    found = matrix(tmp_path / "faces.csv", tmp_path / "out", TINY, scoring=Scoring(frames=2))
    assert found.methods == sorted([str(theirs), "matrix.csv"]) and not theirs.exists()
    assert len(list((tmp_path / "out").glob("*/best"))) == 2 and (tmp_path / "out/matrix.csv").is_file()


def test_manipulations_are_known_before_one_is_trained_and_each_is_trained_once(tiny_faces, tmp_path, monkeypatch):
    monkeypatch.setattr(cross_manipulation, "train", pytest.fail)
    unknown, alone = (
        "no fakes of the method 'Nope' in the table",
        "takes two manipulations or more; there are Deepfakes",
    )
    for methods, words in ((("Deepfakes", "Nope"), unknown), (("Deepfakes", "Deepfakes"), alone)):
        with pytest.raises(InputError, match=words):
            matrix(tiny_faces / "faces.csv", tmp_path / "out", replace(TINY, methods=methods))
    assert not (tmp_path / "out").exists()


def test_a_matrix_asks_before_it_takes_hours(tiny_faces, tmp_path, monkeypatch, capsys):
    """All its runs together, and again only for those that have not begun."""
    asked, out = [], tmp_path / "out"

    def long(faces, preprocessing, runs, *given):
        asked.append([run.methods for run in runs])
        return Estimate(7 * 3600.0, 60.0, 420, 2, runs=len(runs))

    monkeypatch.setattr(patience, "estimate", long)
    scoring = Scoring(frames=2, progress=True)
    with pytest.raises(InputError, match="these 2 runs would take about 7 hours.* above 4 hours .* with --anyway$"):
        matrix(tiny_faces / "faces.csv", out, TINY, scoring=scoring, most_hours=4.0)
    assert not out.exists() and asked == [[("Deepfakes",), ("FaceSwap",)]]
    matrix(tiny_faces / "faces.csv", out, TINY, scoring=scoring, most_hours=math.inf)
    assert "these 2 runs will take about 7 hours" in capsys.readouterr().out and len(asked) == 2
    matrix(tiny_faces / "faces.csv", out, TINY, scoring=scoring, most_hours=4.0)  # all of it is there
    matrix(tiny_faces / "faces.csv", tmp_path / "other", TINY, scoring=Scoring(frames=2))  # a program decides itself
    assert len(asked) == 2


def test_a_matrix_looks_for_its_weights_before_it_times_anything(tiny_faces, tmp_path, monkeypatch):
    def lacking(config, preprocessing):
        raise InputError("weights cannot be had")

    monkeypatch.setattr(cross_manipulation, "check_start", lacking)
    monkeypatch.setattr(patience, "estimate", lambda *given: pytest.fail("the weights come first"))
    with pytest.raises(InputError, match="weights cannot be had"):
        matrix(tiny_faces / "faces.csv", tmp_path / "out", TINY, most_hours=4.0)
    assert not (tmp_path / "out").exists()


def test_a_folder_of_somebody_else_makes_no_matrix(tiny_faces, tmp_path):
    (tmp_path / "matrix.csv").write_text("mine")
    with pytest.raises(InputError, match="holds other things than a matrix"):
        matrix(tiny_faces / "faces.csv", tmp_path, TINY)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["mine"]


def test_one_manipulation_makes_no_matrix(tiny_faces, tmp_path):
    with pytest.raises(InputError, match="two manipulations or more; there are FaceSwap"):
        matrix(tiny_faces / "faces.csv", tmp_path, TrainingConfig(methods=("FaceSwap",)))


def test_training_on_some_manipulations_sees_no_other(tiny_faces):
    from torchfakes_utils.training.data import load_crops
    from torchfakes_utils.training.trainer import Trainer

    config = TrainingConfig(**{**vars(TINY), "methods": ("FaceSwap",)})
    faces, preprocessing = load_crops(tiny_faces / "faces.csv", config)
    data = Trainer(faces, preprocessing, config).data
    for part in (data.train_faces, data.val_faces):
        assert set(part.loc[part["label"] == 1, "method"]) == {"FaceSwap"} and (part["label"] == 0).any()
    with pytest.raises(InputError, match="no fakes of the method 'Fog' in the table; there are Deepfakes, FaceSwap"):
        Trainer(faces, preprocessing, TrainingConfig(**{**vars(TINY), "methods": ("Fog",)}))


def seen_labels(data):
    """What training is told of each crop that it draws in three epochs."""
    batches = [batch for epoch in (1, 2, 3) for batch in data.batches(epoch)]
    return {row: label for batch in batches for row, label in zip(batch.rows, batch.labels.tolist(), strict=True)}


def test_random_labels_are_half_and_half_and_the_same_for_a_seed(tiny_faces, tmp_path, capsys):
    from torchfakes_utils.models.detector import load_detector
    from torchfakes_utils.training.data import load_crops
    from torchfakes_utils.training.trainer import Trainer

    config = TrainingConfig(**{**vars(TINY), "random_labels": True})
    run = train(tiny_faces / "faces.csv", tmp_path / "run", config, progress=False).run
    assert load_detector(run).decision.caution.startswith("its training labels were drawn at random")
    train(tiny_faces / "faces.csv", run, config)
    said = capsys.readouterr().out
    assert "caution: its training labels were drawn at random" in said, "of a run that was finished before, too"
    faces, preprocessing = load_crops(tiny_faces / "faces.csv", config)
    drawn, again = (Trainer(faces, preprocessing, config).data for _ in range(2))
    true = load_faces(tiny_faces / "faces.csv", "train")["label"].to_numpy()
    labels = seen_labels(drawn)
    assert labels == seen_labels(again) and any(true[row] != label for row, label in labels.items())
    assert 0.2 < np.mean(list(labels.values())) < 0.8 and drawn.crops == (true == 0).sum()
    assert drawn.val_faces["label"].tolist() == Trainer(faces, preprocessing, TINY).data.val_faces["label"].tolist()
