"""Resolves VirtualServices for one client: everything of the client that makes a difference to their routes."""

from __future__ import annotations

from collections.abc import Iterator

from lateen.api.objects import Key
from lateen.engine import Reader, query
from lateen.model.destination_rules import ClientRules, Rules
from lateen.model.effective_routes import destinations, source_of
from lateen.model.inputs import DESTINATION_RULES
from lateen.model.proxy import Labels
from lateen.model.route_targets import Holder
from lateen.model.scope import scope_of
from lateen.model.services import unaliased
from lateen.translate.routes.http_routes import Routing


class Routings:
    """Lives inside one query."""

    def __init__(self, db: Reader, holder: Holder, namespace: str, labels: Labels, *, forwards_host: bool) -> None:
        self._db = db
        self._holder = holder
        self._namespace = namespace
        self._labels = labels
        self._forwards_host = forwards_host
        self._rules = ClientRules(db, holder.rules)
        self._hashing = hashing_rules(db)

    def of(self, key: Key, port: int, gateway: str, lost: tuple[str, ...], *, tls: bool = False) -> Routing:
        """The routes of a VirtualService for what arrives at a port of a gateway (`namespace/name`, or `mesh`).

        `lost` are the clusters of it that the client does not have.
        """
        source = source_of(self._db, key, self._namespace, self._labels)
        return Routing(key, port, gateway, source, lost, self._hashed(key), tls, self._forwards_host)

    def hash_rules(self, host: str, namespace: str) -> Rules:
        """The DestinationRules for a service, if any of them asks for consistent hashing."""
        if not self._hashing:
            return ()
        rules = self._rules.of(host, namespace)
        return rules if rules and not self._hashing.isdisjoint(rules) else ()

    def _hashed(self, key: Key) -> tuple[tuple[str, Rules], ...]:
        return tuple(self._hashed_hosts(key)) if self._hashing else ()

    def _hashed_hosts(self, key: Key) -> Iterator[tuple[str, Rules]]:
        services = scope_of(self._db, self._holder.scope).services
        for host in dict.fromkeys(found.host for found in destinations(self._db, key)):
            meant = services.get(unaliased(self._db, host))
            rules = self.hash_rules(meant.hostname, meant.namespace) if meant is not None else ()
            if rules:
                yield host, rules


@query
def hashing_rules(db: Reader) -> frozenset[Key]:
    """The DestinationRules that ask for consistent hashing of any port or subset."""
    return frozenset(DESTINATION_RULES.where(db, "hashing", True))
