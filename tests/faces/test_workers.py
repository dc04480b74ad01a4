"""Threads, processes and machines give the same tables, and a worker that dies costs nothing but time."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from torchfakes_utils.datasets.faceforensics import write_clips
from torchfakes_utils.errors import InputError
from torchfakes_utils.faces import workers
from torchfakes_utils.faces.clip import Group, Job
from torchfakes_utils.faces.config import ExtractionConfig
from torchfakes_utils.faces.extraction import extract_faces
from torchfakes_utils.faces.workers import Workers, extract_in_worker

QUICK = ExtractionConfig(frames=3, size=64)


@pytest.mark.slow
def test_two_workers_give_the_same(tiny_faces: Path, tiny_ffpp: Path, tmp_path: Path) -> None:
    report = extract_faces(tiny_ffpp, tmp_path / "a", ExtractionConfig(frames=4, size=64), workers=2, progress=False)
    assert (report.clips, report.faces, report.failures) == (18, 72, 0)
    assert report.seconds > 0
    for name in ("faces.csv", "failures.csv"):
        assert (tmp_path / "a" / name).read_bytes() == (tiny_faces / name).read_bytes()


@pytest.fixture
def cluster() -> object:
    """A scheduler and workers as processes of their own; `start(n)` gives the address, and the workers to be killed."""
    pytest.importorskip("distributed")
    processes = []

    def dask(*arguments: str) -> subprocess.Popen:
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-m", "distributed.cli.dask_" + arguments[0], *arguments[1:]]
        processes.append(
            subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=environment)
        )
        return processes[-1]

    def start(workers: int, folder: Path) -> tuple[str, list[subprocess.Popen]]:
        told = folder / "scheduler.json"
        dask("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(told))
        deadline = time.monotonic() + 60
        # It is there before it is filled.
        while not (told.is_file() and told.read_text().endswith("}")) and time.monotonic() < deadline:
            time.sleep(0.1)
        address = json.loads(told.read_text())["address"]
        options = ("--nthreads", "1", "--no-nanny", "--no-dashboard", "--host", "127.0.0.1")
        scratch = ("--local-directory", str(folder))
        return address, [dask("worker", address, *options, *scratch) for _ in range(workers)]

    yield start
    for process in reversed(processes):
        process.kill()
        process.wait()


@pytest.mark.slow
def test_real_scheduler_with_a_worker_killed_half_way(tiny_ffpp: Path, tmp_path: Path, cluster: object) -> None:
    from threading import Thread

    write_clips(tiny_ffpp)
    extract_faces(tiny_ffpp, tmp_path / "alone", QUICK, progress=False)
    address, workers = cluster(2, tmp_path)
    out = tmp_path / "shared"

    def kill_one_when_some_are_done() -> None:
        deadline = time.monotonic() + 120
        while len(list((out / ".parts").rglob("*.json"))) < 3 and time.monotonic() < deadline:
            time.sleep(0.01)
        workers[0].send_signal(signal.SIGKILL)

    killer = Thread(target=kill_one_when_some_are_done)
    killer.start()
    command = [sys.executable, "-m", "torchfakes_utils", "extract", str(tiny_ffpp), "--out", str(out), "--json"]
    command += ["--frames", "3", "--size", "64", "--scheduler", address]
    result = subprocess.run(command, capture_output=True, text=True)
    killer.join()
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout) | {"seconds": 0} == {"clips": 18, "faces": 54, "failures": 0, "seconds": 0}
    assert workers[0].poll() is not None
    assert workers[1].poll() is None
    assert (out / "faces.csv").read_bytes() == (tmp_path / "alone/faces.csv").read_bytes()
    assert (out / "failures.csv").read_bytes() == (tmp_path / "alone/failures.csv").read_bytes()


@pytest.mark.slow
def test_scheduler_that_does_not_answer(tiny_ffpp: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_clips(tiny_ffpp)
    monkeypatch.setattr(workers, "_PATIENCE", 1)
    for address in ("tcp://127.0.0.1:9", "nonsense://x", "127.0.0.1:9"):
        with pytest.raises(InputError, match="no dask scheduler answers there"):
            extract_faces(tiny_ffpp, tmp_path, QUICK, Workers(scheduler=address), progress=False)


def test_a_scheduler_without_dask(tiny_ffpp: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_clips(tiny_ffpp)
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InputError, match=r"pip install 'torchfakes\[cluster\]'"):
        extract_faces(tiny_ffpp, tmp_path, QUICK, Workers(scheduler="tcp://127.0.0.1:9"), progress=False)


def test_worker_that_does_not_see_the_folders(tmp_path: Path) -> None:
    group = Group(None, [])
    with pytest.raises(InputError, match="elsewhere: a worker does not see this folder"):
        extract_in_worker(group, Job(tmp_path, tmp_path / "elsewhere", QUICK))
    with pytest.raises(InputError, match="elsewhere: a worker does not see this folder"):
        extract_in_worker(group, Job(tmp_path / "elsewhere", tmp_path, QUICK))
