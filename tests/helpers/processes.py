"""Processes that tests start and end."""

import os
import subprocess
import sys
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


def torchrun(processes, program, *arguments):
    """Some processes of one run on this machine's CPU, a thread each; what became of them."""
    words = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(processes)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    return subprocess.run(
        [*words, *program, *map(str, arguments)], capture_output=True, text=True, env=environment, timeout=240
    )
