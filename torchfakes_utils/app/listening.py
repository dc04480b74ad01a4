"""The app's own server: uvicorn, with a bound on connections that ask for nothing, which no ASGI application sees."""

import contextlib
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

from torchfakes_utils.app.asgi import Application
from torchfakes_utils.app.config import GateLimits
from torchfakes_utils.errors import InputError

# Where no port is asked for, the first free one of so many, from the first on; as Gradio does.
_PORTS = range(7860, 7960)

# How long the server may take to start, and to end what it is answering; seconds.
_START, _END = 30.0, 5.0


class Server:
    """Serves an ASGI application in a thread of its own, until `close`."""

    def __init__(self, app: Application, listener: socket.socket, limits: GateLimits, of_one: int | None) -> None:
        """Start it.

        Args:
            app: what answers.
            listener: bound.
            limits: of connections.
            of_one: connections of one address at most; None where all come through a proxy.

        Raises:
            InputError: it does not start.
        """
        import uvicorn

        from torchfakes_utils.app.connections import connections_within

        config = uvicorn.Config(
            app,
            # One implementation for all, which bounds the bytes before a body; a WebSocket is never opened.
            http=connections_within(limits.header_seconds, connections_at_most(limits), of_one),
            ws="none",
            h11_max_incomplete_event_size=limits.headers,
            log_level="critical",  # what goes wrong is said by the gate, without a visitor's words
            access_log=False,
            server_header=False,
            proxy_headers=False,  # whoever asks is found out by the gate
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([listener],), daemon=True)
        self._thread.start()
        deadline = time.monotonic() + _START
        while not self._server.started:
            if time.monotonic() > deadline or not self._thread.is_alive():
                raise InputError("the app's server does not start; try another port with --port")
            time.sleep(0.005)

    def close(self) -> None:
        """End it."""
        self._server.should_exit = True
        self._thread.join(_END)


def connections_at_most(limits: GateLimits) -> int:
    """How many connections there may be at once: not more than a third of the files that may be open."""
    if sys.platform == "win32":
        return limits.connections
    import resource

    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return limits.connections if files == resource.RLIM_INFINITY else min(limits.connections, max(8, files // 3))


def listener_at(host: str, port: int | None) -> socket.socket:
    """A socket that listens there; where `port` is None, at the first free one from 7860 on.

    Raises:
        InputError: there is none.
    """
    for one in _PORTS if port is None else (port,):
        family, kind, _, _, address = socket.getaddrinfo(host, one, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind)
        if os.name != "nt":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
            listener.listen(128)  # a second program may have bound the same port, and not listen yet
        except OSError:
            listener.close()
        else:
            return listener
    where = f"{_PORTS[0]} to {_PORTS[-1]} are all" if port is None else f"{port} is"
    raise InputError(f"port {where} taken; choose another one with --port, or stop what uses it")


@contextlib.contextmanager
def instead_of_gradios(start: Any) -> Iterator[None]:
    """While Gradio launches a page, it is `start` that serves it, and not Gradio's own server.

    `start` is given what `gradio.http_server.start_server` is given, and returns what that returns.
    """
    from gradio import http_server

    before = http_server.start_server
    http_server.start_server = start
    try:
        yield
    finally:
        http_server.start_server = before
