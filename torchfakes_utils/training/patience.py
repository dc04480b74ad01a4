"""How long runs would take on a processor, found out before they begin.

A recipe for a GPU takes days on a CPU, and nobody should learn that from a bar that does not move.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from torchfakes_utils.errors import InputError
from torchfakes_utils.io.machine import memory_kept
from torchfakes_utils.models.detector import Detector, DetectorConfig
from torchfakes_utils.models.preprocessing import Preprocessing
from torchfakes_utils.models.run_files import STATE_FILE
from torchfakes_utils.training.choice import choose_crops, epoch_size
from torchfakes_utils.training.config import TrainingConfig
from torchfakes_utils.training.data import seed_of, seeded
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
    """How long runs take, from passes that were timed.

    Attributes:
        seconds: of all runs, one after the other.
        a_batch: seconds of a pass over a batch.
        batches: of all runs.
        crops: in a pass that was timed, and `passes` of these.
        runs: how many.
    """

    seconds: float
    a_batch: float
    batches: int
    crops: int
    passes: int = _PASSES
    runs: int = 1

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


def ask_patience(
    faces: pd.DataFrame,
    preprocessing: Preprocessing,
    runs: Mapping[Path, TrainingConfig],
    world: World,
    most_hours: float | None,
    say: Callable[[str], object],
) -> None:
    """Say how long runs will take that begin alone on a CPU, if that is long; refuse them if it is too long.

    Args:
        faces: from `load_crops`, as `preprocessing`.
        runs: the configuration of each, by its folder; one that has begun goes on, and is not counted.
        world: where they are to be trained.
        most_hours: how long all of them together may take; None asks nobody.
        say: is told.

    Raises:
        InputError: they would take too long.
    """
    new = [config for out, config in runs.items() if not (out / STATE_FILE).exists()]
    if most_hours is None or not new or world.device.type != "cpu" or world.size > 1:
        return
    found = estimate(faces, preprocessing, new, world, say)
    if found is not None:
        check_patience(found, most_hours, str(world.device))
        say(f"{_these(found)} will take {found}")


@memory_kept()
def estimate(
    faces: pd.DataFrame,
    preprocessing: Preprocessing,
    runs: Sequence[TrainingConfig],
    world: World,
    say: Callable[[str], object] = lambda line: None,
    time_pass: Callable[..., float] = seconds_of_pass,
) -> Estimate | None:
    """How long runs would take on this machine's CPU; None where that is too short to be worth ten passes.

    The network is one of random weights, so that nothing has to be fetched; reading and changing crops, which other
    cores do meanwhile, and steps of the optimiser are not counted.

    Args:
        faces: from `load_crops`.
        preprocessing: as training would have it.
        runs: which may differ in the crops that they take.
        world: this process alone.
        say: is told when it begins to time, which may take a minute.
        time_pass: as `precision.seconds_of_pass`.

    Raises:
        InputError: as training would, what the table holds makes no run.
    """
    config = runs[0]
    with seeded(seed_of(config.seed, 3), world.device):
        asked = DetectorConfig(config.architecture, None, config.dropout, preprocessing)
        detector = Detector(asked).to(world.device).train()
    detector.tune(config.tune)
    batches, trained, validated = map(sum, zip(*(_work(faces, run) for run in runs), strict=True))
    amount = trained + _FORWARD * validated

    with rehearsal(detector):
        dtype = choose(detector, config, batches, world).dtype
        time_pass(detector, 2, dtype)  # the first time, kernels are made
        a_crop = time_pass(detector, 2, dtype) / 2
        if a_crop * amount < _SHORT_SECONDS:
            return None
        say(f"this will take a while on {world.device}: timing {_PASSES} passes to see how long")
        crops = min(max(2, int(_SECONDS / _PASSES / a_crop)), max(2, trained // batches))
        a_crop = sum(time_pass(detector, crops, dtype) for _ in range(_PASSES)) / _PASSES / crops
    return Estimate(a_crop * amount, a_crop * trained / batches, batches, crops, runs=len(runs))


def _work(faces: pd.DataFrame, config: TrainingConfig) -> tuple[int, int, int]:
    """Of a whole run: batches, crops in them, and crops that are looked at in validation."""
    train_faces, val_faces = choose_crops(faces, config)
    size = epoch_size(train_faces, config)
    batches = config.epochs * size.batches
    return batches, batches * size.batch_size, config.epochs * len(val_faces)


def check_patience(found: Estimate, most_hours: float, device: str) -> None:
    """Refuse what would take longer than anybody waits.

    Raises:
        InputError: it would take more than `most_hours`.
    """
    if found.seconds > 3600 * most_hours:
        raise InputError(
            f"{_these(found)} would take {found} on {device}, where nothing above {most_hours:g} hours begins unasked: "
            "take a GPU, --recipe cpu, fewer --epochs or a smaller --image-size, or start all the same with --anyway"
        )


def _these(found: Estimate) -> str:
    return "this run" if found.runs == 1 else f"these {found.runs} runs"
