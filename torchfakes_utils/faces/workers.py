"""Who does the groups of clips: threads of this process, processes of this machine, or the machines of a cluster.

One process uses a few threads, each with a group of its own: decoding, scaling and the networks all run outside
Python's lock, so that they overlap. More processes of this machine are those of `processes`; the scheduler of
dask.distributed is used where its address is given. A worker that dies costs only the groups that it had in hand; they
are done again by another.

Every thread computes with one core. It is the fastest way to share a machine among clips, and it makes the results
independent of how many there are: how many threads add up a sum decides its last digits.
"""

import contextlib
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING

from torchfakes_utils.errors import InputError
from torchfakes_utils.faces.clip import Group, Job
from torchfakes_utils.faces.config import EXTRACTION_FILE
from torchfakes_utils.faces.parts import Part
from torchfakes_utils.faces.processes import DIED, Processes, extract_in_thread
from torchfakes_utils.io.machine import set_threads, thread_limit

if TYPE_CHECKING:
    from distributed import Client, Future

logger = logging.getLogger(__name__)

# More threads wait for Python's lock, which the detector's many small steps need.
_MOST_THREADS = 4
# How long a scheduler may take to answer, seconds.
_PATIENCE = 10
# Groups that wait in a scheduler for each worker: enough that none is idle, few enough to list and cancel.
_AHEAD = 8


@dataclass(frozen=True)
class Workers:
    """Where to work."""

    processes: int = 1  # of this machine; 1 for this process alone
    scheduler: str | None = None  # the address of dask's, such as tcp://10.0.0.1:8786: then `processes` is ignored


def run_groups(groups: Sequence[Group], job: Job, workers: Workers) -> Iterator[list[Part]]:
    """Do all groups, in any order.

    Yields:
        The parts of a group, when it is done.

    Raises:
        InputError: the output folder cannot be written to, a scheduler cannot be reached or its workers do not see the
            folders, or dask.distributed is not installed.
    """
    if not groups:
        return
    count = min(workers.processes, len(groups))
    if workers.scheduler is not None:
        yield from _in_cluster(groups, job, workers.scheduler)
    elif count <= 1:
        yield from _in_threads(groups, job, extract_in_thread, threads_of_one_process())
    else:
        threads = threads_of_one_process(count)
        with Processes(count, threads) as processes:
            yield from _in_threads(groups, job, processes.extract, count * threads)


def threads_of_one_process(processes: int = 1) -> int:
    """How many groups a process has in hand at once."""
    return max(1, min(_MOST_THREADS, (os.cpu_count() or 1) // processes))


def _in_threads(
    groups: Sequence[Group], job: Job, extract: Callable[[Group, Job], list[Part]], count: int
) -> Iterator[list[Part]]:
    """Do all groups in so many threads, each by a call of `extract`."""
    count = min(count, len(groups))
    with thread_limit(1), ThreadPoolExecutor(count) as pool:
        ahead = iter(groups)
        running = {pool.submit(extract, group, job) for group in islice(ahead, 2 * count)}
        try:
            while running:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                running |= {pool.submit(extract, group, job) for group in islice(ahead, len(done))}
                yield from (future.result() for future in done)
        finally:
            pool.shutdown(cancel_futures=True)


def extract_in_worker(group: Group, job: Job) -> list[Part]:
    """Do one group in a worker of dask, whose threads may be new.

    Raises:
        InputError: the worker does not see the folders.
    """
    if not job.root.is_dir() or not (job.out / EXTRACTION_FILE).is_file():
        missing = job.out if job.root.is_dir() else job.root
        raise InputError(f"{missing}: a worker does not see this folder; every machine needs it under the same path")
    set_threads(1)
    return extract_in_thread(group, job)


def _in_cluster(groups: Sequence[Group], job: Job, scheduler: str) -> Iterator[list[Part]]:
    with _client(scheduler) as client:
        from distributed import as_completed
        from distributed.scheduler import KilledWorker

        job = replace(job, root=job.root.resolve(), out=job.out.resolve())
        ahead = iter(groups)

        def submit(count: int) -> list["Future[list[Part]]"]:
            # pure=False: a second run with the same arguments has to look at the disk again.
            return [client.submit(extract_in_worker, group, job, pure=False) for group in islice(ahead, count)]

        running = as_completed(submit(_AHEAD * max(1, sum(client.nthreads().values()))))
        try:
            for future in running:
                yield future.result()
                running.update(submit(1))
        except KilledWorker as error:
            raise InputError(DIED) from error


@contextlib.contextmanager
def _client(scheduler: str) -> Iterator["Client"]:
    """The cluster whose address is given."""
    try:
        import distributed
    except ModuleNotFoundError as error:
        raise InputError("--scheduler needs dask.distributed: pip install 'torchfakes[cluster]'") from error
    try:
        client = distributed.Client(scheduler, timeout=_PATIENCE)
    except (OSError, TimeoutError, ValueError) as error:
        raise InputError(
            f"{scheduler}: no dask scheduler answers there; start one with `dask scheduler` and workers with "
            "`dask worker ADDRESS`"
        ) from error
    with client:
        if not client.nthreads():
            logger.warning("%s: no workers yet; start some with `dask worker`", scheduler)
            client.wait_for_workers(1)
        yield client
