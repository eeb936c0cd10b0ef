"""Findings on Kubernetes Services: annotations and labels that ask the mesh for what it cannot do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lateen.api.kubernetes.service import NETWORK_LABEL, Service
from lateen.api.networking.export_to import export_faults
from lateen.api.objects import Key
from lateen.api.schema.fault import Fault, warning
from lateen.api.schema.hostnames import wrong_address
from lateen.engine import Reader, query
from lateen.model import hosts
from lateen.model.inputs import DOMAIN, SERVICES
from lateen.model.kubernetes_services import (
    EXPORT_TO_ANNOTATION,
    TRAFFIC_DISTRIBUTION_ANNOTATION,
    export_to,
    traffic_distribution,
)
from lateen.model.networks import external_addresses
from lateen.model.resolved_names import addresses_of
from lateen.model.service import Resolution, ServiceKey
from lateen.model.services import service, unaliased

_SESSION_LABELS: Final = ("istio.io/persistent-session", "istio.io/persistent-session-header")


@query
def service_findings(db: Reader, key: Key) -> tuple[Fault, ...]:
    """What of a Service has no effect; Kubernetes itself has accepted it."""
    found = SERVICES.get(db, key)
    if found is None:
        return ()
    return (*_annotations(found), *_sessions(found), *_gateway(db, found), *_alias(db, key, found))


def _annotations(found: Service) -> Iterator[Fault]:
    annotations, namespace = found.metadata.annotations, found.metadata.namespace
    for fault in export_faults("", namespace, export_to(annotations, ()), none_allowed=True):
        yield warning(f"metadata.annotations[{EXPORT_TO_ANNOTATION}]", fault.message)
    declared = annotations.get(TRAFFIC_DISTRIBUTION_ANNOTATION, "")
    if declared and not traffic_distribution(None, annotations):
        path = f"metadata.annotations[{TRAFFIC_DISTRIBUTION_ANNOTATION}]"
        yield warning(path, f"must be PreferClose, PreferSameZone or PreferSameNode, not {declared!r}")
    elif declared and found.spec.traffic_distribution:
        path = f"metadata.annotations[{TRAFFIC_DISTRIBUTION_ANNOTATION}]"
        yield warning(path, "has no effect: spec.trafficDistribution is set")


def _sessions(found: Service) -> Iterator[Fault]:
    for label in _SESSION_LABELS:
        if found.metadata.labels.get(label):
            message = "not supported yet by this version: requests of a session go to any endpoint"
            yield warning(f"metadata.labels[{label}]", message)


def _gateway(db: Reader, found: Service) -> Iterator[Fault]:
    """Of gateways between networks."""
    if not found.metadata.labels.get(NETWORK_LABEL):
        return
    addresses = external_addresses(found)
    if not addresses:
        yield warning(f"metadata.labels[{NETWORK_LABEL}]", "has no effect yet: the Service has no external address")
    for name in addresses:
        if wrong_address(name) and not addresses_of(db, name):
            yield warning("status.loadBalancer", f"{name!r} is left out: the control plane cannot resolve it")


def _alias(db: Reader, key: Key, found: Service) -> Iterator[Fault]:
    """Of an ExternalName that leads back to itself."""
    host = hosts.kubernetes_host(key.name, key.namespace, DOMAIN.get(db))
    made = service(db, ServiceKey(host, key.namespace))
    if made is not None and made.resolution is Resolution.ALIAS and unaliased(db, host) == host:
        yield warning("spec.externalName", f"leads back to this Service: {found.spec.external_name!r}")
