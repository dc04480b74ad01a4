"""The command line: what goes to which stream, exit statuses, and the pipeline from end to end."""

import io
import json
import logging
import math
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
import torch
from PIL import Image
from skimage import data

from torchfakes_utils import __version__
from torchfakes_utils.cli import main
from torchfakes_utils.errors import InputError
from torchfakes_utils.evaluation import cross_manipulation, evaluate
from torchfakes_utils.faces import extraction
from torchfakes_utils.inference import predictor
from torchfakes_utils.inference.verdict import Prediction
from torchfakes_utils.io.tables import FAILURE_COLUMNS, write_table
from torchfakes_utils.metrics.band import Band
from torchfakes_utils.models.decision import Decision
from torchfakes_utils.models.scope import Scope
from torchfakes_utils.report import write
from torchfakes_utils.training import run as training_run
from torchfakes_utils.training.config import TrainingConfig

from helpers.report import made_up_report

HEAVY = ("torch", "matplotlib", "gradio", "facenet_pytorch", "pytorch_grad_cam", "sklearn", "pandas", "cv2", "av")


def run(*arguments):
    """The command in a process of its own, as a user runs it."""
    return subprocess.run(
        [sys.executable, "-m", "torchfakes_utils", *map(str, arguments)], capture_output=True, text=True, timeout=120
    )


def one_line(text):
    return text.startswith("torchfakes") and text.count("\n") == 1 and "Traceback" not in text


def objects(text):
    """Standard output as JSON, an object a line; fails if anything else got between."""
    return [json.loads(line) for line in text.splitlines()]


def test_help_loads_nothing_heavy_and_answers_at_once():
    program = f"""
import sys, time
from contextlib import suppress, redirect_stdout
from io import StringIO
from torchfakes_utils.cli.main import COMMANDS, main
for words in [[], *([name] for name in COMMANDS)]:
    with suppress(SystemExit), redirect_stdout(StringIO()):
        main([*words, "--help"])
print([name for name in {HEAVY} if name in sys.modules], time.process_time())
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded, seconds = result.stdout.rsplit(maxsplit=1)
    assert loaded == "[]"
    assert float(seconds) < 0.5  # of the processor, for all of them together


def test_help_names_every_command_and_the_version_is_the_packages(capsys):
    for arguments, expected in ((["--help"], main.COMMANDS), (["--version"], [__version__])):
        with pytest.raises(SystemExit) as caught:
            main.main(arguments)
        assert caught.value.code == 0
        shown = capsys.readouterr().out
        assert all(word in shown.split() for word in expected)


def test_no_command_shows_help_on_standard_error(capsys):
    assert main.main([]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "predict" in shown.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["extract", "data"],
        ["nonsense"],
        ["predict"],
        ["predict", "run", "a", "--frames", "0"],
        ["predict", "run", "a", "--frame", "4"],  # no beginnings of options
        ["train", "--lr"],
        ["clips", "data", "--methods", "Deepfakes,"],
        ["clips", "data", "--methods", "Deepfakes", "FaceSwap"],
        ["evaluate", "run", "faces.csv", "another.csv"],
    ],
)
def test_wrong_usage_is_one_line_and_status_2(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main.main(arguments)
    assert caught.value.code == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert one_line(shown.err)
    assert "--help" in shown.err


def test_recipes_are_shown_to_people_and_machines(capsys):
    assert main.main(["recipes"]) == 0
    shown = capsys.readouterr().out
    assert "--architecture EfficientNet-Lite0" in shown and shown.count("  Not measured: ") == 3
    assert main.main(["recipes", "--json"]) == 0
    found = {one["recipe"]: one for one in objects(capsys.readouterr().out)}
    assert list(found) == ["course", "cpu", "best"]
    assert found["cpu"]["settings"]["image_size"]["value"] == 128 and found["best"]["settings"]["tune"]["why"]


@pytest.mark.parametrize(("words", "most_hours"), [([], 4.0), (["--anyway"], math.inf)])
def test_training_is_told_how_long_it_may_take(words, most_hours, monkeypatch):
    told = []

    def train(*given, **more):
        told.append(more["most_hours"])
        raise InputError("enough")

    monkeypatch.setattr(training_run, "train", train)

    def matrix(*given):
        told.append(given[5])
        raise InputError("enough")

    monkeypatch.setattr(cross_manipulation, "matrix", matrix)
    for command in ("train", "matrix"):
        assert main.main([command, "faces.csv", "--out", "run", *words]) == 2
    assert told == [most_hours] * 2


def answer(monkeypatch, module, name, value):
    """Make a stage answer with `value`, or raise it; noisily, as some libraries are."""

    def stage(*args, **kwargs):
        print("noise from a library")
        if isinstance(value, BaseException):
            raise value
        return value

    monkeypatch.setattr(module, name, stage)


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (InputError("faces.csv: no\nsuch table"), 2, "faces.csv: no such table"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (FileNotFoundError(2, "No such file or directory", "weights.pt"), 2, "weights.pt: No such file"),
        (ModuleNotFoundError("No module named 'nbclient'", name="nbclient"), 2, "torchfakes[course]"),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to"), 2, "smaller batch"),
        (ZeroDivisionError("division by zero"), 2, "unexpected ZeroDivisionError: division by zero; run again with"),
    ],
)
def test_errors_are_one_line_with_a_status(error, status, words, monkeypatch, capsys):
    answer(monkeypatch, evaluate, "evaluate", error)
    assert main.main(["evaluate", "run", "faces.csv", "--json"]) == status
    shown = capsys.readouterr()
    assert shown.out == ""
    last = shown.err.removeprefix("noise from a library\n")
    assert one_line(last)
    assert words in last


def test_debug_shows_where_it_went_wrong(monkeypatch):
    answer(monkeypatch, evaluate, "evaluate", InputError("no such table"))
    with pytest.raises(InputError):
        main.main(["evaluate", "run", "faces.csv", "--debug"])


def test_what_a_stage_prints_is_not_a_result(monkeypatch, capsys):
    decision = Decision(caution="no better than a coin", photo=Band((0.55,), 0.25))
    clip = {
        "auc": 0.75,
        "auc_interval": (0.5, 0.9),
        "eer": None,
        "eer_interval": None,
        "reasons": {"eer": "only fake ones"},
    }
    report = made_up_report(clip=clip, decision=decision)
    answer(monkeypatch, evaluate, "evaluate", None)
    answer(monkeypatch, write, "write_report", report)
    assert main.main(["evaluate", "run", "faces.csv", "--json"]) == 0
    shown = capsys.readouterr()
    assert objects(shown.out) == [json.loads(json.dumps(report.to_json()))]
    assert "noise" in shown.err
    assert main.main(["evaluate", "run", "faces.csv"]) == 0
    shown = capsys.readouterr().out
    assert "noise" not in shown
    assert "0.750  [0.500, 0.900]" in shown
    assert "-  (only fake ones)" in shown
    assert "FaceSwap: AUC by clip 1.000" in shown and "6 of 8 clips are called fake or real; 0 show no face" in shown
    assert "of 4 real ones 1 called fake (25.0% [0.6%, 80.6%])" in shown and "2 called real (50.0% [" in shown
    assert "scope: what it was trained on is not known" in shown and "meaning: A verdict compares" in shown
    assert "caution: no better than a coin" in shown
    assert "run/report.html" in shown
    answer(monkeypatch, write, "write_report", replace(report, data=replace(report.data, unreadable=4)))
    assert main.main(["evaluate", "run", "faces.csv"]) == 1


def test_warnings_of_a_stage_are_one_line_and_logging_is_left_alone(monkeypatch, capsys):
    logger = logging.getLogger("torchfakes_utils.evaluation")

    def warn(*args, **kwargs):
        try:
            raise ZeroDivisionError
        except ZeroDivisionError:
            logger.warning("%d files left out", 3, exc_info=True)
        raise InputError("nothing left")

    monkeypatch.setattr(evaluate, "evaluate", warn)
    assert main.main(["evaluate", "run", "faces.csv"]) == 2
    assert capsys.readouterr().err.splitlines() == ["torchfakes: 3 files left out", "torchfakes: nothing left"]
    assert logging.getLogger("torchfakes_utils").propagate
    assert not logging.getLogger("torchfakes_utils").handlers


class Predictor:
    """Knows the answer from the file's name."""

    @classmethod
    def from_run(cls, folder, device, limits=None):
        made = cls()
        made.detector = SimpleNamespace(decision=Decision(scope=Scope("Some data", ("Deepfakes",))))
        return made

    def predict_many(self, paths, frames):
        for path in paths:
            if "bad" in path:
                yield Prediction(path, "cannot tell", None, "no face found")
            else:
                yield Prediction(path, "fake", 0.9, "P(fake) is 0.90", rate="of 9 real clips 1 was called fake")


@pytest.mark.parametrize(
    ("files", "status"),
    [(["a.jpg", "b.mp4"], 0), (["bad.jpg", "b.mp4"], 1), (["bad.jpg"], 2), (["bad.jpg", "bad.mp4"], 2)],
)
def test_predict_goes_on_after_a_bad_file_and_says_so_by_its_status(files, status, monkeypatch, capsys):
    monkeypatch.setattr(predictor, "Predictor", Predictor)
    assert main.main(["predict", "run", *files, "--json"]) == status
    shown = capsys.readouterr()
    values = objects(shown.out)
    assert [value["path"] for value in values] == files
    assert {"path", "verdict", "probability_fake", "reason", "faces"} <= set(values[0])
    assert ("got no verdict: it cannot tell" in shown.err) == (status > 0)
    assert main.main(["predict", "run", *files]) == status
    header, *shown = capsys.readouterr().out.splitlines()
    assert header.split() == ["verdict", "P(fake)", "over", "frames", "file"]
    *shown, scope, meaning = shown
    assert scope.startswith("scope: trained on Some data: Deepfakes; it says nothing of wholly generated faces")
    assert meaning.startswith("meaning: A verdict compares a face with clips that this detector was checked on")
    for name in files:
        line, *below = shown[: 1 if "bad" in name else 3]
        shown = shown[1 + len(below) :]
        assert line.startswith("cannot tell" if "bad" in name else "fake         0.90") and name in line
        assert below == ([] if "bad" in name else ["  P(fake) is 0.90", "  of 9 real clips 1 was called fake"])
    assert not shown


@pytest.mark.parametrize(("found", "failures", "status"), [(50, 0, 0), (50, 2, 1), (0, 2, 2)])
def test_extract_names_the_clips_that_failed(found, failures, status, monkeypatch, capsys, tmp_path):
    rows = [
        dict.fromkeys(FAILURE_COLUMNS, "") | {"path": f"{i}.mp4", "label": 0, "reason": "cut"} for i in range(failures)
    ]
    write_table(pd.DataFrame(rows, columns=FAILURE_COLUMNS), tmp_path / "failures.csv")
    answer(monkeypatch, extraction, "extract_faces", extraction.ExtractionReport(9, found, failures, 1.5))
    assert main.main(["extract", "data", "--out", str(tmp_path), "--json"]) == status
    shown = capsys.readouterr()
    assert objects(shown.out) == [{"clips": 9, "faces": found, "failures": failures, "seconds": 1.5}]
    assert ("0.mp4: cut" in shown.err) == (failures > 0)


def test_train_prints_epochs_as_they_end_and_then_the_best(monkeypatch, capsys, tmp_path):
    rows = [{"epoch": 1, "val_auc": 0.6, "val_auc_clip": 0.7}, {"epoch": 2, "val_auc": 0.8, "val_auc_clip": None}]

    def train(faces_csv, out, config, on_epoch, most_hours):
        print("epoch 1/2")
        for row in rows:
            on_epoch(row)
        assert config == TrainingConfig(epochs=2, learning_rate=0.01, pretrained=None, tracker="auto")
        return training_run.TrainingResult(rows[1], pd.DataFrame(rows), out)

    monkeypatch.setattr(training_run, "train", train)
    arguments = ["train", "f.csv", "--out", str(tmp_path), "--epochs", "2", "--lr", "0.01", "--pretrained", "none"]
    assert main.main([*arguments, "--json"]) == 0
    shown = objects(capsys.readouterr().out)
    assert shown[:2] == rows
    assert shown[2]["best"] == rows[1]
    assert main.main(arguments) == 0
    assert "the detector of epoch 2 is in" in capsys.readouterr().out


def test_a_reader_who_has_seen_enough_is_no_error(monkeypatch):
    monkeypatch.setattr(predictor, "Predictor", Predictor)
    reading, writing = os.pipe()
    os.close(reading)
    with io.TextIOWrapper(os.fdopen(writing, "wb", buffering=0), write_through=True) as closed:
        monkeypatch.setattr(sys, "stdout", closed)
        assert main.main(["predict", "run", "a.jpg", "--json"]) == 1


@pytest.mark.slow
def test_bad_input_in_a_real_process(tmp_path):
    result = run("clips", tmp_path, "--json")
    assert (result.returncode, result.stdout) == (2, "")
    assert one_line(result.stderr)


@pytest.mark.slow
def test_the_pipeline_from_end_to_end(tmp_path, capsys):
    """Mini-FF++ at its smallest; how good the detector is does not matter here."""

    def command(*arguments, status=0):
        assert main.main([*map(str, arguments), "--json"]) == status
        return objects(capsys.readouterr().out)

    mini, faces, results = tmp_path / "mini", tmp_path / "mini" / "faces", tmp_path / "run"
    (made,) = command("mini", mini, "--identities", 6, "--size", 128, "--seconds", 0.4, "--workers", 1)
    assert made["path"] == str(mini)
    (listed,) = command("clips", mini)
    assert listed["fake"] == 4 * listed["real"]
    (extracted,) = command("extract", mini, "--out", faces, "--frames", 2, "--methods", "Deepfakes")
    assert set(extracted) == {"clips", "faces", "failures", "seconds"}
    train = ["train", faces / "faces.csv", "--out", results, "--epochs", 1, "--image-size", 80, "--crops-per-epoch", 8]
    train += ["--batch-size", 4, "--pretrained", "none", "--min-sharpness", 0, "--device", "cpu"]
    epoch, last = command(*train)
    assert epoch["epoch"] == last["best"]["epoch"] == 1
    (summary,) = command("evaluate", results, faces / "faces.csv")
    assert {"split", "frame", "clip", "methods"} <= set(summary)
    assert json.loads((results / "report.json").read_text()) == summary
    assert summary["clip"]["n"] == summary["clip"]["n_real"] + summary["clip"]["n_fake"]
    assert set(summary["methods"]) == {"Deepfakes"}
    (explained,) = command("explain", results, faces / "faces.csv", "--limit", 2, "--no-checks")
    assert (Path(explained["path"]) / "maps.npz").is_file()
    assert explained["pictures"] == 2 and {row["map"] for row in explained["masks"]} >= {"trained", "centre prior"}
    assert json.loads((results / "report.json").read_text())["interpretation"]["regions"] == explained["regions"]
    (again,) = command("evaluate", results, faces / "faces.csv", "--perturbations", "jpeg", "--perturb-frames", 1,
                       "--replicates", 100, "--scores", results / "scores.csv")  # fmt: skip
    assert list(again["robustness"]["perturbations"]) == ["jpeg"]
    assert again["interpretation"]
    clip = next(mini.glob("original_sequences/youtube/c23/videos/*.mp4"))
    Image.fromarray(data.astronaut()).save(tmp_path / "photo.jpg")
    (tmp_path / "text.mp4").write_text("no video")
    files = [clip, tmp_path / "photo.jpg", tmp_path / "text.mp4"]
    verdicts = command("predict", results, *files, "--frames", 4, status=2)
    assert [value["path"] for value in verdicts] == [str(path) for path in files]
    # Six people are too few to fix what belongs to the data, without which a practice detector says nothing.
    assert all(value["verdict"] == "cannot tell" for value in verdicts)
    for value in verdicts[:2]:
        assert value["reason"].partition("a practice detector")[1], value
    assert "neither a photo nor a video" in verdicts[2]["reason"]


@pytest.mark.parametrize("replicates", ["1", "99"])
def test_intervals_of_too_few_data_sets_are_refused_in_one_line(replicates, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main.main(["evaluate", "run", "faces.csv", "--replicates", replicates]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"replicates {replicates}: give at least" in line


@pytest.mark.parametrize("command", [["calibrate", "run"], ["train", "--out", "run"], ["matrix", "--out", "runs"]])
@pytest.mark.parametrize("option", ["--false-alarms", "--misses"])
@pytest.mark.parametrize("rate", ["0", "1", "-0.5", "1.5", "1e-320"])
def test_rates_that_cannot_be_kept_are_refused_in_one_line(command, option, rate, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main.main([command[0], *command[1:], "faces.csv", f"{option}={rate}"]) == 2
    shown = capsys.readouterr()
    assert (
        shown.out == "" and one_line(shown.err) and f"{option} {float(rate)}: give a share between 0 and 1" in shown.err
    )
    assert not list(tmp_path.iterdir())
