"""Stopping on request without losing what was done: the first Ctrl-C lets the step in hand finish."""

import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any, Self

# What `signal.signal` gives and takes.
_Handler = Callable[[int, FrameType | None], Any] | int | signal.Handlers | None


class Interruption:
    """Notes Ctrl-C and the wish of the system that a program end; a second one stops at once.

    Attributes:
        asked: the signal that came, 0 so far.
    """

    def __init__(self, listen: bool = True) -> None:
        """With `listen` False, or in another thread than the main one, signals do what they always do."""
        self.asked = 0
        listen = listen and threading.current_thread() is threading.main_thread()
        self._signals = (signal.SIGINT, signal.SIGTERM) if listen else ()
        self._before: dict[int, _Handler] = {}

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._note) for number in self._signals}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self.asked = number
        self.__exit__()
        print("stopping after this step; once more stops at once", file=sys.stderr, flush=True)

    def follow(self) -> None:
        """Do what the signal asked for, if one came.

        Raises:
            KeyboardInterrupt: for Ctrl-C.
            SystemExit: for SIGTERM, with the status that shells know it by.
        """
        if self.asked == signal.SIGINT:
            raise KeyboardInterrupt
        if self.asked:
            raise SystemExit(128 + self.asked)
