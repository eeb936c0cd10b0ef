"""The ConfigMaps and Secrets that this node's pods refer to: each watched by itself, nothing else is read.

A node may read only what its pods need; so there is one watch per object, shared by the pods that refer to it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from lateen.cluster.client.api import Client
from lateen.cluster.client.informer import Handler, Informer
from lateen.cluster.node.tracked import declared
from lateen.cluster.objects import GVR, Key, Obj, namespace_of

CONFIG_MAPS = GVR("", "v1", "configmaps")
SECRETS = GVR("", "v1", "secrets")

Reference = tuple[GVR, Key]


def references_of(pod: Obj) -> set[Reference]:
    """Every ConfigMap and Secret that a pod's volumes and environment name."""
    namespace = namespace_of(pod)
    found: set[Reference] = set()

    def add(gvr: GVR, name: str | None) -> None:
        if name:
            found.add((gvr, Key(namespace, name)))

    spec = pod["spec"]
    for volume in spec.get("volumes") or ():
        add(CONFIG_MAPS, (volume.get("configMap") or {}).get("name"))
        add(SECRETS, (volume.get("secret") or {}).get("secretName"))
        for source in (volume.get("projected") or {}).get("sources") or ():
            add(CONFIG_MAPS, (source.get("configMap") or {}).get("name"))
            add(SECRETS, (source.get("secret") or {}).get("name"))
    for container, _ in declared(spec):
        for source in container.get("envFrom") or ():
            add(CONFIG_MAPS, (source.get("configMapRef") or {}).get("name"))
            add(SECRETS, (source.get("secretRef") or {}).get("name"))
        for variable in container.get("env") or ():
            value_from = variable.get("valueFrom") or {}
            add(CONFIG_MAPS, (value_from.get("configMapKeyRef") or {}).get("name"))
            add(SECRETS, (value_from.get("secretKeyRef") or {}).get("name"))
    return found


@dataclass(slots=True)
class _Watched:
    informer: Informer
    task: asyncio.Task[None]
    users: set[str] = field(default_factory=set)


class References:
    """`changed` is called with the uid of each pod that refers to an object that has changed."""

    def __init__(self, client: Client, group: asyncio.TaskGroup, changed: Callable[[str], None]) -> None:
        self._client = client
        self._group = group
        self._changed = changed
        self._watched: dict[Reference, _Watched] = {}

    def use(self, uid: str, references: Iterable[Reference]) -> None:
        """What the pod refers to from now on; nothing more to release it."""
        wanted = set(references)
        for reference in wanted:
            if reference not in self._watched:
                self._watch(reference)
            self._watched[reference].users.add(uid)
        for reference, watched in list(self._watched.items()):
            if reference not in wanted:
                watched.users.discard(uid)
                if not watched.users:
                    watched.task.cancel()
                    del self._watched[reference]

    def _watch(self, reference: Reference) -> None:
        gvr, key = reference
        informer = Informer(self._client, gvr, namespace=key.namespace, fields=f"metadata.name={key.name}")
        informer.add_handler(Handler.of(lambda _obj: self._tell(reference)))
        self._watched[reference] = _Watched(informer, self._group.create_task(informer.run()))

    def _tell(self, reference: Reference) -> None:
        watched = self._watched.get(reference)
        for uid in tuple(watched.users) if watched else ():
            self._changed(uid)

    async def synced(self, references: Iterable[Reference]) -> None:
        """Waits until it is known of each whether it exists."""
        for reference in list(references):
            watched = self._watched.get(reference)
            if watched is not None:
                await watched.informer.synced.wait()

    def config_map(self, namespace: str, name: str) -> Obj | None:
        return self._get((CONFIG_MAPS, Key(namespace, name)))

    def secret(self, namespace: str, name: str) -> Obj | None:
        return self._get((SECRETS, Key(namespace, name)))

    def _get(self, reference: Reference) -> Obj | None:
        watched = self._watched.get(reference)
        return watched.informer.store.get(reference[1]) if watched else None
