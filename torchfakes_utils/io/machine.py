"""What of the machine a computation uses: its device, how many threads, and processes that end with their owner."""

import contextlib
import ctypes
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


# Of glibc's malloc.h: the parameters of mallopt.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -2, -3, -4
_KEEPING = {_TRIM_THRESHOLD: 2**31 - 1, _TOP_PAD: 2**28, _MMAP_MAX: 0}
# Left alone, glibc maps what is larger than any mapped buffer that was freed so far, up to 32 MiB, and gives back what
# lies free beyond twice as much. The first call of mallopt ends this adapting for good. So afterwards its thresholds
# stand where it comes to by itself once large buffers come and go: at those that it begins with, 128 KiB, every later
# buffer of this process would be mapped and cleared anew.
_LARGEST = 32 * 2**20
_AFTERWARDS = {_TRIM_THRESHOLD: 2 * _LARGEST, _TOP_PAD: 128 * 1024, _MMAP_THRESHOLD: _LARGEST, _MMAP_MAX: 65536}
_KEPT = threading.Lock()  # held by the outermost block


@contextlib.contextmanager
def memory_kept() -> Iterator[None]:
    """Inside, memory that was freed stays with this process; afterwards the system has it back.

    glibc maps every large buffer anew and gives it back when it is freed, and the system writes zeros into each page
    that comes. Training allocates the same buffers in every step, and spends a quarter of a small network's step on
    those zeros. Nothing is done elsewhere than on glibc, inside another such block, and where the environment has told
    malloc what to do: what it was told could not be asked for, and so not be put back.
    """
    try:
        library = ctypes.CDLL("libc.so.6")
        mallopt, trim = library.mallopt, library.malloc_trim
    except (OSError, AttributeError):
        mallopt = None
    if mallopt is None or _malloc_is_told() or not _KEPT.acquire(blocking=False):
        yield
        return
    for parameter, value in _KEEPING.items():
        mallopt(parameter, value)
    try:
        yield
    finally:
        for parameter, value in _AFTERWARDS.items():
            mallopt(parameter, value)
        trim(0)
        _KEPT.release()


def _malloc_is_told() -> bool:
    """Whether the environment sets what `memory_kept` would set (mallopt(3), and glibc's manual on tunables)."""
    names = ("TRIM_THRESHOLD", "TOP_PAD", "MMAP_THRESHOLD", "MMAP_MAX")
    tunables = os.environ.get("GLIBC_TUNABLES", "")
    return any(f"MALLOC_{name}_" in os.environ or f"malloc.{name.lower()}=" in tunables for name in names)


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
