from __future__ import annotations

import asyncio

import pytest

from lateen.cluster.node.probes.grpc_health import check_health, decode_response, encode_request

_PREFACE = 24


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def test_messages() -> None:
    assert encode_request("") == b"\0\0\0\0\0"
    assert encode_request("svc") == b"\0\0\0\0\5\x0a\3svc"
    assert decode_response(b"\0\0\0\0\2\x08\1") == 1
    assert decode_response(b"\0\0\0\0\0") == 0
    assert decode_response(b"x") is None


@pytest.mark.parametrize(
    ("body", "success", "words"),
    [
        (b"\0\0\0\0\2\x08\1", True, ""),
        (b"\0\0\0\0\2\x08\2", False, 'responded with "NOT_SERVING"'),
        (b"", False, "does not implement the grpc health protocol"),
    ],
)
async def test_a_call(body: bytes, success: bool, words: str) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert (await reader.readexactly(_PREFACE)).startswith(b"PRI * HTTP/2.0")
        writer.write(frame(4, 0, 0, b""))
        while True:
            head = await reader.readexactly(9)
            await reader.readexactly(int.from_bytes(head[:3], "big"))
            if head[3] == 0:
                break
        writer.write(frame(1, 4, 1, b"\x88") + (frame(0, 0, 1, body) if body else b"") + frame(1, 5, 1, b""))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        outcome = await check_health("127.0.0.1", server.sockets[0].getsockname()[1], "x")
    assert outcome.success is success
    assert words in outcome.message
