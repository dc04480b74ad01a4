"""The headers that go with every answer: what a browser may do with it, and which scripts the page may run."""

import base64
import hashlib
import re
from collections.abc import Iterable

from torchfakes_utils.app.asgi import Message, Send

_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
    (b"x-robots-tag", b"noindex"),
)
# What is the same for everybody; all else is a visitor's own, and no browser or proxy keeps it.
_FOR_ALL = ("/assets/", "/static/", "/theme.css", "/favicon.ico")
# What nobody but the page itself may answer with: whose pages may read along is ours to say.
_TAKEN_AWAY = re.compile(rb"access-control-.*|server", re.IGNORECASE)


def policy(scripts: Iterable[str], framed_by: Iterable[str]) -> str:
    """The page's Content-Security-Policy: all comes from here, and no script runs but the files and `scripts`.

    Gradio's `HTML` makes functions of its own templates, which asks for 'unsafe-eval'; a script or a handler that came
    in with a file's name or a verdict still does not run.
    """
    digests = (hashlib.sha256(script.encode()).digest() for script in scripts)
    hashes = " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
    return "; ".join((
        "default-src 'none'", f"script-src 'self' 'unsafe-eval' {hashes}".strip(), "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:", "media-src 'self' blob:", "font-src 'self' data:", "connect-src 'self'",
        "manifest-src 'self'", "worker-src 'self' blob:", "base-uri 'self'", "form-action 'self'",
        f"frame-ancestors 'self' {' '.join(framed_by)}".strip(),
    ))  # fmt: skip


def with_headers(send: Send, path: str, scripts: tuple[str, ...], framed_by: tuple[str, ...]) -> Send:
    """`send`, with the headers that keep browsers from doing more with an answer than was meant.

    Args:
        send: to the client.
        path: that was asked for; the page, at "/", may run the scripts that stand in it.
        scripts: further ones that it puts into itself.
        framed_by: sites that may show it in a frame.
    """
    held: Message | None = None
    page = bytearray()

    async def sent(message: Message) -> None:
        nonlocal held
        if message["type"] == "http.response.start":
            kept = [pair for pair in message.get("headers", ()) if not _TAKEN_AWAY.fullmatch(pair[0])]
            private = [] if path.startswith(_FOR_ALL) else [(b"cache-control", b"no-store")]
            kept = [pair for pair in kept if not private or pair[0].lower() != b"cache-control"]
            message = {**message, "headers": [*kept, *_HEADERS, *private]}
            if path == "/" and any(key == b"content-type" and value.startswith(b"text/html") for key, value in kept):
                held = message  # until the scripts are known that it may run
                return None
            _add_policy(message, (), framed_by)
        elif held is not None:
            page.extend(message.get("body", b""))
            if message.get("more_body"):
                return None
            inline = re.findall(r"<script(?![^>]*\bsrc=)[^>]*>(.*?)</script>", page.decode(), re.DOTALL)
            _add_policy(held, (*inline, *scripts), framed_by)
            start, held = held, None
            await send(start)
            return await send({"type": "http.response.body", "body": bytes(page)})
        return await send(message)

    return sent


def _add_policy(start: Message, scripts: Iterable[str], framed_by: Iterable[str]) -> None:
    start["headers"].append((b"content-security-policy", policy(scripts, framed_by).encode()))
