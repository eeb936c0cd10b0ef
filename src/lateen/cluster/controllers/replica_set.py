"""ReplicaSets and ReplicationControllers: as many pods of a template as asked for.

Source: k8s.io/kubernetes `pkg/controller/replicaset`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from lateen.cluster import conditions
from lateen.cluster.client.indexed_store import by_namespace
from lateen.cluster.controllers import pods
from lateen.cluster.controllers.controller import Controller, Environment, namespace_terminating
from lateen.cluster.controllers.ownership import claim, claims
from lateen.cluster.controllers.resources import PODS, REPLICA_SETS, REPLICATION_CONTROLLERS
from lateen.cluster.controllers.slow_start import BURST, slow_start
from lateen.cluster.objects import (
    GVR,
    Key,
    Obj,
    controller_of,
    labels_of,
    metadata,
    name_of,
    namespace_of,
    timestamp,
    uid_of,
)
from lateen.cluster.selectors import Selector, from_label_selector, from_map
from lateen.cluster.status import StatusError


@dataclass(frozen=True, slots=True)
class Plan:
    """What is missing and what is too much."""

    create: int
    delete: tuple[Obj, ...]


def plan(owner: Obj, owned: Sequence[Obj], related: Sequence[Obj]) -> Plan:
    """How to come from the pods `owned` to the wanted number; `related` are the pods of all its siblings."""
    active = [pod for pod in owned if pods.is_active(pod)]
    missing = wanted(owner) - len(active)
    if missing >= 0:
        return Plan(min(missing, BURST), ())
    surplus = min(-missing, BURST)
    return Plan(0, tuple(pods.deletion_order(active, related)[:surplus]))


def wanted(owner: Obj) -> int:
    replicas = owner["spec"].get("replicas")
    return 1 if replicas is None else int(replicas)


def status(owner: Obj, owned: Sequence[Obj], failure: StatusError | None, missing: int, now: dt.datetime) -> Obj:
    """The status that the pods give."""
    template_labels = (owner["spec"].get("template") or {}).get("metadata", {}).get("labels") or {}
    min_ready = int(owner["spec"].get("minReadySeconds") or 0)
    active = [pod for pod in owned if pods.is_active(pod)]
    result: Obj = {
        "replicas": len(active),
        "fullyLabeledReplicas": sum(template_labels.items() <= labels_of(pod).items() for pod in active),
        "readyReplicas": sum(pods.is_ready(pod) for pod in active),
        "availableReplicas": sum(pods.is_available(pod, min_ready, now) for pod in active),
        "observedGeneration": metadata(owner).get("generation", 0),
    }
    result = {k: v for k, v in result.items() if v or k == "replicas"}
    before = (owner.get("status") or {}).get("conditions")
    if failure is not None:
        reason = "FailedCreate" if missing > 0 else "FailedDelete"
        after = conditions.with_condition(before, "ReplicaFailure", "True", reason, failure.message, timestamp(now))
    else:
        after = conditions.without(before, "ReplicaFailure")
    if after:
        result["conditions"] = after
    return result


def next_availability(owner: Obj, owned: Sequence[Obj], now: dt.datetime) -> float | None:
    """Seconds until the next ready pod becomes available by `minReadySeconds`."""
    min_ready = int(owner["spec"].get("minReadySeconds") or 0)
    waits = (pods.available_in(pod, min_ready, now) for pod in owned if pods.is_active(pod))
    return min((wait for wait in waits if wait), default=None)


class ReplicaSetController(Controller):
    """Keeps the pods of one kind of replica owner."""

    name = "replicaset-controller"
    gvr: GVR = REPLICA_SETS
    kind = "ReplicaSet"
    workers = 8

    def __init__(self, env: Environment) -> None:
        super().__init__(env)
        self.owners = self.follow(self.gvr, self.enqueue, {"namespace": by_namespace})
        self.pods = self.follow(PODS, self._pod_changed, {"namespace": by_namespace})

    def selector(self, owner: Obj) -> Selector:
        return from_label_selector(owner["spec"].get("selector"))

    def _pod_changed(self, pod: Obj) -> None:
        controller = controller_of(pod)
        if controller is not None:
            if controller.get("kind") == self.kind:
                self.queue.add(Key(namespace_of(pod), str(controller.get("name"))))
            # A pod released a moment ago may be wanted by nobody; its old owner hears of it by the same event.
            return
        for owner in self.owners.indexed("namespace", namespace_of(pod)):
            if self.selector(owner).matches(labels_of(pod)):
                self.enqueue(owner)

    async def sync(self, key: Key) -> float | None:
        owner = self.owners.get(key)
        if owner is None:
            return None
        selector = self.selector(owner)
        if selector.empty:
            return None
        found = claims(owner, selector, self.pods.indexed("namespace", key.namespace))
        owned = await claim(self.env, PODS, owner, found)
        failure, missing = None, 0
        if not pods.is_deleting(owner):
            todo = plan(owner, owned, self._related(owner))
            missing = todo.create
            failure = await self._create(owner, todo.create) or await self._delete(owner, todo.delete)
            if failure is not None and namespace_terminating(failure):
                return None
        now = self.env.now()
        owned = [p for p in self.pods.indexed("namespace", key.namespace) if _is_owned(p, owner)]
        current = self.owners.get(key) or owner
        await self.env.update_status(self.gvr, current, status(current, owned, failure, missing, now))
        if failure is not None:
            raise failure
        return next_availability(owner, owned, now)

    def _related(self, owner: Obj) -> list[Obj]:
        """The pods of the owner and of its siblings: the other ReplicaSets of its Deployment."""
        parent = controller_of(owner)
        family = {uid_of(owner)}
        if parent is not None:
            for sibling in self.owners.indexed("namespace", namespace_of(owner)):
                controller = controller_of(sibling)
                if controller is not None and controller.get("uid") == parent.get("uid"):
                    family.add(uid_of(sibling))
        return [
            pod
            for pod in self.pods.indexed("namespace", namespace_of(owner))
            if (controller_of(pod) or {}).get("uid") in family
        ]

    async def _create(self, owner: Obj, count: int) -> StatusError | None:
        template = owner["spec"].get("template") or {}
        prefix = pods.generate_name(name_of(owner))

        async def create(_number: int) -> None:
            try:
                pod = await self.env.create(PODS, pods.from_template(template, owner, generate_name=prefix))
            except StatusError as error:
                if not namespace_terminating(error):
                    self.event(owner, "Warning", "FailedCreate", f"Error creating: {error.message}")
                raise
            self.event(owner, "Normal", "SuccessfulCreate", f"Created pod: {name_of(pod)}")

        return await slow_start(range(count), create)

    async def _delete(self, owner: Obj, surplus: Sequence[Obj]) -> StatusError | None:
        async def delete(pod: Obj) -> None:
            try:
                await self.env.delete(PODS, pod)
            except StatusError as error:
                self.event(owner, "Warning", "FailedDelete", f"Error deleting: {error.message}")
                raise
            self.event(owner, "Normal", "SuccessfulDelete", f"Deleted pod: {name_of(pod)}")

        return await slow_start(surplus, delete, first=16)


def _is_owned(pod: Obj, owner: Obj) -> bool:
    controller = controller_of(pod)
    return controller is not None and controller.get("uid") == uid_of(owner)


class ReplicationControllerController(ReplicaSetController):
    """The same for the older kind, whose selector is a plain map."""

    name = "replication-controller"
    gvr = REPLICATION_CONTROLLERS
    kind = "ReplicationController"

    def selector(self, owner: Obj) -> Selector:
        labels = owner["spec"].get("selector") or {}
        return from_map(labels or ((owner["spec"].get("template") or {}).get("metadata") or {}).get("labels") or {})
