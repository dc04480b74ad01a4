"""That the check of an exercise teaches: every answer gets the line that is meant for it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from torchfakes_utils.course import practice
from torchfakes_utils.course.practice import Exercise, State

SEEDS = range(5)
FEWEST_WRONG = 3


def assert_teaches(
    exercise: Exercise,
    right: Sequence[Callable[..., Any]] = (),
    wrong: Mapping[str, Callable[..., Any]] | None = None,
    seeds: Iterable[int] = SEEDS,
) -> None:
    """The stub, the reference, other right solutions and plausible wrong ones each get their own line.

    Args:
        exercise: what is tested, with random inputs of several seeds.
        right: solutions written differently (looped, vectorised, `dim=` for `axis=`, lists, tensors).
        wrong: a part of a hint -> what a learner might write; three at least, each with its own part. It may be one of
            the exercise's hints, or a part of the line that tells where the answer departs.
        seeds: of the inputs; fewer where an answer takes long.
    """
    wrong = wrong or {}
    assert len(wrong) >= FEWEST_WRONG, f"{exercise.name}: {FEWEST_WRONG} wrong answers at least"
    for seed in seeds:
        assert_line(exercise, lambda *_: None, seed, State.EMPTY)
        for answer in (exercise.reference, *right):
            assert_line(exercise, answer, seed, State.RIGHT)
        for hint, mistake in exercise.wrong.items():
            assert_line(exercise, mistake, seed, State.WRONG, hint)
        said = {part: assert_line(exercise, answer, seed, State.WRONG, part) for part, answer in wrong.items()}
        for part in wrong:
            of = [other for other, text in said.items() if part in text]
            assert of == [part], f"{exercise.name}: {part!r} is also said of the answer meant for {of}"


def assert_line(exercise: Exercise, answer: Any, seed: int, state: State, part: str = "") -> str:
    """The one line that an answer gets; it begins as it should and holds `part`."""
    verdict = practice.judge(exercise, answer, seed)
    assert "\n" not in verdict.text, verdict.text
    assert verdict.state is state and verdict.text.startswith(state.value), (
        f"{exercise.name}, seed {seed}: {verdict.text}"
    )
    assert part in verdict.text, f"{exercise.name}, seed {seed}: {part!r} is not in {verdict.text!r}"
    return verdict.text
