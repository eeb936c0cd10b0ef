from __future__ import annotations

from lateen.api.objects import Key
from lateen.model.findings.peer_authentication import peer_authentication_findings
from lateen.testing.mesh import Mesh

POD = """
kind: Pod
metadata: {name: a, namespace: ns, labels: {app: a}}
spec: {containers: [{name: c}]}
status: {podIP: 10.1.0.1, podIPs: [{ip: 10.1.0.1}]}
"""
ENTRY = """
kind: WorkloadEntry
metadata: {name: b, namespace: ns, labels: {app: b}}
spec: {address: 10.1.0.2}
"""


def policy(name: str, app: str = "", namespace: str = "ns", created: str = "2024-01-02") -> str:
    selector = f"selector: {{matchLabels: {{app: {app}}}}}," if app else ""
    return f"""
kind: PeerAuthentication
metadata: {{name: {name}, namespace: {namespace}, creationTimestamp: "{created}T00:00:00Z"}}
spec: {{{selector} mtls: {{mode: STRICT}}}}
"""


def findings(*resources: str, namespace: str = "ns") -> list[tuple[str, str]]:
    found = Mesh(POD, ENTRY, *resources).get(peer_authentication_findings, Key(namespace, "policy"))
    return [(fault.path, fault.code) for fault in found]


def test_a_policy_that_is_as_it_should_be() -> None:
    assert findings(policy("policy")) == []
    assert findings(policy("policy", "a")) == []
    assert findings(policy("policy", "b")) == []
    assert findings(policy("policy", namespace="istio-system"), namespace="istio-system") == []


def test_a_selector_in_the_root_namespace() -> None:
    pod = POD.replace("namespace: ns", "namespace: istio-system")
    found = findings(pod, policy("policy", "a", namespace="istio-system"), namespace="istio-system")
    assert found == [("spec.selector", "")]


def test_an_older_policy_for_the_same_workloads() -> None:
    assert findings(policy("policy"), policy("older", created="2024-01-01")) == [("spec", "")]
    assert findings(policy("policy"), policy("younger", created="2024-01-03")) == []
    assert findings(policy("policy", "a"), policy("older", created="2024-01-01")) == []


def test_a_selector_that_no_workload_has() -> None:
    assert findings(policy("policy", "c")) == [("spec.selector", "IST0127")]


def test_there_is_nothing_to_say_of_a_policy_that_is_not_there() -> None:
    assert findings() == []
