"""Connections that must not keep us waiting: uvicorn's own, with an eye on the clock and on how many there are."""

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol


class Connection(H11Protocol):
    """One that is closed where it asks for nothing in time, or sends nothing while others want its place."""

    # Set by `connections_within`.
    header_seconds: float
    most: int
    most_of_one: int | None

    _timer: asyncio.TimerHandle | None = None
    heard = 0.0  # when something came last, in the loop's seconds

    def connection_made(self, transport: Any) -> None:
        """Take it, and make room for it where there are too many."""
        super().connection_made(transport)
        self.heard = self.loop.time()
        self._watch()
        limited = [one for one in self.connections if isinstance(one, Connection)]
        mine = [one for one in limited if one.host == self.host]
        if self.most_of_one is not None and len(mine) > self.most_of_one:
            self._make_room(mine)
        elif len(self.connections) > self.most:
            self._make_room(limited)

    def data_received(self, data: bytes) -> None:
        """Note that something came; a request that is complete stops the clock."""
        self.heard = self.loop.time()
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        self._unwatch()
        super().connection_lost(exc)

    @property
    def host(self) -> str:
        """The address that it comes from."""
        return self.client[0] if self.client else ""

    @property
    def _asking(self) -> bool:
        """Whether a request has begun, and is not answered yet."""
        return self.cycle is not None and not self.cycle.response_complete

    @property
    def waits_for_client(self) -> bool:
        """Whether it is the client's turn: to ask, to send the rest, or to take what is sent."""
        return not self._asking or self.cycle.more_body or self.flow.write_paused

    def _watch(self) -> None:
        if self._asking:
            self._unwatch()
        elif self._timer is None:
            self._timer = self.loop.call_later(self.header_seconds, self._give_up)

    def _unwatch(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        self._timer = None
        if not self._asking:
            self.transport.abort()

    def _make_room(self, among: list["Connection"]) -> None:
        """Close the one that has kept us waiting for longest; where none does, this one, which came last.

        Whoever means it has asked within milliseconds, and sends without long breaks: even while many come who do not,
        it is theirs that are the oldest.
        """
        victim = min((one for one in among if one.waits_for_client), key=lambda one: one.heard, default=self)
        self.connections.discard(victim)  # it counts no more, though it is lost a moment later only
        victim.transport.abort()


def connections_within(header_seconds: float, most: int, most_of_one: int | None) -> type[Connection]:
    """A class of connections.

    Args:
        header_seconds: in which one has to ask for something.
        most: at once.
        most_of_one: at once from one address; None as many as there may be.
    """
    limits = {"header_seconds": header_seconds, "most": most, "most_of_one": most_of_one}
    return type("Limited", (Connection,), limits)
