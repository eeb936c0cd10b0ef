"""Everything a proxy is to hold: its views, and for each view and type the list of recipes. Dispatch only."""

from __future__ import annotations

from lateen.engine import Reader, query
from lateen.model.proxy import (
    EnvoyView,
    GatewayView,
    GrpcClientView,
    GrpcServerView,
    InboundView,
    OutboundView,
    Proxy,
    View,
)
from lateen.model.views import views_of
from lateen.translate.clusters import gateway as gateway_clusters
from lateen.translate.clusters import inbound as inbound_clusters
from lateen.translate.clusters import outbound as outbound_clusters
from lateen.translate.endpoints import assignments
from lateen.translate.endpoints import gateway as gateway_assignments
from lateen.translate.grpc.listing import client_listing, server_listing
from lateen.translate.listeners import gateway as gateway_listeners
from lateen.translate.listeners import inbound as inbound_listeners
from lateen.translate.listeners import outbound as outbound_listeners
from lateen.translate.listeners.dns import dns_listing
from lateen.translate.patches.apply import patched
from lateen.translate.patches.extensions import extensions
from lateen.translate.resource import Recipe, ResourceType
from lateen.translate.routes import gateway as gateway_routes
from lateen.translate.routes import outbound as outbound_routes
from lateen.translate.secrets import client as client_secrets
from lateen.translate.secrets import gateway as gateway_secrets
from lateen.translate.secrets import inbound as inbound_secrets


@query
def views(db: Reader, proxy: Proxy) -> tuple[View, ...]:
    """The views of a proxy. What it holds of a type is what their listings hold together; names do not overlap."""
    return views_of(db, proxy)


@query
def listing(db: Reader, type_: ResourceType, view: View) -> tuple[Recipe, ...]:
    """Every resource of a type in a view, EnvoyFilters applied."""
    match view:
        case GrpcClientView():
            return client_listing(db, type_, view)
        case GrpcServerView():
            return server_listing(db, type_, view)
    found = _listing(db, type_, view)
    return patched(db, type_, view, found) if view.patches else found


def _listing(db: Reader, type_: ResourceType, view: EnvoyView) -> tuple[Recipe, ...]:
    match type_, view:
        case ResourceType.CDS, OutboundView():
            return outbound_clusters.listing(db, view)
        case ResourceType.CDS, InboundView():
            return inbound_clusters.listing(db, view)
        case ResourceType.CDS, GatewayView():
            return gateway_clusters.listing(db, view)
        case ResourceType.EDS, OutboundView():
            return assignments.listing(db, view)
        case ResourceType.EDS, GatewayView():
            return gateway_assignments.listing(db, view)
        case ResourceType.LDS, OutboundView():
            return outbound_listeners.listing(db, view) + dns_listing(db, view)
        case ResourceType.LDS, InboundView():
            return inbound_listeners.listing(db, view)
        case ResourceType.LDS, GatewayView():
            return gateway_listeners.listing(db, view)
        case ResourceType.RDS, OutboundView():
            return outbound_routes.listing(db, view)
        case ResourceType.RDS, GatewayView():
            return gateway_routes.listing(db, view)
        case ResourceType.SDS, OutboundView():
            return client_secrets.listing(db, view)
        case ResourceType.SDS, InboundView():
            return inbound_secrets.listing(db, view)
        case ResourceType.SDS, GatewayView():
            return _distinct(gateway_secrets.listing(db, view) + client_secrets.listing(db, view))
        case ResourceType.ECDS, _:
            return extensions(db, view)
    return ()


def _distinct(recipes: tuple[Recipe, ...]) -> tuple[Recipe, ...]:
    """A credential may serve a gateway towards its clients and towards services alike."""
    return tuple({recipe.name: recipe for recipe in reversed(recipes)}.values())
