"""Ensures the default roles, bindings and priority classes when the API server starts.

Source: kubernetes pkg/registry/rbac/rest (reconciliation: what is missing is added, what users added stays, unless
the object opts out with `rbac.authorization.kubernetes.io/autoupdate: "false"`).
"""

from __future__ import annotations

import uuid

from lateen.cluster.apiserver.auth.aggregation import aggregate
from lateen.cluster.apiserver.auth.bootstrap_roles import RBAC_GROUP, cluster_role_bindings, cluster_roles
from lateen.cluster.apiserver.auth.rule import Rule, missing_rules
from lateen.cluster.apiserver.store.store import Store
from lateen.cluster.objects import Key, Obj, annotations_of, deep_copy, metadata, name_of, timestamp

AUTOUPDATE = f"{RBAC_GROUP}/autoupdate"

PRIORITY_CLASSES = {
    "system-cluster-critical": (
        2_000_000_000,
        "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.",
    ),
    "system-node-critical": (
        2_000_001_000,
        "Used for system critical pods that must not be moved from their current node.",
    ),
}


async def bootstrap(store: Store) -> None:
    """Idempotent; writes only what is missing."""
    for role in cluster_roles():
        await _ensure(store, "clusterroles", role)
    for binding in cluster_role_bindings():
        await _ensure(store, "clusterrolebindings", binding)
    await aggregate(store)
    for name, (value, description) in PRIORITY_CLASSES.items():
        resource = ("scheduling.k8s.io", "priorityclasses")
        if store.get(resource, Key("", name)) is None:
            await store.create(resource, _new(_priority_class(name, value, description)))


def _priority_class(name: str, value: int, description: str) -> Obj:
    return {
        "apiVersion": "scheduling.k8s.io/v1",
        "kind": "PriorityClass",
        "metadata": {"name": name},
        "value": value,
        "globalDefault": False,
        "description": description,
        "preemptionPolicy": "PreemptLowerPriority",
    }


async def _ensure(store: Store, plural: str, wanted: Obj) -> None:
    resource = (RBAC_GROUP, plural)
    live = store.get(resource, Key("", name_of(wanted)))
    if live is None:
        await store.create(resource, _new(wanted))
        return
    if annotations_of(live).get(AUTOUPDATE) == "false":
        return
    merged = _merge(live, wanted)
    if merged != live:
        await store.update(resource, merged, metadata(live).get("resourceVersion"))


def _merge(live: Obj, wanted: Obj) -> Obj:
    """The live object with whatever of the wanted one it lacks."""
    merged: Obj = deep_copy(live)
    for field in ("labels", "annotations"):
        ours = metadata(wanted).get(field) or {}
        merged["metadata"][field] = {**ours, **(metadata(live).get(field) or {})}
    # Aggregated rules belong to the aggregation, which follows.
    if "rules" in wanted and "aggregationRule" not in wanted:
        held = [Rule.from_json(rule) for rule in live.get("rules") or ()]
        lacking = [r for r in wanted["rules"] if missing_rules(held, [Rule.from_json(r)])]
        merged["rules"] = [*(merged.get("rules") or ()), *lacking]
    if "aggregationRule" in wanted:
        merged["aggregationRule"] = wanted["aggregationRule"]
    if "subjects" in wanted:
        subjects = merged.get("subjects") or []
        merged["subjects"] = [*subjects, *(s for s in wanted["subjects"] if s not in subjects)]
    return merged


def _new(obj: Obj) -> Obj:
    return {**obj, "metadata": {**obj["metadata"], "uid": str(uuid.uuid4()), "creationTimestamp": timestamp()}}
