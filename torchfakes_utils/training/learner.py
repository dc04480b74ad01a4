"""What training changes, built once: a detector, and what turns its gradients into better weights."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, cast

import torch
from torch import nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR, ReduceLROnPlateau

from torchfakes_utils.models.architectures import HEAD, architecture
from torchfakes_utils.models.detector import TUNE_HEAD, TUNE_NORMS, Detector, DetectorConfig
from torchfakes_utils.models.preprocessing import Preprocessing
from torchfakes_utils.models.pretrained import build_detector, check_at_hand
from torchfakes_utils.training.config import TrainingConfig
from torchfakes_utils.training.data import seed_of, seeded
from torchfakes_utils.training.distributed import World, parallel, synchronise_batch_norm
from torchfakes_utils.training.precision import DTYPES, Precision, choose

_State = dict[str, Any]


class Learner:
    """A detector and its optimiser, with all that this remembers.

    Attributes:
        detector: on the run's device.
        network: the detector as it is called in training: compiled if that is asked for, and with the gradients of all
            processes.
        precision: the type that it computes in, and how that was found.
        optimizer, scheduler, scaler: torch's own.
        average: of the weights, where there is one.
        note: what the user has to know about the weights that training started from, or None.
    """

    def __init__(
        self, config: TrainingConfig, preprocessing: Preprocessing, world: World, steps: int, state: _State | None
    ) -> None:
        """A new one for a run of so many steps, or the one whose `state_dict` gave `state`.

        Raises:
            InputError: weights cannot be used.
        """
        with seeded(seed_of(config.seed, 3), world.device):
            self.detector, self.note = _initial_detector(config, preprocessing, state)
        synchronise_batch_norm(self.detector, world)
        self.detector.tune(config.tune)
        # Channels last is how both cuDNN's mixed-precision kernels and oneDNN want their pictures.
        self.detector.to(device=world.device).to(memory_format=torch.channels_last)
        # Before gradients are shared: what is timed is the network alone.
        self.precision = _kept_precision(config, world, state) or choose(
            self.detector, config, steps * config.accumulate, world
        )
        network = cast("nn.Module", torch.compile(self.detector)) if config.compile else self.detector
        self.network = parallel(network, world)

        rate = config.learning_rate or (1e-3 if self.detector.config.pretrained is None else 3e-4)
        groups = parameter_groups(self.detector, rate, config.head_learning_rate or rate, config.weight_decay)
        self.optimizer = AdamW(groups, fused=True)
        warmup = round(steps * config.warmup_epochs / config.epochs)
        self.scheduler = schedule(config.schedule, self.optimizer, steps, warmup)
        # float16 alone needs its small gradients lifted into range; switched off, the scaler passes everything through.
        self.scaler = torch.amp.GradScaler(world.device.type, enabled=self.precision.dtype is torch.float16)
        self.average = WeightAverage(self.detector, config.average) if config.average else None
        if state is not None:
            self._restore(state)

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Inside, the detector has the average of its weights, where there is one."""
        if self.average is not None:
            self.average.swap(self.detector)
        try:
            yield
        finally:
            if self.average is not None:
                self.average.swap(self.detector)

    def state_dict(self) -> _State:
        """As a checkpoint holds it."""
        return {
            "detector_config": asdict(self.detector.config),
            "note": self.note,
            "precision": {"name": self.precision.name, "device": self.detector.device.type},
            "detector": self.detector.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scheduler": self.scheduler.state_dict(),
            "scaler": self.scaler.state_dict(),
            "average": None if self.average is None else vars(self.average),
        }

    def _restore(self, state: _State) -> None:
        self.optimizer.load_state_dict(state["optimizer"])
        match_layouts(self.optimizer)
        self.scheduler.load_state_dict(state["scheduler"])
        if state["scaler"] and self.scaler.is_enabled():  # empty where the run began on another device
            self.scaler.load_state_dict(state["scaler"])
        if self.average is not None:
            self.average.restore(state["average"])


def _initial_detector(
    config: TrainingConfig, preprocessing: Preprocessing, state: _State | None
) -> tuple[Detector, str | None]:
    """The detector to go on from, and the note that belongs to it; only a new run may need to download weights."""
    if state is not None:
        detector = Detector(DetectorConfig.from_json(state["detector_config"]))
        detector.load_state_dict(state["detector"])
        return detector, state["note"]
    return build_detector(_asked(config, preprocessing), config.weights, _required(config))


def check_start(config: TrainingConfig, preprocessing: Preprocessing) -> None:
    """Find out, before time goes into a run, whether there is what it starts from.

    Raises:
        InputError: weights are not there without which it would not begin.
    """
    check_at_hand(_asked(config, preprocessing), config.weights, _required(config))


def _asked(config: TrainingConfig, preprocessing: Preprocessing) -> DetectorConfig:
    pretrained = config.pretrained
    if pretrained == "default":
        pretrained = next(iter(architecture(config.architecture).pretrained), None)
    return DetectorConfig(config.architecture, pretrained, config.dropout, preprocessing)


def _required(config: TrainingConfig) -> bool:
    """Whether all but a little stays as it starts: of random weights nothing could be made then."""
    return config.tune in (TUNE_HEAD, TUNE_NORMS)


def _kept_precision(config: TrainingConfig, world: World, state: _State | None) -> Precision | None:
    """What an earlier part of the run computed in, on the same kind of device, where nothing else is asked for."""
    kept = (state or {}).get("precision")
    if config.mixed_precision != "auto" or kept is None or kept["device"] != world.device.type:
        return None
    return Precision(next(name for name in DTYPES if name == kept["name"]))


def parameter_groups(detector: Detector, rate: float, head_rate: float, weight_decay: float) -> list[dict[str, Any]]:
    """What may be trained, in groups that differ in rate and decay: body and head, decayed and not.

    Decay pulls weights to zero; a bias or a batch norm's scale at zero would only switch its channel off.
    """
    in_head = set(map(id, detector.stage_parameters()[HEAD]))
    groups = []
    for name, lr in (("body", rate), (HEAD, head_rate)):
        here = [p for p in detector.parameters() if p.requires_grad and (id(p) in in_head) == (name == HEAD)]
        for decay, decayed in ((weight_decay, True), (0.0, False)):
            parameters = [p for p in here if (p.ndim > 1) == decayed]
            groups.append({"params": parameters, "lr": lr, "weight_decay": decay, "name": name})
    return [group for group in groups if group["params"]]


def schedule(
    kind: str, optimizer: torch.optim.Optimizer, steps: int, warmup: int = 0
) -> LRScheduler | ReduceLROnPlateau:
    """How the rate of each group changes over a run of so many steps, from its own `lr` as the highest.

    Args:
        kind: "one-cycle" (up and down once over all steps: Smith and Topin, 2019), "cosine" (down to zero along half a
            cosine: Loshchilov and Hutter, SGDR, ICLR 2017, without restarts), "plateau" (smaller after epochs without a
            better validation AUC) or "constant".
        optimizer: whose rates they are.
        steps: of the whole run.
        warmup: the first steps of "cosine", over which the rate rises in a straight line.
    """
    if kind == "one-cycle":
        return OneCycleLR(optimizer, max_lr=[group["lr"] for group in optimizer.param_groups], total_steps=steps)
    if kind == "plateau":
        return ReduceLROnPlateau(optimizer, mode="max", patience=1, factor=0.3)

    def share(step: int) -> float:
        if kind == "constant":
            return 1.0
        if step < warmup:
            return (step + 1) / (warmup + 1)
        return (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup))) / 2

    return LambdaLR(optimizer, share)


@torch.no_grad()
def match_layouts(optimizer: torch.optim.Optimizer) -> None:
    """Lay an optimiser's averages out in memory as their parameters are, after they were read from a file.

    Fused optimisers walk through parameter and averages in the order in which they lie there: averages in another
    order would be taken for those of other weights, without a word.
    """
    for parameter, state in optimizer.state.items():
        for name, value in state.items():
            if isinstance(value, torch.Tensor) and value.shape == parameter.shape:
                state[name] = torch.empty_like(parameter).copy_(value)


class WeightAverage:
    """An exponential moving average of a detector's weights and batch-norm averages, for validation and for keeping.

    The average begins as the weights themselves and reaches its full inertia bit by bit, as min(decay, (1+t)/(10+t))
    after t steps, so that a short run is not judged by where it began.

    Source: Polyak and Juditsky, SIAM Journal on Control and Optimization 30 (1992); the warm-up is TensorFlow's.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        """Begin with the weights as they are now; `decay` is the share of the old average that a step keeps."""
        self.decay, self.steps = decay, 0
        self.state = {name: value.detach().clone() for name, value in _floats(network)}

    def restore(self, kept: dict[str, Any]) -> None:
        """Go on from `vars` of another one of the same network."""
        self.steps = kept["steps"]
        for name, value in kept["state"].items():
            self.state[name].copy_(value)

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Take in the weights after a step."""
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        names, values = zip(*_floats(network), strict=True)
        torch._foreach_lerp_([self.state[name] for name in names], list(values), 1 - decay)

    @torch.no_grad()
    def swap(self, network: nn.Module) -> None:
        """Exchange the network's weights with the average; a second call undoes the first."""
        for name, value in _floats(network):
            kept = value.clone()
            value.copy_(self.state[name])
            self.state[name].copy_(kept)


def _floats(network: nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    """Weights and averages, but no counters."""
    return ((name, value) for name, value in network.state_dict().items() if value.is_floating_point())


def gradient_norms(detector: Detector) -> dict[str, float]:
    """The Euclidean norm of each stage's gradient; of what is frozen, nothing. Call it between backward and step."""
    stages = detector.stage_parameters().items()
    grads = {name: [p.grad for p in parameters if p.grad is not None] for name, parameters in stages}
    return {name: float(nn.utils.get_total_norm(values)) for name, values in grads.items() if values}
