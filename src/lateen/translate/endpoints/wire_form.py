"""Load assignments on the wire (envoy.config.endpoint.v3), joined from prepared bytes rather than built as messages."""

from __future__ import annotations

from collections.abc import Iterable

from lateen.model.endpoint import Endpoint, Health, Locality
from lateen.model.workload_names import canonical_name, canonical_revision
from lateen.translate.endpoints.groups import Group
from lateen.translate.wire import embedded, text, unsigned

# Numbers of fields. ClusterLoadAssignment: cluster_name 1, endpoints 2. LocalityLbEndpoints: locality 1,
# lb_endpoints 2, load_balancing_weight 3, priority 5. LbEndpoint: endpoint 1, health_status 2, metadata 3,
# load_balancing_weight 4. Endpoint: address 1, additional_addresses 4. Address: socket_address 1, pipe 2.

_UNIX = "unix://"
_HEALTH = {
    # envoy.config.core.v3.HealthStatus
    Health.HEALTHY: b"",
    Health.UNHEALTHY: unsigned(2, 2),
    Health.DRAINING: unsigned(2, 3),
}


def _struct(name: str, field: str, value: str) -> bytes:
    """An entry of `filter_metadata`: a Struct with one text."""
    fields = embedded(1, text(1, field) + embedded(2, embedded(3, value.encode())))
    return embedded(1, text(1, name) + embedded(2, fields))


_MUTUAL_TLS = _struct("envoy.transport_socket_match", "tlsMode", "istio")


def assignment(name: str, groups: Iterable[Group]) -> bytes:
    """A serialised ClusterLoadAssignment."""
    described: dict[tuple[object, ...], bytes] = {}
    return text(1, name) + b"".join(embedded(2, _group(group, described)) for group in groups)


def _group(group: Group, described: dict[tuple[object, ...], bytes]) -> bytes:
    parts = [embedded(1, _locality(group.locality))] if any(group.locality) else []
    parts.extend(embedded(2, _member(member.endpoint, member.weight, described)) for member in group.members)
    parts.append(embedded(3, unsigned(1, group.weight)))
    parts.append(unsigned(5, group.priority))
    return b"".join(parts)


def _locality(locality: Locality) -> bytes:
    return text(1, locality.region) + text(2, locality.zone) + text(3, locality.subzone)


def _member(endpoint: Endpoint, weight: int, described: dict[tuple[object, ...], bytes]) -> bytes:
    """A serialised LbEndpoint. What its workload has in common with others is made once."""
    slot = (endpoint.labels, endpoint.workload, endpoint.namespace, endpoint.cluster_id, endpoint.mutual_tls)
    metadata = described.get(slot)
    if metadata is None:
        metadata = described[slot] = embedded(3, _metadata(endpoint))
    where = embedded(1, address(endpoint.address, endpoint.port))
    for other in endpoint.additional_addresses:
        where += embedded(4, embedded(1, address(other, endpoint.port)))
    return embedded(1, where) + _HEALTH[endpoint.health] + metadata + embedded(4, unsigned(1, weight))


def address(text_form: str, port: int) -> bytes:
    """A serialised core.v3.Address: of an IP address or name with a port, or of a unix domain socket."""
    if text_form.startswith(_UNIX):
        return embedded(2, text(1, text_form.removeprefix(_UNIX)))
    return embedded(1, text(2, text_form) + unsigned(3, port))


def _metadata(endpoint: Endpoint) -> bytes:
    tls = _MUTUAL_TLS if endpoint.mutual_tls else b""
    return tls + _struct("istio", "workload", workload_text(endpoint))


def workload_text(endpoint: Endpoint) -> str:
    """`name;namespace;canonical name;canonical revision;cluster`: what telemetry says of the endpoint."""
    if not endpoint.workload and not endpoint.labels:
        return f";{endpoint.namespace};;;{endpoint.cluster_id}"
    labels = dict(endpoint.labels)
    name, revision = canonical_name(labels, endpoint.workload), canonical_revision(labels)
    return f"{endpoint.workload};{endpoint.namespace};{name};{revision};{endpoint.cluster_id}"
