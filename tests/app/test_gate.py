"""Before Gradio: only what page and endpoints need is answered, to those it is meant for, in few bytes and in time."""

import asyncio
import collections
import dataclasses
import json

import pytest

from torchfakes_utils.app import asgi
from torchfakes_utils.app import gate as gates
from torchfakes_utils.app.access import Hosts
from torchfakes_utils.app.asgi import CLIENT, Refused, answer
from torchfakes_utils.app.config import GateLimits
from torchfakes_utils.app.gate import ROUTES, Rules, gate

from helpers.asgi import GONE, SILENCE, ask, asked

JSON = {"content-type": "application/json"}

# Gradio's routes that nobody here needs. A new one has to be put here or into gate.ROUTES.
DENIED = {
    "/gradio_api/api/{api_name}", "/gradio_api/app_id", "/gradio_api/component_server",
    "/gradio_api/custom_component/{id}/{environment}/{type}/{file_name}", "/gradio_api/deep_link",
    "/gradio_api/dev/reload", "/gradio_api/file/{path:path}", "/gradio_api/openapi.json",
    "/gradio_api/process_recording", "/gradio_api/proxy={url_path:path}", "/gradio_api/queue/status",
    "/gradio_api/run-history/buckets", "/gradio_api/run-history/connect", "/gradio_api/run-history/records",
    "/gradio_api/run-history/records/{endpoint}/{record_id}/assets/{asset_id}", "/gradio_api/run/{api_name}",
    "/gradio_api/runs", "/gradio_api/stream/{event_id}", "/gradio_api/stream/{event_id}/close",
    "/gradio_api/stream/{session_hash}/{run}/{component_id}/playlist-file",
    "/gradio_api/stream/{session_hash}/{run}/{component_id}/playlist.m3u8",
    "/gradio_api/stream/{session_hash}/{run}/{component_id}/{segment_id}.{ext}", "/gradio_api/token",
    "/gradio_api/undo-vibe-edit", "/gradio_api/user", "/gradio_api/vibe-code", "/gradio_api/vibe-edit",
    "/gradio_api/vibe-starter-queries", "/manifest.json", "/monitoring", "/monitoring/summary", "/monitoring/{key}",
    "/openapi.json", "/pwa_icon", "/pwa_icon/{size}", "/robots.txt", "/svelte/{path:path}",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _in_no_time(monkeypatch):
    monkeypatch.setattr(asgi, "_LINGER", 0.05)
    monkeypatch.setattr(gates, "_PAUSE", 0)


@pytest.fixture
def seen():
    """What the application behind the gate was asked: path and body."""
    return []


@pytest.fixture
def rules(tmp_path):
    limits = GateLimits(body=2000, silence=0.2, slowest=1000)
    return Rules(Hosts(), tmp_path / "uploads", limits, shown={"/shown/photo.jpg"}, places=2, largest=1_000_000)


@pytest.fixture
def app(rules, seen):
    return gate(echo(seen), rules)


def echo(seen):
    async def application(scope, receive, send):
        body = b""
        while (message := await receive()).get("more_body"):
            body += message["body"]
        body += message.get("body", b"")
        seen.append((scope["path"], body))
        headers = [(b"access-control-allow-origin", b"*"), (b"content-type", b"text/html; charset=utf-8")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"<script>let a = 1</script><script src=x></script>"})

    return application


# Routes


@pytest.mark.slow
def test_every_route_of_this_gradio_is_allowed_or_denied_knowingly():
    import gradio
    from gradio.routes import App

    def routes(router):
        for route in router.routes:
            yield from routes(route.original_router) if hasattr(route, "original_router") else [route]

    with gradio.Blocks() as page:
        pass
    found = collections.defaultdict(set)
    for route in routes(App.create_app(page)):
        found[route.path.rstrip("/") or "/"] |= set(route.methods)
    assert len(found) > 40, "or its routes are kept in another way"
    unknown = set(found) - set(ROUTES) - DENIED
    assert not unknown, "put these into gate.ROUTES where the page needs them, else into DENIED"
    # Which is one of /gradio_api/run/{api_name}; what only newer versions have is no mistake of ours.
    assert len(set(ROUTES) - set(found)) < 4 and "/gradio_api/run/predict" not in found
    for path in set(ROUTES) & set(found):
        assert ROUTES[path] <= found[path], path


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/gradio_api/process_recording"),
        ("POST", "/gradio_api/component_server"),
        ("POST", "/gradio_api/component_server/"),
        ("GET", "/gradio_api/deep_link"),
        ("GET", "/gradio_api/proxy=https://example.org"),
        ("GET", "/gradio_api/file/shown/photo.jpg"),
        ("POST", "/gradio_api/run/judge_photo"),
        ("POST", "/gradio_api/api/judge_photo"),
        ("GET", "/gradio_api/run-history/records"),
        ("GET", "/monitoring/x"),
        ("GET", "/docs"),
        ("GET", "/assets/../../secret.txt"),
        ("GET", "/static/..\\secret.txt"),
        ("GET", "//gradio_api/info"),
        ("GET", "/GRADIO_API/INFO"),
        ("GET", "/gradio_api/info\n"),
    ],
)
def test_what_nobody_needs_is_not_there(app, seen, method, path):
    assert ask(app, method, path).status == 404
    assert not seen


@pytest.mark.parametrize(
    ("method", "path"),
    [("DELETE", "/"), ("PUT", "/gradio_api/upload"), ("GET", "/gradio_api/upload"), ("OPTIONS", "/config")],
)
def test_each_is_asked_for_as_it_has_to_be(app, seen, method, path):
    assert ask(app, method, path).status == 405
    assert not seen


def test_what_is_needed_is_there(app):
    for path, methods in ROUTES.items():
        if "file=" not in path:
            for method in methods:
                filled = path.replace("{path:path}", "a/b.js").replace("{", "").replace("}", "")
                assert ask(app, method, filled, [b"{}"], JSON).status == 200, (method, path)


@pytest.mark.parametrize(
    "name",
    ["http://example.org/x.jpg", "https:/example.org/x", "//example.org/x", "/etc/passwd", "/shown/../etc/passwd",
     "/shown/photo.jpg/", "/shown", "", "ftp://shown/photo.jpg", "/uploads/somebody/me.jpg"],
)  # fmt: skip
def test_of_all_files_the_examples_alone_can_be_had(app, seen, name):
    assert ask(app, "GET", f"/gradio_api/file={name}").status == 404
    assert not seen
    assert ask(app, "GET", "/gradio_api/file=/shown/photo.jpg").status == 200


@pytest.mark.parametrize("query", [b"deep_link=abc", b"a=1&deep%5Flink=", b"%64eep_link=abc"])
def test_a_kept_state_of_the_page_cannot_be_asked_for(app, seen, query):
    assert ask(app, "GET", "/", query=query).status == 404
    assert not seen


def test_a_query_is_short(app, seen):
    assert ask(app, "GET", "/gradio_api/upload_progress", query=b"upload_id=" + b"a" * 600).status == 414
    assert not seen


def test_nobody_opens_a_websocket(app):
    async def scenario():
        said = []

        async def send(message):
            said.append(message)

        await app({"type": "websocket", "path": "/gradio_api/queue/join", "headers": []}, None, send)
        return said

    assert asyncio.run(scenario()) == [{"type": "websocket.close", "code": 1008}]


# Whom the request comes from


@pytest.mark.parametrize(
    ("listening", "host", "allowed"),
    [
        ("127.0.0.1", "127.0.0.1:7860", True),
        ("127.0.0.1", "localhost:7860", True),
        ("127.0.0.1", "LOCALHOST.", True),
        ("127.0.0.1", "[::1]:7860", True),
        ("127.0.0.1", "evil.example", False),
        ("127.0.0.1", "evil.example:7860", False),
        ("127.0.0.1", "127.0.0.1.evil.example", False),
        ("127.0.0.1", "localhost.evil.example", False),
        ("127.0.0.1", "198.51.100.7", False),
        ("127.0.0.1", "evil.example#@127.0.0.1", False),
        ("127.0.0.1", "127.0.0.1:7860:1", False),
        ("127.0.0.1", "", False),
        ("0.0.0.0", "198.51.100.7:7860", True),
        ("0.0.0.0", "localhost", True),
        ("0.0.0.0", "evil.example", False),
        ("198.51.100.7", "198.51.100.7", True),
        ("198.51.100.7", "127.0.0.1", False),
        ("box.example", "box.example:80", True),
        ("127.0.0.1", "me-it.hf.space", True),
        ("127.0.0.1", "hf.space", False),
        ("127.0.0.1", "evilhf.space", False),
        ("127.0.0.1", "proxy.example", True),
        ("127.0.0.1", "a.proxy.example", False),
    ],
)
def test_only_names_of_ours_lead_here(listening, host, allowed):
    assert Hosts(listening, ("*.hf.space", "proxy.example")).allow(host) == allowed


def test_another_sites_name_is_refused(app, seen):
    refused = ask(app, headers={"host": "evil.example"})
    assert refused.status == 403 and "--hosts" in refused.text and "\n" not in refused.text
    assert not seen


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://127.0.0.1:8888", "http://127.0.0.1:7860.evil.example", "file://"]
)
@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
def test_pages_of_other_sites_may_not_ask(app, seen, origin, method):
    refused = ask(app, method, "/config", headers={"origin": origin, "access-control-request-method": "GET"})
    assert refused.status == 403 and not seen
    assert "access-control-allow-origin" not in refused.headers


def test_our_own_page_may(app):
    assert ask(app, "GET", "/config", headers={"origin": "http://127.0.0.1:7860"}).status == 200


def test_behind_a_proxy_the_page_asks_by_the_proxys_name(rules, seen):
    app = gate(echo(seen), dataclasses.replace(rules, hosts=Hosts("0.0.0.0", ("*.hf.space",)), proxied=True))
    plain = {"host": "me-it.hf.space", "origin": "https://me-it.hf.space", "x-forwarded-for": "192.0.2.1, 192.0.2.9"}
    assert ask(app, headers=plain).status == 200
    inside = {"host": "10.0.0.3:7860", "x-forwarded-host": "me-it.hf.space", "origin": "https://me-it.hf.space"}
    assert ask(app, headers=inside).status == 200
    assert (
        ask(app, headers=inside | {"x-forwarded-host": "evil.example", "origin": "https://evil.example"}).status == 403
    )


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("https://fakes.example", 200),
        ("https://fakes.example:8443", 200),
        ("https://a.fakes.example", 403),
        ("https://evil.hf.space", 403),
        ("https://fakes.example.evil.example", 403),
    ],
)
def test_a_proxy_that_asks_by_the_apps_own_address(rules, seen, origin, status):
    """As nginx does, unless it is told otherwise; the browser still names the page that asks."""
    app = gate(echo(seen), dataclasses.replace(rules, hosts=Hosts("127.0.0.1", ("fakes.example", "*.hf.space"))))
    assert ask(app, headers={"host": "127.0.0.1:7860", "origin": origin}).status == status


@pytest.mark.parametrize(("named", "kept"), [("evil.example", False), ("me-it.hf.space", True)])
def test_another_name_is_not_written_into_the_page(rules, named, kept):
    async def application(scope, receive, send):
        headers.append(dict(scope["headers"]))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    headers = []
    app = gate(application, dataclasses.replace(rules, hosts=Hosts("127.0.0.1", ("*.hf.space",))))
    assert ask(app, headers={"x-forwarded-host": named}).status == 200
    assert (b"x-forwarded-host" in headers[0]) == kept


# What is sent


@pytest.mark.slow
@pytest.mark.parametrize(
    "path", ["/gradio_api/call/judge_photo", "/gradio_api/queue/join", "/login", "/gradio_api/upload"]
)
@pytest.mark.parametrize(
    "length", ["4000000000", "100000000", "9" * 400, "0" * 30 + "4000000000", "-1", "1e3", "5, 5", "٣"]
)
def test_a_length_above_the_limit_is_refused_before_anything_is_read(app, seen, path, length):
    headers = JSON | {"content-length": length.encode().decode("latin-1")}
    refused = ask(app, "POST", path, [SILENCE], headers)
    assert refused.status == 413 and refused.headers["connection"] == "close" and not seen


def test_a_body_that_does_not_say_how_long_it_is_ends_at_the_limit(app, seen):
    refused = ask(app, "POST", "/gradio_api/call/judge_photo", [bytes(1000)] * 50, JSON)
    assert refused.status == 413 and not seen


@pytest.mark.parametrize("body", [[SILENCE], [b'{"data":', SILENCE]])
def test_a_body_that_stops_coming_is_given_up(app, seen, body):
    refused = ask(app, "POST", "/gradio_api/call/judge_photo", body, JSON)
    assert refused.status == 408 and not seen


def test_a_body_that_trickles_is_given_up(app, seen):
    trickle = [piece for _ in range(40) for piece in (0.05, b" ")]
    refused = ask(app, "POST", "/gradio_api/call/judge_photo", [b'{"data":[]}', *trickle], JSON)
    assert refused.status == 408 and "too slow" in refused.text and not seen
    assert len(refused.left) < len(trickle), "before its end"


def test_who_goes_in_the_middle_is_not_waited_for(app, seen):
    ask(app, "POST", "/gradio_api/call/judge_photo", [b'{"data":', GONE], JSON)
    assert not seen


@pytest.mark.parametrize(
    "given",
    ["http://198.51.100.1/x.jpg", "https://x/y", "HTTP://x/y", "/etc/passwd", "file:///etc/passwd", "me.jpg", "",
     "{uploads}/../secret.jpg", "{uploads}", "{uploads}x/a.jpg", 3, ["a"], {"path": "x"}],
)  # fmt: skip
@pytest.mark.parametrize("where", ["{}", '{{"data": [{}]}}', '{{"data": [[{{"a": {}}}]]}}'])
def test_only_uploads_are_named_as_files(app, seen, rules, given, where):
    given = given.replace("{uploads}", str(rules.uploads)) if isinstance(given, str) else given
    file = json.dumps({"path": given, "meta": {"_type": "gradio.FileData"}})
    for path in ("call/judge_photo", "call/v2/judge_photo", "queue/join", "run/predict"):
        refused = ask(app, "POST", f"/gradio_api/{path}", [where.format(file).encode()], JSON)
        assert refused.status == 400 and "only uploads are judged" in refused.text
    assert not seen


def test_an_upload_is_passed_on_as_it_was_understood(app, seen, rules):
    path = f"{rules.uploads}/abc/me.jpg"
    twice = f'{{"data": [{{"path": "http://x/y", "path": {json.dumps(path)}}}]}}'.encode()
    assert ask(app, "POST", "/gradio_api/call/judge_photo", [twice[:9], twice[9:]], JSON).status == 200
    ((_, body),) = seen
    assert json.loads(body) == {"data": [{"path": path}]} and b"http" not in body


@pytest.mark.parametrize("body", [b"no json", b"\xff\xfe", b"[" * 1900, b"{", b"\x00"])
def test_what_is_no_json_is_refused(app, seen, body):
    assert ask(app, "POST", "/gradio_api/queue/join", [body], JSON).status == 400
    assert not seen


# Places


def places_taken(scope_of, rules, seen, clients):
    """Statuses of those who ask while everybody before them still waits."""

    async def scenario():
        waiting, go_on = [], asyncio.Event()

        async def application(scope, receive, send):
            waiting.append(scope[CLIENT])
            await go_on.wait()
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b""})

        app = gate(application, rules)
        tasks = []
        for client in clients:
            path = "/gradio_api/queue/join"
            tasks.append(asyncio.create_task(asked(app, "POST", path, [b"{}"], JSON | scope_of(client), client=client)))
            for _ in range(30):
                await asyncio.sleep(0)
        go_on.set()
        return [(await task).status for task in tasks]

    return asyncio.run(scenario())


def test_nobody_takes_all_places_of_the_queue(rules, seen):
    asking = ["a", "a", "a", "b", "a", "b"]
    assert places_taken(lambda client: {}, rules, seen, asking) == [200, 200, 503, 200, 503, 200]
    assert not rules.joining, "and none stays taken"


def test_those_who_wait_already_count(rules, seen):
    taken = dataclasses.replace(rules, waiting=lambda client: 1 if client == "a" else 0)
    assert places_taken(lambda client: {}, taken, seen, ["a", "a", "b"]) == [200, 503, 200]


def test_behind_a_proxy_places_are_of_who_is_behind_it(rules, seen):
    named = dataclasses.replace(rules, proxied=True)
    forwarded = {"a": "192.0.2.1", "b": "192.0.2.1", "c": "203.0.113.5, 192.0.2.1", "d": "192.0.2.2"}
    assert places_taken(lambda client: {"x-forwarded-for": forwarded[client]}, named, seen, "abcd") == [
        200,
        200,
        503,
        200,
    ]
    pretended = {"x-forwarded-for": "192.0.2.1"}
    assert places_taken(lambda client: pretended, rules, seen, ["a", "b", "c"]) == [200] * 3, (
        "and of nobody else's word"
    )


def test_a_full_queue_is_one_line_and_asks_to_come_again(rules, seen):
    app = gate(echo(seen), dataclasses.replace(rules, waiting=lambda client: 9))
    refused = ask(app, "POST", "/gradio_api/queue/join", [b"{}"], JSON)
    assert refused.status == 503 and refused.text == gates.FULL and refused.headers["retry-after"] == "60"
    assert ask(app, "POST", "/gradio_api/cancel", [b"{}"], JSON).status == 200


# What is answered


@pytest.mark.parametrize("begun", [False, True])
def test_what_nobody_foresaw_is_logged_without_its_words(rules, begun, caplog):
    async def application(scope, receive, send):
        if begun:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        raise OSError(36, "File name too long", "/uploads/grandmother.jpg")

    answered = ask(gate(application, rules), "GET", "/config")
    assert answered.status == (200 if begun else 500)
    assert "grandmother" not in answered.text + caplog.text and "unexpected OSError at test_gate.py" in caplog.text


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [("GET", "/", {}), ("GET", "/config", {}), ("GET", "/nothing", {}), ("GET", "/", {"host": "evil.example"})],
)
def test_every_answer_has_the_headers(app, method, path, headers):
    given = ask(app, method, path, headers=headers).headers
    assert given["x-content-type-options"] == "nosniff" and given["cache-control"] == "no-store"
    assert "access-control-allow-origin" not in given
    policy = dict(part.strip().partition(" ")[::2] for part in given["content-security-policy"].split(";"))
    assert policy["frame-ancestors"] == "'self'" and policy["default-src"] == "'none'"
    assert policy["connect-src"] == policy["form-action"] == "'self'"
    assert "'unsafe-inline'" not in policy["script-src"] and "http" not in policy["script-src"]


def test_the_page_may_run_the_scripts_that_stand_in_it_and_no_others(app):
    page = ask(app)
    assert page.body == b"<script>let a = 1</script><script src=x></script>"
    # printf 'let a = 1' | openssl dgst -sha256 -binary | base64
    assert "'sha256-LAfYd7pbFUgwfQu8b4q135PeTG2z+/coPEUYCd74eCQ='" in page.headers["content-security-policy"]
    assert "sha256" not in ask(app, "GET", "/config").headers["content-security-policy"]


def test_browsers_keep_what_is_the_same_for_everybody(app):
    assert "cache-control" not in ask(app, "GET", "/assets/index.js").headers


def test_sites_that_may_show_it_in_a_frame(rules, seen):
    app = gate(echo(seen), dataclasses.replace(rules, framed_by=("https://huggingface.co",)))
    assert ask(app).headers["content-security-policy"].endswith("frame-ancestors 'self' https://huggingface.co")


def test_a_client_that_sends_much_comes_to_read_the_answer(monkeypatch):
    """Else it would see a broken connection instead of the reason."""
    monkeypatch.setattr(asgi, "_LINGER", 30)

    async def scenario():
        told, taken = [], 0

        async def receive():
            nonlocal taken
            taken += 1
            return {"type": "http.request", "body": bytes(1000), "more_body": taken < 500}

        async def send(message):
            told.append((message, taken))

        await answer(Refused(413, "too much"), receive, send)
        return told

    (start, _), (body, before), (end, after) = asyncio.run(scenario())
    assert start["status"] == 413 and body["body"] == b"too much" and before == 0
    assert not end.get("more_body") and after == 500
