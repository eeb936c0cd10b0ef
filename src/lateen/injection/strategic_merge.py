"""Kubernetes' strategic merge of pods: lists whose items have names are merged item by item, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_KEYS: Final[Mapping[str, str]] = {
    "containers": "name",
    "initContainers": "name",
    "ephemeralContainers": "name",
    "env": "name",
    "volumes": "name",
    "volumeMounts": "mountPath",
    "volumeDevices": "devicePath",
    "ports": "containerPort",
    "imagePullSecrets": "name",
    "hostAliases": "ip",
    "topologySpreadConstraints": "topologyKey",
    "resourceClaims": "name",
    "schedulingGates": "name",
    "ownerReferences": "uid",
}
"""What tells the items of a pod's lists apart. All other lists are replaced as a whole."""
_SETS: Final = frozenset(("finalizers",))
_DIRECTIVE: Final = "$patch"


class BadPatch(ValueError):
    """A patch that cannot be applied; says where and why."""


def merged(base: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """The base with the patch over it; neither is changed. A null removes a field. Raises BadPatch.

    Items of the base keep their order, new ones come after them. `$patch: replace` and `$patch: delete` are known.
    """
    return _object(base, patch, "")


def _object(base: Mapping[str, Any], patch: Mapping[str, Any], path: str) -> dict[str, Any]:
    directive = patch.get(_DIRECTIVE, "merge")
    if directive == "replace":
        return {key: value for key, value in patch.items() if key != _DIRECTIVE}
    if directive == "delete":
        return {}
    if directive != "merge":
        raise BadPatch(f"{path or 'the patch'}: {_DIRECTIVE} is {directive!r}; merge, replace or delete is expected")
    result = dict(base)
    for key, value in patch.items():
        if key == _DIRECTIVE:
            continue
        where = f"{path}.{key}" if path else key
        if key.startswith("$"):
            raise BadPatch(f"{where}: this directive is not supported")
        if value is None:
            result.pop(key, None)
        else:
            result[key] = _value(result.get(key), value, key, where)
    return result


def _value(base: Any, patch: Any, key: str, path: str) -> Any:
    if isinstance(patch, Mapping):
        return _object(base if isinstance(base, Mapping) else {}, patch, path)
    if isinstance(patch, list):
        found = base if isinstance(base, list) else []
        if key in _SETS:
            return [*found, *(each for each in patch if each not in found)]
        name = _KEYS.get(key)
        if name is not None and all(isinstance(each, Mapping) for each in (*found, *patch)):
            return _list(found, patch, name, key, path)
    return patch


def _list(base: list[Any], patch: list[Any], name: str, key: str, path: str) -> list[Any]:
    if any(each.get(_DIRECTIVE) == "replace" for each in patch):
        return [each for each in patch if _DIRECTIVE not in each]
    result = list(base)
    for index, item in enumerate(patch):
        where = f"{path}[{index}]"
        if name not in item:
            raise BadPatch(f"{where}.{name}: is required, to tell which item is meant")
        place = next((i for i, each in enumerate(result) if each.get(name) == item[name]), None)
        if item.get(_DIRECTIVE) == "delete":
            if place is not None:
                del result[place]
        elif place is None:
            result.append(_object({}, item, where))
        elif key == "volumes":
            result[place] = _volume(result[place], item, where)
        elif key == "env":
            result[place] = dict(item)
        else:
            result[place] = _object(result[place], item, where)
    return result


def _volume(base: Mapping[str, Any], patch: Mapping[str, Any], path: str) -> dict[str, Any]:
    """A volume has one source: another one takes its place."""
    return _object(base, patch, path) if set(patch) <= set(base) else dict(patch)
