"""Who else is told how training goes: a tracker with a dashboard, if there is one.

The trackers speak one language here: `scalars` and `pictures` at a step, then `finish`. None of them ever prints a key
or a token: their own chatter is switched off.
"""

import contextlib
import importlib.util
import io
import logging
import netrc
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np

from torchfakes_utils.errors import InputError
from torchfakes_utils.models.run_files import TENSORBOARD_FOLDER, WANDB_FOLDER

logger = logging.getLogger(__name__)

_PROJECT = "torchfakes"


class Tracker:
    """What training says while it runs; here, to nobody."""

    def __init__(self, folder: Path, config: dict[str, Any]) -> None:
        """Begin, or go on."""

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        """Numbers, by name."""

    def pictures(self, name: str, images: Sequence[np.ndarray], captions: Sequence[str], step: int) -> None:
        """Pictures, (H, W, 3) uint8 each, with what is to be read below them."""

    def finish(self) -> None:
        """Nothing more will come."""


def open_tracker(name: str, folder: Path, config: dict[str, Any]) -> Tracker:
    """Start a tracker.

    Args:
        name: one of `TRACKERS`; "auto" is trackio where it is installed and works, and nothing elsewhere.
        folder: the run's; what trackers write to disk goes to folders in it, or to their own places.
        config: what makes the run, plain values.

    Raises:
        InputError: it is not installed.
    """
    if name == "auto":
        name = _automatic()
    if name != "none" and importlib.util.find_spec(name) is None:
        raise InputError(f"the tracker {name} is not installed: pip install 'torchfakes[trackers]', or --tracker none")
    if name == "trackio" and (why_not := _trackio_cannot_write()):
        logger.warning("%s; this run is not tracked (TRACKIO_DIR names another folder)", why_not)
        name = "none"
    return _TRACKERS[name](folder, config)


def _automatic() -> str:
    """The tracker of who has named none; one that is there but broken is no reason to end a run."""
    if importlib.util.find_spec("trackio") is None:
        return "none"
    try:
        importlib.import_module("trackio")
    except ImportError as error:
        logger.warning("trackio is installed, but cannot be imported (%s); this run is not tracked", error)
        return "none"
    return "trackio"


class _Wandb(Tracker):
    """Weights & Biases; without a key it keeps the run on disk, to be sent later with `wandb sync`."""

    def __init__(self, folder: Path, config: dict[str, Any]) -> None:
        import wandb

        mode = os.environ.get("WANDB_MODE") or ("online" if _has_wandb_key() else "offline")
        self._wandb = wandb
        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", _PROJECT), name=folder.name, id=_identity(folder, config),
            resume="allow" if mode == "online" else None, config=config, dir=folder,
            mode=cast("Literal['online', 'offline', 'disabled', 'shared']", mode),  # which it checks itself
            settings=wandb.Settings(silent=True, console="off"),
        )  # fmt: skip
        if mode == "offline":
            logger.info("wandb: offline; send the run later with `wandb sync %s`", folder / WANDB_FOLDER)

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        self._run.log(dict(values), step=step)

    def pictures(self, name: str, images: Sequence[np.ndarray], captions: Sequence[str], step: int) -> None:
        pictures = [self._wandb.Image(image, caption=text) for image, text in zip(images, captions, strict=True)]
        self._run.log({name: pictures}, step=step)

    def finish(self) -> None:
        self._run.finish()


class _Trackio(Tracker):
    """Trackio: a local SQLite file, shown by `trackio show`; no account."""

    def __init__(self, folder: Path, config: dict[str, Any]) -> None:
        import trackio

        self._trackio = trackio
        kinds = (bool, int, float, str, type(None))
        plain = {name: value for name, value in config.items() if isinstance(value, kinds)}
        name = _identity(folder, config)
        with _silence():
            trackio.init(project=_PROJECT, name=name, config=plain, resume="allow", embed=False, auto_log_gpu=False)

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


class _TensorBoard(Tracker):
    """TensorBoard's event files, in `tensorboard/` of the run folder."""

    def __init__(self, folder: Path, config: dict[str, Any]) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(folder / TENSORBOARD_FOLDER))
        self._writer.add_text("config", "\n".join(f"    {name}: {value}" for name, value in config.items()))

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def pictures(self, name: str, images: Sequence[np.ndarray], captions: Sequence[str], step: int) -> None:
        if len(images):
            self._writer.add_images(name, np.stack(images), step, dataformats="NHWC")
            self._writer.add_text(f"{name}/captions", "  \n".join(captions), step)

    def finish(self) -> None:
        self._writer.close()


# By their packages' names.
_TRACKERS: dict[str, type[Tracker]] = {
    "none": Tracker, "trackio": _Trackio, "wandb": _Wandb, "tensorboard": _TensorBoard,
}  # fmt: skip
TRACKERS = ("auto", *_TRACKERS)


def _trackio_cannot_write() -> str:
    """Why trackio would warn at each step that it cannot write, or ""."""
    from huggingface_hub.constants import HF_HOME  # without which there is no trackio

    place = Path(os.environ.get("TRACKIO_DIR") or Path(HF_HOME, "trackio"))
    try:
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=place):
            return ""
    except OSError as error:
        return f"{place}: trackio cannot write there ({error.strerror})"


def _has_wandb_key() -> bool:
    """Whether somebody has logged in: in the environment, or in the file that `wandb login` writes to."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    host = os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai").split("//")[-1].split("/")[0]
    try:
        return netrc.netrc().authenticators(host) is not None
    except (OSError, netrc.NetrcParseError):
        return False


def _identity(folder: Path, config: dict[str, Any]) -> str:
    """The same for a run that goes on, another for another run in a folder of the same name."""
    return f"{folder.resolve().name}-{str(config.get('faces_sha256', ''))[:6]}-{config.get('seed', 0)}"


def _silence() -> contextlib.redirect_stdout[io.StringIO]:
    """Without what a tracker prints: addresses with tokens in them are not for notebooks and logs."""
    return contextlib.redirect_stdout(io.StringIO())
