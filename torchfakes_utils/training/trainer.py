"""Train a detector: a run folder with the configuration, the history, the best detector, and where to go on from.

Every step draws its random numbers from (seed, step) alone. A run that was stopped, wherever it was, therefore goes on
exactly as it would have gone: on the CPU the same weights come out, bit for bit.
"""

import contextlib
import logging
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.optim import AdamW
from tqdm import tqdm

from torchfakes_utils.crops.augmentation import augment
from torchfakes_utils.crops.table import check_faces, load_faces, read_extraction
from torchfakes_utils.errors import InputError
from torchfakes_utils.io.machine import torch_device
from torchfakes_utils.io.prefetch import read_ahead
from torchfakes_utils.io.tables import write_table
from torchfakes_utils.metrics.binary import binary_metrics, by_clip
from torchfakes_utils.models.architectures import architecture
from torchfakes_utils.models.decision import decide
from torchfakes_utils.models.detector import CONFIG_FILE, Detector, DetectorConfig, save, stored_decision
from torchfakes_utils.models.preprocessing import Preprocessing
from torchfakes_utils.models.pretrained import build_detector
from torchfakes_utils.training.checkpoint import claim, describe, origin, read_state, write_state
from torchfakes_utils.training.config import FREE_FIELDS, TrainingConfig
from torchfakes_utils.training.data import Batch, TrainingData, seed_of
from torchfakes_utils.training.distributed import World, gather, join, mean, parallel, synchronise_batch_norm
from torchfakes_utils.training.interruption import Interruption
from torchfakes_utils.training.journal import Journal
from torchfakes_utils.training.memory import largest_that_fits
from torchfakes_utils.training.optimisation import (
    WeightAverage,
    autocast_dtype,
    gradient_norms,
    match_layouts,
    parameter_groups,
    schedule,
)
from torchfakes_utils.training.trackers import RunInfo

logger = logging.getLogger(__name__)

HISTORY_COLUMNS = [
    "epoch", "seconds", "train_loss", "learning_rate", "train_real", "train_fake", "skipped", "val_loss",
    "val_accuracy", "val_balanced_accuracy", "val_auc", "val_auc_clip", "always_fake_accuracy", "predicted_fake_rate",
]  # fmt: skip

# Steps between two looks at the losses on a GPU, which has to finish all it was given before it can show one.
_LOOK_EVERY = 20


@dataclass(frozen=True)
class TrainingResult:
    """What a run came to.

    Attributes:
        best: the row of `history` whose detector is in `run/best`.
        history: a row an epoch, `HISTORY_COLUMNS`.
        run: the run folder.
        note: what the user has to know about the weights that training started from, or None.
    """

    best: dict[str, Any]
    history: pd.DataFrame
    run: Path
    note: str | None = None


def train(
    faces_csv: Path | str,
    out: Path | str,
    config: TrainingConfig = TrainingConfig(),
    on_epoch: Callable[[dict[str, Any]], None] | None = None,
    progress: bool = True,
) -> TrainingResult:
    """Train on split "train", choose the epoch on split "val"; the same call again finishes an interrupted run.

    Under `torchrun` every process makes this call, and the first one alone writes and speaks.

    Args:
        faces_csv: the table of crops; `extraction.json` beside it, if there, says how they were cut.
        out: the run folder: `config.json`, `history.csv`, `steps.csv`, `best/`, `last.safetensors`.
        config: how to train.
        on_epoch: called with each new row of the history.
        progress: print a line an epoch, and show a bar on a terminal.

    Raises:
        InputError: crops or classes lack, `out` holds another run or cannot be written to, `weights` cannot be used,
            a batch does not fit into the GPU's memory, or the loss is no longer a number.
        KeyboardInterrupt: Ctrl-C; the step in hand was finished and kept.
    """
    faces_csv, out = Path(faces_csv), Path(out)
    with join(torch_device(config.device)) as world:
        if config.processes not in (None, world.size):
            raise InputError(f"{world.size} of {config.processes} processes are there; start them with torchrun")
        say = print if progress and world.first else lambda line: None
        faces, preprocessing = load_crops(faces_csv, config)
        record = describe(config, faces_csv)
        if world.first:
            claim(out, record, FREE_FIELDS)
        gather(world, "claimed")  # nobody reads the folder before its owner has looked at it
        run = Trainer(faces, preprocessing, config, world, out, record | origin())
        for line in run.describe():
            say(line)
        # Processes that work together cannot stop between the same two steps: there, a signal ends them at once.
        with run.watched(), Interruption(world.size == 1) as interruption:
            while not run.finished:
                row = run.epoch(interruption, show_bar=progress and world.first)
                say(describe_epoch(row, config.epochs))
                if on_epoch is not None and world.first:
                    on_epoch(row)
                interruption.follow()
        best = run.best
        if len(run.history) < config.epochs:
            waited = len(run.history) - best["epoch"]
            say(f"stopped early: no better validation AUC for {waited} epochs (patience {config.stops_after})")
        say(f"best: epoch {best['epoch']}, validation AUC {best['val_auc']:.3f} (by clip {best['val_auc_clip']:.3f})")
        if world.first:
            for caution in stored_decision(out / "best").cautions:
                say(caution)
        return TrainingResult(best, pd.DataFrame(run.history, columns=HISTORY_COLUMNS), out, run.note)


def describe_epoch(row: dict[str, Any], epochs: int) -> str:
    """A row of the history as a line, with what gives away a network that answers every crop alike."""
    skipped = f" ({row['skipped']} unreadable)" if row["skipped"] else ""
    return (
        f"epoch {row['epoch']}/{epochs} ({row['seconds']:.0f} s): loss {row['train_loss']:.3f} on "
        f"{row['train_real']} real + {row['train_fake']} fake{skipped}; validation loss {row['val_loss']:.3f}, "
        f"AUC {row['val_auc']:.3f} (by clip {row['val_auc_clip']:.3f}), accuracy {row['val_accuracy']:.3f} "
        f"(always “fake”: {row['always_fake_accuracy']:.3f}), balanced {row['val_balanced_accuracy']:.3f}, "
        f"called fake: {row['predicted_fake_rate']:.0%}"
    )


@dataclass
class Progress:
    """How far a run has come; what is here is kept with the weights.

    Attributes:
        step: updates of the weights so far.
        batch: batches of the epoch in hand that are done.
        losses: of those batches.
        fakes, seen, skipped: crops of those batches.
        rate: the learning rate of the last step.
        seconds: spent on the epoch in hand.
    """

    step: int = 0
    batch: int = 0
    losses: list[float] = field(default_factory=list)
    fakes: int = 0
    seen: int = 0
    skipped: int = 0
    rate: float = 0.0
    seconds: float = 0.0

    def next_epoch(self) -> None:
        """Count anew what is counted by epoch."""
        self.batch, self.losses, self.fakes, self.seen, self.skipped, self.seconds = 0, [], 0, 0, 0, 0.0


class Trainer:
    """What changes while training: detector, optimiser, schedule, history; and the files that they are kept in."""

    def __init__(
        self,
        faces: pd.DataFrame,
        preprocessing: Preprocessing,
        config: TrainingConfig,
        world: World | None = None,
        out: Path | None = None,
        record: dict[str, Any] | None = None,
    ) -> None:
        """A new run, or the one in `out` as it was when it was last kept.

        Args:
            faces: the crops of a table, from `load_faces`; those of the splits "train" and "val" are used.
            preprocessing: how they become the network's input.
            config: how to train.
            world: the processes that work together; None for this one alone.
            out: the run folder; None keeps nothing.
            record: what the run is, for those who read its checkpoints.

        Raises:
            InputError: weights cannot be used, or the files of the run are damaged.
        """
        self.world = world or World(1, 0, torch_device(config.device))
        self.config, self.out, self.device = config, out, self.world.device
        self.record = record or asdict(config)
        self.data = TrainingData(faces, preprocessing, config, self.world)
        state = None if out is None else read_state(out)
        self._build_detector(preprocessing, state)
        self._build_optimizer()
        self.average = WeightAverage(self.detector, config.average) if config.average else None
        self.progress, self.history, self.best = Progress(), [], None
        self._journal: Journal | None = None
        self._losses: list[tuple[Batch, torch.Tensor]] = []  # not looked at yet
        self._started = self._kept_at = time.perf_counter()
        if state is not None:
            self._restore(state)
        elif self.note is not None and self.world.first:
            logger.warning(self.note)

    # --- the loop

    def epoch(self, interruption: Interruption | None = None, show_bar: bool = False) -> dict[str, Any]:
        """Train on what is left of the epoch in hand, validate, keep; return the new row of the history.

        Raises:
            InputError: a batch does not fit into the GPU's memory; which one does is said.
        """
        try:
            self._started = time.perf_counter()
            with _own_random_numbers(self.device):
                row = {"epoch": len(self.history) + 1} | self.train_epoch(interruption, show_bar)
                with self._averaged():
                    row |= self.validate()
                    row["seconds"] = self._seconds()
                    self._keep_if_best(row)
            self._finish_epoch(row)
            return row
        except torch.OutOfMemoryError:
            pass  # as long as the exception lives, so does all that the batch had on the device
        raise InputError(self._what_fits())

    def train_epoch(self, interruption: Interruption | None = None, show_bar: bool = False) -> dict[str, Any]:
        """One pass over the crops: forward, loss, backward, step."""
        self.detector.train()
        for batch in self._shown(read_ahead(self.batches()), show_bar):
            images, labels = self.ready(batch)  # (B, 3, S, S), (B,)
            with self._autocast():
                logits = self.network(images)  # (B,)
            loss = self.loss(logits.float(), labels)

            self.scaler.scale(loss / self.config.accumulate).backward()
            self._note(batch, loss.detach())
            if self.progress.batch % self.config.accumulate == 0:
                self.step()
                self._keep_if_due(interruption)
        return self._summary()

    def step(self) -> None:
        """Change the weights by the gradients that have come together."""
        log = self._journal is not None and (self.progress.step + 1) % self.config.log_every == 0
        if log or self.config.clip_norm is not None:
            self.scaler.unscale_(self.optimizer)
        norms = gradient_norms(self.detector) if log else {}
        if self.config.clip_norm is not None:
            nn.utils.clip_grad_norm_(self.detector.parameters(), self.config.clip_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad()

        self.progress.rate = self.optimizer.param_groups[0]["lr"]
        if self.config.schedule != "plateau":
            self.scheduler.step()
        if self.average is not None:
            self.average.update(self.detector)
        self.progress.step += 1
        if log:
            self._log(norms)

    def batches(self) -> Iterator[Batch]:
        """What is left of the epoch in hand."""
        return self.data.batches(len(self.history) + 1, self.progress.batch)

    def ready(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """A batch on the device, augmented and normalised, (B, 3, S, S) float32, and its labels (B,).

        What is random in the network, dropout, is seeded for this batch.
        """
        torch.manual_seed(seed_of(self.config.seed, 2, batch.number, self.world.rank))
        images = augment(batch.images.to(self.device, non_blocking=True), batch.drawn)
        images = self.detector.preprocessing.normalise(images).contiguous(memory_format=torch.channels_last)
        return images, batch.labels.to(self.device, non_blocking=True)

    @torch.inference_mode()
    def validate(self) -> dict[str, Any]:
        """Metrics on crops of people who are not in the training split."""
        self.detector.eval()
        found = []
        for rows, images in self.data.validation(4 * self.data.batch_size):
            images = self.detector.preprocessing.normalise(images.to(self.device, non_blocking=True))
            with self._autocast():
                logits = self.detector(images.contiguous(memory_format=torch.channels_last))  # (B,)
            found.append((rows, logits.double().cpu().numpy()))
        rows, logits = (np.concatenate(parts) for parts in zip(*sum(gather(self.world, found), []), strict=True))  # noqa: RUF017
        order = np.argsort(rows)
        scores = self.data.val_faces.iloc[rows[order]]
        logits = logits[order]
        self.val_scores = scores.assign(logit=logits, probability_fake=torch.from_numpy(logits).sigmoid().numpy())
        clips = by_clip(self.val_scores)
        frame = binary_metrics(self.val_scores["label"], self.val_scores["probability_fake"])
        return {
            "val_loss": frame["loss"],
            "val_accuracy": frame["accuracy"],
            "val_balanced_accuracy": frame["balanced_accuracy"],
            "val_auc": frame["auc"],
            "val_auc_clip": binary_metrics(clips["label"], clips["probability_fake"])["auc"],
            "always_fake_accuracy": frame["always_fake_accuracy"],
            "predicted_fake_rate": frame["predicted_fake_rate"],
        }

    @property
    def finished(self) -> bool:
        """Whether all epochs are done, or too many have passed since the best one."""
        done, best = len(self.history), self.best["epoch"] if self.best else 0
        return done >= self.config.epochs or done - best >= self.config.stops_after

    # --- what is built once

    def _build_detector(self, preprocessing: Preprocessing, state: dict[str, Any] | None) -> None:
        config = self.config
        with _own_random_numbers(self.device):
            torch.manual_seed(seed_of(config.seed, 3))
            detector, self.note = _initial_detector(config, preprocessing, state)
        self.detector = synchronise_batch_norm(detector, self.world)
        self.detector.tune(config.tune)
        # Channels last is how both cuDNN's mixed-precision kernels and oneDNN want their pictures.
        self.detector.to(self.device, memory_format=torch.channels_last)
        network = torch.compile(self.detector) if config.compile else self.detector
        self.network = parallel(network, self.world)
        self.loss = nn.BCEWithLogitsLoss()

    def _build_optimizer(self) -> None:
        config = self.config
        rate = config.learning_rate or (1e-3 if self.detector.config.pretrained is None else 3e-4)
        groups = parameter_groups(self.detector, rate, config.head_learning_rate or rate, config.weight_decay)
        self.optimizer = AdamW(groups, fused=True)
        steps = config.epochs * self.data.batches_per_epoch // config.accumulate
        self.scheduler = schedule(config.schedule, self.optimizer, steps)
        self._autocast_dtype = autocast_dtype(self.device, config.mixed_precision)
        # float16 alone needs its small gradients lifted into range; switched off, the scaler passes everything through.
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self._autocast_dtype is torch.float16)

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, self._autocast_dtype, enabled=self._autocast_dtype is not None)

    # --- what is said

    def describe(self) -> list[str]:
        """The data, the network and how it is computed, a line each."""
        data, counts = self.data, self.detector.parameter_counts()
        total, tuned = (sum(values) for values in zip(*counts.values(), strict=True))
        tuned_stages = ", ".join(name for name, (_, here) in counts.items() if here)
        changed = "all trained" if tuned == total else f"{tuned:,} of them trained ({tuned_stages})"
        precision = {None: "float32", torch.bfloat16: "bfloat16", torch.float16: "float16"}[self._autocast_dtype]
        together = f", {self.world.size} processes" if self.world.size > 1 else ""
        lines = [
            f"crops train: {_counts(data.train_faces)}; val: {_counts(data.val_faces)}; {data.crops} drawn an epoch"
            + ("" if self.config.sampling == "uniform" else ", half of them real"),
            f"{self.detector.config.architecture}, {total:,} parameters, {changed}; "
            f"{self.detector.preprocessing.size} px, {precision} on {self.device}{together}",
        ]
        if self.finished:
            lines.append(f"{self.out}: this run is finished; another one needs another folder")
        elif self.progress.step:
            lines.append(f"{self.out}: going on after step {self.progress.step}, in epoch {len(self.history) + 1}")
        return lines

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Inside, the run tells its table of steps and its tracker how it goes."""
        if not self.world.first or self.out is None:
            yield
            return
        stages = [name for name, (_, tuned) in self.detector.parameter_counts().items() if tuned]
        run = RunInfo(self.out, self.record, bool(self.progress.step))
        self._journal = Journal(run, self.config.tracker, self.device, stages, self.progress.step, self._seen)
        try:
            yield
        finally:
            self._journal.finish()

    def _shown(self, batches: Iterator[Batch], show_bar: bool) -> Iterator[Batch]:
        total, done = self.data.batches_per_epoch, self.progress.batch
        return tqdm(batches, unit="batch", total=total, initial=done, leave=False, disable=None if show_bar else True)

    def _note(self, batch: Batch, loss: torch.Tensor) -> None:
        """Count a batch that has been through the network; stop where its loss is not a number."""
        done = self.progress
        done.batch, done.seen, done.skipped = done.batch + 1, done.seen + len(batch.rows), done.skipped + batch.skipped
        done.fakes += int(batch.labels.sum())
        self._losses.append((batch, mean(self.world, loss)))
        if self.device.type == "cpu" or len(self._losses) >= _LOOK_EVERY:
            self._look()

    def _look(self) -> None:
        """Read the losses that have come together, for which a GPU has to finish what it was given."""
        losses = torch.stack([loss for _, loss in self._losses]).tolist() if self._losses else []
        for (batch, _), loss in zip(self._losses, losses, strict=True):
            if not math.isfinite(loss):
                paths = self.data.train_faces["path"].iloc[batch.rows].tolist()
                raise InputError(
                    f"the loss of batch {batch.number + 1} is {loss} (its crops: {', '.join(paths[:3])}, …; learning "
                    f"rate {self.progress.rate:.1g}); what was kept before is whole. Train in a new folder with a "
                    "lower --learning-rate, or with --mixed-precision off"
                )
        self.progress.losses += losses
        self._losses = []

    def _log(self, norms: dict[str, float]) -> None:
        self._look()
        place = {"step": self.progress.step, "epoch": len(self.history) + 1}
        values = {"loss": self.progress.losses[-1], "learning_rate": self.progress.rate}
        self._journal.step(place, values, self._seen, norms)

    @property
    def _seen(self) -> int:
        """Crops that all processes have seen in the whole run."""
        data = self.data
        earlier = len(self.history) * data.batches_per_epoch * data.batch_size
        return earlier + self.progress.seen * self.world.size

    def _summary(self) -> dict[str, Any]:
        """What the history says of the training half of an epoch, of all processes together."""
        self._look()
        done = self.progress
        counts = gather(self.world, (done.seen, done.fakes, done.skipped))
        seen, fakes, skipped = (sum(column) for column in zip(*counts, strict=True))
        return {
            "train_loss": sum(done.losses) / len(done.losses),
            "learning_rate": done.rate,
            "train_real": seen - fakes,
            "train_fake": fakes,
            "skipped": skipped,
        }

    def _seconds(self) -> float:
        return self.progress.seconds + time.perf_counter() - self._started

    def _what_fits(self) -> str:
        """After the memory has run out: with which batch it would not, found by trying."""
        self._losses, size = [], self.config.batch_size
        self.optimizer.zero_grad()
        lost = f"a batch of {size} crops of {self.detector.preprocessing.size} px does not fit into the memory of "
        lost += str(self.device)
        # Several processes would wait for each other's gradients.
        fitting = largest_that_fits(self._try_step, self.data.batch_size) if self.world.size == 1 else None
        if fitting is None:
            return f"{lost}; take a smaller batch, a smaller --image-size, or --device cpu, in a new folder"
        times = -(-size // fitting) * self.config.accumulate
        return (
            f"{lost}; {fitting} crops do: --batch-size {fitting} --accumulate {times}, in a new folder, makes steps of "
            f"as many crops"
        )

    def _try_step(self, size: int) -> None:
        """Take the memory of a step with so many crops. It spoils the weights: for a run that cannot go on."""
        self.detector.train()
        edge = self.detector.preprocessing.size
        images = torch.zeros(size, 3, edge, edge, device=self.device).contiguous(memory_format=torch.channels_last)
        with self._autocast():
            logits = self.network(images)
        self.scaler.scale(self.loss(logits.float(), torch.zeros(size, device=self.device))).backward()
        self.optimizer.step()
        self.optimizer.zero_grad()

    # --- what is kept

    @contextlib.contextmanager
    def _averaged(self) -> Iterator[None]:
        """Inside, the detector has the average of its weights, where there is one."""
        if self.average is None:
            yield
            return
        self.average.swap(self.detector)
        try:
            yield
        finally:
            self.average.swap(self.detector)

    def _keep_if_best(self, row: dict[str, Any]) -> None:
        if self.best is not None and _rank(row) <= _rank(self.best):
            return
        self.best = row
        if self.out is not None and self.world.first:
            self.detector.decision = decide(self.val_scores, self.data.qualities())
            if self.config.random_labels:
                self.detector.decision = self.detector.decision.cautioned("its training labels were drawn at random")
            save(self.detector, self.out / "best", {"epoch": row["epoch"], "validation": row, "run": self.record})

    def _finish_epoch(self, row: dict[str, Any]) -> None:
        """Put a finished epoch on disk; it counts from the moment the state is replaced, which comes last."""
        self.history.append(row)
        self.progress.next_epoch()
        if self.config.schedule == "plateau":
            self.scheduler.step(row["val_auc"])
        if self.out is None or not self.world.first:
            return
        write_table(pd.DataFrame(self.history), self.out / "history.csv", HISTORY_COLUMNS)
        self.keep()
        if self._journal is not None:
            self._journal.epoch(row, self.val_scores, self.progress.step)

    def _keep_if_due(self, interruption: Interruption | None) -> None:
        """Keep the run in the middle of an epoch: when it is to stop, or has not been kept for long."""
        asked = interruption is not None and interruption.asked
        due = time.perf_counter() - self._kept_at >= 60 * self.config.checkpoint_minutes
        if (asked or due) and self.out is not None and self.world.first:
            self._look()
            self.progress.seconds, self._started = self._seconds(), time.perf_counter()
            self.keep()
        if asked:
            interruption.follow()

    def keep(self) -> None:
        """Put on disk where the run is."""
        state = {
            "detector_config": asdict(self.detector.config),
            "note": self.note,
            "history": self.history,
            "best_epoch": self.best["epoch"] if self.best else None,
            "progress": asdict(self.progress),
            "detector": self.detector.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scheduler": self.scheduler.state_dict(),
            "scaler": self.scaler.state_dict(),
            "average": None if self.average is None else vars(self.average),
        }
        write_state(self.out, state)
        self._kept_at = time.perf_counter()

    def _restore(self, state: dict[str, Any]) -> None:
        self.history, self.progress = state["history"], Progress(**state["progress"])
        if state["best_epoch"] is not None:
            if not (self.out / "best" / CONFIG_FILE).is_file():
                raise InputError(f"{self.out}: its best/ is gone; delete the folder and train again")
            self.best = next(row for row in self.history if row["epoch"] == state["best_epoch"])
        self.optimizer.load_state_dict(state["optimizer"])
        match_layouts(self.optimizer)
        self.scheduler.load_state_dict(state["scheduler"])
        if state["scaler"] and self.scaler.is_enabled():  # empty where the run began on another device
            self.scaler.load_state_dict(state["scaler"])
        if self.average is not None:
            self.average.restore(state["average"])


def load_crops(faces_csv: Path, config: TrainingConfig) -> tuple[pd.DataFrame, Preprocessing]:
    """The crops of a table, and how they become the network's input.

    Raises:
        InputError: crops or classes lack, or the crops are smaller than the network's input.
    """
    faces = load_faces(faces_csv)
    check_faces(faces, faces_csv.parent, splits=("train", "val"))
    usual, extraction = Preprocessing(), read_extraction(faces_csv.parent)
    wanted, stored = architecture(config.architecture).input, extraction.get("size")
    size = config.image_size or min(wanted.size, stored or wanted.size)
    preprocessing = Preprocessing(
        size=size,
        mean=wanted.mean,
        std=wanted.std,
        crop_scale=extraction.get("crop_scale", usual.crop_scale),
        crop_size=stored or usual.crop_size,
    )
    if stored is not None and stored < size:
        raise InputError(
            f"{faces_csv}: these crops are {stored} px, and enlarging them to {size} px adds nothing; choose a smaller "
            "image size, or extract larger crops"
        )
    return faces, preprocessing


def _initial_detector(
    config: TrainingConfig, preprocessing: Preprocessing, state: dict[str, Any] | None
) -> tuple[Detector, str | None]:
    """The detector to go on from, and the note that belongs to it; only a new run may need to download weights."""
    if state is not None:
        detector = Detector(DetectorConfig.from_json(state["detector_config"]))
        detector.load_state_dict(state["detector"])
        return detector, state["note"]
    pretrained = config.pretrained
    if pretrained == "default":
        pretrained = next(iter(architecture(config.architecture).pretrained), None)
    asked = DetectorConfig(config.architecture, pretrained, config.dropout, preprocessing)
    return build_detector(asked, config.weights)


def _counts(faces: pd.DataFrame) -> str:
    fakes = faces.loc[faces["label"] == 1, "method"].value_counts(sort=False).items()
    by_method = ", ".join(f"{name} {count}" for name, count in fakes)
    return f"{(faces['label'] == 0).sum()} real, {(faces['label'] == 1).sum()} fake ({by_method})"


def _rank(row: dict[str, Any]) -> tuple[float, float]:
    """What makes one epoch better than another: AUC by clip, then, among equals, by crop."""
    return row["val_auc_clip"], row["val_auc"]


@contextlib.contextmanager
def _own_random_numbers(device: torch.device) -> Iterator[None]:
    """Outside, torch's generators are as they were."""
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        yield
