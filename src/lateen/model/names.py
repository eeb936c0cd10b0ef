"""The names that Envoys, dashboards and EnvoyFilters rely on (Istio's forms)."""

from __future__ import annotations

PASSTHROUGH_CLUSTER = "PassthroughCluster"
BLACK_HOLE_CLUSTER = "BlackHoleCluster"
INBOUND_PASSTHROUGH_CLUSTER = "InboundPassthroughCluster"
VIRTUAL_OUTBOUND = "virtualOutbound"
VIRTUAL_INBOUND = "virtualInbound"
BLOCK_ALL = "block_all"
ALLOW_ANY = "allow_any"
HTTP_PROXY_ROUTE = "http_proxy"
"""Of the generic HTTP proxy at loopback (MeshConfig.proxyHttpPort)."""


def outbound_cluster(port: int, subset: str, hostname: str) -> str:
    return f"outbound|{port}|{subset}|{hostname}"


def sni_dnat_cluster(port: int, subset: str, hostname: str) -> str:
    return f"outbound_.{port}_.{subset}_.{hostname}"


def inbound_cluster(port: int) -> str:
    return f"inbound|{port}||"


def outbound_route(port: int, bind: str = "") -> str:
    """Of all HTTP services on a port; of a unix domain socket (`unix://PATH`) where there is no port."""
    return str(port) if port else bind


def sniffed_route(hostname: str, port: int) -> str:
    """Of one service with a listener of its own, on a port that nobody declared."""
    return f"{hostname}:{port}"


def gateway_route(port: int, bind: str = "") -> str:
    """Of the plain text HTTP servers of a gateway that are bound to a port (and address, where one is given)."""
    return f"http.{port}.{bind}" if bind else f"http.{port}"


def gateway_tls_route(port: int, port_name: str, gateway: str, namespace: str, bind: str = "") -> str:
    """Of one HTTPS server that terminates TLS; `port` is the declared one."""
    name = f"https.{port}.{port_name}.{gateway}.{namespace}"
    return f"{name}.{bind}" if bind else name
