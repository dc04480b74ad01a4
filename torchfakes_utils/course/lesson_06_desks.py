"""Who uses the detector, and what its errors cost there: what lessons 06 and 06b reckon with."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np
import pandas as pd
from scipy.special import expit

from torchfakes_utils.course import plots
from torchfakes_utils.metrics.band import fit_band
from torchfakes_utils.metrics.calibration import fit_threshold
from torchfakes_utils.metrics.people import units


@dataclass(frozen=True)
class Desk:
    """Who uses the detector, and what its errors cost there, in points that we made up.

    Attributes:
        name: for titles.
        fakes: share of fakes among the clips that arrive.
        miss: a fake that passes as real.
        alarm: a real clip that is called fake.
        look: somebody's look at a clip of which the detector cannot tell.
    """

    name: str
    fakes: float
    miss: float
    alarm: float
    look: float = 1


# A missed fake still meets an editor before it is on air; a witness who was called a liar does not come back.
NEWSROOM = Desk("newsroom", fakes=0.10, miss=5, alarm=50)
# A fake face that opens an account empties it; a customer who is asked for a second photo sighs.
BANK = Desk("bank", fakes=0.02, miss=2000, alarm=5, look=3)
DESKS = {desk.name: desk for desk in (NEWSROOM, BANK)}


def error_rates(labels: plots.Labels, scores: plots.Numbers, threshold: float) -> tuple[float, float]:
    """The share of reals called fake, and the share of fakes called real; both classes have to be there."""
    labels, called_fake = np.asarray(labels), np.asarray(scores, float) >= threshold
    return float(called_fake[labels == 0].mean()), float((~called_fake[labels == 1]).mean())


def cost(labels: plots.Labels, scores: plots.Numbers, threshold: float, desk: Desk) -> float:
    """What the errors at a threshold cost a desk on 100 clips, on average."""
    return float(costs(labels, scores, np.array([threshold]), desk)[0])


def costs(labels: plots.Labels, scores: plots.Numbers, thresholds: np.ndarray, desk: Desk) -> np.ndarray:
    """What the errors at each of some thresholds (T,) cost a desk on 100 clips, on average, (T,)."""
    labels, scores = np.asarray(labels), np.asarray(scores, float)
    called_fake = scores >= thresholds[:, None]  # (T, N)
    alarms, misses = called_fake[:, labels == 0].mean(1), (~called_fake[:, labels == 1]).mean(1)
    lost: np.ndarray = 100 * ((1 - desk.fakes) * alarms * desk.alarm + desk.fakes * misses * desk.miss)
    return lost


def best_threshold(labels: plots.Labels, scores: plots.Numbers, desk: Desk) -> float:
    """The threshold that costs a desk least; between two scores, the middle of the widest gap among the cheapest.

    The ends count as well: 0 calls everything fake, and a threshold above the highest score calls nothing fake.
    """
    found = np.unique(np.concatenate([[0.0], np.asarray(scores, float), [1.0]]))
    below, above = found[:-1], found[1:]
    middles = (below + above) / 2
    middles = np.where(middles > below, middles, above)  # neighbouring floats have nothing between them
    middles = np.concatenate([[0.0], middles, [np.nextafter(1.0, 2.0)]])
    widths = np.concatenate([[0.0], above - below, [0.0]])
    lost = costs(labels, scores, middles, desk)
    cheapest = np.flatnonzero(np.isclose(lost, lost.min()))
    return float(middles[cheapest[np.argmax(widths[cheapest])]])


@dataclass(frozen=True)
class Bill:
    """What a desk loses on 100 clips, on average, in points.

    Attributes:
        alarms: by reals that are called fake.
        misses: by fakes that are called real.
        looks: by people who look where there is no answer; they are taken to be right.
    """

    alarms: float
    misses: float
    looks: float

    @property
    def total(self) -> float:
        """All of it."""
        return self.alarms + self.misses + self.looks


def bill(labels: plots.Labels, answers: plots.Numbers, desk: Desk) -> Bill:
    """What answers cost a desk: 1 for fake, 0 for real, NaN for "cannot tell"; both classes have to be there."""
    labels, answers = np.asarray(labels), np.asarray(answers, float)
    shares = np.where(labels == 1, desk.fakes / (labels == 1).sum(), (1 - desk.fakes) / (labels == 0).sum())
    alarms, misses, looks = (labels == 0) & (answers == 1), (labels == 1) & (answers == 0), np.isnan(answers)
    return Bill(*(100 * float(shares[kind].sum()) * price
                  for kind, price in ((alarms, desk.alarm), (misses, desk.miss), (looks, desk.look))))  # fmt: skip


# What a desk can do that has no detector.
_BLIND = {"all is believed": 0.0, "nothing is believed": 1.0, "somebody looks at all": np.nan}


def without_detector(desk: Desk) -> tuple[str, Bill]:
    """The cheapest way to look at no score, in words, and its bill."""
    found = {name: bill([0, 1], [answer] * 2, desk) for name, answer in _BLIND.items()}
    name = min(found, key=lambda name: found[name].total)
    return name, found[name]


# From P(fake) (N,) to answers (N,): 1 for fake, 0 for real, NaN for neither.
Answers = Callable[[np.ndarray], np.ndarray]


def by_threshold(clips: pd.DataFrame, desk: Desk) -> Answers:
    """Answers by the one threshold that is cheapest for a desk on some clips."""
    threshold = best_threshold(clips["label"], clips["probability_fake"], desk)
    return lambda scores: (scores >= threshold).astype(float)


def by_band(clips: pd.DataFrame) -> Answers:
    """Answers by the two limits that some clips show, at the usual rates."""
    return fit_band(clips, fit_threshold(clips["label"], clips["probability_fake"])[0]).answers


def judged_by_others(clips: pd.DataFrame, fix: Callable[[pd.DataFrame], Answers]) -> np.ndarray:
    """Answers to clips (N,), each by what was fixed on clips of other people alone.

    Args:
        clips: from `by_clip`, with people where they are known.
        fix: makes the answers of what it sees.
    """
    whose, answers = units(clips), np.empty(len(clips))
    for unit in np.unique(whose):
        own = whose == unit
        answers[own] = fix(clips[~own])(clips.loc[own, "probability_fake"].to_numpy(float))
    return answers


def bills(clips: pd.DataFrame, desk: Desk, limits: np.ndarray | None = None) -> dict[str, Bill]:
    """What a desk loses without a detector, with one threshold and with two limits, fixed on other people's clips.

    Args:
        clips: from `by_clip`, with people where they are known.
        desk: whose bill.
        limits: (N,) the answers of two limits, which are the same for every desk; None finds them, which takes time.
    """
    labels = clips["label"].to_numpy()
    how, blind = without_detector(desk)
    ways = {
        "one threshold": judged_by_others(clips, lambda rest: by_threshold(rest, desk)),
        "two limits": judged_by_others(clips, by_band) if limits is None else limits,
    }
    return {f"no detector: {how}": blind} | {name: bill(labels, answers, desk) for name, answers in ways.items()}


def halves(people: plots.Numbers, most: int = 70) -> list[np.ndarray]:
    """Ways to choose one half of some people: all of them, or as many at random where there are more.

    Args:
        people: (N,) the name or number of each clip's people.
        most: ways.

    Returns:
        The chosen names of each way.
    """
    names = np.unique(people)
    count = len(names) // 2
    if comb(len(names), count) <= most:
        return [np.array(chosen) for chosen in combinations(names, count)]
    rng = np.random.default_rng(0)
    return [rng.permutation(names)[:count] for _ in range(most)]


def made_up(people: int, rng: np.random.Generator) -> pd.DataFrame:
    """Clips of so many real people, and as many fakes, one each: normal log-odds, 1.2 to either side of zero."""
    labels = np.repeat([0, 1], people)
    scores = expit(rng.normal(1.2 * (2 * labels - 1), 1))
    names = [f"{number:03d}" for number in range(2 * people)]
    return pd.DataFrame({"method": "made up", "compression": "", "clip_id": names, "label": labels,
                         "probability_fake": scores})  # fmt: skip


def limits_of_sets(people: int, sets: int = 12, new: int = 2000) -> pd.DataFrame:
    """The two limits that made-up validation sets of so many people give, and what they do to new people.

    Args:
        people: of each class.
        sets: how many validation sets.
        new: people of each class that nobody has seen.

    Returns:
        A row a set: `real_to`, `fake_from`; `false_alarms` of new reals, `silent` of all that are new.
    """
    rng = np.random.default_rng(0)
    others = made_up(new, rng)
    rows = []
    for _ in range(sets):
        band = fit_band(made_up(people, rng), 0.5)
        answers = band.answers(others["probability_fake"].to_numpy())
        rows.append((band.real_to, band.from_of(), (answers[:new] == 1).mean(), np.isnan(answers).mean()))
    return pd.DataFrame(rows, columns=["real_to", "fake_from", "false_alarms", "silent"])
