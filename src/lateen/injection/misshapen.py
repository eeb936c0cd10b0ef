"""What is no pod at all: injection reads these parts of a pod, and of what a template gives, without looking twice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from reprlib import repr as shortened
from typing import Any, Final

from lateen.api.schema.fault import Fault, error

_MAPS: Final = ("labels", "annotations")
_NAMED: Final = ("initContainers", "containers", "volumes", "imagePullSecrets")
_LISTS_OF_CONTAINERS: Final = ("env", "ports", "volumeMounts")
_PROBES: Final = ("readinessProbe", "livenessProbe", "startupProbe")
_MOST: Final = 1000
"""Items of one list."""
_LARGEST: Final = 256 * 1024
"""Characters of all labels, or of all annotations, as Kubernetes has it for those."""
_MOST_FAULTS: Final = 50
"""That are told."""


def misshapen_pod(pod: Mapping[str, Any]) -> tuple[Fault, ...]:
    """Faults with paths such as `spec.containers[0].name`; the first ones of many."""
    return tuple(islice(_pod(pod), _MOST_FAULTS))


def _pod(pod: Any) -> Iterator[Fault]:
    if not isinstance(pod, Mapping):
        yield error("", "expected an object")
        return
    for name in ("metadata", "spec"):
        if not isinstance(_given(pod, name), Mapping):
            yield error(name, "expected an object")
            return
    yield from _metadata(_given(pod, "metadata"))
    yield from _spec(_given(pod, "spec"))


def _metadata(metadata: Mapping[str, Any]) -> Iterator[Fault]:
    for name in _MAPS:
        found = _given(metadata, name)
        if not isinstance(found, Mapping):
            yield error(f"metadata.{name}", "expected an object")
            continue
        size = sum(len(str(key)) + (len(value) if isinstance(value, str) else 0) for key, value in found.items())
        if size > _LARGEST:
            yield error(f"metadata.{name}", f"has {size} characters; at most {_LARGEST} are taken")
            continue
        for key, value in found.items():
            if not isinstance(value, str):
                yield error(f"metadata.{name}[{key}]", f"expected a string, got {shortened(value)}: put it in quotes")

    yield from _objects(metadata.get("ownerReferences"), "metadata.ownerReferences", named=True)


def _spec(spec: Mapping[str, Any]) -> Iterator[Fault]:
    for name in _NAMED:
        yield from _objects(spec.get(name), f"spec.{name}", named=True)
        if "ontainers" not in name:
            continue
        listed = spec.get(name)
        for index, container in enumerate(listed if isinstance(listed, list) and len(listed) <= _MOST else ()):
            if isinstance(container, Mapping):
                for group in _LISTS_OF_CONTAINERS:
                    yield from _objects(container.get(group), f"spec.{name}[{index}].{group}", named=group == "env")
                yield from _parts(container, f"spec.{name}[{index}]")
    for name in ("securityContext", "dnsConfig", "nodeSelector", "os"):
        if not isinstance(_given(spec, name), Mapping):
            yield error(f"spec.{name}", "expected an object")


def _parts(container: Mapping[str, Any], path: str) -> Iterator[Fault]:
    for group in (*_PROBES, "lifecycle", "securityContext"):
        found = _given(container, group)
        if not isinstance(found, Mapping):
            yield error(f"{path}.{group}", "expected an object")
        elif group in _PROBES:
            yield from _actions(found, f"{path}.{group}")
        elif group == "lifecycle":
            for moment in found:
                if not isinstance(_given(found, moment), Mapping):
                    yield error(f"{path}.lifecycle.{moment}", "expected an object")
                else:
                    yield from _actions(_given(found, moment), f"{path}.lifecycle.{moment}")


def _actions(probe: Mapping[str, Any], path: str) -> Iterator[Fault]:
    for action in ("httpGet", "tcpSocket", "grpc"):
        if not isinstance(_given(probe, action), Mapping):
            yield error(f"{path}.{action}", "expected an object")


def _objects(found: Any, path: str, named: bool) -> Iterator[Fault]:
    if found is None:
        return
    if not isinstance(found, list):
        yield error(path, "expected a list")
        return
    if len(found) > _MOST:
        yield error(path, f"has {len(found)} items; at most {_MOST} are taken")
        return
    for index, each in enumerate(found):
        if not isinstance(each, Mapping):
            yield error(f"{path}[{index}]", "expected an object")
        elif named and not isinstance(each.get("name"), str):
            yield error(f"{path}[{index}].name", "a name is required")


def _given(found: Mapping[str, Any], name: str) -> Any:
    """Null is absent."""
    value = found.get(name)
    return {} if value is None else value
