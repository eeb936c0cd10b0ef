"""What an earlier injection left on a pod, and the pod without it: injecting twice is injecting once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from lateen.api.schema.fault import Fault, error
from lateen.injection import probes, prometheus
from lateen.injection.misshapen import misshapen_pod
from lateen.injection.names import OVERRIDES, PROXY, STATUS

_GROUPS: Final = ("initContainers", "containers")
_CARRIED: Final = (probes.VARIABLE, prometheus.VARIABLE)
"""Variables that say what the pod's probes and annotations were before they were redirected to the agent."""


class Earlier(msgspec.Struct, frozen=True):
    injected: bool
    pod: Mapping[str, Any]
    """Without what was injected, and with the containers as users wrote them."""
    carried: Mapping[str, str]
    """Variables of the proxy that have to stay."""
    faults: tuple[Fault, ...] = ()


def earlier_injection(pod: Mapping[str, Any]) -> Earlier:
    """Of a pod as JSON, which is not changed."""
    metadata, spec = dict(pod.get("metadata") or {}), dict(pod.get("spec") or {})
    annotations = dict(metadata.get("annotations") or {})
    text = annotations.pop(STATUS, None)
    status = _read(text)
    overrides = _read(annotations.get(OVERRIDES)) or {}
    faults = tuple(_wrong(overrides))
    if faults:
        return Earlier(status is not None, pod, {}, faults)
    carried = _carried(spec) if status is not None else {}
    for group in _GROUPS:
        gone = set((status or {}).get(group) or ())
        kept = [each for each in spec.get(group) or () if each.get("name") not in gone]
        names = {each.get("name") for each in kept}
        kept += [each for each in overrides.get(group) or () if each.get("name") not in names]
        if kept or group in spec:
            spec[group] = kept
    _proxy_among_containers(spec)
    if annotations or "annotations" in metadata:
        metadata["annotations"] = annotations
    return Earlier(status is not None, {**pod, "metadata": metadata, "spec": spec}, carried)


def _read(text: Any) -> dict[str, Any] | None:
    """Text that is no JSON object counts as none: it was not this program that wrote it."""
    try:
        found = json.loads(text) if text else None
    except (ValueError, TypeError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _wrong(overrides: Mapping[str, Any]) -> list[Fault]:
    path = f"metadata.annotations[{OVERRIDES}]"
    found = [error(f"{path}.{key}", "expected initContainers or containers") for key in overrides if key not in _GROUPS]
    given = {group: overrides[group] for group in _GROUPS if group in overrides}
    for fault in misshapen_pod({"spec": given}):
        found.append(msgspec.structs.replace(fault, path=f"{path}.{fault.path.removeprefix('spec.')}"))
    return found


def _carried(spec: Mapping[str, Any]) -> dict[str, str]:
    everywhere: list[Mapping[str, Any]] = [each for group in _GROUPS for each in spec.get(group) or ()]
    proxy = next((each for each in everywhere if each.get("name") == PROXY), {})
    variables = {each.get("name"): each.get("value") for each in proxy.get("env") or ()}
    return {name: variables[name] for name in _CARRIED if isinstance(variables.get(name), str)}


def _proxy_among_containers(spec: dict[str, Any]) -> None:
    """Wherever users put their `istio-proxy`, it is the last container: what becomes of it is for the template to
    say."""
    listed = [each for group in _GROUPS for each in spec.get(group) or ()]
    proxies = [each for each in listed if each.get("name") == PROXY]
    if proxies:
        for group in _GROUPS:
            if group in spec:
                spec[group] = [each for each in spec[group] if each.get("name") != PROXY]
        spec["containers"] = [*(spec.get("containers") or []), proxies[0]]
