from __future__ import annotations

import pytest

from lateen.api.objects import Key
from lateen.api.security.peer_authentication import MutualTLSMode
from lateen.model.peer_authentication import mutual_tls_mode, namespace_mode, peer_policies
from lateen.testing.mesh import Mesh

LABELS = (("app", "a"), ("version", "v1"))


def policy(
    name: str, mode: str = "", *, namespace: str = "ns", app: str = "", ports: str = "", created: str = "2024-01-01"
) -> str:
    selector = f"selector: {{matchLabels: {{app: {app}}}}}" if app else ""
    mtls = f"mtls: {{mode: {mode}}}" if mode else ""
    levels = f"portLevelMtls: {{{ports}}}" if ports else ""
    return f"""
kind: PeerAuthentication
metadata: {{name: {name}, namespace: {namespace}, creationTimestamp: "{created}T00:00:00Z"}}
spec:
  {selector}
  {mtls}
  {levels}
"""


def mesh_policy(mode: str) -> str:
    return policy("mesh", mode, namespace="istio-system")


def mode_of(*policies: str, port: int = 80) -> str:
    return Mesh(*policies).get(mutual_tls_mode, "ns", LABELS, port).value


@pytest.mark.parametrize(
    ("policies", "expected"),
    [
        ((), "PERMISSIVE"),
        ((mesh_policy("STRICT"),), "STRICT"),
        ((mesh_policy("UNSET"),), "PERMISSIVE"),
        ((mesh_policy("STRICT"), policy("own", "DISABLE")), "DISABLE"),
        ((mesh_policy("STRICT"), policy("own", "UNSET")), "STRICT"),
        ((mesh_policy("STRICT"), policy("own")), "STRICT"),
        ((policy("own", "STRICT"), policy("a", "DISABLE", app="a")), "DISABLE"),
        ((policy("own", "STRICT"), policy("a", app="a")), "STRICT"),
        ((policy("own", "STRICT"), policy("b", "DISABLE", app="b")), "STRICT"),
        ((mesh_policy("DISABLE"), policy("a", "UNSET", app="a")), "DISABLE"),
        ((policy("a", "UNSET", app="a"),), "PERMISSIVE"),
        # Of other namespaces nothing counts, and of the root namespace only what is about all workloads.
        ((policy("other", "STRICT", namespace="other"),), "PERMISSIVE"),
        ((policy("root", "STRICT", namespace="istio-system", app="a"),), "PERMISSIVE"),
        # Of equal standing the oldest counts.
        ((policy("new", "STRICT", created="2024-01-02"), policy("old", "DISABLE")), "DISABLE"),
        ((policy("new", "STRICT", app="a", created="2024-01-02"), policy("old", "DISABLE", app="a")), "DISABLE"),
        ((policy("b-name", "STRICT"), policy("a-name", "DISABLE")), "DISABLE"),
    ],
)
def test_the_narrowest_policy_that_says_something_counts(policies: tuple[str, ...], expected: str) -> None:
    assert mode_of(*policies) == expected


@pytest.mark.parametrize(
    ("port", "expected"), [(80, "DISABLE"), (81, "STRICT"), (82, "PERMISSIVE")], ids=["named", "unset", "unnamed"]
)
def test_ports_differ_where_a_workload_policy_says_so(port: int, expected: str) -> None:
    found = policy("a", "PERMISSIVE", app="a", ports="80: {mode: DISABLE}, 81: {mode: STRICT}")
    assert mode_of(mesh_policy("STRICT"), found, port=port) == expected


def test_an_unset_port_is_as_its_workload() -> None:
    assert mode_of(mesh_policy("STRICT"), policy("a", app="a", ports="80: {mode: UNSET}")) == "STRICT"


def test_in_the_root_namespace_the_mesh_policy_is_the_namespaces() -> None:
    mesh = Mesh(mesh_policy("STRICT"))
    assert mesh.get(mutual_tls_mode, "istio-system", LABELS, 80) is MutualTLSMode.STRICT


def test_the_root_namespace_is_what_mesh_config_says() -> None:
    mesh = Mesh(policy("mesh", "STRICT", namespace="root"))
    mesh.mesh_config("rootNamespace: root")
    assert mesh.get(mutual_tls_mode, "ns", LABELS, 80) is MutualTLSMode.STRICT


def test_clients_go_by_the_namespace_alone() -> None:
    mesh = Mesh(policy("own", "STRICT"), policy("a", "DISABLE", app="a"))
    assert mesh.get(namespace_mode, "ns") is MutualTLSMode.STRICT


def test_it_is_known_which_policy_is_a_workloads_own() -> None:
    found = Mesh(policy("own", "STRICT"), policy("a", "DISABLE", app="a")).get(peer_policies, "ns")
    own = found.of({"app": "a"})
    assert own is not None
    assert own.key == Key("ns", "a")
    assert found.of({"app": "b"}) is None
    assert found.declared
    assert not Mesh().get(peer_policies, "ns").declared


def test_a_policy_of_another_namespace_recomputes_nothing_here() -> None:
    mesh = Mesh(policy("own", "STRICT"))
    mesh.get(namespace_mode, "ns")
    before = mesh.engine.computations
    mesh.apply(policy("other", "DISABLE", namespace="other"))
    mesh.get(namespace_mode, "ns")
    assert mesh.engine.computations == before
