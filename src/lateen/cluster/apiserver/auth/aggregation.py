"""Keeps the rules of aggregated ClusterRoles equal to the union of those that their selectors match.

Source: kubernetes pkg/controller/clusterroleaggregation.
"""

from __future__ import annotations

from collections.abc import Iterable

from lateen.cluster.apiserver.auth.grants import RBAC_GROUP
from lateen.cluster.apiserver.store.event import GroupResource
from lateen.cluster.apiserver.store.store import Store
from lateen.cluster.apiserver.store_follower import follow
from lateen.cluster.objects import Key, Obj, deep_copy, labels_of, metadata, name_of
from lateen.cluster.selectors import from_label_selector

_CLUSTER_ROLES = (RBAC_GROUP, "clusterroles")


def aggregated_rules(role: Obj, roles: Iterable[Obj]) -> list[Obj]:
    """The rules of all others that `role`'s aggregationRule selects, ordered by name, each rule once."""
    selectors = [from_label_selector(s) for s in role["aggregationRule"].get("clusterRoleSelectors") or ()]
    chosen = [
        other
        for other in roles
        if name_of(other) != name_of(role) and any(selector.matches(labels_of(other)) for selector in selectors)
    ]
    rules: list[Obj] = []
    for other in sorted(chosen, key=name_of):
        rules.extend(rule for rule in other.get("rules") or () if rule not in rules)
    return rules


async def aggregate(store: Store) -> None:
    """Brings every aggregated role up to date, roles that aggregate aggregated ones included.

    Raises StatusError when somebody else writes one at the same time (that write is a reason to come again).
    """
    roles = {name_of(role): role for role in store.list(_CLUSTER_ROLES).items}
    # Aggregates may contain aggregates: as many rounds as there are of them settle every chain, cycles end too.
    aggregates = [name for name, role in roles.items() if role.get("aggregationRule")]
    for _ in aggregates:
        changed = False
        for name in aggregates:
            role = roles[name]
            rules = aggregated_rules(role, roles.values())
            if rules != (role.get("rules") or []):
                roles[name] = await _write(store, role, rules)
                changed = True
        if not changed:
            return


async def _write(store: Store, role: Obj, rules: list[Obj]) -> Obj:
    updated: Obj = deep_copy(role)
    updated["rules"] = deep_copy(rules)
    return await store.update(_CLUSTER_ROLES, updated, metadata(role).get("resourceVersion"))


async def run_aggregation(store: Store) -> None:
    """Runs until cancelled, or until the store closes."""

    async def reconcile(resource: GroupResource, key: Key) -> None:
        await aggregate(store)

    await follow(store, [_CLUSTER_ROLES], reconcile)
