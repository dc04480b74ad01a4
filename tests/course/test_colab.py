"""What a lesson does on Colab, and here instead."""

import os
import re
import subprocess
import sys
import tomllib
import types
from pathlib import Path

import pytest
import yaml

from torchfakes_utils import __version__
from torchfakes_utils.course import colab

ROOT = Path(__file__).parents[2]


@pytest.fixture
def in_colab(monkeypatch, tmp_path):
    """Colab's own module, whose Drive lies in a folder here; gives what was mounted."""
    mounted = []
    module, drive = types.ModuleType("google.colab"), types.ModuleType("google.colab.drive")
    drive.mount = mounted.append
    module.drive = drive
    monkeypatch.setitem(sys.modules, "google.colab", module)
    monkeypatch.setitem(sys.modules, "google.colab.drive", drive)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("TORCHFAKES_HOME", "to be taken back at the end")
    monkeypatch.delenv("TORCHFAKES_HOME")
    return mounted


@pytest.mark.slow
def test_setup_cell_works_here_and_pins_nothing_but_the_release():
    assert not colab.on_colab()
    subprocess.run([sys.executable, "-c", colab.SETUP_CELL], check=True, cwd=ROOT)
    assert "==" not in colab.SETUP_CELL and "torchfakes @ git+https://" in colab.SETUP_CELL
    assert f"@v{__version__}" in colab.SETUP_CELL
    assert colab.badge("03_x").endswith(f"/blob/v{__version__}/notebooks/03_x.ipynb)")


@pytest.mark.slow
@pytest.mark.parametrize("there", [True, False])
def test_on_colab_it_installs_once(there, tmp_path):
    """A second pass, or a session that has the package, fetches nothing."""
    pretend = f"""
import sys, types
sys.modules["google"] = types.ModuleType("google")
sys.modules["google.colab"] = types.ModuleType("google.colab")
import importlib.util, subprocess
asked = []
real = importlib.util.find_spec
importlib.util.find_spec = lambda name, *more: real(name, *more) if {there} or asked else None
subprocess.run = lambda command, **options: asked.append(command) or types.SimpleNamespace(returncode=1, stdout="")
"""
    program = (
        f"{pretend}\n{colab.SETUP_CELL}\n{colab.SETUP_CELL}\nprint('installs', sum('pip' in one for one in asked))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=False)
    assert f"installs {0 if there else 1}" in done.stdout, done.stderr[-1500:]


def test_nothing_is_said_or_mounted_elsewhere(capsys):
    colab.prepare(drive=True)
    assert capsys.readouterr().out == ""


def test_a_gpu_is_looked_for(in_colab, tmp_path, capsys):
    colab.prepare(drive=False)
    assert "no GPU" in capsys.readouterr().out and not in_colab
    (tmp_path / "nvidia-smi").write_text("#!/bin/sh\necho 'Tesla T4'\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    colab.prepare(drive=False)
    out = capsys.readouterr().out
    assert "GPU: Tesla T4" in out and "drive=True" in out and "TORCHFAKES_HOME" not in os.environ


def test_the_drive_is_mounted_once_and_becomes_the_home(in_colab, capsys):
    colab.prepare(drive=True)
    colab.prepare(drive=True)
    assert in_colab == ["/content/drive"] and os.environ["TORCHFAKES_HOME"] == "/content/drive/MyDrive/torchfakes"
    assert "in your Drive" in capsys.readouterr().out


def test_a_home_of_ones_own_is_kept(in_colab, monkeypatch):
    monkeypatch.setenv("TORCHFAKES_HOME", "/content/mine")
    colab.prepare(drive=True)
    assert not in_colab and os.environ["TORCHFAKES_HOME"] == "/content/mine"


def test_the_address_is_the_same_wherever_it_stands():
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert pyproject["project"]["urls"]["Source"] == colab.REPOSITORY
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["repository-code"] == colab.REPOSITORY
    readme = (ROOT / "README.md").read_text()
    assert f"git clone {colab.REPOSITORY} " in readme and colab.binder() in readme
    for row in re.findall(r"^\| \d\d.*$", readme, re.MULTILINE):
        name = re.search(r"\(notebooks/(\w+)\.ipynb\)", row)
        assert name and colab.badge(name[1]) in row
