from __future__ import annotations

from typing import Any

import pytest

from lateen.api.objects import Key
from lateen.api.schema.fault import Severity
from lateen.model.findings.authorization_policy import authorization_policy_findings
from lateen.testing.mesh import Mesh

POD = """
kind: Pod
metadata: {name: web, namespace: default, labels: {app: web}}
status: {podIP: 10.0.0.1, phase: Running}
"""


def found(*, namespace: str = "default", annotations: dict[str, str] | None = None, **spec: Any) -> dict[str, str]:
    metadata = {"name": "p", "namespace": namespace, "annotations": annotations or {}}
    mesh = Mesh(POD, {"kind": "AuthorizationPolicy", "metadata": metadata, "spec": spec})
    faults = mesh.get(authorization_policy_findings, Key(namespace, "p"))
    return {fault.path: f"{fault.severity.value}: {fault.message}" for fault in faults}


def test_of_one_that_is_not_there() -> None:
    assert Mesh().get(authorization_policy_findings, Key("a", "b")) == ()


@pytest.mark.parametrize(
    ("namespace", "app", "well"),
    [
        ("default", "web", True),
        ("default", "db", False),
        ("other", "web", False),
        ("istio-system", "web", True),
        ("istio-system", "db", False),
    ],
)
def test_selectors_that_select_nothing(namespace: str, app: str, well: bool) -> None:
    faults = found(namespace=namespace, selector={"matchLabels": {"app": app}})
    assert list(faults) == ([] if well else ["spec.selector"])


@pytest.mark.parametrize(("value", "well"), [("true", True), ("false", True), ("1", True), ("yes", False), ("", False)])
def test_trials(value: str, well: bool) -> None:
    faults = found(annotations={"istio.io/dry-run": value})
    assert ("enforced" in "".join(faults.values())) is not well


def test_what_cannot_be_evaluated() -> None:
    ((path, message),) = found(rules=[{"from": [{"source": {"requestPrincipals": ["a/b"]}}]}]).items()
    assert path == "spec.rules[0].from[0].source.requestPrincipals"
    assert message.startswith(f"{Severity.ERROR.value}: requestPrincipals is not supported yet")
