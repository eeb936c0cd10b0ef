"""Limits on what a pod keeps on the node's disk: emptyDir `sizeLimit`, and `ephemeral-storage` limits of containers.

Source of rules and messages: Kubernetes' `pkg/kubelet/eviction/eviction_manager.go` (local storage evictions).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from lateen.cluster import quantity
from lateen.cluster.node.pod_directory import PodDirectory
from lateen.cluster.objects import Obj
from lateen.cluster.pod_resources import amounts, pod_amounts

INTERVAL = 10.0
"""Seconds between looks, as the kubelet's."""
_RESOURCE = "ephemeral-storage"


def is_limited(pod: Obj) -> bool:
    """Whether anything on the node's disk is limited, so that it must be measured."""
    return bool(_limited_volumes(pod)) or _RESOURCE in pod_amounts(pod["spec"], "limits")


def excess(pod: Obj, directory: PodDirectory, attempts: Sequence[tuple[str, int]]) -> str:
    """Why the pod must be evicted; empty while it keeps to its limits. Blocks: it walks directories.

    `attempts` has (name, attempt) of the containers that have been started.
    """
    volumes = {name: disk_usage(directory.volume(name)) for name in _disk_volumes(pod)}
    for name, text in _limited_volumes(pod).items():
        if volumes[name] > quantity.parse(text).value:
            return f'Usage of EmptyDir volume "{name}" exceeds the limit "{text}". '
    limit = pod_amounts(pod["spec"], "limits").get(_RESOURCE)
    if limit is None:
        return ""
    containers = {name: _container_usage(directory, name, attempt) for name, attempt in attempts}
    if sum(volumes.values()) + sum(containers.values()) > limit.value:
        return f"Pod ephemeral local storage usage exceeds the total limit of containers {limit}. "
    for container in pod["spec"].get("containers") or ():
        name, own = container["name"], amounts((container.get("resources") or {}).get("limits")).get(_RESOURCE)
        if own is not None and containers.get(name, 0) > own.value:
            return f'Container {name} exceeded its local ephemeral storage limit "{own}". '
    return ""


def _disk_volumes(pod: Obj) -> dict[str, Obj]:
    """The emptyDirs on disk; those in memory are limited by their file system."""
    return {
        volume["name"]: volume["emptyDir"]
        for volume in pod["spec"].get("volumes") or ()
        if volume.get("emptyDir") is not None and not volume["emptyDir"].get("medium")
    }


def _limited_volumes(pod: Obj) -> dict[str, str]:
    return {name: str(source["sizeLimit"]) for name, source in _disk_volumes(pod).items() if source.get("sizeLimit")}


def _container_usage(directory: PodDirectory, name: str, attempt: int) -> int:
    """What the container has written: its layer and its logs."""
    layer = directory.root_layer(name, attempt) / "upper"
    return disk_usage(layer) + disk_usage(directory.log(name, attempt).parent)


def disk_usage(path: Path) -> int:
    """The bytes that the files below a directory take on disk. What goes away meanwhile does not count."""
    total = 0
    pending = [os.fspath(path)]
    while pending:
        try:
            with os.scandir(pending.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(entry.path)
                    total += entry.stat(follow_symlinks=False).st_blocks * 512
        except OSError:
            continue
    return total
