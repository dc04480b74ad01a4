"""A call that does not end is given up, whoever waits for it, and wherever it hangs."""

import sys
import threading
import time

import numpy as np
import pytest

from torchfakes_utils.course import time_limit
from torchfakes_utils.course.time_limit import OutOfTimeError, limited


def endless():
    while True:
        pass


def deaf():
    while True:
        try:  # noqa: SIM105 - as beginners write it
            sum([1, 2])
        except Exception:
            pass


def stone_deaf():
    while True:
        try:  # noqa: SIM105
            time.monotonic()
        except:  # noqa: E722
            pass


def appending():
    found = []
    while True:
        found.append([len(found)])  # takes its time to go away, too


class Untidy:
    def __del__(self):
        for _ in range(1000):
            pass


def tidying():
    while True:
        Untidy()


def raising():
    try:
        endless()
    finally:
        raise ValueError("on the way out")


@pytest.mark.parametrize("call", [endless, deaf, stone_deaf])
def test_a_loop_without_an_end_is_stopped(call):
    before, started = threading.active_count(), time.monotonic()
    with pytest.raises(OutOfTimeError, match=r"no end after 0\.2 s") as caught:
        limited(call, 0.2)
    assert caught.value.stopped and threading.active_count() == before
    assert time.monotonic() - started < 0.2 + time_limit.GRACE + 10  # a busy machine takes its time


@pytest.mark.parametrize("call", [endless, stone_deaf, appending, tidying, raising])
def test_a_loop_is_stopped_without_a_word(call, monkeypatch):
    """What is raised again and again must not reach the thread's own lines, where Python would print it."""
    said = []
    monkeypatch.setattr(threading, "excepthook", said.append)
    monkeypatch.setattr(sys, "unraisablehook", said.append)
    for _ in range(5):
        with pytest.raises(OutOfTimeError) as caught:
            limited(call, 0.1)
        assert caught.value.stopped
    assert not said


def test_nothing_is_raised_in_a_call_that_is_over():
    call = time_limit._Call(lambda: 3)
    call.start()
    call.join()
    call.interrupt()
    assert call.value == 3 and call.error is None


def test_a_call_that_only_sleeps_is_left_behind(monkeypatch):
    monkeypatch.setattr(time_limit, "GRACE", 0.1)
    started = time.monotonic()
    with pytest.raises(OutOfTimeError) as caught:
        limited(lambda: time.sleep(2), 0.2)
    assert not caught.value.stopped and time.monotonic() - started < 1.5


def test_it_works_outside_of_the_main_thread():
    said = []

    def elsewhere():
        try:
            limited(endless, 0.2)
        except OutOfTimeError as error:
            said.append(error.stopped)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join(10)
    assert said == [True]


def test_what_ends_in_time_gives_its_value_or_its_exception():
    assert limited(lambda: 3, 5) == 3
    for kind in (ValueError, SystemExit):
        with pytest.raises(kind, match="on purpose"):
            limited(lambda kind=kind: (_ for _ in ()).throw(kind("on purpose")), 5)
    with np.errstate(divide="raise"), pytest.raises(FloatingPointError):  # the caller's settings hold
        limited(lambda: np.float64(1) / np.float64(0), 5)


def test_an_interrupt_ends_the_call_too(monkeypatch):
    def interrupted(thread, seconds):
        raise KeyboardInterrupt

    before = threading.active_count()
    monkeypatch.setattr(time_limit, "_wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        limited(endless, 5)
    assert threading.active_count() == before
