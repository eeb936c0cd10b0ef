"""AuthorizationPolicies as RBAC filters: order, names, and each attribute's form, for HTTP and for byte streams."""

from __future__ import annotations

from typing import Any

import pytest
from envoy.config.rbac.v3 import rbac_pb2
from envoy.extensions.filters.http.rbac.v3 import rbac_pb2 as http_rbac_pb2
from envoy.extensions.filters.network.rbac.v3 import rbac_pb2 as network_rbac_pb2
from google.protobuf import json_format

from lateen.api.objects import Key
from lateen.model.authorization import Authorization
from lateen.testing.envoy import decoded
from lateen.testing.mesh import Mesh
from lateen.translate.envoy_types import readable
from lateen.translate.filters.rbac import http_rbac, network_rbac
from lateen.translate.resource import ResourceType

ANY = {"any": True}


def policy(*rules: dict[str, Any], name: str = "p", action: str = "ALLOW", **metadata: Any) -> dict[str, Any]:
    spec: dict[str, Any] = {"action": action, "rules": list(rules)}
    if action == "CUSTOM":
        spec["provider"] = {"name": "opa"}
    namespace = metadata.pop("namespace", "default")
    return {
        "kind": "AuthorizationPolicy",
        "metadata": {"name": name, "namespace": namespace, **metadata},
        "spec": spec,
    }


def made(mesh: Mesh, authorization: Authorization, *, tcp: bool = False) -> list[Any]:
    """The messages of the filters."""
    class_ = network_rbac_pb2.RBAC if tcp else http_rbac_pb2.RBAC
    filters = mesh.get(network_rbac if tcp else http_rbac, authorization)
    assert {each.name for each in filters} <= {f"envoy.filters.{'network' if tcp else 'http'}.rbac"}
    return [class_.FromString(each.body) for each in filters]


def rule(given: dict[str, Any], *, tcp: bool = False, action: str = "ALLOW", config: str = "") -> Any:
    """What becomes of one rule, as data; None when it is left out."""
    mesh = Mesh(policy(given, action=action))
    if config:
        mesh.mesh_config(config)
    keys = (Key("default", "p"),)
    (message,) = made(mesh, Authorization(**{action.lower(): keys}), tcp=tcp)
    assert message.HasField("rules")
    found = message.rules.policies
    return json_format.MessageToDict(found.popitem()[1], preserving_proto_field_name=True) if found else None


def permissions(given: dict[str, Any], **how: Any) -> list[Any]:
    """What the only operation must match."""
    (permission,) = rule(given, **how)["permissions"]
    found: list[Any] = permission["and_rules"]["rules"]
    return found


def principals(given: dict[str, Any], **how: Any) -> list[Any]:
    """What the only source must match."""
    (principal,) = rule(given, **how)["principals"]
    found: list[Any] = principal["and_ids"]["ids"]
    return found


def to(**operation: Any) -> dict[str, Any]:
    return {"to": [{"operation": operation}]}


def from_(**source: Any) -> dict[str, Any]:
    return {"from": [{"source": source}]}


def when(key: str, *values: str, unless: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        "when": [{"key": key, **({"values": values} if values else {}), **({"notValues": unless} if unless else {})}]
    }


# --- the filters of a workload ----------------------------------------------------------------------------------------


def test_no_policies_no_filters() -> None:
    assert made(Mesh(), Authorization()) == []


def test_one_filter_per_action_denials_first() -> None:
    mesh = Mesh(
        policy({}, name="a"),
        policy({}, {}, name="b", namespace="istio-system"),
        policy({}, name="d", action="DENY"),
        policy({}, name="c", action="CUSTOM"),
    )
    one = Authorization(
        custom=(Key("default", "c"),),
        deny=(Key("default", "d"),),
        allow=(Key("istio-system", "b"), Key("default", "a")),
    )
    for tcp in (False, True):
        found = made(mesh, one, tcp=tcp)
        assert [message.rules.action for message in found] == [
            rbac_pb2.RBAC.DENY,
            rbac_pb2.RBAC.DENY,
            rbac_pb2.RBAC.ALLOW,
        ]
        assert [sorted(message.rules.policies) for message in found] == [
            ["ns[default]-policy[c]-rule[0]-deny-due-to-bad-CUSTOM-action"],
            ["ns[default]-policy[d]-rule[0]"],
            [
                "ns[default]-policy[a]-rule[0]",
                "ns[istio-system]-policy[b]-rule[0]",
                "ns[istio-system]-policy[b]-rule[1]",
            ],
        ]
        assert not any(message.HasField("shadow_rules") for message in found)
    assert [message.stat_prefix for message in made(mesh, one, tcp=True)] == ["tcp."] * 3


def test_no_rules_match_nothing() -> None:
    mesh = Mesh(policy())
    (message,) = made(mesh, Authorization(allow=(Key("default", "p"),)))
    ((name, found),) = message.rules.policies.items()
    assert name == "ns[default]-policy[p]-rule[0]"
    assert [each.not_rule.any for each in found.permissions] == [True]
    assert [each.not_id.any for each in found.principals] == [True]


def test_an_empty_rule_matches_everything() -> None:
    assert rule({}) == {"permissions": [{"and_rules": {"rules": [ANY]}}], "principals": [{"and_ids": {"ids": [ANY]}}]}


@pytest.mark.parametrize(("action", "prefix"), [("ALLOW", "istio_dry_run_allow_"), ("DENY", "istio_dry_run_deny_")])
def test_trials_are_told_and_not_enforced(action: str, prefix: str) -> None:
    mesh = Mesh(policy({}, action=action, name="try", annotations={"istio.io/dry-run": "true"}))
    one = Authorization(**{action.lower(): (Key("default", "try"),)})
    (message,) = made(mesh, one)
    assert not message.HasField("rules")
    assert list(message.shadow_rules.policies) == ["ns[default]-policy[try]-rule[0]"]
    assert message.shadow_rules_stat_prefix == prefix


def test_trials_beside_what_is_enforced() -> None:
    mesh = Mesh(
        policy({}, name="try", annotations={"istio.io/dry-run": "true"}),
        policy({}, name="do", annotations={"istio.io/dry-run": "false"}),
    )
    (message,) = made(mesh, Authorization(allow=(Key("default", "do"), Key("default", "try"))), tcp=True)
    assert list(message.rules.policies) == ["ns[default]-policy[do]-rule[0]"]
    assert list(message.shadow_rules.policies) == ["ns[default]-policy[try]-rule[0]"]


# --- attributes -------------------------------------------------------------------------------------------------------

TEXTS = [
    ("/a", {"exact": "/a"}),
    ("/a*", {"prefix": "/a"}),
    ("*/a", {"suffix": "/a"}),
    ("*", {"safe_regex": {"regex": ".+"}}),
]


@pytest.mark.parametrize(("value", "matcher"), TEXTS)
def test_paths(value: str, matcher: dict[str, Any]) -> None:
    assert permissions(to(paths=[value])) == [{"or_rules": {"rules": [{"url_path": {"path": matcher}}]}}]


def test_path_templates() -> None:
    ((term,), (denied,)) = (
        [each["or_rules"]["rules"][0] for each in permissions(to(paths=["/a/{*}/{**}"]))],
        [each["not_rule"]["or_rules"]["rules"][0] for each in permissions(to(notPaths=["/{**}/b"]))],
    )
    for each, pattern in ((term, "/a/*/**"), (denied, "/**/b")):
        assert each["uri_template"]["typed_config"]["path_template"] == pattern


def test_methods_and_hosts() -> None:
    assert permissions(to(methods=["GET"], hosts=["A.com", "*"])) == [
        {
            "or_rules": {
                "rules": [
                    {"header": {"name": ":authority", "string_match": {"exact": "A.com", "ignore_case": True}}},
                    {"header": {"name": ":authority", "present_match": True}},
                ]
            }
        },
        {"or_rules": {"rules": [{"header": {"name": ":method", "string_match": {"exact": "GET"}}}]}},
    ]


def test_ports_are_or_ed_and_not_ports_negated() -> None:
    assert permissions(to(ports=["80", "443"], notPorts=["90"])) == [
        {"or_rules": {"rules": [{"destination_port": 80}, {"destination_port": 443}]}},
        {"not_rule": {"or_rules": {"rules": [{"destination_port": 90}]}}},
    ]


PEERS = [
    ("cluster.local/ns/a/sa/b", {"exact": "spiffe://cluster.local/ns/a/sa/b"}),
    ("cluster.local/ns/a/*", {"prefix": "spiffe://cluster.local/ns/a/"}),
    ("*/sa/b.c", {"safe_regex": {"regex": r"spiffe://.*\/sa\/b\.c"}}),
    ("*", {"safe_regex": {"regex": "spiffe://.+"}}),
]


@pytest.mark.parametrize(("value", "matcher"), PEERS)
def test_principals(value: str, matcher: dict[str, Any]) -> None:
    term = {"or_ids": {"ids": [{"authenticated": {"principal_name": matcher}}]}}
    assert principals(from_(principals=[value])) == [term]
    assert principals(from_(notPrincipals=[value])) == [{"not_id": term}]
    assert principals(when("source.principal", value), tcp=True) == [term]


def test_principals_under_aliases() -> None:
    config = "trustDomain: td\ntrustDomainAliases: [old]"
    (term,) = principals(from_(principals=["cluster.local/ns/a/sa/b"]), config=config)
    names = [each["authenticated"]["principal_name"]["exact"] for each in term["or_ids"]["ids"]]
    assert names == ["spiffe://td/ns/a/sa/b", "spiffe://old/ns/a/sa/b"]


@pytest.mark.parametrize(
    ("given", "regex"),
    [
        (from_(namespaces=["a-b"]), r"spiffe://.+/ns/a\-b/.*"),
        (from_(namespaces=["a*"]), "spiffe://.+/ns/a[^/]*/.*"),
        (from_(namespaces=["a.*|x"]), r"spiffe://.+/ns/a\.[^/]*\|x/.*"),
        (when("source.namespace", "a"), "spiffe://.+/ns/a/.*"),
        (from_(serviceAccounts=["sleep"]), "spiffe://.+/ns/default/(.+/)?sa/sleep(/.+)?"),
        (from_(serviceAccounts=["other/sleep"]), "spiffe://.+/ns/other/(.+/)?sa/sleep(/.+)?"),
        (when("source.serviceAccount", "other/sleep"), "spiffe://.+/ns/other/(.+/)?sa/sleep(/.+)?"),
        (from_(trustDomains=["td"]), "spiffe://td/.*"),
        (from_(trustDomains=["*"]), "spiffe://[^/]*/.*"),
    ],
)
def test_peers_by_expression(given: dict[str, Any], regex: str) -> None:
    (term,) = principals(given)
    (only,) = term["or_ids"]["ids"]
    assert only["authenticated"]["principal_name"]["safe_regex"]["regex"] == regex


@pytest.mark.parametrize(
    ("value", "address", "length"),
    [
        ("10.0.0.1", "10.0.0.1", 32),
        ("10.1.2.3/8", "10.0.0.0", 8),
        ("fd00::1", "fd00::1", 128),
        ("::ffff:10.1.2.3", "10.1.2.3", 32),
        ("::ffff:10.1.2.3/104", "10.0.0.0", 8),
        ("::/0", "::", 0),
    ],
)
def test_addresses(value: str, address: str, length: int) -> None:
    range_ = {"address_prefix": address, "prefix_len": length}
    for given, name in (
        (from_(ipBlocks=[value]), "direct_remote_ip"),
        (when("source.ip", value), "direct_remote_ip"),
        (from_(remoteIpBlocks=[value]), "remote_ip"),
        (when("remote.ip", value), "remote_ip"),
    ):
        assert principals(given, tcp=True) == [{"or_ids": {"ids": [{name: range_}]}}]
    assert permissions(when("destination.ip", value), tcp=True) == [
        {"or_rules": {"rules": [{"destination_ip": range_}]}}
    ]


def test_headers() -> None:
    given = when("request.headers[X-Tenant]", "a*", "*", unless=("ab",))
    assert principals(given) == [
        {
            "or_ids": {
                "ids": [
                    {"header": {"name": "X-Tenant", "string_match": {"prefix": "a"}}},
                    {"header": {"name": "X-Tenant", "present_match": True}},
                ]
            }
        },
        {"not_id": {"or_ids": {"ids": [{"header": {"name": "X-Tenant", "string_match": {"exact": "ab"}}}]}}},
    ]


def test_other_conditions() -> None:
    assert permissions(when("destination.port", "80"), tcp=True) == [
        {"or_rules": {"rules": [{"destination_port": 80}]}}
    ]
    assert permissions(when("connection.sni", "*.Com"), tcp=True) == [
        {"or_rules": {"rules": [{"requested_server_name": {"suffix": ".Com", "ignore_case": True}}]}}
    ]
    key = "experimental.envoy.filters.network.mysql_proxy[db.table]"
    metadata = {"filter": "envoy.filters.network.mysql_proxy", "path": [{"key": "db.table"}]}
    listed = {"list_match": {"one_of": {"string_match": {"exact": "update"}}}}
    assert permissions(when(key, "[update]", "update"), tcp=True) == [
        {
            "or_rules": {
                "rules": [
                    {"metadata": {**metadata, "value": listed}},
                    {"metadata": {**metadata, "value": {"string_match": {"exact": "update"}}}},
                ]
            }
        }
    ]


def test_conditions_hold_for_each_source_and_each_operation() -> None:
    given = {
        "from": [{"source": {"namespaces": ["a"]}}, {"source": {"ipBlocks": ["10.0.0.1"]}}],
        "to": [{"operation": {"ports": ["80"]}}, {"operation": {"ports": ["90"]}}],
        "when": [{"key": "source.ip", "values": ["10.0.0.0/8"]}, {"key": "destination.port", "notValues": ["1"]}],
    }
    found = rule(given)
    assert [len(each["and_ids"]["ids"]) for each in found["principals"]] == [2, 2]
    assert [len(each["and_rules"]["rules"]) for each in found["permissions"]] == [2, 2]


# --- what cannot be evaluated -----------------------------------------------------------------------------------------

HTTP_ONLY = [
    to(methods=["GET"], ports=["80"]),
    to(notMethods=["GET"], ports=["80"]),
    to(paths=["/a"], ports=["80"]),
    to(notPaths=["/a/{*}"], ports=["80"]),
    to(hosts=["a"], ports=["80"]),
    to(notHosts=["a"], ports=["80"]),
    {**to(ports=["80"]), **when("request.headers[a]", "b")},
    {**to(ports=["80"]), **when("request.headers[a]", unless=("b",))},
]
OF_TOKENS = [
    {**to(ports=["80"]), **from_(requestPrincipals=["a/b"])},
    {**to(ports=["80"]), **from_(notRequestPrincipals=["*"])},
    {**to(ports=["80"]), **when("request.auth.claims[a]", "b")},
    {**to(ports=["80"]), **when("request.auth.principal", unless=("b",))},
]
PORT_ALONE = {
    "permissions": [{"and_rules": {"rules": [{"or_rules": {"rules": [{"destination_port": 80}]}}]}}],
    "principals": [{"and_ids": {"ids": [ANY]}}],
}


@pytest.mark.parametrize("given", HTTP_ONLY)
def test_attributes_of_http_in_byte_streams(given: dict[str, Any]) -> None:
    assert rule(given, tcp=True) is None
    assert rule(given, tcp=True, action="DENY") == PORT_ALONE
    assert rule(given) not in (None, PORT_ALONE)


@pytest.mark.parametrize("tcp", [False, True])
@pytest.mark.parametrize("given", OF_TOKENS)
def test_attributes_of_tokens(given: dict[str, Any], tcp: bool) -> None:
    assert rule(given, tcp=tcp) is None
    assert rule(given, tcp=tcp, action="DENY") == PORT_ALONE


def test_one_alternative_that_cannot_be_evaluated_takes_the_whole_rule_with_it() -> None:
    given = {"to": [{"operation": {"ports": ["80"]}}, {"operation": {"methods": ["GET"]}}]}
    assert rule(given, tcp=True) is None
    assert [each["and_rules"]["rules"][0] for each in rule(given, tcp=True, action="DENY")["permissions"]] == [
        {"or_rules": {"rules": [{"destination_port": 80}]}},
        ANY,
    ]


def test_custom_refuses_what_it_would_have_asked_about() -> None:
    assert rule(to(ports=["80"]), action="CUSTOM") == PORT_ALONE


# --- sharing ----------------------------------------------------------------------------------------------------------

SERVICES = """
kind: Service
metadata: {name: web, namespace: a}
spec: {selector: {app: web}, ports: [{name: http, port: 80}, {name: tcp, port: 90}]}
---
kind: Service
metadata: {name: web, namespace: b}
spec: {selector: {app: web}, ports: [{name: http, port: 80}]}
---
kind: Pod
metadata: {name: web, namespace: a, labels: {app: web}}
status: {podIP: 10.0.0.1, phase: Running}
---
kind: Pod
metadata: {name: web, namespace: b, labels: {app: web}}
status: {podIP: 10.0.0.2, phase: Running}
"""


def translations(mesh: Mesh) -> int:
    return sum(of.computed for name, of in mesh.engine.statistics().queries.items() if "policy_rules" in name)


def test_a_policy_is_made_once_for_each_kind_of_chain_and_its_edit_reaches_its_own_listeners() -> None:
    mesh = Mesh(SERVICES, policy({}, namespace="a"), policy({}, name="other", namespace="a"))
    web, elsewhere = (mesh.proxy(f"web.{name}", {"app": "web"}) for name in ("a", "b"))
    first = [mesh.recipes(ResourceType.LDS, each) for each in (web, elsewhere)]
    before = [mesh.resources(ResourceType.LDS, each)["virtualInbound"] for each in (web, elsewhere)]
    counted = translations(mesh)
    mesh.apply(policy(to(ports=["80"]), namespace="a"))
    assert [mesh.recipes(ResourceType.LDS, each) for each in (web, elsewhere)] == first, "no listing changes"
    after = [mesh.resources(ResourceType.LDS, each)["virtualInbound"] for each in (web, elsewhere)]
    assert after[0] != before[0]
    assert after[1] is before[1]
    assert translations(mesh) - counted == 2, "once for HTTP, once for byte streams"


def test_every_inbound_chain_that_forwards_has_the_filters() -> None:
    mesh = Mesh(SERVICES, policy({}, namespace="a"), policy({}, name="no", action="DENY", namespace="a"))
    found = mesh.resources(ResourceType.LDS, mesh.proxy("web.a", {"app": "web"}))["virtualInbound"]
    forwarding = 0
    for chain in readable(decoded(ResourceType.LDS, found))["filter_chains"]:
        names = [each["name"] for each in chain["filters"]]
        if chain["name"] == "virtualInbound-blackhole":
            assert "envoy.filters.network.rbac" not in names
            continue
        if names[-1] == "envoy.filters.network.http_connection_manager":
            assert "envoy.filters.network.rbac" not in names
            names = [each["name"] for each in chain["filters"][-1]["typed_config"]["http_filters"]]
            decided = names.index("envoy.filters.http.rbac")
            assert names[decided : decided + 2] == ["envoy.filters.http.rbac"] * 2
            assert decided < min(names.index(f"envoy.filters.http.{name}") for name in ("fault", "cors", "grpc_stats"))
        else:
            decided = names.index("envoy.filters.network.rbac")
            assert names[decided:] == [*["envoy.filters.network.rbac"] * 2, "envoy.filters.network.tcp_proxy"]
        forwarding += 1
    assert forwarding >= 10
