"""From a logit to an answer: fake, real, or "cannot tell". What is fixed on validation is kept here, with the weights.

Three things are fixed once and used by everything later: the temperature that makes logits into probabilities, the
threshold from which a score is called fake, and what the crops of training looked like. A crop that looks otherwise,
smaller, blurrier, darker than any seen in training, gets no answer: the network was never asked such a question.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from torchfakes_utils.metrics.binary import binary_metrics, by_clip
from torchfakes_utils.metrics.calibration import fit_temperature, fit_threshold, probability
from torchfakes_utils.metrics.intervals import bootstrap_interval


@dataclass(frozen=True)
class Limit:
    """How a crop can lie out of the range of one quality."""

    below: str | None  # what is said of a crop with less of it than those of training have; None: nothing
    above: str | None  # the same of one with more
    slack: float = 1.25  # a range is widened by this beyond what training has seen, for nothing breaks just there
    unit: str = ""  # behind a number of it
    least: float = 0.0  # the upper end of a range is never below this, and it is where nothing is known of training


# Of each of `faces.quality.QUALITIES`. The first that holds is said: what is dark has few edges, too, and light is what
# would mend it.
LIMITS = {
    # Of a face that just fits into the picture, 7 to 17 % of the crop lie outside, of one without its lower fifth 23 to
    # 44 %, without its lower third 39 % and more (the face detector guesses what is not there).
    "outside": Limit(None, "cut off by the edge of the picture", unit=" %", least=20.0),
    "face": Limit("too small", None, unit=" px"),
    "brightness": Limit("too dark", "too bright"),
    "contrast": Limit("too little contrast", "too much contrast"),
    "sharpness": Limit("too blurred", "too noisy", slack=1.5),
}

# The share of training crops at either end that is taken for accidents.
_TAIL = 0.005

# Of the bootstrap that asks whether validation beats chance, each time that an epoch is the best so far.
_REPLICATES = 2000


# Why no answer should be trusted of a detector without a decision of its own, such as one of somebody else's.
NOT_FIXED = (
    "its threshold and temperature were never fixed on data: 0.5 is a convention, and no crop is refused for "
    "being unlike those of its training; run `torchfakes calibrate` with a table of faces that you know"
)


@dataclass(frozen=True)
class Decision:
    """How a detector's logits become answers; stored in its checkpoint.

    Attributes:
        threshold: a face or clip whose P(fake) is this high or higher is called fake.
        temperature: P(fake) is sigmoid(logit / temperature).
        ranges: {quality: (low, high)} of `LIMITS`, within which an answer is given; an end may be None, and missing
            ones are not looked at, but for those of which something is known without training.
        notes: what has to be known about how they came about, a line each.
        caution: why no answer should be trusted; "" where validation says nothing against the detector.
    """

    threshold: float = 0.5
    temperature: float = 1.0
    ranges: dict[str, tuple[float | None, float | None]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    caution: str = ""

    def __post_init__(self) -> None:
        """Refuse what no answer can be made with; JSON knows lists only.

        Raises:
            ValueError, TypeError, AttributeError: a threshold outside [0, 1], a temperature that is not positive, ends
                of ranges that are no numbers, notes that are no texts.
        """
        if not (0 <= self.threshold <= 1 and 0 < self.temperature < np.inf):
            raise ValueError(f"threshold {self.threshold}, temperature {self.temperature}")
        usual = {name: (None, limit.least) for name, limit in LIMITS.items() if limit.least}
        ranges = {name: (low, high) for name, (low, high) in (usual | self.ranges).items() if name in LIMITS}
        ends = [end for both in ranges.values() for end in both if end is not None]
        if not all(isinstance(end, (int, float)) and np.isfinite(end) for end in ends):
            raise ValueError("ranges whose ends are no numbers")
        if not all(isinstance(text, str) for text in (self.caution, *self.notes)):
            raise ValueError("notes that are no texts")
        object.__setattr__(self, "ranges", ranges)
        object.__setattr__(self, "notes", tuple(self.notes))

    @property
    def cautions(self) -> tuple[str, ...]:
        """The caution as a note, to be put beside others; none where there is nothing to say."""
        return (f"caution: {self.caution}",) if self.caution else ()

    @property
    def is_fixed(self) -> bool:
        """Whether anything of it was fixed on data."""
        return dataclasses.replace(self, caution="") != Decision()

    def cautioned(self, why: str) -> "Decision":
        """The same, with one more reason not to trust an answer, said first."""
        return dataclasses.replace(self, caution="; ".join(filter(None, (why, self.caution))))

    def probability(self, logits: Sequence[float] | np.ndarray) -> np.ndarray:
        """P(fake) of logits (N,), float64."""
        return probability(logits, self.temperature)

    def outside(self, qualities: Mapping[str, float]) -> str:
        """Why a crop gets no answer, or "" for one that does.

        Args:
            qualities: of `LIMITS`, as many as are known; NaN is not known.

        Returns:
            Such as "too small (face 31; 70 px or more in training)".
        """
        for name, limit in LIMITS.items():
            if name not in self.ranges or not np.isfinite(value := qualities.get(name, np.nan)):
                continue
            low, high = self.ranges[name]
            if low is not None and value < low:
                return f"{limit.below} ({name} {_apart(value, low)}{limit.unit} or more wanted)"
            if high is not None and value > high:
                return f"{limit.above} ({name} {_apart(value, high)}{limit.unit} or less wanted)"
        return ""


def _apart(value: float, end: float) -> str:
    """A value and an end that it lies beyond, with as many digits as show that it does: "92; 93", "92.2; 92.4"."""
    digits = next((digits for digits in range(6) if f"{value:.{digits}f}" != f"{end:.{digits}f}"), None)
    return f"{value!r}; {end!r}" if digits is None else f"{value:.{digits}f}; {end:.{digits}f}"


def decide(validation: pd.DataFrame, qualities: pd.DataFrame | None = None) -> Decision:
    """Fix temperature and threshold on validation scores, and the ranges on training crops.

    The temperature is fitted on crops, then the threshold on clips, scored by the mean of their crops.

    Args:
        validation: a row a crop, with `CLIP_KEY`, `label` and `logit`.
        qualities: of the training crops, columns of `LIMITS`; None looks at none.

    Raises:
        InputError: scores that are not finite.
    """
    temperature, why_not_fitted = fit_temperature(validation["label"], validation["logit"])
    clips = by_clip(validation.assign(probability_fake=probability(validation["logit"], temperature)))
    threshold, why_not_chosen = fit_threshold(clips["label"], clips["probability_fake"])
    whys = {"temperature 1": why_not_fitted, "threshold 0.5": why_not_chosen}
    notes = tuple(f"{kept}: {why}" for kept, why in whys.items() if why is not None)
    ranges = {} if qualities is None else seen_ranges(qualities)
    return Decision(threshold, temperature, ranges, notes, _caution(clips))


def _caution(clips: pd.DataFrame) -> str:
    """What the validation clips, a row each, say against the detector as a whole.

    The best epoch was chosen on them, which flatters it: of one that has learned nothing, nothing may be said, too.
    """
    interval = bootstrap_interval(clips, "auc", _REPLICATES)
    if interval is None:
        return "whether this detector tells fake from real is not known: validation has fewer than two clips of a class"
    if interval[0] > 0.5:
        return ""
    auc = binary_metrics(clips["label"], clips["probability_fake"])["auc"]
    return (
        f"on validation this detector is not known to do better than a coin: AUC by clip {auc:.2f}, 95 % interval "
        f"{interval[0]:.2f} to {interval[1]:.2f}"
    )


def seen_ranges(qualities: pd.DataFrame) -> dict[str, tuple[float | None, float | None]]:
    """The ranges within which training crops, a row each, lay, but for half a per cent at either end, widened a bit."""
    ranges = {}
    for name, limit in LIMITS.items():
        if name in qualities and len(known := qualities[name].dropna()):
            low, high = np.quantile(known, [_TAIL, 1 - _TAIL])
            lowest = float(low / limit.slack) if limit.below else None
            ranges[name] = lowest, max(limit.least, float(high * limit.slack)) if limit.above else None
    return ranges
