import itertools
import threading
import time
import weakref

import pytest

from torchfakes_utils.errors import InputError
from torchfakes_utils.io.prefetch import read_ahead


def test_read_ahead_gives_everything_in_order():
    assert list(read_ahead(iter(range(100)))) == list(range(100))
    assert list(read_ahead([])) == []


def test_read_ahead_works_while_the_last_item_is_used():
    """Nobody asks for the third item before the second is used; it is made all the same."""
    made = [threading.Event() for _ in range(4)]

    def items():
        for number, event in enumerate(made):
            event.set()
            yield number

    ahead = read_ahead(items())
    assert next(ahead) == 0
    assert made[2].wait(timeout=30)
    assert list(ahead) == [1, 2, 3]


def test_what_takes_room_is_alone():
    """The next item is begun when the last one is gone, and not before."""

    class Large:
        pass

    made: list[weakref.ref] = []

    def new():
        item = Large()
        made.append(weakref.ref(item))
        return item

    def items():
        for _ in range(3):
            assert all(one() is None for one in made)
            yield new()

    numbers = itertools.count(1)
    for item in read_ahead(items(), 1, lambda item: isinstance(item, Large)):
        time.sleep(0.05)  # in which the next one would be begun
        assert len(made) == next(numbers) and made[-1]() is item
        del item
    assert len(made) == 3


def test_read_ahead_passes_errors_on():
    def fails():
        yield 1
        raise InputError("crop 7 is gone")

    items = read_ahead(fails())
    assert next(items) == 1
    with pytest.raises(InputError, match="crop 7"):
        next(items)


def test_leaving_read_ahead_early_stops_its_thread():
    for _ in read_ahead(iter(int, 1), depth=1):  # an endless iterator
        break
    deadline = time.time() + 5
    while any(thread.name.startswith("read-ahead") for thread in threading.enumerate()) and time.time() < deadline:
        time.sleep(0.01)
    assert not any(thread.name.startswith("read-ahead") for thread in threading.enumerate())
