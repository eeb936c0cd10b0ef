"""PodDisruptionBudgets: how many pods may be evicted now.

Source: k8s.io/kubernetes `pkg/controller/disruption`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

from lateen.cluster import conditions
from lateen.cluster.client.indexed_store import by_namespace
from lateen.cluster.controllers import pods
from lateen.cluster.controllers.controller import Controller, Environment
from lateen.cluster.controllers.resources import (
    BUDGETS,
    DEPLOYMENTS,
    PODS,
    REPLICA_SETS,
    REPLICATION_CONTROLLERS,
    STATEFUL_SETS,
)
from lateen.cluster.int_or_percent import resolve
from lateen.cluster.objects import (
    GVR,
    Key,
    Obj,
    controller_of,
    labels_of,
    metadata,
    name_of,
    namespace_of,
    parse_timestamp,
    timestamp,
    uid_of,
)
from lateen.cluster.selectors import from_label_selector

DISRUPTION_SECONDS = 120.0
"""An evicted pod that is still there after this was not deleted after all."""
_SCALES: Mapping[str, GVR] = {
    "ReplicaSet": REPLICA_SETS,
    "StatefulSet": STATEFUL_SETS,
    "ReplicationController": REPLICATION_CONTROLLERS,
    "Deployment": DEPLOYMENTS,
}


def budget_status(budget: Obj, members: Sequence[Obj], scales: int, now: dt.datetime) -> tuple[Obj, float | None]:
    """The status for the selected pods, whose controllers want `scales` pods; and seconds to the next expiry."""
    spec, before = budget.get("spec") or {}, budget.get("status") or {}
    expected, desired = _numbers(spec, members, scales)
    pending, wait = _disrupted(before.get("disruptedPods") or {}, members, now)
    healthy = sum(pods.is_ready(p) and not pods.is_deleting(p) and name_of(p) not in pending for p in members)
    allowed = max(0, healthy - desired) if expected > 0 else 0
    at = timestamp(now)
    reason = "SufficientPods" if allowed else "InsufficientPods"
    status: Obj = {
        "observedGeneration": metadata(budget).get("generation", 0),
        "disruptionsAllowed": allowed,
        "currentHealthy": healthy,
        "desiredHealthy": desired,
        "expectedPods": expected,
        "conditions": conditions.with_condition(
            before.get("conditions"),
            "DisruptionAllowed",
            "True" if allowed else "False",
            reason,
            "",
            at,
            observedGeneration=metadata(budget).get("generation", 0),
        ),
    }
    if pending:
        status["disruptedPods"] = pending
    return status, wait


def _numbers(spec: Obj, members: Sequence[Obj], scales: int) -> tuple[int, int]:
    """(expected, healthy ones that must stay)."""
    if spec.get("maxUnavailable") is not None:
        return scales, max(0, scales - resolve(spec["maxUnavailable"], scales, round_up=True))
    minimum = spec.get("minAvailable")
    if isinstance(minimum, int):
        return len(members), minimum
    if minimum is not None:
        return scales, resolve(minimum, scales, round_up=True)
    return len(members), 1


def _disrupted(marked: Mapping[str, str], members: Sequence[Obj], now: dt.datetime) -> tuple[Obj, float | None]:
    """Evictions that did not show yet: the pod is there and not being deleted, and it is not too long ago."""
    by_name = {name_of(p): p for p in members}
    pending, wait = {}, None
    for name, since in marked.items():
        pod = by_name.get(name)
        if pod is None or pods.is_deleting(pod):
            continue
        rest = DISRUPTION_SECONDS - (now - parse_timestamp(since)).total_seconds()
        if rest > 0:
            pending[name] = since
            wait = rest if wait is None else min(wait, rest)
    return pending, wait


class DisruptionController(Controller):
    """Keeps the status that evictions are decided by."""

    name = "disruption-controller"

    def __init__(self, env: Environment) -> None:
        super().__init__(env)
        self.budgets = self.follow(BUDGETS, self.enqueue, {"namespace": by_namespace})
        self.pods = self.follow(PODS, self._pod_changed, {"namespace": by_namespace})
        self.scales = {kind: self.follow(gvr, self._scale_changed) for kind, gvr in _SCALES.items()}

    def _pod_changed(self, pod: Obj) -> None:
        for budget in self.budgets.indexed("namespace", namespace_of(pod)):
            if self._selects(budget, pod):
                self.enqueue(budget)

    def _scale_changed(self, owner: Obj) -> None:
        for budget in self.budgets.indexed("namespace", namespace_of(owner)):
            self.enqueue(budget)

    @staticmethod
    def _selects(budget: Obj, pod: Obj) -> bool:
        return from_label_selector((budget.get("spec") or {}).get("selector")).matches(labels_of(pod))

    def _expected(self, members: Sequence[Obj]) -> int:
        """The pods that the members' controllers want in sum; a pod that has none counts for itself."""
        wanted: dict[str, int] = {}
        for pod in members:
            reference = controller_of(pod)
            owner = self._owner(namespace_of(pod), reference)
            if owner is None:
                wanted[str((reference or {}).get("uid") or uid_of(pod))] = (
                    sum((controller_of(p) or {}).get("uid") == (reference or {}).get("uid", uid_of(p)) for p in members)
                    if reference
                    else 1
                )
                continue
            top = self._owner(namespace_of(pod), controller_of(owner)) or owner
            replicas = (top.get("spec") or {}).get("replicas")
            wanted[uid_of(top)] = 1 if replicas is None else int(replicas)
        return sum(wanted.values())

    def _owner(self, namespace: str, reference: Obj | None) -> Obj | None:
        store = self.scales.get(str((reference or {}).get("kind")))
        if store is None or reference is None:
            return None
        found = store.get(Key(namespace, str(reference.get("name"))))
        return found if found is not None and uid_of(found) == reference.get("uid") else None

    async def sync(self, key: Key) -> float | None:
        budget = self.budgets.get(key)
        if budget is None:
            return None
        found = self.pods.indexed("namespace", key.namespace)
        members = [p for p in found if self._selects(budget, p) and not pods.is_terminal(p)]
        status, wait = budget_status(budget, members, self._expected(members), self.env.now())
        await self.env.update_status(BUDGETS, budget, status)
        return wait
