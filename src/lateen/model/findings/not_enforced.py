"""Findings on the kinds that are read and validated, and that no generated configuration honours yet."""

from __future__ import annotations

from typing import Any, Final

from lateen.api.objects import Key
from lateen.api.schema.fault import Fault, warning
from lateen.engine import Reader, Table, query
from lateen.model.inputs import (
    REQUEST_AUTHENTICATIONS,
    TELEMETRIES,
    TRAFFIC_EXTENSIONS,
    WASM_PLUGINS,
)

Findings = tuple[Fault, ...]


_CONSEQUENCES: Final = {
    "RequestAuthentication": "tokens are not verified",
    "Telemetry": "metrics, access logs and traces stay as they are",
    "WasmPlugin": "the plugin does not run",
    "TrafficExtension": "the extension does not run",
}


def not_enforced(kind: str) -> Findings:
    """What is to be said of every resource of a kind; nothing of those that are honoured."""
    consequence = _CONSEQUENCES.get(kind)
    return (warning("spec", f"not enforced yet by this version: {consequence}"),) if consequence else ()


@query
def request_authentication_findings(db: Reader, key: Key) -> Findings:
    return _of(db, REQUEST_AUTHENTICATIONS, key, "RequestAuthentication")


@query
def telemetry_findings(db: Reader, key: Key) -> Findings:
    return _of(db, TELEMETRIES, key, "Telemetry")


@query
def wasm_plugin_findings(db: Reader, key: Key) -> Findings:
    return _of(db, WASM_PLUGINS, key, "WasmPlugin")


@query
def traffic_extension_findings(db: Reader, key: Key) -> Findings:
    return _of(db, TRAFFIC_EXTENSIONS, key, "TrafficExtension")


def _of(db: Reader, table: Table[Key, Any], key: Key, kind: str) -> Findings:
    return not_enforced(kind) if table.get(db, key) is not None else ()
