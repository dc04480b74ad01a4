"""Driving the authors' script, with scripts that misbehave; the whole way is in test_data_download.py."""

import logging
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from torchfakes_utils.datasets import official_script
from torchfakes_utils.datasets.official_script import (
    LockedError,
    ScriptRun,
    Selection,
    TermsError,
    accept_terms,
    check_room,
    locked,
)
from torchfakes_utils.errors import InputError
from torchfakes_utils.io.downloads import UnavailableError

from helpers.processes import all_end

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("selection", "megabytes"),
    [
        (Selection(), 8500),
        (Selection(compression="c40"), 1700),
        (Selection(compression="raw"), 425_000),
        (Selection(("original",), num_videos=100), 171),
        (Selection(("DeepFakeDetection_original",), num_videos=363), 3000),
        (Selection(("DeepFakeDetection_original",), num_videos=1000), 3000),
    ],
)
def test_room(selection, megabytes):
    assert selection.megabytes == megabytes


def test_masks_where_there_are_any():
    chosen = ("original", "FaceShifter", "DeepFakeDetection_original", "FaceSwap")
    masks = [part for part, kind in Selection(chosen, masks=True).tasks if kind == "masks"]
    assert masks == ["FaceSwap"]
    assert [kind for _, kind in Selection(chosen).tasks] == ["videos"] * 4


def script_run(tmp_path, code, **settings):
    """A run of a script that is given as text; its rounds follow each other at once."""
    (tmp_path / "data").mkdir(exist_ok=True)
    (tmp_path / "script.py").write_text(code)
    usual = {"servers": ("EU",), "rounds": 1, "stall": 60, "pause": 0, "poll": 0.05}
    selection = Selection(("original",), num_videos=3)
    return ScriptRun(tmp_path / "script.py", tmp_path / "data", selection, **usual | settings)


def test_arguments_and_the_key_press(tmp_path):
    code = "import sys; open(sys.argv[1] + '/heard', 'w').write(repr((input(), sys.argv[2:])))"
    script_run(tmp_path, code).download()
    words = ["-d", "original", "-c", "c23", "-t", "videos", "--server", "EU", "-n", "3"]
    assert (tmp_path / "data/heard").read_text() == repr(("", words))


@pytest.mark.parametrize(
    ("code", "reason"), [("raise SystemExit(3)", "status 3"), ("import os; os.kill(os.getpid(), 9)", "status 137")]
)
def test_why_a_server_failed(tmp_path, caplog, code, reason):
    run = script_run(tmp_path, code, servers=("EU", "CA"), rounds=3, pause=0.01)
    with caplog.at_level(logging.WARNING), pytest.raises(UnavailableError, match=r"in 3 rounds \(EU CA\)"):
        run.download()
    failed = [f"original (videos): server {name} failed ({reason})" for name in ("EU", "CA")]
    again = [f"once more in {pause} s" for pause in (0.01, 0.02)]
    assert caplog.messages[1:] == [*failed, again[0], *failed, again[1], *failed]


def test_who_stalls_is_stopped_with_its_children(tmp_path, caplog):
    """A script that ignores SIGTERM, with a child that does, and the half of a file."""
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
    code = (
        "import os, subprocess, sys, tempfile\n"
        f"child = subprocess.Popen([sys.executable, '-c', {deaf!r}])\n"
        "folder = sys.argv[1] + '/original_sequences/youtube'; os.makedirs(folder)\n"
        "tempfile.mkstemp(dir=folder); open(folder + '/000.mp4', 'w')\n"
        f"open(sys.argv[1] + '/pids', 'w').write(f'{{os.getpid()}} {{child.pid}}')\n{deaf}\n"
    )
    with caplog.at_level(logging.WARNING), pytest.raises(UnavailableError):
        script_run(tmp_path, code, stall=2).download()
    assert "nothing came for 2 s" in caplog.text
    pids = [int(pid) for pid in (tmp_path / "data/pids").read_text().split()]
    assert len(pids) == 2 and all_end(pids, 20)
    assert [path.name for path in (tmp_path / "data").rglob("youtube/*")] == ["000.mp4"]


def test_who_is_slow_is_not_stopped(tmp_path):
    code = (
        "import sys, time\n"
        "with open(sys.argv[1] + '/film', 'wb', buffering=0) as file:\n"
        "    for _ in range(30): file.write(b'.'); time.sleep(0.1)\n"
    )
    script_run(tmp_path, code, stall=2.5).download()
    assert (tmp_path / "data/film").stat().st_size == 30


def test_a_lock_holds_while_its_owner_lives(tmp_path, caplog):
    code = (
        "import pathlib, sys, time; from torchfakes_utils.datasets.official_script import locked\n"
        "with locked(pathlib.Path(sys.argv[1])): print('locked', flush=True); time.sleep(60)\n"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code, str(tmp_path / "data")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as owner:
        assert owner.stdout.readline() == b"locked\n"
        with pytest.raises(LockedError, match=f"at work there .process {owner.pid}.; wait"), locked(tmp_path / "data"):
            pass
        owner.kill()
    for _ in range(2):
        with locked(tmp_path / "data"):
            assert (tmp_path / "data/.download.owner").read_text() == str(os.getpid())
    assert not list((tmp_path / "data").iterdir())
    assert [line for line in caplog.messages if "taking over" in line] == [
        f"{tmp_path / 'data'}: taking over from a download that was killed"
    ]


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="file/data: cannot be written to"), locked(tmp_path / "file/data"):
        pass


def test_what_is_there_needs_no_room(tmp_path, monkeypatch):
    monkeypatch.setattr(official_script, "free_megabytes", lambda _: 169)
    selection = Selection(("original",), num_videos=100)  # 171 MB
    with pytest.raises(InputError, match="about 171 MB are needed and 169 MB are free"):
        check_room(tmp_path, selection)
    with (tmp_path / "film").open("wb") as file:
        file.truncate(2 << 20)
    check_room(tmp_path, selection)


def test_terms_are_asked_for_once(tmp_path):
    with pytest.raises(TermsError, match="--accept-terms"):
        accept_terms(tmp_path, False, None)
    with pytest.raises(TermsError, match="nothing was downloaded"):
        accept_terms(tmp_path, False, lambda: False)
    accept_terms(tmp_path, False, lambda: True)
    assert re.search(r"accepted on \d{4}-\d\d-\d\dT[\d:]{8}Z\.$", (tmp_path / ".terms-accepted").read_text())
    accept_terms(tmp_path, False, None)


def test_only_halves_of_files_are_swept(tmp_path):
    folder = tmp_path / "original_sequences" / "youtube" / "c23" / "videos"
    folder.mkdir(parents=True)
    for name in ("tmpk3x_9ab0", "tmp_a01.mp4", "tmpTrip2024"):
        (folder / name).write_text("x")
    official_script.sweep(tmp_path)
    assert sorted(path.name for path in folder.iterdir()) == ["tmpTrip2024", "tmp_a01.mp4"]
