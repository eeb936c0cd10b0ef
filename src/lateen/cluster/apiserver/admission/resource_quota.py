"""ResourceQuotas: nothing is created beyond a namespace's bounds, and `status.used` says how much there is.

Source: kubernetes plugin/pkg/admission/resourcequota and pkg/controller/resourcequota. Usage is counted anew from the
store each time, which in memory costs less than keeping it right; `status` follows for the reader.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from lateen.cluster.apiserver.admission.attributes import CREATE, UPDATE, Attributes
from lateen.cluster.apiserver.admission.plugin import Plugin
from lateen.cluster.apiserver.admission.quota_usage import ZERO, Usage, in_scope, usage_of, used_by
from lateen.cluster.apiserver.store.event import GroupResource
from lateen.cluster.apiserver.store.store import Store
from lateen.cluster.apiserver.store_follower import follow
from lateen.cluster.objects import Key, Obj, deep_copy, key_of, metadata, name_of, namespace_of, uid_of
from lateen.cluster.pod_resources import amounts
from lateen.cluster.status import StatusError

_QUOTAS: GroupResource = ("", "resourcequotas")
_FOLLOWED: Sequence[GroupResource] = (
    _QUOTAS,
    ("", "pods"),
    ("", "services"),
    ("", "configmaps"),
    ("", "secrets"),
    ("", "persistentvolumeclaims"),
    ("apps", "deployments"),
    ("apps", "replicasets"),
    ("apps", "statefulsets"),
    ("batch", "jobs"),
    ("batch", "cronjobs"),
)
_WRITE_SECONDS = 5.0
"""How long an admitted object counts that never gets stored (its write failed)."""
_MUST_BE_TOLD = ("cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory")


@dataclass(frozen=True, slots=True)
class _Admitted:
    """An object that was let pass and is on its way to the store."""

    resource: GroupResource
    obj: Obj
    until: float


class ResourceQuotas(Plugin):
    """The last plugin: what it lets pass is stored next, and counts from then on though it is not there yet."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._admitted: dict[str, _Admitted] = {}

    async def validate(self, attributes: Attributes) -> None:
        obj, resource = attributes.obj, attributes.group_resource
        if obj is None or not attributes.namespace or attributes.subresource:
            return
        if attributes.operation not in (CREATE, UPDATE):
            return
        quotas = [q for q in self._store.list(_QUOTAS, attributes.namespace).items if in_scope(q, resource, obj)]
        for quota in quotas:
            before = usage_of(resource, attributes.old) if attributes.old is not None else {}
            self._check(attributes, quota, usage_of(resource, obj), before)
        if quotas and attributes.operation == CREATE and not attributes.ctx.dry_run:
            self._admitted[uid_of(obj)] = _Admitted(resource, deep_copy(obj), time.monotonic() + _WRITE_SECONDS)

    def _check(self, attributes: Attributes, quota: Obj, usage: Usage, before: Usage) -> None:
        hard = amounts((quota.get("spec") or {}).get("hard") or {})
        if attributes.group_resource == ("", "pods") and attributes.operation == CREATE:
            missing = [name for name in _MUST_BE_TOLD if name in hard and name not in usage]
            if missing:
                raise attributes.refuse(f"failed quota: {name_of(quota)}: must specify {_missing(attributes, missing)}")
        more = {name: usage[name] - before.get(name, ZERO) for name in usage.keys() & hard.keys()}
        more = {name: amount for name, amount in more.items() if amount > ZERO}
        if not more:
            return
        used = used_by(self._store, quota)
        for resource, obj in self._on_the_way(attributes.namespace):
            if in_scope(quota, resource, obj):
                for name, amount in usage_of(resource, obj).items():
                    if name in used:
                        used[name] = used[name] + amount
        exceeded = sorted(name for name, amount in more.items() if used[name] + amount > hard[name])
        if exceeded:
            asked, taken, bound = (
                ",".join(f"{name}={values[name]}" for name in exceeded) for values in (more, used, hard)
            )
            raise attributes.refuse(
                f"exceeded quota: {name_of(quota)}, requested: {asked}, used: {taken}, limited: {bound}"
            )

    def _on_the_way(self, namespace: str) -> list[tuple[GroupResource, Obj]]:
        """What was admitted to a namespace and is not in the store yet."""
        now = time.monotonic()
        for uid, admitted in list(self._admitted.items()):
            stored = self._store.get(admitted.resource, key_of(admitted.obj))
            if admitted.until < now or (stored is not None and uid_of(stored) == uid):
                del self._admitted[uid]
        return [(a.resource, a.obj) for a in self._admitted.values() if namespace_of(a.obj) == namespace]

    async def run(self) -> None:
        """Keeps `status` of all quotas; runs until cancelled, or until the store closes."""
        await follow(self._store, _FOLLOWED, self.reconcile)

    async def reconcile(self, resource: GroupResource, key: Key) -> None:
        for quota in self._store.list(_QUOTAS, key.namespace).items:
            hard = (quota.get("spec") or {}).get("hard") or {}
            used = {name: str(amount) for name, amount in used_by(self._store, quota).items()}
            if (quota.get("status") or {}) != {"hard": hard, "used": used}:
                updated: Obj = deep_copy(quota)
                updated["status"] = {"hard": deep_copy(hard), "used": used}
                await self._write(updated, metadata(quota).get("resourceVersion"))

    async def _write(self, quota: Obj, version: str | None) -> None:
        try:
            await self._store.update(_QUOTAS, quota, version)
        except StatusError as error:
            # Whoever was faster has woken us again.
            if error.reason not in ("Conflict", "NotFound"):
                raise


def _missing(attributes: Attributes, names: Sequence[str]) -> str:
    containers = attributes.spec().get("containers") or ()
    parts = []
    for name in names:
        kind, _, resource = name.rpartition(".")
        field = kind or "requests"
        lacking = [
            str(c.get("name")) for c in containers if resource not in ((c.get("resources") or {}).get(field) or {})
        ]
        parts.append(f"{name} for: {','.join(lacking)}")
    return "; ".join(parts)
