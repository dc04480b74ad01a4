"""What is measured of a detector, and how. Imports nothing heavy."""

from dataclasses import dataclass, field
from pathlib import Path

from torchfakes_utils.errors import check_counts
from torchfakes_utils.metrics.config import MOST_REPLICATES, REPLICATES, check_replicates


@dataclass(frozen=True)
class Scoring:
    """How crops are scored.

    Attributes:
        batch: crops at a time; the scores do not depend on it.
        device: auto, cpu, cuda, …
        frames: crops of a clip at most, spread evenly over it; None is all.
        progress: show a bar on a terminal.
    """

    batch: int = 64
    device: str = "auto"
    frames: int | None = None
    progress: bool = False

    def __post_init__(self) -> None:
        check_counts(self, "batch", "frames")


@dataclass(frozen=True)
class RobustnessConfig:
    """How robustness is measured.

    Attributes:
        perturbations: measure robustness against these alone, of jpeg, h264, rescale, blur, noise, brightness and
            shift; None is all.
        strengths: of each one, so many of its five, spread evenly; the harshest is always among them.
        frames: crops of a clip that are changed and scored, spread evenly over it; with five strengths there are 36
            passes over them.
        replicates: of the bootstrap behind the intervals.
        seed: of noise and of the directions of shifts.
    """

    perturbations: tuple[str, ...] | None = None
    strengths: int = 5
    frames: int = 4
    replicates: int = REPLICATES
    seed: int = 0

    def __post_init__(self) -> None:
        check_counts(self, "frames")
        check_counts(self, "strengths", most=5)
        check_counts(self, "replicates", most=MOST_REPLICATES)
        check_replicates(self.replicates, "replicates", 2)


@dataclass(frozen=True)
class StabilityConfig:
    """How it is measured whether answers are steady.

    Attributes:
        frames: of each clip that are taken as photos, spread evenly over those that the table names; each is judged ten
            times.
    """

    frames: int = 1

    def __post_init__(self) -> None:
        check_counts(self, "frames")


@dataclass(frozen=True)
class OwnBoxesConfig:
    """How many films are searched as `predict` searches them.

    Attributes:
        clips: search the films of so many clips at most, evenly over labels and manipulations; one of ten seconds takes
            half a second on two cores, and FaceForensics++ has thousands.
    """

    clips: int = 120

    def __post_init__(self) -> None:
        check_counts(self, "clips")


@dataclass(frozen=True)
class EvaluationConfig:
    """What is measured.

    Attributes:
        split: which rows of faces.csv.
        scoring: how crops are scored.
        replicates: of the bootstrap behind the intervals.
        scores: a scores.csv of this detector and these crops, instead of scoring them again.
        seeds: a further run of the same recipe: the mean over all of them, and how far they lie apart.
        against: a run, or several of one recipe, to compare with on the same clips.
        cross: a faces.csv of another data set, to measure on, too.
        perturb: measure how the detector bears what happens to films: compression, scaling, blur, noise, …
        robustness: how that is measured.
        own_boxes: measure some clips also as `predict` sees their films, with each face found in its own film; in the
            table a fake is cut where its original's face is. Only where the films are found.
        boxes: how many that are.
        stability: measure how many verdicts turn when a photo (a frame of each film) is resized, shifted, mirrored or
            saved again.
        steadiness: how that is measured.
        films: the data set's folder, with clips.csv and films, which own boxes, photos and compressed films need; None
            is that of the table, or the one above it.
    """

    split: str = "test"
    scoring: Scoring = field(default_factory=Scoring)
    replicates: int = REPLICATES
    scores: Path | None = None
    seeds: tuple[Path, ...] = ()
    against: tuple[Path, ...] = ()
    cross: tuple[Path, ...] = ()
    perturb: bool = False
    robustness: RobustnessConfig = field(default_factory=RobustnessConfig)
    own_boxes: bool = True
    boxes: OwnBoxesConfig = field(default_factory=OwnBoxesConfig)
    stability: bool = False
    steadiness: StabilityConfig = field(default_factory=StabilityConfig)
    films: Path | None = None

    def __post_init__(self) -> None:
        check_counts(self, "replicates", most=MOST_REPLICATES)
        check_replicates(self.replicates, "replicates", 2)
