"""Downloads from servers that refuse, stall, cut off and recover; a full disk, a kill."""

import hashlib
import logging
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from torchfakes_utils.errors import InputError
from torchfakes_utils.io import downloads
from torchfakes_utils.io.downloads import (
    Patience,
    UnavailableError,
    WrongChecksumError,
    cache_folder,
    download,
    download_large,
)

from helpers.web_server import Server

BODY = bytes(range(256)) * 400
SUM = hashlib.sha256(BODY).hexdigest()


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    running = Server()
    running.answer = lambda path, times: (200, BODY)
    yield running
    running.close()


@pytest.fixture
def pauses(monkeypatch):
    """The pauses that would have been made."""
    made = []
    monkeypatch.setattr(downloads.time, "sleep", made.append)
    return made


def test_a_file_as_others_can_read_it(server, tmp_path):
    download(f"{server.url}/a", tmp_path / "deep/a.bin", Patience(), SUM)
    assert (tmp_path / "deep/a.bin").read_bytes() == BODY
    (tmp_path / "usual").touch()
    assert (tmp_path / "deep/a.bin").stat().st_mode == (tmp_path / "usual").stat().st_mode
    assert server.ranges == [""]


def test_pauses_grow_and_are_announced(server, tmp_path, pauses, caplog):
    server.answer = lambda path, times: (503, b"") if times < 4 else (200, BODY)
    with caplog.at_level(logging.WARNING):
        download(f"{server.url}/a", tmp_path / "a", Patience(tries=4, pause=2), SUM)
    assert pauses == [2, 4, 8]
    assert [line.rsplit(", ", 1)[1] for line in caplog.messages] == [f"once more in {pause} s" for pause in pauses]


@pytest.mark.parametrize(
    ("answer", "reason", "asked"),
    [
        ((404, b""), "404", 1),
        ((403, b""), "403", 1),
        ((503, b""), "the server answered 503 Service Unavailable", 3),
        ("cut", "only 4 of 1000 bytes came", 3),
        ("stall", "no answer for 0.1 s", 3),
    ],
)
def test_what_does_not_come_leaves_nothing(server, tmp_path, pauses, answer, reason, asked):
    server.answer = lambda path, times: answer
    with pytest.raises(UnavailableError) as error:
        download(f"{server.url}/a", tmp_path / "a", Patience(0.1, 3))
    assert reason in error.value.reason
    assert server.url in str(error.value) and "\n" not in str(error.value)
    assert len(server.asked) == asked and len(pauses) == asked - 1
    assert not list(tmp_path.iterdir())


def test_no_server(tmp_path):
    with pytest.raises(UnavailableError, match=r"\(Connection refused\); is there a network\?"):
        download("http://127.0.0.1:9/a", tmp_path / "a", Patience())
    with pytest.raises(UnavailableError, match="unknown url type"):
        download("no-address", tmp_path / "a", Patience())


def test_going_on_from_where_it_broke_off(server, tmp_path, pauses):
    server.tag = '"1"'
    server.answer = lambda path, times: ("cut" if times == 1 else 200, BODY)
    download(f"{server.url}/a", tmp_path / "a", Patience(tries=2), SUM)
    assert server.ranges == ["", f"bytes={len(BODY) // 2}-"]
    assert (tmp_path / "a").read_bytes() == BODY


@pytest.mark.parametrize("tag", ["", 'W/"1"'])
def test_beginning_anew_where_versions_cannot_be_told_apart(server, tmp_path, pauses, tag):
    server.tag = tag
    server.answer = lambda path, times: ("cut" if times == 1 else 200, BODY)
    download(f"{server.url}/a", tmp_path / "a", Patience(tries=2), SUM)
    assert server.ranges == ["", ""]


@pytest.mark.parametrize("heeds", [True, False])
def test_halves_of_two_versions_are_not_put_together(server, tmp_path, pauses, heeds):
    """Without a checksum, only the tags tell; a server that does not heed If-Range is asked once more."""
    server.tag, real = '"1"', server.head

    def head(handler, status, length):
        if len(server.asked) > 1:
            server.tag = '"2"'
        real(handler, status, length)

    def answer(path, times):
        if times > 1 and heeds:
            server.tag = '"2"'
        return ("cut", b"a" * 1000) if times == 1 else (200, b"b" * 1000)

    server.head, server.answer = head, answer
    download(f"{server.url}/a", tmp_path / "a", Patience(tries=3))
    assert (tmp_path / "a").read_bytes() == b"b" * 1000
    assert server.ranges == ["", "bytes=500-"] + ([] if heeds else [""])


def test_another_body_than_expected(server, tmp_path, pauses):
    server.tag = '"1"'
    server.answer = lambda path, times: (200, b"<html>sign in to the network</html>")
    with pytest.raises(WrongChecksumError, match="has not the checksum it should have"):
        download(f"{server.url}/a", tmp_path / "a", Patience(tries=2), SUM)
    assert server.ranges == ["", ""]
    assert not list(tmp_path.iterdir())


def test_what_a_check_refuses_does_not_replace_what_is_there(server, tmp_path):
    (tmp_path / "a").write_text("before")

    def check(path):
        assert path.read_bytes() == BODY
        raise InputError("of no use")

    with pytest.raises(InputError, match="of no use"):
        download(f"{server.url}/a", tmp_path / "a", Patience(tries=3), SUM, check)
    assert len(server.asked) == 1
    assert [path.read_text() for path in tmp_path.iterdir()] == ["before"]


def test_full_disk(server, tmp_path):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, before[1]))
    try:
        with pytest.raises(InputError, match=r"a: cannot be written \(File too large\); free some space") as error:
            download(f"{server.url}/a", tmp_path / "a", Patience(tries=3))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not isinstance(error.value, UnavailableError) and len(server.asked) == 1
    assert not list(tmp_path.iterdir())


def test_killed_and_started_again(server, tmp_path):
    server.answer = lambda path, times: "stall" if times == 1 else (200, BODY)
    code = (
        "import sys, pathlib; from torchfakes_utils.io.downloads import *\n"
        "download(sys.argv[1], pathlib.Path(sys.argv[2]), Patience())"
    )
    command = [sys.executable, "-c", code, f"{server.url}/a", str(tmp_path / "a")]
    with subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}) as process:
        deadline = time.monotonic() + 60
        while not server.asked and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    assert not (tmp_path / "a").exists()
    download(f"{server.url}/a", tmp_path / "a", Patience(), SUM)


def test_where_the_cache_is(monkeypatch, tmp_path):
    monkeypatch.setenv("TORCHFAKES_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.setenv("TORCHFAKES_CACHE", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "system"))
    if sys.platform == "linux":
        assert cache_folder() == tmp_path / "system/torchfakes"
    assert cache_folder().name in ("torchfakes", "Cache")


def test_a_large_one_goes_on_in_another_run(server, tmp_path, pauses):
    """Whether or not the server names a version: what the whole has to be is known."""
    path = tmp_path / "deep" / "a.bin"
    server.answer = lambda path, times: ("cut", BODY)
    with pytest.raises(UnavailableError, match="bytes came"):
        download_large(f"{server.url}/a", path, len(BODY), SUM, Patience())
    part = path.with_name(".a.bin.part")
    assert part.read_bytes() == BODY[: len(BODY) // 2] and not path.exists()
    server.answer = lambda path, times: (200, BODY)  # which gives all of it, however little is asked for
    download_large(f"{server.url}/a", path, len(BODY), SUM, Patience())
    assert server.ranges == ["", f"bytes={len(BODY) // 2}-"]
    assert path.read_bytes() == BODY and not part.exists()


@pytest.mark.parametrize(("status", "words"), [(401, "refuses it (401)"), (404, "does not have it (404)")])
def test_a_refusal_is_told_from_a_file_that_is_not_there(server, tmp_path, status, words):
    server.answer = lambda path, times: (status, b"")
    with pytest.raises(UnavailableError) as error:
        download_large(f"{server.url}/a", tmp_path / "a", len(BODY), SUM, Patience(tries=3))
    assert words in str(error.value) and error.value.final and error.value.__cause__.code == status


@pytest.mark.parametrize("there", [b"", BODY[:7] + b"?", b"x" * len(BODY), BODY + b"more"])
def test_a_large_one_that_is_something_else_is_not_kept(server, tmp_path, there):
    server.answer = lambda path, times: (200, BODY[:-1] + b"?")
    (tmp_path / ".a.part").write_bytes(there)
    with pytest.raises(WrongChecksumError, match="SHA-256"):
        download_large(f"{server.url}/a", tmp_path / "a", len(BODY), SUM, Patience())
    assert list(tmp_path.iterdir()) == []
