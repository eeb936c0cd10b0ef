"""The loop that keeps StatefulSets."""

from __future__ import annotations

import asyncio

from lateen.cluster.client.indexed_store import by_namespace
from lateen.cluster.controllers import pods
from lateen.cluster.controllers.controller import Controller, Environment, namespace_terminating
from lateen.cluster.controllers.ownership import claim, claims
from lateen.cluster.controllers.resources import CLAIMS, PODS, REVISIONS, STATEFUL_SETS
from lateen.cluster.controllers.revisions import current_revision, hash_of, truncate
from lateen.cluster.controllers.stateful_set.members import (
    claim_name,
    hash_label,
    new_claims,
    new_member,
    ordinal_of,
    retention,
)
from lateen.cluster.controllers.stateful_set.rollout import Plan, Revisions, plan, status
from lateen.cluster.objects import (
    Key,
    Obj,
    controller_of,
    key_of,
    labels_of,
    name_of,
    namespace_of,
    owner_references,
    uid_of,
)
from lateen.cluster.selectors import from_label_selector
from lateen.cluster.status import StatusError


class StatefulSetController(Controller):
    """Keeps the numbered pods of every StatefulSet, and their claims."""

    name = "statefulset-controller"

    def __init__(self, env: Environment) -> None:
        super().__init__(env)
        self.owners = self.follow(STATEFUL_SETS, self.enqueue, {"namespace": by_namespace})
        self.pods = self.follow(PODS, self._pod_changed, {"namespace": by_namespace})
        self.revisions = self.follow(REVISIONS, indexes={"namespace": by_namespace})
        self.claims = self.follow(CLAIMS)

    def _pod_changed(self, pod: Obj) -> None:
        controller = controller_of(pod)
        if controller is not None:
            if controller.get("kind") == "StatefulSet":
                self.queue.add(Key(namespace_of(pod), str(controller.get("name"))))
            return
        for owner in self.owners.indexed("namespace", namespace_of(pod)):
            if from_label_selector(owner["spec"].get("selector")).matches(labels_of(pod)):
                self.enqueue(owner)

    def _owned(self, owner: Obj) -> list[Obj]:
        return [
            p
            for p in self.pods.indexed("namespace", namespace_of(owner))
            if (controller_of(p) or {}).get("uid") == uid_of(owner)
        ]

    async def sync(self, key: Key) -> float | None:
        owner = self.owners.get(key)
        if owner is None or pods.is_deleting(owner):
            return None
        selector = from_label_selector(owner["spec"].get("selector"))
        if selector.empty:
            return None
        try:
            newest, history = await current_revision(
                self.env, owner, selector, self.revisions.indexed("namespace", key.namespace)
            )
            # Only pods named after the set can be its members.
            candidates = [p for p in self.pods.indexed("namespace", key.namespace) if ordinal_of(owner, p) is not None]
            owned = await claim(self.env, PODS, owner, claims(owner, selector, candidates))
            rolled_out = (owner.get("status") or {}).get("currentRevision")
            current = next((r for r in history if name_of(r) == rolled_out), newest)
            revisions = Revisions(hash_of(current), hash_of(newest))
            templates = {hash_of(r): _template(r) for r in (current, newest)}
            await self._carry_out(owner, plan(owner, owned, revisions, self.env.now()), templates)
        except StatusError as error:
            if namespace_terminating(error):
                return None
            raise
        now, owned = self.env.now(), self._owned(owner)
        present = self.owners.get(key) or owner
        names = {hash_of(r): name_of(r) for r in (current, newest)}
        await self.env.update_status(STATEFUL_SETS, present, status(owner, owned, revisions, names, now))
        live = {revisions.current, revisions.update, *(hash_label(p) for p in owned)}
        await truncate(self.env, owner, history, live)
        min_ready = int(owner["spec"].get("minReadySeconds") or 0)
        return min((w for p in owned if (w := pods.available_in(p, min_ready, now))), default=None)

    async def _carry_out(self, owner: Obj, todo: Plan, templates: dict[str, Obj]) -> None:
        await asyncio.gather(*(self._create(owner, ordinal, hashed, templates) for ordinal, hashed in todo.create))
        for pod in todo.scale_down:
            if retention(owner)[1] == "Delete":
                await self._bequeath_claims(owner, pod)
        for pod in (*todo.delete, *todo.scale_down):
            if await self.env.delete(PODS, pod):
                message = f"delete Pod {name_of(pod)} in StatefulSet {name_of(owner)} successful"
                self.event(owner, "Normal", "SuccessfulDelete", message)

    async def _create(self, owner: Obj, ordinal: int, hashed: str, templates: dict[str, Obj]) -> None:
        subject = f"Pod {name_of(owner)}-{ordinal} in StatefulSet {name_of(owner)}"
        try:
            for wanted in new_claims(owner, ordinal):
                if self.claims.get(key_of(wanted)) is None:
                    await self._create_claim(owner, wanted, subject)
            await self.env.create(PODS, new_member(owner, templates[hashed], hashed, ordinal))
        except StatusError as error:
            if error.reason == "AlreadyExists" or namespace_terminating(error):
                raise
            self.event(owner, "Warning", "FailedCreate", f"create {subject} failed error: {error.message}")
            raise
        self.event(owner, "Normal", "SuccessfulCreate", f"create {subject} successful")

    async def _create_claim(self, owner: Obj, wanted: Obj, subject: str) -> None:
        try:
            await self.env.create(CLAIMS, wanted)
        except StatusError as error:
            if error.reason == "AlreadyExists":
                return
            raise
        self.event(owner, "Normal", "SuccessfulCreate", f"create Claim {name_of(wanted)} {subject} success")

    async def _bequeath_claims(self, owner: Obj, pod: Obj) -> None:
        """`whenScaled: Delete`: the claims belong to the pod that goes, and go with it."""
        ordinal = ordinal_of(owner, pod)
        for template in owner["spec"].get("volumeClaimTemplates") or ():
            found = self.claims.get(Key(namespace_of(owner), claim_name(template, owner, ordinal or 0)))
            if found is not None and not any(r.get("uid") == uid_of(pod) for r in owner_references(found)):
                reference = {"apiVersion": "v1", "kind": "Pod", "name": name_of(pod), "uid": uid_of(pod)}
                patch = {"metadata": {"ownerReferences": [*owner_references(found), reference]}}
                await self.env.patch(CLAIMS, key_of(found), patch)


def _template(revision: Obj) -> Obj:
    template = revision["data"]["spec"]["template"]
    return {k: v for k, v in template.items() if k != "$patch"}
