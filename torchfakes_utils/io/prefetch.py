"""Read ahead: the next item is made by a thread of its own while the last one is used."""

import threading
from collections.abc import Iterable, Iterator
from queue import Empty, Full, Queue
from typing import TypeVar

Item = TypeVar("Item")


def read_ahead(items: Iterable[Item], depth: int = 2) -> Iterator[Item]:  # noqa: C901
    """The same items, made by a thread of their own while the last one is being used; at most `depth` wait.

    An exception in making one is raised where it would have come. Leaving the loop early stops the thread.
    """
    ready: Queue = Queue(depth)
    left = threading.Event()

    def put(kind: str, value: object) -> None:
        while not left.is_set():
            try:
                return ready.put((kind, value), timeout=0.1)
            except Full:
                continue
        return None

    def make() -> None:
        try:
            for item in items:
                put("item", item)
                if left.is_set():
                    return
            put("end", None)
        except BaseException as error:  # noqa: BLE001
            put("error", error)

    thread = threading.Thread(target=make, name="read-ahead", daemon=True)
    thread.start()
    try:
        while True:
            kind, value = _next(ready, thread)
            if kind == "error":
                raise value
            if kind == "end":
                return
            yield value
    finally:
        left.set()
        thread.join()


def _next(ready: Queue, thread: threading.Thread) -> tuple[str, object]:
    while True:
        try:
            return ready.get(timeout=1)
        except Empty:
            if not thread.is_alive() and ready.empty():
                raise RuntimeError("the thread that reads crops ended without a word") from None
