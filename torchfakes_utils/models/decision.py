"""From a logit to an answer: fake, real, or "cannot tell". What is fixed on validation is kept here, with the weights.

Fixed once, and used by everything later, are the temperature that makes logits into probabilities, two thresholds
between which nothing is said (`metrics.band`), and what the crops of training looked like, to the eye and to the
network (`models.likeness`). A crop that looks otherwise, smaller, blurrier, darker than any seen in training, or unlike
them in what the network sees in it, gets no answer: the network was never asked such a question.
"""

import dataclasses
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from torchfakes_utils.io.tables import CLIP_KEY
from torchfakes_utils.io.values import checked_text, checked_texts, is_number, is_share
from torchfakes_utils.io.video import spread
from torchfakes_utils.metrics.band import FEWEST, Band, Rate, fit_band, upper_limit
from torchfakes_utils.metrics.binary import binary_metrics, by_clip
from torchfakes_utils.metrics.calibration import fit_temperature, fit_threshold, probability
from torchfakes_utils.metrics.config import FRAMES, RATE, check_rate
from torchfakes_utils.metrics.intervals import bootstrap_interval
from torchfakes_utils.metrics.people import units
from torchfakes_utils.models.scope import Scope

FAKE, REAL, CANNOT_TELL = "fake", "real", "cannot tell"

# Crops from which on somebody is judged by the mean, as in a film. One crop alone strays farther, and has a band of its
# own; of two or three the wider band is taken.
FEWEST_FRAMES = 4

# Of crops like those of training, the share that may be refused for their distance.
REFUSED = 0.05
# What the network sees in a crop, as a quality beside those that the eye can name.
DISTANCE = "distance"


@dataclass(frozen=True)
class Limit:
    """How a crop can lie out of the range of one quality."""

    below: str | None  # what is said of a crop with less of it than those of training have; None: nothing
    above: str | None  # the same of one with more
    slack: float = 1.25  # a range is widened by this beyond what training has seen, for nothing breaks just there
    unit: str = ""  # behind a number of it
    least: float = 0.0  # the upper end of a range is never below this, and it is where nothing is known of training


# Of each of `faces.quality.QUALITIES`, and of the distance. The first that holds is said: what is dark has few edges,
# too, and light is what would mend it.
LIMITS = {
    # Of a face that just fits into the picture, 7 to 17 % of the crop lie outside, of one without its lower fifth 23 to
    # 44 %, without its lower third 39 % and more (the face detector guesses what is not there).
    "outside": Limit(None, "cut off by the edge of the picture", unit=" %", least=20.0),
    "face": Limit("too small", None, unit=" px"),
    "brightness": Limit("too dark", "too bright"),
    "contrast": Limit("too little contrast", "too much contrast"),
    "sharpness": Limit("too blurred", "too noisy", slack=1.5),
    DISTANCE: Limit(None, "unlike the faces of its training"),
}

# The share of training crops at either end that is taken for accidents.
_TAIL = 0.005

# Of the bootstrap that asks whether validation beats chance, each time that an epoch is the best so far.
_REPLICATES = 2000


# Why a detector without a decision of its own, such as one of somebody else's, gives no verdict.
NOT_FIXED = (
    "its thresholds and temperature were never fixed on data, so that it gives scores and no verdicts; run "
    "`torchfakes calibrate` with a table of faces that you know"
)
NOT_SETTLED = "its run has not ended: thresholds are fixed on the few crops that it is validated on, and no distance is"
# How the notes begin that say why there is no verdict of a kind.
_NEVER_FAKE, _NEVER_REAL = "nothing is called fake", "nothing is called real"
OF_BEFORE = (
    "its decision was made by an older TorchFakes, with one threshold and no rates, so that it gives scores and no "
    "verdicts; run `torchfakes calibrate`, or train again"
)


def _ranges(given: object) -> dict[str, tuple[float | None, float | None]]:
    """Those of `LIMITS` among them, and those of which something is known without training.

    Raises:
        ValueError, TypeError: ends that are no numbers, or out of order.
    """
    if not isinstance(given, dict):
        raise TypeError("ranges that are none")
    ranges = {name: (None, limit.least) for name, limit in LIMITS.items() if limit.least}
    return ranges | {name: _range(ends, name) for name, ends in given.items() if name in LIMITS}


def _range(ends: object, name: str) -> tuple[float | None, float | None]:
    if not isinstance(ends, (list, tuple)) or len(ends) != 2:
        raise TypeError(f"a range of {name} that has no two ends")
    if not all(end is None or is_number(end) for end in ends):
        raise ValueError(f"a range of {name} whose ends are no numbers")
    low, high = ends
    if low is not None and high is not None and low > high:
        raise ValueError(f"a range of {name} whose ends are out of order")
    return low, high


@dataclass(frozen=True)
class Decision:
    """How a detector's logits become answers; stored in its checkpoint.

    Attributes:
        threshold: a face or clip whose P(fake) is this high or higher is called fake where an answer is forced, as
            measurements of right and wrong do.
        temperature: P(fake) is sigmoid(logit / temperature).
        ranges: {quality: (low, high)} of `LIMITS`, within which an answer is given; an end may be None, and missing
            ones are not looked at, but for those of which something is known without training.
        notes: what has to be known about how they came about, a line each.
        caution: why no answer should be trusted; "" where validation says nothing against the detector.
        photo, film: from where on a score is called fake, up to where real: of one crop, and of the mean of several.
        false_alarms, misses: the shares of reals called fake, and of fakes called real, that these keep to.
        scope: what it was trained on.
        likeness: SHA-256 of the file by which distances are measured; "" where there is none.
    """

    threshold: float = 0.5
    temperature: float = 1.0
    ranges: dict[str, tuple[float | None, float | None]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    caution: str = ""
    photo: Band = field(default_factory=Band)
    film: Band = field(default_factory=Band)
    false_alarms: float = RATE
    misses: float = RATE
    scope: Scope = field(default_factory=Scope)
    likeness: str = ""

    def __post_init__(self) -> None:
        """Refuse what no answer can be made with; JSON knows lists and dictionaries only.

        Raises:
            ValueError, TypeError: a threshold outside [0, 1], a temperature that is not positive, ends of ranges that
                are no numbers or out of order, notes that are no texts, bands or a scope that are none.
            InputError: rates that are none.
        """
        if not is_share(self.threshold):
            raise ValueError("a threshold that is no number from 0 to 1")
        if not is_number(self.temperature, low=sys.float_info.min):
            raise ValueError("a temperature that is no number above 0")
        checked_text(self.caution, "a caution")
        if not re.fullmatch("([0-9a-f]{64})?", checked_text(self.likeness, "a likeness")):
            raise ValueError("a likeness that is no SHA-256")
        check_rate(self.false_alarms, "false_alarms")
        check_rate(self.misses, "misses")
        object.__setattr__(self, "ranges", _ranges(self.ranges))
        object.__setattr__(self, "notes", checked_texts(self.notes, "notes"))
        for name, kind in (("photo", Band), ("film", Band), ("scope", Scope)):
            if isinstance(value := getattr(self, name), kind):
                continue
            if not isinstance(value, dict):
                raise TypeError(f"a decision whose {name} is none")
            object.__setattr__(self, name, kind(**value))

    @property
    def cautions(self) -> tuple[str, ...]:
        """The caution as a note, to be put beside others; none where there is nothing to say."""
        return (f"caution: {self.caution}",) if self.caution else ()

    @property
    def is_fixed(self) -> bool:
        """Whether anything of it was fixed on data."""
        return dataclasses.replace(self, caution="", scope=Scope()) != Decision()

    def cautioned(self, why: str) -> "Decision":
        """The same, with one more reason not to trust an answer, said first."""
        return dataclasses.replace(self, caution="; ".join(filter(None, (why, self.caution))))

    def probability(self, logits: Sequence[float] | np.ndarray) -> np.ndarray:
        """P(fake) of logits (N,), float64."""
        return probability(logits, self.temperature)

    def band(self, frames: int) -> Band:
        """The band for somebody who is seen in so many usable frames; one in which nothing lies, for who is silent."""
        if self.silence:
            return Band()
        return self.film if frames >= FEWEST_FRAMES else self.photo

    @property
    def silence(self) -> str:
        """Why no verdict is ever given, and what to do; "" where one may be."""
        if NOT_SETTLED in self.notes:
            return f"{NOT_SETTLED}; run the same `torchfakes train` again to finish it"
        if self.scope.practice and not (self.likeness and self.ranges.get(DISTANCE, (None, None))[1] is not None):
            return (
                "a practice detector, which has no measure of what belongs to its data; train it again in a new folder"
            )
        if not any(band.fake_from or band.real_to is not None for band in (self.photo, self.film)):
            # What an older program has noted of its decision is not why this one gives no verdict.
            if OF_BEFORE in self.caution:
                return OF_BEFORE
            why = [note for note in self.notes if note.startswith((_NEVER_FAKE, _NEVER_REAL))]
            return "; ".join([*why, "more people in validation are needed"]) if why else self.caution or NOT_FIXED
        return ""

    @property
    def meaning(self) -> str:
        """What a verdict means, in one sentence: the same wherever one is given."""
        return (
            "A verdict compares a face with clips that this detector was checked on, of whose real ones at most "
            f"{_percent(self.false_alarms)} are called fake and of whose fakes at most {_percent(self.misses)} real, "
            "and says nothing where that cannot be kept; how likely this very file is a forgery, it does not say."
        )

    def rate(self, verdict: str, band: Band) -> str:
        """How often such a verdict was wrong, or "" where none is given or nothing is known."""
        if verdict == FAKE:
            return _counted(band.false_alarms, REAL, FAKE) if band.false_alarms else _UNCOUNTED
        if verdict == REAL:
            return _counted(band.misses, FAKE, REAL) if band.misses else _UNCOUNTED
        return ""

    def outside(self, qualities: Mapping[str, float]) -> str:
        """Why a crop gets no answer, or "" for one that does.

        Args:
            qualities: of `LIMITS`, as many as are known; NaN is not known. A distance that was measured, and is no
                number, is infinite.

        Returns:
            Such as "too small (face 31; 70 px or more in training)".
        """
        for name, limit in LIMITS.items():
            value = qualities.get(name, np.nan)
            if name == DISTANCE and np.isinf(value):
                return f"{limit.above} (its {name} is no number)"
            if name not in self.ranges or not np.isfinite(value):
                continue
            low, high = self.ranges[name]
            if low is not None and value < low:
                return f"{limit.below} ({name} {_apart(value, low)}{limit.unit} or more wanted)"
            if high is not None and value > high:
                return f"{limit.above} ({name} {_apart(value, high)}{limit.unit} or less wanted)"
        return ""


# Where a band rests on people too few to be left out one by one.
_UNCOUNTED = "how often that is wrong was not counted: too few people in validation"


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def _counted(rate: Rate, kind: str, called: str) -> str:
    people = f"{rate.people} {'person' if rate.people == 1 else 'people or pairs'}"
    ends = f"{_percent(round(rate.low, 3))} to {_percent(round(rate.high, 3))}"
    wrong = f"{rate.wrong} {'was' if rate.wrong == 1 else 'were'} called {called}"
    return f"of {rate.clips} {kind} validation clips ({people}) {wrong} (95 % interval {ends})"


def _apart(value: float, end: float) -> str:
    """A value and an end that it lies beyond, with as many digits as show that it does: "92; 93", "92.2; 92.4"."""
    digits = next((digits for digits in range(6) if f"{value:.{digits}f}" != f"{end:.{digits}f}"), None)
    return f"{value!r}; {end!r}" if digits is None else f"{value:.{digits}f}; {end:.{digits}f}"


@dataclass(frozen=True)
class Rates:
    """How often a verdict may be wrong.

    Attributes:
        false_alarms: share of real clips that may be called fake, in (0, 1).
        misses: share of fakes that may be called real.
    """

    false_alarms: float = RATE
    misses: float = RATE


USUAL_RATES = Rates()


def decide(
    validation: pd.DataFrame,
    qualities: pd.DataFrame | None = None,
    rates: Rates = USUAL_RATES,
    scope: Scope | None = None,
) -> Decision:
    """Fix temperature and thresholds on validation scores, and the ranges on training crops.

    The temperature is fitted on crops. Films are judged by the mean of at most `FRAMES` of their crops, photos by one,
    and each gets its own band from scores that were made so. Crops that would get no answer count nowhere: `predict`
    leaves them out, too.

    Args:
        validation: a row a crop, with `CLIP_KEY`, `label` and `logit`, people where they are known (`people.units`),
            `frame` where a clip has many, `distance` where there is a likeness, and other columns of `LIMITS` where
            they were measured.
        qualities: of the training crops, columns of `LIMITS`; None looks at none.
        rates: what the bands keep to.
        scope: what the detector was trained on; None where it is not known.

    Raises:
        InputError: scores that are not finite.
    """
    validation = _spread(validation)
    ranges = {} if qualities is None else seen_ranges(qualities)
    if DISTANCE in validation and (limit := farthest(validation)) is not None:
        ranges[DISTANCE] = limit
    validation = validation[_within(ranges, validation)]
    temperature, why_not_fitted = fit_temperature(validation["label"], validation["logit"])
    crops = validation.assign(probability_fake=probability(validation["logit"], temperature))
    clips = by_clip(crops)
    threshold, why_not_chosen = fit_threshold(clips["label"], clips["probability_fake"])
    wanted = rates.false_alarms, rates.misses
    photo, film = (fit_band(scores, threshold, *wanted) for scores in (crops, clips))
    whys = {"temperature 1": why_not_fitted, "threshold 0.5": why_not_chosen} | _why_silent(film)
    notes = tuple(f"{kept}: {why}" for kept, why in whys.items() if why is not None)
    return Decision(threshold, temperature, ranges, notes, _caution(clips), photo, film, *wanted, scope or Scope())


def _within(ranges: dict[str, tuple[float | None, float | None]], crops: pd.DataFrame) -> np.ndarray:
    """(N,) bool: which crops get an answer; what is not known of one is not looked at."""
    known = crops.reindex(columns=[name for name in LIMITS if name in crops]).apply(pd.to_numeric, errors="coerce")
    decision = Decision(ranges=ranges)
    return np.array([not decision.outside(row) for row in known.to_dict("records")], dtype=bool)


def farthest(validation: pd.DataFrame) -> tuple[None, float] | None:
    """The range of distances: beyond it lies a crop of a new person, of data like these, with `REFUSED` at most.

    Args:
        validation: as for `decide`, with `distance`.

    Returns:
        None where the distances of fewer than two people are known.
    """
    known = _spread(validation).dropna(subset=[DISTANCE])
    limit = float(upper_limit(np.log(known[DISTANCE].clip(1e-9).to_numpy()), units(known), np.array([REFUSED]))[0])
    return (None, float(np.exp(limit))) if np.isfinite(limit) else None


def _spread(crops: pd.DataFrame) -> pd.DataFrame:
    """At most `FRAMES` crops of a clip, evenly spread, as a film is judged."""
    if "frame" not in crops:
        return crops
    ordered = crops.sort_values([*CLIP_KEY, "frame"], kind="stable")
    places = ordered.groupby(CLIP_KEY, sort=False).indices.values()
    kept = np.concatenate([own[spread(FRAMES, len(own))] for own in places]) if len(crops) else slice(0)
    return ordered.iloc[kept]


def _why_silent(band: Band) -> dict[str, str | None]:
    """Why nothing is called fake, or real."""
    why = f"validation shows fewer than {FEWEST} people in "
    return {
        _NEVER_FAKE: None if band.fake_from else f"{why}real clips",
        _NEVER_REAL: f"{why}fakes" if band.real_to is None else None,
    }


def _caution(clips: pd.DataFrame) -> str:
    """What the validation clips, a row each, say against the detector as a whole.

    The best epoch was chosen on them, which flatters it: one that has learned nothing may pass without a caution. A
    caution forbids no verdict: it stands first beside each, and what the bands keep to holds as it does without.
    """
    interval = bootstrap_interval(clips, "auc", _REPLICATES)
    if interval is None:
        few = "clips" if clips["label"].value_counts().reindex([0, 1], fill_value=0).min() < 2 else "people"
        return (
            f"whether this detector tells fake from real is not known: validation has fewer than two {few} of a class"
        )
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
