"""Which operations on which resources a webhook wants to see.

Source: kubernetes apiserver/pkg/admission/plugin/webhook/predicates/rules.
"""

from __future__ import annotations

from dataclasses import dataclass

from lateen.cluster.objects import GVR, Obj

_ALL = "*"


@dataclass(frozen=True, slots=True)
class Rule:
    """`admissionregistration.k8s.io/v1 RuleWithOperations`."""

    operations: frozenset[str]
    groups: frozenset[str]
    versions: frozenset[str]
    resources: tuple[tuple[str, str], ...]
    """(plural, subresource); either may be `*`."""
    scope: str = _ALL

    @classmethod
    def from_json(cls, rule: Obj) -> Rule:
        resources = [str(resource).partition("/") for resource in rule.get("resources") or ()]
        return cls(
            frozenset(rule.get("operations") or ()),
            frozenset(rule.get("apiGroups") or ()),
            frozenset(rule.get("apiVersions") or ()),
            tuple((plural, subresource) for plural, _, subresource in resources),
            rule.get("scope") or _ALL,
        )

    def matches(self, operation: str, gvr: GVR, subresource: str, namespaced: bool) -> bool:
        """`namespaced` tells whether the object is in a namespace. A Namespace itself is not."""
        return (
            _has(self.operations, operation)
            and _has(self.groups, gvr.group)
            and _has(self.versions, gvr.version)
            and (self.scope == _ALL or (self.scope == "Namespaced") == namespaced)
            and any(plural in (_ALL, gvr.plural) and wanted in (_ALL, subresource) for plural, wanted in self.resources)
        )


def _has(values: frozenset[str], value: str) -> bool:
    return _ALL in values or value in values
