"""Which endpoints of a Service get its traffic: Kubernetes' rules as a pure function.

Ready endpoints count. When there is none, those that still serve while they terminate do. "Local" ones are those of
this node, judged the same way among themselves. Source: KEP-1669, KEP-2086.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from lateen.cluster.objects import Obj

Family = Literal["IPv4", "IPv6"]


@dataclass(frozen=True, slots=True, order=True)
class Target:
    """Where a connection goes: an endpoint's address and port."""

    address: str
    port: int


@dataclass(frozen=True, slots=True)
class Targets:
    """The targets of one Service port: of the whole cluster, and of this node."""

    cluster: tuple[Target, ...] = ()
    local: tuple[Target, ...] = ()


def choose_targets(slices: Iterable[Obj], family: Family, port: str, protocol: str, node: str) -> Targets:
    """The targets of the Service port named `port` in its EndpointSlices, as seen from `node`."""
    ready: dict[Target, bool] = {}
    terminating: dict[Target, bool] = {}
    for slice_ in slices:
        if slice_.get("addressType") != family:
            continue
        number = _port_number(slice_, port, protocol)
        if number is None:
            continue
        for endpoint in slice_.get("endpoints") or ():
            conditions = endpoint.get("conditions") or {}
            into = ready if is_ready(conditions) else terminating if _serves_terminating(conditions) else None
            addresses = endpoint.get("addresses") or ()
            if into is None or not addresses:
                continue
            # The further addresses of an endpoint are, by the API's own words, not for proxies.
            into[Target(str(addresses[0]), number)] = endpoint.get("nodeName") == node
    local = tuple(sorted(t for t, here in ready.items() if here))
    return Targets(
        tuple(sorted(ready or terminating)),
        local or tuple(sorted(t for t, here in terminating.items() if here)),
    )


def count_local_endpoints(slices: Iterable[Obj], node: str) -> int:
    """How many ready endpoints of a Service are on `node`; one with addresses of both families counts once."""
    addresses: dict[str, set[str]] = {}
    for slice_ in slices:
        for endpoint in slice_.get("endpoints") or ():
            if endpoint.get("nodeName") == node and is_ready(endpoint.get("conditions") or {}):
                of_family = addresses.setdefault(str(slice_.get("addressType")), set())
                of_family |= {str(address) for address in (endpoint.get("addresses") or ())[:1]}
    return max(map(len, addresses.values()), default=0)


def is_ready(conditions: Obj) -> bool:
    """Whether an endpoint gets new connections; unknown counts as ready."""
    return conditions.get("ready") is not False


def _serves_terminating(conditions: Obj) -> bool:
    return bool(conditions.get("terminating")) and conditions.get("serving") is not False


def _port_number(slice_: Obj, name: str, protocol: str) -> int | None:
    for port in slice_.get("ports") or ():
        if (port.get("name") or "") == name and (port.get("protocol") or "TCP") == protocol:
            number = port.get("port")
            return int(number) if number is not None else None
    return None
