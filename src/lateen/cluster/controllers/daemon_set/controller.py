"""The loop that keeps DaemonSets."""

from __future__ import annotations

from collections.abc import Sequence

from lateen.cluster.client.backoff import Backoff
from lateen.cluster.client.indexed_store import by_namespace
from lateen.cluster.client.informer import Handler
from lateen.cluster.controllers import pods
from lateen.cluster.controllers.controller import Controller, Environment, namespace_terminating
from lateen.cluster.controllers.daemon_set.nodes import pod_spec_for
from lateen.cluster.controllers.daemon_set.rollout import Plan, plan, status
from lateen.cluster.controllers.ownership import claim, claims
from lateen.cluster.controllers.resources import DAEMON_SETS, NODES, PODS, REVISIONS
from lateen.cluster.controllers.revisions import HASH_LABEL, current_revision, hash_of, truncate
from lateen.cluster.controllers.scheduling.taints import taints_of
from lateen.cluster.controllers.slow_start import slow_start
from lateen.cluster.objects import Key, Obj, controller_of, labels_of, metadata, name_of, namespace_of
from lateen.cluster.selectors import from_label_selector
from lateen.cluster.status import StatusError


class DaemonSetController(Controller):
    """Keeps one pod per node for every DaemonSet."""

    name = "daemonset-controller"

    def __init__(self, env: Environment) -> None:
        super().__init__(env)
        self.daemons = self.follow(DAEMON_SETS, self.enqueue, {"namespace": by_namespace})
        self.pods = self.follow(PODS, self._pod_changed, {"namespace": by_namespace})
        self.revisions = self.follow(REVISIONS, indexes={"namespace": by_namespace})
        self.nodes = self.follow(NODES, Handler(self._node_changed, self._node_updated, self._node_changed))
        self._failures: dict[tuple[Key, str], Backoff] = {}

    def _node_changed(self, _node: Obj) -> None:
        for daemon in self.daemons:
            self.enqueue(daemon)

    def _node_updated(self, old: Obj, new: Obj) -> None:
        if labels_of(old) != labels_of(new) or taints_of(old) != taints_of(new):
            self._node_changed(new)

    def _pod_changed(self, pod: Obj) -> None:
        controller = controller_of(pod)
        if controller is not None:
            if controller.get("kind") == "DaemonSet":
                self.queue.add(Key(namespace_of(pod), str(controller.get("name"))))
            return
        for daemon in self.daemons.indexed("namespace", namespace_of(pod)):
            if from_label_selector(daemon["spec"].get("selector")).matches(labels_of(pod)):
                self.enqueue(daemon)

    async def sync(self, key: Key) -> float | None:
        daemon = self.daemons.get(key)
        if daemon is None:
            for known in [k for k in self._failures if k[0] == key]:
                del self._failures[known]
            return None
        selector = from_label_selector(daemon["spec"].get("selector"))
        if selector.empty or pods.is_deleting(daemon):
            return None
        try:
            revision, revisions = await current_revision(
                self.env, daemon, selector, self.revisions.indexed("namespace", key.namespace)
            )
        except StatusError as error:
            if namespace_terminating(error):
                return None
            raise
        hashed, nodes = hash_of(revision), self.nodes.list()
        found = claims(daemon, selector, self.pods.indexed("namespace", key.namespace))
        owned = await claim(self.env, PODS, daemon, found)
        todo = plan(daemon, nodes, owned, hashed, self.env.now())
        wait = self._hold_back_failed(daemon, key, todo)
        failure = await self._carry_out(daemon, todo, hashed)
        owned = claims(daemon, selector, self.pods.indexed("namespace", key.namespace)).owned
        now = self.env.now()
        current = self.daemons.get(key) or daemon
        await self.env.update_status(DAEMON_SETS, current, status(daemon, nodes, owned, hashed, now))
        live = {hashed, *(labels_of(p).get(HASH_LABEL, "") for p in owned)}
        await truncate(self.env, daemon, revisions, live)
        if failure is not None and not namespace_terminating(failure):
            raise failure
        min_ready = int(daemon["spec"].get("minReadySeconds") or 0)
        waits = [w for p in owned if (w := pods.available_in(p, min_ready, now))]
        return min([*waits, *([wait] if wait else [])], default=None)

    def _hold_back_failed(self, daemon: Obj, key: Key, todo: Plan) -> float | None:
        """A daemon that fails at once must not be made again at once."""
        wait = None
        for pod in todo.failed:
            node = pods.node_of(pod)
            backoff = self._failures.setdefault((key, node), Backoff(1.0, 900.0, jitter=0.0))
            age = (self.env.now() - pods.created_at(pod)).total_seconds()
            if age > 2 * backoff.limit:
                backoff.reset()
            due = min(backoff.limit, 2.0 ** min(backoff.attempts, 10))
            if age < due:
                todo.delete.remove(pod)
                wait = due - age if wait is None else min(wait, due - age)
                continue
            backoff.next()
            message = f"Found failed daemon pod {namespace_of(pod)}/{name_of(pod)} on node {node}, will try to kill it"
            self.event(daemon, "Warning", "FailedDaemonPod", message)
        return wait

    async def _carry_out(self, daemon: Obj, todo: Plan, hashed: str) -> StatusError | None:
        generation = str(metadata(daemon).get("generation", 1))

        async def create(node: str) -> None:
            template = daemon["spec"]["template"]
            pod = pods.from_template(template, daemon, generate_name=pods.generate_name(name_of(daemon)))
            pod["metadata"].setdefault("labels", {})[HASH_LABEL] = hashed
            pod["metadata"]["labels"]["pod-template-generation"] = generation
            pod["spec"] = pod_spec_for(pod["spec"], node)
            try:
                made = await self.env.create(PODS, pod)
            except StatusError as error:
                if not namespace_terminating(error):
                    self.event(daemon, "Warning", "FailedCreate", f"Error creating: {error.message}")
                raise
            self.event(daemon, "Normal", "SuccessfulCreate", f"Created pod: {name_of(made)}")

        return await slow_start(todo.create, create) or await self._delete(daemon, todo.delete)

    async def _delete(self, daemon: Obj, doomed: Sequence[Obj]) -> StatusError | None:
        async def delete(pod: Obj) -> None:
            await self.env.delete(PODS, pod)
            self.event(daemon, "Normal", "SuccessfulDelete", f"Deleted pod: {name_of(pod)}")

        return await slow_start(doomed, delete, first=16)
