"""Which table holds the objects of which kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from lateen.api.kind import Kind
from lateen.api.kinds import KINDS
from lateen.api.objects import Key
from lateen.engine import Table
from lateen.model import inputs

_NAMED: Final[Mapping[str, Table[Key, Any]]] = {
    "AuthorizationPolicy": inputs.AUTHORIZATION_POLICIES,
    "ConfigMap": inputs.CONFIG_MAPS,
    "DestinationRule": inputs.DESTINATION_RULES,
    "EndpointSlice": inputs.ENDPOINT_SLICES,
    "EnvoyFilter": inputs.ENVOY_FILTERS,
    "Gateway": inputs.GATEWAYS,
    "Namespace": inputs.NAMESPACES,
    "Node": inputs.NODES,
    "PeerAuthentication": inputs.PEER_AUTHENTICATIONS,
    "Pod": inputs.PODS,
    "ProxyConfig": inputs.PROXY_CONFIGS,
    "RequestAuthentication": inputs.REQUEST_AUTHENTICATIONS,
    "Secret": inputs.SECRETS,
    "Service": inputs.SERVICES,
    "ServiceEntry": inputs.SERVICE_ENTRIES,
    "Sidecar": inputs.SIDECARS,
    "Telemetry": inputs.TELEMETRIES,
    "TrafficExtension": inputs.TRAFFIC_EXTENSIONS,
    "VirtualService": inputs.VIRTUAL_SERVICES,
    "WasmPlugin": inputs.WASM_PLUGINS,
    "WorkloadEntry": inputs.WORKLOAD_ENTRIES,
    "WorkloadGroup": inputs.WORKLOAD_GROUPS,
}

TABLES: Final[Mapping[Kind, Table[Key, Any]]] = {kind: _NAMED[kind.kind] for kind in KINDS if kind.kind in _NAMED}
"""Kinds that are absent are known (their manifests can be completed and validated), but no query reads them."""
