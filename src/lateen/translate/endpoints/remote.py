"""Endpoints in other networks: reached through those networks' gateways."""

from __future__ import annotations

from collections.abc import Iterable
from math import lcm

import msgspec

from lateen.model.endpoint import Endpoint
from lateen.model.networks import NetworkGateway
from lateen.translate.endpoints.groups import Weighted


def weigh(endpoints: Iterable[Endpoint]) -> tuple[Weighted, ...]:
    """Each endpoint with its declared weight, or 1. Those without an address are not reachable directly."""
    return tuple(Weighted(each, each.weight or 1) for each in endpoints if each.address)


def through_gateways(
    endpoints: Iterable[Endpoint], network: str, gateways: tuple[NetworkGateway, ...]
) -> tuple[Weighted, ...]:
    """Each endpoint that is in reach of a network directly, and for the others their gateways, weighted for them.

    A network without gateways is in reach. Traffic through a gateway finds its way by the SNI of mutual TLS, so that
    endpoints without are not reachable there. The gateway of the endpoint's own cluster comes before others of its
    network. Of several gateways each gets its part; weights are scaled so that the parts are whole.
    """
    by_network = _by_network(gateways)
    scale = lcm(*(len(each) for each in by_network.values()), 1)
    direct: list[Weighted] = []
    remote: dict[tuple[object, ...], Weighted] = {}
    for each in endpoints:
        weight = (each.weight or 1) * scale
        ways = _ways(each, network, by_network)
        if ways is None:
            if each.address:
                direct.append(Weighted(each, weight))
            continue
        if not each.mutual_tls:
            continue
        for way in ways:
            slot = (way.address, way.port, each.locality, each.cluster_id)
            known = remote.get(slot)
            share = weight // len(ways)
            remote[slot] = Weighted(_at_gateway(each, way), share + (known.weight if known is not None else 0))
    return (*direct, *(remote[slot] for slot in sorted(remote, key=str)))


def _ways(
    each: Endpoint, network: str, gateways: dict[tuple[str, str], tuple[NetworkGateway, ...]]
) -> tuple[NetworkGateway, ...] | None:
    """The gateways by which an endpoint is reached; None when none is needed."""
    if not each.network or each.network == network:
        return None
    return gateways.get((each.network, each.cluster_id)) or gateways.get((each.network, ""))


def _by_network(gateways: tuple[NetworkGateway, ...]) -> dict[tuple[str, str], tuple[NetworkGateway, ...]]:
    """Gateways by network and cluster, and all of a network under the empty cluster."""
    found: dict[tuple[str, str], list[NetworkGateway]] = {}
    for each in gateways:
        found.setdefault((each.network, ""), []).append(each)
        if each.cluster:
            found.setdefault((each.network, each.cluster), []).append(each)
    return {slot: tuple(listed) for slot, listed in found.items()}


def _at_gateway(each: Endpoint, way: NetworkGateway) -> Endpoint:
    """What stands for all endpoints behind a gateway: nothing of a single workload is left."""
    return msgspec.structs.replace(
        each,
        address=way.address,
        port=way.port,
        additional_addresses=(),
        labels=(),
        workload="",
        namespace="",
        identity="",
        hostname="",
        node="",
        weight=0,
    )
