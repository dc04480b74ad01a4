"""How far a run has come, and the folder from which it goes on.

The state is one file of numbers (safetensors) whose header holds the rest as JSON: one file is replaced whole or not
at all, and reading it runs no code.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypedDict

import pandas as pd
import safetensors
import safetensors.torch
import torch

from torchfakes_utils.errors import InputError
from torchfakes_utils.io.files import atomic_write
from torchfakes_utils.io.folders import Stamp, claim, sweep
from torchfakes_utils.io.tables import write_table
from torchfakes_utils.models.detector import Detector, save
from torchfakes_utils.models.provenance import provenance
from torchfakes_utils.models.run_files import (
    BEST_FOLDER,
    DETECTOR_FILE,
    HISTORY_FILE,
    STATE_FILE,
    STEPS_FILE,
    TRAINING_FILE,
    WEIGHTS_FILE,
)
from torchfakes_utils.training.config import FREE_FIELDS, TrainingConfig
from torchfakes_utils.training.data import Batch
from torchfakes_utils.training.distributed import World, gather

# Of the folder, with its state: raised when a run that an earlier version left could not go on.
_FORMAT = 1

# In `config.json`, the type that the network computes in, which "auto" does not tell.
COMPUTED_IN = "computed_in"

_TENSOR, _ITEMS = "__tensor__", "__items__"


class _TrainingRow(TypedDict):
    epoch: int
    seconds: float
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


class EpochRow(_TrainingRow, ValidationRow):
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

    def row(self, validation: ValidationRow, world: World) -> EpochRow:
        """What the history says of the epoch in hand, now that it is done, of all processes together."""
        counts = gather(world, (self.seen, self.fakes, self.skipped))
        seen, fakes, skipped = (sum(column) for column in zip(*counts, strict=True))
        return {
            "epoch": self.epoch,
            "train_loss": sum(self.losses) / len(self.losses),
            "learning_rate": self.rate,
            "train_real": seen - fakes,
            "train_fake": fakes,
            "skipped": skipped,
            **validation,
            "seconds": self.read_clock(),
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


def claim_run(out: Path, record: dict[str, Any], notes: Mapping[str, Any] = MappingProxyType({})) -> None:
    """Write `config.json`; where `out` already holds a run, first make sure that it is this one.

    Args:
        out: the run folder.
        record: what makes the run, its configuration and its table; `FREE_FIELDS` may differ.
        notes: what else is to stand there.

    Raises:
        InputError: `out` holds another run, or other things, or cannot be written to.
    """
    best = [f"{BEST_FOLDER}/{name}" for name in (DETECTOR_FILE, WEIGHTS_FILE)]
    stamp = Stamp("a run", "torchfakes train", _FORMAT, TRAINING_FILE, record, free=FREE_FIELDS,
                  notes=provenance() | dict(notes),
                  writes=(STATE_FILE, HISTORY_FILE, STEPS_FILE, BEST_FOLDER, *best),
                  wording={"faces_sha256": "another faces.csv"})  # fmt: skip
    # Before its first state is on disk, a run is nothing that could be lost.
    claim(out, stamp, overwrite=not (out / STATE_FILE).exists())
    sweep(out / BEST_FOLDER)


def read_state(out: Path) -> dict[str, Any] | None:
    """What `RunFolder.keep` wrote last, on the CPU; None where a run has not begun.

    Raises:
        InputError: the files are damaged.
    """
    path = out / STATE_FILE
    if not path.exists():
        return None
    with said_where_damaged(out), safetensors.safe_open(path, "pt") as file:
        state: dict[str, Any] = _put_together(json.loads(file.metadata()["state"]), file.get_tensor)
        begun = state["best_epoch"] is not None
    if begun and not (out / BEST_FOLDER / DETECTOR_FILE).is_file():
        raise InputError(f"{out}: its best/ is gone; delete the folder and train again")
    return state


@contextmanager
def said_where_damaged(out: Path) -> Iterator[None]:
    """Inside, a run's state, which may be a stranger's, is used: where it is none, that is said.

    Raises:
        InputError: it lacks something, or holds something else.
    """
    try:
        yield
    except (
        OSError,
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        RuntimeError,
        safetensors.SafetensorError,
    ) as error:
        # Of those of torch, a full memory is no damage.
        if isinstance(error, RuntimeError) and not isinstance(error, RecursionError) and "state_dict" not in str(error):
            raise
        raise InputError(
            f"{out / STATE_FILE}: damaged, so the run cannot go on; delete {out} and train again"
        ) from error


class RunFolder:
    """Where a run keeps its last state, its best detector and its history.

    Attributes:
        path: the folder.
        record: what the run is.
    """

    def __init__(self, path: Path, record: dict[str, Any]) -> None:
        """Nothing is written yet."""
        self.path, self.record, self._kept_at = path, record, time.perf_counter()

    def age(self) -> float:
        """Seconds since the run was kept."""
        return time.perf_counter() - self._kept_at

    def keep(self, state: dict[str, Any]) -> None:
        """Keep where the run is, replacing what was kept before only once it is written.

        Args:
            state: any nesting of dictionaries, lists, numbers, texts and tensors.

        Raises:
            InputError: the folder cannot be written to, or the disk is full; what was kept before is as it was.
        """
        tensors: dict[str, torch.Tensor] = {}
        skeleton, path = json.dumps(_take_apart(state, tensors, "")), self.path / STATE_FILE
        with atomic_write(path) as temporary:
            try:
                safetensors.torch.save_file(tensors, temporary, {"state": skeleton})
            except safetensors.SafetensorError as error:  # how safetensors says that the disk is full
                remedy = "free some space or choose another folder"
                raise InputError(f"{path}: cannot be written ({error}); {remedy}") from error
        self._kept_at = time.perf_counter()

    def keep_best(self, detector: Detector, row: EpochRow) -> None:
        """Put the best detector so far on disk."""
        save(detector, self.path / BEST_FOLDER, {"epoch": row["epoch"], "validation": row, "run": self.record})

    def keep_history(self, history: Sequence[EpochRow]) -> None:
        """Write the table of all epochs."""
        write_table(pd.DataFrame(history), self.path / HISTORY_FILE, HISTORY_COLUMNS)


def _take_apart(thing: Any, tensors: dict[str, torch.Tensor], name: str) -> Any:
    """`thing` as JSON can hold it; its tensors go to `tensors`."""
    if isinstance(thing, torch.Tensor):
        # safetensors wants plain layouts, and training uses channels-last ones.
        tensors[name] = thing.detach().cpu().contiguous()
        return {_TENSOR: name}
    if isinstance(thing, dict):
        # As pairs: JSON would make texts of an optimiser's numbers.
        return {_ITEMS: [[key, _take_apart(value, tensors, f"{name}/{key}")] for key, value in thing.items()]}
    if isinstance(thing, (list, tuple)):
        return [_take_apart(value, tensors, f"{name}/{number}") for number, value in enumerate(thing)]
    return thing


def _put_together(thing: Any, tensor: Callable[[str], torch.Tensor]) -> Any:
    if isinstance(thing, dict):
        if _TENSOR in thing:
            return tensor(thing[_TENSOR])
        return {key: _put_together(value, tensor) for key, value in thing[_ITEMS]}
    if isinstance(thing, list):
        return [_put_together(value, tensor) for value in thing]
    return thing
