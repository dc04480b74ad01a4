"""Processes that tests start and end."""

import time
from collections.abc import Iterable

import psutil


def alive(pid: int) -> bool:
    """Whether a process runs; one that nobody has asked after does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def all_end(pids: Iterable[int], seconds: float = 30) -> bool:
    """Whether processes end by themselves within so many seconds."""
    pids, deadline = list(pids), time.monotonic() + seconds
    while any(map(alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not any(map(alive, pids))
