"""How a detector of whole films looks at one, and how it is trained. Imports nothing heavy."""

import math
from dataclasses import dataclass

from torchfakes_utils.errors import InputError
from torchfakes_utils.metrics.config import RATE, check_rate, check_replicates

# Heads on frozen features of face crops, and networks of whole frames, with no face cut out of them.
HEADS, WHOLE_FRAMES = ("gru", "attention", "correlation"), ("diff3d", "r2plus1d_18")
ARCHITECTURES = (*HEADS, *WHOLE_FRAMES)

# What the networks of this room look at, unless they were trained otherwise. Edge of a picture, pixels.
SIZES = {"gru": 112, "attention": 112, "correlation": 112, "diff3d": 64, "r2plus1d_18": 112}

# Windows of a clip that are judged at most: a long film is looked at in so many places.
WINDOWS = 16

# A detector may be a stranger's: within these bounds memory and time of what it asks for are bounded.
_SECONDS, _RATES, _SIZE, _TICKS = (0.2, 30.0), (1.0, 120.0), (16, 512), 256

# What may differ when a run is taken up again.
FREE_FIELDS = ("device", "checkpoint_minutes")


@dataclass(frozen=True)
class View:
    """What of a film a network is shown; stored with its weights, which mean nothing without.

    Attributes:
        seconds: of a window.
        rate: frames a second, whatever the film has; of FF++'s 25 every second one.
        size: edge of a picture, pixels.
        faces: a face is cut out; False is the whole frame, whatever its sides, brought to a square.
        wider: edge of a face's crop over that in `faces.csv`, so that the head has room to move.
    """

    seconds: float = 1.6
    rate: float = 12.5
    size: int = 112
    faces: bool = True
    wider: float = 1.15

    def __post_init__(self) -> None:
        """Refuse what no film could be shown by.

        Raises:
            InputError: a value out of range.
        """
        numbers = {"seconds": (self.seconds, *_SECONDS), "rate": (self.rate, *_RATES), "size": (self.size, *_SIZE),
                   "wider": (self.wider, 1.0, 4.0)}  # fmt: skip
        for name, (value, low, high) in numbers.items():
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
                raise InputError(f"a view of films whose {name} is {value!r}; give {low:g} to {high:g}")
        if not isinstance(self.size, int) or not isinstance(self.faces, bool):
            raise InputError("a view of films whose size is no whole number, or whose faces is neither true nor false")
        if not 4 <= self.ticks <= _TICKS:
            raise InputError(f"windows of {self.ticks} frames; seconds times rate has to be from 4 to {_TICKS}")

    @property
    def ticks(self) -> int:
        """Frames of a window."""
        return round(self.seconds * self.rate)


@dataclass(frozen=True)
class VideoConfig:
    """How to train a detector of whole films.

    Attributes:
        architecture: gru, attention or correlation: a small head on frozen features of face crops, for a CPU; diff3d: a
            small 3-D network of differences between whole frames, without faces, for a CPU; r2plus1d_18: torchvision's
            R(2+1)D-18 of whole frames, for a GPU.
        weights: of r2plus1d_18, a file such as torchvision's of Kinetics-400; None is random ones. The heads take
            EfficientNet-Lite0's of ImageNet, which come with the package.
        seconds: of a window; as short as the shortest clip. 1.6 holds a nod and fits into Mini-FF++'s clips.
        rate: frames a second, whatever the films have.
        size: edge of a picture, pixels; None is the architecture's usual.
        methods: train and validate on these manipulations only, beside the reals; None is all of the table.
        epochs: passes at most; the schedule is stretched over them.
        windows_per_clip: windows that are drawn of each training clip in a pass, each anywhere in it.
        batch_size: windows on the device at once.
        learning_rate: the peak of the one-cycle schedule. None is the architecture's usual.
        weight_decay: of AdamW.
        false_alarms, misses: shares of validation's real clips that may be called fake, and of its fakes that may be
            called real, by which the detector's thresholds are fixed; between them it cannot tell.
        seed: of everything random.
        device: "auto" takes a CUDA GPU where there is one.
        checkpoint_minutes: a run that is killed loses at most so much; it is also kept after every epoch.
    """

    architecture: str = "gru"
    weights: str | None = None
    seconds: float = 1.6
    rate: float = 12.5
    size: int | None = None
    methods: tuple[str, ...] | None = None
    epochs: int = 20
    windows_per_clip: int = 16
    batch_size: int = 64
    learning_rate: float | None = None
    weight_decay: float = 0.05
    false_alarms: float = RATE
    misses: float = RATE
    seed: int = 0
    device: str = "auto"
    checkpoint_minutes: float = 10.0

    def __post_init__(self) -> None:
        """Refuse what cannot work, by the name that the user knows it by.

        Raises:
            InputError: a value out of range.
        """
        if self.architecture not in ARCHITECTURES:
            raise InputError(
                f"no network for films is called {self.architecture!r}; there are {', '.join(ARCHITECTURES)}"
            )
        if self.weights is not None and self.architecture != "r2plus1d_18":
            raise InputError(f"--weights are for r2plus1d_18; {self.architecture} takes none")
        check_rate(self.false_alarms, "--false-alarms")
        check_rate(self.misses, "--misses")
        least = {"epochs": 1, "windows_per_clip": 1, "batch_size": 2, "seed": 0, "checkpoint_minutes": 0}
        for name, low in least.items():
            if not getattr(self, name) >= low:
                raise InputError(
                    f"training cannot use {name.replace('_', ' ')} {getattr(self, name)!r}; give {low} or more"
                )
        for name, value in (("learning_rate", self.learning_rate), ("weight_decay", self.weight_decay)):
            if value is not None and not 0 <= value < math.inf:
                raise InputError(f"training cannot use {name.replace('_', ' ')} {value!r}; give 0 or more")
        self.view  # noqa: B018 - it refuses what is out of range

    @property
    def view(self) -> View:
        """What of a film the network is shown."""
        size = SIZES[self.architecture] if self.size is None else self.size
        return View(self.seconds, self.rate, size, self.architecture in HEADS)


@dataclass(frozen=True)
class FilmEvaluationConfig:
    """What is measured.

    Attributes:
        split: which clips of the table.
        replicates: drawn data sets for every interval.
        device: "auto" takes a CUDA GPU where there is one.
    """

    split: str = "test"
    replicates: int = 2000
    device: str = "auto"

    def __post_init__(self) -> None:
        """Refuse what cannot be drawn.

        Raises:
            InputError: replicates out of range.
        """
        check_replicates(self.replicates, "--replicates")
