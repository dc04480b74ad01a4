"""What Gradio keeps of those who ask, and how it is forgotten: it would keep much of it until the program ends."""

import datetime
import time
from pathlib import Path
from typing import Any

from torchfakes_utils.app.asgi import CLIENT

# Answers, with their pictures, that may wait to be fetched; of more, the oldest are forgotten at once.
_UNFETCHED = 100


class Visitors:
    """Those who ask a page, as far as Gradio knows them."""

    def __init__(self, page: Any) -> None:
        """Nothing is asked of `page`, Gradio's `Blocks`, before it is served."""
        self._page = page
        self._unfetched: dict[str, float] = {}  # since when an answer waits to be fetched, by visitor
        self._progress: set[str] = set()  # uploads whose progress was kept when it was last looked

    @property
    def _queue(self) -> Any:
        return self._page._queue  # noqa: SLF001 - Gradio shows it nowhere else

    def waiting(self, client: str) -> int:
        """How many files from an address wait in the queue."""
        queues = self._queue.event_queue_per_concurrency_id.values()
        return sum(event.request.scope.get(CLIENT) == client for queue in queues for event in list(queue.queue))

    def forget(self, seconds: float) -> None:
        """Forget whoever has not asked for anything for so long, and answers that nobody has fetched for so long."""
        self._forget_states(seconds)
        self._forget_answers(seconds)
        self._forget_names()
        self._forget_progress()

    def _forget_states(self, seconds: float) -> None:
        """For each visitor Gradio keeps the last answer, with its pictures, and the crops for heat maps."""
        visitors, now = self._page.state_holder, datetime.datetime.now()  # noqa: DTZ005 - as Gradio notes its times
        for visitor, last in list(visitors.time_last_used.items()):
            if (now - last).total_seconds() >= seconds:
                with visitors.lock:
                    visitors.session_data.pop(visitor, None)
                    visitors.time_last_used.pop(visitor, None)

    def _forget_answers(self, seconds: float) -> None:
        """An answer waits until its client asks for it, or else for as long as there is room."""
        queue, now = self._queue, time.monotonic()
        waiting = [list(one.queue) for one in list(queue.event_queue_per_concurrency_id.values())]
        busy = {event.session_hash for events in [*waiting, *queue.active_jobs] for event in events or ()}
        idle = [visitor for visitor in list(queue.pending_messages_per_session) if visitor not in busy]
        self._unfetched = {visitor: self._unfetched.get(visitor, now) for visitor in idle}
        latest = set(sorted(self._unfetched, key=lambda visitor: self._unfetched[visitor])[-_UNFETCHED:])
        for visitor, since in list(self._unfetched.items()):
            if now - since >= seconds or visitor not in latest:
                queue.pending_messages_per_session.pop(visitor, None)
                queue.pending_event_ids_session.pop(visitor, None)
                del self._unfetched[visitor]

    def _forget_names(self) -> None:
        """Of uploads that are gone, the paths, which hold the names that their owners gave them."""
        known = self._page.upload_file_set
        known.difference_update([path for path in list(known) if not Path(path).exists()])

    def _forget_progress(self) -> None:
        """How far uploads are is kept until somebody asks, by names that anybody may make up: here for a while only."""
        from gradio.routes import file_upload_statuses as kept

        done = {name for name in list(kept._signals) if name not in kept._statuses or kept.is_done(name)}  # noqa: SLF001
        for name in done & self._progress:
            kept.stop_tracking(name)
            kept._signals.pop(name, None)  # noqa: SLF001
        self._progress = done
