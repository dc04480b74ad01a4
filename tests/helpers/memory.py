"""How much memory processes have taken, as Linux counts it."""

import contextlib
import threading
import time
from pathlib import Path

import psutil


def peak(process: int | str = "self") -> int:
    """Bytes of memory that a process has had at once, since it became the program that it is."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024


class Peaks(threading.Thread):
    """Watches a process, and all that it starts, until it ends.

    Attributes:
        own: bytes that it has taken at most.
        children: the same of each process that it has started.
    """

    def __init__(self, process: int, pause: float = 0.02) -> None:
        super().__init__(daemon=True)
        self.own, self.children = 0, {}
        self._process, self._pause = psutil.Process(process), pause
        self.start()

    def run(self) -> None:
        """Look every few milliseconds; peaks only grow, so what is missed is a process's last moment."""
        with contextlib.suppress(psutil.Error, OSError, StopIteration):  # a process without memory has ended
            while True:
                self.own = peak(self._process.pid)
                for child in self._process.children(recursive=True):
                    with contextlib.suppress(psutil.Error, OSError, StopIteration):
                        # Not the largest: before it is a program of its own, it counts what its parent has.
                        self.children[child.pid] = peak(child.pid)
                time.sleep(self._pause)
