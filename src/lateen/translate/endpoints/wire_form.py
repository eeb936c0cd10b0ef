"""Load assignments on the wire (envoy.config.endpoint.v3), joined from prepared bytes rather than built as messages."""

from __future__ import annotations

from collections.abc import Iterable

from lateen.model.endpoint import Endpoint, Health, Locality
from lateen.model.proxy import Labels
from lateen.model.workload_names import canonical_name, canonical_revision
from lateen.translate.endpoints.groups import Group, Weighted
from lateen.translate.wire import embedded, text, unsigned, varint

# Numbers of fields. ClusterLoadAssignment: cluster_name 1, endpoints 2. LocalityLbEndpoints: locality 1,
# lb_endpoints 2, load_balancing_weight 3, priority 5. LbEndpoint: endpoint 1, health_status 2, metadata 3,
# load_balancing_weight 4. Endpoint: address 1, additional_addresses 4. Address: socket_address 1, pipe 2.

_UNIX = "unix://"
_UNIX_BYTES = _UNIX.encode()
# Up to these the messages around them are below 128 bytes, the sizes of which take one byte each.
_SHORT_ADDRESS = 64
_SHORT_WORKLOAD = 100
_SHORT_WEIGHT = 127
_HEALTH = {
    # envoy.config.core.v3.HealthStatus
    Health.HEALTHY: b"",
    Health.UNHEALTHY: unsigned(2, 2),
    Health.DRAINING: unsigned(2, 3),
}


def _struct(name: str, field: str, value: bytes) -> bytes:
    """An entry of `filter_metadata`: a Struct with one text."""
    fields = embedded(1, text(1, field) + embedded(2, embedded(3, value)))
    return embedded(1, text(1, name) + embedded(2, fields))


_MUTUAL_TLS = _struct("envoy.transport_socket_match", "tlsMode", b"istio")


def assignment(name: str, groups: Iterable[Group[Weighted]]) -> bytes:
    """A serialised ClusterLoadAssignment."""
    names: CanonicalNames = {}
    return joined(name, (serialised(group, names) for group in groups))


def joined(name: str, groups: Iterable[Group[bytes]]) -> bytes:
    """A serialised ClusterLoadAssignment of endpoints that are serialised already."""
    return text(1, name) + b"".join([embedded(2, _group(group)) for group in groups])


CanonicalNames = dict[Labels, tuple[str, str]]
"""Canonical name, as far as labels say it, and revision by labels, which replicas have in common."""


def serialised(group: Group[Weighted], names: CanonicalNames) -> Group[bytes]:
    """A group of serialised endpoints."""
    members = tuple([member(endpoint, weight, names) for endpoint, weight in group.members])
    return Group(group.locality, group.priority, group.weight, members)


def _group(group: Group[bytes]) -> bytes:
    locality, priority, weight, members = group
    parts = [embedded(1, _locality(locality))] if any(locality) else []
    parts += members
    parts.append(embedded(3, unsigned(1, weight)))
    if priority:
        parts.append(unsigned(5, priority))
    return b"".join(parts)


def member(endpoint: Endpoint, weight: int, names: CanonicalNames) -> bytes:
    """A serialised LbEndpoint, as the field of LocalityLbEndpoints."""
    where = endpoint.address.encode()
    workload = workload_text(endpoint, names).encode()
    length, size = len(where), len(workload)
    if (
        length > _SHORT_ADDRESS
        or size > _SHORT_WORKLOAD
        or weight > _SHORT_WEIGHT
        or endpoint.additional_addresses
        or where.startswith(_UNIX_BYTES)
    ):
        return embedded(2, _long_member(endpoint, weight, workload))
    # The same as that for nearly all endpoints, in one step: messages within messages, of which all but the outermost
    # and the metadata are so short that their sizes fit into a byte.
    port = varint(endpoint.port)
    health = _HEALTH[endpoint.health]
    tls = _MUTUAL_TLS if endpoint.mutual_tls else b""
    length += len(port) + 3
    metadata = len(tls) + size + 27
    metadata_size = varint(metadata)
    return (
        b'\x12%b\n%c\n%c\n%c\x12%c%b\x18%b%b\x1a%b%b\n%c\n\x05istio\x12%c\n%c\n\x08workload\x12%c\x1a%c%b"\x02\x08%c'
        % (
            varint(length + len(health) + len(metadata_size) + metadata + 11),
            length + 4,
            length + 2,
            length,
            len(where),
            where,
            port,
            health,
            metadata_size,
            tls,
            size + 25,
            size + 16,
            size + 14,
            size + 2,
            size,
            workload,
            weight,
        )
    )


def _long_member(endpoint: Endpoint, weight: int, workload: bytes) -> bytes:
    """A serialised LbEndpoint of any size."""
    others = (embedded(4, embedded(1, address(each, endpoint.port))) for each in endpoint.additional_addresses)
    tls = _MUTUAL_TLS if endpoint.mutual_tls else b""
    return b"".join(
        (
            embedded(1, embedded(1, address(endpoint.address, endpoint.port)) + b"".join(others)),
            _HEALTH[endpoint.health],
            embedded(3, tls + _struct("istio", "workload", workload)),
            embedded(4, unsigned(1, weight)),
        )
    )


def _locality(locality: Locality) -> bytes:
    return text(1, locality.region) + text(2, locality.zone) + text(3, locality.subzone)


def address(text_form: str, port: int) -> bytes:
    """A serialised core.v3.Address: of an IP address or name with a port, or of a unix domain socket."""
    if text_form.startswith(_UNIX):
        return embedded(2, text(1, text_form.removeprefix(_UNIX)))
    return embedded(1, text(2, text_form) + b"\x18" + varint(port))


def workload_text(endpoint: Endpoint, names: CanonicalNames) -> str:
    """`name;namespace;canonical name;canonical revision;cluster`: what telemetry says of the endpoint."""
    labels = endpoint.labels
    if not endpoint.workload and not labels:
        return f";{endpoint.namespace};;;{endpoint.cluster_id}"
    found = names.get(labels)
    if found is None:
        by_name = dict(labels)
        found = names[labels] = (canonical_name(by_name, ""), canonical_revision(by_name))
    name, revision = found
    return f"{endpoint.workload};{endpoint.namespace};{name or endpoint.workload};{revision};{endpoint.cluster_id}"
