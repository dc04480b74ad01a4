"""A local HTTP server that gives files, refuses, stalls, or cuts off, as a test says."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

Answer = tuple[int | str, bytes] | str


class Server:
    """A server of this machine.

    Attributes:
        answer: a path, and how often it was asked for, to a status and a body; ("cut", body) announces the body and
            gives half of it, "cut" gives four bytes of a thousand, "stall" ten of a million and then nothing more.
        asked: the paths, in order.
        ranges: what was asked for of each, as its header Range says it, or "".
        tag: the version of all files; with one, a part of a file is given where it is asked for.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.ranges: list[str] = []
        self.tag = ""
        self.answer: Callable[[str, int], Answer] = lambda path, times: (404, b"")
        self.released = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append(self.path)
                outer.ranges.append(self.headers.get("Range", ""))
                outer.give(self, outer.answer(self.path, outer.asked.count(self.path)))

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.http.server_port}"

    def give(self, handler: BaseHTTPRequestHandler, answer: Answer) -> None:
        """Answer a request."""
        if answer == "stall":
            self.head(handler, 200, 1_000_000)
            handler.wfile.write(b"x" * 10)
            handler.wfile.flush()
            self.released.wait(30)
            return
        status, body = answer if isinstance(answer, tuple) else (200, b"half")
        length = len(body) if isinstance(answer, tuple) else 1000
        if status == "cut":
            status, body = 200, body[: len(body) // 2]
        begin = handler.headers.get("Range", "").removeprefix("bytes=").removesuffix("-")
        if status == 200 and begin and handler.headers.get("If-Range") == self.tag:
            status, body, length = 206, body[int(begin) :], length - int(begin)
        self.head(handler, int(status), length)
        handler.wfile.write(body)

    def head(self, handler: BaseHTTPRequestHandler, status: int, length: int) -> None:
        """What comes before the body."""
        handler.send_response(status)
        handler.send_header("Content-Length", str(length))
        if self.tag:
            handler.send_header("ETag", self.tag)
        handler.end_headers()

    def close(self) -> None:
        """Let go of who is kept waiting, and end."""
        self.released.set()
        self.http.shutdown()
        self.http.server_close()
