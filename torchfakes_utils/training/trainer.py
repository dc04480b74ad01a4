"""The loop: batches of crops → better weights, epoch by epoch.

Every step draws its random numbers from (seed, step) alone. A run that was stopped, wherever it was, therefore goes on
exactly as it would have gone: on the CPU the same weights come out, bit for bit.
"""

import logging
import math
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import nn
from torch.optim.lr_scheduler import ReduceLROnPlateau
from tqdm import tqdm

from torchfakes_utils.crops.augmentation import augment
from torchfakes_utils.errors import InputError
from torchfakes_utils.io.machine import torch_device
from torchfakes_utils.io.prefetch import read_ahead
from torchfakes_utils.models.decision import decide
from torchfakes_utils.models.preprocessing import Preprocessing
from torchfakes_utils.training.checkpoint import RunFolder
from torchfakes_utils.training.config import TrainingConfig
from torchfakes_utils.training.data import Batch, TrainingData
from torchfakes_utils.training.distributed import World, mean
from torchfakes_utils.training.interruption import Interruption
from torchfakes_utils.training.journal import Journal
from torchfakes_utils.training.learner import Learner
from torchfakes_utils.training.optimisation import autocast, gradient_norms
from torchfakes_utils.training.progress import EpochRow, Progress, ValidationRow
from torchfakes_utils.training.random_numbers import seed_of, seeded
from torchfakes_utils.training.validation import score_validation, validation_row

logger = logging.getLogger(__name__)

# Steps after which the losses are read on a GPU, which has to finish all it was given before it can show one.
_READ_EVERY = 20


class Trainer:
    """The loop and what it needs; a subclass may replace `batches`, `prepare` and `validate`.

    Attributes:
        data: the crops.
        learner: the detector with its optimiser.
        detector: the learner's.
        progress: how far the run has come, with its history.
        val_scores: the validation crops with their scores, of the last epoch.
        folder: where the run is kept, by the first of its processes; None keeps nothing.
        journal: is told of every step and epoch, where there is one.
    """

    val_scores: pd.DataFrame
    journal: Journal | None
    _unread: list[tuple[int, NDArray[np.int64], torch.Tensor]]  # number, rows and loss of a batch

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
            faces: the crops of a table, from `load_crops`; those of the splits "train" and "val" are used.
            preprocessing: how they become the network's input.
            config: how to train.
            world: the processes that work together; None for this one alone.
            out: the run folder; None keeps nothing.
            record: what the run is, for those who read its checkpoints.

        Raises:
            InputError: weights cannot be used, or the files of the run are damaged.
        """
        self.world = world or World(1, 0, torch_device(config.device))
        self.config, self.device = config, self.world.device
        self.data = TrainingData(faces, preprocessing, config, self.world)
        folder = None if out is None else RunFolder(out, record or asdict(config))
        state = None if folder is None else folder.read()
        self.folder = folder if self.world.first else None
        steps = config.epochs * self.data.batches_per_epoch // config.accumulate
        self.learner = Learner(config, preprocessing, self.world, steps, state)
        self.detector = self.learner.detector
        self.progress = Progress() if state is None else Progress.restored(state)
        self.loss = nn.BCEWithLogitsLoss()
        self.journal, self._unread = None, []
        if state is None and self.learner.note is not None and self.world.first:
            logger.warning(self.learner.note)

    def epoch(self, interruption: Interruption | None = None, show_bar: bool = False) -> EpochRow:
        """Train on what is left of the epoch in hand, validate, keep; return the new row of the history."""
        self.progress.start_clock()
        self.train_epoch(interruption, show_bar)
        training = self.progress.training_row(self.world)
        with self.learner.averaged():
            validation = self.validate()
            row: EpochRow = {
                "epoch": self.progress.epoch, **training, **validation, "seconds": self.progress.read_clock()
            }  # fmt: skip
            self._keep_if_best(row)
        self._finish(row)
        return row

    def train_epoch(self, interruption: Interruption | None = None, show_bar: bool = False) -> None:
        """One pass over the crops: forward, loss, backward, step."""
        config, learner, progress = self.config, self.learner, self.progress
        self.detector.train()
        for batch in _with_bar(read_ahead(self.batches()), self.data.batches_per_epoch, progress.batch, show_bar):
            # Dropout takes no generator: torch's own is set for each batch, and afterwards it is as it was.
            with seeded(seed_of(config.seed, 2, batch.number, self.world.rank), self.device):
                images, labels = self.prepare(batch)  # (B, 3, S, S), (B,)
                with autocast(self.device, learner.precision):
                    logits = learner.network(images)  # (B,)
            loss = self.loss(logits.float(), labels)
            learner.scaler.scale(loss / config.accumulate).backward()

            progress.count(batch)
            self._unread.append((batch.number, batch.rows, mean(self.world, loss.detach())))
            if self.device.type == "cpu" or len(self._unread) >= _READ_EVERY:
                self.flush_losses()
            if progress.batch % config.accumulate == 0:
                self.step()
                self._keep_if_due(interruption)
        self.flush_losses()

    def step(self) -> None:
        """Change the weights by the gradients that have come together."""
        config, learner = self.config, self.learner
        log = self.journal is not None and (self.progress.step + 1) % config.log_every == 0
        if log or config.clip_norm is not None:
            learner.scaler.unscale_(learner.optimizer)
        norms = gradient_norms(self.detector) if log else {}
        if config.clip_norm is not None:
            nn.utils.clip_grad_norm_(self.detector.parameters(), config.clip_norm)
        learner.scaler.step(learner.optimizer)
        learner.scaler.update()
        learner.optimizer.zero_grad()

        self.progress.rate = learner.optimizer.param_groups[0]["lr"]
        if not isinstance(learner.scheduler, ReduceLROnPlateau):
            learner.scheduler.step()
        if learner.average is not None:
            learner.average.update(self.detector)
        self.progress.step += 1
        if log:
            self._log(norms)

    def batches(self) -> Iterator[Batch]:
        """What is left of the epoch in hand."""
        return self.data.batches(self.progress.epoch, self.progress.batch)

    def prepare(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """A batch on the device, augmented and normalised, (B, 3, S, S) float32, and its labels (B,)."""
        images = augment(batch.images.to(self.device, non_blocking=True), batch.drawn)
        images = self.detector.preprocessing.normalise(images).contiguous(memory_format=torch.channels_last)
        return images, batch.labels.to(self.device, non_blocking=True)

    def validate(self) -> ValidationRow:
        """Metrics on crops of people who are not in the training split."""
        self.val_scores = score_validation(self.detector, self.data, self.world, self.learner.precision)
        return validation_row(self.val_scores)

    def flush_losses(self) -> None:
        """Read the losses that have come together, for which a GPU has to finish what it was given.

        Raises:
            InputError: one of them is not a number.
        """
        losses = torch.stack([loss for _, _, loss in self._unread]).tolist() if self._unread else []
        for (number, rows, _), loss in zip(self._unread, losses, strict=True):
            if not math.isfinite(loss):
                paths = self.data.train_faces["path"].iloc[rows[:3]]
                raise InputError(
                    f"the loss of batch {number + 1} is {loss} (its crops: {', '.join(paths)}, …; learning rate "
                    f"{self.progress.rate:.1g}); what was kept before is whole. Train in a new folder with a lower "
                    "--learning-rate, or with --mixed-precision off"
                )
        self.progress.losses += losses
        self._unread = []

    def crops_seen(self) -> int:
        """By all processes, in the whole run."""
        data, progress = self.data, self.progress
        earlier = len(progress.history) * data.batches_per_epoch * data.batch_size
        return earlier + progress.seen * self.world.size

    def _log(self, norms: dict[str, float]) -> None:
        if self.journal is not None:
            self.flush_losses()
            place = {"step": self.progress.step, "epoch": self.progress.epoch}
            values = {"loss": self.progress.losses[-1], "learning_rate": self.progress.rate}
            self.journal.step(place, values, self.crops_seen(), norms)

    def _keep_if_due(self, interruption: Interruption | None) -> None:
        """Keep the run in the middle of an epoch: when it is to stop, or has not been kept for long."""
        asked = interruption is not None and interruption.asked
        if self.folder is not None and (asked or self.folder.age() >= 60 * self.config.checkpoint_minutes):
            self.flush_losses()
            self.progress.read_clock()
            self.folder.keep(self._state())
        if interruption is not None:
            interruption.follow()

    def _keep_if_best(self, row: EpochRow) -> None:
        if not self.progress.beats_the_best(row):
            return
        self.progress.best = row
        if self.folder is not None:
            self.detector.decision = decide(self.val_scores, self.data.qualities())
            if self.config.random_labels:
                self.detector.decision = self.detector.decision.cautioned("its training labels were drawn at random")
            self.folder.keep_best(self.detector, row)

    def _finish(self, row: EpochRow) -> None:
        """Put an epoch on disk; it counts from the moment the state is replaced, which comes last."""
        self.progress.history.append(row)
        self.progress.next_epoch()
        if isinstance(self.learner.scheduler, ReduceLROnPlateau):
            self.learner.scheduler.step(row["val_auc"])
        if self.folder is not None:
            self.folder.keep_history(self.progress.history)
            self.folder.keep(self._state())
        if self.journal is not None:
            self.journal.epoch(row, self.val_scores, self.progress.step)

    def _state(self) -> dict[str, Any]:
        return self.learner.state_dict() | self.progress.state_dict()


def _with_bar(batches: Iterator[Batch], total: int, done: int, show: bool) -> "tqdm[Batch]":
    return tqdm(batches, unit="batch", total=total, initial=done, leave=False, disable=None if show else True)
