"""The protobuf wire format: tags, varints, lengths. Source: protobuf's encoding specification."""

from __future__ import annotations

from collections.abc import Iterator

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5


class WireError(ValueError):
    """The bytes are not a protobuf message; the message says where."""


def fields(data: bytes) -> Iterator[tuple[int, int, int | bytes]]:
    """Yields (number, wire type, value): an unsigned integer for varints, else the bytes. Raises WireError."""
    position, end = 0, len(data)
    while position < end:
        tag, position = varint(data, position)
        number, kind = tag >> 3, tag & 7
        if kind == VARINT:
            value, position = varint(data, position)
            yield number, kind, value
            continue
        if kind == LENGTH:
            size, position = varint(data, position)
        elif kind in (FIXED64, FIXED32):
            size = 8 if kind == FIXED64 else 4
        else:
            raise WireError(f"byte {position}: wire type {kind} is not supported")
        if position + size > end:
            raise WireError(f"byte {position}: {size} bytes announced, {end - position} left")
        yield number, kind, data[position : position + size]
        position += size


def varint(data: bytes, position: int) -> tuple[int, int]:
    """(value, next position). Raises WireError when it does not end within ten bytes."""
    value = shift = 0
    for offset in range(10):
        if position + offset >= len(data):
            break
        byte = data[position + offset]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position + offset + 1
        shift += 7
    raise WireError(f"byte {position}: the number does not end")


def signed(value: int, bits: int) -> int:
    """A varint as the two's complement integer it stands for."""
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value
