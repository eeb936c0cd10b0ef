"""The kinds that are read and validated, and that no generated configuration honours yet."""

from __future__ import annotations

from typing import Final

from lateen.api.schema.fault import Fault, warning

_CONSEQUENCES: Final = {
    "RequestAuthentication": "tokens are not verified",
    "Telemetry": "metrics, access logs and traces stay as they are",
    "WasmPlugin": "the plugin does not run",
    "TrafficExtension": "the extension does not run",
}


def not_enforced(kind: str) -> tuple[Fault, ...]:
    """What is to be said of every resource of a kind; nothing of those that are honoured."""
    consequence = _CONSEQUENCES.get(kind)
    return (warning("spec", f"not enforced yet by this version: {consequence}"),) if consequence else ()
