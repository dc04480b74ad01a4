"""The runs of lesson 11: who is left out, that what has met no forgery has met none, and what is not done twice."""

import pytest

from torchfakes_utils import course
from torchfakes_utils.course import unseen
from torchfakes_utils.course.steps import STEPS, Order
from torchfakes_utils.errors import InputError
from torchfakes_utils.training.trainer import Trainer

TINY = {"architecture": "Meso4", "pretrained": None, "image_size": 32, "crops_per_epoch": 32}


@pytest.fixture
def tiny(monkeypatch):
    monkeypatch.setattr(unseen, "TRAINING", unseen.TRAINING | TINY)


@pytest.mark.slow
@pytest.mark.usefixtures("tiny")
def test_each_family_is_left_out_and_no_forgery_is_met_by_the_last(tiny_faces, tmp_path, monkeypatch):
    met = []

    class Watched(Trainer):
        def prepare(self, batch):
            rows = self.data.train_faces.iloc[batch.rows]
            met.append((self.config.methods, set(rows["method"])))
            return super().prepare(batch)

    monkeypatch.setattr(unseen, "Trainer", Watched)
    runs = unseen.read_runs(unseen.build(tiny_faces / "faces.csv", tmp_path, workers=1, progress=False))
    ways = runs.drop_duplicates(["way", "left_out"])[["way", "left_out"]].to_numpy().tolist()
    assert ways == [["forgeries", "Deepfakes"], ["forgeries", "FaceSwap"], ["self-blended", "all"]]
    for methods, seen in met:
        assert seen <= {"youtube", *methods}
    assert {methods for methods, _ in met} == {("FaceSwap",), ("Deepfakes",), ()}
    for _, own in runs.groupby(["way", "left_out"]):
        assert set(own["method"]) == {"youtube", "Deepfakes", "FaceSwap"}, "and each is asked about all"
        assert not own.duplicated(["method", "clip_id"]).any() and own["probability_fake"].between(0, 1).all()
    monkeypatch.setattr(unseen, "_run", lambda task: pytest.fail("it is there"))
    assert unseen.read_runs(unseen.build(tiny_faces / "faces.csv", tmp_path, workers=1, progress=False)).equals(runs)


@pytest.mark.usefixtures("tiny")
def test_one_family_cannot_be_left_out(tiny_faces, tmp_path):
    import pandas as pd

    table = pd.read_csv(tiny_faces / "faces.csv", dtype=str)
    table["path"] = [str(tiny_faces / path) for path in table["path"]]
    table[table["method"] != "FaceSwap"].to_csv(tmp_path / "faces.csv", index=False)
    with pytest.raises(InputError, match="one family is left out in turn, and there are Deepfakes"):
        unseen.build(tmp_path / "faces.csv", tmp_path / "out", workers=1, progress=False)


def test_the_step_builds_them(home, monkeypatch):
    asked = []
    monkeypatch.setattr(unseen, "build", lambda *given, **more: asked.append((*given, more)))
    where = course.paths()
    step = STEPS["unseen"]
    step.build(Order(where, step.settings(where), progress=False))
    assert asked == [(where.faces_csv, where.unseen, {"progress": False})]
    assert step.makes(where) == where.unseen / "scores.csv" and step.settings(where)["frames"] == unseen.FRAMES
