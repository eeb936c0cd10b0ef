"""The address that a sidecar's connections to its own application come from.

Redirection of the workload's outgoing traffic lets these addresses be, so that what the sidecar hands to the
application is not captured again.
"""

from __future__ import annotations

from typing import Any, Final

IPV4: Final = "127.0.0.6"
IPV6: Final = "::6"


def bind_locally(cluster: Any, *, ipv4: bool, ipv6: bool) -> None:
    """Sets `upstream_bind_config` of a `Cluster`; Envoy takes the address of the destination's family."""
    addresses = [IPV4] * ipv4 + [IPV6] * ipv6
    first, *others = addresses or [IPV4]
    source = cluster.upstream_bind_config.source_address
    source.address = first
    source.port_value = 0
    for other in others:
        address = cluster.upstream_bind_config.extra_source_addresses.add().address
        address.address = other
        address.port_value = 0
