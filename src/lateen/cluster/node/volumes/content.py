"""What configMap, secret, downwardAPI and projected volumes contain.

Source: the Kubernetes API's volume sources; messages as the kubelet's FailedMount events have them.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass

from lateen.cluster.node.downward import DownwardError, field_value, resource_value
from lateen.cluster.node.environment import Sources, secret_data
from lateen.cluster.node.volumes.payload import File, PayloadError, check_path
from lateen.cluster.objects import Obj, namespace_of

_DEFAULT_MODE = 0o644


class VolumeError(RuntimeError):
    """A volume that cannot be set up now; it is tried again."""


@dataclass(frozen=True, slots=True)
class Ownership:
    """Who owns a volume's files: the pod's fsGroup, or the one user that all its containers run as."""

    fs_group: int | None
    fs_user: int | None

    def file(self, data: bytes, mode: int) -> File:
        if self.fs_group is not None:
            return File(data, mode | 0o440, gid=self.fs_group)
        return File(data, mode)

    def token(self, data: bytes, mode: int) -> File:
        """A token is its user's alone where it is known who that is."""
        if self.fs_group is not None:
            return File(data, 0o640, gid=self.fs_group)
        if self.fs_user is not None:
            return File(data, 0o600, uid=self.fs_user)
        return File(data, mode)


def ownership(pod: Obj) -> Ownership:
    spec = pod["spec"]
    outer = spec.get("securityContext") or {}
    everyone = (*(spec.get("initContainers") or ()), *(spec.get("containers") or ()))
    users = {(c.get("securityContext") or {}).get("runAsUser", outer.get("runAsUser")) for c in everyone}
    user = users.pop() if len(users) == 1 else None
    return Ownership(outer.get("fsGroup"), user)


def config_map_data(config_map: Obj) -> dict[str, bytes]:
    data = {name: str(text).encode() for name, text in (config_map.get("data") or {}).items()}
    for name, text in (config_map.get("binaryData") or {}).items():
        data[name] = base64.b64decode(text)
    return data


def _select(
    data: Mapping[str, bytes], source: Obj, default_mode: int, owner: Ownership, what: str, optional: bool
) -> dict[str, File]:
    if not source.get("items"):
        return {name: owner.file(value, default_mode) for name, value in data.items()}
    files = {}
    for item in source["items"]:
        value = data.get(item["key"])
        if value is None:
            if optional:
                continue
            raise VolumeError(f"references non-existent {what} key: {item['key']}")
        mode = item["mode"] if item.get("mode") is not None else default_mode
        files[_checked(item["path"])] = owner.file(value, mode)
    return files


def _checked(path: str) -> str:
    try:
        return check_path(path)
    except PayloadError as error:
        raise VolumeError(str(error)) from None


def config_map_files(pod: Obj, source: Obj, default_mode: int, sources: Sources, owner: Ownership) -> dict[str, File]:
    optional = bool(source.get("optional"))
    found = sources.config_map(namespace_of(pod), source.get("name") or "")
    if found is None and not optional:
        raise VolumeError(f'configmap "{source.get("name")}" not found')
    return _select(config_map_data(found or {}), source, default_mode, owner, "config", optional)


def secret_files(pod: Obj, source: Obj, default_mode: int, sources: Sources, owner: Ownership) -> dict[str, File]:
    optional = bool(source.get("optional"))
    name = source.get("secretName") or source.get("name") or ""
    found = sources.secret(namespace_of(pod), name)
    if found is None and not optional:
        raise VolumeError(f'secret "{name}" not found')
    return _select(secret_data(found or {}), source, default_mode, owner, "secret", optional)


def downward_files(pod: Obj, source: Obj, default_mode: int, sources: Sources, owner: Ownership) -> dict[str, File]:
    files = {}
    for item in source.get("items") or ():
        try:
            if reference := item.get("fieldRef"):
                text = field_value(pod, reference["fieldPath"])
            else:
                text = resource_value(pod, item["resourceFieldRef"], sources.allocatable)
        except DownwardError as error:
            raise VolumeError(str(error)) from None
        mode = item["mode"] if item.get("mode") is not None else default_mode
        files[_checked(item["path"])] = owner.file(text.encode(), mode)
    return files


def volume_files(pod: Obj, volume: Obj, sources: Sources, tokens: Mapping[str, str]) -> dict[str, File] | None:
    """A volume's files; None for a volume that is not of these kinds. Raises VolumeError.

    `tokens` has, by path in the volume, the tokens of its serviceAccountToken sources.
    """
    owner = ownership(pod)
    makers = {"configMap": config_map_files, "secret": secret_files, "downwardAPI": downward_files}
    for kind, make in makers.items():
        if source := volume.get(kind):
            return make(pod, source, _mode(source), sources, owner)
    projected = volume.get("projected")
    if projected is None:
        return None
    files: dict[str, File] = {}
    mode = _mode(projected)
    for source in projected.get("sources") or ():
        if token := source.get("serviceAccountToken"):
            path = _checked(token["path"])
            files[path] = owner.token(tokens[path].encode(), mode)
            continue
        if unknown := source.keys() - makers.keys():
            raise VolumeError(f"projected sources of type {', '.join(sorted(unknown))} are not supported by this node")
        for kind, make in makers.items():
            if inner := source.get(kind):
                files |= make(pod, inner, mode, sources, owner)
    return files


def _mode(source: Obj) -> int:
    mode = source.get("defaultMode")
    return _DEFAULT_MODE if mode is None else int(mode)
