"""What to do when a batch does not fit into a GPU's memory: find out which one does, and say so."""

from collections.abc import Callable

import torch


def largest_that_fits(attempt: Callable[[int], None], more_than_fits: int, least: int = 2) -> int | None:
    """The largest batch that `attempt` gets through, of the halves of one that it did not.

    Args:
        attempt: does with so many crops what takes memory; raises `torch.OutOfMemoryError` where it lacks.
        more_than_fits: crops that were too many.
        least: crops below which nothing can be trained.

    Returns:
        A number of crops, or None where even `least` are too many.
    """
    size = more_than_fits // 2
    while size >= least:
        if _fits(attempt, size):
            return size
        size //= 2
    return None


def _fits(attempt: Callable[[int], None], size: int) -> bool:
    _give_back()
    try:
        attempt(size)
        return True
    except torch.OutOfMemoryError:
        return False


def _give_back() -> None:
    """Return to the system what is held in reserve, so that one attempt leaves the next one nothing but room."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
