"""What `torchfakes doctor` finds, on machines that are made up: with faults of every kind that it names."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections import namedtuple
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from torchfakes_utils.cli import doctor, main
from torchfakes_utils.cli.doctor import NOTE, OK, WRONG, Finding
from torchfakes_utils.course import steps


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Where data would go, with nothing in it."""
    monkeypatch.setenv("TORCHFAKES_HOME", str(tmp_path))
    monkeypatch.delenv("TORCHFAKES_DATA", raising=False)
    return tmp_path


@pytest.fixture
def installed(monkeypatch):
    """Takes versions of packages to be found, None for one that is absent."""

    def set_versions(**versions):
        versions = {name.replace("_", "-"): version for name, version in versions.items()}
        real = metadata.version

        def version(name):
            found = versions.get(name, False)
            if found is None:
                raise metadata.PackageNotFoundError(name)
            return found or real(name)

        monkeypatch.setattr(doctor.metadata, "version", version)

    return set_versions


def program(path: Path, text: str) -> Path:
    """A program of its own: a shell script."""
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_a_check_that_breaks_is_a_finding_and_the_others_are_read():
    def broken():
        raise KeyError("torch")

    found = doctor.examine([("one", broken), ("two", lambda: Finding("two", OK, "well"))])
    assert [one.state for one in found] == [WRONG, OK]
    assert found[0].name == "one" and "KeyError" in found[0].said and "\n" not in found[0].said


def test_checks_run_at_once():
    """Each waits for all others to have begun."""
    barrier = threading.Barrier(3, timeout=30)

    def check():
        barrier.wait()
        return Finding("", OK, "")

    assert all(one.state == OK for one in doctor.examine([("", check)] * 3))


@pytest.mark.parametrize(("version", "state"), [((3, 10), WRONG), ((3, 11), OK), ((3, 13), OK), ((3, 14), WRONG)])
def test_pythons(version, state, monkeypatch):
    monkeypatch.setattr(doctor.sys, "version_info", (*version, 1, "final", 0))
    monkeypatch.setattr(doctor.sys, "prefix", "/of/its/own")
    found = doctor.python()
    assert found.state == state and bool(found.remedy) == (state == WRONG)


def test_a_python_of_the_system(monkeypatch):
    monkeypatch.setattr(doctor.sys, "prefix", sys.base_prefix)
    monkeypatch.delenv("CONDA_PREFIX", raising=False)
    found = doctor.python()
    assert found.state == NOTE and "make setup" in found.remedy


def test_packages_that_are_absent_or_too_old_are_named(installed):
    assert doctor.packages().state == OK
    installed(av="12.0", pandas=None)
    found = doctor.packages()
    assert found.state == WRONG and found.remedy
    assert "pandas" in found.said and "av 12.0 (>=17.1 is needed)" in found.said and "numpy" not in found.said


def test_an_extra_that_is_absent_says_what_one_does_without(installed):
    assert doctor.extra("app").state == OK
    installed(gradio=None)
    found = doctor.extra("app")
    assert found.state == NOTE and "gradio" in found.said and "lesson 09" in found.said
    assert doctor.extra("course").state == OK, "which does not ask for it"


def test_every_extra_that_a_user_may_want_is_looked_at():
    asked = set(metadata.metadata("torchfakes").get_all("Provides-Extra"))
    assert asked - {"dev", "cluster", "site"} == {name for name, _ in doctor.CHECKS} & asked


def test_two_opencvs_in_one_folder(installed):
    installed(opencv_python=None, opencv_contrib_python=None)
    assert doctor.opencv().state == OK
    installed(opencv_python="4.12")
    found = doctor.opencv()
    assert found.state == WRONG and "pip uninstall" in found.remedy and "opencv-python " in found.remedy


@pytest.mark.parametrize(
    ("loaded", "driver", "state", "words"),
    [
        ('["2.15.0", null, 2, []]', None, OK, "no NVIDIA GPU"),
        ('["2.15.0", "13.2", 2, [["GTX 1070", 8589934592]]]', "580.1", OK, "GTX 1070, 8 GB; driver 580.1"),
        ('["2.15.0", null, 2, []]', "580.1", NOTE, "not built for"),
        ('["2.15.0", "13.2", 2, []]', "470.9", NOTE, "cannot use"),
    ],
)
def test_torch_and_what_it_sees(loaded, driver, state, words, tmp_path, monkeypatch):
    monkeypatch.setattr(doctor.sys, "executable", str(program(tmp_path / "python", f"echo '{loaded}'")))
    if driver:
        program(tmp_path / "nvidia-smi", f"echo {driver}")
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    found = doctor.torch()
    assert found.state == state and words in found.said and bool(found.remedy) == (state == NOTE)


def test_a_torch_that_does_not_load_says_why(tmp_path, monkeypatch):
    broken = program(tmp_path / "python", "echo Traceback >&2; echo 'ImportError: libcudart.so.13' >&2; exit 1")
    monkeypatch.setattr(doctor.sys, "executable", str(broken))
    found = doctor.torch()
    assert found.state == WRONG and "libcudart.so.13" in found.said and "Traceback" not in found.said


def test_a_driver_that_does_not_answer(tmp_path, monkeypatch):
    program(tmp_path / "nvidia-smi", "echo 'NVIDIA-SMI has failed' >&2; exit 9")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert doctor._driver() is None


@pytest.mark.parametrize(("gigabytes", "state"), [(3.9, NOTE), (4.1, OK)])
def test_memory(gigabytes, state, monkeypatch):
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=gigabytes * 1e9, total=8e9))
    assert doctor.memory().state == state


@pytest.mark.parametrize(("gigabytes", "state"), [(2.4, WRONG), (2.6, OK)])
def test_room_on_the_disk(gigabytes, state, home, monkeypatch):
    usage = namedtuple("usage", "total used free")  # noqa: PYI024 - as shutil's
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda path: usage(1, 1, int(gigabytes * 1e9)))
    found = doctor.home()
    assert found.state == state and f"{gigabytes} GB" in found.said


def test_a_home_that_cannot_be_written_to(home, monkeypatch):
    def refuse(dir):  # noqa: A002 - as tempfile's
        raise PermissionError(13, "Permission denied", str(dir))

    monkeypatch.setattr(doctor.tempfile, "TemporaryFile", refuse)
    found = doctor.home()
    assert found.state == WRONG and "Permission denied" in found.said and "TORCHFAKES_HOME" in found.remedy


def test_a_home_that_is_not_there_yet_is_fine_and_not_made(home, monkeypatch):
    monkeypatch.setenv("TORCHFAKES_HOME", str(home / "a" / "b"))
    assert doctor.home().state == OK and not (home / "a").exists()


def test_the_name_of_the_user_is_not_told(home, monkeypatch):
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("TORCHFAKES_HOME", str(home / "course"))
    assert doctor.home().said.startswith("~/course")


def test_what_is_there_of_the_data(home):
    assert doctor.data().state == NOTE and "nothing yet" in doctor.data().said
    (home / "data" / "mini" / "faces").mkdir(parents=True)
    (home / "data" / "mini" / ".course-mini.json").write_text("{}\n")
    (home / "data" / "mini" / "faces" / ".course-faces.json").write_text("{}\n")
    said = doctor.data().said
    assert "Mini-FF++: mini; not yet clips, faces" in said, "a stamp without its result is none"


def test_data_that_is_whole(home, monkeypatch):
    monkeypatch.setattr("torchfakes_utils.course.state.made", lambda: list(steps.STEPS))
    assert doctor.data().state == OK


def test_data_that_was_moved_away(home, monkeypatch):
    monkeypatch.setenv("TORCHFAKES_DATA", "was/here")
    (found,) = doctor.examine([("data", doctor.data)])
    assert found.state == WRONG and "TORCHFAKES_DATA" in found.said


@pytest.fixture
def server(monkeypatch):
    """A server that answers with an error, as one does to whom it does not know."""

    class Answer(BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.send_response(404)
            self.end_headers()

        def log_message(self, *args):
            pass

    found = HTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=found.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{found.server_port}"
    found.shutdown()


def test_whoever_answers_is_reached_and_a_proxy_is_said(server, monkeypatch):
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TORCHFAKES_PROBE", server)
    assert doctor.network() == Finding("network", OK, "reached")
    monkeypatch.setenv("http_proxy", server)
    monkeypatch.setenv("TORCHFAKES_PROBE", "http://nobody.invalid/")
    assert doctor.network() == Finding("network", OK, "reached; by a proxy")


@pytest.mark.parametrize("listening", [False, True])
def test_no_network_and_one_that_is_silent(listening, monkeypatch):
    monkeypatch.setattr(doctor, "_SILENT", 0.3)
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        if listening:
            one.listen()
        monkeypatch.setenv("TORCHFAKES_PROBE", f"http://127.0.0.1:{one.getsockname()[1]}")
        started = time.perf_counter()
        found = doctor.network()
    assert found.state == NOTE and ("no answer" if listening else "refused") in found.said and found.remedy
    assert time.perf_counter() - started < 30, "it does not wait for ever"


def test_a_setup_that_was_interrupted_and_one_that_is_old(home):
    assert doctor.setup().state == OK
    (home / ".venv").mkdir()
    found = doctor.setup()
    assert found.state == WRONG and "make setup" in found.remedy
    (home / ".venv" / ".installed").touch()
    assert doctor.setup().state == OK
    (home / "constraints.txt").touch()
    os.utime(home / "constraints.txt", (time.time() + 60,) * 2)
    assert doctor.setup().state == NOTE


def test_widgets_without_their_packages(installed):
    assert doctor.widgets().state == OK
    installed(jupyterlab_widgets=None)
    found = doctor.widgets()
    assert found.state == NOTE and "jupyterlab-widgets" in found.said


@pytest.mark.parametrize(("state", "status"), [(NOTE, 0), (WRONG, 1)])
def test_the_command(state, status, monkeypatch, capsys):
    found = [Finding("Python", OK, "3.11"), Finding("memory", state, "0.1 GB", "buy some")]
    monkeypatch.setattr(doctor, "examine", lambda: found)
    assert main.main(["doctor"]) == status
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == [state, "memory", "0.1", "GB"] and lines[2].strip() == "buy some"
    assert main.main(["doctor", "--json"]) == status
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one.get("state") for one in records] == [OK, state, None]
    assert records[-1]["wrong"] == (["memory"] if status else [])


def test_it_answers_where_nothing_is_installed():
    """Whatever pip did not bring: only the standard library and this package's own files are there."""
    root = Path(__file__).parents[2]
    bare = f"import sys; sys.path = [p for p in sys.path if 'site-packages' not in p] + [{str(root)!r}]"
    text = f"{bare}; from torchfakes_utils.cli.main import main; sys.exit(main(['doctor', '--json']))"
    done = subprocess.run(
        [sys.executable, "-S", "-c", text], capture_output=True, text=True, timeout=120, cwd=root, check=False
    )
    assert done.returncode == 1, done.stderr
    states = {one["name"]: one["state"] for one in map(json.loads, done.stdout.splitlines()) if "name" in one}
    assert (
        states["packages"] == WRONG and states["Python"] in (OK, NOTE) and states.keys() == dict(doctor.CHECKS).keys()
    )
