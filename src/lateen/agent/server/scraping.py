"""Metrics for Prometheus: Envoy's, the application's and the agent's as one answer, streamed."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, aclosing, contextmanager
from http import HTTPStatus
from typing import Final

from lateen.agent.http_client import Answer, Origin, request
from lateen.agent.log import Log
from lateen.agent.server import exposition
from lateen.agent.server.agent_metrics import AgentMetrics
from lateen.agent.server.message import Request, Response, words
from lateen.agent.server.scrape_settings import Scrape

MAX_ENVOY: Final = 512 * 1024 * 1024
MAX_APPLICATION: Final = 64 * 1024 * 1024
"""Bytes of one scrape."""
MAX_AT_ONCE: Final = 4
_TIME: Final = 10.0
"""Seconds, unless Prometheus says otherwise."""
_MAX_TIME: Final = 120.0
_TIMEOUT_HEADER: Final = "x-prometheus-scrape-timeout-seconds"
_SENT: Final = 32 * 1024
"""Bytes of compressed output that are sent together."""


class Scraper:
    """Answers Prometheus. `loopbacks` are the addresses at which the application may serve metrics, in order; without
    `admin` there is no Envoy."""

    def __init__(
        self,
        admin: tuple[str, int] | None,
        applications: Sequence[Scrape],
        loopbacks: Sequence[str],
        metrics: AgentMetrics,
        log: Log,
        *,
        compress: bool,
    ) -> None:
        self._admin = None if admin is None else Origin(*admin)
        self._applications = tuple(applications)
        self._loopbacks = tuple(loopbacks)
        self._metrics = metrics
        self._log = log
        self._compress = compress
        self._free = MAX_AT_ONCE

    async def merged(self, incoming: Request) -> Response:
        """Never fails for what one of the sources does: what there is, is better than nothing."""
        return await self._answer(incoming, self._merged(incoming))

    async def envoy_only(self, incoming: Request) -> Response:
        """Envoy's, with exact names."""
        if self._admin is None:
            return words(HTTPStatus.NOT_FOUND, "there is no Envoy here: the application is its own proxy")
        return await self._answer(incoming, self._envoy_only(self._admin, incoming))

    async def _answer(self, incoming: Request, lines: AsyncGenerator[bytes, None]) -> Response:
        """The first piece that `lines` gives is the content type."""
        if not self._free:
            await lines.aclose()
            return words(HTTPStatus.SERVICE_UNAVAILABLE, f"{MAX_AT_ONCE} scrapes are under way; try again")
        try:
            form = (await anext(lines)).decode()
        except OSError as error:
            return words(HTTPStatus.SERVICE_UNAVAILABLE, str(error))
        if not self._compress:
            return Response(HTTPStatus.OK, lines, form)
        if "gzip" not in _encodings(incoming.header("accept-encoding")):
            return Response(HTTPStatus.OK, lines, form, (("Vary", "Accept-Encoding"),))
        headers = (("Content-Encoding", "gzip"), ("Vary", "Accept-Encoding"))
        return Response(HTTPStatus.OK, _Gzip(lines), form, headers)

    @contextmanager
    def _place(self) -> Iterator[None]:
        self._free -= 1
        try:
            yield
        finally:
            self._free += 1

    async def _envoy_only(self, admin: Origin, incoming: Request) -> AsyncGenerator[bytes, None]:
        deadline = _deadline(incoming)
        with self._place():
            async with AsyncExitStack() as stack:
                async with asyncio.timeout_at(deadline):
                    answer = await self._envoy(stack, admin, incoming)
                yield exposition.TEXT.encode()
                async with aclosing(_timed(exposition.whole_lines(answer.pieces(), MAX_ENVOY), deadline)) as timed:
                    async for lines in timed:
                        yield exposition.with_istio_names(lines)

    async def _merged(self, incoming: Request) -> AsyncGenerator[bytes, None]:
        self._metrics.scrapes += 1
        deadline = _deadline(incoming)
        with self._place():
            async with AsyncExitStack() as stack:
                answers = await self._open_applications(stack, incoming)
                form = _form(answers[0]) if answers else exposition.TEXT
                yield form.encode()
                yield self._metrics.text()
                envoy = await self._envoy_if_any(stack, incoming, deadline)
                async with aclosing(self._tolerated("envoy", envoy, MAX_ENVOY, deadline)) as found:
                    async for lines in found:
                        yield exposition.with_istio_names(lines)
                for answer in answers:
                    async with aclosing(self._tolerated("application", answer, MAX_APPLICATION, deadline)) as found:
                        async for lines in found:
                            yield exposition.without_end(lines)
                if form != exposition.TEXT:
                    yield exposition.END

    async def _tolerated(
        self, whose: str, answer: Answer | None, most: int, deadline: float
    ) -> AsyncGenerator[bytes, None]:
        """Whole lines, until the source ends, fails or takes too long; that is no reason to end the others."""
        if answer is None:
            return
        try:
            async with aclosing(_timed(exposition.whole_lines(answer.pieces(), most), deadline)) as timed:
                async for lines in timed:
                    yield lines
        except OSError as error:
            self._failed(whose, error)

    async def _envoy_if_any(self, stack: AsyncExitStack, incoming: Request, deadline: float) -> Answer | None:
        if self._admin is None:
            return None
        try:
            async with asyncio.timeout_at(deadline):
                return await self._envoy(stack, self._admin, incoming)
        except OSError as error:
            self._failed("envoy", error)
            return None

    async def _envoy(self, stack: AsyncExitStack, admin: Origin, incoming: Request) -> Answer:
        # Envoy is asked for text, whatever the scraper takes: nothing else can be merged.
        target = "/stats/prometheus" + (f"?{incoming.query}" if incoming.query else "")
        answer = await stack.enter_async_context(request(admin, "GET", target, (("Accept", "text/plain"),)))
        if answer.status != HTTPStatus.OK:
            raise OSError(f"Envoy answers {answer.status} to {target}")
        return answer

    async def _open_applications(self, stack: AsyncExitStack, incoming: Request) -> list[Answer]:
        """Those that begin to answer in half of the time: the rest of it is for Envoy's metrics, come what may."""
        accept = exposition.accepted(incoming.header("accept"))
        if len(self._applications) > 1:
            # Forms cannot be mixed, and text is what everybody has.
            accept = "text/plain;version=0.0.4"
        seconds = _seconds(incoming.header(_TIMEOUT_HEADER)) / 2

        async def opened(application: Scrape) -> Answer | None:
            try:
                async with asyncio.timeout(seconds):
                    return await self._open(stack, application, incoming, accept)
            except OSError as error:
                self._failed(f"application at port {application.port}", error)
                return None

        answers = await asyncio.gather(*(opened(each) for each in self._applications))
        found = [each for each in answers if each is not None]
        chosen = [each for each in found if _form(each) == _form(found[0])]
        if len(chosen) < len(found):
            self._failed(
                "application", OSError("its ports answer in different formats; those like the first are served")
            )
        return chosen

    async def _open(self, stack: AsyncExitStack, place: Scrape, incoming: Request, accept: str) -> Answer:
        headers = [("Accept", accept)] if accept else []
        headers += [(n, v) for n, v in incoming.headers if n.lower() in ("user-agent", _TIMEOUT_HEADER)]
        failures: list[OSError] = []
        for address in self._loopbacks:
            try:
                answer = await stack.enter_async_context(
                    request(Origin(address, place.port), "GET", place.path, headers)
                )
            except ConnectionRefusedError as error:
                failures.append(error)
                continue
            if answer.status != HTTPStatus.OK:
                raise OSError(f"port {place.port} answers {answer.status} to {place.path}")
            if answer.header("content-encoding") not in ("", "identity"):
                raise OSError(f"port {place.port} answers {place.path} compressed, unasked")
            return answer
        raise failures[0]

    def _failed(self, whose: str, error: Exception) -> None:
        self._metrics.failures[whose.partition(" ")[0]] += 1
        self._log.warn(f"scraping metrics of {whose} failed: {error or 'no answer in time'}")


class _Gzip:
    """The same, compressed: fast rather than small, which leaves about a tenth of metrics."""

    def __init__(self, pieces: AsyncGenerator[bytes, None]) -> None:
        self._pieces = pieces

    async def aclose(self) -> None:
        await self._pieces.aclose()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        import zlib

        # 31: a window of 32 kB, in the form of gzip.
        packer = zlib.compressobj(1, zlib.DEFLATED, 31)
        ready = bytearray()
        async for piece in self._pieces:
            ready += packer.compress(piece)
            if len(ready) >= _SENT:
                yield bytes(ready)
                ready.clear()
        yield bytes(ready) + packer.flush()


async def _timed(lines: AsyncGenerator[bytes, None], deadline: float) -> AsyncGenerator[bytes, None]:
    """Raises TimeoutError when there is more to come after the deadline. What the reader takes of it counts, too."""
    async with aclosing(lines):
        while True:
            async with asyncio.timeout_at(deadline):
                piece = await anext(lines, None)
            if piece is None:
                return
            yield piece


def _form(answer: Answer) -> str:
    return exposition.form_of(answer.header("content-type"))


def _encodings(header: str) -> frozenset[str]:
    """Those that are not refused by a quality of 0."""
    found = set()
    for part in header.lower().split(","):
        name, _, quality = part.partition(";")
        if quality.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000"):
            found.add(name.strip())
    return frozenset(found)


def _deadline(incoming: Request) -> float:
    """Of the loop's clock."""
    return asyncio.get_running_loop().time() + _seconds(incoming.header(_TIMEOUT_HEADER))


def _seconds(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        return _TIME
    return min(found, _MAX_TIME) if found > 0 and math.isfinite(found) else _TIME
