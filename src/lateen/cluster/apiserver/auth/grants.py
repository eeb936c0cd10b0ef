"""An index of all role bindings: which rules a user holds, and by which binding."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from lateen.cluster.apiserver.auth import service_account
from lateen.cluster.apiserver.auth.rule import Rule
from lateen.cluster.apiserver.request import User
from lateen.cluster.objects import Obj, name_of, namespace_of

RBAC_GROUP = "rbac.authorization.k8s.io"


@dataclass(frozen=True, slots=True)
class Grant:
    """The rules that one subject of one binding gets. An unresolvable role has no rules and an `error`."""

    namespace: str
    """Where the grant holds; empty for everywhere."""
    rules: tuple[Rule, ...]
    source: str
    error: str = ""


class Grants:
    """Immutable; built anew whenever an RBAC object changes."""

    def __init__(
        self,
        cluster_roles: Iterable[Obj],
        roles: Iterable[Obj],
        cluster_role_bindings: Iterable[Obj],
        role_bindings: Iterable[Obj],
    ) -> None:
        self._rules: dict[tuple[str, str, str], tuple[Rule, ...]] = {}
        for kind, found in (("ClusterRole", cluster_roles), ("Role", roles)):
            for role in found:
                rules = tuple(Rule.from_json(rule) for rule in role.get("rules") or ())
                self._rules[kind, namespace_of(role), name_of(role)] = rules
        self._by_subject: dict[tuple[str, str], list[Grant]] = {}
        for binding in cluster_role_bindings:
            self._bind(f'ClusterRoleBinding "{name_of(binding)}"', "", binding)
        for binding in role_bindings:
            namespace = namespace_of(binding)
            self._bind(f'RoleBinding "{name_of(binding)}/{namespace}"', namespace, binding)

    def _bind(self, shown: str, namespace: str, binding: Obj) -> None:
        reference = binding.get("roleRef") or {}
        kind, name = str(reference.get("kind")), str(reference.get("name"))
        rules = self.rules_of(kind, namespace, name)
        error = "" if rules is not None else f'{kind.lower()}.{RBAC_GROUP} "{name}" not found'
        for subject in binding.get("subjects") or ():
            if (key := _subject_key(subject, namespace)) is not None:
                source = f'{shown} of {kind} "{name}" to {_show(subject, namespace)}'
                self._by_subject.setdefault(key, []).append(Grant(namespace, rules or (), source, error))

    def rules_of(self, kind: str, namespace: str, name: str) -> tuple[Rule, ...] | None:
        """The rules of a role (`namespace` only counts for a Role), or None when there is no such role."""
        return self._rules.get((kind, namespace if kind == "Role" else "", name))

    def of(self, user: User, namespace: str) -> Iterator[Grant]:
        """Grants everywhere and, when a namespace is given, in it. The cluster-wide ones come first."""
        held = [grant for key in _keys(user) for grant in self._by_subject.get(key, ())]
        yield from (grant for grant in held if not grant.namespace)
        if namespace:
            yield from (grant for grant in held if grant.namespace == namespace)

    def rules_held(self, user: User, namespace: str) -> list[Rule]:
        return [rule for grant in self.of(user, namespace) for rule in grant.rules]


def _keys(user: User) -> Iterator[tuple[str, str]]:
    yield "User", user.name
    for group in user.groups:
        yield "Group", group


def _subject_key(subject: Obj, namespace: str) -> tuple[str, str] | None:
    name = str(subject.get("name"))
    match subject.get("kind"):
        case "User" | "Group" as kind:
            return kind, name
        case "ServiceAccount":
            return "User", service_account.username(str(subject.get("namespace") or namespace), name)
    return None


def _show(subject: Obj, namespace: str) -> str:
    kind, name = subject.get("kind"), subject.get("name")
    if kind == "ServiceAccount":
        return f'{kind} "{name}/{subject.get("namespace") or namespace}"'
    return f'{kind} "{name}"'
