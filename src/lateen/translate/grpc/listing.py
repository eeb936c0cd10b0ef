"""Everything a gRPC application is to hold, type by type. It asks for little of it, and only that is made."""

from __future__ import annotations

from lateen.engine import Reader
from lateen.model.proxy import GrpcClientView, GrpcServerView
from lateen.translate.grpc import clusters, endpoints, listeners, routes, servers
from lateen.translate.resource import Recipe, ResourceType


def client_listing(db: Reader, type_: ResourceType, view: GrpcClientView) -> tuple[Recipe, ...]:
    """What a client may ask for."""
    match type_:
        case ResourceType.LDS:
            return listeners.listing(db, view)
        case ResourceType.RDS:
            return routes.listing(db, view)
        case ResourceType.CDS:
            return clusters.listing(db, view)
        case ResourceType.EDS:
            return endpoints.listing(db, view)
    return ()


def server_listing(db: Reader, type_: ResourceType, view: GrpcServerView) -> tuple[Recipe, ...]:
    """What a server may ask for: its routes are within its listeners."""
    return servers.listing(db, view) if type_ is ResourceType.LDS else ()
