"""Load assignments on the wire (envoy.config.endpoint.v3), joined from prepared bytes rather than built as messages."""

from __future__ import annotations

from collections.abc import Iterable

from lateen.model.endpoint import Endpoint, Health, Locality
from lateen.model.workload_names import canonical_name, canonical_revision
from lateen.translate.endpoints.groups import Group
from lateen.translate.wire import embedded, text, unsigned, varint

# Numbers of fields. ClusterLoadAssignment: cluster_name 1, endpoints 2. LocalityLbEndpoints: locality 1,
# lb_endpoints 2, load_balancing_weight 3, priority 5. LbEndpoint: endpoint 1, health_status 2, metadata 3,
# load_balancing_weight 4. Endpoint: address 1, additional_addresses 4. Address: socket_address 1, pipe 2.

_UNIX = "unix://"
_SHORT = 64
"""Characters of an address (ASCII, as host names are) up to which every message around it is below 128 bytes."""
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


Alike = dict[tuple[object, ...], bytes]
"""What comes after the address of an endpoint, by all that it depends on: replicas of a workload have it in common."""


def assignment(name: str, groups: Iterable[Group]) -> bytes:
    """A serialised ClusterLoadAssignment."""
    alike: Alike = {}
    return text(1, name) + b"".join(embedded(2, _group(group, alike)) for group in groups)


def _group(group: Group, alike: Alike) -> bytes:
    parts = [embedded(1, _locality(group.locality))] if any(group.locality) else []
    for endpoint, weight in group.members:
        member = _where(endpoint) + _rest(endpoint, weight, alike)
        parts.append(b"\x12" + varint(len(member)) + member)
    parts.append(embedded(3, unsigned(1, group.weight)))
    parts.append(unsigned(5, group.priority))
    return b"".join(parts)


def _locality(locality: Locality) -> bytes:
    return text(1, locality.region) + text(2, locality.zone) + text(3, locality.subzone)


def _where(endpoint: Endpoint) -> bytes:
    """LbEndpoint.endpoint."""
    if endpoint.additional_addresses or len(endpoint.address) > _SHORT or endpoint.address.startswith(_UNIX):
        others = (embedded(4, embedded(1, address(each, endpoint.port))) for each in endpoint.additional_addresses)
        return embedded(1, embedded(1, address(endpoint.address, endpoint.port)) + b"".join(others))
    # The same for nearly all endpoints, in one step: three messages around an address and a port whose sizes fit into
    # a byte each.
    raw = endpoint.address.encode()
    port = varint(endpoint.port)
    size = len(raw) + len(port) + 3
    return b"\n%c\n%c\n%c\x12%c%b\x18%b" % (size + 4, size + 2, size, len(raw), raw, port)


def _rest(endpoint: Endpoint, weight: int, alike: Alike) -> bytes:
    """The other fields of LbEndpoint."""
    slot = (
        endpoint.labels,
        endpoint.workload,
        endpoint.namespace,
        endpoint.cluster_id,
        endpoint.mutual_tls,
        endpoint.health,
        weight,
    )
    found = alike.get(slot)
    if found is None:
        found = alike[slot] = (
            _HEALTH[endpoint.health] + embedded(3, _metadata(endpoint)) + embedded(4, unsigned(1, weight))
        )
    return found


def address(text_form: str, port: int) -> bytes:
    """A serialised core.v3.Address: of an IP address or name with a port, or of a unix domain socket."""
    if text_form.startswith(_UNIX):
        return embedded(2, text(1, text_form.removeprefix(_UNIX)))
    return embedded(1, text(2, text_form) + b"\x18" + varint(port))


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
