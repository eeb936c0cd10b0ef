"""Fields of pods that this cluster stores and does nothing with: whoever sets them is told, field by field."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from lateen.cluster.objects import Obj

VOLUME_TYPES = frozenset(
    ("configMap", "downwardAPI", "emptyDir", "hostPath", "persistentVolumeClaim", "projected", "secret")
)
"""What the nodes can mount."""
_OTHER_SOURCES = ("clusterTrustBundle",)


@dataclass(frozen=True, slots=True)
class Unsupported:
    """`path` is dotted; `[]` stands for each item of a list. `asks` tells whether a value asks for anything."""

    path: str
    effect: str
    asks: Callable[[Any], bool] = bool


def _asks_confinement(profile: Any) -> bool:
    return isinstance(profile, dict) and profile.get("type") != "Unconfined"


_CONTAINER = (
    Unsupported("securityContext.seccompProfile", "no seccomp profile is applied", _asks_confinement),
    Unsupported("securityContext.appArmorProfile", "no AppArmor profile is applied", _asks_confinement),
    Unsupported("securityContext.seLinuxOptions", "no SELinux label is applied"),
    Unsupported("securityContext.windowsOptions", "nodes run Linux"),
    Unsupported("volumeDevices", "block devices are not given to containers"),
    Unsupported("resources.claims", "devices are not allocated"),
    Unsupported("resizePolicy", "containers are not resized in place"),
    Unsupported("lifecycle.stopSignal", "containers are stopped with SIGTERM"),
    Unsupported(
        "volumeMounts[].mountPropagation",
        "what the container mounts is not seen outside of it (HostToContainer is in effect)",
        lambda value: value == "Bidirectional",
    ),
    Unsupported(
        "volumeMounts[].recursiveReadOnly",
        "mounts below the volume keep their own mode",
        lambda value: value == "Enabled",
    ),
)
_POD = (
    Unsupported("securityContext.seccompProfile", "no seccomp profile is applied", _asks_confinement),
    Unsupported("securityContext.appArmorProfile", "no AppArmor profile is applied", _asks_confinement),
    Unsupported("securityContext.seLinuxOptions", "no SELinux label is applied"),
    Unsupported("securityContext.windowsOptions", "nodes run Linux"),
    Unsupported("runtimeClassName", "all pods run in the same runtime"),
    Unsupported("hostUsers", "pods share the node's user namespace", lambda value: value is False),
    Unsupported("resourceClaims", "devices are not allocated"),
    Unsupported("resources", "limits count per container"),
    Unsupported("topologySpreadConstraints[].minDomains", "domains are not counted"),
    Unsupported("topologySpreadConstraints[].matchLabelKeys", "only labelSelector selects"),
    Unsupported(
        "topologySpreadConstraints[].nodeAffinityPolicy",
        "all nodes count",
        lambda value: value == "Honor",
    ),
    Unsupported("topologySpreadConstraints[].nodeTaintsPolicy", "all nodes count", lambda value: value == "Honor"),
    *(
        Unsupported(f"affinity.{kind}.{strength}.{field}", "only labelSelector selects")
        for kind in ("podAffinity", "podAntiAffinity")
        for strength in (
            "requiredDuringSchedulingIgnoredDuringExecution[]",
            "preferredDuringSchedulingIgnoredDuringExecution[].podAffinityTerm",
        )
        for field in ("matchLabelKeys", "mismatchLabelKeys")
    ),
    *(
        Unsupported(f"{containers}[].{field.path}", field.effect, field.asks)
        for containers in ("initContainers", "containers")
        for field in _CONTAINER
    ),
)


def unsupported_warnings(spec: Obj, path: str = "spec") -> list[str]:
    """A warning for each field of a pod's spec that asks for something this cluster does not do."""
    found = ignored_warnings(spec, _POD, path)
    for i, volume in enumerate(spec.get("volumes") or ()):
        found += [
            f"{path}.volumes[{i}].{kind}: volumes of this type are not supported by this cluster's nodes: "
            "the pod will not start"
            for kind in volume
            if kind != "name" and kind not in VOLUME_TYPES and volume[kind] is not None
        ]
        for j, source in enumerate((volume.get("projected") or {}).get("sources") or ()):
            found += [
                f"{path}.volumes[{i}].projected.sources[{j}].{kind}: this source is not supported by this cluster's "
                "nodes: the pod will not start"
                for kind in _OTHER_SOURCES
                if source.get(kind) is not None
            ]
    return found


def ignored_warnings(obj: Obj, fields: tuple[Unsupported, ...], path: str) -> list[str]:
    """`<path>: this cluster ignores the field: <effect>` for each of the `fields` that is set."""
    return [
        f"{at}: this cluster ignores the field: {field.effect}"
        for field in fields
        for at, value in _values(obj, field.path.split("."), path)
        if field.asks(value)
    ]


def _values(value: Any, steps: list[str], path: str) -> Iterator[tuple[str, Any]]:
    if not steps:
        yield path, value
        return
    name, each = steps[0].removesuffix("[]"), steps[0].endswith("[]")
    if not isinstance(value, dict) or value.get(name) is None:
        return
    inner, at = value[name], f"{path}.{name}"
    if not each:
        yield from _values(inner, steps[1:], at)
    elif isinstance(inner, list):
        for i, item in enumerate(inner):
            yield from _values(item, steps[1:], f"{at}[{i}]")
