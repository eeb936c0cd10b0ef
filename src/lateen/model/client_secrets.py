"""The secrets (SDS) that clients need for TLS that DestinationRules originate: credentials, and files of their own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from lateen.api.networking.destination_rule import ClientTLSSettings, TLSmode
from lateen.api.objects import Key
from lateen.engine import Reader, query
from lateen.model.credentials import AUTHORITIES_SUFFIX
from lateen.model.destination_rules import MergedRule, RuleClient, Rules, merged_rule, rule_client
from lateen.model.gateways import FILE_CERTIFICATE, FILE_ROOTS, FILE_SEPARATOR
from lateen.model.inputs import DESTINATION_RULES
from lateen.model.outbound_clusters import clusters_in_scope
from lateen.model.proxy import ClientView, GatewayView, system_roots
from lateen.model.scope import ScopeKey, scope_key

ORIGINATED = frozenset({TLSmode.SIMPLE, TLSmode.MUTUAL})
SYSTEM = "system"
"""As `caCertificates`: the roots of the proxy's operating system, as if nothing were said."""


class ClientSecret(NamedTuple):
    name: str
    """Of the SDS resource."""
    rule: Key
    """A rule that asks for it."""


def client_secrets(db: Reader, view: ClientView) -> tuple[ClientSecret, ...]:
    """What the clusters of a view refer to, sorted; credentials of sidecars only by rules that select them."""
    client = rule_client(db, view.namespace, view.labels)
    roots = system_roots(view.traits.certificates)
    return secrets_in_scope(db, scope_key(db, view), client, isinstance(view, GatewayView), roots)


@query
def secrets_in_scope(
    db: Reader, scope: ScopeKey, client: RuleClient, is_gateway: bool, roots: str
) -> tuple[ClientSecret, ...]:
    """Of all clients with this scope that follow these rules and have their system's roots in this file."""
    originating = set(DESTINATION_RULES.where(db, "originates_tls", True))
    if not originating:
        return ()
    found: dict[str, Key] = {}
    for rules in dict.fromkeys(each.rules for each in clusters_in_scope(db, scope, client, is_gateway)):
        if not originating.isdisjoint(rules):
            for name in rule_secrets(db, rules, is_gateway, roots):
                found.setdefault(name, next(key for key in rules if key in originating))
    return tuple(ClientSecret(name, found[name]) for name in sorted(found))


@query
def rule_secrets(db: Reader, rules: Rules, is_gateway: bool, roots: str) -> tuple[str, ...]:
    """What rules that count as one ask for. Stays the same when they change otherwise."""
    rule = merged_rule(db, rules)
    may_use_credentials = is_gateway or rule.has_selector
    names: dict[str, None] = {}
    for tls in _originated(rule):
        if may_use_credentials or not tls.credential_name:
            names[certificate_secret(tls)] = names[roots_secret(tls, roots)] = None
    return tuple(filter(None, names))


def certificate_secret(tls: ClientTLSSettings) -> str:
    """SDS name of the client's certificate; empty when it shows none."""
    if tls.mode is not TLSmode.MUTUAL:
        return ""
    return _credential(tls) or f"{FILE_CERTIFICATE}{tls.client_certificate}{FILE_SEPARATOR}{tls.private_key}"


def roots_secret(tls: ClientTLSSettings, of_system: str) -> str:
    """SDS name of what the server is verified with, given the system's roots; empty when it is not verified."""
    if tls.insecure_skip_verify:
        return ""
    if tls.credential_name:
        return f"{_credential(tls)}{AUTHORITIES_SUFFIX}"
    file = of_system if tls.ca_certificates in ("", SYSTEM) else tls.ca_certificates
    return f"{FILE_ROOTS}{file}{FILE_SEPARATOR}{tls.ca_crl}" if tls.ca_crl else f"{FILE_ROOTS}{file}"


def _credential(tls: ClientTLSSettings) -> str:
    """A Secret of the proxy's own namespace, unless the name says where."""
    name = tls.credential_name
    return name if not name or "://" in name else f"kubernetes://{name}"


def _originated(rule: MergedRule) -> Iterator[ClientTLSSettings]:
    for policy in (rule.policy, *(subset.traffic_policy for subset in rule.subsets)):
        if policy is not None:
            ports = (port.tls for port in policy.port_level_settings)
            yield from (tls for tls in (policy.tls, *ports) if tls is not None and tls.mode in ORIGINATED)
