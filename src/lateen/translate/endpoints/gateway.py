"""Load assignments of gateways: those of services, and those of the clusters that a server name chooses."""

from __future__ import annotations

from lateen.engine import Reader, query
from lateen.model.destination_rules import RuleClient, rule_client
from lateen.model.names import sni_dnat_cluster
from lateen.model.proxy import GatewayView
from lateen.model.scope import ScopeKey, scope_key
from lateen.model.selecting_labels import priority_labels
from lateen.model.services import service
from lateen.translate.clusters.gateway import forwards_by_server_name, named_clusters
from lateen.translate.endpoints import assignments
from lateen.translate.endpoints.spread import Place, place_of
from lateen.translate.resource import Recipe


@query
def listing(db: Reader, view: GatewayView) -> tuple[Recipe, ...]:
    """Every load assignment of a gateway."""
    recipes = assignments.listing(db, view)
    if not forwards_by_server_name(db, view):
        return recipes
    rules = rule_client(db, view.namespace, view.labels)
    return recipes + named_assignments(db, scope_key(db, view), rules, place_of(view, priority_labels(db)))


@query
def named_assignments(db: Reader, scope: ScopeKey, rules: RuleClient, place: Place) -> tuple[Recipe, ...]:
    """Of the clusters for server names: endpoints that take the mesh's TLS alone, of which they ask for a certificate
    whoever comes. Anybody can say a name to the gateway, which sees nothing of what is in the TLS."""
    recipes: list[Recipe] = []
    for each in named_clusters(db, scope, rules):
        found = service(db, each.service)
        if found is not None:
            name = sni_dnat_cluster(each.port, each.subset, each.service.hostname)
            client = assignments.client_of(db, found, each, place)._replace(mutual_tls=True)
            args = (name, each.service, each.port, each.subset_labels, client)
            recipes.append(Recipe(name, assignments.load_assignment, args))
    return tuple(recipes)
