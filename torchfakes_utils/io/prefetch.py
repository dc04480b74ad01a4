"""Read ahead: the next item is made by a thread of its own while the last one is used."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")


def read_ahead(
    items: Iterable[Item], depth: int = 2, alone: Callable[[Item], bool] = lambda item: False
) -> Iterator[Item]:
    """The same items, made by a thread of their own while the last one is being used.

    An exception in making one is raised where it would have come. Leaving the loop early stops the thread.

    Args:
        items: any.
        depth: how many may wait.
        alone: whether an item takes so much room that no further one is begun before whoever uses it asks for the next.
    """
    source, end = iter(items), object()
    with ThreadPoolExecutor(1, "read-ahead") as pool:
        ahead: deque[Future[Item | object]] = deque(pool.submit(next, source, end) for _ in range(depth))
        try:
            while (item := ahead.popleft().result()) is not end:
                waits = alone(item)  # type: ignore[arg-type]  # the end has been told apart
                if not waits:
                    ahead.append(pool.submit(next, source, end))
                yield item  # type: ignore[misc]
                del item  # nobody else may hold it any more
                if waits:
                    ahead.append(pool.submit(next, source, end))
        finally:
            pool.shutdown(cancel_futures=True)
