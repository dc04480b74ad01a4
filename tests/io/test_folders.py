"""No folder of somebody else's is written to, and nothing is removed but what a stamp of ours speaks for."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from torchfakes_utils.errors import InputError
from torchfakes_utils.io import folders
from torchfakes_utils.io.folders import _MARK as MARK
from torchfakes_utils.io.folders import STAMP_FILE, Stamp, claim, owned, replaced_folder, sweep

CROPS = Stamp(
    "crops",
    "torchfakes extract",
    2,
    "extraction.json",
    {"frames": 12, "methods": ("FaceSwap",), "device": "cpu"},
    free=("device",),
    parts={"crops": re.compile(r"\d+\.png")},
    remedy="--overwrite",
)
EXPORT = Stamp("an export", "torchfakes export", 1)


def with_settings(**settings):
    return replace(CROPS, settings={**CROPS.settings, **settings})


def contents(folder):
    """Everything below a folder: {path: bytes, or None for a folder}."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")
    }


@pytest.fixture
def claimed(tmp_path):
    """A folder of crops, with a crop and a table."""
    claim(tmp_path, CROPS)
    (tmp_path / "crops").mkdir()
    (tmp_path / "crops" / "0.png").write_bytes(b"a crop")
    (tmp_path / "faces.csv").write_bytes(b"a table")
    return tmp_path


# --- claims


@pytest.mark.parametrize("before", [None, [], [".git/config", ".DS_Store"]], ids=str)
def test_a_folder_that_nobody_uses_becomes_ours(tmp_path, before):
    folder = tmp_path / "out"
    for name in before or []:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    assert owned(folder, CROPS) is None
    claim(folder, CROPS)
    said = owned(folder, CROPS)
    assert said["made_by"] == "torchfakes extract" and said["format"] == 2 and said["frames"] == 12
    assert all((folder / name).is_file() for name in before or [])


def test_our_own_folder_is_taken_up_again_and_nothing_in_it_goes(claimed):
    before = contents(claimed)
    for stamp in (CROPS, with_settings(device="cuda"), with_settings(quality=None, reuse=False)):
        claim(claimed, stamp)
        assert {**contents(claimed), "extraction.json": b""} == {**before, "extraction.json": b""}


@given(
    names=st.sets(st.sampled_from(["thesis.tex", "crops", "faces.csv", "config.json", "a b", "été"]), min_size=1),
    stamp=st.sampled_from([None, {}, {"made_by": "torchfakes mini", "format": 2}, {"made_by": None}, [1], "text"]),
    overwrite=st.booleans(),
)
def test_a_folder_of_somebody_else_stays_as_it_is(tmp_path_factory, names, stamp, overwrite):
    folder = tmp_path_factory.mktemp("theirs")
    for name in names:
        (folder / name).write_text("years of work")
    if stamp is not None:
        (folder / CROPS.file).write_text(json.dumps(stamp))
    before = contents(folder)
    with pytest.raises(InputError) as caught:
        claim(folder, CROPS, overwrite)
    assert "\n" not in str(caught.value) and str(folder) in str(caught.value)
    assert contents(folder) == before


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match=r"file: a file; choose another folder"):
        claim(tmp_path / "file", CROPS)
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize(
    ("stamp", "words"),
    [
        (with_settings(frames=32), r"holds crops with frames 12 \(now 32\); choose another folder, or --overwrite"),
        (with_settings(novel=True), r"holds crops with novel None \(now True\)"),
        (replace(with_settings(frames=32), wording={"frames": "other frames"}), "crops with other frames; choose"),
        (replace(CROPS, version=3), r"`torchfakes extract` of another torchfakes made it \(format 2; .* 3\); run it"),
    ],
)
def test_work_of_other_settings_is_refused_or_begun_anew(claimed, stamp, words):
    before = contents(claimed)
    with pytest.raises(InputError, match=words):
        claim(claimed, stamp)
    assert contents(claimed) == before
    claim(claimed, stamp, overwrite=True)
    assert set(contents(claimed)) == {"extraction.json", "faces.csv"}
    claim(claimed, stamp)


def test_overwriting_work_of_the_same_settings_removes_nothing(claimed):
    before = contents(claimed)
    claim(claimed, CROPS, overwrite=True)
    assert contents(claimed) == before


def test_a_stamp_that_cannot_be_read_protects_its_folder(claimed):
    (claimed / "extraction.json").write_text("{")
    before = contents(claimed)
    for overwrite in (False, True):
        with pytest.raises(InputError, match=r"extraction\.json: cannot be read .*; choose another folder"):
            claim(claimed, CROPS, overwrite)
    assert contents(claimed) == before


# --- what a killed run leaves

KILLED = """
import os, signal, sys
from torchfakes_utils.io.files import atomic_write
with atomic_write(sys.argv[1]) as temporary:
    temporary.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_writer_left_is_swept_and_nothing_else(claimed):
    ours = [".torchfakes", ".torchfakes-notes", ".torchfakes-12345678.txt", "torchfakes-12345678", ".faces.abc.csv"]
    for name in ours:
        (claimed / name).mkdir()
    (claimed / ".torchfakes-abcdefgh").write_text("a file, which none of ours is")
    (claimed / ".torchfakes-linklink").symlink_to(claimed / "crops")
    before = contents(claimed)
    for path in (claimed / "faces.csv", claimed / "crops" / "1.png"):
        assert subprocess.run([sys.executable, "-c", KILLED, path], check=False).returncode == -signal.SIGKILL
    left = set(contents(claimed)) - set(before)
    assert len(left) == 4, "a folder and a file each"
    sweep(claimed)
    assert {name for name in set(contents(claimed)) - set(before) if name.startswith(".")} == set()
    sweep(claimed, below=True)
    assert contents(claimed) == before
    sweep(claimed / "not there")


# --- a folder that is replaced


def fill(folder, text, stamp=EXPORT, error=None, more=(), **options):
    with replaced_folder(folder, stamp, **options) as fresh:
        (fresh / "net").mkdir()
        (fresh / "net" / "a.onnx").write_text(text)
        (fresh / "page.md").write_text(text)
        for name in more:
            (fresh / name).parent.mkdir(parents=True, exist_ok=True)
            (fresh / name).touch()
        if error is not None:
            raise error


def test_a_folder_is_replaced_as_a_whole_and_what_is_not_ours_is_carried_over(tmp_path):
    out = tmp_path / "onnx"
    fill(out, "one")
    mine = ["notes.txt", "net/notes.txt", "pictures/mine.jpg"]
    for name in mine:
        (out / name).parent.mkdir(exist_ok=True)
        (out / name).write_text("mine")
    (out / ".git" / "refs" / "tags").mkdir(parents=True)
    (out / "link").symlink_to(out / ".git")
    with replaced_folder(out, EXPORT) as fresh:
        assert contents(fresh).keys() == {MARK} and (out / "page.md").read_text() == "one"
        (fresh / "web").mkdir()
        (fresh / "web" / "index.html").touch()
    assert {name for name, content in contents(out).items() if content is not None} == {
        STAMP_FILE, "web/index.html", *mine,
    }  # fmt: skip
    assert (out / ".git/refs/tags").is_dir() and (out / "link").is_symlink()
    assert [path.name for path in tmp_path.iterdir()] == ["onnx"]


@pytest.mark.parametrize("name", ["page.md", "net", ".hidden", "deep/er/a.txt"])
def test_what_is_not_ours_is_not_replaced(tmp_path, name):
    out = tmp_path / "onnx"
    with replaced_folder(out, EXPORT) as fresh:
        (fresh / "first.md").touch()
    (out / name).parent.mkdir(parents=True, exist_ok=True)
    (out / name).write_text("mine")
    before = contents(tmp_path)
    with pytest.raises(InputError, match="not made by us, and in the way"):
        fill(out, "new", more=("page.md", "net/a.onnx", ".hidden", "deep/er/a.txt"))
    assert contents(tmp_path) == before


@pytest.mark.parametrize("made", [["../theirs.txt", "/etc/passwd", "..", ".", "page.md", 7, None], "page.md", 7, {}])
def test_a_stamp_that_names_what_lies_elsewhere_reaches_nothing(tmp_path, made):
    (tmp_path / "theirs.txt").write_text("mine")
    out = tmp_path / "onnx"
    out.mkdir()
    (out / STAMP_FILE).write_text(json.dumps({"made_by": EXPORT.maker, "format": 1, "made": made}))
    (out / "notes.txt").write_text("mine")
    with contextlib.suppress(InputError):
        fill(out, "new")
    assert (tmp_path / "theirs.txt").read_text() == (out / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("pattern", ["{}.old", ".{}.old", ".{}.fresh", ".{}.torchfakes-old", ".{}.torchfakes-fresh",
                                     ".torchfakes.{}", ".torchfakes.abcdefgh-old"])  # fmt: skip
def test_neighbours_are_left_alone(tmp_path, pattern):
    beside = tmp_path / pattern.format("onnx")
    beside.mkdir()
    (beside / "notes.txt").write_text("mine")
    for text in ("one", "two"):
        fill(tmp_path / "onnx", text)
    assert contents(beside) == {"notes.txt": b"mine"}
    assert {path.name for path in tmp_path.iterdir()} == {"onnx", beside.name}


def test_what_is_welcome_is_replaced_and_the_rest_refused(tmp_path):
    (tmp_path / ".git").mkdir()
    (tmp_path / "page.md").write_text("of a new repository")
    welcome = {"page.md": re.compile("of a new .*")}
    for options in ({}, {"welcome": {"page.md": re.compile("of a new")}}, {"welcome": {"a.md": welcome["page.md"]}}):
        with pytest.raises(InputError, match="holds other things than an export"):
            fill(tmp_path, "new", **options)
    fill(tmp_path, "new", welcome=welcome)
    assert (tmp_path / "page.md").read_text() == "new" and (tmp_path / ".git").is_dir()


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError("odd"), OSError(28, "No space left on device")])
@pytest.mark.parametrize("there", [False, True])
def test_a_failure_while_it_is_filled_leaves_all_as_it_was(tmp_path, error, there):
    out = tmp_path / "onnx"
    if there:
        fill(out, "one")
    before = contents(tmp_path)
    with pytest.raises(InputError if isinstance(error, OSError) else type(error)):
        fill(out, "two", error=error)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("step", range(12))
def test_killed_at_any_step_the_old_or_the_new_folder_is_there_whole_after_the_next(tmp_path, monkeypatch, step):
    """Every rename, and every removal of a whole folder, may be the last thing that a process does."""

    class Killed(BaseException):
        pass

    out, done = tmp_path / "onnx", []
    fill(out, "one")
    (out / "notes.txt").write_text("mine")

    def dies_at_its_turn(real):
        def wrapped(*arguments, **options):
            if len(done) >= step:
                raise Killed
            done.append(real)
            return real(*arguments, **options)

        return wrapped

    with monkeypatch.context() as patch:
        patch.setattr(folders.shutil, "rmtree", dies_at_its_turn(shutil.rmtree))
        patch.setattr(Path, "rename", dies_at_its_turn(Path.rename))
        patch.setattr(Path, "replace", dies_at_its_turn(Path.replace))
        try:
            fill(out, "two")
        except Killed:
            assert len(done) == step
    assert any((place / "page.md").is_file() for place in tmp_path.iterdir()), "one of them is always there"
    with pytest.raises(KeyboardInterrupt):
        fill(out, "three", error=KeyboardInterrupt())
    assert (out / "page.md").read_text() == (out / "net" / "a.onnx").read_text()
    assert (out / "page.md").read_text() in ("one", "two")
    assert (out / "notes.txt").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["onnx"]


def test_the_folder_one_stands_in_and_a_link_to_it(tmp_path, monkeypatch):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    fill(tmp_path / "link", "by the link")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "real" / "page.md").read_text() == "by the link"
    monkeypatch.chdir(tmp_path / "real")
    fill(Path(), "from inside")
    assert (tmp_path / "real" / "page.md").read_text() == "from inside"
    os.chdir(tmp_path)
