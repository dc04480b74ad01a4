"""What learners write in lesson 00: counting games, skills and alarms. No formula of statistics is needed for any."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from torchfakes_utils.course.practice import Exercise

TAIL = 0.025  # what lies beyond either end of a 95 % interval


def games_at_least(games: Any, right: int) -> float:
    """The share of games with at least so many right answers.

    Args:
        games: (G, N), one row for each game, True or 1 where the answer was right.
        right: how many.
    """
    won = sum(sum(bool(answer) for answer in game) >= right for game in games)
    return won / len(games)


def _games(generator: np.random.Generator) -> list[tuple[Any, ...]]:
    return [(generator.random((40, 10)) < skill, right) for skill, right in ((0.5, 7), (0.5, 5), (0.7, 8), (0.4, 3))]


def _of_games(games: Any) -> np.ndarray:
    return np.asarray(np.asarray(games).sum(axis=1))


GAMES_AT_LEAST = Exercise(
    "games_at_least",
    "A coin plays your game",
    minutes=5,
    difficulty=1,
    reference=games_at_least,
    cases=_games,
    wrong={
        "“At least” counts the games with exactly so many, too: `>=` in the place of `>`.": lambda games, right: (
            _of_games(games) > right
        ).mean(),
        "You count the games with exactly so many; at least so many are asked for.": lambda games, right: (
            _of_games(games) == right
        ).mean(),
        "That is how many games; divide by their number for a share.": lambda games, right: (
            _of_games(games) >= right
        ).sum(),
        "That is the share of right answers; first count the right ones of each game, then the games.": (
            lambda games, right: np.asarray(games).mean()
        ),
        "You have added up the columns: a column is a face, a row is a game.": lambda games, right: (
            np.asarray(games).sum(axis=0) >= right
        ).mean(),
    },
    afterwards="The more games are played, the closer the share comes to what counting all cases would give.",
)


def possible_skills(results: Mapping[float, Sequence[int]], right: int) -> tuple[float, float]:
    """The lowest and the highest skill for which a score is no surprise.

    A score is a surprise for a skill if fewer than one in forty of its games end so high, or so low.

    Args:
        results: skill -> how many answers were right in each game of a player of that skill.
        right: the score.
    """
    possible = []
    for skill, scores in results.items():
        as_high = sum(score >= right for score in scores) / len(scores)
        as_low = sum(score <= right for score in scores) / len(scores)
        if as_high >= TAIL and as_low >= TAIL:
            possible.append(skill)
    return min(possible), max(possible)


def _results(generator: np.random.Generator) -> list[tuple[Any, ...]]:
    cases = []
    for right, faces in ((7, 10), (14, 20), (30, 50), (70, 100)):
        skills = generator.permutation(51) / 50  # in no order
        results = {float(skill): generator.binomial(faces, skill, 400).tolist() for skill in skills}
        results[0.0][0] = right + 1  # one lucky game of 400: a count that is not divided would keep this skill
        cases.append((results, right))
    return cases


def _kept(results: Mapping[float, Sequence[int]], holds: Any) -> tuple[float, float]:
    kept = [skill for skill, scores in results.items() if holds(np.asarray(scores))]
    return min(kept), max(kept)


def _in_order(results: Mapping[float, Sequence[int]], right: int) -> tuple[float, float]:
    low, high = possible_skills(results, right)
    kept = [skill for skill in results if low <= skill <= high]
    return kept[0], kept[-1]


POSSIBLE_SKILLS = Exercise(
    "possible_skills",
    "Which skills could have given this?",
    minutes=8,
    difficulty=2,
    reference=possible_skills,
    cases=_results,
    wrong={
        "That leaves out a score only where a skill never gave it. Keep a skill if one in forty of its games, 0.025, "
        "end at least so high, and one in forty at least so low.": lambda results, right: _kept(
            results, lambda scores: (scores == right).any()
        ),
        "You look at the high scores only. A very good player rarely ends as low as this, so ask for `<=`, too.": (
            lambda results, right: _kept(results, lambda scores: (scores >= right).mean() >= TAIL)
        ),
        "You look at the low scores only. A bad player rarely ends as high as this, so ask for `>=`, too.": (
            lambda results, right: _kept(results, lambda scores: (scores <= right).mean() >= TAIL)
        ),
        "You keep a skill for which the score is a surprise on one side only. Both must hold: “and”, not “or”.": (
            lambda results, right: _kept(
                results, lambda scores: max((scores >= right).mean(), (scores <= right).mean()) >= TAIL
            )
        ),
        "“Or more” and “or fewer” count the score itself, too: `>=` and `<=`, not `>` and `<`.": (
            lambda results, right: _kept(
                results, lambda scores: min((scores > right).mean(), (scores < right).mean()) >= TAIL
            )
        ),
        "You compare a number of games with 0.025. Divide it by `len(scores)` for a share.": (
            lambda results, right: _kept(
                results, lambda scores: min((scores >= right).sum(), (scores <= right).sum()) >= TAIL
            )
        ),
        "One in forty on either side is 0.025; you have left out one in twenty on either side.": (
            lambda results, right: _kept(
                results, lambda scores: min((scores >= right).mean(), (scores <= right).mean()) >= 0.05
            )
        ),
        "You take the first and the last skill that you kept. They come in no order: take min and max.": _in_order,
        "You ask how often a skill gave exactly this score. Ask how often it gave this or more, and this or less.": (
            lambda results, right: _kept(results, lambda scores: (scores == right).mean() >= TAIL)
        ),
    },
    afterwards="Those two numbers are the ends of a 95 % interval: 2.5 % and 2.5 % are left out.",
)


def right_alarms(truth: Sequence[int], said: Sequence[int]) -> float:
    """Of all alarms, the share that is right.

    Args:
        truth: (N,) 1 for a fake film, 0 for a real one.
        said: (N,) 1 for an alarm, 0 for none.
    """
    alarms = [fact for fact, answer in zip(truth, said, strict=True) if answer == 1]
    return sum(alarms) / len(alarms)


def _films(generator: np.random.Generator) -> list[tuple[Any, ...]]:
    cases = []
    for films, share in ((60, 0.5), (120, 0.2), (200, 0.1)):
        truth = (generator.random(films) < share).astype(int)
        truth[:2] = 0, 1
        said = np.where(generator.random(films) < 0.8, truth, 1 - truth)
        said[:3] = 1, 1, 0
        cases.append((truth, said))
    return cases


RIGHT_ALARMS = Exercise(
    "right_alarms",
    "What an alarm is worth",
    minutes=5,
    difficulty=1,
    reference=right_alarms,
    cases=_films,
    wrong={
        "That is the share of the fakes that raise an alarm. Turn it round: of the alarms, how many are fakes?": (
            lambda truth, said: said[truth == 1].mean()
        ),
        "That is the share of films about which the detector is right, alarm or not.": lambda truth, said: (
            truth == said
        ).mean(),
        "That is the share of the alarms that is false. The right ones are those on fakes.": lambda truth, said: (
            truth[said == 1] == 0
        ).mean(),
        "Class order is swapped: 1 is fake, and 1 is an alarm.": lambda truth, said: (truth[said == 0] == 0).mean(),
        "That is how many alarms are right; divide by the number of alarms.": lambda truth, said: (truth & said).sum(),
        "You divide by the number of films; divide by the number of alarms.": lambda truth, said: (truth & said).mean(),
    },
    afterwards="Papers call this share precision, or positive predictive value.",
)
