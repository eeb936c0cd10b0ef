"""Nodes that stop renewing their lease: marked unknown, tainted, and their pods evicted when they tolerate no more.

Source: k8s.io/kubernetes `pkg/controller/nodelifecycle` and `pkg/controller/tainteviction`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence

from lateen.cluster import conditions
from lateen.cluster.client.indexed_store import by_node
from lateen.cluster.controllers import pods
from lateen.cluster.controllers.controller import Controller, Environment
from lateen.cluster.controllers.resources import LEASES, NODES, PODS
from lateen.cluster.controllers.scheduling.taints import taints_of, tolerates
from lateen.cluster.objects import Key, Obj, key_of, metadata, name_of, parse_timestamp, timestamp
from lateen.cluster.status import StatusError

GRACE_SECONDS = 40.0
LEASE_NAMESPACE = "kube-node-lease"
NOT_READY = "node.kubernetes.io/not-ready"
UNREACHABLE = "node.kubernetes.io/unreachable"
_PRESSURES = {
    "MemoryPressure": "node.kubernetes.io/memory-pressure",
    "DiskPressure": "node.kubernetes.io/disk-pressure",
    "PIDPressure": "node.kubernetes.io/pid-pressure",
    "NetworkUnavailable": "node.kubernetes.io/network-unavailable",
}
_CONDITIONS = ("Ready", "MemoryPressure", "DiskPressure", "PIDPressure")
_OURS = {NOT_READY, UNREACHABLE, "node.kubernetes.io/unschedulable", *_PRESSURES.values()}


def wanted_taints(node: Obj, now: str) -> list[Obj]:
    """The node's taints as its conditions and `spec.unschedulable` ask for; those of others stay."""
    status = node.get("status") or {}
    ready = conditions.find(status.get("conditions"), "Ready")
    wanted: list[tuple[str, str]] = []
    if ready is None or ready.get("status") == "Unknown":
        key = UNREACHABLE if ready is not None else NOT_READY
        wanted += [(key, "NoSchedule"), (key, "NoExecute")]
    elif ready.get("status") == "False":
        wanted += [(NOT_READY, "NoSchedule"), (NOT_READY, "NoExecute")]
    for type, key in _PRESSURES.items():
        condition = conditions.find(status.get("conditions"), type)
        if condition is not None and condition.get("status") == "True":
            wanted.append((key, "NoSchedule"))
    if (node.get("spec") or {}).get("unschedulable"):
        wanted.append(("node.kubernetes.io/unschedulable", "NoSchedule"))
    present = {(t.get("key"), t.get("effect")): t for t in taints_of(node)}
    result = [t for t in taints_of(node) if t.get("key") not in _OURS]
    for key, effect in wanted:
        result.append(present.get((key, effect)) or {"key": key, "effect": effect, "timeAdded": now})
    return result


def unknown_conditions(node: Obj, now: str) -> list[Obj]:
    """The conditions of a node that nobody hears from."""
    found = list((node.get("status") or {}).get("conditions") or ())
    for type in _CONDITIONS:
        before = conditions.find(found, type)
        if before is not None and before.get("status") == "Unknown":
            continue
        reason = "NodeStatusUnknown" if before is not None else "NodeStatusNeverUpdated"
        heard = before is not None
        message = "Kubelet stopped posting node status." if heard else "Kubelet never posted node status."
        heartbeat = (before or {}).get("lastHeartbeatTime") or metadata(node).get("creationTimestamp") or now
        found = conditions.with_condition(found, type, "Unknown", reason, message, now, lastHeartbeatTime=heartbeat)
    return found


def silent_for(node: Obj, lease: Obj | None, now: dt.datetime) -> float:
    """Seconds since the node was last heard from."""
    heard = [pods.created_at(node)]
    renewed = ((lease or {}).get("spec") or {}).get("renewTime")
    if renewed:
        heard.append(parse_timestamp(renewed))
    ready = conditions.find((node.get("status") or {}).get("conditions"), "Ready")
    if ready is not None and ready.get("lastHeartbeatTime") and ready.get("status") != "Unknown":
        heard.append(parse_timestamp(ready["lastHeartbeatTime"]))
    return (now - max(heard)).total_seconds()


def seconds_tolerated(tolerations: Iterable[Obj], taints: Sequence[Obj], now: dt.datetime) -> float | None:
    """Until the pod must leave a node with these `NoExecute` taints: 0 at once, None never."""
    earliest: float | None = None
    listed = list(tolerations)
    for taint in taints:
        if taint.get("effect") != "NoExecute":
            continue
        used = [t for t in listed if tolerates(t, taint)]
        if not used:
            return 0.0
        bounds = [float(t["tolerationSeconds"]) for t in used if t.get("tolerationSeconds") is not None]
        if not bounds:
            continue
        since = parse_timestamp(taint["timeAdded"]) if taint.get("timeAdded") else now
        left = max(0.0, min(bounds) - (now - since).total_seconds())
        earliest = left if earliest is None else min(earliest, left)
    return earliest


class NodeLifecycleController(Controller):
    """Watches over nodes; keys with a namespace are pods to evict, those without are nodes."""

    name = "node-controller"

    def __init__(self, env: Environment) -> None:
        super().__init__(env)
        self.nodes = self.follow(NODES, self._node_changed)
        self.leases = self.follow(LEASES)
        self.pods = self.follow(PODS, self._pod_changed, {"node": by_node})
        self._started = env.now()

    def _node_changed(self, node: Obj) -> None:
        self.enqueue(node)
        if any(t.get("effect") == "NoExecute" for t in taints_of(node)):
            for pod in self.pods.indexed("node", name_of(node)):
                self.enqueue(pod)

    def _pod_changed(self, pod: Obj) -> None:
        node = self.nodes.get(Key("", pods.node_of(pod))) if pods.node_of(pod) else None
        if node is not None and any(t.get("effect") == "NoExecute" for t in taints_of(node)):
            self.enqueue(pod)

    async def sync(self, key: Key) -> float | None:
        return await (self._evict(key) if key.namespace else self._watch_over(key))

    async def _watch_over(self, key: Key) -> float | None:
        node = self.nodes.get(key)
        if node is None:
            return None
        now = self.env.now()
        # We may have been away ourselves: nobody is late before we looked for as long as we wait for them.
        silence = min(
            silent_for(node, self.leases.get(Key(LEASE_NAMESPACE, key.name)), now),
            (now - self._started).total_seconds(),
        )
        if silence >= GRACE_SECONDS:
            node = await self._mark_unknown(node)
        taints = wanted_taints(node, timestamp(now))
        if _identities(taints) != _identities(taints_of(node)):
            patch = {"metadata": {"resourceVersion": metadata(node).get("resourceVersion")}, "spec": {"taints": taints}}
            node = await self.env.patch(NODES, key, patch)
        return max(1.0, GRACE_SECONDS - silence) if silence < GRACE_SECONDS else 5.0

    async def _mark_unknown(self, node: Obj) -> Obj:
        found = unknown_conditions(node, timestamp(self.env.now()))
        if found == ((node.get("status") or {}).get("conditions") or []):
            return node
        was_ready = conditions.is_true(node, "Ready")
        status = {**(node.get("status") or {}), "conditions": found}
        node = await self.env.update_status(NODES, node, status)
        if was_ready:
            self.event(node, "Normal", "NodeNotReady", f"Node {name_of(node)} status is now: NodeNotReady")
            for pod in self.pods.indexed("node", name_of(node)):
                await self._mark_not_ready(pod)
        return node

    async def _mark_not_ready(self, pod: Obj) -> None:
        """Traffic must not go to a pod of which nobody knows whether it serves."""
        if not pods.is_ready(pod):
            return
        condition = {
            "type": "Ready",
            "status": "False",
            "lastTransitionTime": timestamp(self.env.now()),
        }
        try:
            patch = {"status": {"conditions": [condition]}}
            await self.env.patch(PODS, key_of(pod), patch, type="strategic", subresource="status")
        except StatusError as error:
            if error.code != 404:
                raise
        self.event(pod, "Warning", "NodeNotReady", "Node is not ready")

    async def _evict(self, key: Key) -> float | None:
        pod = self.pods.get(key)
        node = self.nodes.get(Key("", pods.node_of(pod))) if pod is not None else None
        if pod is None or node is None or pods.is_deleting(pod):
            return None
        left = seconds_tolerated((pod.get("spec") or {}).get("tolerations") or (), taints_of(node), self.env.now())
        if left is None or left > 0:
            return left
        self.event(pod, "Normal", "TaintManagerEviction", f"Marking for deletion Pod {key}")
        await self.env.delete(PODS, pod)
        return None


def _identities(taints: Iterable[Obj]) -> set[tuple[object, ...]]:
    return {(t.get("key"), t.get("value"), t.get("effect")) for t in taints}
