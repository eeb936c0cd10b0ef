"""Injection of manifests: every kind of workload, in text of YAML or JSON."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import msgspec
import yaml

from lateen.api.schema.bounded_yaml import load_object
from lateen.api.schema.fault import Fault
from lateen.injection.workload import Workload, workload_of

_TEMPLATE: Final = ("spec", "template")
_PLACES: Final[Mapping[str, tuple[str, ...]]] = {
    "Pod": (),
    "Deployment": _TEMPLATE,
    "StatefulSet": _TEMPLATE,
    "DaemonSet": _TEMPLATE,
    "ReplicaSet": _TEMPLATE,
    "Job": _TEMPLATE,
    "ReplicationController": _TEMPLATE,
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
}
"""Where each kind has its pod."""
_GROUPS: Final = frozenset(("v1", "apps/v1", "batch/v1"))
_SEPARATOR: Final = re.compile(r"^---(?=[ \t\r\n]|$)[^\n]*(?:\n|$)", re.MULTILINE)
_COMMENT: Final = re.compile(r"^\s*(#.*)?$")

InjectPod = Callable[[Mapping[str, Any], Workload, str], Mapping[str, Any] | None]
"""A pod, the workload it is of and its namespace: the pod, injected; None to leave it as it is."""


class ManifestError(Exception):
    """A document that cannot be read or injected; says which."""


class _Result(msgspec.Struct, frozen=True):
    changed: bool
    value: Any


def inject_manifests(text: str, inject_pod: InjectPod) -> str:
    """All documents, with their pods injected. Documents without pods stay as they are, with their comments.

    Raises ManifestError, and whatever `inject_pod` raises.
    """
    documents = []
    for line, document in _documents(text):
        if all(_COMMENT.match(each) for each in document.splitlines()):
            if document.strip():
                documents.append(document)
            continue
        value = load_object(document)
        if isinstance(value, Fault):
            raise ManifestError(f"the document at line {line}: {value.message}")
        result = _injected(value, inject_pod)
        if result.changed:
            documents.append(yaml.dump(result.value, Dumper=_Dumper, sort_keys=False))
        else:
            documents.append(document)
    return "---\n".join(each if each.endswith("\n") else f"{each}\n" for each in documents)


def _documents(text: str) -> Iterator[tuple[int, str]]:
    start = 0
    for separator in _SEPARATOR.finditer(text):
        yield text.count("\n", 0, start) + 1, text[start : separator.start()]
        start = separator.end()
    yield text.count("\n", 0, start) + 1, text[start:]


def _injected(value: Any, inject_pod: InjectPod) -> _Result:
    if not isinstance(value, Mapping):
        return _Result(False, value)
    kind, version = value.get("kind"), value.get("apiVersion")
    if kind == "List" and isinstance(value.get("items"), list):
        items = [_injected(each, inject_pod) for each in value["items"]]
        return _Result(any(each.changed for each in items), {**value, "items": [each.value for each in items]})
    if not isinstance(kind, str) or kind not in _PLACES or version not in _GROUPS:
        return _Result(False, value)
    place = _PLACES[kind]
    pod = pod_of(value)
    if pod is None:
        raise ManifestError(f"{kind} {_name(value)}: {'.'.join((*place, 'spec'))} is required")
    metadata = value.get("metadata") or {}
    namespace = str((pod.get("metadata") or {}).get("namespace") or metadata.get("namespace") or "")
    if kind == "Pod":
        workload = workload_of(value, namespace)
    else:
        workload = Workload(str(metadata.get("name") or ""), namespace, str(version), kind)
    result = inject_pod(pod, workload, namespace)
    return _Result(False, value) if result is None else _Result(True, _put(value, place, result))


def pod_of(workload: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The pod, or the template of pods, of a workload's manifest; None where it has none."""
    found: Any = workload
    for name in _PLACES.get(str(workload.get("kind")), _TEMPLATE):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) and isinstance(found.get("spec"), Mapping) else None


def _put(value: Mapping[str, Any], place: tuple[str, ...], pod: Mapping[str, Any]) -> dict[str, Any]:
    if not place:
        return {**value, **pod}
    return {**value, place[0]: _put(value[place[0]], place[1:], pod)}


def _name(value: Mapping[str, Any]) -> str:
    metadata = value.get("metadata")
    return str(metadata.get("name") or "") if isinstance(metadata, Mapping) else ""


class _Dumper(yaml.SafeDumper):
    """Text of several lines as such, and no references."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)
