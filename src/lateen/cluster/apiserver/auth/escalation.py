"""Nobody grants what they do not hold: the check on writing roles and bindings.

Source: kubernetes pkg/registry/rbac/*/policybased: the verb `escalate` on a role, or `bind` on the role that a binding
names, lifts it.
"""

from __future__ import annotations

from collections.abc import Sequence

from lateen.cluster.apiserver.auth.grants import RBAC_GROUP
from lateen.cluster.apiserver.auth.rbac import Authorizer
from lateen.cluster.apiserver.auth.rule import Rule, missing_rules, quoted
from lateen.cluster.apiserver.request import Context, RequestInfo
from lateen.cluster.objects import Obj, name_of, namespace_of
from lateen.cluster.status import forbidden, not_found

_ROLES = {"ClusterRole": "clusterroles", "Role": "roles"}


def check_escalation(authorizer: Authorizer, plural: str, obj: Obj, old: Obj | None, ctx: Context) -> None:
    """Checks a write of an object of the RBAC group. Raises StatusError 403, or 404 for an unknown role."""
    if ctx.user.is_superuser:
        return
    if plural in ("roles", "clusterroles"):
        _check_role(authorizer, plural, obj, old, ctx)
    elif plural in ("rolebindings", "clusterrolebindings"):
        _check_binding(authorizer, plural, obj, old, ctx)


def _check_role(authorizer: Authorizer, plural: str, obj: Obj, old: Obj | None, ctx: Context) -> None:
    unchanged = old is not None and all(obj.get(f) == old.get(f) for f in ("rules", "aggregationRule"))
    if unchanged or _may(authorizer, ctx, "escalate", plural, namespace_of(obj), name_of(obj)):
        return
    rules = [Rule.from_json(rule) for rule in obj.get("rules") or ()]
    if obj.get("aggregationRule") and (old is None or obj.get("aggregationRule") != old.get("aggregationRule")):
        # Nobody knows which rules will be gathered: only who may do all may write such a rule.
        everything = [Rule(frozenset("*"), frozenset("*"), frozenset("*")), Rule(frozenset("*"), urls=frozenset("*"))]
        if missing_rules(authorizer.rules(ctx.user, ""), everything):
            raise forbidden(
                RBAC_GROUP, plural, name_of(obj), "must have cluster-admin privileges to use the aggregationRule"
            )
    _require_held(authorizer, plural, obj, rules, ctx)


def _check_binding(authorizer: Authorizer, plural: str, obj: Obj, old: Obj | None, ctx: Context) -> None:
    fields = ("roleRef", "subjects")
    if old is not None and all(obj.get(f) == old.get(f) for f in fields):
        return
    reference = obj.get("roleRef") or {}
    kind, name = str(reference.get("kind")), str(reference.get("name"))
    role_plural = _ROLES.get(kind)
    if role_plural is None:
        return
    if _may(authorizer, ctx, "bind", role_plural, namespace_of(obj), name):
        return
    rules = authorizer.grants().rules_of(kind, namespace_of(obj), name)
    if rules is None:
        raise not_found(RBAC_GROUP, role_plural, name)
    _require_held(authorizer, plural, obj, rules, ctx)


def _may(authorizer: Authorizer, ctx: Context, verb: str, plural: str, namespace: str, name: str) -> bool:
    info = RequestInfo("", verb, RBAC_GROUP, "v1", plural, namespace, name)
    return authorizer.authorize(ctx.user, info).allowed


def _require_held(authorizer: Authorizer, plural: str, obj: Obj, rules: Sequence[Rule], ctx: Context) -> None:
    missing = missing_rules(authorizer.rules(ctx.user, namespace_of(obj)), rules)
    if missing:
        listed = "\n".join(str(rule) for rule in missing)
        user = f'user "{ctx.user.name}" (groups={quoted(ctx.user.groups)})'
        detail = f"{user} is attempting to grant RBAC permissions not currently held:\n{listed}"
        raise forbidden(RBAC_GROUP, plural, name_of(obj), detail)
