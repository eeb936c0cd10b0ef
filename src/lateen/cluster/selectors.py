"""Label and field selectors: parsing and matching.

Sources: k8s.io/apimachinery `labels.Parse`, `metav1.LabelSelector`, `fields.ParseSelector`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lateen.cluster.status import StatusError, bad_request

_KEY = r"(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?/)?[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_VALUE = r"(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?"
_SET = re.compile(rf"^({_KEY})\s+(in|notin)\s*\(([^()]*)\)$")
_EQUALITY = re.compile(rf"^({_KEY})\s*(==|=|!=|>|<)\s*({_VALUE})$")
_EXISTS = re.compile(rf"^(!?)\s*({_KEY})$")
_VALUE_ONLY = re.compile(rf"^{_VALUE}$")


@dataclass(frozen=True, slots=True)
class Requirement:
    """One clause. `operator` is one of `in`, `notin`, `exists`, `!`, `gt`, `lt`."""

    key: str
    operator: str
    values: frozenset[str] = frozenset()

    def matches(self, labels: Mapping[str, str]) -> bool:
        match self.operator:
            case "in":
                return self.key in labels and labels[self.key] in self.values
            case "notin":
                return self.key not in labels or labels[self.key] not in self.values
            case "exists":
                return self.key in labels
            case "!":
                return self.key not in labels
        try:
            actual, bound = int(labels[self.key]), int(next(iter(self.values)))
        except (KeyError, ValueError):
            return False
        return actual > bound if self.operator == "gt" else actual < bound


@dataclass(frozen=True, slots=True)
class Selector:
    """All requirements must hold. The empty selector matches everything; `NOTHING` matches nothing."""

    requirements: tuple[Requirement, ...] = ()
    nothing: bool = False

    def matches(self, labels: Mapping[str, str]) -> bool:
        return not self.nothing and all(r.matches(labels) for r in self.requirements)

    @property
    def empty(self) -> bool:
        return not self.requirements and not self.nothing


EVERYTHING = Selector()
NOTHING = Selector(nothing=True)


def _split_outside_parentheses(text: str) -> list[str]:
    parts, depth, start = [], 0, 0
    for position, char in enumerate(text):
        if char == "(":
            depth += 1
        elif char == ")":
            depth -= 1
        elif char == "," and depth == 0:
            parts.append(text[start:position])
            start = position + 1
    return [*parts, text[start:]]


def parse_labels(text: str) -> Selector:
    """Parses `a=b,c!=d,e in (f,g),h,!i,n>3`. Raises StatusError (400) when it cannot."""
    if not text.strip():
        return EVERYTHING
    found = []
    for raw in _split_outside_parentheses(text):
        part = raw.strip()
        if m := _SET.match(part):
            values = frozenset(v.strip() for v in m[3].split(","))
            if not all(_VALUE_ONLY.match(v) for v in values):
                raise _unparsable(text, part)
            found.append(Requirement(m[1], m[2], values))
        elif m := _EQUALITY.match(part):
            operator = {"=": "in", "==": "in", "!=": "notin", ">": "gt", "<": "lt"}[m[2]]
            if operator in ("gt", "lt") and not re.fullmatch(r"-?\d+", m[3]):
                raise _unparsable(text, part)
            found.append(Requirement(m[1], operator, frozenset({m[3]})))
        elif m := _EXISTS.match(part):
            found.append(Requirement(m[2], "!" if m[1] else "exists"))
        else:
            raise _unparsable(text, part)
    return Selector(tuple(found))


def _unparsable(text: str, part: str) -> StatusError:
    return bad_request(f'unable to parse requirement: found "{part}" in label selector "{text}"')


def from_label_selector(selector: Mapping[str, Any] | None) -> Selector:
    """Reads a `metav1.LabelSelector`. None matches nothing; an empty one matches everything (Kubernetes' rule)."""
    if selector is None:
        return NOTHING
    found = [Requirement(k, "in", frozenset({v})) for k, v in (selector.get("matchLabels") or {}).items()]
    operators = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "!"}
    for expression in selector.get("matchExpressions") or ():
        operator = operators.get(expression.get("operator"))
        if operator is None:
            return NOTHING
        found.append(Requirement(expression["key"], operator, frozenset(expression.get("values") or ())))
    return Selector(tuple(found))


def from_map(labels: Mapping[str, str]) -> Selector:
    """Every given label must be present with that value (a Service's or ReplicationController's selector)."""
    return Selector(tuple(Requirement(k, "in", frozenset({v})) for k, v in labels.items()))


@dataclass(frozen=True, slots=True)
class FieldRequirement:
    """`path` is dotted as in `metadata.name`."""

    path: str
    value: str
    negated: bool = False


def parse_fields(text: str) -> tuple[FieldRequirement, ...]:
    """Parses `metadata.name=x,status.phase!=Running`. Raises StatusError (400) when it cannot."""
    found = []
    for raw in filter(None, (part.strip() for part in text.split(","))):
        m = re.fullmatch(r"([A-Za-z0-9_.\-/\[\]]+?)\s*(==|=|!=)\s*(.*)", raw)
        if m is None:
            raise bad_request(f'invalid field selector "{text}": "{raw}" is not path=value or path!=value')
        found.append(FieldRequirement(m[1], m[3], m[2] == "!="))
    return tuple(found)
