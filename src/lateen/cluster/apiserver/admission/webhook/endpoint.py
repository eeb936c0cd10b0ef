"""Finds a ready endpoint of a Service: the API server is on the host, where no Service address works.

Source of the messages: kubernetes apiserver/pkg/util/proxy (`ResolveEndpoint`).
"""

from __future__ import annotations

import random

from lateen.cluster.apiserver.store.store import Store
from lateen.cluster.objects import Key, Obj, labels_of


class NoEndpointError(Exception):
    """A Service that leads nowhere."""


def resolve(store: Store, namespace: str, service: str, port: int) -> tuple[str, int]:
    """Address and port of one ready endpoint, by chance. Raises NoEndpointError."""
    found = store.get(("", "services"), Key(namespace, service))
    if found is None:
        raise NoEndpointError(f'service "{service}" not found')
    spec = found.get("spec") or {}
    if spec.get("type") == "ExternalName":
        raise NoEndpointError(f'unsupported service type "ExternalName" of service "{service}"')
    service_port = next((p for p in spec.get("ports") or () if p.get("port") == port), None)
    if service_port is None:
        raise NoEndpointError(f'no service port {port} found for service "{service}"')
    candidates = [
        (address, number)
        for endpoint_slice in store.list(("discovery.k8s.io", "endpointslices"), namespace).items
        if labels_of(endpoint_slice).get("kubernetes.io/service-name") == service
        for number in _ports(endpoint_slice, service_port.get("name") or "")
        for endpoint in endpoint_slice.get("endpoints") or ()
        if (endpoint.get("conditions") or {}).get("ready") is not False
        for address in endpoint.get("addresses") or ()
    ]
    if not candidates:
        raise NoEndpointError(f'no endpoints available for service "{service}"')
    return random.choice(candidates)


def _ports(endpoint_slice: Obj, name: str) -> list[int]:
    return [
        int(p["port"]) for p in endpoint_slice.get("ports") or () if (p.get("name") or "") == name and p.get("port")
    ]
