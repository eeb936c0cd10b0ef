"""A small asynchronous client of the Kubernetes API: single requests, and watches as batches of events."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, NamedTuple, Self

import aiohttp
import msgspec
from yarl import URL

from lateen.sources.kubernetes.access import Access

_REQUEST_SECONDS = 60.0
_CONNECT_SECONDS = 10.0
_WATCH_SECONDS = (240, 360)
"""How long the server is asked to keep a watch: spread, so that watches do not end together."""
_SILENCE_SECONDS = 30.0
"""How much longer than asked for a watch may stay open before its connection counts as dead."""


class Answer(NamedTuple):
    """What the API server said."""

    status: int
    """HTTP status."""
    body: Any
    """Decoded JSON; `{}` when it was none."""
    retry_after: float = 0.0
    """Seconds that the server asks to stay away."""

    @property
    def message(self) -> str:
        """In the server's words, where it is a failure."""
        told = self.body.get("message") if isinstance(self.body, dict) else None
        return str(told or f"HTTP status {self.status}")


class ApiError(Exception):
    """The API server refused a request."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.message)
        self.status = answer.status
        self.retry_after = answer.retry_after


class Event(NamedTuple):
    """One line of a watch."""

    type: str
    """`ADDED`, `MODIFIED`, `DELETED`, `BOOKMARK` or `ERROR`."""
    object: dict[str, Any]


class Client:
    """`async with Client(access) as client: await client.send("GET", "/api/v1/pods")`.

    Anything that keeps a request from being answered is raised as OSError (with TimeoutError) or AccessError.
    """

    def __init__(self, access: Access, *, user_agent: str = "lateen") -> None:
        self._access = access
        self._user_agent = user_agent
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _connected(self) -> aiohttp.ClientSession:
        if self._session is None:
            context = self._access.ssl_context()
            # Every watched kind holds one connection for itself, all the time.
            connector = aiohttp.TCPConnector(
                limit=0, ssl=context if context is not None else True, socket_factory=_watched_socket
            )
            self._session = aiohttp.ClientSession(connector=connector)
        return self._session

    async def send(
        self,
        method: str,
        path: str,
        *,
        parameters: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = "application/json",
    ) -> Answer:
        """One request, whatever its answer's status."""
        try:
            async with self._connected().request(
                method,
                URL(self._access.server + path),
                params=parameters,
                data=None if body is None else msgspec.json.encode(body),
                headers=self._headers(content_type if body is not None else ""),
                server_hostname=self._access.server_name or None,
                timeout=aiohttp.ClientTimeout(total=_REQUEST_SECONDS, connect=_CONNECT_SECONDS),
            ) as response:
                return self._answer(response, await response.read())
        except aiohttp.ClientError as error:
            await self._reconnect_if_untrusted(error)
            raise ConnectionError(str(error) or type(error).__name__) from error

    async def get(self, path: str, parameters: Mapping[str, str] | None = None) -> Any:
        """The body of a GET. Raises ApiError unless the server has it."""
        answer = await self.send("GET", path, parameters=parameters)
        if answer.status != 200:
            raise ApiError(answer)
        return answer.body

    async def text(self, path: str, parameters: Mapping[str, str] | None = None) -> str:
        """The body of a GET as it is: a log. Raises OSError unless the server has it."""
        try:
            async with self._connected().get(
                URL(self._access.server + path),
                params=parameters,
                headers={**self._headers(""), "Accept": "*/*"},
                server_hostname=self._access.server_name or None,
                timeout=aiohttp.ClientTimeout(total=_REQUEST_SECONDS, connect=_CONNECT_SECONDS),
            ) as response:
                content = await response.read()
                if response.status != 200:
                    raise ConnectionError(self._answer(response, content).message)
                return content.decode(errors="replace")
        except aiohttp.ClientError as error:
            await self._reconnect_if_untrusted(error)
            raise ConnectionError(str(error) or type(error).__name__) from error

    async def watch(self, path: str, parameters: Mapping[str, str]) -> AsyncGenerator[tuple[Event, ...], None]:
        """Events from a resource version on: none when the watch has begun, then as many at a time as have arrived.

        Ends when the server ends it. Raises ApiError when the server does not begin, OSError when the connection fails.
        """
        seconds = random.randint(*_WATCH_SECONDS)
        asked = {**parameters, "watch": "1", "allowWatchBookmarks": "true", "timeoutSeconds": str(seconds)}
        try:
            async with self._connected().get(
                URL(self._access.server + path),
                params=asked,
                headers=self._headers(""),
                server_hostname=self._access.server_name or None,
                timeout=aiohttp.ClientTimeout(
                    total=seconds + _SILENCE_SECONDS, connect=_CONNECT_SECONDS, sock_connect=_CONNECT_SECONDS
                ),
            ) as response:
                if response.status != 200:
                    raise ApiError(self._answer(response, await response.read()))
                yield ()
                begun: list[bytes] = []
                async for chunk in response.content.iter_any():
                    head, newline, rest = chunk.rpartition(b"\n")
                    if not newline:
                        begun.append(chunk)
                        continue
                    lines = b"".join((*begun, head)).split(b"\n")
                    begun = [rest]
                    if events := tuple(_event(line) for line in lines if line.strip()):
                        yield events
        except aiohttp.ClientError as error:
            await self._reconnect_if_untrusted(error)
            raise ConnectionError(str(error) or type(error).__name__) from error

    @asynccontextmanager
    async def websocket(
        self, path: str, parameters: Mapping[str, str], protocol: str
    ) -> AsyncGenerator[aiohttp.ClientWebSocketResponse, None]:
        """A stream of messages in a subprotocol, such as those of port-forward. Raises ApiError when it is refused."""
        try:
            async with asyncio.timeout(_REQUEST_SECONDS):
                stream = await self._connected().ws_connect(
                    URL(self._access.server + path),
                    params=parameters,
                    protocols=(protocol,),
                    headers=self._headers(""),
                    server_hostname=self._access.server_name or None,
                )
        except aiohttp.WSServerHandshakeError as error:
            if error.status == 401:
                self._access.forget_token()
            raise ApiError(Answer(error.status, {})) from error
        except aiohttp.ClientError as error:
            await self._reconnect_if_untrusted(error)
            raise ConnectionError(str(error) or type(error).__name__) from error
        async with stream:
            if stream.protocol != protocol:
                raise ConnectionError(f"the API server does not speak {protocol} at {path}")
            yield stream

    def _headers(self, content_type: str) -> dict[str, str]:
        headers = {"Accept": "application/json", "User-Agent": self._user_agent, **self._access.headers()}
        if content_type:
            headers["Content-Type"] = content_type
        return headers

    def _answer(self, response: aiohttp.ClientResponse, content: bytes) -> Answer:
        if response.status == 401:
            self._access.forget_token()
        try:
            body = msgspec.json.decode(content) if content else {}
        except (msgspec.DecodeError, UnicodeDecodeError):
            body = {"message": content[:200].decode(errors="replace")}
        return Answer(response.status, body, _seconds(response.headers.get("Retry-After", "")))

    async def _reconnect_if_untrusted(self, error: aiohttp.ClientError) -> None:
        """A rotated CA or client certificate is read with the next session."""
        if isinstance(error, aiohttp.ClientSSLError) and self._session is not None:
            await self.close()


def _watched_socket(address: aiohttp.AddrInfoType) -> socket.socket:
    """A watch may be silent for minutes: a server that is gone without a word is noticed within one."""
    family, kind, protocol, *_ = address
    made = socket.socket(family, kind, protocol)
    for level, option, value in (
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
        (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 20),
        (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10),
        (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
    ):
        made.setsockopt(level, option, value)
    return made


def _event(line: bytes) -> Event:
    """A line that is not an event ends the watch, like any other failure of the connection."""
    try:
        found = msgspec.json.decode(line)
        kind, value = found["type"], found["object"]
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise ConnectionError(f"a line of a watch is not an event: {error!r}") from error
    if not isinstance(kind, str) or not isinstance(value, dict):
        raise ConnectionError("a line of a watch is not an event")
    return Event(kind, value)


def _seconds(text: str) -> float:
    return float(text) if text.isdecimal() else 0.0
