"""Findings on Gateways: servers that nobody serves, and why."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from lateen.api.networking.gateway import TLSmode
from lateen.api.objects import Key
from lateen.api.schema.fault import Fault, Severity, warning
from lateen.engine import Reader, query
from lateen.model.credentials import OF_CONFIG, OF_PROXY, authorities, credential, wrong_scheme
from lateen.model.fault import ConfigError
from lateen.model.gateway_ports import port_mapping
from lateen.model.gateways import (
    FILE_CERTIFICATE,
    FILE_ROOTS,
    GatewayServer,
    authorities_resource,
    certificate_resources,
    merged_gateways,
    selected_gateways,
)
from lateen.model.inputs import CLUSTER_ID, GATEWAYS, PODS, SCOPE_GATEWAYS_TO_NAMESPACE
from lateen.model.proxy import Labels
from lateen.model.selecting_labels import gateway_labels, projected
from lateen.model.virtual_services import virtual_services_of_gateway
from lateen.model.workloads import selector_labels

_NOT_FOUND = "IST0101"
_CONFLICT = "IST0145"
_PORT_NOT_DEFINED = "IST0162"

Place = tuple[str, str, Labels]
"""Namespace, cluster and labels of pods that Gateways cannot tell apart."""


@query
def gateway_findings(db: Reader, key: Key) -> tuple[Fault, ...]:
    """What keeps the servers of a Gateway from being served."""
    gateway = GATEWAYS.get(db, key)
    if gateway is None:
        return ()
    scoped = SCOPE_GATEWAYS_TO_NAMESPACE.get(db)
    selector = gateway.spec.selector.items()
    places = [
        place
        for place in pod_places(db)
        if selector <= dict(place[2]).items() and (not scoped or place[0] == key.namespace)
    ]
    if not places:
        labels = ", ".join(f"{name}={value}" for name, value in sorted(selector))
        where = f"in namespace {key.namespace}" if scoped else "in any namespace"
        return (_coded(_NOT_FOUND, "spec.selector", f"no pod {where} has the labels {labels}: nobody serves this"),)
    found: dict[Fault, None] = {}
    for place in places:
        found.update(dict.fromkeys(_at(db, key, place)))
    return tuple(sorted(found, key=lambda fault: (fault.path, fault.message)))


@query
def pod_places(db: Reader) -> tuple[Place, ...]:
    """The pods of the mesh, as far as Gateways and the Services before them tell them apart, sorted."""
    namespaces = sorted({key.namespace for key in PODS.keys(db)})
    return tuple(place for namespace in namespaces for place in pod_places_in(db, namespace))


@query
def pod_places_in(db: Reader, namespace: str) -> tuple[Place, ...]:
    """The same of one namespace. Stays the same while pods come and go that are like others."""
    names = gateway_labels(db), selector_labels(db, namespace)
    found = set()
    for key in PODS.where(db, "namespace", namespace):
        pod = PODS.get(db, key)
        if pod is not None:
            labels = projected(tuple(sorted(pod.metadata.labels.items())), *names)
            found.add((namespace, key.cluster, labels))
    return tuple(sorted(found))


def _at(db: Reader, key: Key, place: Place) -> Iterator[Fault]:
    """What is wrong where these pods serve the Gateway."""
    namespace, cluster, labels = place
    mapping = port_mapping(db, namespace, labels, cluster or CLUSTER_ID.get(db))
    merged = merged_gateways(db, selected_gateways(db, namespace, labels), mapping)
    for conflict in merged.conflicts:
        if conflict.gateway == key:
            path = f"spec.servers[{conflict.index}].{conflict.path}"
            yield Fault(path, f"is not served: {conflict.message}", code=_CONFLICT)
    for server in (each for port in merged.ports for each in port.servers):
        if server.gateway != key:
            continue
        path = f"spec.servers[{server.index}]"
        # The pods' own port is meant, too: Istio's samples name it.
        if mapping.pairs and not server.bind and not any(server.number in pair for pair in mapping.pairs):
            message = f"no Service before the gateway in namespace {namespace} has the port {server.number}"
            yield _coded(_PORT_NOT_DEFINED, f"{path}.port.number", message)
        yield from _credentials(db, server, namespace, cluster, path)
        yield from _unrouted(db, server, namespace, path)


def _credentials(db: Reader, server: GatewayServer, namespace: str, cluster: str, path: str) -> Iterator[Fault]:
    tls = server.tls
    if tls is None or not server.terminates_tls or tls.mode is TLSmode.ISTIO_MUTUAL:
        return
    field = "credentialNames" if tls.credential_names else "credentialName"
    wanted: list[tuple[str, str, Callable[[Reader, Key], object]]] = [
        (field, name, credential) for name in certificate_resources(tls)
    ]
    roots = authorities_resource(tls)
    if roots and not tls.ca_certificates:
        field = "caCertCredentialName" if tls.ca_cert_credential_name else field
        wanted.append((field, roots, authorities))
    for field, name, check in wanted:
        secret = _secret(name, namespace, cluster)
        if secret is None:
            if not name.startswith((FILE_CERTIFICATE, FILE_ROOTS)):
                yield warning(f"{path}.tls.{field}", f"is not served: {wrong_scheme(name)}")
            continue
        try:
            check(db, secret)
        except ConfigError as wrong:
            yield Fault(f"{path}.tls.{field}", f"is not served: {wrong}", code=_NOT_FOUND)


def _secret(name: str, namespace: str, cluster: str) -> Key | None:
    """The Secret that a credential of a gateway in a namespace stands for; None if it is not one."""
    for scheme, of_cluster in ((OF_PROXY, cluster), (OF_CONFIG, "")):
        if name.startswith(scheme):
            where, _, short = name.removeprefix(scheme).rpartition("/")
            return Key(where or namespace, short, of_cluster)
    return None


def _unrouted(db: Reader, server: GatewayServer, namespace: str, path: str) -> Iterator[Fault]:
    """Byte streams that go nowhere. HTTP without routes is answered (404), so that it is found out soon."""
    tls = server.tls
    if server.is_http or server.is_https or (tls is not None and tls.mode is TLSmode.AUTO_PASSTHROUGH):
        return
    passes = tls is not None and not server.terminates_tls
    bound = virtual_services_of_gateway(db, f"{server.gateway.namespace}/{server.gateway.name}", namespace)
    if not any(one.has_tls if passes else one.has_tcp for one in bound):
        kind = "tls" if passes else "tcp"
        yield warning(path, f"goes nowhere: no VirtualService with `{kind}` routes is bound to this Gateway")


def _coded(code: str, path: str, message: str) -> Fault:
    """A warning with the code of Istio's analyzer."""
    return Fault(path, message, Severity.WARNING, code)
