"""A process of its own reads strangers' files: the same pictures, and nothing that happens there happens here."""

import dataclasses
import os
import sys
import threading
import time

import numpy as np
import psutil
import pytest

from torchfakes_utils.errors import InputError
from torchfakes_utils.io import reader as reading
from torchfakes_utils.io.limits import Limits
from torchfakes_utils.io.media import open_media
from torchfakes_utils.io.reader import Reader

from cases import CASES, bombs, photos
from helpers.memory import peak

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits a process's memory")


@pytest.fixture(scope="module")
def reader():
    reader = Reader()
    yield reader
    reader.close()


def refusal(reader, source):
    with pytest.raises(InputError) as caught:
        reader.open_media(source)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def same(one, other):
    for field in dataclasses.fields(one):
        ours, theirs = getattr(one, field.name), getattr(other, field.name)
        if field.name == "pictures":
            assert len(ours) == len(theirs) and all(map(np.array_equal, ours, theirs))
        else:
            assert np.array_equal(ours, theirs), field.name


@pytest.mark.slow
@pytest.mark.parametrize("name", ["wide pixels", "whole", "a GIF without time", "floats in TIFF"])
def test_what_it_reads_is_what_is_read_here(reader, tmp_path, name):
    path = CASES[name].make(tmp_path)
    same(reader.open_media(path, 5), open_media(path, 5))
    same(reader.open_media(path.read_bytes(), 5), open_media(path.read_bytes(), 5))


def test_names_are_as_they_were_given(reader, tmp_path, monkeypatch):
    path = CASES["a name that is no text"].make(tmp_path)
    assert reader.open_media(path).name == str(path)
    monkeypatch.chdir(tmp_path)
    assert reader.open_media(path.name, 2).name == path.name
    assert refusal(reader, "absent.jpg") == "absent.jpg: no such file"
    assert refusal(reader, b"no film").startswith("these bytes: neither a photo nor a video")


def test_one_process_reads_all_files_whoever_asks(reader, tmp_path):
    path = CASES["whole"].make(tmp_path)
    reader.open_media(path)
    child = reader._process.pid
    found = []
    asking = [threading.Thread(target=lambda: found.append(reader.open_media(path))) for _ in range(4)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    assert len(found) == 4 and reader._process.pid == child
    for one in found:
        same(one, found[0])


@pytest.mark.slow
@linux
def test_what_asks_for_too_much_memory_is_refused_and_the_next_file_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(Limits, "process_memory", 2**28)
    reader = Reader()
    photo = photos.vast(tmp_path, 9900, 10_000, "vast.png")
    assert "takes more memory to read than the" in refusal(reader, photo)
    film = CASES["wide pixels"].make(tmp_path)
    assert len(reader.open_media(film, 2).pictures) == 2
    reader.close()


@pytest.mark.slow
def test_what_takes_too_long_is_refused_and_the_next_file_is_read(tmp_path):
    reader = Reader(Limits(patience=3))
    photo = CASES["whole"].make(tmp_path)
    reader.open_media(photo)
    reader.limits = Limits(patience=0.2)
    started = time.monotonic()
    assert "takes longer to read than the 0.2 s that it may" in refusal(reader, bombs.gif(tmp_path, 2000, 3000))
    assert time.monotonic() - started < 3
    reader.limits = Limits(patience=30)
    assert reader.open_media(photo).kind == "photo"
    reader.close()


@pytest.mark.slow
def test_a_crash_is_told_in_a_line_and_the_next_file_is_read(reader, tmp_path):
    photo = CASES["whole"].make(tmp_path)
    reader.open_media(photo)
    os.kill(reader._process.pid, 11)
    reader._process.wait()
    assert reader.open_media(photo).kind == "photo"  # it died while nobody asked
    killer = threading.Timer(0.3, os.kill, (reader._process.pid, 11))
    killer.start()
    assert "has crashed over it (signal 11)" in refusal(reader, bombs.gif(tmp_path, 2000, 3000))
    assert reader.open_media(photo).kind == "photo"


@pytest.mark.slow
@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"nonsense\n",
        b'{"shape": [100000000, 100000000]}\n',
        b'{"shape": [-1, -1]}\n',
        b'{"shape": [2, 2]}\nshort',
        b'{"media": {"kind": "photo"}}\n',
        b'{"media": {"kind": "photo", "indices": {"array": [0], "kind": "i"}, "times": {"array": [0], "kind": "f"}}}\n',
        b"[]\n",
        b"5\n",
    ],
)
def test_it_is_not_believed(tmp_path, monkeypatch, answer):
    """A file that has taken the process over may answer what it likes."""
    code = f"import sys; sys.stdin.readline(); sys.stdout.buffer.write({answer!r})"
    monkeypatch.setattr(reading, "_START", code)
    reader = Reader()
    assert "crashed" in refusal(reader, CASES["whole"].make(tmp_path))
    reader.close()


def test_it_ends_with_its_owner_and_knows_no_secrets(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "secret")
    reader = Reader()
    reader.open_media(CASES["whole"].make(tmp_path))
    child = psutil.Process(reader._process.pid)
    if sys.platform == "linux":
        assert "HF_TOKEN" not in child.environ()
        assert child.rlimit(psutil.RLIMIT_FSIZE)[0] == 0
        assert child.rlimit(psutil.RLIMIT_DATA)[0] == Limits().process_memory
    del reader
    child.wait(10)
    assert not child.is_running()


def test_a_file_in_the_folder_at_hand_is_not_imported(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "numpy.py").write_text("raise SystemExit")
    photo = CASES["whole"].make(tmp_path)
    reader = Reader()
    assert reader.open_media(photo).kind == "photo"
    reader.close()


def test_limits_may_be_none(tmp_path):
    reader = Reader(Limits(seconds=float("inf"), patience=float("inf")))
    assert reader.open_media(CASES["wide pixels"].make(tmp_path), 2).kind == "video"
    reader.close()


@pytest.mark.slow
@linux
def test_a_fork_has_a_process_of_its_own(reader, tmp_path):
    path = CASES["whole"].make(tmp_path)
    reader.open_media(path)
    ours = reader._process.pid
    if not (fork := os.fork()):
        os._exit(0 if reader.open_media(path).kind == "photo" and reader._process.pid != ours else 1)
    assert os.waitpid(fork, 0)[1] == 0
    assert reader.open_media(path).kind == "photo" and reader._process.pid == ours


def test_a_folder_that_is_gone_is_no_reason(reader, tmp_path, monkeypatch):
    (tmp_path / "gone").mkdir()
    path = CASES["whole"].make(tmp_path)
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert reader.open_media(path).kind == "photo"


def test_it_can_be_done_without(tmp_path):
    reader = Reader(Limits(own_process=False))
    same(reader.open_media(CASES["whole"].make(tmp_path)), open_media(tmp_path / "photo.png"))
    assert reader._process is None


@linux
@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "name", ["8K at 1,000 frames a second", "an hour of a still 4K", "99 megapixels", "a long GIF"]
)
def test_the_worst_files_take_what_the_limits_allow(tmp_path, name):
    reader = Reader(Limits(memory=2**28, patience=200))
    media = reader.open_media(CASES[name].make(tmp_path))
    assert sum(picture.nbytes for picture in media.pictures) <= max(2**28, media.pictures[0].nbytes)
    assert peak(reader._process.pid) < 1.7e9
    reader.close()
