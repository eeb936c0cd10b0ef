"""ISTIO_KUBE_APP_PROBERS: the application's probes, which the injector has moved to the agent."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

MAX_PROBES: Final = 1000
_PATH: Final = re.compile(r"/(app-health/[^/]+/(livez|readyz|startupz)|app-lifecycle/[^/]+/(prestopz|poststartz))")
_DEFAULT_TIMEOUT: Final = 1.0
"""Of probes, as in Kubernetes."""
_HOOK_TIMEOUT: Final = 3600.0
"""Lifecycle hooks have none of their own: the pod's grace period ends them."""


class BadProbe(ValueError):
    """A probe that cannot be made; says which and why."""


@dataclass(frozen=True)
class HttpProbe:
    port: int
    path: str
    tls: bool


@dataclass(frozen=True)
class TcpProbe:
    port: int


@dataclass(frozen=True)
class GrpcProbe:
    port: int
    service: str


@dataclass(frozen=True)
class Probe:
    action: HttpProbe | TcpProbe | GrpcProbe
    timeout: float
    """Seconds."""


def parse_probes(text: str) -> dict[str, Probe]:
    """By the path at which the agent answers. Raises BadProbe.

    An action's `httpHeaders` and `host` stay in the pod's own probe, so that the kubelet sends them with each request.
    """
    if not text:
        return {}
    try:
        data = json.loads(text)
    except ValueError as error:
        raise BadProbe(f"ISTIO_KUBE_APP_PROBERS is not JSON: {error}") from error
    if not isinstance(data, dict) or len(data) > MAX_PROBES:
        raise BadProbe(f"ISTIO_KUBE_APP_PROBERS: at most {MAX_PROBES} probes by path are expected")
    return {path: _probe(path, found) for path, found in data.items()}


def _probe(path: str, data: Any) -> Probe:
    where = f"ISTIO_KUBE_APP_PROBERS: {path}"
    if not _PATH.fullmatch(path):
        raise BadProbe(f"{where}: /app-health/CONTAINER/{{livez,readyz,startupz}} or a lifecycle path is expected")
    if not isinstance(data, dict):
        raise BadProbe(f"{where}: a probe is expected")
    actions = [name for name in ("httpGet", "tcpSocket", "grpc") if isinstance(data.get(name), dict)]
    if len(actions) != 1:
        raise BadProbe(f"{where}: one of httpGet, tcpSocket and grpc is expected")
    timeout = data.get("timeoutSeconds") or 0
    if isinstance(timeout, bool) or not isinstance(timeout, int) or timeout < 0:
        raise BadProbe(f"{where}.timeoutSeconds: a number of seconds is expected, not {timeout!r}")
    default = _HOOK_TIMEOUT if path.startswith("/app-lifecycle/") else _DEFAULT_TIMEOUT
    return Probe(_action(f"{where}.{actions[0]}", actions[0], data[actions[0]]), float(timeout) or default)


def _action(where: str, name: str, data: Mapping[str, Any]) -> HttpProbe | TcpProbe | GrpcProbe:
    port = data.get("port")
    if isinstance(port, bool) or not isinstance(port, int) or not 0 < port < 65536:
        raise BadProbe(f"{where}.port: a port number is expected, not {port!r}; the injector resolves names")
    if name == "tcpSocket":
        return TcpProbe(port)
    if name == "grpc":
        return GrpcProbe(port, _text(f"{where}.service", data.get("service")))
    path = _text(f"{where}.path", data.get("path"))
    if any(not "!" <= c <= "~" for c in path):
        raise BadProbe(f"{where}.path: {path!r} is not a path of a URL")
    scheme = _text(f"{where}.scheme", data.get("scheme")) or "HTTP"
    if scheme not in ("HTTP", "HTTPS"):
        raise BadProbe(f"{where}.scheme: HTTP or HTTPS is expected, not {scheme!r}")
    return HttpProbe(port, path if path.startswith("/") else f"/{path}", scheme == "HTTPS")


def _text(where: str, value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise BadProbe(f"{where}: a string is expected, not {value!r}")
    return value
