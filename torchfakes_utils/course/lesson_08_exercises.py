"""The exercises of lesson 08: are the inputs the same, what does batch norm remember, and when should an alarm ring."""

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import nn

from torchfakes_utils.course import comparison
from torchfakes_utils.course.practice import Exercise


def _what_changed(training: torch.Tensor, test: torch.Tensor) -> str:
    if torch.allclose(training, test, atol=1e-3):
        return "nothing"
    if torch.allclose(training.flip(1), test, atol=1e-3):
        return "colours"
    pairs = torch.stack([training.flatten(), test.flatten()])
    return "range" if torch.corrcoef(pairs)[0, 1] > 0.999 else "content"


def _two_programs(generator: np.random.Generator) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Inputs of the same files in training and at test: alike but for rounding, swapped, of another range, changed."""
    found = []
    for way in ("nothing", "colours", "range", "content", "nothing", "shift"):
        training = torch.from_numpy(generator.uniform(-1, 1, (4, 3, 6, 6)))
        training[:, 0] += 0.3  # faces are redder than blue
        rounding = torch.from_numpy(generator.uniform(-1e-5, 1e-5, training.shape))
        others = {
            "nothing": training + rounding,
            "colours": training.flip(1) + rounding,
            "range": (training + 1) / 2,
            "shift": training - 0.7,
            "content": nn.functional.avg_pool2d(training, 3, 1, 1),
        }
        found.append((training, others[way]))
    return found


def _by_means(training: torch.Tensor, test: torch.Tensor) -> str:
    said = _what_changed(training, test)
    return "nothing" if abs(float(training.mean() - test.mean())) < 0.02 else said


WHAT_CHANGED = Exercise(
    "what_changed", "Is it the same picture?", minutes=10, difficulty=2, reference=_what_changed, cases=_two_programs,
    wrong={
        "Your test for “nothing” asks for equal numbers. Rounding differs in the last digits: allow about 0.001.":
            lambda training, test: said if (said := _what_changed(training, test)) != "nothing" else "range",
        "You compare means. Swapped colours and a blur leave the mean as it is: subtract number by number.": _by_means,
        "Swapped colours are “content” for you. Turn the second axis of (N, 3, S, S) round, and compare again.":
            lambda training, test: "content" if (said := _what_changed(training, test)) == "colours" else said,
        "Whatever is not the same is another range for you. A blur moves the smallest and largest number, too: do the "
        "two correlate perfectly?":
            lambda training, test: "range" if (said := _what_changed(training, test)) == "content" else said,
        "Another range or another zero is still the same picture: the two correlate perfectly.":
            lambda training, test: "content" if (said := _what_changed(training, test)) == "range" else said,
    },
    afterwards="Run it before you look at any score.",
)  # fmt: skip


def drift(arriving: torch.Tensor, mean: torch.Tensor, variance: torch.Tensor) -> float:
    """By how many standard deviations what arrives at a batch norm differs from what it remembers, mean over channels.

    Args:
        arriving: (N, C, H, W).
        mean, variance: (C,), its running averages.
    """
    return float(((arriving.mean(dim=(0, 2, 3)) - mean).abs() / (variance + 1e-5).sqrt()).mean())


def _arrivals(generator: np.random.Generator) -> list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    """What arrives at three batch norms and what they remember; at the first, all channels come in too low."""
    found = []
    for number, size in enumerate(((5, 4, 3, 6), (8, 3, 5, 2), (4, 6, 4, 4))):
        width = torch.from_numpy(generator.uniform(0.3, 3, size[1]))
        offset, gap = (torch.from_numpy(generator.normal(0, 1, size[1])) for _ in range(2))
        arriving = torch.from_numpy(generator.normal(size=size)) * width[:, None, None] + offset[:, None, None]
        mean = arriving.mean(dim=(0, 2, 3)) + gap.abs() if number == 0 else offset + gap
        found.append((arriving, mean, torch.from_numpy(generator.uniform(0.2, 6, size[1]))))
    return found


DRIFT = Exercise(
    "drift", "What batch norm remembers", minutes=6, difficulty=1, reference=drift, cases=_arrivals,
    wrong={
        "You divide by the variance. A standard deviation is its square root.":
            lambda x, mean, variance: ((x.mean((0, 2, 3)) - mean).abs() / (variance + 1e-5)).mean(),
        "Channels that are too high and too low cancel out: the absolute values are missing.":
            lambda x, mean, variance: ((x.mean((0, 2, 3)) - mean) / (variance + 1e-5).sqrt()).mean(),
        "The absolute values come too late: take them channel by channel, before the mean over channels.":
            lambda x, mean, variance: ((x.mean((0, 2, 3)) - mean) / (variance + 1e-5).sqrt()).mean().abs(),
        "You divide by the spread of what arrives. The diary's own is asked: its variance is given.":
            lambda x, mean, variance: ((x.mean((0, 2, 3)) - mean).abs() / x.std((0, 2, 3))).mean(),
        "You divide by the spread of what arrives. The diary's own is asked: the variance is given.":
            lambda x, mean, variance: ((x.mean((0, 2, 3)) - mean).abs() / x.std((0, 2, 3), correction=0)).mean(),
        "That is the distance of each crop's mean, averaged. Take the mean over all crops first.":
            lambda x, mean, variance: ((x.mean((2, 3)) - mean).abs() / (variance + 1e-5).sqrt()).mean(),
        "That is the distance of each number. Take each channel's mean over crops and places first.":
            lambda x, mean, variance: (
                (x - mean[:, None, None]).abs() / (variance + 1e-5).sqrt()[:, None, None]).mean(),
        "That is a value per channel. Average over them.":
            lambda x, mean, variance: (x.mean((0, 2, 3)) - mean).abs() / (variance + 1e-5).sqrt(),
        "That is in the units of the layer. Divide by the standard deviation, the square root of the variance.":
            lambda x, mean, variance: (x.mean((0, 2, 3)) - mean).abs().mean(),
    },
    afterwards="0 is what it expects; 1 is a whole standard deviation off.",
)  # fmt: skip


class _Verdict(int):
    """True or False, and the team that it is about, so that a learner can be told which.

    Attributes:
        seen: its measurements.
    """

    seen: Mapping[str, float]

    def __repr__(self) -> str:
        return str(bool(self))


def _alarm(seen: Mapping[str, float]) -> bool:
    return (
        seen["AUC"] < 0.4
        or seen["drift"] > 0.15
        or seen["alone or together"] > 0.02
        or seen["fakes drawn"] > 0.65
        or seen["known clips"] > 0.05
    )


def _alarm_told(seen: Mapping[str, float]) -> _Verdict:
    verdict = _Verdict(_alarm(seen))
    verdict.seen = seen
    return verdict


class _Either:
    """What fits both answers: where it stands, a mistake says nothing of a team."""


def _alarm_differs(expected: object, found: object) -> str:
    """How an answer departs from the expected one, with the team's numbers."""
    if isinstance(expected, _Either):
        return "" if "" in (comparison.difference(True, found), comparison.difference(False, found)) else "neither"
    text = comparison.difference(bool(expected), found)
    if not text or not isinstance(expected, _Verdict):
        return text
    numbers = ", ".join(f"{name!r}: {value:.3g}" for name, value in expected.seen.items())
    return f"{text}: this team is {'sick' if expected else 'healthy'}, {{{numbers}}}"


# By how much each sick team of the exercise is out of order; the rest of it is a healthy team.
_ILLNESSES = {
    "AUC": (0.1, 0.32), "drift": (0.22, 1.3), "alone or together": (0.06, 0.2), "fakes drawn": (0.76, 0.84),
    "known clips": (0.3, 1.0),
}  # fmt: skip
# Nobody is healthier than the one, nobody sicker than the other. Who rings for the one rings for everybody.
_WELL = {
    "AUC": 0.99, "accuracy": 0.97, "training and test differ": 0.0, "drift": 0.0, "alone or together": 0.0,
    "fakes drawn": 0.5, "known clips": 0.0,
}  # fmt: skip
_ILL = _WELL | {
    "AUC": 0.05, "accuracy": 0.1, "training and test differ": 0.6, "drift": 1.5, "alone or together": 0.3,
    "fakes drawn": 0.9, "known clips": 1.0,
}  # fmt: skip


def _team_measured(generator: np.random.Generator, illness: str = "") -> dict[str, float]:
    """Measurements of a made-up team, as `measured` gives them; healthy ones vary as those of the lab do, and more."""
    draw = generator.uniform
    seen = _WELL | {
        "AUC": draw(0.65, 0.92),
        "accuracy": draw(0.72, 0.85),
        "drift": draw(0.01, 0.04),
        "alone or together": draw(0, 0.001),
    }
    if illness:
        seen[illness] = draw(*_ILLNESSES[illness])
    return {name: float(value) for name, value in seen.items()}


def _teams_measured(generator: np.random.Generator) -> list[tuple[dict[str, float]]]:
    healthy = [_team_measured(generator) for _ in range(5)]
    # A weak detector is not sick, augmentation is no illness, everybody drifts a little, accuracy depends on the
    # threshold, and batches that are drawn are never quite half and half.
    healthy[0]["AUC"], healthy[1]["training and test differ"] = 0.6, float(generator.uniform(0.2, 0.4))
    healthy[2]["drift"], healthy[3]["accuracy"], healthy[4]["fakes drawn"] = 0.07, 0.62, 0.51
    sick = [_team_measured(generator, illness) for illness in _ILLNESSES]
    return [(seen,) for seen in (*healthy, *sick, dict(_WELL), dict(_ILL))]


def _without(name: str) -> Callable[[Mapping[str, float]], bool]:
    return lambda seen: _alarm({**seen, name: _WELL[name]})


def _or(more: Callable[[Mapping[str, float]], bool]) -> Callable[[Mapping[str, float]], bool]:
    return lambda seen: _alarm(seen) or more(seen)


def _of_some(seen: Mapping[str, float]) -> bool | _Either:
    return bool(seen == _ILL) if seen in (_WELL, _ILL) else _Either()


ALARM = Exercise(
    "alarm", "An alarm that does not ring for the healthy", minutes=8, difficulty=2, reference=_alarm_told,
    cases=_teams_measured, difference=_alarm_differs,
    wrong={
        "It rings for a healthy team that augments: training is meant to differ from test there. Use the drift.":
            _or(lambda seen: seen["training and test differ"] > 0.01),
        "It rings for a healthy team that is a little surprised by strangers. Look at the drifts of healthy ones.":
            _or(lambda seen: seen["drift"] > 0.05),
        "It rings for a weak detector. Weak is not sick; an AUC far below 0.5 is.":
            _or(lambda seen: seen["AUC"] < 0.62),
        "It rings for low accuracy. That depends on the threshold and on how many fakes there are.":
            _or(lambda seen: seen["accuracy"] < 0.7),
        "It rings for a healthy team whose batches are 51 % fake: leave room.":
            _or(lambda seen: seen["fakes drawn"] > 0.505),
        "It always rings. Such an alarm is switched off on the first day.": lambda seen: True,
        "It rings only where every symptom is there at once. They are joined by `and`; one is enough: `or`.":
            lambda seen: seen == _ILL,
        "It never rings, not even for a team with every symptom at once.": lambda seen: False,
        "Turned round: it rings for the healthy and is silent for the sick.": lambda seen: not _alarm(seen),
        **{f"It misses a team whose only symptom is “{name}”.": _without(name) for name in _ILLNESSES},
        # Explains whatever errs for some teams only, after all others. Without a hint of its own, a team that the
        # answer errs for is shown: "always" and "turned round" would be false.
        "": _of_some,
    },
    afterwards="Put it into your test suite.",
)  # fmt: skip
