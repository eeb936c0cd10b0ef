"""What asks for the mesh's TLS of a proxy that has no certificates, and so gets its connections refused instead."""

from __future__ import annotations

from typing import Final

from lateen.api.networking.destination_rule import TLSmode as ClientMode
from lateen.api.networking.gateway import TLSmode as ServerMode
from lateen.api.objects import Key, ObjectRef
from lateen.api.schema.fault import Fault, warning
from lateen.engine import Reader, query
from lateen.model.destination_rules import rule_client
from lateen.model.gateways import gateway_servers
from lateen.model.inputs import DESTINATION_RULES
from lateen.model.outbound_clusters import clusters_in_scope
from lateen.model.proxy import ClientView, GatewayView
from lateen.model.scope import scope_key
from lateen.model.traffic_policy import declared_tls

_REFUSED: Final = "ISTIO_MUTUAL cannot be had by proxies without certificates (LATEEN_CERTIFICATES: none)"


@query
def identity_demands(db: Reader, view: ClientView) -> tuple[tuple[ObjectRef, Fault], ...]:
    """Of DestinationRules that a view follows, and of servers of its Gateways; nothing when it has certificates."""
    if view.traits.certificates is not None:
        return ()
    is_gateway = isinstance(view, GatewayView)
    client = rule_client(db, view.namespace, view.labels)
    found: list[tuple[ObjectRef, Fault]] = []
    clusters = clusters_in_scope(db, scope_key(db, view), client, is_gateway)
    for key in sorted({key for cluster in clusters for key in cluster.rules}):
        found += [(ObjectRef("DestinationRule", key), fault) for fault in _of_rule(db, key)]
    if isinstance(view, GatewayView):
        for server in gateway_servers(db, view):
            if server.tls is not None and server.tls.mode is ServerMode.ISTIO_MUTUAL:
                message = f"{_REFUSED}: gateways of {view.namespace} that have none refuse connections"
                path = f"spec.servers[{server.index}].tls.mode"
                found.append((ObjectRef("Gateway", server.gateway), warning(path, message)))
    return tuple(found)


@query
def _of_rule(db: Reader, key: Key) -> tuple[Fault, ...]:
    rule = DESTINATION_RULES.get(db, key)
    if rule is None:
        return ()
    message = f"{_REFUSED}: they refuse connections to {rule.spec.host}"
    return tuple(
        warning(f"{path}.mode", message) for path, tls in declared_tls(rule.spec) if tls.mode is ClientMode.ISTIO_MUTUAL
    )
