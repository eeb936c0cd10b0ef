"""What a proxy may ask of the server."""

from __future__ import annotations

import msgspec


class Limits(msgspec.Struct, frozen=True):
    streams: int = 10_000
    """Open at once; further ones are refused with RESOURCE_EXHAUSTED."""
    requests_per_second: float = 200
    """Of one stream, on average; acknowledgements count."""
    request_burst: int = 2_000
    """Requests of one stream that may come at once."""
    names: int = 20_000
    """Resources of one type that a proxy may name."""
    name_length: int = 2_048
    """Characters."""
    request_size: int = 4 * 1024 * 1024
    """Bytes. Envoy's first request has some 60 kB, and more when it has many resources already."""
    first_request: float = 15
    """Seconds within which a new stream must say who it is."""
    patience: float = 5
    """Seconds that a proxy's other configuration waits for an acknowledgement that does not come."""
