"""What a run tells while it goes: a row every few steps, on disk; the numbers and the mistakes of every epoch."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch

from torchfakes_utils.crops.table import read_crop
from torchfakes_utils.metrics.binary import binary_metrics
from torchfakes_utils.models.run_files import STEPS_FILE
from torchfakes_utils.training.trackers import RunInfo, StepTable, SystemMetrics, open_tracker

# Example crops that a tracker gets after every epoch: the worst mistakes.
_PICTURES = 8


class Journal:
    """Writes `steps.csv`, and tells the tracker."""

    def __init__(
        self, run: RunInfo, tracker: str, device: torch.device, stages: Sequence[str], after: int = 0, seen: int = 0
    ) -> None:
        """Begin, or go on after the step `after`.

        Args:
            run: what it is a journal of.
            tracker: one of `trackers.TRACKERS`.
            device: what the run is computed on.
            stages: names of those that are trained: each has a gradient.
            after: steps that were done before.
            seen: crops that were seen before.

        Raises:
            InputError: the tracker is not installed, or the table cannot be written.
        """
        self._system = SystemMetrics(device)
        norms = [f"grad_norm_{name}" for name in stages]
        columns = ["loss", "learning_rate", "images_per_second", *self._system.read(), *norms]
        self._table = StepTable(run.folder / STEPS_FILE, columns, after)
        self._tracker = open_tracker(tracker, run)
        self._last = (time.perf_counter(), seen)  # when a step was written, and how many crops had been seen

    def step(
        self, place: Mapping[str, int], values: Mapping[str, float], seen: int, norms: Mapping[str, float]
    ) -> None:
        """A step is done.

        Args:
            place: `step` and `epoch`.
            values: `loss` and `learning_rate`.
            seen: crops that all processes have seen in the whole run.
            norms: of each stage's gradient.
        """
        now = time.perf_counter()
        rate = (seen - self._last[1]) / (now - self._last[0])
        self._last = (now, seen)
        values, system = {**values, "images_per_second": round(rate, 1)}, self._system.read()
        self._table.write({**place, **values, **system} | {f"grad_norm_{name}": norm for name, norm in norms.items()})
        scalars = {f"train/{name}": value for name, value in values.items()}
        scalars |= {f"system/{name}": value for name, value in system.items()}
        scalars |= {f"gradient norm/{name}": norm for name, norm in norms.items()}
        self._tracker.scalars(scalars, place["step"])

    def epoch(self, row: Mapping[str, Any], scores: pd.DataFrame, step: int) -> None:
        """An epoch is done.

        Args:
            row: of the history.
            scores: of the validation crops.
            step: how many there have been.
        """
        names = {name: name if name.startswith("val_") else f"epoch_{name}" for name in row}
        scalars = {names[name].replace("_", "/", 1): value for name, value in row.items()}
        confusion = binary_metrics(scores["label"], scores["probability_fake"])["confusion"]
        self._tracker.scalars(scalars | {f"confusion/{name}": count for name, count in confusion.items()}, step)
        self._tracker.pictures("worst mistakes", *_worst(scores), step)

    def finish(self) -> None:
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
