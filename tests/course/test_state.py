"""What is missing is built, once; what was built otherwise is built again; what is the learner's own stays."""

import os
import subprocess
import sys
import threading
import time

import pytest
from filelock import FileLock

from torchfakes_utils import course
from torchfakes_utils.course import state
from torchfakes_utils.course.steps import STEPS
from torchfakes_utils.errors import InputError


def refuse(order):
    raise InputError("another configuration lives there")


def test_what_is_missing_is_built_once(built_steps, home, capsys):
    assert course.ensure("run") == home / "runs" / "mini"
    assert built_steps == ["mini", "clips", "faces", "run"]
    assert len(capsys.readouterr().out.splitlines()) == 4
    assert course.ensure("faces") == home / "data" / "mini" / "faces" / "faces.csv"
    assert course.ensure("clips").name == "clips.csv"
    assert built_steps == ["mini", "clips", "faces", "run"] and capsys.readouterr().out == ""


@pytest.mark.parametrize("name", list(STEPS))
def test_every_step_can_be_asked_for(built_steps, name):
    assert course.ensure(name).exists()
    assert built_steps == state.closure([name])


def test_other_settings_build_anew(built_steps, home, change_step):
    course.ensure("scores")
    old = home / "data" / "mini" / "faces" / "crops"
    old.mkdir()
    change_step("faces", settings=lambda where: {"frames": 3})
    built_steps.clear()
    course.ensure("scores")
    assert built_steps == ["faces", "run", "scores"] and not old.exists()


THEIRS = ("notes.txt", "best/mine.safetensors", "crops/holiday.png", "original_sequences/youtube/c23/videos/me.mp4")


@pytest.mark.parametrize("name", [name for name, step in STEPS.items() if step.ours is not None])
def test_somebodys_own_files_stay_where_a_step_is_done_anew(built_steps, home, change_step, name):
    course.ensure(name)
    folder = STEPS[name].folder(course.paths())
    own = {"mini": "clips.csv", "films": "clips.csv", "voices": "clips/a.wav",
           "faces": "crops/youtube/c23/000/00001.png", "matrix": "FaceSwap/last.safetensors",
           "lab": "healthy-0/detector.json", "starts": "parts/0-0-1-00000000.csv"}  # fmt: skip
    own = own.get(name, "last.safetensors")
    for file in (*THEIRS, own):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text("mine")
    change_step(name, settings=lambda where: {"frames": 3})
    built_steps.clear()
    course.ensure(name)
    assert built_steps[-1] == name and not (folder / own).exists()
    assert all((folder / file).read_text() == "mine" for file in THEIRS)


@pytest.mark.slow
def test_a_run_is_begun_anew_beside_somebodys_notes(home, change_step, tiny_faces, monkeypatch):
    """By the pipeline itself: what stays in the folder is no reason to refuse it."""
    small = {"architecture": "Meso4", "image_size": 64, "pretrained": None, "min_sharpness": 0, "batch_size": 4,
             "tracker": "none"}  # fmt: skip
    change_step("run", needs=(), settings=lambda where: small | {"epochs": 1})
    faces = course.paths().faces
    faces.parent.mkdir(parents=True)
    faces.symlink_to(tiny_faces)
    run = course.ensure("run", progress=False)
    (run / "notes.txt").write_text("mine")
    change_step("run", settings=lambda where: small | {"epochs": 2})
    course.ensure("run", progress=False)
    assert len((run / "history.csv").read_text().splitlines()) == 3 and (run / "notes.txt").read_text() == "mine"


def test_another_version_builds_anew(built_steps, change_step):
    course.ensure("clips")
    change_step("clips", version=99)
    built_steps.clear()
    course.ensure("clips")
    assert built_steps == ["clips"]


def test_a_report_that_is_written_anew_is_completed_anew(built_steps, home):
    course.ensure("robustness")
    (home / "runs" / "mini" / "scores.csv").unlink()
    built_steps.clear()
    course.ensure("scores")
    course.ensure("robustness")
    course.ensure("robustness")
    assert built_steps == ["scores", "robustness"]


def test_crops_that_were_lost_are_cut_again_and_the_detector_stays(built_steps, home):
    course.ensure("run")
    (home / "data" / "mini" / "faces" / "faces.csv").unlink()
    built_steps.clear()
    course.ensure("run")
    assert built_steps == ["faces"]


def test_what_the_learner_made_by_hand_is_used_and_kept(built_steps, home, change_step):
    best = home / "runs" / "mini" / "best"
    best.mkdir(parents=True)
    (best / "detector.json").write_text("theirs")
    change_step("run", build=refuse)
    assert course.ensure("run") == home / "runs" / "mini"
    change_step("run", settings=lambda where: {"epochs": 99})
    course.ensure("scores")
    assert (best / "detector.json").read_text() == "theirs"


def test_another_data_set_is_never_made(built_steps, home, monkeypatch):
    own = home / "own"
    own.mkdir()
    monkeypatch.setenv("TORCHFAKES_DATA", "own")
    assert course.ensure("clips") == own / "clips.csv"
    assert built_steps == ["clips"] and [path.name for path in own.iterdir()] == ["clips.csv"]


def test_a_failing_step_says_why(built_steps, change_step):
    change_step("faces", build=refuse)
    with pytest.raises(InputError, match="another configuration"):
        course.ensure("scores")
    change_step("faces", build=lambda order: None)
    with pytest.raises(InputError, match=r"left no data/mini/faces/faces\.csv; remove data/mini/faces and try again"):
        course.ensure("scores")


@pytest.mark.parametrize("ask", [course.ensure, lambda name: state.closure(["faces", name])])
def test_an_input_that_there_is_not(home, ask):
    with pytest.raises(InputError, match="'heads' is no input of the course; there are mini, clips, faces, run"):
        ask("heads")


def test_a_lesson_may_ask_for_what_it_declares_and_what_that_needs(built_steps, monkeypatch):
    monkeypatch.setenv(state.DECLARED, "source/03_x.py:faces")
    course.ensure("faces")
    course.ensure("clips")
    with pytest.raises(InputError, match=r"source/03_x\.py asks for 'run', which its header does not declare"):
        course.ensure("run")
    monkeypatch.setenv(state.DECLARED, "source/03_x.py:")
    with pytest.raises(InputError, match="add it to `needs`"):
        course.ensure("mini")


def test_two_at_once_wait_for_each_other(built_steps, change_step):
    build, busy, most = STEPS["mini"].build, [], []

    def slowly(order):
        busy.append(1)
        most.append(len(busy))
        time.sleep(0.2)
        build(order)
        busy.pop()

    change_step("mini", build=slowly)
    threads = [threading.Thread(target=course.ensure, args=("mini",)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] and built_steps == ["mini"]


def test_what_is_there_needs_no_wait_and_who_waits_is_told(built_steps, home, capsys):
    course.ensure("clips")
    capsys.readouterr()
    with FileLock(home / "data" / ".lock") as lock:
        assert course.ensure("clips").name == "clips.csv" and capsys.readouterr().out == ""
        other = threading.Thread(target=course.ensure, args=("faces",))
        other.start()
        said = ""
        while "waiting" not in said:
            time.sleep(0.01)
            said += capsys.readouterr().out
        assert built_steps == ["mini", "clips"]
        lock.release()
        other.join()
    assert built_steps == ["mini", "clips", "faces"]


def test_a_home_that_cannot_be_written_to(home, monkeypatch):
    (home / "file").touch()
    monkeypatch.setenv("TORCHFAKES_HOME", str(home / "file"))
    with pytest.raises(InputError, match="TORCHFAKES_HOME"):
        course.ensure("clips")


def test_a_script_without_a_guard_is_refused_instead_of_waiting_for_itself(tmp_path):
    """The worker processes of a build run the script again before they start to work."""
    (tmp_path / "script.py").write_text(
        "from concurrent.futures import ProcessPoolExecutor\n"
        "from dataclasses import replace\n"
        "from multiprocessing import get_context\n"
        "from torchfakes_utils import course\n"
        "from torchfakes_utils.course.steps import STEPS\n"
        "def build(order):\n"
        "    with ProcessPoolExecutor(1, mp_context=get_context('spawn')) as pool:\n"
        "        return list(pool.map(abs, [-1]))\n"
        "STEPS['mini'] = replace(STEPS['mini'], build=build)\n"
        "print(course.ensure('mini'))\n"
    )
    environment = os.environ | {"TORCHFAKES_HOME": str(tmp_path)}
    script = [sys.executable, str(tmp_path / "script.py")]
    done = subprocess.run(script, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0
    assert "put course.ensure(...) and what follows under: if __name__ == '__main__':" in done.stderr
