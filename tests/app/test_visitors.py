"""Gradio is made to forget what nobody asks about, and what it keeps under names that anybody may make up."""

import asyncio
from types import SimpleNamespace

import pytest

from torchfakes_utils.app import visitors
from torchfakes_utils.app.asgi import CLIENT
from torchfakes_utils.app.visitors import Visitors


@pytest.fixture
def page():
    """Gradio's page, with nobody on it yet."""
    import gradio
    from gradio.routes import App

    with gradio.Blocks() as page:
        pass
    App.create_app(page)
    return page


def unfetched(page, *names):
    for name in names:
        page._queue.pending_messages_per_session[name] = asyncio.Queue()
        page._queue.pending_messages_per_session[name].put_nowait(f"the face of {name}")
        page._queue.pending_event_ids_session[name] = {name}


def kept(page):
    assert page._queue.pending_messages_per_session.keys() == page._queue.pending_event_ids_session.keys()
    return set(page._queue.pending_messages_per_session)


def test_an_answer_is_forgotten_so_long_after_it_was_there(page, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(visitors.time, "monotonic", lambda: now[0])
    known = Visitors(page)
    unfetched(page, "first", "busy")
    jobs = SimpleNamespace(queue=[SimpleNamespace(session_hash="busy")])
    page._queue.event_queue_per_concurrency_id["detector"] = jobs
    known.forget(540)
    now[0] += 500
    unfetched(page, "second")
    known.forget(540)
    assert kept(page) == {"first", "second", "busy"}
    page._queue.active_jobs, jobs.queue = [None, jobs.queue], []  # its turn has come
    now[0] += 60
    known.forget(540)
    assert kept(page) == {"second", "busy"}
    now[0] += 500
    page._queue.active_jobs = [None, None]
    known.forget(540)
    assert kept(page) == {"busy"}, "whose time begins when it is judged"


@pytest.mark.slow
def test_no_more_than_a_hundred_answers_wait(page, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(visitors.time, "monotonic", lambda: now[0])
    known = Visitors(page)
    unfetched(page, *(f"old{number}" for number in range(60)))
    known.forget(540)
    now[0] += 1
    unfetched(page, *(f"new{number}" for number in range(70)))
    known.forget(540)
    assert len(kept(page)) == 100 and {f"new{number}" for number in range(70)} < kept(page)


def test_progress_is_kept_for_a_while_only(page):
    from gradio.routes import file_upload_statuses as progress

    async def scenario():
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(progress.is_tracked("made up"), 0.01)
        progress.append("on its way", "grandmother.jpg", b"picture")
        progress.append("done", "grandfather.jpg", b"picture")
        progress.set_done("done")

    known = Visitors(page)
    asyncio.run(scenario())
    known.forget(540)
    assert {"on its way", "done"} <= progress._statuses.keys() and "made up" in progress._signals
    known.forget(540)
    assert not {"made up", "done"} & (progress._statuses.keys() | progress._signals.keys())
    assert "on its way" in progress._statuses
    progress.set_done("on its way")
    known.forget(540)
    known.forget(540)
    assert "grandmother" not in repr(progress._statuses)


def test_places_are_counted_by_who_waits(page):
    def waits(client):
        return SimpleNamespace(request=SimpleNamespace(scope={CLIENT: client}))

    queues = [SimpleNamespace(queue=[waits("a"), waits("b")]), SimpleNamespace(queue=[waits("a")])]
    page._queue.event_queue_per_concurrency_id.update(enumerate(queues))
    known = Visitors(page)
    assert [known.waiting(client) for client in "abc"] == [2, 1, 0]
