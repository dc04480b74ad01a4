"""What a run tells while it goes: a row every few steps, on disk; the numbers and the mistakes of every epoch."""

import csv
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
import torch

from torchfakes_utils.crops.table import read_crop
from torchfakes_utils.io.files import describe_errors
from torchfakes_utils.metrics.binary import binary_metrics
from torchfakes_utils.models.run_files import STEPS_FILE
from torchfakes_utils.training.checkpoint import Progress, RunFolder
from torchfakes_utils.training.trackers import open_tracker

# Example crops that a tracker gets after every epoch: the worst mistakes.
_PICTURES = 8


class Journal:
    """Writes `steps.csv`, and tells the tracker."""

    def __init__(
        self, run: RunFolder, tracker: str, device: torch.device, stages: Sequence[str], after: int, seen: int
    ) -> None:
        """Begin, or go on after the step `after`.

        Args:
            run: what it is a journal of.
            tracker: one of `trackers.TRACKERS`.
            device: what the run is computed on.
            stages: names of those that are trained: each has a gradient.
            after, seen: steps that were done, and crops that were seen, before.

        Raises:
            InputError: the tracker is not installed, or the table cannot be written.
        """
        self._system = SystemMetrics(device)
        norms = [f"grad_norm_{name}" for name in stages]
        columns = ["loss", "learning_rate", "images_per_second", *self._system.read(), *norms]
        self._table = StepTable(run.path / STEPS_FILE, columns, after)
        self._tracker = open_tracker(tracker, run.path, run.record)
        self._last = (time.perf_counter(), seen)  # when a step was written, and how many crops had been seen

    def step(self, progress: Progress, seen: int, norms: Mapping[str, float]) -> None:
        """A step is done.

        Args:
            progress: with the step, its rate and its loss.
            seen: crops that all processes have seen in the whole run.
            norms: of each stage's gradient.
        """
        now = time.perf_counter()
        speed = (seen - self._last[1]) / (now - self._last[0])
        self._last = (now, seen)
        values = {"loss": progress.losses[-1], "learning_rate": progress.rate, "images_per_second": round(speed, 1)}
        system, place = self._system.read(), {"step": progress.step, "epoch": progress.epoch}
        self._table.write({**place, **values, **system} | {f"grad_norm_{name}": norm for name, norm in norms.items()})
        scalars = {f"train/{name}": value for name, value in values.items()}
        scalars |= {f"system/{name}": value for name, value in system.items()}
        scalars |= {f"gradient norm/{name}": norm for name, norm in norms.items()}
        self._tracker.scalars(scalars, progress.step)

    def epoch(self, row: Mapping[str, Any], scores: pd.DataFrame, step: int) -> None:
        """An epoch is done, after so many steps, with a row of the history and the scores of the validation crops."""
        names = {name: name if name.startswith("val_") else f"epoch_{name}" for name in row}
        scalars = {names[name].replace("_", "/", 1): value for name, value in row.items()}
        confusion = binary_metrics(scores["label"], scores["probability_fake"])["confusion"]
        self._tracker.scalars(scalars | {f"confusion/{name}": count for name, count in confusion.items()}, step)
        self._tracker.pictures("worst mistakes", *_worst(scores), step)

    def close(self) -> None:
        """Nothing more will come."""
        self._tracker.finish()


def _worst(scores: pd.DataFrame) -> tuple[list[np.ndarray], list[str]]:
    """The crops that the detector is most wrong about, (H, W, 3) uint8, and what it says of them."""
    wrong = (scores["label"] - scores["probability_fake"]).abs()
    rows = scores.loc[wrong.sort_values(ascending=False).index[:_PICTURES]]
    truth = rows["label"].map({0: "real", 1: "fake"})
    captions = [
        f"{true} ({method}), P(fake) {score:.2f}"
        for true, method, score in zip(truth, rows["method"], rows["probability_fake"], strict=True)
    ]
    return [read_crop(file).permute(1, 2, 0).numpy() for file in rows["file"]], captions


class StepTable:
    """`steps.csv`: a row every few steps, written as it comes.

    A run that goes on from an earlier step first takes back the rows after it, which it will write again.
    """

    def __init__(self, path: Path, columns: Sequence[str], after: int = 0) -> None:
        """Begin, or go on after a step.

        Raises:
            InputError: it cannot be written.
        """
        self.path, self.columns = path, ["step", "epoch", *columns]
        kept = [row for row in self._read() if int(row["step"]) <= after] if after else []
        with describe_errors(path), path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, self.columns, lineterminator="\n", restval="", extrasaction="ignore")
            writer.writeheader()
            writer.writerows(kept)

    def write(self, row: Mapping[str, float]) -> None:
        """Append a row."""
        with describe_errors(self.path), self.path.open("a", newline="", encoding="utf-8") as file:
            csv.DictWriter(file, self.columns, lineterminator="\n", restval="").writerow(row)

    def _read(self) -> list[dict[str, str]]:
        try:
            with self.path.open(newline="", encoding="utf-8") as file:
                return [row for row in csv.DictReader(file) if (row.get("step") or "").isdigit()]
        except (OSError, ValueError, csv.Error):
            return []


class SystemMetrics:
    """What training takes from the machine: this process, and `device` where it is a GPU."""

    def __init__(self, device: torch.device) -> None:
        """Begin to count."""
        self._process, self._device = psutil.Process(), device
        self._process.cpu_percent()  # the first answer is always 0: it counts from the last question

    def read(self) -> dict[str, float]:
        """`cpu_percent` (100 is one core), `memory_mib` resident, and of a GPU `gpu_memory_mib`, the peak so far."""
        memory = round(self._process.memory_info().rss / 2**20, 1)
        values = {"cpu_percent": self._process.cpu_percent(), "memory_mib": memory}
        if self._device.type == "cuda":
            values["gpu_memory_mib"] = round(torch.cuda.max_memory_allocated(self._device) / 2**20, 1)
        return values
