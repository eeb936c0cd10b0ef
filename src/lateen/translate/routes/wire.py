"""Protobuf's wire format, as far as serialised messages are put together from serialised parts.

Concatenating the bytes of two messages of one type merges them: repeated fields follow one another.
"""

from __future__ import annotations

_LENGTH_DELIMITED = 2


def field(number: int, body: bytes) -> bytes:
    """A field that holds a message, a string or bytes. Numbers from 1 to 15."""
    return bytes((number << 3 | _LENGTH_DELIMITED,)) + _varint(len(body)) + body


def _varint(value: int) -> bytes:
    if value < 0x80:
        return bytes((value,))
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
