"""What every namespace has without asking: the `default` ServiceAccount and the `kube-root-ca.crt` ConfigMap."""

from __future__ import annotations

from abc import ABC, abstractmethod

from lateen.cluster.client.informer import Handler
from lateen.cluster.controllers.controller import Controller, Environment, namespace_terminating
from lateen.cluster.controllers.pods import is_deleting
from lateen.cluster.controllers.resources import CONFIG_MAPS, NAMESPACES, SERVICE_ACCOUNTS
from lateen.cluster.objects import GVR, Key, Obj, key_of, namespace_of
from lateen.cluster.status import StatusError

ROOT_CA = "kube-root-ca.crt"
_DESCRIPTION = (
    "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the "
    "internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes "
    "clusters."
)


class NamespaceContentController(Controller, ABC):
    """Keeps one object of a fixed name in every namespace that is not being deleted."""

    gvr: GVR
    object_name: str

    def __init__(self, env: Environment) -> None:
        super().__init__(env)
        self.namespaces = self.follow(NAMESPACES, self.enqueue)
        self.objects = self.follow(
            self.gvr, Handler(lambda _obj: None, lambda _old, new: self._changed(new), self._changed)
        )

    def _changed(self, obj: Obj) -> None:
        if key_of(obj).name == self.object_name:
            self.queue.add(Key("", namespace_of(obj)))

    @abstractmethod
    def wanted(self) -> Obj:
        """The object's contents, without its namespace."""

    def is_wanted(self, present: Obj) -> bool:
        """Whether the present object has to be left as it is."""
        return True

    async def sync(self, key: Key) -> float | None:
        namespace = self.namespaces.get(key)
        if namespace is None or is_deleting(namespace):
            return None
        present = self.objects.get(Key(key.name, self.object_name))
        wanted = self.wanted()
        try:
            if present is None:
                await self.env.create(self.gvr, wanted, key.name)
            elif not self.is_wanted(present):
                await self.env.update(self.gvr, {**present, **{k: v for k, v in wanted.items() if k != "metadata"}})
        except StatusError as error:
            if not namespace_terminating(error) and error.reason not in ("AlreadyExists", "NotFound"):
                raise
        return None


class ServiceAccountController(NamespaceContentController):
    """The `default` ServiceAccount."""

    name = "serviceaccount-controller"
    gvr = SERVICE_ACCOUNTS
    object_name = "default"

    def wanted(self) -> Obj:
        return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": self.object_name}}


class RootCaController(NamespaceContentController):
    """The ConfigMap with the certificate authority that pods trust the API server by."""

    name = "root-ca-certificate-publisher-controller"
    gvr = CONFIG_MAPS
    object_name = ROOT_CA

    def __init__(self, env: Environment, authority: str) -> None:
        self._authority = authority
        super().__init__(env)

    def wanted(self) -> Obj:
        meta = {"name": ROOT_CA, "annotations": {"kubernetes.io/description": _DESCRIPTION}}
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"ca.crt": self._authority}}

    def is_wanted(self, present: Obj) -> bool:
        return present.get("data") == {"ca.crt": self._authority}
