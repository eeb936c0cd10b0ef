"""The mesh as the control plane knows it: services, endpoints, and the resources that are in force."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from lateen.api.schema.encode import encode
from lateen.engine import Engine, QueryError, Reader, query
from lateen.model.endpoint import Endpoint
from lateen.model.endpoints import endpoints_by_port
from lateen.model.inputs import CLUSTER_ID
from lateen.model.service import Resolution, Service, ServicePort
from lateen.model.services import service, service_keys
from lateen.model.tables import TABLES

_RESOLUTIONS = {
    Resolution.EDS: 0,
    Resolution.DNS: 1,
    Resolution.DNS_ROUND_ROBIN: 2,
    Resolution.PASSTHROUGH: 3,
    Resolution.ALIAS: 4,
    Resolution.DYNAMIC_DNS: 5,
}
"""As Istio numbers them."""


def registryz(engine: Engine) -> list[dict[str, Any]]:
    """/debug/registryz: every service, as Istio's model.Service."""
    cluster = engine.get(_cluster)
    return [_service(found, cluster) for found in _services(engine)]


def endpointz(engine: Engine) -> list[dict[str, Any]]:
    """/debug/endpointz: the endpoints of each port of each service, as Istio's model.ServiceInstance."""
    shown = []
    cluster = engine.get(_cluster)
    for found in _services(engine):
        for port in found.ports:
            listed: list[dict[str, Any]] = []
            entry: dict[str, Any] = {"svc": f"{found.hostname}:{port.name}", "ep": listed}
            try:
                each = engine.get(endpoints_by_port, found.key).get(port.port, ())
            except QueryError as error:
                entry["error"] = str(error)
                each = ()
            listed.extend(
                {"service": _service(found, cluster), "servicePort": _port(port), "endpoint": _endpoint(e)}
                for e in each
            )
            shown.append(entry)
    return shown


def configz(engine: Engine) -> list[dict[str, Any]]:
    """/debug/configz: the mesh's own resources that are in force, as Kubernetes objects."""
    return [
        {
            "kind": kind.kind,
            "apiVersion": f"{kind.group}/{kind.storage}",
            "metadata": msgspec.to_builtins(value.metadata),
            "spec": encode(value.spec),
        }
        for kind, table in sorted(TABLES.items(), key=lambda item: (item[0].group, item[0].kind))
        if kind.is_mesh
        for _, value in sorted(engine.data(table).values.items())
    ]


def _services(engine: Engine) -> Iterator[Service]:
    """Those that can be made; what is wrong with the others is in /debug/push_status."""
    for key in engine.get(service_keys):
        try:
            found = engine.get(service, key)
        except QueryError:
            continue
        if found is not None:
            yield found


@query
def _cluster(db: Reader) -> str:
    return CLUSTER_ID.get(db)


def _service(service: Service, cluster: str) -> dict[str, Any]:
    """VIPs are by cluster; those that ServiceEntries declare have none."""
    addresses = service.cluster_addresses or (((cluster, service.addresses),) if service.is_kubernetes else ())
    automatic = {f"autoAllocatedIPv{6 if ':' in each else 4}Address": each for each in reversed(service.auto_addresses)}
    return {
        "Attributes": {
            "ServiceRegistry": "Kubernetes" if service.is_kubernetes else "External",
            "Name": service.name,
            "Namespace": service.namespace,
            "Labels": dict(service.labels),
            "LabelSelectors": dict(service.selector),
            "ExportTo": list(service.export_to),
        },
        "ports": [_port(port) for port in service.ports],
        "creationTime": service.created or None,
        "hostname": service.hostname,
        "clusterVIPs": {"Addresses": {name: list(each) for name, each in addresses if each}},
        "defaultAddress": next(iter(service.addresses), "0.0.0.0"),
        **automatic,
        "Resolution": _RESOLUTIONS[service.resolution],
        "MeshExternal": service.mesh_external,
    }


def _port(port: ServicePort) -> dict[str, Any]:
    return {"name": port.name, "port": port.port, "protocol": port.protocol.value}


def _endpoint(endpoint: Endpoint) -> dict[str, Any]:
    return {
        "Addresses": [endpoint.address, *endpoint.additional_addresses],
        "EndpointPort": endpoint.port,
        "ServicePortName": endpoint.port_name,
        "Labels": dict(endpoint.labels),
        "ServiceAccount": endpoint.identity,
        "Network": endpoint.network,
        "Locality": {"Label": str(endpoint.locality), "ClusterID": endpoint.cluster_id},
        "LbWeight": endpoint.weight,
        "TLSMode": "istio" if endpoint.mutual_tls else "disabled",
        "Namespace": endpoint.namespace,
        "WorkloadName": endpoint.workload,
        "HostName": endpoint.hostname,
        "NodeName": endpoint.node,
        "HealthStatus": endpoint.health.value,
    }
