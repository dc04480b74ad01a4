"""Who does the groups of clips: threads of this process, processes of this machine, or the machines of a cluster.

One process uses a few threads, each with a group of its own: decoding, scaling and the networks all run outside
Python's lock, so that they overlap. More processes, here or elsewhere, are a matter of dask.distributed: a local
cluster is started where several workers are asked for, and an existing scheduler is used where its address is given.
A worker that dies costs only the groups that it had in hand; they are done again by another.

Every thread computes with one core. It is the fastest way to share a machine among clips, and it makes the results
independent of how many there are: how many threads add up a sum decides its last digits.
"""

import contextlib
import logging
import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING

from torchfakes_utils.errors import InputError
from torchfakes_utils.faces.clip import Group, Job, extract_group
from torchfakes_utils.faces.config import EXTRACTION_FILE
from torchfakes_utils.faces.detection import FaceDetector
from torchfakes_utils.faces.parts import Part
from torchfakes_utils.io.machine import set_threads, thread_limit

if TYPE_CHECKING:
    from distributed import Client, Future

logger = logging.getLogger(__name__)

# More threads wait for Python's lock, which the detector's many small steps need.
_MOST_THREADS = 4
_LOCAL = {
    # What dask watches for a dashboard that is not shown here: every worker's stack a hundred times a second, its event
    # loop fifty times, the system twice; together a twentieth of two cores.
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "500ms",
    "distributed.admin.system-monitor.interval": "10s",
    # By default its workers give every freed frame back to the system at once. Video takes the next one a moment later,
    # and the system clears each page anew: five times the page faults, a fifth of all time.
    "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": None,
}
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
    if workers.scheduler is None and min(workers.processes, len(groups)) <= 1:
        yield from _in_threads(groups, job)
    else:
        yield from _in_cluster(groups, job, workers)


def threads_of_one_process(processes: int = 1) -> int:
    """How many groups a process has in hand at once."""
    return max(1, min(_MOST_THREADS, (os.cpu_count() or 1) // processes))


def _in_threads(groups: Sequence[Group], job: Job) -> Iterator[list[Part]]:
    count = min(threads_of_one_process(), len(groups))
    with thread_limit(1), ThreadPoolExecutor(count) as pool:
        ahead = iter(groups)
        running = {pool.submit(_extract, group, job) for group in islice(ahead, 2 * count)}
        try:
            while running:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                running |= {pool.submit(_extract, group, job) for group in islice(ahead, len(done))}
                yield from (future.result() for future in done)
        finally:
            pool.shutdown(cancel_futures=True)


_mine = threading.local()


def _extract(group: Group, job: Job) -> list[Part]:
    """Do one group in this thread, with the thread's own face detector: it keeps a setting while it works."""
    if getattr(_mine, "config", None) != job.config:
        _mine.detector, _mine.config = FaceDetector(job.config.device, job.config), job.config
    return list(extract_group(group, job, _mine.detector))


def extract_in_worker(group: Group, job: Job) -> list[Part]:
    """Do one group in a worker of dask, whose threads may be new.

    Raises:
        InputError: the worker does not see the folders.
    """
    if not job.root.is_dir() or not (job.out / EXTRACTION_FILE).is_file():
        missing = job.out if job.root.is_dir() else job.root
        raise InputError(f"{missing}: a worker does not see this folder; every machine needs it under the same path")
    set_threads(1)
    return _extract(group, job)


def _in_cluster(groups: Sequence[Group], job: Job, workers: Workers) -> Iterator[list[Part]]:
    with _client(workers, len(groups)) as client:
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
            raise InputError(
                "the workers that had one group of clips died again and again (out of memory?); what is done is kept: "
                "run the same command again with fewer workers"
            ) from error


@contextlib.contextmanager
def _client(workers: Workers, groups: int) -> Iterator["Client"]:
    """The cluster whose address is given, or one of this machine's processes."""
    try:
        import distributed
    except ModuleNotFoundError as error:
        text = "several workers need dask.distributed: pip install 'torchfakes[cluster]', or take --workers 1"
        raise InputError(text) from error
    if workers.scheduler is not None:
        try:
            client = distributed.Client(workers.scheduler, timeout=_PATIENCE)
        except (OSError, TimeoutError, ValueError) as error:
            raise InputError(
                f"{workers.scheduler}: no dask scheduler answers there; start one with `dask scheduler` and workers "
                "with `dask worker ADDRESS`"
            ) from error
        with client:
            if not client.nthreads():
                logger.warning("%s: no workers yet; start some with `dask worker`", workers.scheduler)
                client.wait_for_workers(1)
            yield client
        return
    import dask.config

    processes = min(workers.processes, groups)
    with (
        dask.config.set(_LOCAL),
        distributed.LocalCluster(
            n_workers=processes,
            threads_per_worker=threads_of_one_process(processes),
            memory_limit=0,  # a worker needs a few hundred MiB, whatever the number of clips: nothing to watch over
            dashboard_address=None,
            silence_logs=logging.ERROR,
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client
