"""The Secrets that clients need for TLS that DestinationRules originate (`credentialName`)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from lateen.api.networking.destination_rule import ClientTLSSettings, TLSmode
from lateen.api.objects import Key
from lateen.engine import Reader, query
from lateen.model.credentials import AUTHORITIES_SUFFIX
from lateen.model.destination_rules import MergedRule, RuleClient, Rules, merged_rule, rule_client
from lateen.model.inputs import DESTINATION_RULES
from lateen.model.outbound_clusters import clusters_in_scope
from lateen.model.proxy import ClientView, GatewayView
from lateen.model.scope import ScopeKey, scope_key

_ORIGINATED = frozenset({TLSmode.SIMPLE, TLSmode.MUTUAL})


class ClientCredential(NamedTuple):
    name: str
    """As declared; of authorities with `-cacert` at the end."""
    rule: Key
    """A rule that names it."""


def client_credentials(db: Reader, view: ClientView) -> tuple[ClientCredential, ...]:
    """What the clusters of a view refer to, sorted; of sidecars only by rules that select them."""
    client = rule_client(db, view.namespace, view.labels)
    return credentials_in_scope(db, scope_key(db, view), client, isinstance(view, GatewayView))


@query
def credentials_in_scope(
    db: Reader, scope: ScopeKey, client: RuleClient, is_gateway: bool
) -> tuple[ClientCredential, ...]:
    """Of all clients with this scope that follow these rules."""
    naming = set(DESTINATION_RULES.where(db, "with_credentials", True))
    if not naming:
        return ()
    found: dict[str, Key] = {}
    for rules in dict.fromkeys(each.rules for each in clusters_in_scope(db, scope, client, is_gateway)):
        if not naming.isdisjoint(rules):
            for name in rule_credentials(db, rules, is_gateway):
                found.setdefault(name, next(key for key in rules if key in naming))
    return tuple(ClientCredential(name, found[name]) for name in sorted(found))


@query
def rule_credentials(db: Reader, rules: Rules, is_gateway: bool) -> tuple[str, ...]:
    """What rules that count as one name. Stays the same when they change otherwise."""
    rule = merged_rule(db, rules)
    if not is_gateway and not rule.has_selector:
        return ()
    return tuple(dict.fromkeys(name for tls in _tls(rule) for name in _names(tls)))


def _tls(rule: MergedRule) -> Iterator[ClientTLSSettings]:
    for policy in (rule.policy, *(subset.traffic_policy for subset in rule.subsets)):
        if policy is not None:
            ports = (port.tls for port in policy.port_level_settings)
            yield from (tls for tls in (policy.tls, *ports) if tls is not None)


def _names(tls: ClientTLSSettings) -> Iterator[str]:
    if tls.mode not in _ORIGINATED or not tls.credential_name:
        return
    if tls.mode is TLSmode.MUTUAL:
        yield tls.credential_name
    if not tls.insecure_skip_verify:
        yield tls.credential_name + AUTHORITIES_SUFFIX
