"""Who is told how training goes: a table on disk always, and a tracker with a dashboard if there is one.

The trackers speak one language here: `scalars` and `pictures` at a step, then `finish`. None of them ever prints a key
or a token: their own chatter is switched off.
"""

import contextlib
import csv
import importlib.util
import io
import logging
import netrc
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, cast

import numpy as np

from torchfakes_utils.errors import InputError
from torchfakes_utils.models.run_files import TENSORBOARD_FOLDER, WANDB_FOLDER

logger = logging.getLogger(__name__)

AUTO, NONE = "auto", "none"
TRACKERS = (AUTO, NONE, "trackio", "wandb", "tensorboard")
PROJECT = "torchfakes"

# What each tracker is called as a package.
_PACKAGES = {"trackio": "trackio", "wandb": "wandb", "tensorboard": "tensorboard"}


class Tracker(Protocol):
    """What training says while it runs."""

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        """Numbers, by name."""

    def pictures(self, name: str, images: Sequence[np.ndarray], captions: Sequence[str], step: int) -> None:
        """Pictures, (H, W, 3) uint8 each, with what is to be read below them."""

    def finish(self) -> None:
        """Nothing more will come."""


@dataclass(frozen=True)
class RunInfo:
    """What a tracker files a run under.

    Attributes:
        folder: the run folder; what trackers write to disk goes to folders in it, or to their own places.
        config: what makes the run, plain values.
        resumed: whether it is one that goes on.
    """

    folder: Path
    config: dict[str, Any]
    resumed: bool


def open_tracker(name: str, run: RunInfo) -> Tracker:
    """Start a tracker.

    Args:
        name: one of `TRACKERS`; "auto" is trackio where it is installed, and nothing elsewhere.
        run: what is tracked.

    Raises:
        InputError: it is not installed.
    """
    if name == AUTO:
        name = "trackio" if importlib.util.find_spec("trackio") else NONE
    if name == NONE:
        return _Nobody()
    if importlib.util.find_spec(_PACKAGES[name]) is None:
        raise InputError(f"the tracker {name} is not installed: pip install 'torchfakes[trackers]', or --tracker none")
    trackers: dict[str, Callable[[RunInfo], Tracker]] = {
        "trackio": _Trackio, "wandb": _Wandb, "tensorboard": _TensorBoard,
    }  # fmt: skip
    return trackers[name](run)


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
        with _writing(path), path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, self.columns, lineterminator="\n", restval="", extrasaction="ignore")
            writer.writeheader()
            writer.writerows(kept)

    def write(self, row: Mapping[str, float]) -> None:
        """Append a row."""
        with _writing(self.path), self.path.open("a", newline="", encoding="utf-8") as file:
            csv.DictWriter(file, self.columns, lineterminator="\n", restval="").writerow(row)

    def _read(self) -> list[dict[str, str]]:
        try:
            with self.path.open(newline="", encoding="utf-8") as file:
                return [row for row in csv.DictReader(file) if (row.get("step") or "").isdigit()]
        except (OSError, csv.Error):
            return []


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(
            f"{path}: cannot be written ({error.strerror}); free some space or choose another folder"
        ) from error


class SystemMetrics:
    """What training takes from the machine."""

    def __init__(self, device: Any) -> None:
        """Of this process, and of `device` where it is a GPU."""
        import psutil

        self._process, self._device = psutil.Process(), device
        self._process.cpu_percent()  # the first answer is always 0: it counts from the last question

    def read(self) -> dict[str, float]:
        """`cpu_percent` (100 is one core), `memory_mib` resident, and of a GPU `gpu_memory_mib`, the peak so far."""
        values = {
            "cpu_percent": self._process.cpu_percent(),
            "memory_mib": round(self._process.memory_info().rss / 2**20, 1),
        }
        if getattr(self._device, "type", "cpu") == "cuda":
            import torch

            values["gpu_memory_mib"] = round(torch.cuda.max_memory_allocated(self._device) / 2**20, 1)
        return values


class _Nobody:
    def scalars(self, values: Mapping[str, float], step: int) -> None:
        pass

    def pictures(self, name: str, images: Sequence[np.ndarray], captions: Sequence[str], step: int) -> None:
        pass

    def finish(self) -> None:
        pass


class _Wandb:
    """Weights & Biases; without a key it keeps the run on disk, to be sent later with `wandb sync`."""

    def __init__(self, run: RunInfo) -> None:
        import wandb

        mode = os.environ.get("WANDB_MODE") or ("online" if _has_wandb_key() else "offline")
        self._wandb = wandb
        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", PROJECT),
            name=run.folder.name,
            id=_identity(run),
            resume="allow" if mode == "online" else None,
            config=run.config,
            dir=run.folder,
            mode=cast("Literal['online', 'offline', 'disabled', 'shared']", mode),  # which it checks itself
            settings=wandb.Settings(silent=True, console="off"),
        )
        if mode == "offline":
            logger.info("wandb: offline; send the run later with `wandb sync %s`", run.folder / WANDB_FOLDER)

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        self._run.log(dict(values), step=step)

    def pictures(self, name: str, images: Sequence[np.ndarray], captions: Sequence[str], step: int) -> None:
        pictures = [self._wandb.Image(image, caption=text) for image, text in zip(images, captions, strict=True)]
        self._run.log({name: pictures}, step=step)

    def finish(self) -> None:
        self._run.finish()


class _Trackio:
    """Trackio: a local SQLite file, shown by `trackio show`; no account."""

    def __init__(self, run: RunInfo) -> None:
        import trackio

        self._trackio = trackio
        with _silence():
            trackio.init(
                project=PROJECT, name=_identity(run), config=_plain(run.config), resume="allow", embed=False,
                auto_log_gpu=False,
            )  # fmt: skip

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        with _silence():
            self._trackio.log(dict(values), step=step)

    def pictures(self, name: str, images: Sequence[np.ndarray], captions: Sequence[str], step: int) -> None:
        pictures = [self._trackio.Image(image, caption=text) for image, text in zip(images, captions, strict=True)]
        with _silence():
            self._trackio.log({f"{name}/{number}": picture for number, picture in enumerate(pictures)}, step=step)

    def finish(self) -> None:
        with _silence():
            self._trackio.finish()  # type: ignore[no-untyped-call]


class _TensorBoard:
    """TensorBoard's event files, in `tensorboard/` of the run folder."""

    def __init__(self, run: RunInfo) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(run.folder / TENSORBOARD_FOLDER))
        self._writer.add_text("config", "\n".join(f"    {name}: {value}" for name, value in run.config.items()))

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def pictures(self, name: str, images: Sequence[np.ndarray], captions: Sequence[str], step: int) -> None:
        if len(images):
            self._writer.add_images(name, np.stack(images), step, dataformats="NHWC")
            self._writer.add_text(f"{name}/captions", "  \n".join(captions), step)

    def finish(self) -> None:
        self._writer.close()


def _has_wandb_key() -> bool:
    """Whether somebody has logged in: in the environment, or in the file that `wandb login` writes to."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    host = os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai").split("//")[-1].split("/")[0]
    try:
        found = netrc.netrc().authenticators(host)
    except (OSError, netrc.NetrcParseError):
        return False
    return found is not None


def _identity(run: RunInfo) -> str:
    """The same for a run that goes on, another for another run in a folder of the same name."""
    key = str(run.config.get("faces_sha256", ""))[:6] + f"-{run.config.get('seed', 0)}"
    return f"{run.folder.resolve().name}-{key}"


def _plain(config: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value for name, value in config.items() if value is None or isinstance(value, (bool, int, float, str))
    }


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Without what a tracker prints: addresses with tokens in them are not for notebooks and logs."""
    with contextlib.redirect_stdout(io.StringIO()):
        yield
