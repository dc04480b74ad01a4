"""What stands before Gradio: who may ask for what, in how many bytes and how slowly. Whatever is not named is refused.

Plain ASGI, so that nothing of a request reaches Gradio before it was looked at; what an upload may hold beside that is
in `uploads`, and what a connection may cost before it has asked for anything in `listening`.
"""

import asyncio
import contextlib
import json
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from torchfakes_utils.app.access import Hosts
from torchfakes_utils.app.asgi import (
    AROUND,
    CLIENT,
    UNEXPECTED,
    Application,
    Message,
    Paced,
    Receive,
    Refused,
    Send,
    Sent,
    answer,
    drop_headers,
    header,
    note_unexpected,
)
from torchfakes_utils.app.config import GateLimits
from torchfakes_utils.app.headers import with_headers

# Bytes of a query: Gradio keeps names that are given there.
_QUERY = 500

# What the page and its endpoints need, and Gradio's clients, as Gradio writes its routes. A new version of Gradio may
# bring others: tests/app/test_gate.py then fails until somebody has decided about them.
ROUTES: dict[str, frozenset[str]] = {
    path: frozenset(methods.split())
    for path, methods in {
        "/": "GET HEAD",
        "/assets/{path:path}": "GET",
        "/config": "GET",
        "/favicon.ico": "GET",
        "/gradio_api/call/v2/{api_name}": "POST",
        "/gradio_api/call/v2/{api_name}/{event_id}": "GET",
        "/gradio_api/call/{api_name}": "POST",
        "/gradio_api/call/{api_name}/{event_id}": "GET",
        "/gradio_api/cancel": "POST",
        "/gradio_api/file={path_or_url:path}": "GET HEAD",  # of all files, the examples alone
        "/gradio_api/heartbeat/{session_hash}": "GET",
        "/gradio_api/info": "GET",
        "/gradio_api/login_check": "GET",
        "/gradio_api/queue/data": "GET",
        "/gradio_api/queue/join": "POST",
        "/gradio_api/reset": "POST",
        "/gradio_api/run/predict": "POST",  # what needs no queue: saying that it is full
        "/gradio_api/startup-events": "GET",  # Gradio asks itself
        "/gradio_api/theme.css": "GET",
        "/gradio_api/upload": "POST",
        "/gradio_api/upload_progress": "GET",
        "/login": "POST",
        "/logout": "GET",
        "/static/{path:path}": "GET",
        "/theme.css": "GET",
    }.items()
}
_FILE = "/gradio_api/file="
UPLOAD = "/gradio_api/upload"
_ASKS = ("/gradio_api/call/", "/gradio_api/queue/join")  # for a place in the queue
_LOGIN = "/login"  # whose body is no JSON

# Before each password is looked at; seconds. Who guesses gets one guess in so long for each connection.
_PAUSE = 0.5

FULL = "too many of your files are waiting; try again in a minute"


@dataclass(frozen=True)
class Rules:
    """What the gate goes by.

    Attributes:
        hosts: the names under which the app may be asked.
        limits: of connections and bodies.
        uploads: the folder in which what is to be judged lies.
        shown: paths of the files that everybody may have: the examples.
        waiting: files from an address that wait in the queue.
        places: how many may.
        largest: bytes of an upload.
        proxied: whether X-Forwarded-For names who is asking.
        framed_by: sites that may show the page in a frame.
        scripts: texts of scripts that the page puts into itself.
    """

    hosts: Hosts
    uploads: Path
    limits: GateLimits = GateLimits()
    shown: Collection[str] = ()
    waiting: Callable[[str], int] = lambda client: 0
    places: int = 32
    largest: int = 200_000_000
    proxied: bool = False
    framed_by: tuple[str, ...] = ()
    scripts: tuple[str, ...] = ()
    joining: Counter[str] = field(default_factory=Counter)  # by address: asking for a place just now


def gate(app: Application, rules: Rules) -> Application:
    """The ASGI application `app`, behind the gate."""

    async def guarded(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await app(scope, receive, send)
        if scope["type"] != "http":  # no page of ours opens a WebSocket
            return await send({"type": "websocket.close", "code": 1008})
        scope[CLIENT] = client_of(scope, rules.proxied)
        sent = Sent(with_headers(send, scope["path"], rules.scripts, rules.framed_by))
        try:
            check_request(scope, rules)
            await _passed_on(app, scope, receive, sent, rules)
        except Refused as refused:
            await answer(refused, receive, sent)
        except Exception as error:  # noqa: BLE001 - a name in its text is nobody's business
            note_unexpected(error)
            if not sent.begun:
                await answer(Refused(500, UNEXPECTED), receive, sent)

    return guarded


async def _passed_on(app: Application, scope: Message, receive: Receive, send: Send, rules: Rules) -> None:
    """A request that may be answered, and its answer."""
    if not rules.hosts.allow(header(scope, "x-forwarded-host")):
        drop_headers(scope, b"x-forwarded-host")  # Gradio would write it into the page
    if scope["path"] == "/":  # whose scripts `with_headers` has to read
        drop_headers(scope, b"accept-encoding")
    if scope["method"] != "POST" or scope["path"] == UPLOAD:  # of which `uploads` takes care
        return await app(scope, receive, send)
    return await _with_body(app, scope, receive, send, rules)


def client_of(scope: Message, proxied: bool) -> str:
    """The address of whoever asks; behind a proxy, as the nearest one names it."""
    if proxied:
        named = header(scope, "x-forwarded-for").rpartition(",")[2].strip()
        if named:
            return named
    return scope["client"][0] if scope.get("client") else ""


# What is asked for


def check_request(scope: Message, rules: Rules) -> None:
    """See that a request comes to us, from our page or from a program, and wants what there is.

    Raises:
        Refused: it does not.
    """
    _check_names(scope, rules.hosts)
    path, method = scope["path"], scope["method"]
    methods = methods_of(path)
    if not methods or any(part in ("..", ".") for part in re.split(r"[/\\]", path)) or "\0" in path:
        raise Refused(404, "there is nothing here")
    if method not in methods:
        raise Refused(405, f"this can be asked for by {' or '.join(sorted(methods))} only")
    query = scope.get("query_string", b"")
    if len(query) > _QUERY:
        raise Refused(414, f"{_QUERY} bytes are the most after the question mark")
    if path == "/" and "deep_link" in parse_qs(query.decode("latin-1"), keep_blank_values=True):
        raise Refused(404, "links to a state of the page are not kept here")
    if path.startswith(_FILE) and path.removeprefix(_FILE) not in rules.shown:
        raise Refused(404, "only the examples can be had here")
    most = rules.largest + AROUND if path == UPLOAD else rules.limits.body
    length = header(scope, "content-length")
    if length and (not length.isdecimal() or len(length) > 15 or int(length) > most):
        raise Refused(413, f"{most:,} bytes are the most that is accepted here")


def _check_names(scope: Message, hosts: Hosts) -> None:
    host, origin = header(scope, "host").lower(), header(scope, "origin").lower()
    if not hosts.allow(host):
        raise Refused(403, "this app is not reached by that name; whoever runs it can allow it with --hosts")
    if not origin:
        return
    site, forwarded = origin.partition("://")[2], header(scope, "x-forwarded-host").lower()
    # A proxy may ask by another name than it was asked by; then it says so, or whoever runs the app has.
    if site != host and not hosts.named(site) and not (site == forwarded and hosts.allow(site)):
        raise Refused(403, "pages of other sites may not ask here")


def methods_of(path: str) -> frozenset[str]:
    """By what a path may be asked for; empty where there is no such path."""
    return next((methods for pattern, methods in _patterns() if pattern.fullmatch(path)), frozenset())


@cache
def _patterns() -> list[tuple[re.Pattern[str], frozenset[str]]]:
    from starlette.routing import compile_path

    return [(compile_path(path)[0], methods) for path, methods in ROUTES.items()]


# What is sent


async def _with_body(app: Application, scope: Message, receive: Receive, send: Send, rules: Rules) -> None:
    """A short request, which is read and looked at as a whole before the app sees it."""
    body = await _whole(Paced(receive, rules.limits), rules.limits.body)
    if scope["path"] == _LOGIN:
        await asyncio.sleep(_PAUSE)
    else:
        body = checked_json(body, rules.uploads)
    place = _place(scope, rules)
    drop_headers(scope, b"content-length", b"transfer-encoding")
    scope["headers"].append((b"content-length", str(len(body)).encode()))
    first = True

    async def replayed() -> Message:
        nonlocal first
        if not first:
            return await receive()
        first = False
        return {"type": "http.request", "body": body, "more_body": False}

    with place:
        await app(scope, replayed, send)


async def _whole(receive: Paced, most: int) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise receive.refused or Refused(400, "the request broke off")
        body += message.get("body", b"")
        if len(body) > most:
            raise Refused(413, f"{most:,} bytes are the most that is accepted here")
        if not message.get("more_body"):
            return bytes(body)


def checked_json(body: bytes, uploads: Path) -> bytes:
    """A request's JSON, written anew, so that what was looked at is what is read; "" stays.

    Raises:
        Refused: no JSON, or a file is named that is no upload: an address, which Gradio would fetch, or another path.
    """
    if not body:
        return body
    try:
        given = json.loads(body)
        _check_paths(given, f"{uploads}/".replace("\\", "/"))
        return json.dumps(given).encode()
    except (ValueError, RecursionError) as error:
        raise Refused(400, "this is not the JSON that is expected here") from error


def _check_paths(given: Any, folder: str) -> None:
    if isinstance(given, list):
        for one in given:
            _check_paths(one, folder)
    elif isinstance(given, dict):
        path = given.get("path")
        if path is not None and not (
            isinstance(path, str)
            and path.replace("\\", "/").startswith(folder)
            and ".." not in re.split(r"[/\\]", path)
        ):
            raise Refused(400, "only uploads are judged: send the file itself, not an address or a path")
        for one in given.values():
            _check_paths(one, folder)


def _place(scope: Message, rules: Rules) -> contextlib.AbstractContextManager[None]:
    """A place in the queue, where one is asked for; nobody gets all of them."""
    client = scope[CLIENT]
    if not scope["path"].startswith(_ASKS):
        return contextlib.nullcontext()
    if rules.waiting(client) + rules.joining[client] >= rules.places:
        raise Refused(503, FULL)
    return _joining(rules.joining, client)


@contextlib.contextmanager
def _joining(joining: Counter[str], client: str) -> Iterator[None]:
    joining[client] += 1
    try:
        yield
    finally:
        joining[client] -= 1
        if not joining[client]:
            del joining[client]
