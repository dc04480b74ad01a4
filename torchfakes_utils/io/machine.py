"""What of the machine a computation uses: its device, how many threads, and processes that end with their owner."""

import contextlib
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING, Any

import cv2

from torchfakes_utils.errors import InputError

if TYPE_CHECKING:
    import torch


def torch_device(name: str = "auto") -> "torch.device":
    """A device by name: "auto" is a CUDA GPU where there is one, else the CPU; the others are torch's own names.

    Raises:
        InputError: the name means nothing, or this machine has no such device.
    """
    import torch

    if name == "auto":  # never MPS, which lacks an operation that MTCNN's pyramid needs
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:  # torch without CUDA answers with an assertion
        raise InputError(f"device {name!r} cannot be used on this machine; choose auto or cpu") from error
    return device


def set_threads(count: int) -> None:
    """Let torch and OpenCV compute with `count` threads from now on."""
    import torch

    torch.set_num_threads(count)
    cv2.setNumThreads(count)


@contextlib.contextmanager
def thread_limit(count: int) -> Iterator[None]:
    """Let torch and OpenCV compute with `count` threads inside the block.

    Sums are then added in one order, whatever the machine's number of cores, and the last bit of a result with them.
    """
    import torch

    before = torch.get_num_threads(), cv2.getNumThreads()
    set_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        cv2.setNumThreads(before[1])


def end_with_parent() -> None:
    """End this process as soon as the one that started it is gone, however that ended.

    For the workers of a pool: they wait for tasks for ever, with all their memory, where `kill -9` took their owner.
    """
    parent = multiprocessing.parent_process()
    if parent is None:  # not started by multiprocessing: there is nobody to end with
        return

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


@contextlib.contextmanager
def process_map(workers: int) -> Iterator[Callable[..., Iterator[Any]]]:
    """Inside, a `map` that spreads its calls over so many processes, begun afresh; 1 works in this one."""
    if workers == 1:
        yield map
        return
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), end_with_parent) as pool:
        yield pool.map
