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
import re
import threading
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

import numpy as np

from torchfakes_utils.course import comparison, handing_on
from torchfakes_utils.course.comparison import describe
from torchfakes_utils.course.time_limit import OutOfTimeError, Stop, limited
from torchfakes_utils.language import tr

SECONDS = 10.0  # for all cases together
COMPARING = 60.0  # seconds, for all that is said of an answer: an answer may be an object whose `==` never ends
MOST_PRINTED = 10_000  # characters
LEARNERS = "_of_the_learner"  # where the lesson's own function keeps the one that it stands in for
MARK = "your code here"  # stands in every stub
_EMPTY_LINES = ("", "...", "pass", "return", "return None")


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
        exact: for the check, what the answers of a case are compared with where the reference's own depend on chance.
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
    exact: Callable[..., Any] | None = None

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
    """What is said of a learner's function.

    Attributes:
        state, text: how far it is, and the one line that says so.
        outcomes: what it gave for each case; where it was right.
        changed: it changes what it is given; where it was right.
    """

    state: State
    text: str
    outcomes: Sequence[Any] = ()
    changed: bool = False


@dataclass(frozen=True)
class _Stopped:
    """A call that raised: what is said of it, and the kind of exception."""

    text: str
    kind: type[BaseException]
    said: str = ""  # its own words without numbers: by them, one mistake is told from another


class _Yielded(list[Any]):
    """What came out of a generator: a list, except that a lesson cannot index what it came from."""


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
    still about what the learner wrote. A right function that gives another type than the lesson's own (a list for an
    array), or changes what it is given, is made to give that type, from a copy.
    """
    verdict = judge(exercise, function, seed)
    state, name = verdict.state, exercise.name
    if state is State.RIGHT:
        print(tr("{name}: yours is right, and what follows uses it.", name=name))
        return _handed_on(exercise, function, seed, verdict)
    if state is State.EMPTY:
        print(tr("{name}: not written yet, so what follows uses the lesson's own.", name=name))
    else:
        text = "{name}: not right yet, so what follows uses the lesson's own; the check of {name} says why."
        print(tr(text, name=name))
    return _standing_in(exercise.reference, function)


def _handed_on(exercise: Exercise, function: Any, seed: int, verdict: Verdict) -> Callable[..., Any]:
    """The learner's function: as it is where it gives just what the lesson's own gives, else made to."""
    own = getattr(function, LEARNERS, function)
    with _quiet():
        expected = [_call(exercise.reference, copy.deepcopy(case)) for case in exercise.inputs(seed)]
    samples = [each for each in expected if not isinstance(each, _Stopped)]
    pairs = zip(expected, verdict.outcomes, strict=True)
    if not verdict.changed and all(isinstance(a, _Stopped) or handing_on.fits(b, a) for a, b in pairs):
        return own  # type: ignore[no-any-return]
    made = handing_on.as_expected(own, samples, verdict.changed)
    setattr(made, LEARNERS, own)
    return made


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
    function = _safely(lambda: getattr(function, LEARNERS, function), lambda _: function)
    if function is None or function is ...:
        return _empty(tr("`{name}` has no value.", name=exercise.name))
    if not callable(function):
        found = _described(function)
        return _wrong(tr("`{name}` is {found}, and a function is expected.", name=exercise.name, found=found))
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
        expected = [_call(exercise.exact or exercise.reference, copy.deepcopy(case)) for case in cases]
        try:
            verdict: Verdict = limited(lambda: _assessed(exercise, cases, expected, tried.outcomes), COMPARING)
        except OutOfTimeError:
            return _wrong(tr("what `{name}` returns cannot be compared: that does not end.", name=exercise.name))
    if verdict.state is State.RIGHT:
        return replace(verdict, outcomes=tried.outcomes, changed=tried.changed)
    return verdict


def _assessed(
    exercise: Exercise, cases: Sequence[tuple[Any, ...]], expected: Sequence[Any], outcomes: Sequence[Any]
) -> Verdict:
    differing = _differing(exercise, expected, outcomes)
    if not differing:
        number = tr("{count} random inputs", count=len(cases)) if len(cases) > 1 else tr("a random input")
        text = tr("Right: `{name}` gives what it should on {number}.", name=exercise.name, number=number)
        return Verdict(State.RIGHT, f"{text} {tr(exercise.afterwards)}".rstrip())
    return _wrong(tr(_hint(exercise, cases, outcomes, differing)) or _reason(exercise.name, cases, differing))


def _empty(text: str) -> Verdict:
    return Verdict(State.EMPTY, tr("Not attempted yet: {text}", text=text))


def _wrong(text: str) -> Verdict:
    return Verdict(State.WRONG, tr("Not yet: {text}", text=text))


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
    return any(
        _safely(lambda: bool(comparison.difference(before, after)), lambda _: True)  # noqa: B023 - called at once
        and not comparison.difference(before, copy.deepcopy(before))
        for before, after in zip(case, words, strict=True)
    )


def _call(function: Callable[..., Any], words: tuple[Any, ...]) -> Any:
    """What a function gives; what a generator yields as a list, and an exception as what is said of it."""

    def given() -> Any:
        found = function(*words)
        return _Yielded(found) if isinstance(found, Iterator) else found

    return _safely(given, lambda error: _raised(error, function))


def _safely(function: Callable[[], Any], otherwise: Callable[[BaseException], Any]) -> Any:
    """What `function()` gives, or `otherwise(error)`, whatever it raises: GeneratorExit and SystemExit, too.

    Only what comes from outside passes: the end of its time, and, in the main thread, the reader's "interrupt".
    """
    try:
        return function()
    except Stop:
        raise
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt) and threading.current_thread() is threading.main_thread():
            raise
        return otherwise(error)


def _described(value: Any) -> str:
    """As `describe`, of an object that may raise anything when it is looked at."""
    return str(_safely(lambda: describe(value), lambda _: comparison.kind(value)))


def _raised(error: BaseException, function: Callable[..., Any]) -> Any:
    """What is made of an exception: nothing of a stub that says so itself, else what is said of it."""
    if isinstance(error, NotImplementedError) and _safely(lambda: _says_so(error, function), lambda _: False):
        return ...
    name = _printable(type(error).__name__)
    return _Stopped(
        _safely(lambda: _told(error, function), lambda _: f"stopped with {name}"), type(error), _said(error)
    )


def _said(error: BaseException) -> str:
    return re.sub(r"\d+", "", str(_safely(lambda: str(error), lambda _: "")))


def _says_so(error: BaseException, function: Callable[..., Any]) -> bool:
    """Whether a `raise` in the learner's own lines raised this, and nothing that they call."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    code, own = trace and trace.tb_frame.f_code, getattr(inspect.unwrap(function), "__code__", None)
    if trace is None or code is None or own is None or code.co_filename != own.co_filename:
        return False
    return any(each.offset == trace.tb_lasti and each.opname == "RAISE_VARARGS" for each in dis.get_instructions(code))


def _told(error: BaseException, function: Callable[..., Any]) -> str:
    """An exception in one line: what was raised, and in which line of the learner's cell."""
    lines = _safely(lambda: str(error), lambda _: "").strip().splitlines()
    said = _printable(lines[0])[:160] if lines else ""
    text = f"stopped with {_printable(type(error).__name__)}" + (f" ({said})" if said else "")
    code = getattr(inspect.unwrap(function), "__code__", None)
    frames = [
        frame for frame in traceback.extract_tb(error.__traceback__) if code and frame.filename == code.co_filename
    ]
    if not frames:
        return f"{text}: does it take the arguments that its stub had?" if isinstance(error, TypeError) else text
    source = f": `{_printable(frames[-1].line)}`" if frames[-1].line else ""
    return f"{text} in line {frames[-1].lineno} of its cell{source}"


def _printable(text: str) -> str:
    """Without colours and other codes of a terminal, in one line."""
    text = re.sub(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(\x07|\x1b\\)?", "", text)
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())


# --- saying what is wrong


def _says_nothing(outcomes: Sequence[Any]) -> bool:
    return all(outcome is None or outcome is ... for outcome in outcomes)


def _nothing(name: str, function: Callable[..., Any], tried: _Tried) -> Verdict:
    """A function that returns nothing is a stub, or lacks its `return`."""
    if tried.talked:
        return _wrong(tr("`{name}` prints and returns nothing. End it with `return`, not with `print`.", name=name))
    if tried.changed:
        return _wrong(tr("`{name}` changes what it is given and returns nothing. End it with `return`.", name=name))
    if ... in tried.outcomes or _is_stub(function):
        return _empty(
            tr("`{name}` returns nothing. Write your lines into its stub, the last with `return`.", name=name)
        )
    return _wrong(tr("`{name}` returns nothing (None). Is its `return` missing?", name=name))


def _is_stub(function: Callable[..., Any]) -> bool:
    """Whether a function has no lines of its own, or none below the mark of the stub."""
    try:
        if _instructions(function) == _instructions(lambda: None):
            return True
        _, mark, below = inspect.getsource(function).partition(MARK)
        lines = [line.partition("#")[0].strip() for line in below.splitlines()[1:]]
        return bool(mark) and all(line in _EMPTY_LINES for line in lines)
    except Exception:  # noqa: BLE001 - no Python, or nobody knows its source
        return False


def _instructions(function: Callable[..., Any]) -> list[str]:
    return [each.opname for each in dis.get_instructions(function)]


def _endless(name: str, case: tuple[Any, ...], error: OutOfTimeError) -> str:
    text = tr(
        "{called} has not ended after {seconds:g} s, and was given up: too slow, or endless.",
        called=f"{name}({_arguments(case)})",
        seconds=SECONDS,
    )
    return text if error.stopped else f"{text} {tr('It could not be stopped: restart the kernel.')}"


def _arguments(case: tuple[Any, ...]) -> str:
    return ", ".join(map(comparison.written, case))


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
        return f"yours is {_described(outcome)}, and a {expected.kind.__name__} is expected"

    def incomparable(error: BaseException) -> str:
        return f"yours is {_described(outcome)}, which cannot be compared ({_printable(type(error).__name__)})"

    return str(_safely(lambda: exercise.difference(expected, outcome), incomparable))


def _hint(
    exercise: Exercise, cases: Sequence[tuple[Any, ...]], outcomes: Sequence[Any], differing: Mapping[int, str]
) -> str:
    """The hint of the mistake that explains every case that is wrong; of several, the one that fits most cases."""
    best, most = "", 0
    for hint, mistake in exercise.wrong.items():
        with _quiet():
            given = [_call(mistake, copy.deepcopy(case)) for case in cases[: len(outcomes)]]
        agree = {number for number, each in enumerate(given) if _is_like(exercise, each, outcomes[number])}
        if set(differing) <= agree and len(agree) > most:
            best, most = hint, len(agree)
    return best


def _is_like(exercise: Exercise, mistake: Any, outcome: Any) -> bool:
    """Whether a mistake gives what was found; of exceptions, one of the same words."""
    if isinstance(mistake, _Stopped) and isinstance(outcome, _Stopped) and mistake.said != outcome.said:
        return False
    return not _departure(exercise, mistake, outcome)


def _reason(name: str, cases: Sequence[tuple[Any, ...]], differing: Mapping[int, str]) -> str:
    """Where the first wrong case departs, and for which arguments."""
    number, text = next(iter(differing.items()))
    called = f"{name}({_arguments(cases[number])})"
    end = "" if text.endswith("?") else "."
    return (
        f"{called} {text}{end}" if text.startswith("stopped") else f"{tr('for {called}', called=called)}, {text}{end}"
    )
