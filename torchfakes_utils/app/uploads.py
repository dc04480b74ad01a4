"""Uploads that are gone once they are judged, and together take up no more than they may."""

import contextlib
import json
import shutil
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, MutableMapping
from pathlib import Path
from typing import Any

from torchfakes_utils.app.config import AppLimits
from torchfakes_utils.errors import InputError

# As ASGI names them.
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]

# An upload that nobody has had judged for so long never will be: its page was closed. Seconds.
_FORGOTTEN = 1800
# What a request holds besides its file, at most, in bytes.
_AROUND = 10_000


class Uploads:
    """The folder of the uploads, each of which is deleted when it has been judged.

    Gradio names an upload by its content: whoever sends the same file has the same path, and the first answer must not
    take the file away from the second. So this counts, as middleware, what arrives, and deletes what nobody waits for
    any more. Only what arrived here is ever opened: a client that names another file of this machine gets nothing.
    """

    def __init__(self, limits: AppLimits = AppLimits()) -> None:
        """An empty folder of its own, in the system's folder for temporary files."""
        self.limits = limits
        self.folder = Path(tempfile.mkdtemp(prefix="torchfakes-app-")).resolve()
        self._waiting: Counter[Path] = Counter()
        self._spent: set[Path] = set()  # judged, but perhaps just arriving once more
        self._arriving = 0
        self._announced = 0  # bytes of the uploads that are on their way
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def taken(self, upload: Any) -> Iterator[tuple[Path, str]]:
        """Where an upload is, to be judged now, and its owner's name for it; it counts as judged when the block ends.

        Args:
            upload: what Gradio says of it: a dictionary with its `path` and `orig_name`.

        Raises:
            InputError: no file, or none that was uploaded and waits.
        """
        given = upload if isinstance(upload, dict) else getattr(upload, "__dict__", {})
        path = Path(str(given.get("path") or "")).absolute()
        with self._lock:
            if self._waiting[path] < 1:
                raise InputError("there is no such upload (any more); upload the file again")
        try:
            yield path, Path(str(given.get("orig_name") or path.name)).name
        finally:
            with self._lock:
                self._waiting[path] -= 1
                self._spent.add(path)
                self._clear()

    def arrived(self, paths: Iterable[Path | str]) -> None:
        """Count uploads that are stored now."""
        with self._lock:
            self._waiting.update(Path(path) for path in paths)

    def sweep(self, age: float = _FORGOTTEN) -> None:
        """Delete what has lain here for `age` seconds: uploads that broke off, and what nobody asked about."""
        with self._lock:
            # All are found before the first goes, which changes the time of its folder.
            for path in sorted(
                (path for path in self.folder.rglob("*") if _size_and_age(path)[1] >= age), reverse=True
            ):
                with contextlib.suppress(OSError):  # a folder that is not empty
                    path.rmdir() if path.is_dir() else path.unlink()
                    self._waiting.pop(path, None)

    def close(self) -> None:
        """Delete the folder with all that is in it."""
        shutil.rmtree(self.folder, ignore_errors=True)

    @contextlib.contextmanager
    def _room_for(self, size: int) -> Iterator[bool]:
        """Whether there is room for an upload of so many bytes; if so, it is kept free until the block ends."""
        with self._lock:
            stored = sum(_size_and_age(path)[0] for path in self.folder.rglob("*"))
            fits = stored + self._announced + size <= self.limits.gigabytes * 1e9
            self._announced += size * fits
        try:
            yield fits
        finally:
            with self._lock:
                self._announced -= size * fits

    def _clear(self) -> None:
        """Delete what was judged. While something arrives, wait: it may be the same file, about to be counted."""
        self._waiting = +self._waiting
        if self._arriving:
            return
        for path in self._spent - set(self._waiting):
            path.unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                path.parent.rmdir()
        self._spent.clear()

    def middleware(self, app: Application) -> Application:
        """The ASGI application `app`, watched: what is answered to an upload names the files that arrived."""
        from starlette.responses import PlainTextResponse  # Gradio's page shows such a text as it is

        no_room = PlainTextResponse(
            "too many uploads are waiting here now; come again later", 503, {"retry-after": "60"}
        )

        async def watched(scope: Message, receive: Receive, send: Send) -> None:
            if scope["type"] != "http" or scope["method"] != "POST" or not scope["path"].endswith("/upload"):
                return await app(scope, receive, send)
            size = _length(scope, int(self.limits.megabytes * 1e6))
            with self._room_for(size) as there:
                if there:
                    return await self._stored(app, scope, _as_far_as(size, receive), send)
            return await no_room(scope, receive, send)

        return watched

    async def _stored(self, app: Application, scope: Message, receive: Receive, send: Send) -> None:
        """An upload that there is room for: what `app` says has arrived is counted."""
        complete, status, body = False, 0, b""

        async def received() -> Message:
            nonlocal complete
            message = await receive()
            if message["type"] == "http.request" and not message.get("more_body") and not complete:
                complete = True  # from now on, and not before, it may take its place beside the others
                with self._lock:
                    self._arriving += 1
            return message

        async def sent(message: Message) -> None:
            nonlocal status, body
            status = message.get("status", status)
            body += message.get("body", b"")
            last = message["type"] == "http.response.body" and not message.get("more_body")
            if last and status == 200:  # counted before the client knows of it, and can ask for a verdict
                self.arrived(json.loads(body))
            await send(message)

        try:
            return await app(scope, received, sent)
        finally:
            if complete:
                with self._lock:
                    self._arriving -= 1
                    self._clear()


@contextlib.contextmanager
def repeated(work: Callable[[], None], every: float = 60) -> Iterator[None]:
    """Do something every so many seconds, beside what happens in the block."""
    over = threading.Event()

    def keep_on() -> None:
        while not over.wait(every):
            work()

    threading.Thread(target=keep_on, daemon=True).start()
    try:
        yield
    finally:
        over.set()


def _length(scope: Message, most: int) -> int:
    """How many bytes a request is going to send; where it does not say, those of the largest file, a little more."""
    length = dict(scope.get("headers") or []).get(b"content-length", b"")
    return int(length) if length.isdigit() else most + _AROUND


def _as_far_as(size: int, receive: Receive) -> Receive:
    """What a client sends, as far as `size` bytes; beyond, which only happens where it did not say, it is cut off."""
    left = size

    async def received() -> Message:
        nonlocal left
        message = await receive()
        left -= len(message.get("body", b""))
        return message if left >= 0 else {"type": "http.disconnect"}

    return received


def _size_and_age(path: Path) -> tuple[int, float]:
    """Bytes of a file (a folder has 0), and seconds since something was written to it last; zeros for what is gone."""
    try:
        found = path.stat()
    except OSError:
        return 0, 0.0
    return found.st_size if path.is_file() else 0, time.time() - found.st_mtime
