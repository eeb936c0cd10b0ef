from __future__ import annotations

import pytest

from lateen.api.kinds import MESH_KINDS
from lateen.api.objects import Key, ObjectRef
from lateen.api.parse import parse_as
from lateen.api.schema.fault import Severity
from lateen.engine import Engine
from lateen.model.tables import TABLES
from lateen.status.findings import report

SPECS = {
    "RequestAuthentication": {},
    "Telemetry": {},
    "WasmPlugin": {"url": "a"},
    "TrafficExtension": {"wasm": {"url": "a"}},
}


@pytest.mark.parametrize("name", SPECS)
def test_a_resource_that_nothing_honours_says_so(name: str) -> None:
    kind = next(kind for kind in MESH_KINDS if kind.kind == name)
    value = parse_as(kind, {"metadata": {"name": "a", "namespace": "b"}, "spec": SPECS[name]}).value
    engine, ref = Engine(), ObjectRef(name, Key("b", "a"))
    assert engine.get(report, ref) is None
    with engine.change() as transaction:
        transaction.set(TABLES[kind], ref.key, value)
    found = engine.get(report, ref)
    assert found is not None
    (fault,) = found.faults
    assert fault.severity is Severity.WARNING
    assert fault.message.startswith("not enforced yet by this version: ")
