"""Processes of this machine that do groups of clips, and are spoken to through pipes that only they and we hold.

Nothing listens anywhere: who else works on the machine can neither see what is done nor hand anything in.
"""

import contextlib
import pickle
import queue
import signal
import threading
from collections.abc import Sequence
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from torchfakes_utils.errors import InputError
from torchfakes_utils.faces.clip import Group, Job, extract_group
from torchfakes_utils.faces.detection import FaceDetector
from torchfakes_utils.faces.parts import Part
from torchfakes_utils.io.machine import set_threads

DIED = (
    "the workers that had one group of clips died again and again (out of memory?); what is done is kept: run the same "
    "command again with fewer workers"
)
_TRIES = 3
_PATIENCE = 10  # seconds that processes may take to end
_SPAWN = get_context("spawn")

_mine = threading.local()


def extract_in_thread(group: Group, job: Job) -> list[Part]:
    """Do one group in this thread, with the thread's own face detector: it keeps a setting while it works."""
    if getattr(_mine, "config", None) != job.config:
        _mine.detector, _mine.config = FaceDetector(job.config.device, job.config), job.config
    return list(extract_group(group, job, _mine.detector))


class Processes(contextlib.AbstractContextManager["Processes"]):
    """Worker processes, each with some threads that do one group at a time; gone when the block ends."""

    def __init__(self, count: int, threads: int) -> None:
        """Start `count` processes of `threads` threads."""
        self._threads, self._lock = threads, threading.Lock()
        self._running: list[BaseProcess] = []
        self._free: queue.SimpleQueue[tuple[Connection, BaseProcess]] = queue.SimpleQueue()
        for _ in range(count):
            self._start()

    def extract(self, group: Group, job: Job) -> list[Part]:
        """Have a group done by whoever is free; a process that dies is replaced, and what it had is done again.

        Raises:
            InputError: as of `extract_group`; or every process that has this group dies of it.
        """
        tries = 0
        while tries < _TRIES:
            connection, process = self._free.get()
            try:
                connection.send((group, job))
                tries += 1  # else it had died before
                done: list[Part] | Exception = connection.recv()
            except (EOFError, OSError):
                connection.close()
                self._replace(process)
                continue
            self._free.put((connection, process))
            if isinstance(done, Exception):
                raise done
            return done
        raise InputError(DIED)

    def __exit__(self, *_: object) -> None:
        """Let them end, or end them."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._free.get_nowait()[0].close()
        for process in self._running:
            process.join(_PATIENCE)
            if process.is_alive():
                process.kill()

    def _start(self) -> None:
        pairs = [_SPAWN.Pipe() for _ in range(self._threads)]
        process = _SPAWN.Process(target=_work, args=([theirs for _, theirs in pairs],))
        process.start()
        self._running.append(process)
        for ours, theirs in pairs:
            theirs.close()  # so that we hear when the process ends
            self._free.put((ours, process))

    def _replace(self, dead: BaseProcess) -> None:
        with self._lock:
            if dead in self._running:  # only the first of its threads to be missed has it replaced
                self._running.remove(dead)
                self._start()


def _work(connections: Sequence[Connection]) -> None:
    """What a process does, until the other ends of its pipes are closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one that started us: what is in hand is finished
    set_threads(1)
    threads = [threading.Thread(target=_answer, args=(connection,)) for connection in connections]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _answer(connection: Connection) -> None:
    with contextlib.suppress(EOFError, OSError):
        while True:
            group, job = connection.recv()
            done: list[Part] | Exception
            try:
                done = extract_in_thread(group, job)
            except Exception as error:  # noqa: BLE001  (whatever it is, it is for the one that asked)
                done = _portable(error)
            connection.send(done)


def _portable(error: Exception) -> Exception:
    """The error, or what it says where it cannot be sent."""
    try:
        pickle.loads(pickle.dumps(error))
    except (pickle.PickleError, TypeError, ValueError, AttributeError):  # some need more than their text to be made
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
