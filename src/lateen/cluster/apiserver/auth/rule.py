"""One RBAC policy rule: what it allows, and whether it covers another.

Source: kubernetes pkg/registry/rbac/validation (`RuleAllows`, `Covers`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from lateen.cluster.apiserver.request import RequestInfo
from lateen.cluster.objects import Obj

ALL = "*"


@dataclass(frozen=True, slots=True)
class Rule:
    """`rbac.authorization.k8s.io/v1 PolicyRule`."""

    verbs: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    resources: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    urls: frozenset[str] = frozenset()

    @classmethod
    def from_json(cls, rule: Obj) -> Rule:
        return cls(
            frozenset(rule.get("verbs") or ()),
            frozenset(rule.get("apiGroups") or ()),
            frozenset(rule.get("resources") or ()),
            frozenset(rule.get("resourceNames") or ()),
            frozenset(rule.get("nonResourceURLs") or ()),
        )

    def allows(self, info: RequestInfo) -> bool:
        if ALL not in self.verbs and info.verb not in self.verbs:
            return False
        if not info.is_resource:
            return any(_url_matches(url, info.path) for url in self.urls)
        return (
            (ALL in self.groups or info.group in self.groups)
            and self._has_resource(info.plural, info.subresource)
            and (not self.names or info.name in self.names)
        )

    def _has_resource(self, plural: str, subresource: str) -> bool:
        if ALL in self.resources:
            return True
        if not subresource:
            return plural in self.resources
        return f"{plural}/{subresource}" in self.resources or f"*/{subresource}" in self.resources

    def covers(self, other: Rule) -> bool:
        """Whether everything `other` allows is allowed by this rule alone."""
        return (
            (ALL in self.verbs or other.verbs <= self.verbs)
            and (ALL in self.groups or other.groups <= self.groups)
            and all(self._covers_resource(resource) for resource in other.resources)
            and all(any(_url_covers(mine, url) for mine in self.urls) for url in other.urls)
            and (not self.names or (bool(other.names) and other.names <= self.names))
        )

    def _covers_resource(self, resource: str) -> bool:
        plural, _, subresource = resource.partition("/")
        return resource in self.resources or self._has_resource(plural, subresource)

    def parts(self) -> Iterable[Rule]:
        """The rule as rules of one verb and one resource (and one name), or one verb and one URL each."""
        for verb in sorted(self.verbs):
            one = Rule(frozenset({verb}))
            for url in sorted(self.urls):
                yield replace(one, urls=frozenset({url}))
            for group in sorted(self.groups):
                for resource in sorted(self.resources):
                    part = replace(one, groups=frozenset({group}), resources=frozenset({resource}))
                    yield from (replace(part, names=frozenset({name})) for name in sorted(self.names))
                    if not self.names:
                        yield part

    def __str__(self) -> str:
        shown = (
            ("APIGroups", self.groups),
            ("Resources", self.resources),
            ("NonResourceURLs", self.urls),
            ("ResourceNames", self.names),
            ("Verbs", self.verbs),
        )
        return "{" + ", ".join(f"{name}:{quoted(sorted(values))}" for name, values in shown if values) + "}"


def missing_rules(held: Sequence[Rule], wanted: Iterable[Rule]) -> list[Rule]:
    """What of `wanted` is not covered by the rules held, with the verbs of alike parts put together."""
    missing: dict[Rule, set[str]] = {}
    for rule in wanted:
        for part in rule.parts():
            if not any(mine.covers(part) for mine in held):
                missing.setdefault(replace(part, verbs=frozenset()), set()).update(part.verbs)
    return [replace(rule, verbs=frozenset(verbs)) for rule, verbs in missing.items()]


def quoted(values: Iterable[str]) -> str:
    """A list as Go prints it with `%q`: `["a" "b"]`."""
    return "[" + " ".join(json.dumps(v, ensure_ascii=False) for v in values) + "]"


def _url_matches(pattern: str, path: str) -> bool:
    return pattern in (ALL, path) or (pattern.endswith(ALL) and path.startswith(pattern.rstrip(ALL)))


def _url_covers(mine: str, other: str) -> bool:
    # A pattern covers another pattern when it is the same, or a shorter prefix of it.
    return mine in (ALL, other) or (mine.endswith(ALL) and other.startswith(mine.rstrip(ALL)))
