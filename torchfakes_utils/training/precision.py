"""In which type a network computes: what the processor promises, and what the very network makes of it, timed.

A processor that multiplies bfloat16 twice as fast does not do so for every layer. Depthwise convolutions, which spend
their time on moving numbers, are slower in it on CPUs: EfficientNet-Lite0 takes 0.86 s for a training step with 16
crops where float32 takes 0.68, and InceptionResnetV1 1.02 s where float32 takes 1.96 (two cores with AVX-512 BF16,
160 px).
"""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from torch.nn import functional as F

from torchfakes_utils.io.machine import memory_kept
from torchfakes_utils.models.detector import Detector
from torchfakes_utils.training.config import TrainingConfig
from torchfakes_utils.training.data import seeded
from torchfakes_utils.training.distributed import World, gather

# By the names that they have in a run.
DTYPES: dict[str, torch.dtype | None] = {"float32": None, "bfloat16": torch.bfloat16, "float16": torch.float16}
_ASKED = {"off": "float32", "bf16": "bfloat16", "fp16": "float16"}

# Timing takes so many seconds, or so large a share of the run, and never more than the last.
_SECONDS, _SHARE, _MOST_SECONDS = 2.0, 0.05, 20.0
# Rounds in each of which both types take their turn. The first is slower, for kernels are chosen in it, or made.
_LEAST_ROUNDS, _ROUNDS = 2, 5
# What half precision has to win to be worth its digits.
_GAIN = 0.95

Seconds = dict[str, float]


@dataclass(frozen=True)
class Precision:
    """The type that a run computes in.

    Attributes:
        name: "float32", "bfloat16" or "float16".
        seconds: of a training pass over a batch, by type, least of a few, where both were timed.
    """

    name: str
    seconds: Seconds | None = None

    @property
    def dtype(self) -> torch.dtype | None:
        """For `autocast`; None is float32."""
        return DTYPES[self.name]

    def __str__(self) -> str:
        if self.seconds is None:
            return self.name
        others = ", ".join(f"{name} {_each(took)}" for name, took in self.seconds.items() if name != self.name)
        return f"{self.name} (timed: {_each(self.seconds[self.name])} a batch, {others})"


def _each(seconds: float) -> str:
    return f"{seconds:.2g} s" if math.isfinite(seconds) else "does not fit"


# What was found in this process: runs that will be compared, such as those of a matrix, compute alike.
_FOUND: dict[tuple[object, ...], Precision] = {}


def candidate(device: torch.device) -> str:
    """The type that the hardware is faster in, for most networks.

    bfloat16 on GPUs since Ampere and on CPUs with AMX or AVX-512 BF16; float16 on older GPUs, which merely emulate
    bfloat16; else float32.
    """
    if device.type == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float16"
    units = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
    fast = device.type == "cpu" and any(getattr(torch.cpu, name, lambda: False)() for name in units)
    return "bfloat16" if fast else "float32"


def promised(device: torch.device) -> str:
    """What `mixed_precision` is called that asks for `candidate`, untimed."""
    return next(asked for asked, name in _ASKED.items() if name == candidate(device))


def choose(detector: Detector, config: TrainingConfig, steps: int, world: World) -> Precision:
    """The type that `config.mixed_precision` names; for "auto", the one in which this network is trained faster.

    The detector, its averages and gradients and torch's generators are afterwards as they were. All processes of a run
    come to the same answer; so do all runs of this process with the same network, batch and threads.

    Args:
        detector: on the run's device, laid out in memory as it is trained, and with what may not change frozen.
        config: of the run.
        steps: batches of the run, from which follows how much time may be spent.
        world: the processes that share a batch.
    """
    fast = candidate(world.device)
    if config.mixed_precision != "auto":
        return Precision(_ASKED[config.mixed_precision])
    if fast == "float32":
        return Precision(fast)
    share = max(1, config.batch_size // world.size)
    network = replace(detector.config, pretrained=None)  # which weights they are, does not matter
    key = (fast, str(world.device), torch.get_num_threads(), share, config.tune, network)
    if key not in _FOUND:
        seconds = _in_turns(detector, ("float32", fast), share, steps, world)
        # Where float32 has no room, both may be without end.
        name = fast if seconds[fast] <= _GAIN * seconds["float32"] else "float32"
        _FOUND[key] = Precision(name, seconds)
    return _FOUND[key]


@memory_kept()
def _in_turns(detector: Detector, names: tuple[str, str], share: int, steps: int, world: World) -> Seconds:
    """Seconds of a pass over `share` crops in each type: the least of a few rounds in which they take turns.

    The least, for whatever else the machine does meanwhile only ever adds. Where so many crops would take too long,
    they are fewer, and what they took is multiplied; never fewer than need be, for what half precision costs, turning
    all weights into it, does not go with the crops.
    """

    def pass_over(crops: int, name: str) -> float:
        # The slowest process is the one that all wait for; and all have to take the same decisions.
        each: list[float] = gather(world, _seconds_or_inf(detector, crops, DTYPES[name], world))
        return max(each)

    def rounds_of(crops: int) -> int:
        return int(budget / (2 * crops * a_crop))

    full, _ = names
    with rehearsal(detector):
        crops = min(2, share)
        a_crop = min(pass_over(crops, full) for _ in range(2)) / crops
        budget = min(max(_SECONDS, _SHARE * steps * a_crop * share), _MOST_SECONDS)
        # A GPU takes as long for two crops as for twenty, so that it has to be tried how many can be afforded.
        while rounds_of(share) < _LEAST_ROUNDS <= rounds_of(min(2 * crops, share)):
            crops *= 2
            a_crop = pass_over(crops, full) / crops
        if rounds_of(share) >= _LEAST_ROUNDS:
            crops = share
        rounds = min(max(_LEAST_ROUNDS, rounds_of(crops)), _ROUNDS)
        found = [{name: pass_over(crops, name) for name in names} for _ in range(rounds)]
    return {name: min(one[name] for one in found) * share / crops for name in names}


def _seconds_or_inf(detector: Detector, crops: int, dtype: torch.dtype | None, world: World) -> float:
    """As `seconds_of_pass`; infinity where the device has no room for it."""
    try:
        return seconds_of_pass(detector, crops, dtype)
    except torch.OutOfMemoryError:
        if world.size > 1:  # the others wait in the middle of a batch norm
            raise
    torch.cuda.empty_cache()
    return math.inf


@contextmanager
def rehearsal(detector: Detector) -> Iterator[None]:
    """Inside, the network may be passed through and back, as in training; afterwards it is as it was, bit for bit.

    So are torch's generators, which dropout draws from. Steps of an optimiser are not undone.
    """
    training, buffers = detector.training, [(buffer, buffer.clone()) for buffer in detector.buffers()]
    detector.train()
    try:
        with seeded(0, detector.device):
            yield
    finally:
        with torch.no_grad():
            for buffer, kept in buffers:  # the averages of batch norms, and how many batches they have met
                buffer.copy_(kept)
        detector.zero_grad(set_to_none=True)
        detector.train(training)


def seconds_of_pass(
    detector: Detector, crops: int, dtype: torch.dtype | None, clock: Callable[[], float] = time.perf_counter
) -> float:
    """Seconds of one way through the network and back, with so many crops of noise; to be called in `rehearsal`."""
    size, device = detector.preprocessing.size, detector.device
    images = torch.randn(crops, 3, size, size, device=device).contiguous(memory_format=torch.channels_last)

    def wait() -> None:
        if device.type == "cuda":  # which answers before it has computed
            torch.cuda.synchronize(device)

    detector.zero_grad(set_to_none=True)
    wait()
    start = clock()
    with autocast(device, dtype):
        logits = detector(images)
    loss = F.binary_cross_entropy_with_logits(logits.float(), torch.zeros(crops, device=device))
    torch.autograd.backward(loss)
    wait()
    return clock() - start


def autocast(device: torch.device, dtype: torch.dtype | None) -> torch.autocast:
    """Inside, the network computes in this type; None is float32."""
    return torch.autocast(device.type, dtype, enabled=dtype is not None)
