"""One call of grpc.health.v1.Health/Check, over HTTP/2 without TLS. Imported where a probe asks for it.

Sources: RFC 9113 (frames), RFC 7541 (headers: sent as literals that nobody need remember), gRPC over HTTP2, and
grpc/health/v1/health.proto. Of the answer's headers nothing is read: its one message says SERVING, or nothing does.
"""

from __future__ import annotations

import asyncio
import struct
from typing import Final

from lateen.agent.http_client import Origin, connect

_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RST_STREAM, _SETTINGS, _PING, _GOAWAY = 0, 1, 3, 4, 6, 7
_ACK, _END_STREAM, _END_HEADERS, _PADDED = 1, 1, 4, 8
_MAX_FRAME: Final = 16_384
"""Bytes: what we may be sent, since we ask for no more."""
_MAX_FRAMES: Final = 100
_MAX_MESSAGE: Final = 1024
_STATES: Final = {0: "UNKNOWN", 2: "NOT_SERVING", 3: "SERVICE_UNKNOWN"}
_SERVING: Final = 1


async def check(origin: Origin, service: str, user_agent: str) -> str:
    """Empty when the server says SERVING, else why that is not so. Raises OSError when there is no connection."""
    reader, writer = await connect(origin)
    try:
        writer.write(_PREFACE + _frame(_SETTINGS, 0, 0, b"") + _call(origin.authority, service, user_agent))
        return await _outcome(reader, writer)
    except asyncio.IncompleteReadError:
        return "the connection ended before an answer; is it a gRPC server?"
    finally:
        writer.transport.abort()


def _call(authority: str, service: str, user_agent: str) -> bytes:
    headers = (
        (":method", "POST"), (":scheme", "http"), (":path", "/grpc.health.v1.Health/Check"),
        (":authority", authority), ("content-type", "application/grpc"), ("te", "trailers"),
        ("user-agent", user_agent or "lateen"),
    )  # fmt: skip
    block = b"".join(b"\0" + _string(name) + _string(value) for name, value in headers)
    name = service.encode()
    message = b"\x0a" + _varint(len(name)) + name if name else b""
    return (
        _frame(_HEADERS, _END_HEADERS, 1, block)
        + _frame(_DATA, _END_STREAM, 1, b"\0" + struct.pack(">I", len(message)) + message)
    )  # fmt: skip


async def _outcome(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
    body = b""
    for _ in range(_MAX_FRAMES):
        kind, flags, stream, content = await _read(reader)
        if kind == _SETTINGS and not flags & _ACK:
            writer.write(_frame(_SETTINGS, _ACK, 0, b""))
        elif kind == _PING and not flags & _ACK:
            writer.write(_frame(_PING, _ACK, 0, content))
        elif kind == _GOAWAY:
            return "the server ends the connection"
        elif stream == 1 and kind == _RST_STREAM:
            return "the server ends the call"
        elif stream == 1 and kind in (_DATA, _HEADERS):
            if kind == _DATA:
                padding = content[0] if flags & _PADDED and content else -1
                body += content[1 : len(content) - padding] if padding >= 0 else content
                if len(body) > _MAX_MESSAGE:
                    return "the answer is too long for one about health"
            if flags & _END_STREAM:
                return _judged(body)
    return "too much that is no answer"


def _judged(body: bytes) -> str:
    """HealthCheckResponse has one field, a varint of number 1; left out, it is 0."""
    if len(body) < 5 or body[0] != 0 or struct.unpack(">I", body[1:5])[0] != len(body) - 5:
        return "no answer of the health protocol (grpc.health.v1.Health); does the server implement it?"
    message = body[5:]
    state = message[1] if len(message) >= 2 and message[0] == 0x08 else 0
    return "" if state == _SERVING else f"the service is {_STATES.get(state, state)}"


async def _read(reader: asyncio.StreamReader) -> tuple[int, int, int, bytes]:
    head = await reader.readexactly(9)
    length = int.from_bytes(head[:3], "big")
    if length > _MAX_FRAME:
        raise OSError("a frame of HTTP/2 is longer than allowed; is it a gRPC server?")
    stream = int.from_bytes(head[5:9], "big") & 0x7FFFFFFF
    return head[3], head[4], stream, await reader.readexactly(length)


def _frame(kind: int, flags: int, stream: int, content: bytes) -> bytes:
    return len(content).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + content


def _string(text: str) -> bytes:
    """HPACK's string literal, without Huffman coding: a length with a prefix of seven bits, and the bytes."""
    data = text.encode()
    if len(data) < 127:
        return bytes((len(data),)) + data
    return b"\x7f" + _varint(len(data) - 127) + data


def _varint(number: int) -> bytes:
    found = bytearray()
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    return bytes((*found, number))
