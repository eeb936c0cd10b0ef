"""The loop that gives every pod a node: the `default-scheduler`."""

from __future__ import annotations

import asyncio

from lateen.cluster import conditions
from lateen.cluster.client.backoff import Backoff
from lateen.cluster.client.indexed_store import by_node
from lateen.cluster.client.informer import Handler
from lateen.cluster.controllers import pods
from lateen.cluster.controllers.controller import Controller, Environment
from lateen.cluster.controllers.resources import NAMESPACES, NODES, PODS
from lateen.cluster.controllers.scheduling.placement import NodeState, choose, node_state
from lateen.cluster.objects import Key, Obj, key_of, labels_of, metadata, name_of, namespace_of, timestamp, uid_of
from lateen.cluster.status import StatusError

SCHEDULER = "default-scheduler"


class Scheduler(Controller):
    """Chooses one pod's node at a time; bindings are written at the same time."""

    name = SCHEDULER
    # The choice itself never awaits, so that workers cannot promise the same room twice; only bindings overlap.
    workers = 32

    def __init__(self, env: Environment) -> None:
        super().__init__(env)
        self.nodes = self.follow(NODES, Handler(self._room, self._node_updated, lambda _node: None))
        self.pods = self.follow(PODS, Handler(self._pod_added, self._pod_updated, self._pod_deleted), {"node": by_node})
        self.namespaces = self.follow(NAMESPACES)
        self._assumed: dict[str, tuple[Obj, str]] = {}
        self._refused: dict[str, tuple[Backoff, float]] = {}
        """Pods that found no node: their back-off, and when (event loop time) they may try again."""

    def _pod_added(self, pod: Obj) -> None:
        if pods.node_of(pod):
            self._assumed.pop(uid_of(pod), None)
            self._refused.pop(uid_of(pod), None)
            if pods.is_terminal(pod):
                self._retry_all()
            return
        if self._wants_node(pod):
            self.enqueue(pod)

    def _pod_updated(self, old: Obj, new: Obj) -> None:
        # Our own word about a pod that found no node is no reason to try again.
        if pods.node_of(new) or old.get("spec") != new.get("spec") or labels_of(old) != labels_of(new):
            self._pod_added(new)

    def _pod_deleted(self, pod: Obj) -> None:
        self._assumed.pop(uid_of(pod), None)
        self._refused.pop(uid_of(pod), None)
        if pods.node_of(pod):
            self._retry_all()

    def _room(self, _node: Obj) -> None:
        self._retry_all()

    def _node_updated(self, old: Obj, new: Obj) -> None:
        """Heartbeats change nothing here."""
        same = old.get("spec") == new.get("spec") and labels_of(old) == labels_of(new)
        before, after = old.get("status") or {}, new.get("status") or {}
        if not same or before.get("allocatable") != after.get("allocatable"):
            self._retry_all()

    def _retry_all(self) -> None:
        now = asyncio.get_running_loop().time()
        for pod in self.pods.indexed("node", ""):
            _, due = self._refused.get(uid_of(pod), (None, now))
            if self._wants_node(pod):
                self.queue.add_after(key_of(pod), due - now)

    @staticmethod
    def _wants_node(pod: Obj) -> bool:
        return pods.is_active(pod) and (pod.get("spec") or {}).get("schedulerName", SCHEDULER) == SCHEDULER

    def _states(self) -> list[NodeState]:
        promised: dict[str, list[Obj]] = {}
        for pod, chosen in self._assumed.values():
            promised.setdefault(chosen, []).append(pod)
        found = []
        for node in self.nodes:
            there = [p for p in self.pods.indexed("node", name_of(node)) if not pods.is_terminal(p)]
            found.append(node_state(node, [*there, *promised.get(name_of(node), ())]))
        return found

    def _namespace_labels(self, namespace: str) -> dict[str, str]:
        found = self.namespaces.get(Key("", namespace))
        return labels_of(found) if found is not None else {}

    async def sync(self, key: Key) -> float | None:
        pod = self.pods.get(key)
        if pod is None or pods.node_of(pod) or not pods.is_active(pod) or uid_of(pod) in self._assumed:
            return None
        if (pod.get("spec") or {}).get("schedulingGates"):
            return None
        choice = choose(pod, self._states(), self._namespace_labels)
        if not choice.node:
            backoff, _ = self._refused.get(uid_of(pod), (Backoff(1.0, 10.0, jitter=0.0), 0.0))
            self._refused[uid_of(pod)] = (backoff, asyncio.get_running_loop().time() + backoff.next())
            self.event(pod, "Warning", "FailedScheduling", choice.message)
            await self._unschedulable(pod, choice.message)
            return None
        self._assumed[uid_of(pod)] = (pod, choice.node)
        try:
            await self._bind(pod, choice.node)
        except (StatusError, asyncio.CancelledError):
            self._assumed.pop(uid_of(pod), None)
            raise
        return None

    async def _bind(self, pod: Obj, node: str) -> None:
        binding = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": name_of(pod), "namespace": namespace_of(pod), "uid": uid_of(pod)},
            "target": {"apiVersion": "v1", "kind": "Node", "name": node},
        }
        try:
            await self.env.client.create_subresource(PODS, key_of(pod), "binding", binding)
        except StatusError as error:
            if error.code in (404, 409) and self.pods.get(key_of(pod)) is None:
                # Deleted meanwhile.
                self._assumed.pop(uid_of(pod), None)
                return
            raise
        self.event(pod, "Normal", "Scheduled", f"Successfully assigned {key_of(pod)} to {node}")

    async def _unschedulable(self, pod: Obj, message: str) -> None:
        status = pod.get("status") or {}
        present = conditions.find(status.get("conditions"), "PodScheduled")
        if present is not None and present.get("status") == "False" and present.get("message") == message:
            return
        condition = {
            "type": "PodScheduled",
            "status": "False",
            "lastProbeTime": None,
            "lastTransitionTime": timestamp(self.env.now()),
            "reason": "Unschedulable",
            "message": message,
        }
        patch = {"metadata": {"uid": metadata(pod).get("uid")}, "status": {"conditions": [condition]}}
        await self.env.patch(PODS, key_of(pod), patch, type="strategic", subresource="status")
