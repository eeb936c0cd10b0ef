"""Kubernetes `Status` errors as exceptions: the same value on the server that raises and the client that reads.

Source: k8s.io/apimachinery `metav1.Status` and its reasons; messages have the words kubectl users know.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lateen.cluster.objects import Obj


@dataclass(frozen=True, slots=True)
class Cause:
    """One field's fault. `type` is a `metav1.CauseType` such as `FieldValueInvalid`."""

    type: str
    message: str
    field: str

    def to_json(self) -> Obj:
        return {"reason": self.type, "message": self.message, "field": self.field}


def invalid_value(field: str, value: Any, detail: str) -> Cause:
    return Cause("FieldValueInvalid", f"Invalid value: {_show(value)}: {detail}", field)


def required(field: str, detail: str = "") -> Cause:
    return Cause("FieldValueRequired", f"Required value{': ' + detail if detail else ''}", field)


def forbidden_field(field: str, detail: str) -> Cause:
    return Cause("FieldValueForbidden", f"Forbidden: {detail}", field)


def duplicate(field: str, value: Any) -> Cause:
    return Cause("FieldValueDuplicate", f"Duplicate value: {_show(value)}", field)


def not_supported(field: str, value: Any, supported: Sequence[str]) -> Cause:
    listed = ", ".join(f'"{s}"' for s in supported)
    return Cause("FieldValueNotSupported", f"Unsupported value: {_show(value)}: supported values: {listed}", field)


def too_long(field: str, limit: int) -> Cause:
    return Cause("FieldValueTooLong", f"Too long: may not be more than {limit} bytes", field)


def field_not_found(field: str, value: Any) -> Cause:
    return Cause("FieldValueNotFound", f"Not found: {_show(value)}", field)


def _show(value: Any) -> str:
    import json

    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return text if len(text) <= 200 else text[:200] + "..."


class StatusError(Exception):
    """An API error. `code` is the HTTP status, `reason` a `metav1.StatusReason`."""

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        *,
        group: str = "",
        kind: str = "",
        name: str = "",
        causes: Sequence[Cause] = (),
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.group = group
        self.kind = kind
        self.name = name
        self.causes = tuple(causes)
        self.retry_after = retry_after

    def to_json(self) -> Obj:
        details: Obj = {}
        if self.name:
            details["name"] = self.name
        if self.group:
            details["group"] = self.group
        if self.kind:
            details["kind"] = self.kind
        if self.causes:
            details["causes"] = [cause.to_json() for cause in self.causes]
        if self.retry_after is not None:
            details["retryAfterSeconds"] = self.retry_after
        return {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            **({"details": details} if details else {}),
            "code": self.code,
        }

    @classmethod
    def from_json(cls, status: Obj, code: int) -> StatusError:
        """Reads a `Status` body; `code` is the HTTP status, used where the body has none."""
        details = status.get("details") or {}
        causes = [
            Cause(c.get("reason", ""), c.get("message", ""), c.get("field", "")) for c in details.get("causes") or ()
        ]
        return cls(
            int(status.get("code") or code),
            str(status.get("reason") or ""),
            str(status.get("message") or f"HTTP {code}"),
            group=details.get("group", ""),
            kind=details.get("kind", ""),
            name=details.get("name", ""),
            causes=causes,
            retry_after=details.get("retryAfterSeconds"),
        )


def _resource(group: str, plural: str) -> str:
    return f"{plural}.{group}" if group else plural


def not_found(group: str, plural: str, name: str) -> StatusError:
    message = f'{_resource(group, plural)} "{name}" not found'
    return StatusError(404, "NotFound", message, group=group, kind=plural, name=name)


def path_not_found() -> StatusError:
    return StatusError(404, "NotFound", "the server could not find the requested resource")


def already_exists(group: str, plural: str, name: str) -> StatusError:
    message = f'{_resource(group, plural)} "{name}" already exists'
    return StatusError(409, "AlreadyExists", message, group=group, kind=plural, name=name)


def conflict(group: str, plural: str, name: str, detail: str = "") -> StatusError:
    detail = detail or ("the object has been modified; please apply your changes to the latest version and try again")
    message = f'Operation cannot be fulfilled on {_resource(group, plural)} "{name}": {detail}'
    return StatusError(409, "Conflict", message, group=group, kind=plural, name=name)


def invalid(group: str, kind: str, name: str, causes: Sequence[Cause]) -> StatusError:
    """422 with one cause per field; the message lists them as kubectl users know it."""
    parts = [f"{c.field}: {c.message}" for c in causes]
    listed = parts[0] if len(parts) == 1 else "[" + ", ".join(parts) + "]"
    shown = f"{kind}.{group}" if group else kind
    message = f'{shown} "{name}" is invalid: {listed}'
    return StatusError(422, "Invalid", message, group=group, kind=kind, name=name, causes=causes)


def bad_request(message: str) -> StatusError:
    return StatusError(400, "BadRequest", message)


def unauthorized(message: str = "Unauthorized") -> StatusError:
    return StatusError(401, "Unauthorized", message)


def forbidden(group: str, plural: str, name: str, detail: str) -> StatusError:
    shown = f'{_resource(group, plural)} "{name}"' if name else _resource(group, plural)
    message = f"{shown} is forbidden: {detail}"
    return StatusError(403, "Forbidden", message, group=group, kind=plural, name=name)


def gone(message: str = "The provided resource version is too old") -> StatusError:
    return StatusError(410, "Expired", message)


def method_not_allowed(
    message: str = "the server does not allow this method on the requested resource",
) -> StatusError:
    return StatusError(405, "MethodNotAllowed", message)


def not_acceptable(message: str) -> StatusError:
    return StatusError(406, "NotAcceptable", message)


def unsupported_media_type(message: str) -> StatusError:
    return StatusError(415, "UnsupportedMediaType", message)


def too_large(limit: int) -> StatusError:
    return StatusError(413, "RequestEntityTooLarge", f"Request entity too large: limit is {limit} bytes")


def too_many_requests(message: str, retry_after: int | None = 1) -> StatusError:
    return StatusError(429, "TooManyRequests", message, retry_after=retry_after)


def internal_error(message: str) -> StatusError:
    return StatusError(500, "InternalError", f"Internal error occurred: {message}")


def service_unavailable(message: str) -> StatusError:
    return StatusError(503, "ServiceUnavailable", message)


def timeout(message: str) -> StatusError:
    return StatusError(504, "Timeout", message)
