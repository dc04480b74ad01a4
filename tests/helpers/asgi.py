"""A client for an ASGI application in this process, which can also be slow, silent or gone."""

import asyncio
from types import SimpleNamespace

SILENCE, GONE = object(), object()  # in a body: nothing comes any more, or the client closes its connection


async def asked(app, method="GET", path="/", body=(), headers=None, client="198.51.100.7", query=b""):
    """What an application answers: `status`, `headers` and `body`; the pieces of `body` come one by one."""
    pieces, answer = [*body] or [b""], SimpleNamespace(status=None, headers={}, body=b"", left=None)

    async def receive():
        await asyncio.sleep(0)
        piece = pieces.pop(0) if pieces else GONE
        if piece is SILENCE:
            await asyncio.Event().wait()
        if piece is GONE:
            return {"type": "http.disconnect"}
        if isinstance(piece, float):
            await asyncio.sleep(piece)
            return await receive()
        return {"type": "http.request", "body": piece, "more_body": bool(pieces)}

    async def send(message):
        if message["type"] == "http.response.start":
            answer.status = message["status"]
            answer.headers = {key.decode(): value.decode() for key, value in message["headers"]}
        answer.body += message.get("body", b"")

    given = {"host": "127.0.0.1:7860", **(headers or {})}
    scope = {
        "type": "http", "method": method, "path": path, "query_string": query, "client": (client, 5000),
        "headers": [(key.encode(), value.encode()) for key, value in given.items()],
    }  # fmt: skip
    await app(scope, receive, send)
    answer.left, answer.text = pieces, answer.body.decode(errors="replace")
    return answer


def ask(app, *words, **named):
    """The same, for once."""
    return asyncio.run(asked(app, *words, **named))
