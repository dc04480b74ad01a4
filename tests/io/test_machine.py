"""What of the machine is used: a device by name, a number of threads that is given back, and nothing for ever."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import cv2
import pytest
import torch

from torchfakes_utils.errors import InputError
from torchfakes_utils.io.machine import end_with_parent, set_threads, thread_limit, torch_device

from helpers.processes import all_end


def test_torch_device(monkeypatch):
    assert torch_device("cpu").type == "cpu"
    with pytest.raises(InputError, match="'toaster' cannot be used"):
        torch_device("toaster")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert torch_device("auto").type == "cpu"
    if not torch.backends.cuda.is_built() or torch.cuda.device_count() == 0:
        with pytest.raises(InputError, match="'cuda' cannot be used"):
            torch_device("cuda")


FAULTS = """
import resource, sys
import numpy as np
from torchfakes_utils.io.machine import memory_kept

def faults(mib=64):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        np.ones(int(2**17 * mib))  # and nothing of it is used again
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
"""
KEPT = """
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize() / 2**20

faults()
usual, at_first = faults(), resident()
with memory_kept():
    faults()
    with memory_kept():
        pass
    kept, inside = faults(), resident()
print(usual, kept, faults(), inside - at_first, resident() - at_first)
"""


AROUND = """
sizes = (0.5, 2, 16)  # MiB
ever = [faults(mib) for mib in sizes]  # the first of each is mapped: glibc learns by it what is large
usual = [faults(mib) for mib in sizes]
with memory_kept():
    faults()
again = [faults(mib) for mib in sizes]
print(sum(usual), sum(again))
"""
glibc = pytest.mark.skipif("glibc" not in platform.libc_ver(), reason="glibc's own way with memory")


def said_by(program, **environment):
    words = [sys.executable, "-c", FAULTS + program]
    done = subprocess.run(words, capture_output=True, text=True, check=True, env=os.environ | environment)
    return list(map(float, done.stdout.split()))


@glibc
def test_memory_is_kept_inside_the_block_and_given_back_after_it():
    usual, kept, after, more_inside, more_after = said_by(KEPT)
    assert kept < usual / 5 and after > usual / 2
    assert more_inside > 50 and more_after < 10


@glibc
def test_after_the_block_buffers_are_used_again_as_before_it():
    """Each page of the three sizes once, for all was given back; not with every buffer, twenty times of each."""
    usual, again = said_by(AROUND)
    pages = 18.5 * 2**20 / os.sysconf("SC_PAGE_SIZE")
    assert usual < pages and again < usual + 2 * pages


@glibc
@pytest.mark.parametrize(
    "told", [{"MALLOC_MMAP_THRESHOLD_": "1048576"}, {"GLIBC_TUNABLES": "glibc.malloc.trim_threshold=1048576"}]
)
def test_what_the_environment_tells_malloc_stays(told):
    usual, kept, *_ = said_by(KEPT, **told)
    assert kept > usual / 2


def test_a_thread_limit_ends_with_its_block_whatever_happens_inside():
    before = torch.get_num_threads(), cv2.getNumThreads()
    try:
        set_threads(3)
        inside = []

        def fails():
            with thread_limit(2):
                inside.extend((torch.get_num_threads(), cv2.getNumThreads()))
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            fails()
        assert inside == [2, 2]
        assert (torch.get_num_threads(), cv2.getNumThreads()) == (3, 3)
    finally:
        torch.set_num_threads(before[0])
        cv2.setNumThreads(before[1])


POOL = """
import os, time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from torchfakes_utils.io.machine import end_with_parent

if __name__ == "__main__":
    with ProcessPoolExecutor(1, get_context("spawn"), end_with_parent) as pool:
        print(pool.submit(os.getpid).result(), flush=True)
        time.sleep(60)
"""


@pytest.mark.slow
def test_a_pool_ends_with_its_owner_however_that_ends(tmp_path):
    script = tmp_path / "pool.py"
    script.write_text(POOL)
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, env=environment) as owner:
        worker = int(owner.stdout.readline())
        owner.kill()
    assert all_end([worker])


def test_who_has_no_owner_goes_on():
    end_with_parent()
