"""Whether a patch is about a message (Istio: pilot/pkg/networking/core/envoyfilter)."""

from __future__ import annotations

from typing import Any, NamedTuple

from lateen.api.networking.envoy_filter import (
    ApplyTo,
    ClusterMatch,
    EnvoyConfigObjectMatch,
    FilterChainMatch,
    RouteAction,
    RouteConfigurationMatch,
)
from lateen.model.names import VIRTUAL_INBOUND, VIRTUAL_OUTBOUND
from lateen.translate.patches.patch import Patch

_ACTIONS = {
    "route": RouteAction.ROUTE,
    "redirect": RouteAction.REDIRECT,
    "direct_response": RouteAction.DIRECT_RESPONSE,
}


# --- clusters -----------------------------------------------------------------------------------------------------


def cluster_name_matches(match: ClusterMatch | None, name: str) -> bool | None:
    """Whether the match selects the cluster of a name; None when that depends on what the cluster holds."""
    if match is None:
        return True
    if match.name:
        return match.name == name
    direction, port, subset, host = _cluster_parts(name)
    if match.subset and match.subset != subset:
        return False
    if match.port_number and match.port_number != port:
        return False
    if match.service and match.service != host:
        return None if direction == "inbound" and not host else False
    return True


def cluster_matches(match: ClusterMatch | None, cluster: Any) -> bool:
    """Inbound clusters are named by port alone: the services they serve are in their metadata."""
    by_name = cluster_name_matches(match, cluster.name)
    if by_name is not None:
        return by_name
    return match is not None and match.service in _services(cluster)


def _services(cluster: Any) -> list[str]:
    metadata = cluster.metadata.filter_metadata
    if "istio" not in metadata or "services" not in metadata["istio"]:
        return []
    return [each["host"] for each in metadata["istio"]["services"] if "host" in each]


def _cluster_parts(name: str) -> tuple[str, int, str, str]:
    """Direction, port, subset and host of `outbound|80|v1|host` or `outbound_.80_.v1_.host`."""
    parts = name.split("|") if "|" in name else name.split("_.", 3)
    if len(parts) != 4:
        return "", 0, "", ""
    direction, port, subset, host = parts
    return direction, int(port) if port.isascii() and port.isdigit() else 0, subset, host


# --- listeners ----------------------------------------------------------------------------------------------------


def is_virtual(listener_name: str) -> bool:
    """Listeners that take the traffic of all ports: there, the port of a match is that of a filter chain."""
    return listener_name in (VIRTUAL_INBOUND, VIRTUAL_OUTBOUND)


def listener_name_matches(apply_to: ApplyTo, match: EnvoyConfigObjectMatch, name: str) -> bool | None:
    """Whether the match selects the listener of a name; None when that depends on what the listener holds."""
    listener = match.listener
    if listener is None:
        return True
    if listener.name and listener.name != name:
        return False
    if not listener.port_number or (apply_to is not ApplyTo.LISTENER and is_virtual(name)):
        return True
    return None


def listener_matches(patch: Patch, listener: Any) -> bool:
    match = patch.outline.match
    by_name = listener_name_matches(patch.outline.apply_to, match, listener.name)
    if by_name is not None:
        return by_name
    address = listener.address
    return (
        match.listener is not None
        and address.HasField("socket_address")
        and address.socket_address.port_value == match.listener.port_number
    )


def filter_chain_matches(patch: Patch, listener: Any, chain: Any) -> bool:
    """Whether a patch, which is about the listener, is about one of its filter chains."""
    match = patch.outline.match.listener
    if match is None:
        return True
    own = chain.filter_chain_match
    if is_virtual(listener.name) and match.port_number and own.destination_port.value != match.port_number:
        return False
    return match.filter_chain is None or _chain_matches(match.filter_chain, chain.name, own)


def _chain_matches(match: FilterChainMatch, name: str, own: Any) -> bool:
    if match.name and match.name != name:
        return False
    if match.sni and match.sni not in own.server_names:
        return False
    if match.transport_protocol and match.transport_protocol != own.transport_protocol:
        return False
    if match.destination_port and match.destination_port != own.destination_port.value:
        return False
    wanted = match.application_protocols.split(",") if match.application_protocols else []
    return all(protocol.strip() in own.application_protocols for protocol in wanted)


def filter_named(patch: Patch) -> str | None:
    """The network filter that a patch names; None if it names none."""
    match = patch.outline.match.listener
    chain = match.filter_chain if match is not None else None
    return chain.filter.name if chain is not None and chain.filter is not None else None


def sub_filter_named(patch: Patch) -> str | None:
    """The HTTP filter that a patch names; None if it names none."""
    match = patch.outline.match.listener
    chain = match.filter_chain if match is not None else None
    inner = chain.filter.sub_filter if chain is not None and chain.filter is not None else None
    return inner.name if inner is not None else None


def listener_filter_named(patch: Patch) -> str | None:
    """The listener filter that a patch names; None if it names none."""
    match = patch.outline.match.listener
    return (match.listener_filter or None) if match is not None else None


# --- routes -------------------------------------------------------------------------------------------------------


class RouteIdentity(NamedTuple):
    """What a route configuration is for, as far as matches ask."""

    name: str
    ports: tuple[int, ...]
    """Of the service; of a gateway's server, as declared and as bound."""
    port_name: str = ""
    """Of a gateway's HTTPS server."""
    gateway: str = ""
    """`namespace/name` of the Gateway of an HTTPS server."""


def sidecar_route(name: str) -> RouteIdentity:
    """The identity of a sidecar's route configuration, whose name tells the port: `80`, `host:80`, `inbound|80||`."""
    if name.startswith("inbound|"):
        return RouteIdentity(name, (_cluster_parts(name)[1],))
    port = name.rpartition(":")[2]
    return RouteIdentity(name, (int(port),) if port.isascii() and port.isdigit() else ())


def route_configuration_matches(match: RouteConfigurationMatch | None, route: RouteIdentity) -> bool:
    if match is None:
        return True
    return (
        match.name in ("", route.name)
        and (not match.port_number or match.port_number in route.ports)
        and match.port_name in ("", route.port_name)
        and match.gateway in ("", route.gateway)
    )


def virtual_host_matches(match: RouteConfigurationMatch | None, virtual_host: Any) -> bool:
    wanted = match.vhost if match is not None else None
    if wanted is None:
        return True
    if wanted.name and wanted.name != virtual_host.name:
        return False
    return not wanted.domain_name or wanted.domain_name in virtual_host.domains


def names_a_route(match: RouteConfigurationMatch | None) -> bool:
    return match is not None and match.vhost is not None and match.vhost.route is not None


def route_matches(match: RouteConfigurationMatch | None, route: Any) -> bool:
    """Whether a match, which is about the virtual host, is about one of its routes."""
    wanted = match.vhost.route if match is not None and match.vhost is not None else None
    if wanted is None:
        return True
    if wanted.name and wanted.name != route.name:
        return False
    return wanted.action is RouteAction.ANY or wanted.action is _ACTIONS.get(route.WhichOneof("action"))
