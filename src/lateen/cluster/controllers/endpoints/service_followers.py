"""What the controllers of Services have in common: pods and nodes lead to the Services they belong to."""

from __future__ import annotations

from lateen.cluster.client.indexed_store import by_namespace, by_node
from lateen.cluster.client.informer import Handler
from lateen.cluster.controllers import pods
from lateen.cluster.controllers.controller import Controller, Environment
from lateen.cluster.controllers.endpoints.members import selects
from lateen.cluster.controllers.resources import PODS, SERVICES
from lateen.cluster.objects import Obj, labels_of, namespace_of


class ServiceController(Controller):
    """Enqueues a Service when it changes, or a pod that it selects or selected."""

    workers = 8

    def __init__(self, env: Environment) -> None:
        super().__init__(env)
        self.services = self.follow(SERVICES, self.enqueue, {"namespace": by_namespace})
        handler = Handler(self._pod_changed, self._pod_updated, self._pod_changed)
        self.pods = self.follow(PODS, handler, {"namespace": by_namespace, "node": by_node})

    def members(self, service: Obj) -> list[Obj]:
        """The pods that the Service selects."""
        return [pod for pod in self.pods.indexed("namespace", namespace_of(service)) if selects(service, pod)]

    def _pod_changed(self, pod: Obj) -> None:
        for service in self.services.indexed("namespace", namespace_of(pod)):
            if selects(service, pod):
                self.enqueue(service)

    def _pod_updated(self, old: Obj, new: Obj) -> None:
        if _shown(old) == _shown(new):
            return
        self._pod_changed(new)
        if labels_of(old) != labels_of(new):
            self._pod_changed(old)


def _shown(pod: Obj) -> tuple[object, ...]:
    """All of a pod that endpoints show: probes and log lines change the rest of its status."""
    status = pod.get("status") or {}
    return (
        labels_of(pod),
        pods.node_of(pod),
        status.get("podIPs") or status.get("podIP"),
        pods.is_ready(pod),
        pods.is_deleting(pod),
        pods.is_terminal(pod),
    )
