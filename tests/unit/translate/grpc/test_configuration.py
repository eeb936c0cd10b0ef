"""Clusters, endpoints, routes and servers' listeners as gRPC takes them."""

from __future__ import annotations

from typing import Any

import pytest

from lateen.model.proxy import Generator, Traits
from lateen.testing.mesh import Mesh, endpoint_slice
from lateen.translate.envoy_types import decoded, readable
from lateen.translate.resource import ResourceType

ECHO = """
kind: Service
metadata: {name: echo, namespace: shop}
spec: {clusterIP: 10.0.0.5, selector: {app: echo}, ports: [{name: grpc, port: 7070}]}
"""
HOST = "echo.shop.svc.cluster.local"
CLUSTER = f"outbound|7070||{HOST}"
NO_IDENTITY = Traits(certificates=None)


def pod(name: str, address: str, **labels: str) -> dict[str, Any]:
    return {
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "shop", "labels": {"app": "echo", **labels}},
        "spec": {"serviceAccountName": "echo", "containers": []},
        "status": {"podIP": address, "podIPs": [{"ip": address}]},
    }


def rule(policy: str) -> str:
    return f"""
kind: DestinationRule
metadata: {{name: echo, namespace: shop}}
spec: {{host: echo, trafficPolicy: {policy}, subsets: [{{name: v1, labels: {{version: v1}}}}]}}
"""


def mutual_tls(mode: str) -> str:
    return (
        f"{{kind: PeerAuthentication, metadata: {{name: default, namespace: shop}}, spec: {{mtls: {{mode: {mode}}}}}}}"
    )


def routes(*http: str) -> str:
    listed = "".join(f"\n  - {each}" for each in http)
    return f"kind: VirtualService\nmetadata: {{name: echo, namespace: shop}}\nspec:\n  hosts: [echo]\n  http:{listed}\n"


def made(mesh: Mesh, type_: ResourceType, name: str, id: str = "client.shop", **proxy: Any) -> Any:
    """One resource, as data."""
    found = mesh.resources(type_, mesh.proxy(id, generator=Generator.GRPC, **proxy))
    return readable(decoded(type_, found[name]))


# --- clusters -------------------------------------------------------------------------------------------------------


def tls_of(mesh: Mesh, **proxy: Any) -> Any:
    return made(mesh, ResourceType.CDS, CLUSTER, **proxy).get("transport_socket", {}).get("typed_config")


SLICE = endpoint_slice("echo", "shop", ports={"grpc": 7070}, pods={"a": "10.1.0.1", "b": "10.1.0.2"})
MESH_TLS = {"security.istio.io/tlsMode": "istio"}


def test_a_cluster_is_plain_and_without_a_limit_unless_told_otherwise() -> None:
    cluster = made(Mesh(ECHO), ResourceType.CDS, CLUSTER)
    assert cluster["type"] == "EDS"
    assert cluster["eds_cluster_config"]["service_name"] == CLUSTER
    assert cluster["circuit_breakers"] == {"thresholds": [{"max_requests": 2**32 - 1}]}
    assert cluster.keys() == {"name", "type", "eds_cluster_config", "circuit_breakers"}


def test_the_mesh_s_tls_names_the_provider_of_certificates_and_who_answers() -> None:
    mesh = Mesh(ECHO, pod("a", "10.1.0.1", **MESH_TLS), SLICE, rule("{tls: {mode: ISTIO_MUTUAL}}"))
    common = tls_of(mesh)["common_tls_context"]
    assert common["tls_certificate_provider_instance"] == {"instance_name": "default", "certificate_name": "default"}
    checks = common["combined_validation_context"]["default_validation_context"]
    assert checks["ca_certificate_provider_instance"] == {"instance_name": "default", "certificate_name": "ROOTCA"}
    assert checks["match_subject_alt_names"] == [{"exact": "spiffe://cluster.local/ns/shop/sa/echo"}]


@pytest.mark.parametrize(
    ("mode", "labels", "expected"),
    [
        ("STRICT", (MESH_TLS, MESH_TLS), True),
        ("STRICT", (MESH_TLS, {}), False),
        # A server that takes both cannot be told that this TLS is the mesh's.
        ("PERMISSIVE", (MESH_TLS, MESH_TLS), False),
        ("DISABLE", (MESH_TLS, MESH_TLS), False),
    ],
)
def test_the_mesh_s_tls_is_automatic_where_every_endpoint_demands_it(
    mode: str, labels: tuple[dict[str, str], ...], expected: bool
) -> None:
    pods = [pod(name, f"10.1.0.{at + 1}", **labels[at]) for at, name in enumerate("ab")]
    mesh = Mesh(ECHO, *pods, SLICE, mutual_tls(mode))
    assert (tls_of(mesh) is not None) is expected
    assert tls_of(mesh, traits=NO_IDENTITY) is None
    mesh.apply(rule("{tls: {mode: DISABLE}}"))
    assert tls_of(mesh) is None


def test_the_mesh_s_tls_is_automatic_to_applications_that_take_it() -> None:
    """They have no way of taking plain text too."""
    own = {"inject.istio.io/templates": "grpc-agent"}
    pods = [pod(name, f"10.1.0.{at + 1}", **MESH_TLS) for at, name in enumerate("ab")]
    mesh = Mesh(ECHO, *pods, SLICE)
    assert tls_of(mesh) is None
    for each in pods:
        each["metadata"]["annotations"] = own
    mesh.apply(pods[0])
    assert tls_of(mesh) is None
    mesh.apply(pods[1])
    assert tls_of(mesh) is not None
    mesh.apply(pod("b", "10.1.0.2"))
    assert tls_of(mesh) is None
    mesh.apply(pods[1], mutual_tls("DISABLE"))
    assert tls_of(mesh) is None


def test_one_workload_that_takes_plain_text_too_makes_a_cluster_plain() -> None:
    pods = (pod("a", "10.1.0.1", **MESH_TLS), pod("b", "10.1.0.2", odd="yes", **MESH_TLS))
    mesh = Mesh(ECHO, *pods, SLICE, mutual_tls("STRICT"))
    assert tls_of(mesh) is not None
    mesh.apply("""
kind: PeerAuthentication
metadata: {name: odd, namespace: shop}
spec: {selector: {matchLabels: {odd: "yes"}}, mtls: {mode: PERMISSIVE}}
""")
    assert tls_of(mesh) is None


@pytest.mark.parametrize(
    ("policy", "traits"),
    [
        ("{tls: {mode: SIMPLE}}", Traits()),
        ("{tls: {mode: MUTUAL, clientCertificate: /a, privateKey: /b}}", Traits()),
        ("{tls: {mode: ISTIO_MUTUAL}}", NO_IDENTITY),
        ("{proxyProtocol: {version: V1}}", Traits()),
    ],
)
def test_what_a_client_cannot_do_leaves_it_without_endpoints(policy: str, traits: Traits) -> None:
    mesh = Mesh(ECHO, pod("a", "10.1.0.1"), pod("b", "10.1.0.2"), SLICE)
    assert made(mesh, ResourceType.EDS, CLUSTER, traits=traits)["endpoints"]
    mesh.apply(rule(policy))
    assert made(mesh, ResourceType.EDS, CLUSTER, traits=traits) == {"cluster_name": CLUSTER}
    assert tls_of(mesh, traits=traits) is None


def test_balancing_is_what_grpc_has_next_to_what_is_asked_for() -> None:
    def balanced(settings: str) -> Any:
        return made(Mesh(ECHO, rule(f"{{loadBalancer: {settings}}}")), ResourceType.CDS, CLUSTER)

    assert "lb_policy" not in balanced("{simple: ROUND_ROBIN}")
    assert "lb_policy" not in balanced("{simple: RANDOM}")
    assert balanced("{consistentHash: {httpHeaderName: x}}")["lb_policy"] == "RING_HASH"
    maglev = balanced("{consistentHash: {httpHeaderName: x, maglev: {tableSize: 7}}}")
    assert (maglev["lb_policy"], maglev["ring_hash_lb_config"]) == ("RING_HASH", {"minimum_ring_size": "1024"})
    least = balanced("{simple: LEAST_REQUEST}")["load_balancing_policy"]["policies"]
    (locality,) = (each["typed_extension_config"]["typed_config"] for each in least)
    names = [each["typed_extension_config"]["name"] for each in locality["endpoint_picking_policy"]["policies"]]
    assert [name.rpartition(".")[2] for name in names] == ["LeastRequest", "RoundRobin"]


# --- endpoints ------------------------------------------------------------------------------------------------------


def test_every_group_of_endpoints_says_where_it_is() -> None:
    (group,) = made(Mesh(ECHO, pod("a", "10.1.0.1"), pod("b", "10.1.0.2"), SLICE), ResourceType.EDS, CLUSTER)[
        "endpoints"
    ]
    assert group["locality"] == {}
    assert group["load_balancing_weight"] == 2
    assert [end.keys() for end in group["lb_endpoints"]] == [{"endpoint", "load_balancing_weight"}] * 2


def test_a_headless_service_has_its_endpoints() -> None:
    mesh = Mesh(ECHO.replace("10.0.0.5", "None"), pod("a", "10.1.0.1"), pod("b", "10.1.0.2"), SLICE)
    (group,) = made(mesh, ResourceType.EDS, CLUSTER)["endpoints"]
    assert len(group["lb_endpoints"]) == 2


def test_names_and_sockets_are_left_out_and_leave_no_gap() -> None:
    mesh = Mesh("""
kind: ServiceEntry
metadata: {name: far, namespace: shop}
spec:
  hosts: [far.example]
  resolution: DNS
  ports: [{number: 7070, name: grpc, protocol: GRPC}]
  endpoints:
  - {address: near.example, locality: here/a}
  - {address: 1.2.3.4, locality: there/a}
---
kind: DestinationRule
metadata: {name: far, namespace: shop}
spec: {host: far.example, trafficPolicy: {outlierDetection: {consecutive5xxErrors: 1}}}
""")
    mesh.mesh_config("localityLbSetting: {enabled: true}")
    client = {"locality": mesh.proxy().locality._replace(region="here")}
    (group,) = made(mesh, ResourceType.EDS, "outbound|7070||far.example", **client)["endpoints"]
    assert group["locality"] == {"region": "there", "zone": "a"}
    assert "priority" not in group
    entry = """
kind: ServiceEntry
metadata: {name: socket, namespace: shop}
spec:
  hosts: [socket.example]
  resolution: STATIC
  ports: [{number: 7070, name: grpc, protocol: GRPC}]
  endpoints: [{address: "unix:///a"}]
"""
    assert "endpoints" not in made(Mesh(entry), ResourceType.EDS, "outbound|7070||socket.example")


def test_what_is_not_there_has_a_cluster_that_answers_at_once() -> None:
    assert made(Mesh(), ResourceType.CDS, "BlackHoleCluster")["type"] == "EDS"
    assert made(Mesh(), ResourceType.EDS, "BlackHoleCluster") == {"cluster_name": "BlackHoleCluster"}


# --- routes ---------------------------------------------------------------------------------------------------------


def routed(*http: str) -> list[Any]:
    (host,) = made(Mesh(ECHO, rule("{loadBalancer: {simple: ROUND_ROBIN}}"), routes(*http)), ResourceType.RDS, CLUSTER)[
        "virtual_hosts"
    ]
    assert host["domains"] == ["*"]
    return list(host["routes"])


TO = "route: [{destination: {host: echo}}]"


def test_a_service_without_routes_has_one_to_itself() -> None:
    (host,) = made(Mesh(ECHO), ResourceType.RDS, CLUSTER)["virtual_hosts"]
    (route,) = host["routes"]
    assert route["match"] == {"prefix": "/"}
    retries = {"retry_on": "cancelled,unavailable", "num_retries": 2}
    assert route["route"] == {"cluster": CLUSTER, "retry_policy": retries}


def test_a_header_that_is_not_to_have_a_value_may_be_missing() -> None:
    routes = routed(f"{{match: [{{withoutHeaders: {{x: {{exact: a}}}}}}], {TO}}}")
    assert [route["match"]["headers"] for route in routes] == [
        [{"name": "x", "present_match": True, "invert_match": True}],
        [{"name": "x", "exact_match": "a", "invert_match": True}],
    ]
    # An expression that an empty value meets is met by a header that is missing.
    routes = routed(f"{{match: [{{withoutHeaders: {{x: {{regex: 'a*'}}}}}}], {TO}}}")
    assert [len(route["match"]["headers"]) for route in routes] == [1]
    routes = routed(f"{{match: [{{withoutHeaders: {{x: {{}}}}}}], {TO}}}")
    assert [route["match"]["headers"] for route in routes] == [
        [{"name": "x", "present_match": True, "invert_match": True}]
    ]


def test_headers_that_may_be_missing_do_not_multiply_without_end() -> None:
    def count(headers: int) -> int:
        without = ", ".join(f"x{at}: {{exact: a}}" for at in range(headers))
        return len(routed(f"{{match: [{{withoutHeaders: {{{without}}}}}], {TO}}}"))

    assert [count(headers) for headers in (1, 2, 4, 5, 30)] == [2, 4, 16, 1, 1]


@pytest.mark.parametrize(
    ("match", "left"),
    [
        ("{method: {exact: POST}}", 1),
        ("{method: {regex: 'P.*'}}", 1),
        ("{method: {exact: GET}}", 0),
        ("{method: {prefix: G}}", 0),
        ("{scheme: {exact: http}}", 1),
        ("{scheme: {exact: https}}", 0),
        ("{queryParams: {a: {exact: b}}}", 0),
    ],
)
def test_what_is_the_same_for_all_requests_of_grpc_is_decided(match: str, left: int) -> None:
    found = routed(f"{{match: [{match}], {TO}, timeout: 1s}}", f"{{{TO}}}")
    assert len(found) == left + 1
    assert all("headers" not in route["match"] for route in found)


def test_an_action_is_what_grpc_can_do_of_it() -> None:
    (route,) = routed(
        "{route: [{destination: {host: echo, subset: v1}, weight: 30, headers: {request: {set: {a: b}}}},"
        " {destination: {host: echo, subset: gone}, weight: 70}], timeout: 1.5s,"
        " retries: {attempts: 3, retryOn: '5xx,internal,reset', perTryTimeout: 1s, backoff: 20ms},"
        " fault: {delay: {fixedDelay: 1s, percentage: {value: 5}}}, mirror: {host: echo}, rewrite: {uri: /x},"
        " corsPolicy: {allowOrigins: [{exact: a}]}}"
    )
    assert route["route"] == {
        "weighted_clusters": {
            "clusters": [
                {"name": f"outbound|7070|v1|{HOST}", "weight": 30},
                {"name": "BlackHoleCluster", "weight": 70},
            ]
        },
        "retry_policy": {"retry_on": "internal", "num_retries": 3, "retry_back_off": {"base_interval": "0.020s"}},
        "max_stream_duration": {"max_stream_duration": "1.500s"},
    }
    assert route["typed_per_filter_config"].keys() == {"envoy.filters.http.fault"}


def test_the_key_of_a_hash_is_a_header_or_the_client() -> None:
    def keys(hashing: str) -> Any:
        mesh = Mesh(ECHO, rule(f"{{loadBalancer: {{consistentHash: {hashing}}}}}"))
        (host,) = made(mesh, ResourceType.RDS, CLUSTER)["virtual_hosts"]
        return host["routes"][0]["route"].get("hash_policy")

    assert keys("{httpHeaderName: x}") == [{"header": {"header_name": "x"}}]
    assert keys("{useSourceIp: true}") == [{"filter_state": {"key": "io.grpc.channel_id"}}]
    assert keys("{httpQueryParameterName: x}") is None


# --- servers --------------------------------------------------------------------------------------------------------


def servers(mesh: Mesh, **proxy: Any) -> dict[str, Any]:
    """The filter chain of every address."""
    found = mesh.resources(
        ResourceType.LDS,
        mesh.proxy("a.shop", {"app": "echo"}, addresses=("10.1.0.1",), generator=Generator.GRPC, **proxy),
    )
    prefix = "xds.istio.io/grpc/lds/inbound/"
    listeners = {
        name.removeprefix(prefix): readable(decoded(ResourceType.LDS, each))
        for name, each in found.items()
        if name.startswith(prefix)
    }
    assert all(listener.keys() == {"name", "address", "filter_chains"} for listener in listeners.values())
    return {name: listener["filter_chains"] for name, listener in listeners.items()}


def test_a_server_may_listen_at_its_own_addresses_and_at_all() -> None:
    addresses = {"0.0.0.0:7070", "[::]:7070", "127.0.0.1:7070", "[::1]:7070", "10.1.0.1:7070"}
    assert servers(Mesh(ECHO)).keys() == addresses
    assert servers(Mesh(ECHO.replace("app: echo", "app: other"))) == {}


@pytest.mark.parametrize(
    ("mode", "labels", "expected"),
    [
        ("STRICT", {}, True),
        ("DISABLE", MESH_TLS, False),
        ("PERMISSIVE", {}, False),
        ("PERMISSIVE", MESH_TLS, True),
    ],
)
def test_a_server_takes_tls_or_plain_text(mode: str, labels: dict[str, str], expected: bool) -> None:
    mesh = Mesh(ECHO, pod("a", "10.1.0.1", **labels), mutual_tls(mode))
    (chain,) = servers(mesh)["0.0.0.0:7070"]
    assert ("transport_socket" in chain) is expected
    if expected:
        context = chain["transport_socket"]["typed_config"]
        assert context["require_client_certificate"] is True
        # A server that were to look at names would refuse all of its listener.
        checks = context["common_tls_context"]["combined_validation_context"]["default_validation_context"]
        assert checks.keys() == {"ca_certificate_provider_instance"}
    # Without certificates it cannot be told to show one: it would refuse all that it is told, and stay open.
    (chain,) = servers(mesh, traits=NO_IDENTITY)["0.0.0.0:7070"]
    assert "transport_socket" not in chain
    refuses = [each["typed_config"].get("rules") for each in filters(mesh, traits=NO_IDENTITY)][:-1]
    assert refuses == ([{}] if mode == "STRICT" else [])


def filters(mesh: Mesh, **proxy: Any) -> list[Any]:
    (chain,) = servers(mesh, **proxy)["0.0.0.0:7070"]
    (manager,) = chain["filters"]
    return list(manager["typed_config"]["http_filters"])


def policy(name: str, action: str, rules: str, annotations: str = "{}") -> str:
    return f"""
kind: AuthorizationPolicy
metadata: {{name: {name}, namespace: shop, annotations: {annotations}}}
spec: {{action: {action}, rules: {rules}}}
"""


def test_policies_are_filters_of_different_names() -> None:
    mesh = Mesh(
        ECHO,
        policy("deny", "DENY", "[{to: [{operation: {paths: ['/a']}}]}]"),
        policy("allow", "ALLOW", "[{to: [{operation: {paths: ['/b']}}]}]"),
        policy("trial", "ALLOW", "[{}]", "{istio.io/dry-run: 'true'}"),
    )
    deny, allow, router = filters(mesh)
    assert len({deny["name"], allow["name"], router["name"]}) == 3
    assert (deny["typed_config"]["rules"]["action"], router["name"]) == ("DENY", "envoy.filters.http.router")
    assert allow["typed_config"].keys() == {"@type", "rules"}
    assert allow["typed_config"]["rules"]["policies"].keys() == {"ns[shop]-policy[allow]-rule[0]"}


def test_a_trial_alone_is_no_filter() -> None:
    mesh = Mesh(ECHO, policy("trial", "DENY", "[{}]", "{istio.io/dry-run: 'true'}"))
    assert [each["name"] for each in filters(mesh)] == ["envoy.filters.http.router"]


@pytest.mark.parametrize(
    "rule",
    [
        "{to: [{operation: {paths: ['/{*}/a']}}]}",
        "{to: [{operation: {notPaths: ['/{*}/a']}}]}",
        "{when: [{key: 'request.headers[grpc-timeout]', values: ['1']}]}",
        "{when: [{key: 'experimental.envoy.filters.a[b]', values: ['1']}]}",
    ],
)
def test_what_grpc_cannot_evaluate_lets_less_through(rule: str) -> None:
    denied, _ = filters(Mesh(ECHO, policy("a", "DENY", f"[{rule}]")))
    (found,) = denied["typed_config"]["rules"]["policies"].values()
    assert found == {
        "permissions": [{"and_rules": {"rules": [{"any": True}]}}],
        "principals": [{"and_ids": {"ids": [{"any": True}]}}],
    }
    allowed, _ = filters(Mesh(ECHO, policy("a", "ALLOW", f"[{rule}, {{to: [{{operation: {{paths: ['/b']}}}}]}}]")))
    assert allowed["typed_config"]["rules"]["policies"].keys() == {"ns[shop]-policy[a]-rule[1]"}


def test_what_patches_envoys_does_not_reach_applications() -> None:
    mesh = Mesh(
        ECHO,
        """
kind: EnvoyFilter
metadata: {name: all, namespace: shop}
spec:
  configPatches:
  - {applyTo: CLUSTER, match: {context: ANY}, patch: {operation: MERGE, value: {connect_timeout: 5s}}}
  - {applyTo: LISTENER, match: {context: ANY}, patch: {operation: REMOVE}}
""",
    )
    assert "connect_timeout" not in made(mesh, ResourceType.CDS, CLUSTER)
    assert servers(mesh)
