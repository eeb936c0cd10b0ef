"""Kubernetes Services as services of the mesh."""

from __future__ import annotations

from lateen.api.kubernetes.service import Service as KubernetesService
from lateen.api.kubernetes.service import ServicePort as KubernetesPort
from lateen.api.objects import Key, ObjectRef
from lateen.engine import Reader
from lateen.model import hosts
from lateen.model.identity import spiffe_id
from lateen.model.inputs import CLUSTER_ID, DOMAIN, SERVICES
from lateen.model.mesh import default_service_export, trust_domain
from lateen.model.protocol import Protocol
from lateen.model.protocol_selection import kubernetes_protocol
from lateen.model.service import Resolution, Service, ServiceKey, ServicePort

EXPORT_TO_ANNOTATION = "networking.istio.io/exportTo"
TRAFFIC_DISTRIBUTION_ANNOTATION = "networking.istio.io/trafficDistribution"
SERVICE_ACCOUNTS_ANNOTATION = "alpha.istio.io/kubernetes-serviceaccounts"
CANONICAL_ACCOUNTS_ANNOTATION = "alpha.istio.io/canonical-serviceaccounts"

_DISTRIBUTIONS = {
    "preferclose": "PreferSameZone",
    "prefersamezone": "PreferSameZone",
    "prefersamenode": "PreferSameNode",
}


def kubernetes_service(db: Reader, named: ServiceKey, name: str) -> Service | None:
    """The service that Services of this name make, those of all clusters together; None when there are none."""
    keys = SERVICES.where(db, "name", (named.namespace, name))
    declared = [(key, value) for key in keys if (value := SERVICES.get(db, key)) is not None]
    if not declared:
        return None
    every = [_converted(db, named, key, value) for key, value in declared]
    return every[0] if len(every) == 1 else _merged(db, every)


def kubernetes_keys(db: Reader) -> tuple[ServiceKey, ...]:
    """The keys of all services made from Services, sorted by cluster, namespace and name."""
    domain = DOMAIN.get(db)
    return tuple(
        ServiceKey(hosts.kubernetes_host(key.name, key.namespace, domain), key.namespace) for key in SERVICES.keys(db)
    )


def traffic_distribution(declared: str | None, annotations: dict[str, str]) -> str:
    """PreferSameZone, PreferSameNode or empty. The field decides over the annotation."""
    text = declared or annotations.get(TRAFFIC_DISTRIBUTION_ANNOTATION, "")
    return _DISTRIBUTIONS.get(text.lower(), "")


def export_to(annotations: dict[str, str], default: tuple[str, ...]) -> tuple[str, ...]:
    """Where the annotation exports a Service to."""
    declared = annotations.get(EXPORT_TO_ANNOTATION)
    return (_listed(declared) if declared else ()) or default


def _converted(db: Reader, named: ServiceKey, key: Key, value: KubernetesService) -> Service:
    metadata, spec = value.metadata, value.spec
    alias = spec.type == "ExternalName" and bool(spec.external_name)
    if alias:
        resolution = Resolution.ALIAS
    elif value.headless:
        resolution = Resolution.PASSTHROUGH
    else:
        resolution = Resolution.EDS
    return Service(
        key=named,
        name=metadata.name,
        source=ObjectRef("Service", key),
        ports=_ports(spec.ports),
        resolution=resolution,
        addresses=value.virtual_addresses,
        headless=value.headless and not alias,
        mesh_external=alias,
        export_to=export_to(metadata.annotations, default_service_export(db)),
        labels=tuple(sorted(metadata.labels.items())),
        selects=bool(spec.selector),
        selector=tuple(sorted(spec.selector.items())) if spec.selector else (),
        subject_alt_names=_accounts(db, metadata.namespace, metadata.annotations),
        external_name=spec.external_name if alias else "",
        node_local=spec.internal_traffic_policy == "Local",
        traffic_distribution=traffic_distribution(spec.traffic_distribution, metadata.annotations),
        publish_not_ready=spec.publish_not_ready_addresses,
        created=metadata.creation_timestamp or "",
    )


def _ports(declared: tuple[KubernetesPort, ...]) -> tuple[ServicePort, ...]:
    """In order, but for UDP ports, which come last: the mesh carries streams, and a number may be used by both."""
    ports = [_port(port) for port in declared]
    if any(port.protocol is Protocol.UDP for port in ports):
        ports.sort(key=lambda port: port.protocol is Protocol.UDP)
    return tuple(ports)


def _port(port: KubernetesPort) -> ServicePort:
    named = port.target_port if isinstance(port.target_port, str) else ""
    number = port.target_port if isinstance(port.target_port, int) else 0
    return ServicePort(
        name=port.name,
        port=port.port,
        protocol=kubernetes_protocol(port.port, port.name, port.protocol, port.app_protocol),
        target_port=0 if named else number or port.port,
        target_port_name=named,
    )


def _accounts(db: Reader, namespace: str, annotations: dict[str, str]) -> tuple[str, ...]:
    """Identities that a Service declares for workloads that are not pods."""
    if not annotations:
        return ()
    canonical = _listed(annotations.get(CANONICAL_ACCOUNTS_ANNOTATION, ""))
    accounts = _listed(annotations.get(SERVICE_ACCOUNTS_ANNOTATION, ""))
    if not canonical and not accounts:
        return ()
    trust = trust_domain(db)
    return tuple(sorted({*canonical, *(spiffe_id(trust, namespace, account) for account in accounts)}))


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _merged(db: Reader, every: list[Service]) -> Service:
    """One service over several clusters. The first (the control plane's own cluster, where it has one) decides what it
    is; ports that it lacks are added, identities are joined, and each cluster keeps its addresses."""
    first = every[0]
    own = CLUSTER_ID.get(db)
    ports = {
        (port.port, port.protocol is Protocol.UDP): port for service in reversed(every[1:]) for port in service.ports
    }
    ports |= {(port.port, port.protocol is Protocol.UDP): port for port in first.ports}
    known = {(port.port, port.protocol is Protocol.UDP) for port in first.ports}
    added = sorted((slot, port) for slot, port in ports.items() if slot not in known)
    return Service(
        key=first.key,
        name=first.name,
        source=first.source,
        ports=(*first.ports, *(port for _, port in added)),
        resolution=first.resolution,
        addresses=first.addresses,
        cluster_addresses=tuple((each.source.key.cluster or own, each.addresses) for each in every),
        headless=first.headless,
        mesh_external=first.mesh_external,
        export_to=first.export_to,
        labels=first.labels,
        selects=first.selects,
        selector=first.selector,
        subject_alt_names=tuple(sorted({name for each in every for name in each.subject_alt_names})),
        external_name=first.external_name,
        node_local=first.node_local,
        traffic_distribution=first.traffic_distribution,
        publish_not_ready=first.publish_not_ready,
        created=min(each.created for each in every),
    )
