"""The app's server over real sockets: connections that ask for nothing keep nobody out."""

import contextlib
import select
import socket
import subprocess
import sys
import time
import urllib.request

import pytest

from torchfakes_utils.app.config import GateLimits
from torchfakes_utils.app.listening import Server, connections_at_most, listener_at
from torchfakes_utils.errors import InputError

resource = pytest.importorskip("resource")

WHOLE = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


async def hello(scope, receive, send):
    """Answers when the request is complete; what is asked for at /slow, a little later."""
    if scope["type"] == "lifespan":
        return
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
    await send({"type": "http.response.body", "body": b"hello"})


@contextlib.contextmanager
def serving(limits=GateLimits(), of_one=None):
    listener = listener_at("127.0.0.1", None)
    server = Server(hello, listener, limits, of_one)
    try:
        yield listener.getsockname()[1]
    finally:
        server.close()


@contextlib.contextmanager
def connections(port, number, sent=b"", source="127.0.0.1"):
    with contextlib.ExitStack() as stack:
        opened = []
        for _ in range(number):
            opened.append(stack.enter_context(socket.create_connection(("127.0.0.1", port), 20, (source, 0))))
            opened[-1].sendall(sent)
        yield opened


def answered(connection, sent=WHOLE):
    """What comes back; b"" where the connection was closed instead."""
    try:
        connection.sendall(sent)
        return connection.recv(1000)
    except ConnectionError:
        return b""


def page(port):
    started = time.monotonic()
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=20) as reply:
        assert reply.read() == b"hello"
    return time.monotonic() - started


@pytest.mark.slow
@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n", WHOLE[:-1]])
def test_a_connection_that_asks_for_nothing_in_time_is_closed(sent):
    with serving(GateLimits(header_seconds=0.5)) as port, connections(port, 1, sent) as (idle,):
        started = time.monotonic()
        assert idle.recv(100) == b"" or pytest.fail("it was answered")
        assert 0.3 < time.monotonic() - started < 10


@pytest.mark.slow
def test_not_even_one_that_trickles():
    with serving(GateLimits(header_seconds=1)) as port, connections(port, 1) as (slow,):
        started = time.monotonic()
        with contextlib.suppress(ConnectionError):
            while time.monotonic() - started < 20:
                slow.sendall(b"G")
                time.sleep(0.1)
        assert time.monotonic() - started < 10


def test_nor_the_second_request_of_one():
    with serving(GateLimits(header_seconds=0.5)) as port, connections(port, 1) as (again,):
        assert b"200 OK" in answered(again)
        assert answered(again, WHOLE[:9]) == b""


@pytest.mark.slow
def test_a_request_that_is_answered_late_is_not_cut_off():
    with serving(GateLimits(header_seconds=0.3)) as port:
        body = b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 4\r\n\r\n"
        with connections(port, 1, body) as (slow,):
            time.sleep(1)
            assert b"200 OK" in answered(slow, b"body")


@pytest.mark.slow
@pytest.mark.parametrize("sent", [b"", WHOLE[:20], b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\nx"])
def test_half_sent_requests_make_room_for_whole_ones(sent):
    limits = GateLimits(connections=20, header_seconds=60)
    with serving(limits) as port, connections(port, 20, sent) as opened:
        time.sleep(0.3)  # until all have come
        assert page(port) < 5
        assert len(select.select(opened, [], [], 2)[0]) == 1, "one was closed, and no more than that"


def test_one_address_does_not_take_the_places_of_all():
    with (
        serving(GateLimits(connections=40, header_seconds=60), of_one=5) as port,
        connections(port, 2, WHOLE[:20], "127.0.0.1") as mine,
        connections(port, 30, WHOLE[:20], "127.0.0.2"),
    ):
        time.sleep(0.3)
        assert page(port) < 5
        assert b"200 OK" in answered(mine[0], WHOLE[20:])


def test_there_are_never_more_connections_than_files_to_open():
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (120, limits[1]))
        assert connections_at_most(GateLimits(connections=384)) == 40
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert connections_at_most(GateLimits(connections=7)) == 7


PROGRAM = """
import resource, sys, time
from torchfakes_utils.app.config import GateLimits
from torchfakes_utils.app.listening import Server, listener_at
from torchfakes_utils.app.listening import connections_at_most
sys.path.insert(0, sys.argv[1])
from app.test_connections import hello
resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
listener = listener_at("127.0.0.1", None)
Server(hello, listener, GateLimits(header_seconds=60), connections_at_most(GateLimits()) // 2)
print(listener.getsockname()[1], flush=True)
time.sleep(600)
"""


def test_260_half_sent_requests_to_a_program_that_may_open_256_files(request):
    words = [sys.executable, "-c", PROGRAM, str(request.config.rootpath / "tests")]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program:
        try:
            port = int(program.stdout.readline())
            with connections(port, 260, WHOLE[:20]):
                assert max(page(port) for _ in range(5)) < 5
        finally:
            program.kill()
        assert "Too many open files" not in program.stderr.read()


def test_headers_without_end_are_refused():
    with serving(GateLimits(headers=2000)) as port, connections(port, 1) as (endless,):
        assert b"400 Bad Request" in answered(endless, b"GET / HTTP/1.1\r\nA: " + b"a" * 70_000)


def test_the_first_free_port_is_taken_or_a_line_says_that_there_is_none(monkeypatch):
    with contextlib.closing(listener_at("127.0.0.1", None)) as first:
        with contextlib.closing(listener_at("127.0.0.1", None)) as second:
            assert first.getsockname()[1] < second.getsockname()[1]
        with pytest.raises(InputError, match=f"port {first.getsockname()[1]} is taken"):
            listener_at("127.0.0.1", first.getsockname()[1])
        monkeypatch.setattr("torchfakes_utils.app.listening._PORTS", [first.getsockname()[1]])
        with pytest.raises(InputError, match="are all taken"):
            listener_at("127.0.0.1", None)
