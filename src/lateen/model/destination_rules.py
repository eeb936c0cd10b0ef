"""Which DestinationRules a client follows towards a service.

Looked for in the client's namespace, then (as far as exported) in the service's, then in the root namespace; the first
namespace that has any decides. There the rule for the host itself comes before those for wildcards, of which the
closest counts, and rules whose selector picks the client come before those without a selector. Several rules that are
equal in all this count as one, the oldest first (`merged_rule`).

A rule that a client cannot see, or whose selector does not pick it, is to that client as if it did not exist.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from lateen.api.networking.destination_rule import Subset, TrafficPolicy
from lateen.api.objects import Key
from lateen.engine import Reader, query
from lateen.model import hosts, mesh
from lateen.model.inputs import DESTINATION_RULES, DOMAIN
from lateen.model.proxy import Labels
from lateen.model.services import services_of_host

Rules = tuple[Key, ...]
"""The rules that count as one, in order; empty when there is none. Equal for all clients that follow the same."""


class RuleOutline(msgspec.Struct, frozen=True):
    """What decides where a rule applies, without what it says."""

    key: Key
    host: str
    """In full."""
    export_to: frozenset[str]
    """Namespaces, or `*`."""
    is_local: bool
    """Clients of its own namespace see it."""
    selector: Labels
    age: tuple[str, str, str]

    def is_seen_from(self, namespace: str) -> bool:
        if namespace == self.key.namespace:
            return self.is_local
        return not self.selector and ("*" in self.export_to or namespace in self.export_to)

    @property
    def is_private(self) -> bool:
        """Nobody outside of its own namespace sees it."""
        return bool(self.selector) or self.export_to == {self.key.namespace}


class NamespaceRules(msgspec.Struct, frozen=True):
    """The rules of a namespace by host, each list oldest first."""

    named: dict[str, tuple[RuleOutline, ...]]
    wildcards: tuple[tuple[str, tuple[RuleOutline, ...]], ...]
    """Closest first."""

    def find(self, host: str, chosen: Callable[[tuple[RuleOutline, ...]], Rules]) -> Rules:
        """What `chosen` makes of the rules for the closest host of which it makes something."""
        found = self.named.get(host)
        if found is not None and (rules := chosen(found)):
            return rules
        for pattern, outlines in self.wildcards:
            if hosts.covers(pattern, host) and (rules := chosen(outlines)):
                return rules
        return ()


class MergedRule(msgspec.Struct, frozen=True):
    """What several rules that count as one say together."""

    policy: TrafficPolicy | None = None
    """Of the first that has one."""
    subsets: tuple[Subset, ...] = ()
    """Of all; of equal names the first."""
    has_selector: bool = False

    def subset(self, name: str) -> Subset | None:
        return next((subset for subset in self.subsets if subset.name == name), None)


class RuleClient(NamedTuple):
    """A client as far as it makes a difference to which rules it follows: most clients are `ANY_CLIENT`."""

    namespace: str
    labels: Labels


ANY_CLIENT = RuleClient("", ())


class ClientRules:
    """Finds the rules for one client, service by service. Lives inside one query."""

    def __init__(self, db: Reader, client: RuleClient) -> None:
        self._db = db
        self._namespace = client.namespace
        self._labels = frozenset(client.labels)
        self._root = mesh.root_namespace(db)
        self._namespaces: dict[str, NamespaceRules] = {}

    def of(self, host: str, namespace: str) -> Rules:
        """The rules for the service of that host in that namespace."""
        # Rules of the root namespace are meant for everybody: they do not hide those of the service's namespace from
        # gateways that live there, unless they are meant for nobody else.
        own = self._private if self._namespace == self._root else self._visible
        return (
            self._in(self._namespace).find(host, own)
            or self._in(namespace).find(host, self._visible)
            or self._in(self._root).find(host, self._visible)
        )

    def _in(self, namespace: str) -> NamespaceRules:
        found = self._namespaces.get(namespace)
        if found is None:
            found = self._namespaces[namespace] = namespace_rules(self._db, namespace)
        return found

    def _visible(self, outlines: tuple[RuleOutline, ...]) -> Rules:
        return self._chosen([outline for outline in outlines if outline.is_seen_from(self._namespace)])

    def _private(self, outlines: tuple[RuleOutline, ...]) -> Rules:
        return self._chosen([outline for outline in outlines if outline.is_local and outline.is_private])

    def _chosen(self, outlines: list[RuleOutline]) -> Rules:
        if len(outlines) == 1 and not outlines[0].selector:
            return (outlines[0].key,)
        selector = next(
            (
                outline.selector
                for outline in outlines
                if outline.selector and self._labels.issuperset(outline.selector)
            ),
            (),
        )
        return tuple(outline.key for outline in outlines if outline.selector == selector)


def destination_rules(db: Reader, host: str, service_namespace: str, client: RuleClient) -> Rules:
    """The rules that a client follows towards one service. For many services of one client see `ClientRules`."""
    return ClientRules(db, client).of(host, service_namespace)


def rule_client(db: Reader, namespace: str, labels: Labels) -> RuleClient:
    """A client without what makes no difference, so that namespaces share what follows from their rules."""
    return RuleClient(namespace, labels) if follows_own_rules(db, namespace) else ANY_CLIENT


@query
def follows_own_rules(db: Reader, namespace: str) -> bool:
    """Whether clients of a namespace may follow other rules than those of namespaces that have none.

    They do not when its only rules are public ones for services of its own.
    """
    if DESTINATION_RULES.where(db, "exported_to", namespace):
        return True
    if namespace == mesh.root_namespace(db):
        return any(rule.is_private for rule in _outlines(db, namespace))
    return any(
        "*" not in rule.export_to or rule.selector or hosts.is_wildcard(rule.host) or not _is_own(db, rule)
        for rule in _outlines(db, namespace)
    )


@query
def rule_outline(db: Reader, key: Key) -> RuleOutline | None:
    """Where a rule applies: stays the same when only what it says changes."""
    rule = DESTINATION_RULES.get(db, key)
    if rule is None:
        return None
    namespace = rule.metadata.namespace
    declared = frozenset([namespace if visible == "." else visible for visible in rule.spec.export_to])
    selector = rule.spec.workload_selector
    return RuleOutline(
        key,
        hosts.resolved(rule.spec.host, namespace, DOMAIN.get(db)),
        declared or _default_export(db, namespace),
        # The mesh's default does not hide a rule from its own namespace.
        not declared or "*" in declared or namespace in declared,
        tuple(sorted(selector.match_labels.items())) if selector is not None else (),
        rule.age,
    )


@query
def namespace_rules(db: Reader, namespace: str) -> NamespaceRules:
    """The rules of a namespace by host. Stays the same when only what rules say changes."""
    named: dict[str, tuple[RuleOutline, ...]] = {}
    for outline in sorted(_outlines(db, namespace), key=lambda outline: outline.age):
        named[outline.host] = (*named.get(outline.host, ()), outline)
    patterns = sorted((host for host in named if hosts.is_wildcard(host)), key=hosts.specificity)
    return NamespaceRules(named, tuple((pattern, named[pattern]) for pattern in patterns))


@query
def merged_rule(db: Reader, rules: Rules) -> MergedRule:
    """What rules that count as one say: the first policy, the subsets of all (of equal names the first)."""
    policy: TrafficPolicy | None = None
    subsets: dict[str, Subset] = {}
    has_selector = False
    for key in rules:
        rule = DESTINATION_RULES.get(db, key)
        if rule is None:
            continue
        has_selector = has_selector or rule.spec.workload_selector is not None
        if policy is None:
            policy = rule.spec.traffic_policy
        for subset in rule.spec.subsets:
            subsets.setdefault(subset.name, subset)
    return MergedRule(policy, tuple(subsets.values()), has_selector)


def _outlines(db: Reader, namespace: str) -> list[RuleOutline]:
    found = (rule_outline(db, key) for key in DESTINATION_RULES.where(db, "namespace", namespace))
    return [outline for outline in found if outline is not None]


def _is_own(db: Reader, rule: RuleOutline) -> bool:
    """The rule's host is a service of the rule's namespace and of no other."""
    return all(key.namespace == rule.key.namespace for key in services_of_host(db, rule.host))


def _default_export(db: Reader, namespace: str) -> frozenset[str]:
    default = mesh.default_destination_rule_export(db)
    return frozenset(namespace if visible == "." else visible for visible in default)
