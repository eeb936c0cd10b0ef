from __future__ import annotations

import pytest

from lateen.model.destination_rules import (
    ANY_CLIENT,
    RuleClient,
    destination_rules,
    follows_own_rules,
    merged_rule,
    namespace_rules,
    rule_client,
)
from lateen.testing.mesh import Mesh

HOST = "reviews.shop.svc.cluster.local"

REVIEWS = """
kind: Service
metadata: {name: reviews, namespace: shop}
spec: {clusterIP: 10.0.0.1, selector: {app: reviews}, ports: [{name: http, port: 80}]}
"""


def rule(
    name: str,
    host: str = HOST,
    *,
    namespace: str = "shop",
    export: str = "",
    selector: str = "",
    created: str = "2024-01-01",
    spec: str = "",
) -> str:
    exported = f"exportTo: [{export}]" if export else ""
    selected = f"workloadSelector: {{matchLabels: {{{selector}}}}}" if selector else ""
    return f"""
kind: DestinationRule
metadata: {{name: {name}, namespace: {namespace}, creationTimestamp: "{created}T00:00:00Z"}}
spec:
  host: "{host}"
  {exported}
  {selected}
  {spec}
"""


def followed(*rules: str, client: str = "client", labels: tuple[tuple[str, str], ...] = (), host: str = HOST) -> str:
    """The rules that a client follows, as `namespace/name namespace/name`."""
    found = Mesh(*rules).get(destination_rules, host, "shop", RuleClient(client, labels))
    return " ".join(str(key) for key in found)


OWN = rule("own", namespace="client")
SERVICE = rule("service")
ROOT = rule("root", namespace="istio-system")
STRANGER = rule("stranger", namespace="elsewhere")


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ((), ""),
        ((OWN, SERVICE, ROOT), "client/own"),
        ((SERVICE, ROOT), "shop/service"),
        ((ROOT,), "istio-system/root"),
        ((STRANGER,), ""),
        ((rule("private", export='"."'), ROOT), "istio-system/root"),
        ((rule("named", export="client"), ROOT), "shop/named"),
        ((rule("named", export="other"), ROOT), "istio-system/root"),
        ((rule("public", export='"*"'), ROOT), "shop/public"),
        ((rule("own", namespace="client", export='"."'), SERVICE), "client/own"),
        ((rule("own", namespace="client", export="shop"), SERVICE), "shop/service"),
    ],
)
def test_the_clients_namespace_comes_before_the_services_and_that_before_the_root(
    rules: tuple[str, ...], expected: str
) -> None:
    assert followed(*rules) == expected


@pytest.mark.parametrize(
    ("hosts", "expected"),
    [
        (("*", "*.local"), "*.local"),
        (("*.cluster.local", "*.shop.svc.cluster.local"), "*.shop.svc.cluster.local"),
        (("*.shop.svc.cluster.local", "reviews"), "reviews"),
        (("*", HOST), HOST),
        (("*.other.svc.cluster.local",), None),
        (("ratings",), None),
    ],
)
def test_the_closest_host_counts(hosts: tuple[str, ...], expected: str | None) -> None:
    rules = [rule(f"rule-{number}", host) for number, host in enumerate(hosts)]
    assert followed(*rules) == (f"shop/rule-{hosts.index(expected)}" if expected else "")


def test_a_short_host_is_of_the_rules_namespace() -> None:
    assert followed(rule("own", "reviews", namespace="client"), SERVICE) == "shop/service"


def test_a_wildcard_of_the_client_comes_before_the_exact_host_of_the_service() -> None:
    assert followed(rule("own", "*", namespace="client"), SERVICE) == "client/own"


def test_an_exact_host_that_is_not_exported_does_not_hide_a_wildcard_that_is() -> None:
    assert followed(rule("exact", export='"."'), rule("wide", "*")) == "shop/wide"


def test_several_rules_of_one_host_count_as_one_the_oldest_first() -> None:
    assert followed(rule("new", created="2024-02-01"), rule("old", "reviews")) == "shop/old shop/new"


def test_only_rules_that_the_client_sees_are_put_together() -> None:
    rules = (rule("all"), rule("some", export="other"), rule("this", export="client"))
    assert followed(*rules) == "shop/all shop/this"


SELECTED = rule("selected", namespace="client", selector="app: a")


@pytest.mark.parametrize(
    ("labels", "expected"),
    [((("app", "a"),), "client/selected"), ((("app", "b"),), "client/own"), ((), "client/own")],
)
def test_a_rule_that_selects_the_client_comes_before_one_for_all(
    labels: tuple[tuple[str, str], ...], expected: str
) -> None:
    assert followed(OWN, SELECTED, labels=labels) == expected


def test_a_rule_that_selects_others_is_as_if_it_were_not_there() -> None:
    assert followed(SELECTED, SERVICE, labels=(("app", "b"),)) == "shop/service"


def test_a_selector_does_not_reach_beyond_its_namespace() -> None:
    assert followed(rule("service", selector="app: a"), labels=(("app", "a"),)) == ""


def test_rules_with_the_same_selector_count_as_one() -> None:
    other = rule("other", namespace="client", selector="app: a", created="2023-01-01")
    assert followed(SELECTED, other, OWN, labels=(("app", "a"),)) == "client/other client/selected"


def test_clients_in_the_root_namespace_follow_the_services_rules_first() -> None:
    assert followed(ROOT, SERVICE, client="istio-system") == "shop/service"
    assert followed(rule("root", namespace="istio-system", export='"."'), SERVICE, client="istio-system") == (
        "istio-system/root"
    )
    assert followed(ROOT, client="istio-system") == "istio-system/root"


def test_the_mesh_says_where_rules_without_export_are_seen() -> None:
    mesh = Mesh(SERVICE)
    mesh.mesh_config('defaultDestinationRuleExportTo: ["."]')
    assert mesh.get(destination_rules, HOST, "shop", RuleClient("client", ())) == ()
    assert len(mesh.get(destination_rules, HOST, "shop", RuleClient("shop", ()))) == 1


# --- sharing ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rules", "namespace", "own"),
    [
        ((), "client", False),
        ((SERVICE,), "client", False),
        ((SERVICE,), "shop", False),
        ((OWN,), "client", True),
        ((rule("r", "*"),), "shop", True),
        ((rule("r", export='"."'),), "shop", True),
        ((rule("r", selector="app: a"),), "shop", True),
        ((rule("r", export="client"),), "client", True),
        ((rule("r", export="other"),), "client", False),
        ((ROOT,), "istio-system", False),
        ((rule("r", namespace="istio-system", export='"."'),), "istio-system", True),
    ],
)
def test_a_namespace_is_told_apart_only_when_it_follows_other_rules(
    rules: tuple[str, ...], namespace: str, own: bool
) -> None:
    mesh = Mesh(REVIEWS, *rules)
    assert mesh.get(follows_own_rules, namespace) is own
    client = mesh.get(rule_client, namespace, (("app", "a"),))
    assert client == (RuleClient(namespace, (("app", "a"),)) if own else ANY_CLIENT)
    # What is shared is what the client would have found by itself.
    alone = mesh.get(destination_rules, HOST, "shop", RuleClient(namespace, (("app", "a"),)))
    assert mesh.get(destination_rules, HOST, "shop", client) == alone


def test_where_a_rule_applies_stays_the_same_when_what_it_says_changes() -> None:
    mesh = Mesh(REVIEWS, SERVICE)
    mesh.get(namespace_rules, "shop")
    mesh.apply(rule("service", spec="trafficPolicy: {loadBalancer: {simple: RANDOM}}"))
    before = mesh.engine.computations
    mesh.get(namespace_rules, "shop")
    assert mesh.engine.computations - before == 1  # The outline of that rule, which is what it was.


# --- merging ------------------------------------------------------------------------------------------------------


def test_the_first_policy_and_the_subsets_of_all_make_one_rule() -> None:
    mesh = Mesh(
        rule("one", spec="subsets: [{name: v1, labels: {version: v1}}]"),
        rule(
            "two",
            created="2024-01-02",
            spec="""trafficPolicy: {loadBalancer: {simple: RANDOM}}
  subsets: [{name: v1, labels: {version: other}}, {name: v2, labels: {version: v2}}]""",
        ),
        rule("three", created="2024-01-03", spec="trafficPolicy: {loadBalancer: {simple: ROUND_ROBIN}}"),
    )
    merged = mesh.get(merged_rule, mesh.get(destination_rules, HOST, "shop", ANY_CLIENT))
    assert [(subset.name, subset.labels) for subset in merged.subsets] == [
        ("v1", {"version": "v1"}),
        ("v2", {"version": "v2"}),
    ]
    assert merged.policy is not None
    assert merged.policy.load_balancer is not None
    assert merged.policy.load_balancer.simple is not None
    assert merged.policy.load_balancer.simple.value == "RANDOM"
