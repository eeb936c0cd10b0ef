"""A pod's own facts for its containers: `fieldRef` and `resourceFieldRef`.

Source: the Kubernetes downward API.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from lateen.cluster import quantity
from lateen.cluster.objects import Obj, annotations_of, labels_of, metadata

_SUBSCRIPT = re.compile(r"metadata\.(labels|annotations)\['(.*)'\]")


class DownwardError(ValueError):
    """A field that does not exist in pods or cannot be offered."""


def field_value(pod: Obj, path: str) -> str:
    """The text of a pod's field; empty when it is not set (yet). Raises DownwardError."""
    spec, status = pod.get("spec") or {}, pod.get("status") or {}
    if match := _SUBSCRIPT.fullmatch(path):
        values = labels_of(pod) if match[1] == "labels" else annotations_of(pod)
        return str(values.get(match[2], ""))
    match path:
        case "metadata.name" | "metadata.namespace" | "metadata.uid":
            return str(metadata(pod).get(path.removeprefix("metadata."), ""))
        case "metadata.labels":
            return _as_file(labels_of(pod))
        case "metadata.annotations":
            return _as_file(annotations_of(pod))
        case "spec.nodeName" | "spec.serviceAccountName":
            return str(spec.get(path.removeprefix("spec."), ""))
        case "status.podIP" | "status.hostIP":
            return str(status.get(path.removeprefix("status."), ""))
        case "status.podIPs" | "status.hostIPs":
            return ",".join(entry["ip"] for entry in status.get(path.removeprefix("status.")) or ())
    raise DownwardError(f"unsupported fieldPath: {path}")


def _as_file(values: Mapping[str, str]) -> str:
    return "\n".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in sorted(values.items()))


def resource_value(pod: Obj, reference: Obj, allocatable: Mapping[str, str], container: Obj | None = None) -> str:
    """A container's limit or request divided by the divisor, rounded up; the node's allocatable for no limit.

    Raises DownwardError.
    """
    if container is None or reference.get("containerName"):
        name = reference.get("containerName")
        spec = pod["spec"]
        everyone = (*(spec.get("containers") or ()), *(spec.get("initContainers") or ()))
        container = next((c for c in everyone if c["name"] == name), None)
        if container is None:
            raise DownwardError(f"no container {name!r}")
    kind, _, resource = str(reference.get("resource", "")).partition(".")
    if kind not in ("limits", "requests"):
        raise DownwardError(f"unsupported container resource : {reference.get('resource')}")
    resources = container.get("resources") or {}
    value = (resources.get(kind) or {}).get(resource)
    if value is None and kind == "requests":
        value = "0"
    if value is None:
        value = allocatable.get(resource, "0")
    amount = quantity.parse(value)
    divisor = quantity.parse(reference.get("divisor") or "0")
    if divisor.nano == 0:
        divisor = quantity.parse("1")
    return str(-(-amount.nano // divisor.nano))
