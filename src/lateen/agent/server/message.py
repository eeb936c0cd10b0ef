"""Requests and answers of HTTP/1.1, as values."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, Protocol

from lateen.agent.http_client import Headers

MAX_HEAD: Final = 32 * 1024
"""Bytes of a request's first line and headers."""
MAX_HEADERS: Final = 100
MAX_BODY: Final = 64 * 1024
"""Bytes of a request's body, which is read and dropped: nothing here takes one."""

TEXT: Final = "text/plain; charset=utf-8"

_TOKEN: Final = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")


class BadRequest(Exception):
    """A request that is refused, after which the connection ends."""

    def __init__(self, status: HTTPStatus, words: str) -> None:
        super().__init__(words)
        self.status = status


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    """Without the query; as sent."""
    query: str
    headers: Headers
    """Names in the sender's letters."""
    peer: str
    """The sender's IP address."""
    body_length: int = 0
    keep_alive: bool = True
    chunks: bool = True
    """Whether the sender understands chunked answers."""

    def header(self, name: str) -> str:
        """The first of that name (given in lower case), or nothing."""
        return next((value for found, value in self.headers if found.lower() == name), "")


class Pieces(Protocol):
    """A body that is made while it is sent."""

    def __aiter__(self) -> AsyncIterator[bytes]: ...

    async def aclose(self) -> None:
        """Called in the end, and early where nobody wants the rest."""


@dataclass(frozen=True)
class Response:
    status: HTTPStatus | int
    body: bytes | Pieces = b""
    content_type: str = TEXT
    headers: Headers = ()


def words(status: HTTPStatus, text: str, *headers: tuple[str, str]) -> Response:
    """An answer of one line."""
    return Response(status, f"{text}\n".encode(), headers=headers)


def parse_request(head: bytes, peer: str) -> Request:
    """A request's head, with the empty line at its end. Raises BadRequest."""
    first, *lines = head[:-4].decode("latin-1").split("\r\n")
    parts = first.split(" ")
    if len(parts) != 3 or not _is_token(parts[0]):
        raise BadRequest(HTTPStatus.BAD_REQUEST, "not an HTTP request")
    method, target, version = parts
    if version not in ("HTTP/1.1", "HTTP/1.0"):
        raise BadRequest(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, "HTTP/1.0 and HTTP/1.1 are spoken here")
    if not target.startswith("/") or any(not "!" <= c <= "~" for c in target):
        raise BadRequest(HTTPStatus.BAD_REQUEST, "the request's target is not a path")
    if len(lines) > MAX_HEADERS:
        raise BadRequest(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"more than {MAX_HEADERS} headers")
    headers = tuple(_header(line) for line in lines)
    path, _, query = target.partition("?")
    connection = _values(headers, "connection").lower()
    if version == "HTTP/1.1":
        if sum(name.lower() == "host" for name, _ in headers) != 1:
            raise BadRequest(HTTPStatus.BAD_REQUEST, "one Host header is needed")
        keep_alive = "close" not in connection
    else:
        keep_alive = False
    return Request(method, path, query, headers, peer, _length(headers), keep_alive, chunks=version == "HTTP/1.1")


def _header(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    value = value.strip(" \t")
    if not colon or not _is_token(name):
        raise BadRequest(HTTPStatus.BAD_REQUEST, "a header is not of the form `name: value`")
    if any((c < " " and c != "\t") or c == "\x7f" for c in value):
        raise BadRequest(HTTPStatus.BAD_REQUEST, f"control characters in header {name}")
    return name, value


def _length(headers: Headers) -> int:
    if _values(headers, "transfer-encoding"):
        raise BadRequest(HTTPStatus.NOT_IMPLEMENTED, "Transfer-Encoding is not taken in requests")
    lengths = {value for name, value in headers if name.lower() == "content-length"}
    if not lengths:
        return 0
    text = lengths.pop()
    if lengths or not (text.isascii() and text.isdigit()):
        raise BadRequest(HTTPStatus.BAD_REQUEST, "Content-Length is not a number")
    if len(text) > 9 or int(text) > MAX_BODY:
        raise BadRequest(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"bodies of more than {MAX_BODY} bytes are not taken")
    return int(text)


def _values(headers: Headers, wanted: str) -> str:
    return ",".join(value for name, value in headers if name.lower() == wanted)


def _is_token(text: str) -> bool:
    return bool(text) and _TOKEN.issuperset(text)
