"""Discovery responses as bytes, put together around resources that are bytes already.

Field numbers are those of envoy/service/discovery/v3/discovery.proto and google/protobuf/any.proto. All fields used
here are length-delimited (wire type 2), so a message is the concatenation of (tag, length, bytes).
"""

from __future__ import annotations

from collections.abc import Iterable

from lateen.translate.resource import Resource, ResourceType

_DELTA_RESOURCES, _DELTA_TYPE, _DELTA_NONCE, _DELTA_REMOVED = 2, 4, 5, 6
_RESOURCE_VERSION, _RESOURCE_BODY, _RESOURCE_NAME = 1, 2, 3
_SOTW_VERSION, _SOTW_RESOURCES, _SOTW_TYPE, _SOTW_NONCE = 1, 2, 4, 5
_ANY_TYPE, _ANY_VALUE = 1, 2


def delta_responses(
    type_: ResourceType, nonce: str, resources: Iterable[Resource], removed: Iterable[str], limit: int
) -> tuple[bytes, ...]:
    """DeltaDiscoveryResponses, at least one, each of at most `limit` bytes unless a single resource is larger."""
    ending = _field(_DELTA_TYPE, type_.value.encode()) + _field(_DELTA_NONCE, nonce.encode())
    type_url = _field(_ANY_TYPE, type_.value.encode())
    entries = [_field(_DELTA_REMOVED, name.encode()) for name in removed]
    for resource in resources:
        any_ = type_url + _field(_ANY_VALUE, resource.body)
        entries.append(
            _field(
                _DELTA_RESOURCES,
                _field(_RESOURCE_VERSION, resource.version.encode())
                + _field(_RESOURCE_BODY, any_)
                + _field(_RESOURCE_NAME, resource.name.encode()),
            )
        )
    responses: list[bytes] = []
    parts: list[bytes] = [ending]
    size = len(ending)
    for entry in entries:
        if size + len(entry) > limit and len(parts) > 1:
            responses.append(b"".join(parts))
            parts, size = [ending], len(ending)
        parts.append(entry)
        size += len(entry)
    responses.append(b"".join(parts))
    return tuple(responses)


def sotw_response(type_: ResourceType, nonce: str, version: str, resources: Iterable[Resource]) -> bytes:
    """One DiscoveryResponse."""
    type_url = _field(_ANY_TYPE, type_.value.encode())
    parts = [
        _field(_SOTW_VERSION, version.encode()),
        _field(_SOTW_TYPE, type_.value.encode()),
        _field(_SOTW_NONCE, nonce.encode()),
    ]
    parts.extend(_field(_SOTW_RESOURCES, type_url + _field(_ANY_VALUE, resource.body)) for resource in resources)
    return b"".join(parts)


def _field(number: int, value: bytes) -> bytes:
    return bytes((number << 3 | 2,)) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    if value < 0x80:
        return bytes((value,))
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
