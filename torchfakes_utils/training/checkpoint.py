"""The folder of a training run: what it is, how far it has come, and how it goes on.

The state is one file of numbers (safetensors) whose header holds the rest as JSON: one file is replaced whole or not
at all, and reading it runs no code.
"""

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

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
from torchfakes_utils.models.run_files import BEST_FOLDER, DETECTOR_FILE, HISTORY_FILE, STATE_FILE, TRAINING_FILE
from torchfakes_utils.training.progress import HISTORY_COLUMNS, EpochRow

# Of the folder, with its state: raised when a run that an earlier version left could not go on.
_FORMAT = 1

_TENSOR, _ITEMS = "__tensor__", "__items__"


def claim_run(out: Path, record: dict[str, Any], free: tuple[str, ...]) -> None:
    """Write `config.json`; where `out` already holds a run, first make sure that it is this one.

    Args:
        out: the run folder.
        record: what makes the run, its configuration and its table.
        free: names in it that may differ when a run is taken up again: where and how fast it is computed.

    Raises:
        InputError: `out` holds another run, or other things, or cannot be written to.
    """
    stamp = Stamp(
        "a run",
        "torchfakes train",
        _FORMAT,
        TRAINING_FILE,
        record,
        free=free,
        notes=provenance(),
        said={"faces_sha256": "another faces.csv"},
    )
    # Before its first state is on disk, a run is nothing that could be lost.
    claim(out, stamp, overwrite=not (out / STATE_FILE).exists())
    sweep(out / BEST_FOLDER)


class RunFolder:
    """Where a run is kept: its last state, its best detector, its history.

    Attributes:
        path: the folder.
        record: what the run is.
    """

    def __init__(self, path: Path, record: dict[str, Any]) -> None:
        """Nothing is read or written yet."""
        self.path, self.record = path, record
        self._kept_at = time.perf_counter()

    def read(self) -> dict[str, Any] | None:
        """What was kept last; None of a run that has not begun.

        Raises:
            InputError: the files are damaged.
        """
        state = read_state(self.path)
        if (
            state is not None
            and state["best_epoch"] is not None
            and not (self.path / BEST_FOLDER / DETECTOR_FILE).is_file()
        ):
            raise InputError(f"{self.path}: its best/ is gone; delete the folder and train again")
        return state

    def age(self) -> float:
        """Seconds since the run was kept."""
        return time.perf_counter() - self._kept_at

    def keep(self, state: dict[str, Any]) -> None:
        """Put on disk where the run is."""
        write_state(self.path, state)
        self._kept_at = time.perf_counter()

    def keep_best(self, detector: Detector, row: EpochRow) -> None:
        """Put the best detector so far on disk."""
        save(detector, self.path / BEST_FOLDER, {"epoch": row["epoch"], "validation": row, "run": self.record})

    def keep_history(self, history: Sequence[EpochRow]) -> None:
        """Write the table of all epochs."""
        write_table(pd.DataFrame(history), self.path / HISTORY_FILE, HISTORY_COLUMNS)


def write_state(out: Path, state: dict[str, Any]) -> None:
    """Keep where a run is, replacing what was kept before only once it is written.

    Args:
        out: the run folder.
        state: any nesting of dictionaries, lists, numbers, texts and tensors.

    Raises:
        InputError: the folder cannot be written to, or the disk is full; what was kept before is as it was.
    """
    tensors: dict[str, torch.Tensor] = {}
    skeleton = json.dumps(_take_apart(state, tensors, ""))
    with atomic_write(out / STATE_FILE) as temporary:
        try:
            safetensors.torch.save_file(tensors, temporary, {"state": skeleton})
        except safetensors.SafetensorError as error:  # how safetensors says that the disk is full
            raise InputError(
                f"{out / STATE_FILE}: cannot be written ({error}); free some space or choose another folder"
            ) from error


def read_state(out: Path) -> dict[str, Any] | None:
    """What `write_state` kept, on the CPU; None where a run has not begun.

    Raises:
        InputError: the file is damaged.
    """
    path = out / STATE_FILE
    if not path.exists():
        return None
    try:
        with safetensors.safe_open(path, "pt") as file:
            state: dict[str, Any] = _put_together(json.loads(file.metadata()["state"]), file.get_tensor)
            return state
    except (OSError, ValueError, KeyError, TypeError, safetensors.SafetensorError) as error:
        raise InputError(f"{path}: damaged, so the run cannot go on; delete {out} and train again") from error


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
