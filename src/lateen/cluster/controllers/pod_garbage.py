"""Pods that no node will ever finish: of nodes that are gone, and more finished ones than anyone looks at.

Source: k8s.io/kubernetes `pkg/controller/podgc`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lateen.cluster.client.indexed_store import by_node
from lateen.cluster.client.informer import Handler
from lateen.cluster.controllers import pods
from lateen.cluster.controllers.controller import Controller, Environment
from lateen.cluster.controllers.resources import NODES, PODS
from lateen.cluster.objects import Key, Obj, key_of, name_of, timestamp
from lateen.cluster.status import StatusError

TERMINATED_LIMIT = 12500
QUARANTINE_SECONDS = 40.0
"""A node that was deleted and registers again at once keeps its pods."""
_ALL = Key("", "")


def surplus_terminated(everything: Iterable[Obj], limit: int = TERMINATED_LIMIT) -> list[Obj]:
    """The oldest finished pods beyond the limit."""
    finished = [pod for pod in everything if pods.is_terminal(pod)]
    if len(finished) <= limit:
        return []
    return sorted(finished, key=pods.created_at)[: len(finished) - limit]


class PodGarbageController(Controller):
    """Deletes pods of nodes that are gone, deleted pods that no node has, and too many finished ones."""

    name = "pod-garbage-collector"
    workers = 1

    def __init__(self, env: Environment) -> None:
        super().__init__(env)
        self.nodes = self.follow(NODES, Handler(deleted=self._node_deleted))
        self.pods = self.follow(PODS, self._pod_changed, {"node": by_node})

    def _node_deleted(self, node: Obj) -> None:
        self.queue.add_after(Key("", name_of(node)), QUARANTINE_SECONDS)

    def _pod_changed(self, pod: Obj) -> None:
        node = pods.node_of(pod)
        if not node and pods.is_deleting(pod):
            self.queue.add(key_of(pod))
        elif node and self.nodes.get(Key("", node)) is None:
            self.queue.add_after(Key("", node), QUARANTINE_SECONDS)
        elif pods.is_terminal(pod) and len(self.pods) > TERMINATED_LIMIT:
            self.queue.add(_ALL)

    async def sync(self, key: Key) -> float | None:
        if key == _ALL:
            await self._delete(surplus_terminated(self.pods))
        elif key.namespace:
            pod = self.pods.get(key)
            if pod is not None and not pods.node_of(pod) and pods.is_deleting(pod):
                await self._delete([pod])
        elif self.nodes.get(key) is None:
            await self._orphaned(key)
        return None

    async def _orphaned(self, node: Key) -> None:
        try:
            await self.env.client.get(NODES, node)
        except StatusError as error:
            if error.code != 404:
                raise
            for pod in self.pods.indexed("node", node.name):
                await self._fail(pod)
            await self._delete(self.pods.indexed("node", node.name))

    async def _fail(self, pod: Obj) -> None:
        """Whoever waits for the pod learns how it ended."""
        if pods.is_terminal(pod):
            return
        condition = {
            "type": "DisruptionTarget",
            "status": "True",
            "reason": "DeletionByPodGC",
            "message": "PodGC: node no longer exists",
            "lastTransitionTime": timestamp(self.env.now()),
        }
        patch = {"status": {"phase": "Failed", "conditions": [condition]}}
        try:
            await self.env.patch(PODS, key_of(pod), patch, type="strategic", subresource="status")
        except StatusError as error:
            if error.code != 404:
                raise

    async def _delete(self, doomed: Sequence[Obj] | Iterable[Obj]) -> None:
        for pod in doomed:
            await self.env.delete(PODS, pod, grace_seconds=0)
