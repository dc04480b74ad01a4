"""Read ahead: the next item is made by a thread of its own while the last one is used."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")


def read_ahead(items: Iterable[Item], depth: int = 2) -> Iterator[Item]:
    """The same items, made by a thread of their own while the last one is being used; at most `depth` wait.

    An exception in making one is raised where it would have come. Leaving the loop early stops the thread.
    """
    source, end = iter(items), object()
    with ThreadPoolExecutor(1, "read-ahead") as pool:
        ahead: deque[Future[Item | object]] = deque(pool.submit(next, source, end) for _ in range(depth))
        try:
            while (item := ahead.popleft().result()) is not end:
                ahead.append(pool.submit(next, source, end))
                yield item  # type: ignore[misc]  # the end has been told apart
        finally:
            pool.shutdown(cancel_futures=True)
