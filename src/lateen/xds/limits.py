"""What a proxy may ask of the server."""

from __future__ import annotations

import msgspec


class Limits(msgspec.Struct, frozen=True):
    streams: int = 10_000
    """Open at once at one listener, those included that have not said yet who they are; further ones are refused with
    RESOURCE_EXHAUSTED. Nobody at one listener uses up what is another's: anybody may come to that for plain text."""
    streams_of_one: int = 500
    """The same from one address, unless it is of this machine: one workload that has been broken into does not shut out
    all others."""
    requests_per_second: float = 200
    """Of one stream, on average; acknowledgements count."""
    request_burst: int = 2_000
    """Requests of one stream that may come at once."""
    request_unit: int = 32 * 1024
    """Bytes. A request counts once more for each so many that it has."""
    arrivals_per_second: float = 0.2
    """Of one proxy, on average: one that reconnects in a loop waits."""
    arrival_burst: int = 20
    """Times that a proxy may come in quick succession."""
    arrival_wait: float = 10
    """Seconds that any one arrival waits at most."""
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
    denied_age: float = 60
    """Seconds that the stream of a gateway lasts which may have no Secrets; it then comes again, and may by then."""
    stream_age: float | None = None
    """Seconds that a stream lasts, a tenth more or less; its proxy then comes again, perhaps to another replica. None:
    for ever."""
