"""A proxy's stream: its session, and an outbox that one writer empties."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable

from lateen.xds.session import Session


class Connection:
    """The outbox is bounded: a session has one push of each type outstanding, and never sends on for lack of patience
    before the outbox is empty.
    """

    def __init__(self, number: int, session: Session, peer: str, version: str = "", *, proven: bool = False) -> None:
        self.number = number
        self.session = session
        self.peer = peer
        """Address of the other side, for people."""
        self.version = version
        """Of the proxy's software, as it says itself."""
        self.proven = proven
        """It has proven its namespace and service account."""
        self.since = time.time()
        self._outbox: deque[bytes] = deque()
        self._filled = asyncio.Event()
        self._writing = False
        self._finished = False
        self.failed = False
        """By a fault of ours."""

    @property
    def id(self) -> str:
        """As Istio writes it: proxy and number."""
        return f"{self.session.proxy.id}-{self.number}"

    @property
    def deadline(self) -> float | None:
        """None while the proxy has not taken what was sent: only its own network is to blame for the delay."""
        return None if self._outbox or self._writing else self.session.deadline

    def advance(self, now: float) -> None:
        """Puts what is to be sent into the outbox."""
        found = self.session.advance(now)
        if found:
            self._outbox.extend(found)
            self._filled.set()

    async def write(self, send: Callable[[bytes], Awaitable[object]]) -> None:
        """Sends the outbox, in order and one at a time, until `finish` is called or `send` raises."""
        while not self._finished:
            await self._filled.wait()
            self._filled.clear()
            while self._outbox and not self._finished:
                self._writing = True
                await send(self._outbox.popleft())
                self._writing = False

    def fail(self) -> None:
        """Ends the stream for a fault of ours; the proxy keeps what it has and comes again."""
        self.failed = True
        self.finish()

    def finish(self) -> None:
        """Nothing more is to be sent: `write` returns when what is being sent has gone out."""
        self._finished = True
        self._filled.set()
