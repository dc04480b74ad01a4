"""What the checks of exercises share: a learner's function that stops with an error has answered, too."""

import functools
from collections.abc import Callable
from typing import Any


class _StoppedError(Exception):
    """A learner's function raised something; it has been said."""


def check(function: Callable[..., None]) -> Callable[..., None]:
    """Make a check end quietly where a learner's function, called by `attempt`, has stopped."""

    @functools.wraps(function)
    def checked(*words: Any, **more: Any) -> None:
        try:
            function(*words, **more)
        except _StoppedError:
            return

    return checked


def attempt(function: Callable[..., Any], *words: Any) -> Any:
    """What a learner's function gives; where it stops with an error, one line says so, and the check ends."""
    try:
        return function(*words)
    except Exception as error:
        print(f"Your function stopped with {type(error).__name__}: {error}. What did it get, and of which shape?")
        raise _StoppedError from error
