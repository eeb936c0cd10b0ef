"""Laws of the agent's server: whatever is sent to it, and however metrics are cut into pieces."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from hypothesis import given
from hypothesis import strategies as st

from lateen.agent.server.exposition import whole_lines, with_istio_names, without_end
from lateen.agent.server.message import BadRequest, parse_request

_PIECES = st.sampled_from(
    [b"GET", b" ", b"/a?b", b"HTTP/1.1", b"HTTP/1.0", b"\r\n", b"\n", b"\r", b"Host", b": ", b":", b"h",
     b"Content-Length", b"7", b"-1", b"99999999999", b"Connection", b"close", b"Transfer-Encoding", b"chunked",
     b"\x00", b"\xff", b"\t"]
)  # fmt: skip
_LINES = st.sampled_from(
    [b"envoy_istio_a 1", b"# TYPE envoy_istio_a counter", b"# HELP envoy_istio_a x", b'a{b="envoy_istio_"} 1', b"",
     b"# EOF", b"envoy_x 1", b" envoy_istio_a"]
)  # fmt: skip


@given(st.lists(_PIECES, max_size=30).map(b"".join) | st.binary(max_size=200))
def test_a_request_is_understood_or_refused(head: bytes) -> None:
    try:
        found = parse_request(head + b"\r\n\r\n", "10.0.0.1")
    except BadRequest:
        return
    assert found.path.startswith("/")
    assert not set(found.path + found.query) & set(" \r\n\0")
    assert not any(set(name + value) & set("\r\n\0") for name, value in found.headers)


def _renamed(line: bytes) -> bytes:
    for begin in (b"", b"# TYPE ", b"# HELP "):
        if line.startswith(begin + b"envoy_istio_"):
            return begin + line.removeprefix(begin + b"envoy_")
    return line


@given(st.lists(_LINES, max_size=20), st.lists(st.integers(1, 30), min_size=1, max_size=5))
def test_metrics_come_out_the_same_however_they_were_cut(lines: list[bytes], sizes: list[int]) -> None:
    text = b"".join(line + b"\n" for line in lines)

    async def pieces() -> AsyncIterator[bytes]:
        at = turn = 0
        while at < len(text):
            size = sizes[turn % len(sizes)]
            yield text[at : at + size]
            at, turn = at + size, turn + 1

    async def passed() -> list[bytes]:
        return [each async for each in whole_lines(pieces(), 10_000)]

    found = asyncio.run(passed())
    assert b"".join(with_istio_names(each) for each in found) == b"".join(_renamed(line) + b"\n" for line in lines)
    kept = [line for line in lines if line not in (b"", b"# EOF")]
    assert b"".join(without_end(each) for each in found) == b"".join(line + b"\n" for line in kept)
