"""The names that Envoys, dashboards and EnvoyFilters rely on (Istio's forms)."""

from __future__ import annotations

PASSTHROUGH_CLUSTER = "PassthroughCluster"
BLACK_HOLE_CLUSTER = "BlackHoleCluster"
INBOUND_PASSTHROUGH_CLUSTER = "InboundPassthroughCluster"
VIRTUAL_OUTBOUND = "virtualOutbound"
VIRTUAL_INBOUND = "virtualInbound"
BLOCK_ALL = "block_all"
ALLOW_ANY = "allow_any"


def outbound_cluster(port: int, subset: str, hostname: str) -> str:
    return f"outbound|{port}|{subset}|{hostname}"


def sni_dnat_cluster(port: int, subset: str, hostname: str) -> str:
    return f"outbound_.{port}_.{subset}_.{hostname}"


def inbound_cluster(port: int) -> str:
    return f"inbound|{port}||"


def gateway_route(port: int) -> str:
    return f"http.{port}"
