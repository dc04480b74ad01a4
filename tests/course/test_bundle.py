"""A bundle: what is in it, what is not, that it installs from itself, and that one which is cut short says so."""

import errno
import hashlib
import json
import subprocess
import sys
import sysconfig
import tarfile
from importlib import util
from pathlib import Path

import pytest

from torchfakes_utils.cli import main
from torchfakes_utils.course import bundle, state
from torchfakes_utils.course.bundle import NAME, BundleConfig
from torchfakes_utils.course.folders import paths
from torchfakes_utils.course.steps import STEPS
from torchfakes_utils.errors import InputError

WITHOUT = BundleConfig(wheels=False)


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home in which films, clips and a run were made, with all that such folders hold."""
    folder = tmp_path / "home"
    monkeypatch.setenv("TORCHFAKES_HOME", str(folder))
    monkeypatch.delenv("TORCHFAKES_DATA", raising=False)
    for name, text in {
        "data/mini/.course-mini.json": "{}\n", "data/mini/original_sequences/a.mp4": "film",
        "data/mini/.course-clips.json": "{}\n", "data/mini/clips.csv": "path\n", "data/.lock": "",
        "runs/mini/.course-run.json": "{}\n", "runs/mini/best/model.safetensors": "weights",
        "runs/mini/last.safetensors": "large", "runs/mini/.cache/crops.npy": "large",
        "runs/mini-first-1234/model.safetensors": "small", "thesis.txt": "mine",
    }.items():  # fmt: skip
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    assert state.made() == ["mini", "clips", "run"]
    return folder


def unpacked(path, folder):
    with tarfile.open(path) as tar:
        tar.extractall(folder, filter="data")
    return folder / NAME


def install(folder, *words):
    return subprocess.run(
        [sys.executable, str(folder / "install.py"), *words], capture_output=True, text=True, timeout=120, check=False
    )


@pytest.fixture
def installer():
    """The installer as a module."""
    spec = util.spec_from_file_location("install", bundle.INSTALLER)
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_it_holds_lessons_and_inputs_without_what_no_lesson_asks_for(home, tmp_path):
    made = bundle.make_bundle(tmp_path / "b.tar", WITHOUT)
    assert made.inputs == ("mini", "clips", "run") and set(made.missing) == set(STEPS) - set(made.inputs)
    folder = unpacked(made.path, tmp_path)
    there = {
        path.relative_to(folder / "lessons").as_posix() for path in (folder / "lessons").rglob("*") if path.is_file()
    }
    assert "notebooks/00_start_here.ipynb" in there and "docs/glossary.md" in there
    assert {"data/mini/.course-mini.json", "runs/mini/best/model.safetensors", "runs/mini-first-1234/model.safetensors",
            "data/mini/original_sequences/a.mp4", "data/mini/clips.csv"} <= there  # fmt: skip
    assert not [name for name in there if "last." in name or ".cache" in name or ".lock" in name or "thesis" in name]
    with tarfile.open(made.path) as tar:
        names = [entry.name for entry in tar]
        assert len(names) == len(set(names)) and all(entry.uname == "" and entry.uid == 0 for entry in tar)


def test_its_inputs_are_taken_instead_of_computed(home, tmp_path, monkeypatch):
    folder = unpacked(bundle.make_bundle(tmp_path / "b.tar", WITHOUT).path, tmp_path)
    monkeypatch.delenv("TORCHFAKES_HOME")
    monkeypatch.chdir(folder / "lessons" / "notebooks")
    assert paths().home == folder / "lessons" and state.made() == ["mini", "clips", "run"]


def test_the_checksum_beside_it_is_its_own(home, tmp_path):
    made = bundle.make_bundle(tmp_path / "b.tar", WITHOUT)
    assert made.sha256 == hashlib.sha256(made.path.read_bytes()).hexdigest()
    assert (tmp_path / "b.tar.sha256").read_text() == f"{made.sha256}  b.tar\n"


def test_a_whole_one_installs_and_a_lesson_may_be_written_in(home, tmp_path):
    folder = unpacked(bundle.make_bundle(tmp_path / "b.tar", WITHOUT).path, tmp_path)
    done = install(folder)
    assert done.returncode == 0 and "no wheels in this bundle" in done.stdout
    (folder / "lessons/notebooks/03_sharp_enough.ipynb").write_text("my work")
    assert install(folder).returncode == 0


@pytest.mark.parametrize("name", ["SHA256SUMS", "bundle.json", "lessons/runs/mini/best/model.safetensors"])
@pytest.mark.parametrize("fault", ["missing", "short"])
def test_one_that_was_cut_short_says_which_file(home, tmp_path, name, fault):
    folder = unpacked(bundle.make_bundle(tmp_path / "b.tar", WITHOUT).path, tmp_path)
    if fault == "missing":
        (folder / name).unlink()
    else:
        (folder / name).write_bytes((folder / name).read_bytes()[:-3])
    done = install(folder)
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert "cut short" in done.stderr and (name == "SHA256SUMS" or name in done.stderr)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({}, ""),
        ({"python": "3.9"}, "its wheels are for Python 3.9"),
        ({"platforms": ["win_arm64"]}, "its wheels are for win_arm64"),
        ({"platforms": ["macosx_14_0_arm64"], "wheels": False}, ""),
    ],
)
def test_another_platforms_wheels_are_told_before_anything_is_made(installer, given, reason):
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    about = {"wheels": True, "python": version, "platforms": [sysconfig.get_platform()]} | given
    assert installer.unfit(about).startswith(reason) and bool(installer.unfit(about)) == bool(reason)


@pytest.mark.parametrize(
    ("system", "here", "platform", "fits"),
    [
        ("Linux", "linux-x86_64", "manylinux_2_28_x86_64", True),
        ("Linux", "linux-aarch64", "manylinux_2_28_x86_64", False),
        ("Darwin", "macosx-14.0-arm64", "macosx_14_0_arm64", True),
        ("Darwin", "macosx-14.0-arm64", "macosx_11_0_universal2", True),
        ("Darwin", "macosx-14.0-arm64", "macosx_14_0_x86_64", False),
        ("Windows", "win-amd64", "win_amd64", True),
        ("Windows", "win-amd64", "manylinux_2_28_x86_64", False),
    ],
)
def test_platforms_by_their_two_names(installer, system, here, platform, fits, monkeypatch):
    monkeypatch.setattr(installer.platform, "system", lambda: system)
    monkeypatch.setattr(installer.sysconfig, "get_platform", lambda: here)
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert (installer.unfit({"wheels": True, "python": version, "platforms": [platform]}) == "") == fits


def test_without_inputs_or_with_somebodys_data_none_is_made(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCHFAKES_HOME", str(tmp_path))
    monkeypatch.delenv("TORCHFAKES_DATA", raising=False)
    with pytest.raises(InputError, match="make course first"):
        bundle.make_bundle(tmp_path / "b.tar", WITHOUT)
    data = tmp_path.parent / "ffpp"
    data.mkdir(exist_ok=True)
    monkeypatch.setenv("TORCHFAKES_DATA", str(data))
    with pytest.raises(InputError, match="outside of"):
        list(bundle.input_files(["mini"]))
    assert not (tmp_path / "b.tar").exists()


def test_a_full_disk_leaves_no_half_bundle(home, tmp_path, monkeypatch):
    def full(self, name, source):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(bundle._Archive, "add", full)
    with pytest.raises(InputError, match="No space left"):
        bundle.make_bundle(tmp_path / "b.tar", WITHOUT)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home"]


def test_its_own_bundle_is_made_anew_and_nothing_else_is_written_over(home, tmp_path):
    out = tmp_path / "b.tar"
    first = bundle.make_bundle(out, WITHOUT)
    assert bundle.make_bundle(out, WITHOUT).inputs == first.inputs
    out.write_text("mine")
    with pytest.raises(InputError, match="no bundle of ours"):
        bundle.make_bundle(out, WITHOUT)
    assert out.read_text() == "mine"
    out.unlink()
    with pytest.raises(InputError, match="sha256: is there"):
        bundle.make_bundle(out, WITHOUT)


def test_wheels_are_asked_for_by_platform_and_python(tmp_path, monkeypatch):
    asked = []

    def pip(*words):
        asked.append(words)
        if words[0] == "wheel" and "grad-cam" not in words:
            (Path(words[words.index("--wheel-dir") + 1]) / "torchfakes-0.1.0-py3-none-any.whl").write_text("")

    monkeypatch.setattr(bundle, "_pip", pip)
    found = bundle.fetch_wheels(BundleConfig(("win_amd64",), "3.12", ("course",)), tmp_path)
    assert [path.name for path in found] == ["torchfakes-0.1.0-py3-none-any.whl"]
    download = asked[-1]
    assert len(asked) == 3 and download[0] == "download"
    assert {"--platform=win_amd64", "--python-version=3.12", "--only-binary=:all:", "pip"} <= set(download)
    assert any(word.endswith(".whl[course]") for word in download)


def test_pip_that_finds_nothing_is_one_line(monkeypatch):
    monkeypatch.setattr(bundle.sys, "executable", sys.executable)
    with pytest.raises(InputError, match=r"network, and a wheel") as caught:
        bundle._pip("download", "--no-index", "torchfakes-is-not-there")
    assert "\n" not in str(caught.value)


def test_the_command(home, tmp_path, capsys):
    assert main.main(["bundle", str(tmp_path / "b.tar"), "--no-wheels", "--json"]) == 1, "some inputs were not made"
    out, err = capsys.readouterr()
    assert json.loads(out)["inputs"] == ["mini", "clips", "run"] and "make course makes them" in err
    assert main.main(["bundle", str(tmp_path / "b.tar"), "--python", "3.9"]) == 2
    assert "3.11, 3.12 and 3.13" in capsys.readouterr().err
