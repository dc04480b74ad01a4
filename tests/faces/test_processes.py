"""Worker processes: nothing listens while they work, one that dies is replaced, and what they raise arrives."""

import contextlib
import threading
import time
from multiprocessing.process import BaseProcess
from pathlib import Path

import psutil
import pytest

from torchfakes_utils.errors import InputError
from torchfakes_utils.faces.clip import Group, Job
from torchfakes_utils.faces.config import ExtractionConfig
from torchfakes_utils.faces.extraction import extract_faces
from torchfakes_utils.faces.processes import DIED, Processes

QUICK = ExtractionConfig(frames=4, size=64)


def workers() -> list[psutil.Process]:
    """The processes that were started for work."""
    found = []
    for one in psutil.Process().children():
        with contextlib.suppress(psutil.Error):  # it has just ended
            found += [one] if "spawn_main" in " ".join(one.cmdline()) else []
    return found


def listening() -> list[str]:
    """What this process and those that it started listen to."""
    found = []
    for process in (psutil.Process(), *psutil.Process().children(recursive=True)):
        try:
            connections = process.net_connections("all")
        except psutil.Error:  # it has just ended
            continue
        found += [f"{one.laddr}" for one in connections if one.status == psutil.CONN_LISTEN]
        found += [one.laddr for one in connections if one.family.name == "AF_UNIX" and one.laddr]
    return found


@pytest.mark.slow
def test_nothing_listens_and_a_worker_that_is_killed_costs_nothing(
    tiny_faces: Path, tiny_ffpp: Path, tmp_path: Path
) -> None:
    before, heard, killed, ended = set(listening()), set(), [], threading.Event()

    def watch() -> None:
        while not ended.wait(0.2):
            heard.update(set(listening()) - before)
            if not killed and len(list((tmp_path / ".parts").rglob("*.json"))) > 1:
                victim = workers()[0]
                victim.kill()
                killed.append(victim.pid)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        report = extract_faces(tiny_ffpp, tmp_path, QUICK, workers=2, progress=False)
    finally:
        ended.set()
        watcher.join()
    assert killed and not heard
    assert (report.clips, report.faces, report.failures) == (18, 72, 0)
    for name in ("faces.csv", "failures.csv"):
        assert (tmp_path / name).read_bytes() == (tiny_faces / name).read_bytes()
    assert not workers()


@pytest.mark.slow
def test_what_a_worker_raises_arrives_and_one_that_always_dies_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = Processes._start

    def started(processes: Processes) -> BaseProcess:
        start(processes)
        time.sleep(1)  # until it is one that can be asked
        return processes._running[-1]

    job = Job(tmp_path, tmp_path, ExtractionConfig(device="cuda:99"))
    with Processes(1, 1) as processes:
        with pytest.raises(InputError, match="device 'cuda:99' cannot be used"):
            processes.extract(Group(None, []), job)
        monkeypatch.setattr(processes, "_start", lambda: started(processes).kill())
        for one in workers():
            one.kill()
        with pytest.raises(InputError) as caught:
            processes.extract(Group(None, []), job)
    assert str(caught.value) == DIED
