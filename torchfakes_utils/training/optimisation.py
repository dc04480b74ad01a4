"""What turns gradients into better weights: groups of parameters, the learning rate's course, averages of weights."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR, ReduceLROnPlateau

from torchfakes_utils.models.architectures import HEAD
from torchfakes_utils.models.detector import Detector


def parameter_groups(detector: Detector, rate: float, head_rate: float, weight_decay: float) -> list[dict[str, Any]]:
    """What may be trained, in groups that differ in rate and decay: body and head, decayed and not.

    Decay pulls weights to zero; a bias or a batch norm's scale at zero would only switch its channel off.
    """
    in_head = set(map(id, detector.stage_parameters()[HEAD]))
    groups = []
    for name, lr in (("body", rate), (HEAD, head_rate)):
        here = [p for p in detector.parameters() if p.requires_grad and (id(p) in in_head) == (name == HEAD)]
        for decay, parameters in (
            (weight_decay, [p for p in here if p.ndim > 1]),
            (0.0, [p for p in here if p.ndim <= 1]),
        ):
            if parameters:
                groups.append({"params": parameters, "lr": lr, "weight_decay": decay, "name": name})
    return groups


def schedule(kind: str, optimizer: torch.optim.Optimizer, steps: int) -> LRScheduler | ReduceLROnPlateau:
    """How the rate of each group changes, from its own `lr` as the highest.

    Args:
        kind: "one-cycle" (up and down once over all steps: Smith and Topin, 2019), "plateau" (smaller after epochs
            without a better validation AUC) or "constant".
        optimizer: its groups' `lr` are the peaks.
        steps: of the whole run.
    """
    if kind == "one-cycle":
        return OneCycleLR(optimizer, max_lr=[group["lr"] for group in optimizer.param_groups], total_steps=steps)
    if kind == "plateau":
        return ReduceLROnPlateau(optimizer, mode="max", patience=1, factor=0.3)
    return LambdaLR(optimizer, lambda step: 1.0)


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


def autocast_dtype(device: torch.device, precision: str) -> torch.dtype | None:
    """The type that the network computes in; None is float32.

    "auto" takes half precision where the hardware is faster in it: bfloat16 on GPUs since Ampere and on CPUs with
    AMX or AVX-512 BF16, float16 on older GPUs, which merely emulate bfloat16.
    """
    if precision in ("bf16", "fp16"):
        return torch.bfloat16 if precision == "bf16" else torch.float16
    if precision == "off":
        return None
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    if device.type == "cpu" and cpu_has_bf16():
        return torch.bfloat16
    return None


def autocast(device: torch.device, dtype: torch.dtype | None) -> torch.autocast:
    """Inside, the network computes in this type; None is float32."""
    return torch.autocast(device.type, dtype, enabled=dtype is not None)


def cpu_has_bf16() -> bool:
    """Whether this processor multiplies bfloat16 numbers itself; elsewhere they are slower than float32."""
    return any(
        getattr(torch.cpu, name, lambda: False)() for name in ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
    )


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
    norms = {}
    for name, parameters in detector.stage_parameters().items():
        grads = [p.grad for p in parameters if p.grad is not None]
        if grads:
            norms[name] = float(nn.utils.get_total_norm(grads))
    return norms
