"""The last step of a run: thresholds as verdicts are given, a likeness of its faces, and what it was trained on."""

import dataclasses
import json
import shutil

import pandas as pd
import pytest
import torch

from torchfakes_utils.crops.scope import data_name, is_practice, scope_of
from torchfakes_utils.crops.table import load_faces, read_crop
from torchfakes_utils.datasets.mini.config import MINI_FILE
from torchfakes_utils.errors import InputError
from torchfakes_utils.faces.quality import crop_qualities, face_edges, outside_of
from torchfakes_utils.io.values import MOST_TEXTS
from torchfakes_utils.metrics.config import FRAMES
from torchfakes_utils.models.decision import DISTANCE, NOT_SETTLED, Rates, decide
from torchfakes_utils.models.detector import load_detector
from torchfakes_utils.models.scope import MOST_IN_NAME
from torchfakes_utils.models.stored import store_decision, stored_decision
from torchfakes_utils.training.config import TrainingConfig
from torchfakes_utils.training.data import TrainingData, load_crops
from torchfakes_utils.training.distributed import World
from torchfakes_utils.training.run import train
from torchfakes_utils.training.settling import is_settled

from helpers.crops import make_faces
from helpers.runs import TINY


@pytest.fixture(scope="module")
def settled(tmp_path_factory):
    """A run on clips of more crops than a verdict rests on, validated on two of each clip."""
    folder = tmp_path_factory.mktemp("settled")
    faces_csv = make_faces(folder / "faces", {"train": 4, "val": 3, "test": 1}, frames=FRAMES + 3)
    config = TrainingConfig(**TINY | {"val_frames_per_clip": 2, "false_alarms": 0.2, "misses": 0.3})
    return faces_csv, config, train(faces_csv, folder / "run", config, progress=False).run


def test_thresholds_are_those_of_the_scores_that_verdicts_rest_on(settled):
    """In full precision, of the mirror image too, on as many crops of a clip as `predict` takes."""
    faces_csv, config, run = settled
    detector, faces = load_detector(run), load_faces(faces_csv, "val")
    decision = detector.decision
    assert (decision.false_alarms, decision.misses) == (config.false_alarms, config.misses)
    crops = torch.stack([read_crop(file) for file in faces["file"]])
    answers = detector.answers(detector.preprocessing.apply(crops)).double().numpy()
    edges = face_edges(faces, detector.preprocessing.crop_scale)
    looks = crop_qualities(crops.numpy(), outside_of(faces), edges, faces["sharpness"].to_numpy(float))
    seen = faces.assign(logit=answers[:, 0], distance=answers[:, 1], **looks)
    training = TrainingData(*load_crops(faces_csv, config), config, World(1, 0, torch.device("cpu")))
    expected = decide(seen, training.qualities(), Rates(0.2, 0.3))
    assert decision.threshold == pytest.approx(expected.threshold, abs=1e-4)
    assert decision.temperature == pytest.approx(expected.temperature, rel=1e-3)
    assert decision.ranges[DISTANCE][1] == pytest.approx(expected.ranges[DISTANCE][1], rel=1e-3)
    for own, wanted in ((decision.photo, expected.photo), (decision.film, expected.film)):
        assert own.real_to == pytest.approx(wanted.real_to, abs=1e-4)
        assert own.fake_from == pytest.approx(wanted.fake_from, abs=1e-4)
    assert detector.likeness is not None and NOT_SETTLED not in decision.notes and is_settled(run / "best")


def test_a_detector_of_a_run_that_has_not_ended_says_so_and_a_second_call_settles_it(settled):
    faces_csv, config, run = settled
    best, before = run / "best", stored_decision(run / "best")
    store_decision(best, dataclasses.replace(before, notes=(NOT_SETTLED,), likeness=""))
    assert not is_settled(best) and load_detector(best).likeness is None
    assert "run has not ended" in load_detector(best).decision.silence, "and gives no verdict until then"
    train(faces_csv, run, config, progress=False)
    assert is_settled(best) and stored_decision(best) == before and before.silence == ""


def test_a_run_without_verdicts_is_not_settled_until_they_are_asked_for(settled, tmp_path):
    faces_csv, config, whole = settled
    run = train(faces_csv, tmp_path / "run", config, progress=False, verdicts=False).run
    assert not is_settled(run / "best") and load_detector(run).decision.silence
    weights = (run / "best" / "model.safetensors").read_bytes()
    train(faces_csv, run, config, progress=False)
    assert is_settled(run / "best") and stored_decision(run / "best") == stored_decision(whole / "best")
    assert (run / "best" / "model.safetensors").read_bytes() == weights, "the same network"


@pytest.mark.parametrize("lost", ["likeness.safetensors", "model.safetensors", "decision"])
def test_a_finished_run_whose_detector_is_damaged_says_what_to_do(settled, tmp_path, lost):
    faces_csv, config, whole = settled
    run = shutil.copytree(whole, tmp_path / "run")
    if lost == "decision":
        description = json.loads((run / "best" / "detector.json").read_text())
        description["decision"]["false_alarms"] = 0
        (run / "best" / "detector.json").write_text(json.dumps(description))
    else:
        (run / "best" / lost).unlink()
    with pytest.raises(InputError, match=f"This run is finished.*: delete {run} and train again") as refused:
        train(faces_csv, run, config, progress=False)
    assert "\n" not in str(refused.value)
    assert ("run `torchfakes calibrate`" in str(refused.value)) == (lost in ("likeness.safetensors", "decision"))


def test_the_scope_is_what_the_training_crops_are(settled):
    faces_csv, _, run = settled
    scope = stored_decision(run / "best").scope
    assert set(scope.methods) == set(pd.read_csv(faces_csv).query("label == 1")["method"])
    assert scope.compressions == ("c23",) and not scope.practice and scope.data == data_name(faces_csv)


def test_mini_ffpp_is_practice_wherever_its_crops_lie(tmp_path):
    faces_csv = make_faces(tmp_path / "mini" / "faces", {"train": 2})
    assert not is_practice(faces_csv)
    (tmp_path / "mini" / MINI_FILE).write_text(json.dumps({}))
    scope = scope_of(load_faces(faces_csv), faces_csv)
    assert is_practice(faces_csv) and scope.practice and scope.data == "Mini-FF++ (mini)"


def test_words_of_a_table_of_one_s_own_that_fit_into_no_line_stop_no_training(tmp_path):
    names = ["x" * 1000, "", *(f"m{number:03d}" for number in range(400))]
    faces = pd.DataFrame({"split": "train", "label": 1, "method": names, "compression": "c23"})
    methods = scope_of(faces, tmp_path / "own" / "faces.csv").methods
    assert len(methods) == MOST_TEXTS and max(map(len, methods)) <= MOST_IN_NAME and "" not in methods


@pytest.mark.parametrize(("field", "option"), [("false_alarms", "--false-alarms"), ("misses", "--misses")])
@pytest.mark.parametrize("rate", [0, 1])
def test_rates_that_cannot_be_kept_are_refused_before_anything_is_trained(field, option, rate):
    with pytest.raises(InputError, match=f"{option} {rate}: give a share between 0 and 1"):
        TrainingConfig(**{field: rate})
