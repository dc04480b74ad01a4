"""Requests and answers as ASGI has them: what is refused, and how long anybody waits for what was announced."""

import asyncio
import contextlib
import logging
import time
import traceback
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

from torchfakes_utils.app.config import GateLimits

logger = logging.getLogger(__name__)

UNEXPECTED = "something went wrong that should not; the operator's log says where"

# As ASGI names them.
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]

# Where the gate notes in a request's scope who is asking.
CLIENT = "torchfakes.client"

# What an upload holds besides its file, at most, in bytes.
AROUND = 10_000

# After a refusal, how long what is still arriving is thrown away, so that the client comes to read the answer; seconds.
_LINGER = 2.0


class Refused(Exception):  # noqa: N818 - it is an answer
    """A request that is not answered by the app: HTTP status and one line that says why."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


def header(scope: Message, name: str) -> str:
    """A header's value; "" where there is none."""
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name.encode()), "")


def drop_headers(scope: Message, *names: bytes) -> None:
    """Take headers away from a request."""
    scope["headers"] = [pair for pair in scope["headers"] if pair[0] not in names]


class Sent:
    """`send`, which knows whether an answer has begun."""

    def __init__(self, send: Send) -> None:
        self._send, self.begun = send, False

    async def __call__(self, message: Message) -> None:
        """Send a message."""
        self.begun = True
        await self._send(message)


def note_unexpected(error: Exception) -> None:
    """Say in the log where an error arose that nobody foresaw, and nothing of its text: that may name an upload."""
    at = traceback.extract_tb(error.__traceback__)[-1]
    logger.error("unexpected %s at %s:%d", type(error).__name__, Path(at.filename).name, at.lineno)


class Paced:
    """`receive`, with an eye on the clock: a body that stops coming, or comes too slowly, is refused.

    Attributes:
        refused: why nothing more is taken; None while all is well. The app is told that the client has gone.
        size: bytes of the body so far.
        over: whether the body is complete, or its sender has gone.
    """

    def __init__(self, receive: Receive, limits: GateLimits) -> None:
        self._receive, self._limits, self._started = receive, limits, time.monotonic()
        self.refused: Refused | None = None
        self.size, self.over = 0, False

    async def __call__(self) -> Message:
        """The next message."""
        if self.over:
            return await self._receive()
        if self.refused is not None:
            return {"type": "http.disconnect"}
        try:
            message = await asyncio.wait_for(self._receive(), self._limits.silence)
        except TimeoutError:
            return self.refuse(Refused(408, "nothing came for too long; send it again"))
        self.size += len(message.get("body", b""))
        self.over = message["type"] != "http.request" or not message.get("more_body")
        passed = time.monotonic() - self._started - self._limits.silence
        if not self.over and passed * self._limits.slowest > self.size:
            return self.refuse(Refused(408, f"too slow: {self._limits.slowest:,} bytes a second are the least"))
        return message

    def refuse(self, why: Refused) -> Message:
        """Note why nothing more is taken."""
        self.refused = self.refused or why
        return {"type": "http.disconnect"}

    async def answered(self, send: Send) -> None:
        """Answer with what was refused."""
        assert self.refused is not None
        await answer(self.refused, self._receive, send)


async def answer(refused: Refused, receive: Receive, send: Send) -> None:
    """Say why, in plain text; what is still coming is thrown away for a moment, for a client reads only afterwards."""
    text = refused.reason.encode()
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),  # Gradio's page shows it as it is
        (b"content-length", str(len(text)).encode()),
        (b"connection", b"close"),
    ]
    if refused.status == 503:
        headers.append((b"retry-after", b"60"))
    await send({"type": "http.response.start", "status": refused.status, "headers": headers})
    await send({"type": "http.response.body", "body": text, "more_body": True})
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_LINGER):
            while (message := await receive())["type"] == "http.request" and message.get("more_body"):
                pass
    await send({"type": "http.response.body", "body": b""})
