"""Uploads are gone once they are judged, and not before, whoever else sends the same file; only uploads are opened."""

import asyncio
import json
import os
import time

import pytest

from torchfakes_utils.app.config import AppLimits
from torchfakes_utils.app.uploads import Uploads, repeated
from torchfakes_utils.errors import InputError


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
        refused = Upload(uploads, headers=[(b"content-length", b"200000")])
        await refused.run()
        start, body = refused.answer
        assert start["status"] == 503 and (b"retry-after", b"60") in start["headers"]
        assert len(refused.chunks) == 2, "nothing was read"
        assert "come again" in body["body"].decode()
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
        endless.chunks = [{"type": "http.request", "body": bytes(100_000), "more_body": True} for _ in range(20)]
        endless.go_on[0].set()
        with pytest.raises(ConnectionError):
            await endless.run()
        assert len(endless.chunks) == 9, "ten are a megabyte; the eleventh is one too many"
        fine = Upload(uploads)
        for step in fine.go_on:
            step.set()
        await fine.run()
        assert fine.answer[0]["status"] == 200, "and nothing stays reserved"

    try:
        asyncio.run(scenario())
    finally:
        uploads.close()
