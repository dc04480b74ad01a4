"""What the learner writes: exercises, checks that say what is wrong, and stubs that never stop a lesson.

A lesson's module describes an exercise once:

    LAPLACIAN = Exercise(
        "laplacian", "Sharpness, by hand", minutes=5, difficulty=1,
        reference=laplacian,
        cases=lambda generator: [(generator.random((size, size)),) for size in (3, 5, 8)],
        wrong={"You add the middle; it is taken four times away.": lambda grey: …},
    )

and its notebook uses it twice, below the stub and, if one likes, after a solution that folds open:

    laplacian = course.yours(lesson_03.LAPLACIAN, laplacian)
    course.check(lesson_03.LAPLACIAN, laplacian)
"""

import contextlib
import copy
import dis
import functools
import inspect
import io
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import numpy as np

from torchfakes_utils.course import comparison
from torchfakes_utils.course.comparison import describe
from torchfakes_utils.course.time_limit import OutOfTimeError, limited

SECONDS = 10.0  # for all cases together
MOST_PRINTED = 10_000  # characters
LEARNERS = "_of_the_learner"  # where the lesson's own function keeps the one that it stands in for
MARK = "your code here"  # stands in every stub


@dataclass(frozen=True)
class Exercise:
    """A function that learners write, and how it is judged.

    Attributes:
        name: the function's name in the notebook.
        title: what the exercise is called.
        minutes: how long it takes a learner.
        difficulty: 1, 2 or 3.
        reference: the lesson's own solution, with which a lesson goes on where the learner has none.
        cases: makes random inputs from a generator: a tuple of positional arguments a case.
        wrong: hint -> a function that computes what this mistake would give, for the same arguments. Where what the
            learner's function gets wrong is just what such a function gives, its hint is told. A mistake may raise.
        difference: (expected, found) -> "" where they are alike, else how they differ ("yours is 3, …").
        afterwards: what is worth knowing once it is right.
    """

    name: str
    title: str
    minutes: int
    difficulty: int
    reference: Callable[..., Any]
    cases: Callable[[np.random.Generator], Iterable[tuple[Any, ...]]]
    wrong: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    difference: Callable[[Any, Any], str] = comparison.difference
    afterwards: str = ""

    def __post_init__(self) -> None:
        """Refuse what would only be noticed in front of a learner.

        Raises:
            ValueError: the name is none, or minutes or difficulty are out of range.
        """
        if not self.name.isidentifier():
            raise ValueError(f"{self.name!r}: an exercise is named after the function that learners write")
        if self.minutes <= 0 or self.difficulty not in (1, 2, 3):
            raise ValueError(f"{self.name}: minutes above 0, difficulty 1, 2 or 3")

    def inputs(self, seed: int = 0) -> list[tuple[Any, ...]]:
        """The cases of a seed.

        Raises:
            ValueError: there are none, or one is no tuple.
        """
        found = list(self.cases(np.random.default_rng(seed)))
        if not found or not all(isinstance(case, tuple) for case in found):
            raise ValueError(f"{self.name}: cases are tuples of arguments, at least one")
        return found


class State(Enum):
    """How far a learner is."""

    EMPTY = "Not attempted yet"
    WRONG = "Not yet"
    RIGHT = "Right"


@dataclass(frozen=True)
class Verdict:
    """What is said of a learner's function; `text` is one line."""

    state: State
    text: str


@dataclass(frozen=True)
class _Stopped:
    """A call that raised: what is said of it, and the kind of exception."""

    text: str
    kind: type[BaseException]


@dataclass
class _Tried:
    """What a function gave for each case, until the first that stopped.

    Attributes:
        outcomes: one a case.
        first: what it printed for the first case.
        talked: it printed for any.
        changed: it changed what it was given.
    """

    outcomes: list[Any] = field(default_factory=list)
    first: str = ""
    talked: bool = False
    changed: bool = False


class _Listener(io.StringIO):
    """Takes in what is printed, as far as anybody would read it: an endless loop may print."""

    def write(self, text: str) -> int:
        return super().write(text) if self.tell() < MOST_PRINTED else len(text)


def check(exercise: Exercise, function: Any, seed: int = 0) -> None:
    """Say in one line how far a learner's function is: not attempted, not yet (and why), or right.

    Args:
        exercise: what was asked.
        function: the learner's; it gets copies of random inputs. What it prints for the first is shown.
        seed: of the inputs.
    """
    print(judge(exercise, function, seed, show=True).text)


def yours(exercise: Exercise, function: Any, seed: int = 0) -> Callable[..., Any]:
    """The function with which a lesson goes on: the learner's where it is right, the lesson's own otherwise.

    One line says which. The lesson's own remembers the learner's, so that a check below, or this cell run again, is
    still about what the learner wrote.
    """
    state = judge(exercise, function, seed).state
    name = exercise.name
    if state is State.RIGHT:
        print(f"{name}: yours is right, and what follows uses it.")
        return function  # type: ignore[no-any-return]
    if state is State.EMPTY:
        print(f"{name}: not written yet, so what follows uses the lesson's own.")
    else:
        print(f"{name}: not right yet, so what follows uses the lesson's own; the check of {name} says why.")
    return _standing_in(exercise.reference, function)


def _standing_in(reference: Callable[..., Any], function: Any) -> Callable[..., Any]:
    """The lesson's own function under the learner's name: it keeps the learner's, which a later check is about."""

    @functools.wraps(reference)
    def stand_in(*words: Any, **more: Any) -> Any:
        return reference(*words, **more)

    setattr(stand_in, LEARNERS, function)
    return stand_in


def judge(exercise: Exercise, function: Any, seed: int = 0, show: bool = False) -> Verdict:
    """Try a learner's function on the cases of a seed.

    Args:
        exercise: what was asked.
        function: anything; only a function can be right.
        seed: of the inputs.
        show: let through what the function prints for the first case.
    """
    function = getattr(function, LEARNERS, function)
    if function is None or function is ...:
        return _empty(f"`{exercise.name}` has no value.")
    if not callable(function):
        return _wrong(f"`{exercise.name}` is {describe(function)}, and a function is expected.")
    cases, tried = exercise.inputs(seed), _Tried()
    try:
        with contextlib.redirect_stdout(_Listener()) as listener, _quiet():
            limited(lambda: _try(tried, function, cases, listener), SECONDS)
    except OutOfTimeError as error:
        return _wrong(_endless(exercise.name, cases[min(len(tried.outcomes), len(cases) - 1)], error))
    if show and tried.first:
        print(tried.first.rstrip("\n"))
    if _says_nothing(tried.outcomes):
        return _nothing(exercise.name, function, tried)
    with _quiet():
        expected = [_call(exercise.reference, copy.deepcopy(case)) for case in cases]
    differing = _differing(exercise, expected, tried.outcomes)
    if not differing:
        number = f"{len(cases)} random inputs" if len(cases) > 1 else "a random input"
        text = f"Right: `{exercise.name}` gives what it should on {number}. {exercise.afterwards}"
        return Verdict(State.RIGHT, text.rstrip())
    return _wrong(_hint(exercise, cases, tried.outcomes, differing) or _reason(exercise.name, cases, differing))


def _empty(text: str) -> Verdict:
    return Verdict(State.EMPTY, f"Not attempted yet: {text}")


def _wrong(text: str) -> Verdict:
    return Verdict(State.WRONG, f"Not yet: {text}")


# --- calling what somebody wrote


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without warnings: what comes out of a division by zero is told."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


def _try(tried: _Tried, function: Callable[..., Any], cases: Sequence[tuple[Any, ...]], listener: io.StringIO) -> None:
    """Call a function for each case and note what it gives, and what it does besides."""
    for case in cases:
        words = copy.deepcopy(case)
        outcome = _call(function, words)
        tried.changed |= _changed(case, words)
        tried.outcomes.append(outcome)
        tried.talked = bool(listener.getvalue())
        if len(tried.outcomes) == 1:
            tried.first = listener.getvalue()
        if isinstance(outcome, _Stopped):
            return


def _changed(case: tuple[Any, ...], words: tuple[Any, ...]) -> bool:
    """Whether arguments are others than before; an object of which no copy is equal to it counts as unchanged."""
    return bool(comparison.difference(case, words)) and not comparison.difference(case, copy.deepcopy(case))


def _call(function: Callable[..., Any], words: tuple[Any, ...]) -> Any:
    """What a function gives; what a generator yields as a list, and an exception as what is said of it."""
    try:
        found = function(*words)
        return list(found) if isinstance(found, Iterator) else found
    except NotImplementedError:  # a stub that says so
        return ...
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a learner's function does, it is told in a line
        return _Stopped(_told(error, function), type(error))


def _told(error: BaseException, function: Callable[..., Any]) -> str:
    """An exception in one line: what was raised, and in which line of the learner's cell."""
    lines = str(error).strip().splitlines()
    text = f"stopped with {type(error).__name__}" + (f" ({lines[0][:160]})" if lines else "")
    code = getattr(inspect.unwrap(function), "__code__", None)
    frames = [
        frame for frame in traceback.extract_tb(error.__traceback__) if code and frame.filename == code.co_filename
    ]
    if not frames:
        return f"{text}: does it take the arguments that its stub had?" if isinstance(error, TypeError) else text
    source = f": `{frames[-1].line.strip()}`" if frames[-1].line else ""
    return f"{text} in line {frames[-1].lineno} of its cell{source}"


# --- saying what is wrong


def _says_nothing(outcomes: Sequence[Any]) -> bool:
    return all(outcome is None or outcome is ... for outcome in outcomes)


def _nothing(name: str, function: Callable[..., Any], tried: _Tried) -> Verdict:
    """A function that returns nothing is a stub, or lacks its `return`."""
    if tried.talked:
        return _wrong(f"`{name}` prints and returns nothing. End it with `return`, not with `print`.")
    if tried.changed:
        return _wrong(f"`{name}` changes what it is given and returns nothing. End it with `return`.")
    if ... in tried.outcomes or _is_stub(function):
        return _empty(f"`{name}` returns nothing. Write your lines into its stub, the last with `return`.")
    return _wrong(f"`{name}` returns nothing (None). Is its `return` missing?")


def _is_stub(function: Callable[..., Any]) -> bool:
    """Whether a function has no lines of its own, or still the mark of the stub."""
    try:
        if _instructions(function) == _instructions(lambda: None):
            return True
        return MARK in inspect.getsource(function)
    except (OSError, TypeError):  # no Python, or nobody knows its source
        return False


def _instructions(function: Callable[..., Any]) -> list[str]:
    return [each.opname for each in dis.get_instructions(function)]


def _endless(name: str, case: tuple[Any, ...], error: OutOfTimeError) -> str:
    left = "" if error.stopped else " It could not be stopped: restart the kernel."
    return (
        f"{name}({_arguments(case)}) has not ended after {SECONDS:g} s, and was given up. Which loop never ends?{left}"
    )


def _arguments(case: tuple[Any, ...]) -> str:
    return ", ".join(map(describe, case))


def _differing(exercise: Exercise, expected: Sequence[Any], outcomes: Sequence[Any]) -> dict[int, str]:
    """How an outcome differs from the expected one, by the number of its case."""
    found = {}
    for number, (wanted, outcome) in enumerate(zip(expected, outcomes, strict=False)):
        if text := _departure(exercise, wanted, outcome):
            found[number] = text
    return found


def _departure(exercise: Exercise, expected: Any, outcome: Any) -> str:
    if isinstance(outcome, _Stopped):
        return "" if isinstance(expected, _Stopped) and expected.kind is outcome.kind else outcome.text
    if isinstance(expected, _Stopped):
        return f"yours is {describe(outcome)}, and a {expected.kind.__name__} is expected"
    try:
        return exercise.difference(expected, outcome)
    except Exception as error:  # noqa: BLE001 - an exercise's own comparison that a strange answer trips
        return f"yours is {describe(outcome)}, which cannot be compared ({type(error).__name__})"


def _hint(
    exercise: Exercise, cases: Sequence[tuple[Any, ...]], outcomes: Sequence[Any], differing: Mapping[int, str]
) -> str:
    """The hint of the mistake that explains every case that is wrong; of several, the one that fits most cases."""
    best, most = "", 0
    for hint, mistake in exercise.wrong.items():
        with _quiet():
            given = [_call(mistake, copy.deepcopy(case)) for case in cases[: len(outcomes)]]
        agree = {number for number, each in enumerate(given) if not _departure(exercise, each, outcomes[number])}
        if set(differing) <= agree and len(agree) > most:
            best, most = hint, len(agree)
    return best


def _reason(name: str, cases: Sequence[tuple[Any, ...]], differing: Mapping[int, str]) -> str:
    """Where the first wrong case departs, and for which arguments."""
    number, text = next(iter(differing.items()))
    called = f"{name}({_arguments(cases[number])})"
    return f"{called} {text}." if text.startswith("stopped") else f"for {called}, {text}."
