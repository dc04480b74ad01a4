import csv

import pandas as pd
import pytest
import torch

from torchfakes_utils.errors import InputError
from torchfakes_utils.training import journal
from torchfakes_utils.training.checkpoint import Progress, RunFolder
from torchfakes_utils.training.journal import StepTable, SystemMetrics


def test_the_table_of_steps_takes_back_what_will_be_written_again(tmp_path):
    path = tmp_path / "steps.csv"
    table = StepTable(path, ["loss"])
    for step in range(1, 6):
        table.write({"step": step, "epoch": 1, "loss": step / 10})
    StepTable(path, ["loss"], after=3).write({"step": 4, "epoch": 1, "loss": 0.9})
    rows = list(csv.DictReader(path.open()))
    assert [row["step"] for row in rows] == ["1", "2", "3", "4"] and rows[-1]["loss"] == "0.9"
    StepTable(path, ["loss"])
    assert path.read_text() == "step,epoch,loss\n"


def test_a_half_written_row_is_no_hindrance(tmp_path):
    path = tmp_path / "steps.csv"
    path.write_text("step,epoch,loss\n1,1,0.5\n2,1,0.4\n,")
    assert StepTable(path, ["loss"], after=2).path.read_text() == "step,epoch,loss\n1,1,0.5\n2,1,0.4\n"


def test_a_table_that_cannot_be_written(tmp_path):
    (tmp_path / "steps.csv").mkdir()
    with pytest.raises(InputError, match="steps.csv: cannot be written"):
        StepTable(tmp_path / "steps.csv", ["loss"])


def test_what_training_takes_from_the_machine():
    metrics = SystemMetrics(torch.device("cpu"))
    sum(number * number for number in range(300_000))
    values = metrics.read()
    assert values["memory_mib"] > 50 and values["cpu_percent"] >= 0 and "gpu_memory_mib" not in values


def test_images_a_second_of_a_run_that_goes_on(tmp_path, monkeypatch):
    """What was seen before does not count as seen in no time."""
    run, clock = RunFolder(tmp_path, {}), iter([100.0, 102.0, 106.0])
    monkeypatch.setattr(journal.time, "perf_counter", lambda: next(clock))
    book = journal.Journal(run, "none", torch.device("cpu"), ["head"], after=0, seen=1000)
    for step, seen in ((1, 1032), (2, 1064)):
        progress = Progress(step=step, losses=[0.9, 0.5], rate=0.1, _asked=0.0)
        book.step(progress, seen, {"head": 2.0})
    rows = pd.read_csv(tmp_path / "steps.csv")
    assert rows["loss"].tolist() == [0.5, 0.5] and rows["learning_rate"].tolist() == [0.1, 0.1]
    assert rows["images_per_second"].tolist() == [16.0, 8.0] and rows["grad_norm_head"].tolist() == [2.0, 2.0]
