"""Length-bounded JSON messages over a stream socket: four bytes of length (big endian), then one JSON object.

File descriptors travel with the first byte of the message that they belong to.
"""

from __future__ import annotations

import json

TYPE_CHECKING = False  # `typing` itself would cost every pod a megabyte
if TYPE_CHECKING:
    from typing import Any

    Message = dict[str, Any]


MAX_MESSAGE = 4 << 20
"""Bytes; a container's environment alone may have a megabyte."""
MAX_DESCRIPTORS = 4


class MessageError(ValueError):
    """What arrived is not a message."""


def encode(message: Message) -> bytes:
    body = json.dumps(message, separators=(",", ":")).encode()
    if len(body) > MAX_MESSAGE:
        raise MessageError(f"a message of {len(body)} bytes: at most {MAX_MESSAGE} are allowed")
    return len(body).to_bytes(4, "big") + body


class Decoder:
    """Cuts received bytes into messages."""

    def __init__(self) -> None:
        self._data = bytearray()

    def feed(self, data: bytes) -> list[Message]:
        """The messages that are complete now. Raises MessageError: nothing after that can be read."""
        self._data += data
        found: list[Message] = []
        while len(self._data) >= 4:
            length = int.from_bytes(self._data[:4], "big")
            if length > MAX_MESSAGE:
                raise MessageError(f"a message of {length} bytes: at most {MAX_MESSAGE} are allowed")
            if len(self._data) < 4 + length:
                break
            body = bytes(self._data[4 : 4 + length])
            del self._data[: 4 + length]
            try:
                message = json.loads(body)
            except ValueError as error:
                raise MessageError(f"not JSON: {error}") from None
            if not isinstance(message, dict):
                raise MessageError("not a JSON object")
            found.append(message)
        return found
