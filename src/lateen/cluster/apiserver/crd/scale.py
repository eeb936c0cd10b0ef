"""The `scale` subresource of custom resources, by the paths that a CRD declares.

Source: k8s.io/apiextensions-apiserver `registry/customresource` (`scaleFromCustomResource`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from lateen.cluster.objects import Obj, deep_copy, metadata
from lateen.cluster.status import internal_error

_SHARED_METADATA = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
_MOST = 2**31 - 1


@dataclass(frozen=True, slots=True)
class ScalePaths:
    """Fields, from the object's root, that hold the wanted and the present number of replicas and the selector."""

    spec_replicas: tuple[str, ...]
    status_replicas: tuple[str, ...]
    label_selector: tuple[str, ...] = ()

    @classmethod
    def of(cls, declared: Obj) -> Self:
        return cls(
            _fields(declared["specReplicasPath"]),
            _fields(declared["statusReplicasPath"]),
            _fields(declared.get("labelSelectorPath") or ""),
        )

    def scale_of(self, obj: Obj) -> Obj:
        """The `autoscaling/v1 Scale` of an object. Raises StatusError 500 where its replicas are no number."""
        wanted = _at(obj, self.spec_replicas)
        if wanted is None:
            wanted = 0
        if not isinstance(wanted, int) or isinstance(wanted, bool) or not 0 <= wanted <= _MOST:
            raise internal_error(f"the value at .{'.'.join(self.spec_replicas)} is not a number of replicas")
        status: Obj = {"replicas": _at(obj, self.status_replicas) or 0}
        selector = _at(obj, self.label_selector) if self.label_selector else None
        if isinstance(selector, str) and selector:
            status["selector"] = selector
        meta = metadata(obj)
        return {
            "apiVersion": "autoscaling/v1",
            "kind": "Scale",
            "metadata": {key: meta[key] for key in _SHARED_METADATA if key in meta},
            "spec": {"replicas": wanted},
            "status": status,
        }

    def scaled(self, obj: Obj, replicas: int) -> Obj:
        """A copy of the object that wants so many replicas."""
        copy: Obj = deep_copy(obj)
        node = copy
        for field in self.spec_replicas[:-1]:
            child = node.get(field)
            if not isinstance(child, dict):
                child = node[field] = {}
            node = child
        node[self.spec_replicas[-1]] = replicas
        return copy


def _fields(path: str) -> tuple[str, ...]:
    return tuple(field for field in path.split(".") if field)


def _at(obj: Any, fields: tuple[str, ...]) -> Any:
    for field in fields:
        obj = obj.get(field) if isinstance(obj, dict) else None
    return obj
