"""The load assignments of gRPC clients: those of Envoys, in the form that gRPC takes."""

from __future__ import annotations

import ipaddress
from typing import Any

from envoy.config.endpoint.v3 import endpoint_pb2

from lateen.engine import Reader, query
from lateen.model.destination_rules import rule_client
from lateen.model.names import BLACK_HOLE_CLUSTER
from lateen.model.outbound_clusters import OutboundCluster, clusters_in_scope
from lateen.model.proxy import GrpcClientView
from lateen.model.scope import scope_key
from lateen.model.selecting_labels import priority_labels
from lateen.model.services import service
from lateen.model.traffic_policy import effective_policy
from lateen.translate.endpoints.assignments import Client, client_of, load_assignment
from lateen.translate.endpoints.spread import place_of
from lateen.translate.grpc.security import refuses
from lateen.translate.resource import Recipe, Resource, resource


@query
def listing(db: Reader, view: GrpcClientView) -> tuple[Recipe, ...]:
    """One assignment for every cluster. No listing reads endpoints."""
    sidecar = view.sidecar
    place = place_of(sidecar, priority_labels(db))
    has_identity = sidecar.traits.certificates is not None
    found = []
    for each in clusters_in_scope(
        db, scope_key(db, sidecar), rule_client(db, sidecar.namespace, sidecar.labels), False
    ):
        one = service(db, each.service)
        if one is not None:
            args = (each, client_of(db, one, each, place), has_identity)
            found.append(Recipe(each.name, assignment, args))
    return (*found, Recipe(BLACK_HOLE_CLUSTER, nothing, ()))


@query
def assignment(db: Reader, each: OutboundCluster, client: Client, has_identity: bool) -> Resource:
    """The endpoints of a cluster; none where the client may not connect to them."""
    found = endpoint_pb2.ClusterLoadAssignment(cluster_name=each.name)
    if not refuses(effective_policy(db, each.rules, each.port, each.subset), has_identity):
        envoys = load_assignment(db, each.name, each.service, each.port, each.subset_labels, client)
        _add_groups(found, endpoint_pb2.ClusterLoadAssignment.FromString(envoys.body))
    return resource(each.name, found)


@query
def nothing(db: Reader) -> Resource:
    """The endpoints of what is not there."""
    return resource(BLACK_HOLE_CLUSTER, endpoint_pb2.ClusterLoadAssignment(cluster_name=BLACK_HOLE_CLUSTER))


def _add_groups(into: Any, assigned: Any) -> None:
    """Adds the groups of an assignment that have addresses gRPC can connect to."""
    groups = [(group, [end for end in group.lb_endpoints if _is_address(end.endpoint.address)]) for group in
              assigned.endpoints]  # fmt: skip
    priorities = sorted({group.priority for group, ends in groups if ends})
    for group, ends in groups:
        if not ends:
            continue
        # Every group must say where it is, be it nowhere in particular, and priorities have no gaps.
        added = into.endpoints.add(priority=priorities.index(group.priority))
        added.locality.CopyFrom(group.locality)
        added.load_balancing_weight.CopyFrom(group.load_balancing_weight)
        for end in ends:
            end.ClearField("metadata")
            added.lb_endpoints.append(end)


def _is_address(address: Any) -> bool:
    """Neither a name nor a unix socket: one of these has gRPC refuse all endpoints of a cluster."""
    try:
        ipaddress.ip_address(address.socket_address.address)
    except ValueError:
        return False
    return True
