"""Two thresholds instead of one: from where on a score is called fake, up to where real, and nothing in between.

A single threshold answers always, and says nothing of how often it is wrong. Here the rates are chosen (of real clips,
how many may be called fake; of fakes, how many real), and validation says which scores keep to them. The fewer people
it shows, the wider the band between.

- Where there are people enough, a limit is one of their own scores: of K people, a score of a new one lies beyond it
  with the chosen probability, whatever the distribution of scores (hierarchical conformal prediction: Lee, Barber and
  Willett, Distribution-free inference with hierarchical data, JRSS B 2025; with one clip a person it is split conformal
  prediction: Papadopoulos et al., Inductive confidence machines for regression, ECML 2002).
- A rate below 1 / (K + 1) is beyond what K people can show. Then the limit is the farther one of two guesses at the
  tail: where Student's t puts a new score of normal log-odds (Geisser, Predictive Inference, 1993: mean + t s
  sqrt(1 + 1/K)), and where a tail falls that is exponential from the median on (Davison and Smith, Models for
  exceedances over high thresholds, JRSS B 1990). `tests/metrics/test_band.py` shows what they keep to.
- Of m faces in a file, each honest one is another chance of a false alarm. For the file the rate is shared among them
  (Bonferroni), which holds however they depend on each other.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit
from scipy.stats import beta, t

from torchfakes_utils.io.values import is_count, is_share
from torchfakes_utils.metrics.calibration import log_odds
from torchfakes_utils.metrics.config import RATE
from torchfakes_utils.metrics.people import units

# Faces of a file for which a limit is kept; of more, the last one holds.
MOST_FACES = 32
# People, at least, before anything can be said of a class: of one there is no spread.
FEWEST = 2
# Parts that people are dealt into, to count errors on those that a limit was not fixed on.
_FOLDS = 20


@dataclass(frozen=True)
class Rate:
    """How many clips of a class get a wrong answer, counted on people that the band was not fixed on.

    Attributes:
        share: of clips, the mean over people.
        low, high: its 95 % interval, exact for so many people (Clopper and Pearson, Biometrika 1934).
        wrong, clips, people: clips with a wrong answer, all clips of the class, and the people in them.
    """

    share: float
    low: float
    high: float
    wrong: int
    clips: int
    people: int

    def __post_init__(self) -> None:
        """Refuse what cannot be printed beside a verdict.

        Raises:
            ValueError: shares outside of [0, 1], an interval that is none, or counts that are no whole numbers from 0
                on.
        """
        if not all(map(is_share, (self.share, self.low, self.high))) or self.low > self.high:
            raise ValueError("a rate whose shares are none, or out of order")
        if not all(map(is_count, (self.wrong, self.clips, self.people))) or self.wrong > self.clips:
            raise ValueError("a rate of clips or people that are not counted")


def _rate_of(value: object, name: str) -> Rate | None:
    """What a band has under this name, also as JSON has it.

    Raises:
        ValueError, TypeError: it is no rate.
    """
    if value is None or isinstance(value, Rate):
        return value
    if not isinstance(value, dict):
        raise TypeError(f"a band whose {name} are no rate")
    return Rate(**value)


@dataclass(frozen=True)
class Band:
    """From where on a score is called fake, and up to where real.

    Attributes:
        fake_from: (M,) P(fake) from which somebody is called fake who is one of 1, 2, … M faces that are looked at;
            empty where nobody is.
        real_to: P(fake) up to which somebody is called real; None where nobody is.
        false_alarms: reals that are called fake; None where it is not known.
        misses: fakes that are called real; None where it is not known.
        silent_real, silent_fake: shares of either class that get no answer.
    """

    fake_from: tuple[float, ...] = ()
    real_to: float | None = None
    false_alarms: Rate | None = None
    misses: Rate | None = None
    silent_real: float | None = None
    silent_fake: float | None = None

    def __post_init__(self) -> None:
        """Refuse what orders no scores; JSON knows lists and dictionaries only.

        Raises:
            ValueError, TypeError: ends that are no probabilities, that are more than there are limits for, that fall
                with the faces, or that cross; rates and shares that are none.
        """
        if not isinstance(self.fake_from, (list, tuple)) or len(self.fake_from) > MOST_FACES:
            raise TypeError(f"a band whose fake_from is no list of {MOST_FACES} limits at most")
        known = [end for end in (*self.fake_from, self.real_to) if end is not None]
        if None in self.fake_from or not all(map(is_share, known)):
            raise ValueError("ends of a band that are no probabilities")
        ends = tuple(float(end) for end in self.fake_from)
        if list(ends) != sorted(ends) or (ends and self.real_to is not None and self.real_to >= ends[0]):
            raise ValueError("ends of a band that are out of order")
        if not all(share is None or is_share(share) for share in (self.silent_real, self.silent_fake)):
            raise ValueError("a band with shares that are none")
        object.__setattr__(self, "fake_from", ends)
        for name in ("false_alarms", "misses"):
            object.__setattr__(self, name, _rate_of(getattr(self, name), name))

    def from_of(self, faces: int = 1) -> float:
        """P(fake) from which one of so many faces is called fake; infinite where none is."""
        return self.fake_from[min(faces, len(self.fake_from)) - 1] if self.fake_from else np.inf

    def answers(self, scores: np.ndarray, faces: int = 1) -> np.ndarray:
        """1 for fake, 0 for real and NaN for neither, of P(fake) (N,) of people in files of so many faces each."""
        below = -np.inf if self.real_to is None else self.real_to
        answers: np.ndarray = np.where(scores >= self.from_of(faces), 1.0, np.where(scores <= below, 0.0, np.nan))
        return answers


def fit_band(scores: pd.DataFrame, middle: float, false_alarms: float = RATE, misses: float = RATE) -> Band:
    """The band of validation scores.

    Args:
        scores: a row a clip (or a crop, where crops are to be judged by themselves), with `CLIP_KEY`, `label`,
            `probability_fake`, and people where they are known, see `people.units`.
        middle: a threshold between the classes, which is taken where both rates are kept without any band.
        false_alarms, misses: shares in (0, 1) of reals called fake, and of fakes called real, at most.
    """
    sides = _Side.of(scores, 0), _Side.of(scores, 1)
    ends = _ends(sides, middle, false_alarms, misses)
    band = Band(*ends)
    alarms, silent_real = _counted(sides, middle, false_alarms, misses, 0)
    missed, silent_fake = _counted(sides, middle, false_alarms, misses, 1)
    return Band(*ends, alarms if band.fake_from else None, missed if band.real_to is not None else None,
                silent_real, silent_fake)  # fmt: skip


@dataclass(frozen=True)
class _Side:
    """The scores of one class.

    Attributes:
        odds: (N,) log-odds.
        people: (N,) the unit of each, from 0 on.
        clips: (N,) the clip of each.
    """

    odds: np.ndarray
    people: np.ndarray
    clips: np.ndarray

    @staticmethod
    def of(scores: pd.DataFrame, label: int) -> "_Side":
        own = scores[scores["label"] == label]
        clips = own.groupby(list(_KEY), sort=False).ngroup().to_numpy()
        return _Side(log_odds(own["probability_fake"]), units(own), clips)

    @property
    def count(self) -> int:
        """Of people."""
        return int(self.people.max(initial=-1)) + 1

    @property
    def weights(self) -> np.ndarray:
        """(N,): of each person 1, shared by their scores."""
        return 1 / np.bincount(self.people, minlength=1)[self.people] if len(self.people) else np.zeros(0)

    def only(self, kept: np.ndarray) -> "_Side":
        """Some of the scores."""
        people: np.ndarray = pd.factorize(self.people[kept])[0]
        return _Side(self.odds[kept], people, self.clips[kept])


_HAIR = 1e-9  # of log-odds
_KEY = ("method", "compression", "clip_id")


def upper_limit(odds: np.ndarray, people: np.ndarray, rates: np.ndarray) -> np.ndarray:
    """The score beyond which a new person's score lies with a probability of `rates` at most.

    Args:
        odds: (N,) log-odds of scores.
        people: (N,) whose each is, from 0 on.
        rates: (R,) in (0, 1).

    Returns:
        (R,), infinite where fewer than `FEWEST` people are given.
    """
    odds, people = np.asarray(odds, np.float64), np.asarray(people)
    side = _Side(odds, people, people)
    count, weights = side.count, side.weights
    if count < FEWEST:
        return np.full(len(rates), np.inf)
    order = np.argsort(odds, kind="stable")
    odds, weights = odds[order], weights[order]
    mass = np.cumsum(weights) / count

    def quantile(shares: np.ndarray) -> np.ndarray:
        places = np.searchsorted(mass, shares - 1e-12)
        found: np.ndarray = odds[np.minimum(places, len(odds) - 1)]
        return found

    # Of K people's scores a share of K / (K + 1) can be shown; the rest may be anywhere.
    shares = (1 - rates) * (count + 1) / count
    mean = float(weights @ odds / count)
    spread = np.sqrt(weights @ (odds - mean) ** 2 / (count - 1) * (1 + 1 / count))
    normal = mean + t.ppf(1 - rates, count - 1) * spread
    middle, last = quantile(np.array([0.5, count / (count + 1)]))
    upper = odds >= middle
    excess = weights[upper] @ (odds[upper] - middle) / weights[upper].sum()
    tail = last + excess * np.log(np.maximum(1 / ((count + 1) * rates), 1))
    beyond = np.maximum.reduce([normal, tail, quantile(1 - rates)])
    limits: np.ndarray = np.where(shares <= 1, quantile(shares), beyond)
    return limits


def _ends(
    sides: tuple[_Side, _Side], middle: float, false_alarms: float, misses: float
) -> tuple[tuple[float, ...], float | None]:
    """`fake_from` and `real_to`."""
    real, fake = sides
    rates = false_alarms / np.arange(1, MOST_FACES + 1)
    highest = np.maximum.accumulate(upper_limit(real.odds, real.people, rates))
    lowest = -upper_limit(-fake.odds, fake.people, np.array([misses]))[0]
    # Called fake is what lies beyond all that may be a real one's: the next number, for a real one may be that itself.
    # By a hair more than the next number: a score's own log-odds may come back as another number than it was.
    starts = np.nextafter(expit(highest + _HAIR), np.inf)
    end = np.nextafter(expit(lowest - _HAIR), -np.inf)
    if np.isfinite(highest[0]) and np.isfinite(lowest) and starts[0] <= end:
        cut = float(np.clip(middle, starts[0], end))
        starts, end = np.maximum(starts, cut), np.nextafter(cut, -np.inf)
    fake_from = tuple(np.minimum(starts, 1.0).tolist()) if np.isfinite(highest[0]) else ()
    return fake_from, max(float(end), 0.0) if np.isfinite(lowest) else None


def _counted(
    sides: tuple[_Side, _Side], middle: float, false_alarms: float, misses: float, label: int
) -> tuple[Rate | None, float | None]:
    """Wrong answers of a class, and the share without one, on people left out part by part while the rest is fitted."""
    side, other = sides[label], sides[1 - label]
    if side.count <= FEWEST:
        return None, None
    answers = np.empty(len(side.odds))
    folds = side.people % min(_FOLDS, side.count)
    for fold in np.unique(folds):
        rest = side.only(folds != fold)
        pair = (rest, other) if label == 0 else (other, rest)
        band = Band(*_ends(pair, middle, false_alarms, misses))
        answers[folds == fold] = band.answers(expit(side.odds[folds == fold]))
    wrong = answers == 1 - label
    by_person = np.bincount(side.people, side.weights * wrong)
    # A person's parts may add up to a hair more than 1.
    share, clips = min(float(by_person.mean()), 1.0), int(side.clips.max()) + 1
    of_clips = np.bincount(side.clips, wrong) / np.bincount(side.clips)
    low, high = exact_interval(share * side.count, side.count)
    silent = min(float(np.bincount(side.people, side.weights * np.isnan(answers)).mean()), 1.0)
    return Rate(share, low, high, round(float(of_clips.sum())), clips, side.count), silent


def exact_interval(hits: float, of: int) -> tuple[float, float]:
    """95 % interval of a share, `hits` of `of`: Clopper and Pearson's, for shares of people also between whole hits."""
    low = 0.0 if hits <= 0 else float(beta.ppf(0.025, hits, of - hits + 1))
    high = 1.0 if hits >= of else float(beta.ppf(0.975, hits + 1, of - hits))
    return low, high
