"""`proxy-config listener`."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from lateen.inspection.dump import Dump
from lateen.inspection.routes import described_match
from lateen.inspection.table import NARROW, table

MESSAGE = "envoy.config.listener.v3.Listener"
HEADER = ("ADDRESSES", "PORT", "MATCH", "DESTINATION")
TERSE_HEADER = ("ADDRESSES", "PORT", "TYPE")

_HTTP: Final = ".HttpConnectionManager"
_TCP: Final = ".TcpProxy"
_BLACK_HOLE: Final = "BlackHoleCluster"
_PROTOCOLS: Final = {
    ("http/1.0", "http/1.1", "h2c", "istio-http/1.0", "istio-http/1.1", "istio-h2"): "App: HTTP TLS",
    ("istio", "istio-http/1.0", "istio-http/1.1", "istio-h2"): "App: Istio HTTP Plain",
    ("istio-peer-exchange", "istio"): "App: TCP TLS",
    ("http/1.0", "http/1.1", "h2c"): "App: HTTP",
}


class ListenerFilter(NamedTuple):
    """What is empty or 0 fits all."""

    address: str = ""
    port: int = 0
    type: str = ""
    """HTTP, TCP, HTTP+TCP or UNKNOWN, in letters of any size."""

    def fits(self, listener: dict[str, Any]) -> bool:
        return (
            (not self.address or self.address.lower() in (each.lower() for each in _addresses(listener)))
            and (not self.port or self.port == _port(listener))
            and (not self.type or self.type.upper() == kind(listener))
        )


def listeners(dump: Dump, wanted: ListenerFilter) -> list[dict[str, Any]]:
    """By port, address, type."""
    found = [each for each in dump.listeners() if wanted.fits(each)]
    return sorted(found, key=lambda each: (_port(each), _shown_addresses(each), kind(each)))


def kind(listener: dict[str, Any]) -> str:
    """HTTP, TCP, HTTP+TCP, or UNKNOWN."""
    seen = set()
    for chain in _chains(listener):
        for config in _configs(chain):
            type_ = str(config.get("@type", ""))
            if type_.endswith(_HTTP):
                seen.add("HTTP")
            elif type_.endswith(_TCP) and config.get("cluster") != _BLACK_HOLE:
                seen.add("TCP")
    return "+".join(sorted(seen)) or "UNKNOWN"


def rows(found: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    """One for each filter chain, by destination."""
    lines: list[tuple[str, ...]] = []
    for listener in found:
        matches = [(_match(chain.get("filter_chain_match") or {}), _destination(chain)) for chain in _chains(listener)]
        matches.sort(key=lambda match: match[1], reverse=True)
        lines += [(_shown_addresses(listener), str(_port(listener)), *match) for match in matches]
    return lines


def summary(found: list[dict[str, Any]], *, verbose: bool = True) -> str:
    if verbose:
        return table(HEADER, rows(found), NARROW)
    return table(TERSE_HEADER, [(_shown_addresses(each), str(_port(each)), kind(each)) for each in found], NARROW)


def _chains(listener: dict[str, Any]) -> list[dict[str, Any]]:
    default = listener.get("default_filter_chain")
    return [*(listener.get("filter_chains") or ()), *([default] if default else ())]


def _configs(chain: dict[str, Any]) -> list[dict[str, Any]]:
    return [filter_.get("typed_config") or {} for filter_ in chain.get("filters") or ()]


def _addresses(listener: dict[str, Any]) -> list[str]:
    found = [listener.get("address") or {}]
    found += [each.get("address") or {} for each in listener.get("additional_addresses") or ()]
    return [str(_socket(each).get("address", "")) for each in found]


def _shown_addresses(listener: dict[str, Any]) -> str:
    return ",".join(_addresses(listener))


def _port(listener: dict[str, Any]) -> int:
    return int(_socket(listener.get("address") or {}).get("port_value", 0))


def _socket(address: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = address.get("socket_address") or {}
    return found


def _match(match: dict[str, Any]) -> str:
    said = []
    if names := match.get("server_names"):
        said.append(f"SNI: {','.join(names)}")
    if transport := match.get("transport_protocol"):
        said.append(f"Trans: {transport}")
    if protocols := match.get("application_protocols"):
        said.append(_PROTOCOLS.get(tuple(protocols)) or f"App: {','.join(protocols)}")
    port = f":{match['destination_port']}" if "destination_port" in match else ""
    if ranges := match.get("prefix_ranges"):
        listed = ",".join(f"{each.get('address_prefix', '')}/{each.get('prefix_len', 0)}" for each in ranges)
        said.append(f"Addr: {listed}{port}")
    elif port:
        said.append(f"Addr: *{port}")
    return "; ".join(said) or "ALL"


def _destination(chain: dict[str, Any]) -> str:
    for config in _configs(chain):
        type_ = str(config.get("@type", ""))
        if type_.endswith(_HTTP):
            if "route_config" in config:
                return _inline(config["route_config"])
            name = (config.get("rds") or {}).get("route_config_name")
            return f"Route: {name}" if name else "HTTP"
        if type_.endswith(_TCP) and config.get("cluster") != _BLACK_HOLE:
            weighted = (config.get("weighted_clusters") or {}).get("clusters")
            if weighted:
                return f"Clusters: {', '.join(str(each.get('name', '')) for each in weighted)}"
            return _cluster(str(config.get("cluster", "")))
    return "Non-HTTP/Non-TCP"


def _cluster(name: str) -> str:
    """Those of no service say themselves what they are."""
    return name if "Cluster" in name else f"Cluster: {name}"


def _inline(config: dict[str, Any]) -> str:
    hosts = config.get("virtual_hosts") or []
    if len(hosts) == 1 and hosts[0].get("domains") == ["*"] and len(hosts[0].get("routes") or ()) == 1:
        (only,) = hosts[0]["routes"]
        target = (only.get("route") or {}).get("cluster")
        if target and (only.get("match") or {}).get("prefix") == "/":
            return _cluster(str(target))
    return "Inline Route: " + "; ".join(_host(each) for each in hosts)


def _host(host: dict[str, Any]) -> str:
    domains = "/".join(host.get("domains") or ())
    matches = ", ".join(described_match(each.get("match") or {}) for each in host.get("routes") or ())
    return matches if domains == "*" else f"{domains} {matches}"
