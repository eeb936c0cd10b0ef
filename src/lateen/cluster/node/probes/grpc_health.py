"""A client for one call of one service: gRPC health checking over HTTP/2 without TLS.

One request needs no HPACK state: its header block uses literals only. Of the answer only the message is read: a call
of this kind that fails has none.
Sources: RFC 9113, RFC 7541, grpc.health.v1.
"""

from __future__ import annotations

import asyncio

from lateen.cluster.node.probes.outcome import Outcome

_DATA, _HEADERS, _RST_STREAM, _SETTINGS, _PING, _GOAWAY = 0, 1, 3, 4, 6, 7
_END_STREAM, _ACK, _END_HEADERS, _PADDED = 0x1, 0x1, 0x4, 0x8
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_MAX_FRAME = 1 << 16
_SERVING = 1
_STATUS_NAMES = {0: "UNKNOWN", 1: "SERVING", 2: "NOT_SERVING", 3: "SERVICE_UNKNOWN"}


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def _integer(value: int, prefix: int, first: int = 0) -> bytes:
    """RFC 7541 5.1."""
    limit = (1 << prefix) - 1
    if value < limit:
        return bytes((first | value,))
    out = bytearray((first | limit,))
    value -= limit
    while value >= 128:
        out.append(value % 128 + 128)
        value //= 128
    out.append(value)
    return bytes(out)


def _literal(name: str, value: str) -> bytes:
    """A header that is not to be indexed, name and value as they are."""
    raw_name, raw_value = name.encode(), value.encode()
    return b"\x00" + _integer(len(raw_name), 7) + raw_name + _integer(len(raw_value), 7) + raw_value


def encode_request(service: str) -> bytes:
    """A HealthCheckRequest in a gRPC message frame."""
    name = service.encode()
    body = b"\x0a" + _varint(len(name)) + name if name else b""
    return b"\x00" + len(body).to_bytes(4, "big") + body


def _varint(value: int) -> bytes:
    out = bytearray()
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def decode_response(data: bytes) -> int | None:
    """The status of a HealthCheckResponse in a gRPC message frame; None for anything else."""
    if len(data) < 5 or data[0] != 0:
        return None
    body = data[5 : 5 + int.from_bytes(data[1:5], "big")]
    if not body:
        return 0
    return body[1] if len(body) == 2 and body[0] == 0x08 else None


async def check_health(address: str, port: int, service: str) -> Outcome:
    """Asks `grpc.health.v1.Health/Check`. Raises OSError when it cannot connect; the caller bounds the time."""
    reader, writer = await asyncio.open_connection(address, port)
    try:
        authority = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
        headers = (
            (":method", "POST"),
            (":scheme", "http"),
            (":path", "/grpc.health.v1.Health/Check"),
            (":authority", authority),
            ("content-type", "application/grpc"),
            ("user-agent", "kube-probe/1.33"),
            ("te", "trailers"),
        )
        block = b"".join(_literal(name, value) for name, value in headers)
        writer.write(
            _PREFACE
            + _frame(_SETTINGS, 0, 0, b"")
            + _frame(_HEADERS, _END_HEADERS, 1, block)
            + _frame(_DATA, _END_STREAM, 1, encode_request(service))
        )
        return await _answer(reader, writer)
    except asyncio.IncompleteReadError:
        return Outcome(False, "error: health rpc probe failed: connection closed")
    finally:
        writer.close()


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Outcome:
    body = bytearray()
    while True:
        head = await reader.readexactly(9)
        length, kind, flags = int.from_bytes(head[:3], "big"), head[3], head[4]
        if length > _MAX_FRAME:
            return Outcome(False, "error: health rpc probe failed: not an HTTP/2 server")
        payload = await reader.readexactly(length)
        stream = int.from_bytes(head[5:], "big") & 0x7FFFFFFF
        if kind == _SETTINGS and not flags & _ACK:
            writer.write(_frame(_SETTINGS, _ACK, 0, b""))
        elif kind == _PING and not flags & _ACK:
            writer.write(_frame(_PING, _ACK, 0, payload))
        elif kind == _DATA and stream == 1:
            body += _unpadded(payload, flags)
        elif kind in (_RST_STREAM, _GOAWAY):
            return Outcome(False, "error: health rpc probe failed: stream reset")
        if stream == 1 and flags & _END_STREAM and kind in (_DATA, _HEADERS):
            return _judge(bytes(body))


def _unpadded(payload: bytes, flags: int) -> bytes:
    if not flags & _PADDED or not payload:
        return payload
    return payload[1 : len(payload) - payload[0]]


def _judge(body: bytes) -> Outcome:
    if not body:
        return Outcome(False, "error: this server does not implement the grpc health protocol (grpc.health.v1.Health)")
    status = decode_response(body)
    if status == _SERVING:
        return Outcome(True)
    name = _STATUS_NAMES.get(status if status is not None else -1, "UNKNOWN")
    return Outcome(False, f"service unhealthy (responded with {name!r})".replace("'", '"'))
