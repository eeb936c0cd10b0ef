"""Passes DNS messages on to other resolvers: whole, without looking into more than the header and the question.

Bounded in messages under way and in time; a resolver that does not answer is passed over for the next one.
"""

from __future__ import annotations

import asyncio
import secrets
import struct

MAX_UNDER_WAY = 512
TIMEOUT_SECONDS = 2.0
MAX_MESSAGE = 65535


class ForwardError(Exception):
    """No resolver answered, or too many messages are under way."""


class Forwarder:
    """Asks `resolvers` (addresses, port 53 unless given) in turn until one answers."""

    def __init__(self, resolvers: list[str], *, port: int = 53, timeout: float = TIMEOUT_SECONDS) -> None:
        self._resolvers = list(resolvers)
        self._port = port
        self._timeout = timeout
        self._under_way = 0

    async def ask(self, message: bytes, *, tcp: bool) -> bytes:
        """The answer to a message, with the message's own id. Raises ForwardError."""
        if len(message) < 12:
            raise ForwardError("the message is shorter than a header")
        if self._under_way >= MAX_UNDER_WAY:
            raise ForwardError("too many messages under way")
        self._under_way += 1
        try:
            for number, resolver in enumerate(self._resolvers):
                try:
                    async with asyncio.timeout(self._timeout):
                        answer = await (self._ask_tcp if tcp else self._ask_udp)(resolver, message)
                except (OSError, TimeoutError, asyncio.IncompleteReadError):
                    continue
                if number:
                    # Begin with the one that works; a later failure brings the first back.
                    self._resolvers = [resolver, *(r for r in self._resolvers if r != resolver)]
                return answer
        finally:
            self._under_way -= 1
        raise ForwardError("no resolver answers")

    async def _ask_udp(self, resolver: str, message: bytes) -> bytes:
        loop = asyncio.get_running_loop()
        # An id of our own and a fresh port: nobody else can know what to forge.
        identifier = secrets.token_bytes(2)
        transport, protocol = await loop.create_datagram_endpoint(
            lambda: _Waiting(identifier, message[12:]), remote_addr=(resolver, self._port)
        )
        try:
            transport.sendto(identifier + message[2:])
            return message[:2] + (await protocol.answer)[2:]
        finally:
            transport.close()

    async def _ask_tcp(self, resolver: str, message: bytes) -> bytes:
        reader, writer = await asyncio.open_connection(resolver, self._port)
        try:
            writer.write(struct.pack("!H", len(message)) + message)
            (size,) = struct.unpack("!H", await reader.readexactly(2))
            return await reader.readexactly(size)
        finally:
            writer.close()


class _Waiting(asyncio.DatagramProtocol):
    def __init__(self, identifier: bytes, question: bytes) -> None:
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._identifier = identifier
        self._question = _first_question(question)

    def datagram_received(self, data: bytes, addr: object) -> None:
        if data[:2] != self._identifier or len(data) < 12 or not data[2] & 0x80 or self.answer.done():
            return
        # An answer to another question is not one; servers that refuse may leave the question out.
        if data[4:6] != b"\0\0" and _first_question(data[12:]).lower() != self._question.lower():
            return
        self.answer.set_result(data)

    def error_received(self, exc: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(exc)


def _first_question(section: bytes) -> bytes:
    """The bytes of the first question (its name holds no pointers)."""
    end = 0
    while end < len(section) and section[end]:
        end += section[end] + 1
    return section[: end + 5]
