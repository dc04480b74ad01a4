"""What training changes, built once: a detector, and what turns its gradients into better weights."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, cast

import torch
from torch import nn
from torch.optim import AdamW

from torchfakes_utils.models.architectures import architecture
from torchfakes_utils.models.detector import Detector, DetectorConfig
from torchfakes_utils.models.preprocessing import Preprocessing
from torchfakes_utils.models.pretrained import build_detector
from torchfakes_utils.training.config import TrainingConfig
from torchfakes_utils.training.distributed import World, parallel, synchronise_batch_norm
from torchfakes_utils.training.optimisation import (
    WeightAverage,
    autocast_dtype,
    match_layouts,
    parameter_groups,
    schedule,
)
from torchfakes_utils.training.random_numbers import seed_of, seeded


class Learner:
    """A detector and its optimiser, with all that this remembers.

    Attributes:
        detector: on the run's device.
        network: the detector as it is called in training: compiled if that is asked for, and with the gradients of all
            processes.
        precision: the type that it computes in; None is float32.
        optimizer, scheduler, scaler: torch's own.
        average: of the weights, where there is one.
        note: what the user has to know about the weights that training started from, or None.
    """

    def __init__(
        self,
        config: TrainingConfig,
        preprocessing: Preprocessing,
        world: World,
        steps: int,
        state: dict[str, Any] | None = None,
    ) -> None:
        """A new one, or the one that gave `state`.

        Args:
            config: how to train.
            preprocessing: how crops become the network's input.
            world: the processes that work together.
            steps: of the whole run.
            state: what `state_dict` gave.

        Raises:
            InputError: weights cannot be used.
        """
        with seeded(seed_of(config.seed, 3), world.device):
            detector, self.note = _initial_detector(config, preprocessing, state)
        self.detector = synchronise_batch_norm(detector, world)
        self.detector.tune(config.tune)
        # Channels last is how both cuDNN's mixed-precision kernels and oneDNN want their pictures.
        self.detector.to(device=world.device).to(memory_format=torch.channels_last)
        network = cast("nn.Module", torch.compile(self.detector)) if config.compile else self.detector
        self.network = parallel(network, world)
        self.precision = autocast_dtype(world.device, config.mixed_precision)

        rate = config.learning_rate or (1e-3 if self.detector.config.pretrained is None else 3e-4)
        groups = parameter_groups(self.detector, rate, config.head_learning_rate or rate, config.weight_decay)
        self.optimizer = AdamW(groups, fused=True)
        self.scheduler = schedule(config.schedule, self.optimizer, steps)
        # float16 alone needs its small gradients lifted into range; switched off, the scaler passes everything through.
        self.scaler = torch.amp.GradScaler(world.device.type, enabled=self.precision is torch.float16)
        self.average = WeightAverage(self.detector, config.average) if config.average else None
        if state is not None:
            self._restore(state)

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Inside, the detector has the average of its weights, where there is one."""
        if self.average is None:
            yield
            return
        self.average.swap(self.detector)
        try:
            yield
        finally:
            self.average.swap(self.detector)

    def state_dict(self) -> dict[str, Any]:
        """As a checkpoint holds it."""
        return {
            "detector_config": asdict(self.detector.config),
            "note": self.note,
            "detector": self.detector.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scheduler": self.scheduler.state_dict(),
            "scaler": self.scaler.state_dict(),
            "average": None if self.average is None else vars(self.average),
        }

    def _restore(self, state: dict[str, Any]) -> None:
        self.optimizer.load_state_dict(state["optimizer"])
        match_layouts(self.optimizer)
        self.scheduler.load_state_dict(state["scheduler"])
        if state["scaler"] and self.scaler.is_enabled():  # empty where the run began on another device
            self.scaler.load_state_dict(state["scaler"])
        if self.average is not None:
            self.average.restore(state["average"])


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
