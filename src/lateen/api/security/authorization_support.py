"""What of an AuthorizationPolicy this version cannot evaluate: it is said by name, and decided against the caller.

A policy with such a part is in force all the same. An ALLOW rule with it allows nothing, a DENY rule with it denies
whatever the rest of it matches, and a CUSTOM rule denies what it would have asked about.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lateen.api.objects import Object
from lateen.api.schema.fault import Fault, error
from lateen.api.security.authorization_policy import Action, AuthorizationPolicy, Rule

TOKEN_CONDITIONS: Final = "request.auth."
"""What attributes of tokens (JWT) begin with."""

_PROXIES: Final = ("Gateway",)
"""Kinds of targets that have proxies. Services, ServiceEntries and GatewayClasses have waypoints."""
_ACTIONS: Final = {
    Action.CUSTOM: "no extension is asked: the requests that its rules match are refused",
    Action.AUDIT: "nothing is marked for the audit log",
}
_RULES: Final = {
    Action.ALLOW: "the rule allows nothing",
    Action.DENY: "the rule denies whatever the rest of it matches",
    Action.CUSTOM: "the rule denies whatever the rest of it matches",
    Action.AUDIT: "nothing is marked",
}


def unsupported_in(value: object) -> Iterator[Fault]:
    """The same of any object: nothing of other kinds, or of None. To let it in would be to ignore it."""
    if isinstance(value, Object) and isinstance(value.spec, AuthorizationPolicy):
        yield from unsupported(value)


def unsupported(policy: Object[AuthorizationPolicy]) -> Iterator[Fault]:
    """An error for each part that cannot be evaluated, with what happens instead."""
    spec = policy.spec
    if (consequence := _ACTIONS.get(spec.action)) is not None:
        yield error("spec.action", f"{spec.action.value} is not supported yet by this version: {consequence}")
    targets = [("spec.targetRef", spec.target_ref)] if spec.target_ref is not None else []
    for path, target in (*targets, *((f"spec.targetRefs[{at}]", each) for at, each in enumerate(spec.target_refs))):
        if target.kind not in _PROXIES:
            yield error(
                path,
                f"targets of kind {target.kind} are not supported yet by this version (they need a waypoint): "
                "the policy applies to no proxy; use a selector",
            )
    for index, rule in enumerate(spec.rules_):
        for path, what in _token_attributes(rule):
            yield error(
                f"spec.rules[{index}].{path}",
                f"{what} is not supported yet by this version, which verifies no tokens: {_RULES[spec.action]}",
            )


def _token_attributes(rule: Rule) -> Iterator[tuple[str, str]]:
    for index, item in enumerate(rule.from_):
        if item.source is None:
            continue
        for name, values in (
            ("requestPrincipals", item.source.request_principals),
            ("notRequestPrincipals", item.source.not_request_principals),
        ):
            if values:
                yield f"from[{index}].source.{name}", name
    for index, condition in enumerate(rule.when):
        if condition.key.startswith(TOKEN_CONDITIONS):
            yield f"when[{index}].key", condition.key
