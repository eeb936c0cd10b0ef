"""The rules of probes and lifecycle hooks.

Source: k8s.io/kubernetes `pkg/apis/core/validation/validation.go`.
"""

from __future__ import annotations

from typing import Any

from lateen.cluster.apiserver import names
from lateen.cluster.apiserver.kinds.fields import indexed, mapping, number, strings, text
from lateen.cluster.objects import Obj
from lateen.cluster.status import Cause, forbidden_field, invalid_value, not_supported, required

_PROBE_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc")
_HOOK_HANDLERS = ("exec", "httpGet", "tcpSocket", "sleep")
_COUNTS = ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold")
_NOT_NEGATIVE = "must be greater than or equal to 0"


def validate_probe(probe: Obj, path: str, name: str) -> list[Cause]:
    """`name` is the probe's field: liveness and startup need a success threshold of one."""
    found = _validate_handler(probe, path, _PROBE_HANDLERS)
    for field in _COUNTS:
        if number(probe, field) < 0:
            found.append(invalid_value(f"{path}.{field}", probe[field], _NOT_NEGATIVE))
    if name != "readinessProbe" and number(probe, "successThreshold", 1) != 1:
        found.append(invalid_value(f"{path}.successThreshold", probe["successThreshold"], "must be 1"))
    grace = probe.get("terminationGracePeriodSeconds")
    if grace is not None:
        if name == "readinessProbe":
            detail = "must not be set for readinessProbes"
            found.append(invalid_value(f"{path}.terminationGracePeriodSeconds", grace, detail))
        elif grace <= 0:
            found.append(invalid_value(f"{path}.terminationGracePeriodSeconds", grace, "must be greater than 0"))
    return found


def validate_lifecycle(lifecycle: Obj, path: str, grace: int) -> list[Cause]:
    """`grace` is the pod's termination grace period: a `sleep` hook must fit in it."""
    found = []
    for hook in ("postStart", "preStop"):
        if isinstance(lifecycle.get(hook), dict):
            found += _validate_handler(lifecycle[hook], f"{path}.{hook}", _HOOK_HANDLERS)
            sleep = lifecycle[hook].get("sleep")
            if isinstance(sleep, dict) and not 0 <= number(sleep, "seconds") <= grace:
                detail = f"must be non-negative and less than terminationGracePeriodSeconds ({grace})"
                found.append(invalid_value(f"{path}.{hook}.sleep", number(sleep, "seconds"), detail))
    return found


def _validate_handler(parent: Obj, path: str, allowed: tuple[str, ...]) -> list[Cause]:
    given = [field for field in allowed if isinstance(parent.get(field), dict)]
    if not given:
        return [required(path, "must specify a handler type")]
    found = [forbidden_field(f"{path}.{field}", "may not specify more than 1 handler type") for field in given[1:]]
    field = given[0]
    handler = mapping(parent, field)
    at = f"{path}.{field}"
    if field == "exec" and not strings(handler, "command"):
        found.append(required(f"{at}.command"))
    if field == "httpGet":
        if not text(handler, "path"):
            found.append(required(f"{at}.path"))
        found += _validate_port(handler.get("port"), f"{at}.port")
        if handler.get("scheme") not in ("HTTP", "HTTPS"):
            found.append(not_supported(f"{at}.scheme", handler.get("scheme"), ["HTTP", "HTTPS"]))
        for header_at, header in indexed(handler, "httpHeaders", at):
            if not names.HTTP_HEADER.fullmatch(text(header, "name")):
                found.append(invalid_value(f"{header_at}.name", text(header, "name"), names.HTTP_HEADER_ERROR))
    if field == "tcpSocket":
        found += _validate_port(handler.get("port"), f"{at}.port")
    if field == "grpc":
        port = number(handler, "port")
        found += [invalid_value(f"{at}.port", port, e) for e in names.port_number(port)]
    return found


def _validate_port(port: Any, path: str) -> list[Cause]:
    if isinstance(port, int):
        return [invalid_value(path, port, e) for e in names.port_number(port)]
    return [invalid_value(path, port, e) for e in names.port_name(str(port or ""))]
