import math
from dataclasses import replace

import pandas as pd
import pytest
import torch

from torchfakes_utils.errors import InputError
from torchfakes_utils.models.preprocessing import Preprocessing
from torchfakes_utils.training import patience
from torchfakes_utils.training import run as running
from torchfakes_utils.training.config import TrainingConfig
from torchfakes_utils.training.data import load_crops
from torchfakes_utils.training.distributed import World
from torchfakes_utils.training.patience import Estimate, check_patience, duration, estimate
from torchfakes_utils.training.trainer import Trainer

from helpers.crops import make_faces
from helpers.runs import TINY

ALONE = World(1, 0, torch.device("cpu"))


def table(reals=1000, val=40, frames=4):
    """As much of a table as says how long a run on it takes."""
    train = [("train", label, "m", f"{row}-{label}", 0) for row in range(reals) for label in (0, 1)]
    held_out = [("val", row % 2, "m", f"v{row}", frame) for row in range(val) for frame in range(frames)]
    faces = pd.DataFrame([*train, *held_out], columns=["split", "label", "method", "clip_id", "frame"])
    return faces.assign(compression="c23", target_id="", original_id="", sharpness=100.0)


class Watch:
    """Says that each crop takes so many seconds, and counts."""

    def __init__(self, a_crop):
        self.a_crop, self.passes = a_crop, []

    def __call__(self, detector, crops, dtype):
        self.passes.append(crops)
        return crops * self.a_crop


def estimated(a_crop, **more):
    watch = Watch(a_crop)
    config = TrainingConfig(**TINY | {"crops_per_epoch": None, "batch_size": 16, "epochs": 5} | more)
    return estimate(table(), Preprocessing(size=80), [config], ALONE, time_pass=watch), watch


def test_ten_passes_say_how_long_a_run_takes():
    found, watch = estimated(0.5)
    assert watch.passes[2:] == [6] * 10  # of six crops: ten of these take half a minute
    # 5 epochs of 62 batches of 16, and 40 validation crops (one a clip) that need no way back.
    assert found.batches == 5 * 62 and found.seconds == pytest.approx(0.5 * (5 * 62 * 16 + 5 * 40 / 3))
    assert found.a_batch == pytest.approx(8) and found.crops == 6
    assert str(found) == "about 42 minutes: 310 batches of 8 s each, and validation (10 passes over 6 crops timed)"


# What makes an epoch longer or shorter than crops over batch size.
WORK = {
    "as it comes": {},
    "fewer crops than a batch": {"batch_size": 64},
    "crops that fill no batch": {"batch_size": 5},
    "steps of several batches": {"batch_size": 2, "accumulate": 2},
    "all crops of validation": {"val_frames_per_clip": None},
    "blurred crops left out": {"min_sharpness": 30.0, "batch_size": 2},
    "one manipulation": {"methods": ("FaceSwap",), "sampling": "uniform"},
    "a number of crops": {"crops_per_epoch": 13},
}


@pytest.fixture(scope="module")
def uneven(tmp_path_factory):
    """Nine real crops to train on, a third of which are blurred."""
    path = make_faces(tmp_path_factory.mktemp("uneven"), {"train": 3, "val": 2}, frames=3)
    table = pd.read_csv(path, dtype={"clip_id": str})
    table.loc[table["clip_id"].str.startswith("000"), "sharpness"] = 10.0
    table.to_csv(path, index=False)
    return path


@pytest.mark.parametrize("more", WORK.values(), ids=WORK)
def test_the_run_makes_as_many_steps_as_were_counted_beforehand(uneven, more):
    config = TrainingConfig(**TINY | {"crops_per_epoch": None, "log_every": 100} | more)
    faces, preprocessing = load_crops(uneven, config)
    found = estimate(faces, preprocessing, [config], ALONE, time_pass=Watch(100.0))
    trainer, batches, looked_at = Trainer(faces, preprocessing, config), [], 0
    real = trainer.data.batches
    trainer.data.batches = lambda *given: (batches.append(batch) or batch for batch in real(*given))
    while not trainer.progress.finished(config):
        trainer.epoch()
        looked_at += len(trainer.val_scores)
    assert len(batches) == found.batches > 0
    assert trainer.progress.step == found.batches / config.accumulate
    assert found.seconds == pytest.approx(100 * (sum(len(batch.rows) for batch in batches) + looked_at / 3))


def test_whole_batches_are_timed_where_they_are_quick_and_two_crops_where_they_are_not():
    assert estimated(0.15)[1].passes[-1] == 16
    assert estimated(60.0)[1].passes[-1] == 2


def test_a_short_run_is_not_timed():
    found, watch = estimated(0.1)  # 500 seconds
    assert found is None and len(watch.passes) == 2


def test_the_network_is_thrown_away_and_nothing_is_drawn():
    """No weights are fetched for it, and the caller's random numbers go on as they would have."""
    generator = torch.get_rng_state()
    config = TrainingConfig(**TINY | {"architecture": "timm:resnet10t", "pretrained": "timm", "epochs": 100})
    found = estimate(table(), Preprocessing(size=80), [config], ALONE, (said := []).append, Watch(5.0))
    assert said == ["this will take a while on cpu: timing 10 passes to see how long"]
    assert found is not None and torch.equal(torch.get_rng_state(), generator)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(60, "60 seconds"), (100, "2 minutes"), (6000, "2 hours"), (100_000, "28 hours"), (500_000, "6 days")],
)
def test_durations_as_people_say_them(seconds, text):
    assert duration(seconds) == text


def test_a_run_that_is_too_long_is_refused_with_what_to_do():
    found = Estimate(5 * 86400, 340.0, 1271, 2)
    with pytest.raises(InputError) as told:
        check_patience(found, 4.0, "cpu")
    text = str(told.value)
    assert "about 5 days: 1,271 batches of 340 s each" in text
    assert (
        "above 4 hours begins" in text
        and "--recipe cpu" in text
        and "--anyway" in text
        and "on cpu" in text
        and "\n" not in text
    )
    check_patience(found, math.inf, "cpu")
    check_patience(Estimate(3600.0, 1.0, 3600, 16), 4.0, "cpu")


def test_several_runs_are_counted_together_and_those_that_have_begun_are_not(tmp_path):
    config = TrainingConfig(**TINY | {"crops_per_epoch": None, "batch_size": 16, "epochs": 5})
    runs = [config, replace(config, epochs=10), replace(config, methods=("m",), seed=1)]
    one, three = (estimate(table(), Preprocessing(80), some, ALONE, time_pass=Watch(0.5)) for some in (runs[:1], runs))
    assert three.runs == 3 and three.batches == 4 * one.batches and three.seconds == pytest.approx(4 * one.seconds)
    assert three.a_batch == pytest.approx(one.a_batch)
    with pytest.raises(InputError, match="^these 3 runs would take about 3 hours: .* above 0.5 hours"):
        check_patience(three, 0.5, "cpu")
    begun = tmp_path / "begun"
    begun.mkdir()
    (begun / "last.safetensors").touch()
    patience.ask_patience(pd.DataFrame(), Preprocessing(80), {begun: config}, ALONE, 0.0, pytest.fail)


def test_training_asks_before_it_writes_and_once(faces_csv, tmp_path, monkeypatch, capsys):
    asked = []

    def long(*given):
        asked.append(given)
        return Estimate(7 * 3600.0, 60.0, 420, 2)

    monkeypatch.setattr(patience, "estimate", long)
    config, out = TrainingConfig(**TINY | {"epochs": 1}), tmp_path / "run"
    with pytest.raises(InputError, match="this run would take about 7 hours: 420 batches of 60 s each"):
        running.train(faces_csv, out, config, progress=False, most_hours=4.0)
    assert not out.exists()
    running.train(faces_csv, out, config, most_hours=math.inf)
    assert "this run will take about 7 hours" in capsys.readouterr().out and len(asked) == 2
    running.train(faces_csv, out, config, progress=False, most_hours=4.0)  # it has begun, and goes on
    running.train(faces_csv, tmp_path / "other", config, progress=False)  # a program decides for itself
    assert len(asked) == 2


def test_a_small_run_asks_nothing(faces_csv, tmp_path, capsys):
    running.train(faces_csv, tmp_path, TrainingConfig(**TINY | {"epochs": 1}), most_hours=4.0)
    assert "will take" not in capsys.readouterr().out
