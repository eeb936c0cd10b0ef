"""Decides whether a user may do something: superusers, nodes, then role bindings.

Source: kubernetes plugin/pkg/auth/authorizer/rbac (messages included).
"""

from __future__ import annotations

from collections.abc import Sequence

from lateen.cluster.apiserver.auth.decision import Decision, refusal
from lateen.cluster.apiserver.auth.grants import RBAC_GROUP, Grants
from lateen.cluster.apiserver.auth.node_authorizer import NodeAuthorizer
from lateen.cluster.apiserver.auth.rule import Rule
from lateen.cluster.apiserver.request import RequestInfo, User
from lateen.cluster.apiserver.store.store import Store
from lateen.cluster.apiserver.store_changes import StoreChanges

_KINDS = ("clusterroles", "roles", "clusterrolebindings", "rolebindings")
_EVERYTHING = (
    Rule(verbs=frozenset("*"), groups=frozenset("*"), resources=frozenset("*")),
    Rule(verbs=frozenset("*"), urls=frozenset("*")),
)


class Authorizer:
    """Answers from the stored RBAC objects; a change counts from the moment its write is acknowledged."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._nodes = NodeAuthorizer(store)
        self._changes = StoreChanges(store, [(RBAC_GROUP, plural) for plural in _KINDS])
        self._grants = Grants((), (), (), ())

    def authorize(self, user: User, info: RequestInfo) -> Decision:
        """Never raises: what nobody allows is not allowed."""
        if user.is_superuser:
            return Decision(True)
        node = self._nodes.authorize(user, info)
        if node is not None and node.allowed:
            return node
        errors = []
        for grant in self.grants().of(user, info.namespace):
            if any(rule.allows(info) for rule in grant.rules):
                return Decision(True, f"RBAC: allowed by {grant.source}")
            if grant.error and grant.error not in errors:
                errors.append(grant.error)
        reasons = [node.reason] if node is not None and node.reason else []
        if errors:
            listed = errors[0] if len(errors) == 1 else "[" + ", ".join(errors) + "]"
            reasons.append(f"RBAC: {listed}")
        return Decision(False, "; ".join(reasons))

    def require(self, user: User, info: RequestInfo) -> None:
        """Raises StatusError 403 unless allowed."""
        decision = self.authorize(user, info)
        if not decision.allowed:
            raise refusal(user, info, decision.reason)

    def rules(self, user: User, namespace: str) -> Sequence[Rule]:
        """All rules that the user holds in a namespace (cluster-wide alone when it is empty)."""
        held = [*self._nodes.rules(user), *self.grants().rules_held(user, namespace)]
        # What a superuser may does not hang on a binding; usually there is one that says the same.
        unbound = [rule for rule in _EVERYTHING if rule not in held] if user.is_superuser else []
        return [*unbound, *held]

    def grants(self) -> Grants:
        """The index of bindings as of now."""
        if self._changes.take():
            lists = (self._store.list((RBAC_GROUP, plural)).items for plural in _KINDS)
            self._grants = Grants(*lists)
        return self._grants
