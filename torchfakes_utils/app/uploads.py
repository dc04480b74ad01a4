"""Uploads that are gone once they are judged, and together take up no more than they may."""

import contextlib
import json
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from torchfakes_utils.app.asgi import (
    AROUND,
    CLIENT,
    Application,
    Message,
    Paced,
    Receive,
    Refused,
    Send,
    drop_headers,
    header,
)
from torchfakes_utils.app.config import AppLimits, GateLimits
from torchfakes_utils.app.scratch import Scratch
from torchfakes_utils.errors import InputError

logger = logging.getLogger(__name__)

# An upload that nobody has had judged for so long never will be: its page was closed. Seconds.
_FORGOTTEN = 1800

# So long, in units of the silence after which an upload is given up, may Gradio's own file of one lie untouched.
_BROKEN_OFF = 3

# Bytes before an upload's file: its name, mostly. Gradio's parser takes no more than 4096.
_HEAD = 4000

# A part without a name: no form has that, and Gradio throws such a form away with all that it has stored of it.
_NAMELESS = b"\r\nA: b\r\n\r\n"

NO_ROOM = "too many uploads are waiting here now; come again later"
NO_ROOM_FOR_ONE = "too many of your uploads are waiting here now; have them judged first, or come again later"


class Uploads:
    """The folder of the uploads, each of which is deleted when it has been judged.

    Gradio names an upload by its content: whoever sends the same file has the same path, and the first answer must not
    take the file away from the second. So this counts, as middleware, what arrives, and deletes what nobody waits for
    any more. Only what arrived here is ever opened: a client that names another file of this machine gets nothing.
    """

    def __init__(self, limits: AppLimits = AppLimits(), gate: GateLimits = GateLimits()) -> None:
        """An empty folder of its own, in the system's folder for temporary files."""
        self.limits, self.gate = limits, gate
        self._scratch = Scratch("torchfakes-app-")
        self.folder = self._scratch.folder
        self._waiting: Counter[Path] = Counter()
        self._spent: set[Path] = set()  # judged, but perhaps just arriving once more
        self._arriving = 0
        self._coming: dict[_Arrival, int] = {}  # bytes that have come of those on their way
        self._lying: dict[Path, int] = {}  # bytes of those that have arrived
        self._owners: dict[Path, str] = {}  # and whose they are
        self._unfinished = 0
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

    def arrived(self, paths: Iterable[Path | str], client: str = "") -> None:
        """Count uploads that are stored now."""
        with self._lock:
            found = [Path(path) for path in paths]
            self._waiting.update(found)
            self._owners.update(dict.fromkeys(found, client))

    def sweep(self, age: float = _FORGOTTEN) -> None:
        """Delete what has lain here for `age` seconds: uploads that broke off, and what nobody asked about."""
        with self._lock:
            # All are found before the first goes, which changes the time of its folder.
            broken = [path for path in self.folder.glob("*") if path.is_file()]
            broken = [path for path in broken if _size_and_age(path)[1] >= self.gate.silence * _BROKEN_OFF]
            old = [path for path in self.folder.rglob("*") if _size_and_age(path)[1] >= age]
            for path in sorted({*broken, *old}, reverse=True):
                with contextlib.suppress(OSError):  # a folder that is not empty
                    path.rmdir() if path.is_dir() else path.unlink()
                    self._waiting.pop(path, None)

    def close(self) -> None:
        """Delete the folder with all that is in it."""
        self._scratch.close()

    def _measure(self) -> None:
        """See how much lies here: once when an upload begins or ends, not with every piece of one that comes."""
        files = {path: _size_and_age(path)[0] for path in self.folder.rglob("*") if path.is_file()}
        # Gradio writes what is on its way beside the folders of what has arrived.
        self._lying = {path: size for path, size in files.items() if path.parent != self.folder}
        self._unfinished = sum(files.values()) - sum(self._lying.values())
        self._owners = {path: owner for path, owner in self._owners.items() if path in files}

    def _check_room(self, client: str, more: int = 0) -> None:
        """See that there is room for what has come, and for more, and that one client does not take it all.

        Raises:
            Refused: there is not.
        """
        limits, coming = self.limits, sum(self._coming.values())
        stored = sum(self._lying.values()) + max(coming, self._unfinished) + more
        files = len(self._lying) + len(self._coming)
        if stored > limits.gigabytes * 1e9 or files > limits.files:
            raise Refused(503, NO_ROOM)
        own = [size for path, size in self._lying.items() if self._owners.get(path) == client]
        own += [size for arrival, size in self._coming.items() if arrival.client == client]
        half = max(limits.gigabytes * 5e8, limits.megabytes * 1e6 + AROUND)
        if sum(own) + more > half or len(own) > max(limits.files // 2, 1):
            raise Refused(503, NO_ROOM_FOR_ONE)

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

        async def watched(scope: Message, receive: Receive, send: Send) -> None:
            if scope["type"] != "http" or scope["method"] != "POST" or not scope["path"].endswith("/upload"):
                return await app(scope, receive, send)
            return await self._stored(app, scope, receive, send)

        return watched

    async def _stored(self, app: Application, scope: Message, receive: Receive, send: Send) -> None:
        """An upload, as far as there is room for it: what `app` says has arrived is counted."""
        arrival = _Arrival(self, scope, receive, send)
        drop_headers(scope, b"accept-encoding")  # the answer has to be read
        try:
            with self._lock:
                self._measure()
                self._coming[arrival] = 0
                # What is announced is looked at, so that nobody sends in vain; but only what has come takes up room.
                self._check_room(arrival.client, arrival.announced)
            await app(scope, arrival.receive, arrival.send)
        except Refused as refused:
            arrival.incoming.refuse(refused)
        except Exception:
            if not arrival.incoming.refused:  # else it is about the client, who seems to have gone
                raise
        finally:
            with self._lock:
                self._coming.pop(arrival, None)
                self._arriving -= arrival.complete
                self._clear()
                self._measure()
        if arrival.incoming.refused:
            await arrival.incoming.answered(send)

    def came(self, arrival: "_Arrival") -> None:
        """Note what has come of an upload; when all has, it may take its place beside the others, and not before.

        Raises:
            Refused: there is no room for it.
        """
        with self._lock:
            self._coming[arrival] = arrival.incoming.size
            self._check_room(arrival.client)
            if arrival.incoming.over and not arrival.complete:
                arrival.complete = True
                self._arriving += 1


class _Arrival:
    """An upload on its way: the messages to the application that stores it, and those that come back."""

    def __init__(self, uploads: Uploads, scope: Message, receive: Receive, send: Send) -> None:
        self._uploads, self._send = uploads, send
        self.client: str = scope.get(CLIENT, "")
        length = header(scope, "content-length")
        self.announced = int(length) if length.isdecimal() else 0
        self.incoming, self.complete = Paced(receive, uploads.gate), False
        self._form, self._status, self._answer = _Form(scope), 0, b""

    async def receive(self) -> Message:
        """What has come."""
        message, limits = await self.incoming(), self._uploads.limits
        try:
            if self.incoming.size > int(limits.megabytes * 1e6) + AROUND:
                raise Refused(413, f"{limits.megabytes:g} MB are the most that is accepted here")
            self._form.check(message.get("body", b""), last=self.incoming.over)
            if self.incoming.refused is None:
                self._uploads.came(self)
        except Refused as refused:
            message = self.incoming.refuse(refused)
        return self._form.ended(message)

    async def send(self, message: Message) -> None:
        """What is answered; nothing, where the upload was refused meanwhile."""
        if self.incoming.refused:
            return
        self._status = message.get("status", self._status)
        self._answer += message.get("body", b"")
        last = message["type"] == "http.response.body" and not message.get("more_body")
        if last and self._status == 200:  # counted before the client knows of it, and can ask for a verdict
            self._uploads.arrived(json.loads(self._answer), self.client)
        await self._send(message)


class _Form:
    """What is known of an upload's form while it passes: that it holds one file, and whether it came to its end."""

    def __init__(self, scope: Message) -> None:
        from python_multipart.multipart import parse_options_header  # as Gradio reads it

        self._options = parse_options_header
        options = parse_options_header(header(scope, "content-type"))[1]
        self._line = b"--" + options[b"boundary"] if b"boundary" in options else b""
        self._head: bytes | None = b""  # what stands before the file; None once it was looked at
        self._lines, self._tail, self._closed = 0, b"", False

    def check(self, piece: bytes, last: bool) -> None:
        """See that it is the one file that it should be, as far as it has come.

        Raises:
            Refused: there are several, or the last piece does not end the form.
        """
        if not self._line:  # Gradio refuses it
            return
        self._check_head(piece)
        text = self._tail + piece  # a line that begins or ends a part may lie across two pieces
        self._closed |= self._line + b"--" in text
        self._tail = text[-len(self._line) - 1 :]
        again = self._tail.count(self._line)  # which the next piece will count once more
        if self._lines + text.count(self._line) > 2:
            raise Refused(413, "send one file at a time")
        self._lines += text.count(self._line) - again
        if last and not self._closed:
            raise Refused(400, "the upload broke off; send it again")

    def _check_head(self, piece: bytes) -> None:
        """See that it is what Gradio takes for an upload; of anything else it would leave the file where it is."""
        if self._head is None:
            return
        self._head += piece
        head, end, _ = self._head.partition(b"\r\n\r\n")
        named = [line for line in head.split(b"\r\n") if line.lower().startswith(b"content-disposition:")]
        if end:
            options = self._options(named[-1].partition(b":")[2].strip())[1] if named else {}
            if options.get(b"name") != b"files" or b"filename" not in options:
                raise Refused(400, "this is not the form of an upload")
            self._head = None
        elif len(head) > _HEAD:
            raise Refused(400, "this is not the form of an upload")

    def ended(self, message: Message) -> Message:
        """A message; where it breaks off, with a wrong end, for of a malformed form Gradio removes what it stored."""
        whole = message["type"] == "http.request" and (message.get("more_body") or self._closed)
        if whole or not self._line:
            return message
        return {"type": "http.request", "body": message.get("body", b"") + b"\r\n" + self._line + _NAMELESS}


@contextlib.contextmanager
def repeated(work: Callable[[], None], every: float = 60) -> Iterator[None]:
    """Do something every so many seconds, beside what happens in the block."""
    over = threading.Event()

    def keep_on() -> None:
        while not over.wait(every):
            try:
                work()
            except Exception as error:  # noqa: BLE001 - no descriptors left, say: next time there may be
                logger.error("tidying up: %s; tried again in %g s", type(error).__name__, every)

    threading.Thread(target=keep_on, daemon=True).start()
    try:
        yield
    finally:
        over.set()


def _size_and_age(path: Path) -> tuple[int, float]:
    """Bytes of a file (a folder has 0), and seconds since something was written to it last; zeros for what is gone."""
    try:
        found = path.stat()
    except OSError:
        return 0, 0.0
    return found.st_size if path.is_file() else 0, time.time() - found.st_mtime
