"""Findings on the kinds that are read and validated, and that no generated configuration honours yet."""

from __future__ import annotations

from typing import Any

from lateen.api.objects import Key
from lateen.api.schema.fault import Fault, warning
from lateen.engine import Reader, Table, query
from lateen.model.inputs import (
    AUTHORIZATION_POLICIES,
    PROXY_CONFIGS,
    REQUEST_AUTHENTICATIONS,
    TELEMETRIES,
    TRAFFIC_EXTENSIONS,
    WASM_PLUGINS,
)

Findings = tuple[Fault, ...]


@query
def request_authentication_findings(db: Reader, key: Key) -> Findings:
    return _not_enforced(db, REQUEST_AUTHENTICATIONS, key, "tokens are not verified")


@query
def authorization_policy_findings(db: Reader, key: Key) -> Findings:
    return _not_enforced(db, AUTHORIZATION_POLICIES, key, "requests are neither refused nor audited")


@query
def telemetry_findings(db: Reader, key: Key) -> Findings:
    return _not_enforced(db, TELEMETRIES, key, "metrics, access logs and traces stay as they are")


@query
def wasm_plugin_findings(db: Reader, key: Key) -> Findings:
    return _not_enforced(db, WASM_PLUGINS, key, "the plugin does not run")


@query
def traffic_extension_findings(db: Reader, key: Key) -> Findings:
    return _not_enforced(db, TRAFFIC_EXTENSIONS, key, "the extension does not run")


@query
def proxy_config_findings(db: Reader, key: Key) -> Findings:
    return _not_enforced(db, PROXY_CONFIGS, key, "proxies start with the mesh's defaults")


def _not_enforced(db: Reader, table: Table[Key, Any], key: Key, consequence: str) -> Findings:
    if table.get(db, key) is None:
        return ()
    return (warning("spec", f"not enforced yet by this version: {consequence}"),)
