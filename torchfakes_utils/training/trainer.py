"""The loop: batches of crops → better weights, epoch by epoch.

Every step draws its random numbers from (seed, step) alone. A run that was stopped, wherever it was, therefore goes on
exactly as it would have gone: on the CPU the same weights come out, bit for bit.
"""

import logging
import math
from collections.abc import Iterator
from contextlib import nullcontext
from itertools import chain
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
from torchfakes_utils.io.machine import memory_kept, torch_device
from torchfakes_utils.io.prefetch import read_ahead
from torchfakes_utils.metrics.binary import binary_metrics, by_clip
from torchfakes_utils.models.preprocessing import Preprocessing
from torchfakes_utils.models.scope import Scope
from torchfakes_utils.training.checkpoint import (
    EpochRow,
    Progress,
    RunFolder,
    ValidationRow,
    read_state,
    said_where_damaged,
)
from torchfakes_utils.training.config import TrainingConfig
from torchfakes_utils.training.data import Batch, TrainingData, seed_of, seeded
from torchfakes_utils.training.distributed import World, gather, mean
from torchfakes_utils.training.interruption import Interruption
from torchfakes_utils.training.journal import Journal
from torchfakes_utils.training.learner import Learner, gradient_norms
from torchfakes_utils.training.precision import autocast
from torchfakes_utils.training.settling import provisional

logger = logging.getLogger(__name__)

# Steps after which the losses are read on a GPU, which has to finish all it was given before it can show one.
_READ_EVERY = 20


class Trainer:
    """The loop and what it needs; a subclass may replace `batches`, `prepare` and `validate`.

    Attributes:
        data: the crops.
        learner, detector: the detector with its optimiser, and it alone.
        progress: how far the run has come, with its history.
        val_scores: the validation crops of the last epoch that could be read, with `logit` and `probability_fake`.
        scope: what the detector is trained on, for whoever uses it.
        folder: where the run is kept, by the first of its processes; None keeps nothing.
        journal: is told of every step and epoch, where there is one.
        interruption: asked after every step whether the run is to stop.
    """

    val_scores: pd.DataFrame
    scope = Scope()
    journal: Journal | None
    _unread: list[tuple[int, NDArray[np.int64], torch.Tensor]]  # number, rows and loss of a batch

    def __init__(
        self,
        faces: pd.DataFrame,
        preprocessing: Preprocessing,
        config: TrainingConfig,
        world: World | None = None,
        folder: RunFolder | None = None,
    ) -> None:
        """A new run, or the one in `folder` as it was when it was last kept.

        Args:
            faces: the crops of a table, from `load_crops`; those of the splits "train" and "val" are used.
            preprocessing: how they become the network's input.
            config: how to train.
            world: the processes that work together; None for this one alone.
            folder: the run folder; None keeps nothing.

        Raises:
            InputError: weights cannot be used, or the files of the run are damaged.
        """
        self.world = world or World(1, 0, torch_device(config.device))
        self.config, self.device = config, self.world.device
        self.data = TrainingData(faces, preprocessing, config, self.world)
        state = None if folder is None else read_state(folder.path)
        self.folder = folder if self.world.first else None
        steps = config.epochs * self.data.batches_per_epoch // config.accumulate
        with nullcontext() if folder is None or state is None else said_where_damaged(folder.path):
            self.learner = Learner(config, preprocessing, self.world, steps, state)
            self.progress = Progress() if state is None else Progress.restored(state)
        self.detector = self.learner.detector
        self.loss = nn.BCEWithLogitsLoss()
        self.journal, self.interruption, self._unread = None, Interruption(listen=False), []
        if state is None and self.learner.note is not None and self.world.first:
            logger.warning(self.learner.note)

    @memory_kept()
    def epoch(self, show_bar: bool = False) -> EpochRow:
        """Train on what is left of the epoch in hand, validate, keep; return the new row of the history."""
        self.progress.start_clock()
        self.train_epoch(show_bar)
        with self.learner.averaged():
            row = self.progress.row(self.validate(), self.world)
            self._keep_if_best(row)
        self._finish(row)
        return row

    def train_epoch(self, show_bar: bool = False) -> None:
        """One pass over the crops: forward, loss, backward, step."""
        config, learner, progress = self.config, self.learner, self.progress
        self.detector.train()
        for batch in _with_bar(read_ahead(self.batches()), self.data.batches_per_epoch, progress.batch, show_bar):
            # Dropout takes no generator: torch's own is set for each batch, and afterwards it is as it was.
            with seeded(seed_of(config.seed, 2, batch.number, self.world.rank), self.device):
                images, labels = self.prepare(batch)  # (B, 3, S, S), (B,)
                with autocast(self.device, learner.precision.dtype):
                    logits = learner.network(images)  # (B,)
            loss = self.loss(logits.float(), labels)
            learner.scaler.scale(loss / config.accumulate).backward()

            progress.count(batch)
            self._unread.append((batch.number, batch.rows, mean(self.world, loss.detach())))
            if self.device.type == "cpu" or len(self._unread) >= _READ_EVERY:
                self.flush_losses()
            if progress.batch % config.accumulate == 0:
                self.step()
                self._keep_if_due()
        self.flush_losses()

    def step(self) -> None:
        """Change the weights by the gradients that have come together."""
        config, learner, progress = self.config, self.learner, self.progress
        journal = self.journal if (progress.step + 1) % config.log_every == 0 else None
        if journal is not None or config.clip_norm is not None:
            learner.scaler.unscale_(learner.optimizer)
        norms = {} if journal is None else gradient_norms(self.detector)
        if config.clip_norm is not None:
            nn.utils.clip_grad_norm_(self.detector.parameters(), config.clip_norm)
        learner.scaler.step(learner.optimizer)
        learner.scaler.update()
        learner.optimizer.zero_grad()

        progress.rate = learner.optimizer.param_groups[0]["lr"]
        if not isinstance(learner.scheduler, ReduceLROnPlateau):
            learner.scheduler.step()
        if learner.average is not None:
            learner.average.update(self.detector)
        progress.step += 1
        if journal is not None:
            self.flush_losses()
            journal.step(progress, self.crops_seen(), norms)

    def batches(self) -> Iterator[Batch]:
        """What is left of the epoch in hand."""
        return self.data.batches(self.progress.epoch, self.progress.batch)

    def prepare(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """A batch on the device, blended, augmented and normalised, (B, 3, S, S) float32, and its labels (B,)."""
        images = batch.images.to(self.device, non_blocking=True)
        if batch.blends is not None:
            images = batch.blends.apply(images)
        images = augment(images, batch.drawn)
        images = self.detector.preprocessing.normalise(images).contiguous(memory_format=torch.channels_last)
        return images, batch.labels.to(self.device, non_blocking=True)

    def validate(self) -> ValidationRow:
        """Metrics on crops of people who are not in the training split; the AUC also of clips, by the mean of crops."""
        scores = self.val_scores = self._score_validation()
        clips = by_clip(scores)
        frame = binary_metrics(scores["label"], scores["probability_fake"])
        return {
            "val_loss": frame["loss"],
            "val_accuracy": frame["accuracy"],
            "val_balanced_accuracy": frame["balanced_accuracy"],
            "val_auc": frame["auc"],
            "val_auc_clip": binary_metrics(clips["label"], clips["probability_fake"])["auc"],
            "always_fake_accuracy": frame["always_fake_accuracy"],
            "predicted_fake_rate": frame["predicted_fake_rate"],
        }

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

    @torch.inference_mode()
    def _score_validation(self) -> pd.DataFrame:
        self.detector.eval()
        found = []
        for rows, images in self.data.validation(4 * self.data.batch_size):
            images = self.detector.preprocessing.normalise(images.to(self.device, non_blocking=True))
            with autocast(self.device, self.learner.precision.dtype):
                logits = self.detector(images.contiguous(memory_format=torch.channels_last))  # (B,)
            found.append((rows, logits.double().cpu().numpy()))
        parts = chain.from_iterable(gather(self.world, found))
        rows, logits = (np.concatenate(column) for column in zip(*parts, strict=True))
        order = np.argsort(rows)
        probabilities = torch.from_numpy(logits[order]).sigmoid().numpy()
        return self.data.val_faces.iloc[rows[order]].assign(logit=logits[order], probability_fake=probabilities)

    def _keep_if_due(self) -> None:
        """Keep the run in the middle of an epoch: when it is to stop, or has not been kept for long."""
        due = 60 * self.config.checkpoint_minutes
        if self.folder is not None and (self.interruption.asked or self.folder.age() >= due):
            self.flush_losses()
            self.progress.read_clock()
            self.folder.keep(self._state())
        self.interruption.follow()

    def _keep_if_best(self, row: EpochRow) -> None:
        if not self.progress.beats_the_best(row):
            return
        self.progress.best = row
        if self.folder is not None:
            self.detector.decision = provisional(self.val_scores, self.data, self.config, self.scope)
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
