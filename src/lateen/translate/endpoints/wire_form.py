"""Load assignments on the wire (envoy.config.endpoint.v3), joined from prepared bytes rather than built as messages."""

from __future__ import annotations

from collections.abc import Iterable

from lateen.model.endpoint import Endpoint, Health, Locality
from lateen.model.peer import PEER, endpoint_metadata, peer_facts
from lateen.model.proxy import Labels
from lateen.translate.endpoints.groups import Group, Weighted
from lateen.translate.wire import embedded, text, unsigned, varint

# Numbers of fields. ClusterLoadAssignment: cluster_name 1, endpoints 2. LocalityLbEndpoints: locality 1,
# lb_endpoints 2, load_balancing_weight 3, priority 5. LbEndpoint: endpoint 1, health_status 2, metadata 3,
# load_balancing_weight 4. Endpoint: address 1, additional_addresses 4. Address: socket_address 1, pipe 2.

_UNIX = "unix://"
_UNIX_BYTES = _UNIX.encode()
# Up to these the messages around them are below 128 bytes, the sizes of which take one byte each.
_SHORT_ADDRESS = 64
_SHORT_WEIGHT = 127
_HEALTH = {
    # envoy.config.core.v3.HealthStatus
    Health.HEALTHY: b"",
    Health.UNHEALTHY: unsigned(2, 2),
    Health.DRAINING: unsigned(2, 3),
}


def _struct(name: str, fields: Iterable[tuple[str, str]]) -> bytes:
    """An entry of `filter_metadata`: a Struct of texts."""
    texts = (embedded(1, text(1, field) + embedded(2, embedded(3, value.encode()))) for field, value in fields)
    return embedded(1, text(1, name) + embedded(2, b"".join(texts)))


_MUTUAL_TLS = _struct("envoy.transport_socket_match", (("tlsMode", "istio"),))


def assignment(name: str, groups: Iterable[Group[Weighted]]) -> bytes:
    """A serialised ClusterLoadAssignment."""
    known: KnownMetadata = {}
    return joined(name, (serialised(group, known) for group in groups))


def joined(name: str, groups: Iterable[Group[bytes]]) -> bytes:
    """A serialised ClusterLoadAssignment of endpoints that are serialised already."""
    return text(1, name) + b"".join([embedded(2, _group(group)) for group in groups])


KnownMetadata = dict[tuple[str, str, str, bool, Labels], bytes]
"""The metadata of endpoints by what it is made of, which replicas have in common: serialised once."""


def serialised(group: Group[Weighted], known: KnownMetadata) -> Group[bytes]:
    """A group of serialised endpoints."""
    members = tuple([member(endpoint, weight, known) for endpoint, weight in group.members])
    return Group(group.locality, group.priority, group.weight, members)


def _group(group: Group[bytes]) -> bytes:
    locality, priority, weight, members = group
    parts = [embedded(1, _locality(locality))] if any(locality) else []
    parts += members
    parts.append(embedded(3, unsigned(1, weight)))
    if priority:
        parts.append(unsigned(5, priority))
    return b"".join(parts)


def member(endpoint: Endpoint, weight: int, known: KnownMetadata) -> bytes:
    """A serialised LbEndpoint, as the field of LocalityLbEndpoints."""
    where = endpoint.address.encode()
    slot = (endpoint.workload, endpoint.namespace, endpoint.cluster_id, endpoint.mutual_tls, endpoint.labels)
    metadata = known.get(slot)
    if metadata is None:
        metadata = known[slot] = embedded(3, _metadata(endpoint))
    length = len(where)
    if (
        length > _SHORT_ADDRESS
        or weight > _SHORT_WEIGHT
        or endpoint.additional_addresses
        or where.startswith(_UNIX_BYTES)
    ):
        return embedded(2, _long_member(endpoint, weight, metadata))
    # The same as that for nearly all endpoints, in one step: messages within messages, of which all but the outermost
    # are so short that their sizes fit into a byte.
    port = varint(endpoint.port)
    health = _HEALTH[endpoint.health]
    size = len(port) + length + 3
    return b'\x12%b\n%c\n%c\n%c\x12%c%b\x18%b%b%b"\x02\x08%c' % (
        varint(size + len(health) + len(metadata) + 10),
        size + 4,
        size + 2,
        size,
        length,
        where,
        port,
        health,
        metadata,
        weight,
    )


def _long_member(endpoint: Endpoint, weight: int, metadata: bytes) -> bytes:
    """A serialised LbEndpoint of any size."""
    others = (embedded(4, embedded(1, address(each, endpoint.port))) for each in endpoint.additional_addresses)
    return b"".join(
        (
            embedded(1, embedded(1, address(endpoint.address, endpoint.port)) + b"".join(others)),
            _HEALTH[endpoint.health],
            metadata,
            embedded(4, unsigned(1, weight)),
        )
    )


def _metadata(endpoint: Endpoint) -> bytes:
    """Whether the endpoint takes the mesh's TLS, and what telemetry says of it: as Istio has it, in one text
    (`workload`), and fact by fact."""
    labels = dict(endpoint.labels)
    facts = (
        peer_facts(endpoint.workload, endpoint.namespace, endpoint.cluster_id, labels) if _is_known(endpoint) else {}
    )
    workload = ";".join(
        (
            endpoint.workload,
            endpoint.namespace,
            facts.get("service", ""),
            facts.get("revision", ""),
            endpoint.cluster_id,
        )
    )
    tls = _MUTUAL_TLS if endpoint.mutual_tls else b""
    return (
        tls
        + _struct("istio", (("workload", workload),))
        + (_struct(PEER, endpoint_metadata(facts).items()) if facts else b"")
    )


def _is_known(endpoint: Endpoint) -> bool:
    """Whether there is a workload of the mesh behind an endpoint, rather than an address that somebody wrote down."""
    return bool(endpoint.workload or endpoint.labels)


def _locality(locality: Locality) -> bytes:
    return text(1, locality.region) + text(2, locality.zone) + text(3, locality.subzone)


def address(text_form: str, port: int) -> bytes:
    """A serialised core.v3.Address: of an IP address or name with a port, or of a unix domain socket."""
    if text_form.startswith(_UNIX):
        return embedded(2, text(1, text_form.removeprefix(_UNIX)))
    return embedded(1, text(2, text_form) + b"\x18" + varint(port))
