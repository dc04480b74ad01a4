"""A run of films: it goes on to the same bits, says what it cannot use, and keeps what it learned."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from torchfakes_utils.errors import InputError
from torchfakes_utils.io.tables import CLIP_COLUMNS, read_table, write_table
from torchfakes_utils.models.decision import NOT_SETTLED
from torchfakes_utils.models.detector import load_detector
from torchfakes_utils.temporal import training
from torchfakes_utils.temporal.config import VideoConfig, View
from torchfakes_utils.temporal.data import epoch_draws, load_clips, open_clips
from torchfakes_utils.temporal.detector import VideoDetector, is_video, load_video
from torchfakes_utils.temporal.evaluation import evaluate_video
from torchfakes_utils.temporal.store import Reading
from torchfakes_utils.temporal.training import train_video

from helpers.films import film_table

SMALL = VideoConfig("diff3d", seconds=0.8, size=32, epochs=2, windows_per_clip=2, batch_size=4, device="cpu")


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> Path:
    """Six people, a real and a fake film each."""
    return film_table(tmp_path_factory.mktemp("films") / "set")


@pytest.fixture(scope="module")
def run(table, tmp_path_factory) -> Path:
    """A run that has ended."""
    out = tmp_path_factory.mktemp("runs") / "run"
    train_video(table, out, SMALL, progress=False)
    return out


def weights(run: Path) -> dict[str, torch.Tensor]:
    return load_video(run).state_dict()


def test_a_run_holds_what_it_should_and_is_settled(run, table):
    names = {path.relative_to(run).as_posix() for path in run.rglob("*") if path.is_file()}
    assert {"config.json", "history.csv", "last.safetensors", "best/model.safetensors", "best/detector.json"} <= names
    assert len(pd.read_csv(run / "history.csv")) == 2
    detector = load_video(run)
    assert is_video(run) and NOT_SETTLED not in detector.decision.notes
    assert detector.decision.scope.methods == ("Temporal",) and detector.likeness is not None
    assert "kind" in json.loads((run / "best" / "detector.json").read_text())


def test_a_run_that_was_stopped_anywhere_goes_on_to_the_same_bits(run, table, tmp_path, monkeypatch):
    out, learn, count = tmp_path / "run", training._Trainer._learn, 0

    def stop(self, draw):
        nonlocal count
        count += 1
        if count in (2, 5):
            self.interruption.asked = 2  # as Ctrl-C
        return learn(self, draw)

    monkeypatch.setattr(training._Trainer, "_learn", stop)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            train_video(table, out, SMALL, progress=False)
    monkeypatch.setattr(training._Trainer, "_learn", learn)
    train_video(table, out, SMALL, progress=False)
    ours, theirs = weights(out), weights(run)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    losses = [pd.read_csv(one / "history.csv")["train_loss"].tolist() for one in (out, run)]
    assert losses[0] == losses[1]


def test_a_finished_run_is_left_alone_and_another_is_refused(run, table):
    before = (run / "best" / "model.safetensors").read_bytes()
    result = train_video(table, run, SMALL, progress=False)
    assert len(result.history) == 2 and (run / "best" / "model.safetensors").read_bytes() == before
    with pytest.raises(InputError, match="holds a run of films with seed 0"):
        train_video(table, run, replace(SMALL, seed=1), progress=False)


def test_a_damaged_detector_is_noticed_and_one_of_crops_is_told_apart(run, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    path = tmp_path / "run" / "best" / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match="damaged or changed"):
        load_video(tmp_path / "run")
    with pytest.raises(InputError, match="a detector of films, and one of face crops is needed here") as caught:
        load_detector(run)
    assert "\n" not in str(caught.value)
    (tmp_path / "run" / "best" / "detector.json").write_text(
        '{"format": 1, "kind": "video", "version": 1, "config": {}}'
    )
    with pytest.raises(InputError, match="not a detector's description"):
        load_video(tmp_path / "run")
    with pytest.raises(InputError, match="no detector here"):
        load_video(tmp_path)
    assert not is_video(tmp_path)


def test_clips_that_cannot_be_used_are_named_and_the_rest_goes_on(table, tmp_path, caplog):
    folder = tmp_path / "set"
    shutil.copytree(table.parent, folder)
    shutil.rmtree(folder / ".video-cache", ignore_errors=True)
    clips = read_table(folder / "clips.csv", CLIP_COLUMNS)
    (folder / clips["path"][0]).write_bytes(b"no film")
    (folder / clips["path"][1]).unlink()
    (folder / "photos").mkdir()
    write_table(pd.concat([clips, clips.iloc[[4]].assign(clip_id="p", path="photos")]), folder / "own.csv")
    reading = Reading(SMALL.view, "pictures", lambda pictures: pictures)
    found = open_clips(load_clips(folder / "own.csv"), folder / "own.csv", {}, reading)
    assert len(found.table) == len(clips) - 2 and len(found.reasons) == 3
    assert all("\n" not in why for why in found.reasons.values())
    assert "3 of 13 clips cannot be used" in caplog.text
    assert any("a folder of pictures" in why for why in found.reasons.values())


@pytest.mark.parametrize(("change", "why"), [
    (lambda clips: clips[clips["label"] == 0], "no fake clips"),
    (lambda clips: clips[clips["split"] != "val"], "split 'val' has no clips"),
    (lambda clips: clips.assign(path="gone.mp4"), "not one of its clips can be used"),
])  # fmt: skip
def test_tables_that_cannot_be_trained_on_are_refused_in_one_line(table, tmp_path, change, why):
    write_table(change(read_table(table, CLIP_COLUMNS)), tmp_path / "clips.csv")
    with pytest.raises(InputError, match=why) as caught:
        train_video(tmp_path / "clips.csv", tmp_path / "run", SMALL, progress=False)
    assert "\n" not in str(caught.value)


def test_an_unknown_method_is_refused_and_a_known_one_taken_alone(table):
    with pytest.raises(InputError, match="no fakes of 'Deepfakes'; there are Temporal"):
        load_clips(table, ("Deepfakes",))
    assert set(load_clips(table, ("Temporal",))["method"]) == {"youtube", "Temporal"}


def test_a_head_without_a_table_of_faces_says_how_to_make_one(table, tmp_path):
    write_table(read_table(table, CLIP_COLUMNS), tmp_path / "clips.csv")
    with pytest.raises(InputError, match="torchfakes extract"):
        train_video(
            tmp_path / "clips.csv", tmp_path / "run", replace(SMALL, architecture="gru", size=None), progress=False
        )


def test_half_of_what_is_drawn_is_fake_and_made_from_the_real_clip_before_it(table):
    clips = load_clips(table)
    clips = clips[clips["split"] == "train"].reset_index(drop=True)
    found = open_clips(clips, table, {}, Reading(SMALL.view, "pictures", lambda pictures: pictures))
    draws = epoch_draws(found, SMALL, 1)
    rows = np.concatenate([draw.clips for draw in draws])
    labels = torch.cat([draw.labels for draw in draws])
    assert labels.tolist() == [0.0, 1.0] * (len(rows) // 2)
    targets = found.table["target_id"].to_numpy()[rows]
    assert (targets[::2] == targets[1::2]).all()
    assert all(0 <= start <= len(found.described[row].times) - 10
               for draw in draws for row, start in zip(draw.clips, draw.starts, strict=True))  # fmt: skip
    again, other = epoch_draws(found, SMALL, 1), epoch_draws(found, SMALL, 2)
    assert all((one.starts == same.starts).all() for one, same in zip(draws, again, strict=True))
    assert any((one.starts != same.starts).any() for one, same in zip(draws, other, strict=True))


@pytest.mark.slow
def test_a_head_is_trained_on_faces_and_measured(table, tmp_path):
    config = VideoConfig("correlation", seconds=0.8, epochs=2, windows_per_clip=2, batch_size=4, device="cpu")
    run = tmp_path / "run"
    train_video(table, run, config, progress=False)
    detector = load_video(run)
    assert detector.encoder is not None and detector.axes.abs().sum() > 0
    report = evaluate_video(run, table, progress=False)
    assert report["clip"]["n"] == 2 and set(report["methods"]) == {"Temporal"} and report["failures"] == {}
    assert set(report["ways"]) == {"mean", "top k", "longest run"} and "auc" in report["shuffled"]
    windows = pd.read_csv(run / "windows.csv")
    assert {"start_s", "end_s", "probability_fake"} <= set(windows) and (windows["end_s"] > windows["start_s"]).all()


@pytest.mark.parametrize("wrong", [{"architecture": "lstm"}, {"seconds": 0.01}, {"rate": 0.5}, {"size": 4},
                                   {"epochs": 0}, {"batch_size": 1}, {"learning_rate": -1.0}, {"weights": "x.pth"},
                                   {"seconds": 20, "rate": 100}, {"seconds": float("nan")}])  # fmt: skip
def test_impossible_configurations_are_refused_in_one_line(wrong):
    with pytest.raises(InputError) as caught:
        VideoConfig(**wrong)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("wrong", [{"seconds": "1"}, {"size": 20.5}, {"faces": 1}, {"wider": 0.5}, {"rate": True}])
def test_a_strangers_view_is_looked_at(wrong):
    with pytest.raises(InputError):
        View(**wrong)


def test_answers_of_a_clip_do_not_depend_on_which_windows_are_asked_together(table):
    torch.manual_seed(0)
    from torchfakes_utils.temporal.detector import VideoDetectorConfig

    detector = VideoDetector(VideoDetectorConfig("diff3d", SMALL.view, 0)).eval()
    torch.nn.init.normal_(detector.network.classifier.weight)
    clips = open_clips(load_clips(table), table, {}, Reading(SMALL.view, "pictures", lambda pictures: pictures))
    one = clips.described[0]
    together = detector.answers(one, np.array([0, 3, 7]))
    alone = np.concatenate([detector.answers(one, np.array([start])) for start in (0, 3, 7)])
    assert together[:, 0] == pytest.approx(alone[:, 0], abs=1e-5) and np.isnan(together[:, 1]).all()
