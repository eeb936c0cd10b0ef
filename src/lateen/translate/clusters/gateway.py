"""Clusters of gateways: those of services, and, where a server lets the server name choose the destination
(AUTO_PASSTHROUGH), one more of each service that is named like what clients of the mesh ask for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lateen.api.networking.gateway import TLSmode
from lateen.engine import Reader, query
from lateen.model.destination_rules import RuleClient, rule_client
from lateen.model.gateways import gateway_servers
from lateen.model.names import sni_dnat_cluster
from lateen.model.outbound_clusters import Discovery, OutboundCluster, clusters_in_scope
from lateen.model.proxy import GatewayView
from lateen.model.scope import ScopeKey, scope_key
from lateen.model.services import service
from lateen.model.traffic_policy import effective_policy
from lateen.translate.clusters import fixed
from lateen.translate.clusters.connection_pool import http_version
from lateen.translate.clusters.mesh_defaults import mesh_defaults
from lateen.translate.clusters.naming import PortNaming, declared
from lateen.translate.clusters.outbound import service_recipes
from lateen.translate.clusters.settings import settings, settings_of
from lateen.translate.resource import Recipe, Resource, resource_of_bytes

_LOCAL: Final = frozenset({Discovery.EDS})
"""What the mesh knows the endpoints of: nothing else is reached through a gateway between networks."""


@query
def listing(db: Reader, view: GatewayView) -> tuple[Recipe, ...]:
    """Every cluster of a gateway."""
    recipes = (*service_recipes(db, view), fixed.black_hole_recipe())
    if not forwards_by_server_name(db, view):
        return recipes
    return recipes + sni_dnat_recipes(db, scope_key(db, view), rule_client(db, view.namespace, view.labels))


@query
def forwards_by_server_name(db: Reader, view: GatewayView) -> bool:
    """Whether some server of the gateway is AUTO_PASSTHROUGH."""
    return any(
        server.tls is not None and server.tls.mode is TLSmode.AUTO_PASSTHROUGH for server in gateway_servers(db, view)
    )


@query
def sni_dnat_recipes(db: Reader, scope: ScopeKey, client: RuleClient) -> tuple[Recipe, ...]:
    """The clusters for server names, of all gateways with this scope that follow these rules."""
    return tuple(
        Recipe(sni_dnat_cluster(each.port, each.subset, each.service.hostname), sni_dnat, (each,))
        for each in named_clusters(db, scope, client)
    )


def named_clusters(db: Reader, scope: ScopeKey, client: RuleClient) -> Iterator[OutboundCluster]:
    """The clusters of services that server names can name."""
    for each in clusters_in_scope(db, scope, client, True):
        if each.discovery in _LOCAL and not _is_external(db, each):
            yield each


@query
def sni_dnat(db: Reader, each: OutboundCluster) -> Resource:
    """A cluster for one server name: bytes go on as they come, for the TLS in them is between client and server.

    Its load assignment is its own: endpoints that do not take the mesh's TLS are not in it (`endpoints/gateway.py`).
    """
    found, port = declared(db, each)
    mesh = mesh_defaults(db)
    name = sni_dnat_cluster(each.port, each.subset, found.hostname)
    policy = effective_policy(db, each.rules, each.port, each.subset)
    version = http_version(port.protocol, policy.connection_pool, mesh_upgrades=mesh.upgrades_to_http2, is_gateway=True)
    naming = PortNaming(found, port, each.rules, mesh.outbound_stat_name).of(name, each.subset, name)
    return resource_of_bytes(name, naming + settings(db, settings_of(mesh, policy, found, each.discovery, version)))


def _is_external(db: Reader, each: OutboundCluster) -> bool:
    found = service(db, each.service)
    return found is None or found.mesh_external
