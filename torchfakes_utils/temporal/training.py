"""From a table of clips to the run of a detector of films; the same call again finishes an interrupted run.

It keeps what a run of crops keeps: `config.json`, by which it is known, `history.csv`, `best/`, `last.safetensors`, and
goes on to the same bits. Each step draws its random numbers from (seed, epoch, step) alone.
"""

import math
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.optim.lr_scheduler import OneCycleLR
from tqdm import tqdm

from torchfakes_utils.crops.scope import scope_of
from torchfakes_utils.errors import InputError
from torchfakes_utils.io.files import sha256_of
from torchfakes_utils.io.folders import Stamp, claim, sweep
from torchfakes_utils.io.machine import memory_kept, torch_device
from torchfakes_utils.io.tables import write_table
from torchfakes_utils.metrics.binary import binary_metrics, by_clip
from torchfakes_utils.models.decision import NOT_SETTLED, Decision, Rates, decide
from torchfakes_utils.models.likeness import fit_likeness
from torchfakes_utils.models.provenance import provenance
from torchfakes_utils.models.run_files import (
    BEST_FOLDER,
    DETECTOR_FILE,
    HISTORY_FILE,
    STATE_FILE,
    TRAINING_FILE,
    WEIGHTS_FILE,
)
from torchfakes_utils.models.stored import store_decision, stored_decision
from torchfakes_utils.temporal.beginning import direct, new_detector, textures
from torchfakes_utils.temporal.config import FREE_FIELDS, VideoConfig
from torchfakes_utils.temporal.data import Clips, Draw, epoch_draws, faces_of, load_clips, open_clips
from torchfakes_utils.temporal.detector import load_video, save_video
from torchfakes_utils.temporal.scoring import window_scores
from torchfakes_utils.temporal.store import Reading
from torchfakes_utils.training.checkpoint import RunFolder, read_state, said_where_damaged
from torchfakes_utils.training.data import seed_of, seeded
from torchfakes_utils.training.interruption import Interruption

_FORMAT = 1

# The peak of the schedule: small heads on features learn fast, networks of frames do not, and given weights are not to
# be washed away.
_RATES = {"gru": 3e-3, "attention": 1e-3, "correlation": 1e-2, "diff3d": 2e-3, "r2plus1d_18": 5e-4}
_CLIP_NORM = 1.0
# Of a clip: FF++'s have up to a minute.
MOST_SECONDS = 20.0


class VideoRow(TypedDict):
    """A row of `history.csv`."""

    epoch: int
    seconds: float
    train_loss: float
    learning_rate: float
    val_loss: float
    val_auc: float | None
    val_auc_clip: float | None


COLUMNS = list(VideoRow.__annotations__)


@dataclass(frozen=True)
class VideoResult:
    """What a run came to.

    Attributes:
        best: the row of `history` whose detector is in `run/best`.
        history: a row an epoch.
        run: the folder.
    """

    best: VideoRow
    history: pd.DataFrame
    run: Path


def train_video(
    clips_csv: Path | str,
    out: Path | str,
    config: VideoConfig = VideoConfig(),
    faces: Path | str | None = None,
    on_epoch: Callable[[VideoRow], None] | None = None,
    progress: bool = True,
) -> VideoResult:
    """Train on split "train", choose the epoch on split "val", and fix the decision there.

    Args:
        clips_csv: the table of clips; what is computed of them is kept in `.video-cache` beside it.
        out: the run folder.
        config: how to train.
        faces: for the heads, the table that `extract` wrote, or its folder; None is `faces/` beside the clips.
        on_epoch: called with each new row of the history.
        progress: print a line an epoch, and show bars on a terminal.

    Raises:
        InputError: clips, faces or classes lack, `out` holds another run or cannot be written to, weights cannot be
            used, or the loss is no longer a number.
        KeyboardInterrupt: Ctrl-C; the step in hand was finished and kept.
    """
    clips_csv, out = Path(clips_csv), Path(out)
    say: Callable[[str], object] = print if progress else lambda line: None
    table = load_clips(clips_csv, config.methods)
    _check_classes(table, clips_csv)
    known = faces_of(None if faces is None else Path(faces), clips_csv) if config.view.faces else {}
    record = asdict(config) | {"clips_sha256": sha256_of(clips_csv)}
    if config.weights is not None:
        record["weights"] = Path(config.weights).name  # the same file from elsewhere is the same run
    _claim(out, record)
    with memory_kept(), ExitStack() as stack:
        trainer = _Trainer(table, clips_csv, known, out, config, record, progress)
        # From here on there is something to keep; what is described of clips is kept clip by clip.
        interruption = trainer.interruption = stack.enter_context(Interruption())
        for line in trainer.lines():
            say(line)
        while len(trainer.history) < config.epochs:
            row = trainer.epoch()
            say(described(row, config.epochs))
            if on_epoch is not None:
                on_epoch(row)
            interruption.follow()
        best = trainer.best
        assert best is not None  # the first epoch is the best so far
        say(f"best: epoch {best['epoch']}, validation {_aucs(best)}")
        if NOT_SETTLED in stored_decision(out / BEST_FOLDER).notes:
            trainer.settle()
    for caution in stored_decision(out / BEST_FOLDER).cautions:
        say(caution)
    return VideoResult(best, pd.DataFrame(trainer.history, columns=COLUMNS), out)


def described(row: VideoRow, epochs: int) -> str:
    """A row of the history as a line."""
    return (
        f"epoch {row['epoch']}/{epochs} ({row['seconds']:.0f} s): loss {row['train_loss']:.3f}; validation loss "
        f"{row['val_loss']:.3f}, {_aucs(row)}"
    )


def _aucs(row: VideoRow) -> str:
    return f"AUC {_shown(row['val_auc'])} (by clip {_shown(row['val_auc_clip'])})"


def _shown(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3f}"


def _check_classes(table: pd.DataFrame, clips_csv: Path) -> None:
    """Refuse a table that cannot be trained on.

    Raises:
        InputError: a class or a split lacks.
    """
    for split in ("train", "val"):
        there = set(table.loc[table["split"] == split, "label"])
        if there != {0, 1}:
            lacks = "clips" if not there else "fake clips" if 1 not in there else "real clips"
            raise InputError(
                f"{clips_csv}: its split {split!r} has no {lacks}; both classes are needed in train and val"
            )


def _claim(out: Path, record: dict[str, Any]) -> None:
    best = [f"{BEST_FOLDER}/{name}" for name in (DETECTOR_FILE, WEIGHTS_FILE)]
    stamp = Stamp(
        "a run of films", "torchfakes train-video", _FORMAT, TRAINING_FILE, record, free=FREE_FIELDS,
        notes=provenance(), writes=(STATE_FILE, HISTORY_FILE, BEST_FOLDER, *best),
        wording={"clips_sha256": "another clips.csv"},
    )  # fmt: skip
    claim(out, stamp, overwrite=not (out / STATE_FILE).exists())
    sweep(out / BEST_FOLDER)


class _Trainer:
    """The loop and what it needs."""

    def __init__(
        self,
        table: pd.DataFrame,
        clips_csv: Path,
        known: Any,
        out: Path,
        config: VideoConfig,
        record: dict[str, Any],
        progress: bool,
    ) -> None:
        self.config, self.progress, self.interruption = config, progress, Interruption(listen=False)
        self.device = torch_device(config.device)
        self.scope = scope_of(table, clips_csv)
        self.folder = RunFolder(out, record | provenance())
        with seeded(seed_of(config.seed, 3), self.device):
            self.detector = new_detector(config).to(self.device)
        reading = Reading(config.view, self.detector.described_by, self.detector.describe, MOST_SECONDS)
        clips = open_clips(table[table["split"].isin(["train", "val"])], clips_csv, known, reading, progress)
        self.train, self.val = (clips.part(clips.table["split"] == split) for split in ("train", "val"))
        for name, part in (("train", self.train), ("val", self.val)):
            _check_classes(part.table.assign(split=name), clips_csv) if name == "" else _check_part(
                part, name, clips_csv
            )
        if config.view.faces:
            direct(self.detector, self.train)
        self.reduced = [self.detector.reduced(torch.from_numpy(np.array(one.values))) if config.view.faces else None
                        for one in self.train.described]  # fmt: skip
        steps = len(epoch_draws(self.train, config, 1))
        self.optimizer = torch.optim.AdamW(
            self.detector.network.parameters(), config.learning_rate or _RATES[config.architecture],
            weight_decay=config.weight_decay,
        )  # fmt: skip
        rate = config.learning_rate or _RATES[config.architecture]
        self.schedule = OneCycleLR(self.optimizer, rate, config.epochs * steps)
        self.history: list[VideoRow] = []
        self.best: VideoRow | None = None
        self.step, self.losses, self.seconds = 0, list[float](), 0.0
        self._restore(out)

    def lines(self) -> list[str]:
        """The data and the network, a line each."""
        parts = []
        for name, part in (("train", self.train), ("val", self.val)):
            fakes = part.table.loc[part.table["label"] == 1, "method"].value_counts(sort=False).items()
            listed = ", ".join(f"{method} {count}" for method, count in fakes)
            parts.append(
                f"{name}: {(part.table['label'] == 0).sum()} real, {(part.table['label'] == 1).sum()} fake ({listed})"
            )
        view, count = self.config.view, sum(p.numel() for p in self.detector.network.parameters())
        what = "face crops" if view.faces else "whole frames"
        lines = [
            f"clips {'; '.join(parts)}",
            f"{self.config.architecture}, {count:,} weights, on windows of {view.seconds:g} s ({view.ticks} {what} of "
            f"{view.size} px, {view.rate:g} a second), on {self.device}",
        ]
        if len(self.history) >= self.config.epochs:
            lines.append(f"{self.folder.path}: this run is finished; another one needs another folder")
        elif self.history or self.step:
            lines.append(f"{self.folder.path}: going on after step {self.step} of epoch {len(self.history) + 1}")
        return lines

    def epoch(self) -> VideoRow:
        """What is left of the epoch in hand; validate, keep; its row of the history."""
        number, started = len(self.history) + 1, time.perf_counter() - self.seconds
        draws = epoch_draws(self.train, self.config, number)
        self.detector.train()
        bar = tqdm(draws[self.step :], unit="step", initial=self.step, total=len(draws), leave=False,
                   disable=None if self.progress else True)  # fmt: skip
        for draw in bar:
            with seeded(seed_of(self.config.seed, 2, number, self.step), self.device):
                self.losses.append(self._learn(draw))
            self.step += 1
            self.seconds = time.perf_counter() - started
            if self.interruption.asked or self.folder.age() >= 60 * self.config.checkpoint_minutes:
                self.folder.keep(self._state())
            self.interruption.follow()
        row = self._validated(number, started)
        self._finish(row)
        return row

    def _learn(self, draw: Draw) -> float:
        """One step."""
        labels = draw.labels.to(self.device)
        loss = nn.functional.binary_cross_entropy_with_logits(self.detector(self._windows(draw)), labels)
        if not math.isfinite(value := float(loss.detach())):
            raise InputError(f"the loss is {value}; train in a new folder with a lower --learning-rate")
        self.optimizer.zero_grad()
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(self.detector.network.parameters(), _CLIP_NORM)
        self.optimizer.step()
        self.schedule.step()
        return value

    def _windows(self, draw: Draw) -> torch.Tensor:
        """Windows as the detector takes them; pictures are mirrored as a coin falls, real and fake alike."""
        ticks, found = self.config.view.ticks, []
        for clip, start in zip(draw.clips.tolist(), draw.starts.tolist(), strict=True):
            own = self.reduced[clip]
            if own is None:
                own = torch.from_numpy(np.array(self.train.described[clip].values[start : start + ticks]))
                found.append(own.flip(2) if torch.rand(()) < 0.5 else own)
            else:
                found.append(own[start : start + ticks])
        return torch.stack(found)

    def _validated(self, number: int, started: float) -> VideoRow:
        self.scores = window_scores(self.detector, self.val)
        windows = binary_metrics(self.scores["label"], self.scores["probability_fake"])
        clips = by_clip(self.scores)
        return {
            "epoch": number, "seconds": time.perf_counter() - started, "train_loss": float(np.mean(self.losses)),
            "learning_rate": float(self.schedule.get_last_lr()[0]), "val_loss": windows["loss"],
            "val_auc": windows["auc"],
            "val_auc_clip": binary_metrics(clips["label"], clips["probability_fake"])["auc"],
        }  # fmt: skip

    def _finish(self, row: VideoRow) -> None:
        """Put an epoch on disk; it counts from the moment the state is replaced, which comes last."""
        if self.best is None or _rank(row) > _rank(self.best):
            self.best = row
            decision = self._decided(self.scores)
            self.detector.decision = Decision(**{**vars(decision), "notes": (NOT_SETTLED, *decision.notes)})
            save_video(
                self.detector,
                self.folder.path / BEST_FOLDER,
                {"epoch": row["epoch"], "validation": row, "run": self.folder.record},
            )
        self.history.append(row)
        self.step, self.losses, self.seconds = 0, [], 0.0
        write_table(pd.DataFrame(self.history), self.folder.path / HISTORY_FILE, COLUMNS)
        self.folder.keep(self._state())

    def settle(self) -> None:
        """Fix likeness and decision of the best detector, and store them with its weights."""
        best = self.folder.path / BEST_FOLDER
        detector = load_video(best, self.device)
        detector.likeness = fit_likeness(textures(detector, self.train))
        detector.decision = Decision()
        store_decision(best, self._decided(window_scores(detector, self.val)), detector.likeness)

    def _decided(self, scores: pd.DataFrame) -> Decision:
        rates = Rates(self.config.false_alarms, self.config.misses)
        return decide(scores, None, rates, self.scope)

    def _state(self) -> dict[str, Any]:
        return {
            "network": self.detector.network.state_dict(), "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(), "history": self.history, "step": self.step, "losses": self.losses,
            "seconds": self.seconds, "best_epoch": None if self.best is None else self.best["epoch"],
        }  # fmt: skip

    def _restore(self, out: Path) -> None:
        state = read_state(out)
        if state is None:
            return
        with said_where_damaged(out):
            self.detector.network.load_state_dict(state["network"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.schedule.load_state_dict(state["schedule"])
            self.history, self.step, self.losses = state["history"], state["step"], state["losses"]
            self.seconds = state["seconds"]
            self.best = next((row for row in self.history if row["epoch"] == state["best_epoch"]), None)


def _rank(row: VideoRow) -> tuple[float, float, float]:
    return row["val_auc_clip"] or 0.0, row["val_auc"] or 0.0, -row["val_loss"]


def _check_part(part: Clips, split: str, clips_csv: Path) -> None:
    if set(part.table["label"]) != {0, 1}:
        key, why = next(iter(part.reasons.items()), ((), "it has none"))
        lacks = f"{clips_csv}: too few clips of its split {split!r} can be used, and a class lacks"
        raise InputError(f"{lacks} ({'/'.join(key)}: {why})")
