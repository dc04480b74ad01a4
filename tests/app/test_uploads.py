"""Uploads are gone once they are judged, and not before, whoever else sends the same file; only uploads are opened."""

import asyncio
import json
import os
import time

import pytest

from torchfakes_utils.app import asgi
from torchfakes_utils.app.config import AppLimits, GateLimits
from torchfakes_utils.app.uploads import NO_ROOM, NO_ROOM_FOR_ONE, Uploads, repeated
from torchfakes_utils.errors import InputError

from helpers.asgi import GONE, SILENCE, ask, asked


@pytest.fixture
def uploads():
    uploads = Uploads()
    yield uploads
    uploads.close()


def store(uploads, name="me.jpg", content=b"picture"):
    """What Gradio does: into a folder that is named after the content."""
    path = uploads.folder / content.hex() / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return path


def sent(path):
    return {"path": str(path), "orig_name": "me at the sea.jpg", "meta": {"_type": "gradio.FileData"}}


def files(uploads):
    return sorted(uploads.folder.rglob("*"))


def test_an_upload_is_there_while_it_is_judged_and_gone_afterwards(uploads):
    path = store(uploads)
    uploads.arrived([path])
    with uploads.taken(sent(path)) as (given, name):
        assert given == path and given.read_bytes() == b"picture" and name == "me at the sea.jpg"
    assert files(uploads) == []


def test_it_is_gone_when_judging_fails_too(uploads):
    path = store(uploads)
    uploads.arrived([path])
    with pytest.raises(ZeroDivisionError), uploads.taken(sent(path)):
        raise ZeroDivisionError
    assert files(uploads) == []


def test_the_same_file_of_two_people_stays_for_the_second(uploads):
    path = store(uploads)
    uploads.arrived([path])
    uploads.arrived([str(store(uploads))])
    with uploads.taken(sent(path)):
        pass
    assert path.is_file()
    with uploads.taken(sent(path)) as (given, _):
        assert given.read_bytes() == b"picture"
    assert files(uploads) == []


@pytest.mark.parametrize("what", [None, "x", {}, {"path": None}, {"path": "/etc/hostname"}, {"path": "me.jpg"}])
def test_only_uploads_are_opened(uploads, what):
    with pytest.raises(InputError, match="no such upload"), uploads.taken(what):
        pytest.fail("opened")


def test_a_file_of_ours_is_neither_opened_nor_deleted(uploads, tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    beside = store(uploads)  # in the folder, but never counted
    for path in (secret, beside, uploads.folder / ".." / "secret.txt"):
        with pytest.raises(InputError), uploads.taken(sent(path)):
            pytest.fail("opened")
    assert secret.read_text() == "secret" and beside.is_file()


def test_an_upload_is_judged_once(uploads):
    path = store(uploads)
    uploads.arrived([path])
    with uploads.taken(sent(path)):
        pass
    with pytest.raises(InputError), uploads.taken(sent(path)):
        pytest.fail("opened again")


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/b/c.jpg", "..", ""])
def test_the_name_that_is_shown_is_no_path(uploads, name):
    path = store(uploads)
    uploads.arrived([path])
    with uploads.taken(sent(path) | {"orig_name": name}) as (_, shown):
        assert "/" not in shown


def test_what_is_left_behind_is_swept(uploads):
    old, new = store(uploads, content=b"old"), store(uploads, content=b"new")
    broken = uploads.folder / "tmp123"
    broken.write_bytes(b"half an upl")
    uploads.arrived([old, new])
    for path in (old, old.parent, broken):
        os.utime(path, (time.time() - 700,) * 2)
    uploads.sweep(600)
    assert new.is_file() and not old.exists() and not old.parent.exists() and not broken.exists()
    with pytest.raises(InputError), uploads.taken(sent(old)):
        pytest.fail("opened")


def test_tidying_goes_on_until_the_end():
    done = []
    with repeated(lambda: done.append(1), every=0.01):
        deadline = time.monotonic() + 20
        while len(done) < 3 and time.monotonic() < deadline:
            time.sleep(0.01)
    assert len(done) >= 3
    time.sleep(0.1)
    after = len(done)
    time.sleep(0.1)
    assert len(done) == after


def test_closing_takes_the_folder_away(uploads):
    store(uploads)
    uploads.close()
    assert not uploads.folder.exists()


# As middleware


class Upload:
    """A request to upload, and an application that stores what it is sent, as Gradio's does; steps one by one."""

    def __init__(self, uploads, path="/gradio_api/upload", status=200, method="POST", headers=()):
        self.uploads, self.status, self.answer = uploads, status, []
        self.scope = {"type": "http", "method": method, "path": path, "headers": headers}
        self.chunks = [
            {"type": "http.request", "body": b"pict", "more_body": True},
            {"type": "http.request", "body": b"ure"},
        ]
        self.go_on = [asyncio.Event() for _ in range(3)]  # to the second chunk, to storing, to answering

    async def application(self, scope, receive, send):
        while (message := await receive()).get("more_body"):
            pass
        if message["type"] == "http.disconnect":
            raise ConnectionError
        await self.go_on[1].wait()
        self.stored = str(store(self.uploads))
        await self.go_on[2].wait()
        await send({"type": "http.response.start", "status": self.status, "headers": []})
        body = json.dumps([self.stored]).encode()
        await send({"type": "http.response.body", "body": body[:5], "more_body": True})
        await send({"type": "http.response.body", "body": body[5:]})

    async def receive(self):
        if len(self.chunks) == 1:
            await self.go_on[0].wait()
        return self.chunks.pop(0)

    async def send(self, message):
        self.answer.append(message)

    async def run(self):
        await self.uploads.middleware(self.application)(self.scope, self.receive, self.send)


async def settle():
    for _ in range(20):
        await asyncio.sleep(0)


def test_what_arrives_is_counted_and_the_answer_passes_unchanged(uploads):
    async def scenario():
        one = Upload(uploads)
        for step in one.go_on:
            step.set()
        await one.run()
        return one

    one = asyncio.run(scenario())
    assert json.loads(b"".join(message.get("body", b"") for message in one.answer)) == [one.stored]
    with uploads.taken(sent(one.stored)) as (path, _):
        assert path.read_bytes() == b"picture"


@pytest.mark.parametrize("changed", [{"path": "/gradio_api/queue/join"}, {"status": 413}, {"method": "GET"}])
def test_nothing_else_is_counted(uploads, changed):
    async def scenario():
        one = Upload(uploads, **changed)
        for step in one.go_on:
            step.set()
        await one.run()
        return one

    one = asyncio.run(scenario())
    assert len(one.answer) == 3
    with pytest.raises(InputError), uploads.taken(sent(one.stored)):
        pytest.fail("opened")


def test_a_file_that_is_just_arriving_again_is_not_deleted_under_it(uploads):
    """Between storing and answering, the second upload is in its place and not yet counted."""

    async def scenario():
        first = store(uploads)
        uploads.arrived([first])
        again = Upload(uploads)
        task = asyncio.create_task(again.run())
        again.go_on[0].set()
        again.go_on[1].set()
        await settle()
        with uploads.taken(sent(first)):
            pass
        assert first.is_file(), "the second one's file is gone"
        again.go_on[2].set()
        await task
        with uploads.taken(sent(first)) as (path, _):
            assert path.read_bytes() == b"picture"
        assert files(uploads) == []

    asyncio.run(scenario())


def test_a_slow_upload_does_not_keep_the_others_files(uploads):
    async def scenario():
        slow = Upload(uploads)
        task = asyncio.create_task(slow.run())
        await settle()  # its first chunk is here, its last is not
        path = store(uploads, content=b"other")
        uploads.arrived([path])
        with uploads.taken(sent(path)):
            pass
        assert not path.exists()
        for step in slow.go_on:
            step.set()
        await task

    asyncio.run(scenario())


def test_what_was_judged_meanwhile_goes_when_the_arriving_one_is_done(uploads):
    async def scenario():
        path = store(uploads, content=b"other")
        uploads.arrived([path])
        arriving = Upload(uploads, status=413)
        task = asyncio.create_task(arriving.run())
        arriving.go_on[0].set()
        await settle()
        with uploads.taken(sent(path)):
            pass
        assert path.exists()
        arriving.go_on[1].set()
        arriving.go_on[2].set()
        await task
        assert not path.exists()

    asyncio.run(scenario())


def test_uploads_together_are_bounded_and_the_next_one_may_come_when_there_is_room():
    uploads = Uploads(AppLimits(megabytes=1, gigabytes=0.001))

    async def scenario():
        waiting = store(uploads, content=b"w" * 30)
        os.truncate(waiting, 600_000)
        uploads.arrived([waiting])
        on_its_way = Upload(uploads, headers=[(b"content-length", b"300000")])
        task = asyncio.create_task(on_its_way.run())
        await settle()
        assert not on_its_way.answer, "it was let in"
        refused = Upload(uploads, headers=[(b"content-length", b"500000")])
        refused.go_on[0].set()
        await refused.run()
        start, body, _ = refused.answer
        assert start["status"] == 503 and (b"retry-after", b"60") in start["headers"]
        assert not hasattr(refused, "stored") and "come again" in body["body"].decode()
        for step in on_its_way.go_on:
            step.set()
        await task
        with uploads.taken(sent(waiting)):
            pass
        later = Upload(uploads, headers=[(b"content-length", b"200000")])
        for step in later.go_on:
            step.set()
        await later.run()
        assert later.answer[0]["status"] == 200

    try:
        asyncio.run(scenario())
    finally:
        uploads.close()


def test_an_upload_that_does_not_say_how_long_it_is_ends_at_the_largest_file():
    uploads = Uploads(AppLimits(megabytes=1, gigabytes=0.0015))

    async def scenario():
        endless = Upload(uploads)
        endless.chunks = [{"type": "http.request", "body": bytes(100_000), "more_body": left > 0}
                          for left in range(29, -1, -1)]  # fmt: skip
        endless.go_on[0].set()
        await endless.run()
        assert endless.answer[0]["status"] == 413 and "1 MB are the most" in endless.answer[1]["body"].decode()
        assert not hasattr(endless, "stored")
        fine = Upload(uploads)
        for step in fine.go_on:
            step.set()
        await fine.run()
        assert fine.answer[0]["status"] == 200, "and nothing stays reserved"

    try:
        asyncio.run(scenario())
    finally:
        uploads.close()


# In front of Gradio, which stores what it is sent


@pytest.fixture
def gradios(monkeypatch):
    """What an application of Gradio's answers that stores uploads in the folder of `uploads`."""
    monkeypatch.setattr(asgi, "_LINGER", 0.05)
    monkeypatch.setenv("GRADIO_ANALYTICS_ENABLED", "False")
    import gradio
    from gradio.routes import App

    def application(uploads):
        monkeypatch.setenv("GRADIO_TEMP_DIR", str(uploads.folder))
        with gradio.Blocks() as page:
            page.max_file_size = None  # which `launch` sets
        return uploads.middleware(App.create_app(page))

    return application


def form(*files, end=b"--", names=None):
    """A form with files, as a browser sends it."""
    names = names or [f"{number}.jpg" for number in range(len(files))]
    parts = [
        b'--XyZ\r\nContent-Disposition: form-data; name="files"; filename="' + name.encode() + b'"\r\n\r\n' + file
        for name, file in zip(names, files, strict=True)
    ]
    return b"\r\n".join([*parts, b"--XyZ" + end])


FORM = {"content-type": "multipart/form-data; boundary=XyZ"}
UPLOAD = ("POST", "/gradio_api/upload")


def upload(application, body, client="192.0.2.1", **headers):
    async def named(scope, receive, send):
        await application(scope | {asgi.CLIENT: client}, receive, send)

    return ask(named, *UPLOAD, body if isinstance(body, list) else [body], FORM | headers)


@pytest.mark.slow
def test_gradio_stores_what_is_let_through(uploads, gradios):
    answered = upload(gradios(uploads), form(b"picture", names=["me.jpg"]))
    (stored,) = json.loads(answered.body)
    with uploads.taken(sent(stored)) as (path, _):
        assert path.read_bytes() == b"picture" and path.name == "me.jpg"
    assert files(uploads) == []


@pytest.mark.slow
@pytest.mark.parametrize("piece", [1, 7, 1000, 10**6])
def test_many_small_files_are_refused_before_they_are_stored(uploads, gradios, piece):
    body = form(*[b"x"] * 1000)
    body = body[:20_000] if piece < 10 else body
    answered = upload(gradios(uploads), [body[start : start + piece] for start in range(0, len(body), piece)])
    assert answered.status == 413 and answered.text == "send one file at a time"
    assert files(uploads) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "head",
    [
        b'Content-Disposition: form-data; name="other"; filename="a.jpg"',
        b'Content-Disposition: form-data; name="files"',
        b'Content-Disposition: form-data; name="files"; filename="a"\r\nContent-Disposition: form-data; name="b"',
        b"Content-Type: image/jpeg",
        b"A: " + b"a" * 20_000,
    ],
)  # fmt: skip
@pytest.mark.parametrize("piece", [10, 10**6])
def test_what_gradio_would_leave_lying_is_refused(uploads, gradios, head, piece):
    body = b"--XyZ\r\n" + head + b"\r\n\r\npicture\r\n--XyZ--"
    answered = upload(gradios(uploads), [body[start : start + piece] for start in range(0, len(body), piece)])
    assert answered.status == 400 and answered.text == "this is not the form of an upload"
    assert files(uploads) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a" * 300 + ".jpg", "ä" * 200, "../../x.jpg", "con", "a\tb", "😀" * 61])
def test_names_are_no_way_out_and_no_reason_to_fail(uploads, gradios, name):
    (stored,) = json.loads(upload(gradios(uploads), form(b"picture", names=[name])).body)
    with uploads.taken(sent(stored)) as (path, _):
        assert path.read_bytes() == b"picture" and path.parent.parent == uploads.folder
    assert files(uploads) == []


def test_a_file_whose_pieces_look_like_the_start_of_a_line_is_one_file(uploads, gradios):
    content = b"\r\n--Xy" * 50 + b"--X-yZ" * 50
    body = form(content)
    answered = upload(gradios(uploads), [body[start : start + 3] for start in range(0, len(body), 3)])
    (stored,) = json.loads(answered.body)
    with uploads.taken(sent(stored)) as (path, _):
        assert path.read_bytes() == content


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rest", "status"),
    [([GONE], None), ([SILENCE], 408), ([b"x" * 20_000] * 60, 413), ([b"\r\n--XyZ junk"], 400), ([b""], 400)],
)  # fmt: skip
def test_of_an_upload_that_breaks_off_nothing_stays(gradios, rest, status):
    uploads = Uploads(AppLimits(megabytes=1, gigabytes=0.002), GateLimits(silence=0.2))
    try:
        answered = upload(gradios(uploads), [form(b"picture" * 9000, end=b"")[:-7], *rest])
        assert status in (None, answered.status)
        assert files(uploads) == []
    finally:
        uploads.close()


def test_one_silent_upload_of_four_gigabytes_keeps_nobody_out(gradios):
    uploads = Uploads(AppLimits(megabytes=5000, gigabytes=5), GateLimits(silence=5))

    async def scenario():
        application = gradios(uploads)
        huge = FORM | {"content-length": "4000000000"}
        silent = [asyncio.create_task(asked(application, *UPLOAD, [SILENCE], huge, "192.0.2.1")) for _ in range(3)]
        await settle()
        answered = await asked(application, *UPLOAD, [form(b"picture")], FORM, "192.0.2.2")
        assert answered.status == 200
        for task in silent:
            task.cancel()
        await asyncio.gather(*silent, return_exceptions=True)

    try:
        asyncio.run(scenario())
    finally:
        uploads.close()


def test_what_is_announced_and_does_not_fit_is_refused_at_once(gradios):
    uploads = Uploads(AppLimits(megabytes=1, gigabytes=0.001))
    try:
        lying = store(uploads, content=b"w")
        os.truncate(lying, 900_000)
        answered = upload(gradios(uploads), [SILENCE], **{"content-length": "200000"})
        assert answered.status == 503 and answered.text == NO_ROOM
    finally:
        uploads.close()


def test_one_client_takes_half_of_the_room_and_half_of_the_files_at_most(gradios):
    uploads = Uploads(AppLimits(megabytes=1, gigabytes=0.002, files=6))
    try:
        application = gradios(uploads)
        for number in range(3):
            assert upload(application, form(b"a%d" % number)).status == 200
        refused = upload(application, form(b"one more"))
        assert refused.status == 503 and refused.text == NO_ROOM_FOR_ONE
        assert upload(application, form(b"b" * 900_000), "192.0.2.2").status == 200
        assert upload(application, form(b"c" * 900_000), "192.0.2.2").text == NO_ROOM_FOR_ONE
        assert upload(application, form(b"c" * 900_000), "192.0.2.3").status == 200
        assert upload(application, form(b"d"), "192.0.2.4").status == 200
        assert upload(application, form(b"e"), "192.0.2.5").text == NO_ROOM, "six files are all"
    finally:
        uploads.close()


def test_a_tidying_that_fails_is_tried_again(caplog):
    tried = []

    def work():
        tried.append(1)
        raise OSError(24, "Too many open files", "/secret/name.jpg")

    with repeated(work, every=0.01):
        deadline = time.monotonic() + 20
        while len(tried) < 3 and time.monotonic() < deadline:
            time.sleep(0.01)
    assert len(tried) >= 3
    assert "OSError" in caplog.text and "secret" not in caplog.text
