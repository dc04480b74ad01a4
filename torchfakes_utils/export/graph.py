"""What all runtimes share: the detector with its arithmetic round it, and the same detector once it is a file.

A crop as it is decoded goes in; P(fake) and the distance from the faces of training come out. Normalisation, the look
at the mirror image and the temperature are part of the file, so that nobody can forget them.
"""

import contextlib
import copy
import importlib
import io
import logging
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any, overload

import numpy as np
import torch
from torch import nn

from torchfakes_utils.errors import InputError
from torchfakes_utils.io.video import spread
from torchfakes_utils.models.detector import Detector
from torchfakes_utils.models.judge import Judge
from torchfakes_utils.models.preprocessing import Preprocessing

# Crops that int8 is calibrated on, each of them twice (see `calibration_set`).
CALIBRATION = 64


class WholeDetector(nn.Module):
    """Crops (B, 3, S, S) uint8 to logit, P(fake) and distance, (B,) float32 each; distance 0 where none is measured."""

    def __init__(self, detector: Detector) -> None:
        """A copy of `detector` on the CPU, ready to be traced; of numbers that are there already, there is no second.

        Nothing that traces or quantises changes them in place.
        """
        super().__init__()
        numbers = (*detector.parameters(), *detector.buffers())
        shared = {id(one): one for one in numbers if one.device.type == "cpu"}
        copied = copy.deepcopy(detector, shared).cpu()
        self.judge = Judge(copied.ends, copied.likeness)
        self.temperature = detector.decision.temperature
        self.eval()

    def forward(self, crops: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Normalise, look twice, calibrate."""
        logit, distance = self.judge(self.judge.preprocessing.normalise(crops)).unbind(1)
        return logit, (logit / self.temperature).sigmoid(), distance

    def example(self, batch: int) -> torch.Tensor:
        """Crops of noise, to trace with: always the same ones."""
        size = self.judge.preprocessing.size
        noise = np.random.default_rng(0).integers(0, 256, (batch, 3, size, size), dtype=np.uint8)
        return torch.from_numpy(noise)


@dataclass(frozen=True)
class Network:
    """An exported detector that can be run in the place of the detector itself.

    Attributes:
        description: what `description.describe` wrote into its file.
        answers: (B, 2) logits and distances, float32, of crops (B, 3, S, S) uint8, S as the description says and B up
            to `batch`.
        batch: the most crops of one call.
    """

    description: dict[str, Any]
    answers: Callable[[torch.Tensor], torch.Tensor]
    batch: int

    @overload
    def __call__(self, crops: torch.Tensor) -> torch.Tensor: ...

    @overload
    def __call__(self, crops: np.ndarray) -> np.ndarray: ...

    def __call__(self, crops: torch.Tensor | np.ndarray) -> torch.Tensor | np.ndarray:
        """As `Detector.answers`, of crops (B, 3, S, S) uint8: a tensor (B, 2) for a tensor, an array for an array.

        Crops may come at the size that they are cut at.
        """
        tensor, size = torch.as_tensor(crops), self.description["preprocessing"]["size"]
        if tensor.shape[-1] != size:
            tensor = Preprocessing(size=size).resize(tensor)
        parts = [self.answers(part) for part in torch.split(tensor.cpu().contiguous(), self.batch) if len(part)]
        found = torch.cat(parts) if parts else torch.zeros(0, 2)
        return found if isinstance(crops, torch.Tensor) else found.numpy()


def calibration_set(crops: np.ndarray) -> np.ndarray:
    """Some validation crops, as they are and with more contrast: what int8's ranges are fixed on.

    Plain crops of a few people do not show all that others will. With ranges from half of Mini-FF++'s validation
    people, logits of the other half were off by up to 3.5 without these copies and by up to 0.17 with them (root of
    the mean square, for either half: 0.06 and 0.25 without, 0.07 and 0.06 with).

    Args:
        crops: (N, 3, S, S) uint8; so is what is returned, but for N.
    """
    some = crops[spread(CALIBRATION, len(crops))].astype(np.float32)
    both: np.ndarray = np.clip(np.concatenate([some, (some - 128) * 1.3 + 128]), 0, 255)
    return both.astype(np.uint8)


def need(package: str, what: str, extra: str) -> ModuleType:
    """An optional package, without which there is no making `what` (in the plural), and which our `extra` brings.

    Raises:
        InputError: it is not installed.
    """
    try:
        with quiet():
            return importlib.import_module(package)
    except ModuleNotFoundError as error:
        raise InputError(f"{what} need {package}: pip install 'torchfakes[{extra}]'") from error


def in_short(error: Exception) -> str:
    """What an exporter complains of, from deep inside, as part of a line."""
    return " ".join(str(error).split())[:200]


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep to themselves what exporters log about their insides; errors are still raised.

    What they print is dropped, too: our own output may be JSON.
    """
    root, silent = logging.getLogger(), logging.NullHandler()
    before = root.manager.disable
    root.addHandler(silent)  # without any handler, one call of logging.warning would set one up for good
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
        root.removeHandler(silent)
