"""Requests without pause, in the background of a test: the judge of whether anybody noticed."""

from __future__ import annotations

import asyncio
import ssl
from collections import Counter
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

import aiohttp

_PAUSE = 0.005
"""Seconds between the requests of one caller: tests share their machine."""
_SHOWN = 10


class Load:
    """`async with Load("http://127.0.0.1:80", "web") as load`: calls until the end, then raises AssertionError if any
    request failed: was not answered in `seconds` with 200 and `headers`, or with a body that holds one of `unwanted`.

    It begins once `settled` requests in a row, each on a connection of its own, had good answers: what it calls may
    come up later.
    """

    def __init__(
        self,
        url: str,
        host: str,
        *,
        headers: Mapping[str, str] | None = None,
        callers: int = 2,
        unwanted: Sequence[str] = (),
        tls: ssl.SSLContext | None = None,
        settled: int = 1,
        seconds: float = 10,
    ) -> None:
        self.headers = dict(headers or {})
        """What every answer must have."""
        self.good = 0
        """Requests that were answered as they should be."""
        self.failures: Counter[str] = Counter()
        self._url = url
        self._host = host
        self._callers = callers
        self._unwanted = unwanted
        self._tls = tls
        self._settled = settled
        self._seconds = seconds
        self._session: aiohttp.ClientSession | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._answered = asyncio.Condition()

    async def __aenter__(self) -> Self:
        # With TLS each request has a handshake of its own: what certificates there are matters then.
        connector = (
            aiohttp.TCPConnector(ssl=self._tls, force_close=True) if self._tls is not None else aiohttp.TCPConnector()
        )
        self._session = aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=self._seconds))
        # By itself aiohttp sends a GET again when a kept connection ends before the answer: here that is a failure.
        self._session._retry_connection = False
        wrong = ""
        try:
            async with asyncio.timeout(120):
                good = 0
                while good < self._settled:
                    if problem := await self._call(once=True):
                        good, wrong = 0, problem
                        await asyncio.sleep(0.02)
                    else:
                        good += 1
        except BaseException as error:
            error.add_note(f"the load gets no {self._settled} good answers in a row; last: {wrong}")
            await self._session.close()
            raise
        self._tasks = [asyncio.create_task(self._run()) for _ in range(self._callers)]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        assert self._session is not None
        await self._session.close()
        if error is not None:
            error.add_note(f"load: {self.good} good, failed: {self.failures.most_common(_SHOWN)}")
        else:
            self.check()

    def check(self) -> None:
        """Raises AssertionError if any request has failed so far."""
        assert not self.failures, f"{self.failures.most_common(_SHOWN)} failed, {self.good} were good"

    async def more(self, count: int = 20, timeout: float = 120) -> None:
        """Waits for so many further good answers, and looks for failures. Seconds."""
        wanted = self.good + count
        async with asyncio.timeout(timeout), self._answered:
            await self._answered.wait_for(lambda: self.good >= wanted or self.failures)
        self.check()

    async def _run(self) -> None:
        while True:
            if wrong := await self._call():
                self.failures[wrong] += 1
            else:
                self.good += 1
            async with self._answered:
                self._answered.notify_all()
            await asyncio.sleep(_PAUSE)

    async def _call(self, once: bool = False) -> str:
        """What is wrong with the answer. `once`: nobody else gets its connection."""
        assert self._session is not None
        sent = {"host": self._host, "connection": "close"} if once else {"host": self._host}
        try:
            async with self._session.get(self._url, headers=sent) as answer:
                body = await answer.text()
                if answer.status != 200:
                    return f"{answer.status} {body[:200]}"
                if found := [text for text in self._unwanted if text in body]:
                    return f"200, but {found}"
                lacking = [f"{name}: {text}" for name, text in self.headers.items() if answer.headers.get(name) != text]
                return f"without {lacking}" if lacking else ""
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            return repr(error)
