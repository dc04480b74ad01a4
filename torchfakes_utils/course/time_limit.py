"""Giving up on a call that does not end: what a learner writes may contain `while True`.

The call runs in a thread of its own, and the caller waits no longer than it is allowed to. So it works in a notebook,
in a thread, and on every system; a signal (`signal.setitimer`) would need the main thread and Unix, and would take the
place of other people's timers. The thread is then stopped by an exception that Python raises in it at the next line of
Python code. What hangs inside one call of C code cannot be stopped: it is left behind, and ends with the kernel.
"""

import contextvars
import ctypes
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

GRACE = 1.0  # seconds that a call has for ending, after it was stopped


class OutOfTimeError(Exception):
    """A call took longer than it was allowed to.

    Attributes:
        stopped: whether it has ended; otherwise it goes on, unseen, until the kernel is restarted.
    """

    def __init__(self, seconds: float, stopped: bool) -> None:
        super().__init__(f"no end after {seconds:g} s")
        self.stopped = stopped


class Stop(BaseException):
    """Raised in the thread of a call that is out of time; `except Exception` in its loop does not catch it."""


def limited(function: Callable[[], Any], seconds: float) -> Any:
    """What `function()` returns, or the exception that it raises, if it ends in time.

    Raises:
        OutOfTimeError: it did not.
    """
    result: dict[str, Any] = {}

    def call() -> None:
        try:
            result["value"] = function()
        except Stop:
            pass
        except BaseException as error:  # noqa: BLE001 - handed on to the caller, SystemExit too
            result["error"] = error

    thread = threading.Thread(target=contextvars.copy_context().run, args=(call,), daemon=True, name="a learner's call")
    thread.start()
    try:
        _wait(thread, seconds)
    except BaseException:  # the reader pressed "interrupt"
        _stop(thread)
        raise
    if thread.is_alive():
        _stop(thread)
        raise OutOfTimeError(seconds, not thread.is_alive())
    if "error" in result:
        raise result["error"]
    return result.get("value")


def _wait(thread: threading.Thread, seconds: float) -> None:
    """In short turns: on Windows, a wait cannot be interrupted from the keyboard."""
    end = time.monotonic() + seconds
    while thread.is_alive() and time.monotonic() < end:
        thread.join(min(0.1, max(end - time.monotonic(), 0)))


def _stop(thread: threading.Thread) -> None:
    """Raise in the thread until it ends: a loop round a bare `except:` swallows what comes within a turn."""
    end, interval = time.monotonic() + GRACE, sys.getswitchinterval()
    sys.setswitchinterval(0.0001)  # so that there are thousands of tries
    try:
        while thread.is_alive() and time.monotonic() < end:
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(Stop))
            thread.join(0.001)
    finally:
        sys.setswitchinterval(interval)
