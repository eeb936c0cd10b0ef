"""The loop that rolls Deployments out."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from lateen.cluster import conditions
from lateen.cluster.client.indexed_store import by_namespace
from lateen.cluster.controllers import pods
from lateen.cluster.controllers.controller import Controller, Environment, namespace_terminating
from lateen.cluster.controllers.deployment import status as statuses
from lateen.cluster.controllers.deployment.limits import count, is_rolling, replicas_of
from lateen.cluster.controllers.deployment.replica_sets import (
    REVISION,
    annotations_for,
    find_new,
    latest_revision,
    new_replica_set,
    same_template,
    size_annotations,
    to_clean_up,
)
from lateen.cluster.controllers.deployment.rollout import (
    Resize,
    proportional_scaling,
    recreate_step,
    rolling_step,
    size_of_new,
    was_scaled,
)
from lateen.cluster.controllers.ownership import claim, claims
from lateen.cluster.controllers.resources import DEPLOYMENTS, PODS, REPLICA_SETS
from lateen.cluster.objects import (
    Key,
    Obj,
    annotations_of,
    controller_of,
    key_of,
    labels_of,
    metadata,
    name_of,
    namespace_of,
    uid_of,
)
from lateen.cluster.selectors import from_label_selector
from lateen.cluster.status import StatusError


class DeploymentController(Controller):
    """Brings every Deployment to its template, within `maxSurge` and `maxUnavailable`."""

    name = "deployment-controller"

    def __init__(self, env: Environment) -> None:
        super().__init__(env)
        self.deployments = self.follow(DEPLOYMENTS, self.enqueue, {"namespace": by_namespace})
        self.replica_sets = self.follow(REPLICA_SETS, self._replica_set_changed, {"namespace": by_namespace})
        self.pods = self.follow(PODS, self._pod_changed, {"namespace": by_namespace})

    def _replica_set_changed(self, rs: Obj) -> None:
        controller = controller_of(rs)
        if controller is not None:
            if controller.get("kind") == "Deployment":
                self.queue.add(Key(namespace_of(rs), str(controller.get("name"))))
            return
        for deployment in self.deployments.indexed("namespace", namespace_of(rs)):
            if from_label_selector(deployment["spec"].get("selector")).matches(labels_of(rs)):
                self.enqueue(deployment)

    def _pod_changed(self, pod: Obj) -> None:
        """A recreation waits for the old pods to be gone; nothing else of a pod matters here."""
        if self.pods.get(key_of(pod)) is not None and not pods.is_terminal(pod):
            return
        controller = controller_of(pod)
        if controller is None or controller.get("kind") != "ReplicaSet":
            return
        rs = self.replica_sets.get(Key(namespace_of(pod), str(controller.get("name"))))
        owner = controller_of(rs) if rs is not None else None
        if owner is not None:
            deployment = self.deployments.get(Key(namespace_of(pod), str(owner.get("name"))))
            if deployment is not None and not is_rolling(deployment):
                self.enqueue(deployment)

    async def sync(self, key: Key) -> float | None:
        deployment = self.deployments.get(key)
        if deployment is None:
            return None
        selector = from_label_selector(deployment["spec"].get("selector"))
        if selector.empty:
            self.event(
                deployment,
                "Warning",
                "SelectingAll",
                "This deployment is selecting all pods. A non-empty selector is required.",
            )
            return None
        candidates = self.replica_sets.indexed("namespace", key.namespace)
        every = await claim(self.env, REPLICA_SETS, deployment, claims(deployment, selector, candidates))
        if pods.is_deleting(deployment):
            new = find_new(deployment, every)
            return await self._write_status(deployment, new, every)
        changed = statuses.pause_conditions(deployment, self.env.now())
        if changed is not None:
            status = {**(deployment.get("status") or {}), "conditions": changed}
            deployment = await self.env.update_status(DEPLOYMENTS, deployment, status)
        if deployment["spec"].get("paused") or was_scaled(deployment, every):
            return await self._scale(deployment, every)
        if is_rolling(deployment):
            return await self._roll(deployment, every)
        return await self._recreate(deployment, every)

    async def _roll(self, deployment: Obj, every: list[Obj]) -> float | None:
        deployment, new, old = await self._find_or_create(deployment, every)
        if new is None:
            return None
        steps = rolling_step(deployment, new, old)
        new, old = await self._resize(deployment, steps, new, old)
        if not steps:
            await self._clean_up(deployment, new, old)
        return await self._write_status(deployment, new, [*old, *([new] if new else [])])

    async def _recreate(self, deployment: Obj, every: list[Obj]) -> float | None:
        new = find_new(deployment, every)
        old = _without(every, new)
        steps = recreate_step(old)
        if steps:
            new, old = await self._resize(deployment, steps, new, old)
            return await self._write_status(deployment, new, [*old, *([new] if new else [])])
        if self._old_pods_run(old):
            return await self._write_status(deployment, new, every)
        deployment, new, old = await self._find_or_create(deployment, every)
        if new is None:
            return None
        if replicas_of(new) != replicas_of(deployment):
            new, old = await self._resize(deployment, [Resize(new, replicas_of(deployment))], new, old)
        else:
            await self._clean_up(deployment, new, old)
        return await self._write_status(deployment, new, [*old, *([new] if new else [])])

    def _old_pods_run(self, old: Sequence[Obj]) -> bool:
        uids = {uid_of(rs) for rs in old}
        return any(
            (controller_of(pod) or {}).get("uid") in uids and not pods.is_terminal(pod)
            for rs in old[:1]
            for pod in self.pods.indexed("namespace", namespace_of(rs))
        )

    async def _scale(self, deployment: Obj, every: list[Obj]) -> float | None:
        new = find_new(deployment, every)
        old = _without(every, new)
        if new is not None:
            deployment, new = await self._keep_revision(deployment, new, old)
        steps = proportional_scaling(deployment, new, old)
        new, old = await self._resize(deployment, steps, new, old)
        # Sizes can stay as they are while the annotations must still follow the Deployment's.
        for rs in [*old, *([new] if new else [])]:
            if replicas_of(rs) > 0 and size_annotations(deployment).items() - annotations_of(rs).items():
                changed = await self._patch(rs, {"metadata": {"annotations": size_annotations(deployment)}})
                if new is not None and uid_of(rs) == uid_of(new):
                    new = changed
        if deployment["spec"].get("paused"):
            await self._clean_up(deployment, new, old)
        return await self._write_status(deployment, new, [*old, *([new] if new else [])], rollout=False)

    async def _find_or_create(self, deployment: Obj, every: list[Obj]) -> tuple[Obj, Obj | None, list[Obj]]:
        new = find_new(deployment, every)
        old = _without(every, new)
        if new is not None:
            deployment, new = await self._keep_revision(deployment, new, old)
            return deployment, new, old
        revision = latest_revision(old) + 1
        wanted = new_replica_set(deployment, size_of_new(deployment, 0, old), revision)
        try:
            new = await self.env.create(REPLICA_SETS, wanted)
        except StatusError as error:
            if namespace_terminating(error):
                return deployment, None, old
            if error.reason != "AlreadyExists":
                await self._creation_failed(deployment, error)
                raise
            taken = await self.env.client.get(REPLICA_SETS, key_of(wanted))
            owner = controller_of(taken)
            ours = owner is not None and owner.get("uid") == uid_of(deployment)
            if not ours or not same_template(taken["spec"]["template"], wanted["spec"]["template"]):
                status = dict(deployment.get("status") or {})
                status["collisionCount"] = int(status.get("collisionCount") or 0) + 1
                await self.env.update_status(DEPLOYMENTS, deployment, status)
                raise
            return deployment, taken, old
        if replicas_of(new) > 0:
            message = f"Scaled up replica set {name_of(new)} from 0 to {replicas_of(new)}"
            self.event(deployment, "Normal", "ScalingReplicaSet", message)
        deployment = await self._mark_revision(deployment, revision)
        if statuses.deadline_of(deployment) is not None:
            message = f'Created new replica set "{name_of(new)}"'
            deployment = await self._progressing(deployment, "NewReplicaSetCreated", message)
        return deployment, new, old

    async def _creation_failed(self, deployment: Obj, error: StatusError) -> None:
        if statuses.deadline_of(deployment) is None:
            return
        found = (deployment.get("status") or {}).get("conditions")
        message = f"Failed to create new replica set: {error.message}"
        after = statuses.set_condition(found, "Progressing", "False", "ReplicaSetCreateError", message, self.env.now())
        await self.env.update_status(DEPLOYMENTS, deployment, {**(deployment.get("status") or {}), "conditions": after})

    async def _keep_revision(self, deployment: Obj, new: Obj, old: Sequence[Obj]) -> tuple[Obj, Obj]:
        """Makes the new ReplicaSet the latest revision (after `rollout undo` it was an older one)."""
        annotations = annotations_for(deployment, new, latest_revision(old) + 1)
        changes: Obj = {}
        if annotations != annotations_of(new):
            changes["metadata"] = {"annotations": annotations}
        ready = int(deployment["spec"].get("minReadySeconds") or 0)
        if ready != int(new["spec"].get("minReadySeconds") or 0):
            changes["spec"] = {"minReadySeconds": ready}
        if changes:
            new = await self._patch(new, changes)
        deployment = await self._mark_revision(deployment, int(annotations.get(REVISION, "0")))
        present = conditions.find((deployment.get("status") or {}).get("conditions"), "Progressing")
        if present is None and statuses.deadline_of(deployment) is not None:
            message = f'Found new replica set "{name_of(new)}"'
            deployment = await self._progressing(deployment, "FoundNewReplicaSet", message)
        return deployment, new

    async def _mark_revision(self, deployment: Obj, revision: int) -> Obj:
        if annotations_of(deployment).get(REVISION) == str(revision):
            return deployment
        patch = {
            "metadata": {
                "annotations": {REVISION: str(revision)},
                "resourceVersion": metadata(deployment).get("resourceVersion"),
            }
        }
        return await self.env.patch(DEPLOYMENTS, key_of(deployment), patch)

    async def _progressing(self, deployment: Obj, reason: str, message: str) -> Obj:
        status = deployment.get("status") or {}
        found = statuses.set_condition(status.get("conditions"), "Progressing", "True", reason, message, self.env.now())
        return await self.env.update_status(DEPLOYMENTS, deployment, {**status, "conditions": found})

    async def _resize(
        self, deployment: Obj, steps: Sequence[Resize], new: Obj | None, old: Sequence[Obj]
    ) -> tuple[Obj | None, list[Obj]]:
        resized = await asyncio.gather(*(self._resize_one(deployment, step) for step in steps))
        by_uid = {uid_of(rs): rs for rs in resized}
        return (by_uid.get(uid_of(new), new) if new else None), [by_uid.get(uid_of(rs), rs) for rs in old]

    async def _resize_one(self, deployment: Obj, step: Resize) -> Obj:
        before = replicas_of(step.replica_set)
        annotations = size_annotations(deployment)
        changed = await self._patch(
            step.replica_set, {"metadata": {"annotations": annotations}, "spec": {"replicas": step.replicas}}
        )
        direction = "up" if step.replicas > before else "down"
        message = f"Scaled {direction} replica set {name_of(changed)} from {before} to {step.replicas}"
        self.event(deployment, "Normal", "ScalingReplicaSet", message)
        return changed

    async def _patch(self, rs: Obj, changes: Obj) -> Obj:
        meta = {**changes.get("metadata", {}), "resourceVersion": metadata(rs).get("resourceVersion")}
        return await self.env.patch(REPLICA_SETS, key_of(rs), {**changes, "metadata": meta})

    async def _clean_up(self, deployment: Obj, new: Obj | None, old: Sequence[Obj]) -> None:
        every = [*old, *([new] if new else [])]
        status = statuses.counted(deployment, new, every, self.env.now())
        if statuses.is_complete(deployment, status) and count(old) == 0:
            for rs in to_clean_up(deployment, old):
                await self.env.delete(REPLICA_SETS, rs)

    async def _write_status(
        self, deployment: Obj, new: Obj | None, every: Sequence[Obj], *, rollout: bool = True
    ) -> float | None:
        now = self.env.now()
        compute = statuses.rollout_status if rollout else statuses.counted
        status = compute(deployment, new, every, now)
        await self.env.update_status(DEPLOYMENTS, deployment, status)
        remaining = statuses.seconds_to_deadline(deployment, status, now) if rollout else None
        return None if remaining is None else max(remaining, 0.0) + 1.0


def _without(every: Sequence[Obj], new: Obj | None) -> list[Obj]:
    return [rs for rs in every if new is None or uid_of(rs) != uid_of(new)]
