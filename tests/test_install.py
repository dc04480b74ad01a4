"""`make setup` says how far it is; here with a pip that fetches nothing."""

import subprocess
import sys
from pathlib import Path

import pytest

INSTALL = Path(__file__).parents[1] / ".ci" / "install.py"
SAID = """\
Collecting torch==2.15.0
  Downloading torch-2.15.0-cp311.whl (888.1 MB)
  Using cached numpy-2.4.6.whl (16 MB)
  Downloading small.whl (512 kB)
  Downloading large.whl (1.5 GB)
Installing collected packages: torch, numpy, small
"""


@pytest.fixture
def run(tmp_path):
    """Installs by a pip that says these lines and ends with that status; gives the process and pip's words."""

    def install(said, status=0, extras="course", every=0.0):
        (tmp_path / "pip").mkdir(exist_ok=True)
        (tmp_path / "pip" / "__init__.py").write_text("")
        (tmp_path / "pip" / "__main__.py").write_text(
            f"import sys, pathlib\npathlib.Path({str(tmp_path / 'words')!r}).write_text(' '.join(sys.argv[1:]))\n"
            f"print({said!r}, flush=True)\nprint('ERROR: no network', file=sys.stderr) if {status} else None\n"
            f"sys.exit({status})\n"
        )
        program = f"import runpy, sys; sys.path.insert(0, {str(INSTALL.parent)!r}); import install; "
        program += f"install.EVERY = {every}; sys.exit(install.main({extras!r}))"
        environment = {"PYTHONPATH": str(tmp_path)}
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=False
        )
        return done, (tmp_path / "words").read_text()

    return install


def test_it_says_before_it_begins_what_is_coming_and_how_far_it_is(run):
    done, words = run(SAID)
    lines = done.stdout.splitlines()
    assert done.returncode == 0 and "GB" in lines[0] and "GB" in lines[1]
    assert any("1 files fetched, 888 MB; 0 from the cache" in line for line in lines)
    assert any("3 files fetched, 2,389 MB; 1 from the cache" in line for line in lines)
    assert any("installing 3 packages" in line for line in lines) and lines[-1].endswith("done")
    assert "--editable .[course] --constraint constraints.txt" in words


def test_it_is_quiet_between(run):
    done, _ = run(SAID, every=1000.0)
    assert len(done.stdout.splitlines()) == 4


def test_a_pip_that_fails_is_heard(run):
    done, _ = run("Collecting torch\n", status=3)
    assert done.returncode == 3
    assert "ERROR: no network" in done.stderr and "make setup` again" in done.stderr
