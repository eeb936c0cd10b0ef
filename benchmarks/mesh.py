"""A mesh of a chosen size, as the manifests its owners would have written. The same size gives the same mesh."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

CREATED = "2026-01-01T00:00:00Z"


@dataclass(frozen=True, slots=True)
class Size:
    services: int
    endpoints: int = 10
    """Per service."""
    namespaces: int = 50
    virtual_services: int | None = None
    """Default: one per service."""
    destination_rules: int | None = None
    """Default: one per service."""


def namespace_of(size: Size, number: int) -> str:
    return f"ns-{number % size.namespaces:02}"


def service_name(number: int) -> str:
    return f"svc-{number:04}"


def hostname(size: Size, number: int) -> str:
    return f"{service_name(number)}.{namespace_of(size, number)}.svc.cluster.local"


def address(number: int, endpoint: int) -> str:
    flat = number * 64 + endpoint
    return f"10.{64 + (flat >> 16)}.{flat >> 8 & 255}.{flat & 255}"


def objects(size: Size) -> Iterator[dict[str, Any]]:
    """Namespaces, Services, Pods, EndpointSlices, DestinationRules and VirtualServices.

    Of the services one in five also speaks gRPC, one in ten TCP beside HTTP; every service has two versions. Of the
    VirtualServices a third splits weights, a third matches headers, a third sets retries and timeouts.
    """
    for number in range(size.namespaces):
        yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"ns-{number:02}"}}
    for number in range(size.services):
        yield service(size, number)
        for endpoint in range(size.endpoints):
            yield pod(size, number, endpoint)
        yield endpoint_slice(size, number)
    rules = size.services if size.destination_rules is None else size.destination_rules
    for number in range(rules):
        yield destination_rule(size, number % size.services, number // size.services)
    routes = size.services if size.virtual_services is None else size.virtual_services
    for number in range(routes):
        yield virtual_service(size, number % size.services, number // size.services)


def _metadata(size: Size, number: int, name: str, **labels: str) -> dict[str, Any]:
    return {
        "name": name,
        "namespace": namespace_of(size, number),
        "labels": labels,
        "creationTimestamp": CREATED,
        "resourceVersion": str(number + 1),
        "uid": f"{name}-uid",
    }


def _ports(number: int) -> list[dict[str, Any]]:
    ports: list[dict[str, Any]] = [{"name": "http", "port": 80, "targetPort": 8080, "protocol": "TCP"}]
    if number % 5 == 0:
        ports.append({"name": "grpc", "port": 9090, "targetPort": 9090, "protocol": "TCP"})
    if number % 10 == 0:
        ports.append({"name": "tcp-data", "port": 7000, "targetPort": 7000, "protocol": "TCP"})
    return ports


def service(size: Size, number: int) -> dict[str, Any]:
    name = service_name(number)
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _metadata(size, number, name, app=name),
        "spec": {
            "clusterIP": f"10.{96 + (number >> 16)}.{number >> 8 & 255}.{number & 255}",
            "clusterIPs": [f"10.{96 + (number >> 16)}.{number >> 8 & 255}.{number & 255}"],
            "selector": {"app": name},
            "ports": _ports(number),
            "type": "ClusterIP",
        },
    }


def pod(size: Size, number: int, endpoint: int) -> dict[str, Any]:
    name = service_name(number)
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": _metadata(
            size,
            number,
            f"{name}-{endpoint:03}",
            app=name,
            version=f"v{endpoint % 2 + 1}",
            **{"security.istio.io/tlsMode": "istio", "pod-template-hash": "7d9c5b8f6d"},
        ),
        "spec": {
            "serviceAccountName": name,
            "nodeName": f"node-{endpoint % 10}",
            "containers": [{"name": "app", "image": "app", "ports": [{"containerPort": 8080}]}],
        },
        "status": {
            "phase": "Running",
            "podIP": address(number, endpoint),
            "podIPs": [{"ip": address(number, endpoint)}],
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    }


def endpoint_slice(size: Size, number: int, *, without: int = 0) -> dict[str, Any]:
    """`without`: how many of the endpoints are missing (for measuring changes)."""
    name = service_name(number)
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": _metadata(size, number, f"{name}-x", **{"kubernetes.io/service-name": name}),
        "addressType": "IPv4",
        "ports": [{"name": p["name"], "port": p["targetPort"], "protocol": "TCP"} for p in _ports(number)],
        "endpoints": [
            {
                "addresses": [address(number, endpoint)],
                "conditions": {"ready": True, "serving": True, "terminating": False},
                "nodeName": f"node-{endpoint % 10}",
                "zone": f"zone-{endpoint % 3}",
                "targetRef": {
                    "kind": "Pod",
                    "name": f"{name}-{endpoint:03}",
                    "namespace": namespace_of(size, number),
                },
            }
            for endpoint in range(size.endpoints - without)
        ],
    }


def destination_rule(size: Size, number: int, copy: int = 0) -> dict[str, Any]:
    name = service_name(number)
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "DestinationRule",
        "metadata": _metadata(size, number, f"{name}-{copy}" if copy else name),
        "spec": {
            "host": hostname(size, number),
            "trafficPolicy": {
                "loadBalancer": {"simple": "LEAST_REQUEST"},
                "connectionPool": {"tcp": {"maxConnections": 100}, "http": {"http2MaxRequests": 1000}},
            },
            "subsets": [
                {"name": "v1", "labels": {"version": "v1"}},
                {"name": "v2", "labels": {"version": "v2"}, "trafficPolicy": {"loadBalancer": {"simple": "RANDOM"}}},
            ],
        },
    }


def virtual_service(size: Size, number: int, copy: int = 0, *, weight: int = 90) -> dict[str, Any]:
    """`weight`: of version v1 in those that split (for measuring changes)."""
    name, host = service_name(number), hostname(size, number)
    v1 = {"host": host, "subset": "v1"}
    v2 = {"host": host, "subset": "v2"}
    split = [{"destination": v1, "weight": weight}, {"destination": v2, "weight": 100 - weight}]
    match number % 3:
        case 0:
            http: list[dict[str, Any]] = [{"route": split}]
        case 1:
            http = [
                {"match": [{"headers": {"end-user": {"exact": "jason"}}}], "route": [{"destination": v2}]},
                {"route": split},
            ]
        case _:
            http = [
                {
                    "match": [{"uri": {"prefix": "/api"}}],
                    "timeout": "5s",
                    "retries": {"attempts": 3, "perTryTimeout": "2s", "retryOn": "5xx"},
                    "route": split,
                },
                {"route": [{"destination": v1}]},
            ]
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": _metadata(size, number, f"{name}-{copy}" if copy else name),
        "spec": {"hosts": [host], "http": http},
    }
