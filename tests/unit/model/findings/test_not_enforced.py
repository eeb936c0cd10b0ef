from __future__ import annotations

from typing import Any

import pytest

from lateen.api.kinds import MESH_KINDS
from lateen.api.objects import Key
from lateen.api.parse import parse_as
from lateen.api.schema.fault import Severity
from lateen.engine import Engine
from lateen.model import inputs
from lateen.model.findings import not_enforced

SPECS = {"WasmPlugin": {"url": "a"}, "TrafficExtension": {"wasm": {"url": "a"}}}
CASES = [
    ("RequestAuthentication", inputs.REQUEST_AUTHENTICATIONS, not_enforced.request_authentication_findings),
    ("Telemetry", inputs.TELEMETRIES, not_enforced.telemetry_findings),
    ("WasmPlugin", inputs.WASM_PLUGINS, not_enforced.wasm_plugin_findings),
    ("TrafficExtension", inputs.TRAFFIC_EXTENSIONS, not_enforced.traffic_extension_findings),
]


@pytest.mark.parametrize(("name", "table", "findings"), CASES, ids=[case[0] for case in CASES])
def test_a_resource_that_nothing_honours_says_so(name: str, table: Any, findings: Any) -> None:
    kind = next(kind for kind in MESH_KINDS if kind.kind == name)
    value = parse_as(kind, {"metadata": {"name": "a", "namespace": "b"}, "spec": SPECS.get(name, {})}).value
    engine = Engine()
    key = Key("b", "a")
    assert engine.get(findings, key) == ()
    with engine.change() as transaction:
        transaction.set(table, key, value)
    (fault,) = engine.get(findings, key)
    assert fault.severity is Severity.WARNING
    assert fault.message.startswith("not enforced yet by this version: ")
