"""How long a run would take on a processor, found out before it begins.

A recipe for a GPU takes days on a CPU, and nobody should learn that from a bar that does not move.
"""

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from torchfakes_utils.errors import InputError
from torchfakes_utils.io.machine import memory_kept
from torchfakes_utils.models.detector import Detector, DetectorConfig
from torchfakes_utils.models.preprocessing import Preprocessing
from torchfakes_utils.training.config import TrainingConfig
from torchfakes_utils.training.data import choose_crops, epoch_size, seed_of, seeded
from torchfakes_utils.training.distributed import World
from torchfakes_utils.training.precision import choose, rehearsal, seconds_of_pass

# Above so many hours the command asks to be told again that this is meant.
MOST_HOURS = 4.0

# Passes that are timed, and the seconds that all of them may take: with fewer crops, where a batch takes long.
_PASSES, _SECONDS = 10, 30.0
# Below this, by a first pass over two crops, a run is short enough not to be timed.
_SHORT_SECONDS = 600.0
# A crop is validated in about a third of what it takes to train on it: there is no way back (Kaplan et al., Scaling
# Laws for Neural Language Models, 2020, section 2.1).
_FORWARD = 1 / 3


@dataclass(frozen=True)
class Estimate:
    """How long a run takes, from passes that were timed.

    Attributes:
        seconds: of the whole run.
        a_batch: seconds of a pass over a batch.
        batches: of the run.
        crops: in a pass that was timed, and `passes` of these.
    """

    seconds: float
    a_batch: float
    batches: int
    crops: int
    passes: int = _PASSES

    def __str__(self) -> str:
        timed = f"{self.passes} passes over {self.crops} crops timed"
        batches = f"{self.batches:,} batches of {_few(self.a_batch)} s each, and validation"
        return f"about {duration(self.seconds)}: {batches} ({timed})"


def _few(number: float) -> str:
    return f"{number:.0f}" if number >= 10 else f"{number:.2g}"


def duration(seconds: float) -> str:
    """In the unit in which people think of it."""
    for unit, length, below in (("seconds", 1, 90), ("minutes", 60, 90), ("hours", 3600, 48)):
        if seconds < below * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds / 86400:.0f} days"


@memory_kept()
def estimate(
    faces: pd.DataFrame,
    preprocessing: Preprocessing,
    config: TrainingConfig,
    world: World,
    say: Callable[[str], object] = lambda line: None,
    time_pass: Callable[..., float] = seconds_of_pass,
) -> Estimate | None:
    """How long a run would take on this machine's CPU; None where it is too short to be worth ten passes.

    The network is one of random weights, so that nothing has to be fetched; reading and changing crops, which other
    cores do meanwhile, and steps of the optimiser are not counted.

    Args:
        faces: from `load_crops`.
        preprocessing: as training would have it.
        config: of the run.
        world: this process alone.
        say: is told when it begins to time, which may take a minute.
        time_pass: as `precision.seconds_of_pass`.

    Raises:
        InputError: as training would, what the table holds makes no run.
    """
    with seeded(seed_of(config.seed, 3), world.device):
        asked = DetectorConfig(config.architecture, None, config.dropout, preprocessing)
        detector = Detector(asked).to(world.device).train()
    detector.tune(config.tune)
    train_faces, val_faces = choose_crops(faces, config)
    size = epoch_size(train_faces, config)
    batches = config.epochs * size.batches
    amount = batches * size.batch_size + _FORWARD * config.epochs * len(val_faces)  # in crops that are trained on

    with rehearsal(detector):
        dtype = choose(detector, config, batches, world).dtype
        time_pass(detector, 2, dtype)  # the first time, kernels are made
        a_crop = time_pass(detector, 2, dtype) / 2
        if a_crop * amount < _SHORT_SECONDS:
            return None
        say(f"this will take a while on {world.device}: timing {_PASSES} passes to see how long")
        crops = min(max(2, int(_SECONDS / _PASSES / a_crop)), size.batch_size)
        a_crop = sum(time_pass(detector, crops, dtype) for _ in range(_PASSES)) / _PASSES / crops
    return Estimate(a_crop * amount, a_crop * size.batch_size, batches, crops)


def check_patience(found: Estimate, most_hours: float, device: str) -> None:
    """Refuse a run that would take longer than anybody waits.

    Raises:
        InputError: it would take more than `most_hours`.
    """
    if found.seconds > 3600 * most_hours:
        raise InputError(
            f"this run would take {found} on {device}; take a GPU, --recipe cpu, fewer --epochs or a smaller "
            "--image-size, or start it all the same with --anyway"
        )
