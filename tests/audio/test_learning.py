import json
import logging
import shutil

import numpy as np
import pandas as pd
import pytest
import safetensors.torch
import torch

from torchfakes_utils.audio.config import AudioEvaluationConfig, AudioTrainingConfig
from torchfakes_utils.audio.detector import load_voice_detector
from torchfakes_utils.audio.explaining import spectrogram_heat
from torchfakes_utils.audio.hearing import changed, excerpt
from torchfakes_utils.audio.learning import train_voice
from torchfakes_utils.audio.scoring import detection_costs, evaluate_voice, lines
from torchfakes_utils.errors import InputError

from helpers import voices

QUICK = AudioTrainingConfig(front_end="log-mel", network="cnn", seconds=0.5, epochs=40, batch=6, augment=False)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return voices.data_set(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def run(table, tmp_path_factory):
    out = tmp_path_factory.mktemp("run") / "cnn"
    train_voice(table, out, QUICK)
    return out


@pytest.mark.slow
def test_a_buzz_is_heard_and_the_run_holds_what_it_should(run, table):
    report = evaluate_voice(run, table, AudioEvaluationConfig(channels=("mp3",), replicates=200)).report
    assert report["all"]["auc"] > 0.7 and report["methods"]["buzz"]["auc"] == report["all"]["auc"]
    assert report["all"]["drawn_by"] == "person" and report["all"]["units"] == 2 == report["speakers"]
    assert report["all"]["real"] == 6 == report["all"]["fake"] and set(report["channels"]) == {"mp3"}
    assert json.loads((run / "audio.json").read_text()) == report
    scores = pd.read_csv(run / "scores.csv")
    assert set(scores["channel"]) == {"none", "mp3"} and len(scores) == 24
    assert any("cost" in line for line in lines(report)) and "scope: trained on" in "\n".join(lines(report))
    assert len(pd.read_csv(run / "history.csv")) == 40
    scope = load_voice_detector(run).decision.scope
    assert scope.methods == ("buzz",) and not scope.practice


@pytest.mark.slow
def test_a_run_that_was_stopped_goes_on_to_the_same_bits(run, table, tmp_path):
    class StoppedError(Exception):
        pass

    def stop(row):
        if row["epoch"] == 2:
            raise StoppedError

    with pytest.raises(StoppedError):
        train_voice(table, tmp_path / "run", QUICK, stop)
    seen = []
    train_voice(table, tmp_path / "run", QUICK, seen.append)
    assert [row["epoch"] for row in seen] == list(range(3, 41))
    first, second = (safetensors.torch.load_file(one / "best/model.safetensors") for one in (run, tmp_path / "run"))
    assert all(torch.equal(first[name], second[name]) for name in first)
    again = []
    train_voice(table, tmp_path / "run", QUICK, again.append)
    assert not again, "it is done"


def test_another_setting_or_table_wants_another_folder(run, table, tmp_path):
    with pytest.raises(InputError, match="choose another folder"):
        train_voice(table, run, AudioTrainingConfig(front_end="log-mel", seconds=0.5, epochs=5, batch=8))
    other = voices.data_set(tmp_path, clips=1)
    with pytest.raises(InputError, match="choose another folder"):
        train_voice(other, run, QUICK)


def test_what_cannot_be_read_is_one_line_and_the_rest_is_learned(table, tmp_path, caplog):
    folder = shutil.copytree(table.parent, tmp_path / "data")
    (folder / "s0-0-speech.wav").write_text("no sound")
    (folder / "s4-0-buzz.wav").unlink()
    config = AudioTrainingConfig(front_end="log-mel", network="logistic", seconds=0.5)
    with caplog.at_level(logging.WARNING):
        trained = train_voice(folder / "recordings.csv", tmp_path / "run", config)
        found = evaluate_voice(tmp_path / "run", folder / "recordings.csv", AudioEvaluationConfig(replicates=100))
    assert trained.unreadable == 1 == len(found.unreadable)
    assert [record.getMessage().count("\n") for record in caplog.records if "s0-0" in record.getMessage()] == [0]
    assert found.report["all"]["auc"] > 0.8


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda rows: rows.assign(split="train"), "val has no recordings"),
        (lambda rows: rows[(rows["label"] == 0) | (rows["split"] != "train")], "train has no fakes"),
        (lambda rows: rows[(rows["label"] == 1) | (rows["split"] != "val")], "val has no real recordings"),
        (lambda rows: rows.drop(columns="label"), "lacks the column label"),
        (lambda rows: rows.assign(path="none.wav"), "train has no recordings that can be read"),
    ],
)
def test_a_table_that_nothing_can_be_learned_from_is_one_line(table, tmp_path, change, said):
    change(pd.read_csv(table)).to_csv(tmp_path / "recordings.csv", index=False)
    with pytest.raises(InputError, match=said):
        train_voice(tmp_path / "recordings.csv", tmp_path / "run", QUICK)


def test_a_state_that_is_damaged_is_one_line(table, tmp_path):
    train_voice(table, tmp_path / "run", AudioTrainingConfig(front_end="log-mel", seconds=0.5, epochs=1, batch=4))
    (tmp_path / "run/last.safetensors").write_bytes(b"damaged")
    with pytest.raises(InputError, match="training begins anew"):
        train_voice(table, tmp_path / "run", AudioTrainingConfig(front_end="log-mel", seconds=0.5, epochs=1, batch=4))


def test_a_split_or_a_class_that_is_not_there_is_one_line(run, table, tmp_path):
    with pytest.raises(InputError, match="no recording in the split 'holdout'"):
        evaluate_voice(run, table, AudioEvaluationConfig(split="holdout"))
    rows = pd.read_csv(table)
    rows[rows["label"] == 0].assign(
        path=[str(table.parent / path) for path in rows.loc[rows["label"] == 0, "path"]]
    ).to_csv(tmp_path / "real.csv", index=False)
    with pytest.raises(InputError, match="needs real recordings and fakes"):
        evaluate_voice(run, tmp_path / "real.csv")


def test_the_cost_has_its_known_answers():
    labels, scores = np.array([0, 0, 0, 0, 1, 1]), np.array([0.1, 0.2, 0.3, 0.9, 0.8, 0.05])
    found = detection_costs(labels, scores, 0.5, prior=0.05, cost_false_alarm=1, cost_miss=10)
    assert found["cost"] == pytest.approx((0.95 * 0.25 + 0.5 * 0.5) / 0.5)
    assert found["least_cost"] == pytest.approx(min(1.0, (0.95 * 0.25 + 0.5 * 0.5) / 0.5))
    for threshold, cost in ((0.0, 0.95 / 0.5), (1.0, 1.0)):
        assert detection_costs(labels, scores, threshold, 0.05, 1, 10)["cost"] == pytest.approx(cost)
    perfect = detection_costs(labels, labels * 1.0, 0.5, 0.05, 1, 10)
    assert perfect == {"cost": 0.0, "least_cost": 0.0}


def test_excerpts_and_changes_keep_shape_and_follow_from_the_generator():
    samples = voices.spoken(1.0)
    for size in (4000, 16_000, 40_000):
        one, two = (excerpt(samples, size, np.random.default_rng(3)) for _ in range(2))
        assert one.shape == (size,) and np.array_equal(one, two) and set(one) <= set(samples)
    windows = np.stack([samples] * 6)
    first, second = (changed(windows, np.random.default_rng(seed)) for seed in (1, 2))
    assert first.shape == windows.shape and first.dtype == np.float32 and not np.allclose(first, second)
    alike = [np.corrcoef(row, samples)[0, 1] for row in first]
    assert min(alike) > 0.6


def test_heat_lies_where_the_sound_is_and_leaves_the_network_as_it_was(run, table):
    detector = load_voice_detector(run)
    before = {name: value.clone() for name, value in detector.state_dict().items()}
    features, heat = spectrogram_heat(detector, voices.buzzed(voices.spoken(1.0)))
    assert features.shape == heat.shape == (32, 126) and heat.min() >= 0 and heat.max() in (0.0, 1.0)
    assert all(torch.equal(before[name], value) for name, value in detector.state_dict().items())
    assert all(one.grad is None for one in detector.parameters())
    with pytest.raises(InputError, match="no block 9"):
        spectrogram_heat(detector, voices.spoken(1.0), 9)
