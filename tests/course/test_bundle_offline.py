"""A lesson from a bundle on a machine without a network: in a network namespace that has none, not even loopback."""

import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import nbformat
import pytest

from torchfakes_utils import course
from torchfakes_utils.course import build, bundle
from torchfakes_utils.course.bundle import NAME, BundleConfig

LESSON = Path(__file__).parents[2] / "notebooks" / "00_start_here.ipynb"
ALONE = ["unshare", "--map-root-user", "--net"]
REACH = "import socket; socket.create_connection(('127.0.0.1', 9), 2)"


@pytest.mark.slow
@pytest.mark.timeout(1800)  # its inputs may have to be made first
def test_lesson_00_runs_from_a_bundle(tmp_path):
    if not shutil.which("unshare") or subprocess.run([*ALONE, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this system lets nobody make a network namespace")
    lesson = nbformat.read(LESSON, as_version=4)
    for step in build.needed(lesson):
        course.ensure(step)
    made = bundle.make_bundle(tmp_path / "bundle.tar", BundleConfig(wheels=False))
    with tarfile.open(made.path) as tar:
        tar.extractall(tmp_path, filter="data")
    folder, out = tmp_path / NAME / "lessons", tmp_path / "ran.ipynb"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TORCHFAKES_")}
    environment["PYTHONPATH"] = str(LESSON.parents[1])
    # Kernels speak through files: there is no loopback either.
    command = [sys.executable, "-m", "nbconvert", "--to", "notebook", "--execute", "--KernelManager.transport=ipc",
               "--output", str(out), "00_start_here.ipynb"]  # fmt: skip
    tried = subprocess.run([*ALONE, sys.executable, "-c", REACH], capture_output=True, text=True, check=False)
    assert "Network is unreachable" in tried.stderr, "the namespace has no network"
    done = subprocess.run(
        [*ALONE, *command], cwd=folder / "notebooks", env=environment, capture_output=True, text=True, timeout=900,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    ran = nbformat.read(out, as_version=4)
    printed = [
        one.get("text", "") for cell in ran.cells for one in cell.get("outputs", []) if one.output_type == "stream"
    ]
    assert all(cell.execution_count for cell in ran.cells if cell.cell_type == "code")
    assert not [text for text in printed if "(once)" in text], "all inputs were in the bundle"
