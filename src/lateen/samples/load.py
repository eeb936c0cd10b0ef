"""Requests to one URL, over a number of connections, at a pace or as fast as it goes.

A client as people use them: a GET on a kept connection that the server closes before any answer is sent once more.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import aiohttp

FAILED = -1
"""The status of a request that got no answer."""
_MAX_BODY = 16 << 20


@dataclass(frozen=True, slots=True)
class Load:
    """What to send. It ends after `count` requests, or after `seconds` when `count` is None."""

    url: str
    count: int | None = None
    seconds: float = 5.0
    connections: int = 1
    per_second: float = 0.0
    """Of all connections together; 0: as fast as it goes."""
    timeout: float = 10.0
    """Of one request, in seconds."""
    headers: Mapping[str, str] = field(default_factory=dict)
    verify: bool = True
    """Whether the server's certificate has to be trusted."""


@dataclass(frozen=True, slots=True)
class Outcome:
    status: int
    """FAILED when there was no answer."""
    seconds: float
    said: str = ""
    """What `listen` made of the body; why the request failed."""
    size: int = 0
    """Of the body, in bytes."""


def _nothing(_body: bytes) -> str:
    return ""


async def _request(client: aiohttp.ClientSession, load: Load, listen: Callable[[bytes], str]) -> Outcome:
    began = time.perf_counter()
    try:
        async with client.get(load.url, allow_redirects=False) as response:
            body = await response.content.read(_MAX_BODY)
            while len(body) < _MAX_BODY and (more := await response.content.read(_MAX_BODY)):
                body += more
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        return Outcome(FAILED, time.perf_counter() - began, f"{type(error).__name__}: {error}")
    return Outcome(response.status, time.perf_counter() - began, listen(body), len(body))


async def send(load: Load, listen: Callable[[bytes], str] = _nothing) -> list[Outcome]:
    """All outcomes, in the order in which they ended. `listen` is given each answer's body."""
    outcomes: list[Outcome] = []
    began = time.perf_counter()
    started = 0

    def may_start() -> bool:
        nonlocal started
        if load.count is not None:
            more = started < load.count
        else:
            more = time.perf_counter() - began < load.seconds
        started += more
        return more

    async def worker(number: int) -> None:
        connector = aiohttp.TCPConnector(limit=1, ssl=load.verify)
        timeout = aiohttp.ClientTimeout(total=load.timeout)
        gap = load.connections / load.per_second if load.per_second else 0.0
        due = began + gap * number / load.connections
        async with aiohttp.ClientSession(
            connector=connector, timeout=timeout, headers=load.headers, cookie_jar=aiohttp.DummyCookieJar()
        ) as client:
            while may_start():
                if gap:
                    await asyncio.sleep(max(0.0, due - time.perf_counter()))
                    due += gap
                outcomes.append(await _request(client, load, listen))

    async with asyncio.TaskGroup() as group:
        for number in range(load.connections):
            group.create_task(worker(number))
    return outcomes
