"""Resolves VirtualServices for one client: everything of the client that makes a difference to their routes."""

from __future__ import annotations

from collections.abc import Iterator

from lateen.api.networking.destination_rule import TrafficPolicy
from lateen.api.objects import Key
from lateen.engine import Reader, query
from lateen.model.destination_rules import ClientRules, Rules, merged_rule
from lateen.model.effective_routes import destinations, source_of
from lateen.model.proxy import Labels
from lateen.model.route_targets import Holder, lost
from lateen.model.scope import scope_of
from lateen.translate.routes.http_routes import Routing


class Routings:
    """Lives inside one query."""

    def __init__(self, db: Reader, holder: Holder, namespace: str, labels: Labels) -> None:
        self._db = db
        self._holder = holder
        self._namespace = namespace
        self._labels = labels
        self._services = scope_of(db, holder.scope).services
        self._rules = ClientRules(db, holder.rules)

    def of(self, key: Key, port: int, gateway: str, *, tls: bool = False) -> Routing:
        """The routes of a VirtualService for what arrives at a port of a gateway (`namespace/name`, or `mesh`)."""
        source = source_of(self._db, key, self._namespace, self._labels)
        missing = lost(self._db, key, port, self._holder)
        return Routing(key, port, gateway, source, missing, tuple(self._hashed(key)), tls)

    def hash_rules(self, host: str, namespace: str) -> Rules:
        """The DestinationRules for a service, if any of them asks for consistent hashing."""
        rules = self._rules.of(host, namespace)
        return rules if rules and is_hashed(self._db, rules) else ()

    def _hashed(self, key: Key) -> Iterator[tuple[str, Rules]]:
        for host in dict.fromkeys(found[0] for found in destinations(self._db, key)):
            meant = self._services.get(host)
            rules = self.hash_rules(host, meant.namespace) if meant is not None else ()
            if rules:
                yield host, rules


@query
def is_hashed(db: Reader, rules: Rules) -> bool:
    """Whether rules ask for consistent hashing of any port or subset."""
    merged = merged_rule(db, rules)
    policies = (merged.policy, *(subset.traffic_policy for subset in merged.subsets))
    return any(policy is not None and _asks_for_hashing(policy) for policy in policies)


def _asks_for_hashing(policy: TrafficPolicy) -> bool:
    balancers = (policy.load_balancer, *(port.load_balancer for port in policy.port_level_settings))
    return any(balancer is not None and balancer.consistent_hash is not None for balancer in balancers)
