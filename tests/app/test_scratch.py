"""What a killed program leaves behind goes when the next one starts; what a living one uses stays."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from torchfakes_utils.app.scratch import Scratch

PROGRAM = """
import sys, time
from torchfakes_utils.app.scratch import Scratch
scratch = Scratch("torchfakes-app-")
(scratch.folder / "me.jpg").write_bytes(b"a face")
print(scratch.folder, flush=True)
time.sleep(600)
"""


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    return tmp_path


@pytest.fixture
def program(temporary):
    process = subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True)
    process.folder = Path(process.stdout.readline().strip())
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_it_is_gone_when_it_is_closed(temporary):
    scratch = Scratch("torchfakes-app-")
    assert scratch.folder.parent == temporary.resolve() and scratch.folder.name.startswith("torchfakes-app-")
    assert scratch.folder.stat().st_mode & 0o077 == 0, "nobody else may look into it"
    (scratch.folder / "me.jpg").touch()
    scratch.close()
    assert list(temporary.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no lock on folders")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGHUP])
def test_what_a_killed_program_leaves_goes_when_the_next_one_starts(temporary, program, number):
    first = Scratch("torchfakes-app-")
    assert program.folder.is_dir(), "not while it lives"
    program.send_signal(number)
    program.wait()
    second = Scratch("torchfakes-app-")
    assert not program.folder.exists() and first.folder.is_dir(), "and a living one's stays"
    first.close()
    second.close()


def test_nothing_of_anybody_else_is_touched(temporary, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "thesis.tex").touch()
    (temporary / "torchfakes-app-link").symlink_to(elsewhere)
    (temporary / "torchfakes-app-file").write_text("a file")
    (temporary / "torchfakes-other").mkdir()
    Scratch("torchfakes-app-").close()
    assert (elsewhere / "thesis.tex").is_file() and (temporary / "torchfakes-app-file").is_file()
    assert (temporary / "torchfakes-other").is_dir() and (temporary / "torchfakes-app-link").is_symlink()
