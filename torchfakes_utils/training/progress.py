"""How far a run has come: its history, and the counts of the epoch in hand."""

import time
from dataclasses import dataclass, field
from typing import Any, TypedDict

from torchfakes_utils.training.config import TrainingConfig
from torchfakes_utils.training.data import Batch
from torchfakes_utils.training.distributed import World, gather


class _Beginning(TypedDict):
    epoch: int
    seconds: float


class TrainingRow(TypedDict):
    """What the history says of the training half of an epoch."""

    train_loss: float
    learning_rate: float
    train_real: int
    train_fake: int
    skipped: int


class ValidationRow(TypedDict):
    """What the history says of the validation half of an epoch; of classes that lack, None."""

    val_loss: float
    val_accuracy: float
    val_balanced_accuracy: float
    val_auc: float
    val_auc_clip: float
    always_fake_accuracy: float
    predicted_fake_rate: float


class EpochRow(_Beginning, TrainingRow, ValidationRow):
    """A row of `history.csv`."""


HISTORY_COLUMNS = list(EpochRow.__annotations__)


@dataclass
class Progress:
    """How far a run has come; all of it is kept with the weights.

    Attributes:
        step: updates of the weights so far.
        batch: batches of the epoch in hand that are done.
        losses: of those batches.
        fakes, seen, skipped: crops of those batches.
        rate: the learning rate of the last step.
        seconds: spent on the epoch in hand, when it was last asked.
        history: a row for each epoch that is done.
        best: the one of them whose detector is kept.
    """

    step: int = 0
    batch: int = 0
    losses: list[float] = field(default_factory=list)
    fakes: int = 0
    seen: int = 0
    skipped: int = 0
    rate: float = 0.0
    seconds: float = 0.0
    history: list[EpochRow] = field(default_factory=list)
    best: EpochRow | None = None
    _asked: float = field(default_factory=time.perf_counter)

    @property
    def epoch(self) -> int:
        """The one in hand, from 1."""
        return len(self.history) + 1

    def finished(self, config: TrainingConfig) -> bool:
        """Whether all epochs are done, or too many have passed since the best one."""
        done, best = len(self.history), self.best["epoch"] if self.best else 0
        return done >= config.epochs or done - best >= config.stops_after

    def count(self, batch: Batch) -> None:
        """A batch has been through the network."""
        self.batch, self.seen, self.skipped = self.batch + 1, self.seen + len(batch.rows), self.skipped + batch.skipped
        self.fakes += int(batch.labels.sum())

    def start_clock(self) -> None:
        """What has passed until now does not count."""
        self._asked = time.perf_counter()

    def read_clock(self) -> float:
        """Seconds spent on the epoch in hand."""
        now = time.perf_counter()
        self.seconds, self._asked = self.seconds + now - self._asked, now
        return self.seconds

    def training_row(self, world: World) -> TrainingRow:
        """The training half of an epoch that is done, of all processes together."""
        counts = gather(world, (self.seen, self.fakes, self.skipped))
        seen, fakes, skipped = (sum(column) for column in zip(*counts, strict=True))
        return {
            "train_loss": sum(self.losses) / len(self.losses),
            "learning_rate": self.rate,
            "train_real": seen - fakes,
            "train_fake": fakes,
            "skipped": skipped,
        }

    def beats_the_best(self, row: ValidationRow) -> bool:
        """Whether an epoch is better than all before it: by the AUC of clips, then, among equals, of crops."""
        if self.best is None:
            return True
        return (row["val_auc_clip"], row["val_auc"]) > (self.best["val_auc_clip"], self.best["val_auc"])

    def next_epoch(self) -> None:
        """Count anew what is counted by epoch."""
        self.batch, self.losses, self.fakes, self.seen, self.skipped, self.seconds = 0, [], 0, 0, 0, 0.0

    def state_dict(self) -> dict[str, Any]:
        """As a checkpoint holds it."""
        counts = {name: value for name, value in vars(self).items() if name not in ("history", "best", "_asked")}
        best = self.best["epoch"] if self.best else None
        return {"history": self.history, "best_epoch": best, "progress": counts}

    @classmethod
    def restored(cls, state: dict[str, Any]) -> "Progress":
        """What `state_dict` gave."""
        history = state["history"]
        best = next((row for row in history if row["epoch"] == state["best_epoch"]), None)
        return cls(**state["progress"], history=history, best=best)
