"""The application's probes by way of the agent: kubelets have no certificate, and their requests would be captured.

A probe becomes a GET of the agent's own port, which is not captured; the agent asks the application as the pod said
(`ISTIO_KUBE_APP_PROBERS`). Probes of ports that are not captured stay as they are.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

VARIABLE: Final = "ISTIO_KUBE_APP_PROBERS"
Captured = Callable[[int], bool]

_PROBES: Final = {
    "readinessProbe": "/app-health/{}/readyz",
    "livenessProbe": "/app-health/{}/livez",
    "startupProbe": "/app-health/{}/startupz",
}
_HOOKS: Final = {"preStop": "/app-lifecycle/{}/prestopz", "postStart": "/app-lifecycle/{}/poststartz"}
_ACTIONS: Final = ("httpGet", "tcpSocket", "grpc")


def captured_ports(included: str, excluded: str) -> Captured:
    """Which inbound ports the proxy gets, by the two lists of ports."""
    left_alone = _ranges(excluded)
    if included.strip() == "*":
        return lambda port: not _within(port, left_alone)
    listed = _ranges(included)
    return lambda port: _within(port, listed)


def _ranges(text: str) -> list[tuple[int, int]]:
    ends = [word.strip().replace(":", "-").split("-") for word in text.split(",") if word.strip()]
    return [(int(each[0]), int(each[-1])) for each in ends]


def _within(port: int, ranges: Collection[tuple[int, int]]) -> bool:
    return any(first <= port <= last for first, last in ranges)


def rewritten(
    containers: list[Mapping[str, Any]], skipped: Collection[str], agent_port: int, captured: Captured
) -> tuple[list[Mapping[str, Any]], dict[str, Any]]:
    """The containers, and what the agent has to know by the path it is asked for. Those in `skipped` stay."""
    probers: dict[str, Any] = {}
    result = []
    for container in containers:
        if container.get("name") not in skipped:
            container = _container(container, agent_port, captured, probers)
        result.append(container)
    return result, probers


def _container(
    container: Mapping[str, Any], agent_port: int, captured: Captured, probers: dict[str, Any]
) -> Mapping[str, Any]:
    changed: dict[str, Any] = {}
    for kind, form in _PROBES.items():
        path = form.format(container.get("name"))
        probe = container.get(kind) or {}
        prober = _prober(probe, container, captured, _ACTIONS)
        if prober is not None:
            if probe.get("timeoutSeconds"):
                prober["timeoutSeconds"] = probe["timeoutSeconds"]
            probers[path] = prober
            changed[kind] = _redirected(probe, path, agent_port)
    hooks = container.get("lifecycle") or {}
    for kind, form in _HOOKS.items():
        path = form.format(container.get("name"))
        prober = _prober(hooks.get(kind) or {}, container, captured, _ACTIONS[:2])
        if prober is not None:
            probers[path] = prober
            hooks = {**hooks, kind: _redirected(hooks[kind], path, agent_port)}
            changed["lifecycle"] = hooks
    return {**container, **changed} if changed else container


def _prober(
    probe: Mapping[str, Any], container: Mapping[str, Any], captured: Captured, actions: Collection[str]
) -> dict[str, Any] | None:
    """What the agent asks; None for probes that stay as they are."""
    name = next((each for each in actions if isinstance(probe.get(each), Mapping)), None)
    if name is None:
        return None
    action = probe[name]
    port = _port(action.get("port"), container)
    # With a host of its own the kubelet does not ask the pod at all.
    if port is None or not captured(port) or action.get("host"):
        return None
    return {name: {**action, "port": port}}


def _port(port: Any, container: Mapping[str, Any]) -> int | None:
    """By number, or by the name of a port of the container."""
    if isinstance(port, int):
        return port
    text = str(port or "")
    if text.isascii() and text.isdecimal() and len(text) <= 5:
        return int(text)
    named = [each.get("containerPort") for each in container.get("ports") or () if each.get("name") == text]
    return named[0] if named and isinstance(named[0], int) else None


def _redirected(probe: Mapping[str, Any], path: str, agent_port: int) -> dict[str, Any]:
    action: dict[str, Any] = {"path": path, "port": agent_port}
    given = probe.get("httpGet") or {}
    if given.get("httpHeaders"):
        action["httpHeaders"] = given["httpHeaders"]
    if given.get("scheme"):
        action["scheme"] = "HTTP"
    return {**{key: value for key, value in probe.items() if key not in _ACTIONS}, "httpGet": action}


def joined(before: str, probers: Mapping[str, Any]) -> str:
    """The variable's text; what an earlier injection put there (`before`) counts over the new, since the pod's probes
    lead to the agent by now. Empty for none."""
    try:
        known = json.loads(before) if before else {}
    except ValueError:
        known = {}
    found = {**probers, **(known if isinstance(known, dict) else {})}
    return json.dumps(found, separators=(",", ":"), sort_keys=True) if found else ""
