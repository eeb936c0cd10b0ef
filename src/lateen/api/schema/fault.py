"""What is wrong with a resource, and where."""

from __future__ import annotations

from enum import Enum

import msgspec


class Severity(Enum):
    ERROR = "error"
    """The resource is rejected."""
    WARNING = "warning"
    """The resource is taken; its author should look."""


class Fault(msgspec.Struct, frozen=True):
    """One located fault."""

    path: str
    """Where in the resource, as users write it: `spec.http[0].route[1].weight`; empty for the whole."""
    message: str
    """What was expected and what was found."""
    severity: Severity = Severity.ERROR
    code: str = ""
    """Istio's analyzer code (`IST0106`) where it has one for this."""


def error(path: str, message: str) -> Fault:
    return Fault(path, message)


def warning(path: str, message: str) -> Fault:
    return Fault(path, message, Severity.WARNING)
