"""Giving up on a call that does not end: what a learner writes may contain `while True`.

The call runs in a thread of its own, and the caller waits no longer than it is allowed to. So it works in a notebook,
in a thread, and on every system; a signal (`signal.setitimer`) would need the main thread and Unix, and would take the
place of other people's timers. The thread is then stopped by an exception that Python raises in it at the next line of
Python code. What hangs inside one call of C code cannot be stopped: it is left behind, and ends with the kernel.
"""

import contextlib
import contextvars
import ctypes
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

GRACE = 3.0  # seconds that a call has for ending, after it was stopped; mostly a tenth of one is enough


class OutOfTimeError(Exception):
    """A call took longer than it was allowed to.

    Attributes:
        stopped: whether it has ended; otherwise it goes on, unseen, until the kernel is restarted.
    """

    def __init__(self, seconds: float, stopped: bool) -> None:
        super().__init__(f"no end after {seconds:g} s")
        self.stopped = stopped


class Stop(SystemExit):
    """Raised in the thread of a call that is out of time; `except Exception` in its loop does not catch it.

    A `SystemExit`, since of all exceptions it is the one that a thread may end with without a word.
    """


class _Call(threading.Thread):
    """A call in a thread of its own.

    Attributes:
        value: what it gave; None until then.
        error: what it raised.
    """

    def __init__(self, function: Callable[[], Any]) -> None:
        super().__init__(daemon=True, name="a learner's call")
        self.value: Any = None
        self.error: BaseException | None = None
        self._function, self._context = function, contextvars.copy_context()
        self._lock, self._over = threading.Lock(), False

    def run(self) -> None:
        """Call, and say under the lock that it is over: what comes after must not be stopped any more."""
        try:
            self.value = self._context.run(self._function)
        except Stop:
            pass
        except BaseException as error:  # noqa: BLE001 - handed on to the caller, SystemExit too
            self.error = error
        while not self._over:  # one more Stop may be on its way
            try:
                with self._lock:
                    self._over = True
            except Stop:
                pass

    def interrupt(self) -> None:
        """Raise `Stop` in the call, unless it is over."""
        with self._lock:
            if not self._over:
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self.ident or 0), ctypes.py_object(Stop))


def limited(function: Callable[[], Any], seconds: float) -> Any:
    """What `function()` returns, or the exception that it raises, if it ends in time.

    Raises:
        OutOfTimeError: it did not.
    """
    call = _Call(function)
    call.start()
    try:
        _wait(call, seconds)
    except BaseException:  # the reader pressed "interrupt"
        _stop(call)
        raise
    if call.is_alive():
        _stop(call)
        raise OutOfTimeError(seconds, not call.is_alive())
    if call.error is not None:
        raise call.error
    return call.value


def _wait(thread: threading.Thread, seconds: float) -> None:
    """In short turns: on Windows, a wait cannot be interrupted from the keyboard."""
    end = time.monotonic() + seconds
    while thread.is_alive() and time.monotonic() < end:
        thread.join(min(0.1, max(end - time.monotonic(), 0)))


def _stop(call: _Call) -> None:
    """Raise in the call until it ends: a loop round a bare `except:` swallows what comes within a turn."""
    end, interval = time.monotonic() + GRACE, sys.getswitchinterval()
    sys.setswitchinterval(0.0001)  # so that there are thousands of tries
    try:
        with _unheard():
            while call.is_alive() and time.monotonic() < end:
                call.interrupt()
                call.join(0.0001)
    finally:
        sys.setswitchinterval(interval)


@contextlib.contextmanager
def _unheard() -> Iterator[None]:
    """Say nothing of a `Stop` that comes while Python tidies up, in a `__del__`, where it can only be printed."""
    before = sys.unraisablehook
    sys.unraisablehook = lambda told: None if told.exc_type is Stop else before(told)
    try:
        yield
    finally:
        sys.unraisablehook = before
