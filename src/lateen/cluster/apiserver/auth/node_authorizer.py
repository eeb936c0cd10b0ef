"""What a node may do beyond nothing: its role's rules, with secrets and the like limited to those its pods refer to.

Source: kubernetes plugin/pkg/auth/authorizer/node. Where Kubernetes keeps a graph, we look through the pods of one
namespace: some microseconds each, and nothing to keep in step.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from lateen.cluster.apiserver.auth.bootstrap_roles import NODE_RULES
from lateen.cluster.apiserver.auth.decision import Decision
from lateen.cluster.apiserver.auth.rule import Rule
from lateen.cluster.apiserver.request import RequestInfo, User
from lateen.cluster.apiserver.store.store import Store
from lateen.cluster.objects import Obj

_USER_PREFIX = "system:node:"
_GROUP = "system:nodes"


def node_of(user: User) -> str | None:
    """The name of the node that this user is, if it is one."""
    if _GROUP not in user.groups or not user.name.startswith(_USER_PREFIX):
        return None
    return user.name[len(_USER_PREFIX) :] or None


class NodeAuthorizer:
    """Authorizes users of the group `system:nodes`; has no opinion about others."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._rules: Sequence[Rule] = [Rule.from_json(rule) for rule in NODE_RULES]

    def authorize(self, user: User, info: RequestInfo) -> Decision | None:
        node = node_of(user)
        if node is None or not info.is_resource:
            return None
        if not any(rule.allows(info) for rule in self._rules):
            return Decision(False)
        if info.group == "" and info.plural in ("secrets", "configmaps", "persistentvolumeclaims", "serviceaccounts"):
            return self._related(node, info)
        if info.group == "" and info.plural == "nodes" and info.verb in ("update", "patch", "delete"):
            own = info.name == node
            return Decision(own, "" if own else f"node '{node}' cannot modify another node")
        return Decision(True)

    def _related(self, node: str, info: RequestInfo) -> Decision:
        if not info.name:
            return Decision(False, "No Object name found")
        for pod in self._store.list(("", "pods"), info.namespace).items:
            spec = pod.get("spec") or {}
            if spec.get("nodeName") == node and info.name in _references(spec, info.plural):
                return Decision(True)
        return Decision(False, f"no relationship found between node '{node}' and this object")

    def rules(self, user: User) -> Sequence[Rule]:
        """The rules of the role, without what relations to pods take away; none for others than nodes."""
        return self._rules if node_of(user) is not None else ()


def _references(spec: Obj, plural: str) -> Iterator[str]:
    match plural:
        case "serviceaccounts":
            yield spec.get("serviceAccountName") or "default"
        case "persistentvolumeclaims":
            for volume in spec.get("volumes") or ():
                yield (volume.get("persistentVolumeClaim") or {}).get("claimName", "")
        case "secrets":
            yield from (reference.get("name", "") for reference in spec.get("imagePullSecrets") or ())
            yield from _volume_references(spec, "secret", "secretName")
            yield from _environment_references(spec, "secretRef", "secretKeyRef")
        case "configmaps":
            yield from _volume_references(spec, "configMap", "name")
            yield from _environment_references(spec, "configMapRef", "configMapKeyRef")


def _volume_references(spec: Obj, source: str, field: str) -> Iterator[str]:
    for volume in spec.get("volumes") or ():
        yield (volume.get(source) or {}).get(field, "")
        for projected in (volume.get("projected") or {}).get("sources") or ():
            yield (projected.get(source) or {}).get("name", "")


def _environment_references(spec: Obj, whole: str, key: str) -> Iterator[str]:
    lists: Iterable[Any] = (spec.get(f) or () for f in ("initContainers", "containers", "ephemeralContainers"))
    for containers in lists:
        for container in containers:
            for source in container.get("envFrom") or ():
                yield (source.get(whole) or {}).get("name", "")
            for variable in container.get("env") or ():
                yield ((variable.get("valueFrom") or {}).get(key) or {}).get("name", "")
