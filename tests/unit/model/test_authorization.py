"""Which policies apply to whom; and what of workloads they make views look at."""

from __future__ import annotations

from typing import Any

import pytest

from lateen.api.objects import Key
from lateen.model.authorization import Authorization, attachments, authorization_of
from lateen.model.proxy import GatewayView, InboundView, Role
from lateen.model.trust_domains import under_aliases, with_aliases_of
from lateen.testing.mesh import Mesh

GATEWAY_API = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "edge"}


def policy(name: str, namespace: str = "default", *, age: int = 0, **spec: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace, "creationTimestamp": f"2026-01-0{age + 1}T00:00:00Z"}
    return {"kind": "AuthorizationPolicy", "metadata": metadata, "spec": spec}


def denying(name: str, namespace: str = "default", **spec: Any) -> dict[str, Any]:
    return policy(name, namespace, action="DENY", rules=[{}], **spec)


def inbound(mesh: Mesh, id: str = "web.default", **labels: str) -> InboundView:
    (view,) = [view for view in mesh.views(mesh.proxy(id, labels)) if isinstance(view, InboundView)]
    return view


def gateway(mesh: Mesh, id: str = "edge.default", **labels: str) -> GatewayView:
    named = {name.replace("_", "-"): value for name, value in labels.items()}
    (view,) = mesh.views(mesh.proxy(id, named, role=Role.ROUTER))
    assert isinstance(view, GatewayView)
    return view


def of(mesh: Mesh, view: InboundView | GatewayView) -> Authorization:
    return mesh.get(authorization_of, view)


def test_nothing_applies_where_nothing_is() -> None:
    mesh = Mesh()
    assert of(mesh, inbound(mesh)) == Authorization()


def test_the_root_namespace_first_then_the_own_by_age() -> None:
    mesh = Mesh(
        policy("young", age=3),
        policy("old", age=1),
        policy("same-b", age=2),
        policy("same-a", age=2),
        policy("wide", "istio-system", age=4),
        policy("elsewhere", "other"),
        denying("no", age=5),
    )
    found = of(mesh, inbound(mesh))
    assert [key.name for key in found.allow] == ["wide", "old", "same-a", "same-b", "young"]
    assert found.deny == (Key("default", "no"),)


def test_in_the_root_namespace_itself_policies_count_once() -> None:
    mesh = Mesh(policy("wide", "istio-system"))
    assert of(mesh, inbound(mesh, "web.istio-system")).allow == (Key("istio-system", "wide"),)


def test_another_root_namespace() -> None:
    mesh = Mesh(policy("wide", "istio-system"), policy("root", "mesh-root"))
    mesh.mesh_config("rootNamespace: mesh-root")
    assert of(mesh, inbound(mesh)).allow == (Key("mesh-root", "root"),)


@pytest.mark.parametrize("namespace", ["default", "istio-system"])
def test_selectors(namespace: str) -> None:
    mesh = Mesh(policy("chosen", namespace, selector={"matchLabels": {"app": "web", "tier": "front"}}))
    assert of(mesh, inbound(mesh, app="web", tier="front", more="x")).allow
    assert not of(mesh, inbound(mesh, app="web")).allow
    assert not of(mesh, inbound(mesh, app="web", tier="back")).allow
    assert bool(of(mesh, inbound(mesh, "web.other", app="web", tier="front")).allow) == (namespace == "istio-system")


def test_actions_that_cannot_be_carried_out() -> None:
    custom = policy("ask", action="CUSTOM", provider={"name": "opa"}, rules=[{}])
    mesh = Mesh(custom, policy("mark", action="AUDIT", rules=[{}]))
    assert of(mesh, inbound(mesh)) == Authorization(custom=(Key("default", "ask"),))


def test_targets_are_gateways_of_the_same_namespace_alone() -> None:
    mesh = Mesh(denying("edge", targetRefs=[GATEWAY_API]), denying("one", targetRef=GATEWAY_API), policy("all"))
    label = {"gateway.networking.k8s.io/gateway_name": "edge"}
    assert [key.name for key in of(mesh, gateway(mesh, **label)).deny] == ["edge", "one"]
    assert of(mesh, gateway(mesh, **label)).allow, "policies without targets are for all"
    assert not of(mesh, gateway(mesh, **{"gateway.networking.k8s.io/gateway_name": "other"})).deny
    assert not of(mesh, gateway(mesh, "edge.other", **label)).deny
    assert not of(mesh, gateway(mesh, app="edge")).deny
    sidecar = inbound(mesh, **{"gateway.networking.k8s.io/gateway-name": "edge"})
    assert not of(mesh, sidecar).deny, "sidecars are no targets"


def test_targets_of_the_root_namespace_reach_no_other() -> None:
    mesh = Mesh(denying("edge", "istio-system", targetRef=GATEWAY_API))
    label = {"gateway.networking.k8s.io/gateway_name": "edge"}
    assert not of(mesh, gateway(mesh, **label)).deny
    assert of(mesh, gateway(mesh, "edge.istio-system", **label)).deny


def test_views_hold_only_the_labels_that_some_policy_asks_for() -> None:
    mesh = Mesh(policy("chosen", selector={"matchLabels": {"app": "web"}}))
    assert inbound(mesh, app="web", version="v1") == inbound(mesh, app="web", version="v2")
    assert inbound(mesh, app="web").labels == (("app", "web"),)
    assert inbound(mesh, "web.other", app="web").labels == ()
    mesh.apply(policy("wide", "istio-system", selector={"matchLabels": {"version": "v1"}}))
    assert inbound(mesh, "web.other", app="web", version="v2").labels == (("version", "v2"),)


def test_editing_rules_changes_no_view_and_no_selection() -> None:
    mesh = Mesh(policy("rules", rules=[{}]), policy("other", rules=[{}]))
    views = mesh.engine.observe(attachments, "default")
    assert len(views.get()) == 2
    before = views.changed_at
    mesh.apply(policy("rules", rules=[{"to": [{"operation": {"ports": ["80"]}}]}]))
    views.get()
    assert views.changed_at == before
    mesh.apply(denying("rules"))
    views.get()
    assert views.changed_at != before


# --- trust domains ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("td/ns/a/sa/b", ("td/ns/a/sa/b", "old/ns/a/sa/b", "older/ns/a/sa/b")),
        ("old/ns/a/sa/b", ("td/ns/a/sa/b", "old/ns/a/sa/b", "older/ns/a/sa/b")),
        ("cluster.local/ns/a/sa/b", ("td/ns/a/sa/b", "old/ns/a/sa/b", "older/ns/a/sa/b")),
        ("foreign/ns/a/sa/b", ("foreign/ns/a/sa/b",)),
        ("*/ns/a/sa/b", ("*/ns/a/sa/b",)),
        ("*", ("*",)),
        ("td/ns/a/*", ("td/ns/a/*",)),
        ("*d/ns/a/sa/b", ("*d/ns/a/sa/b", "older/ns/a/sa/b")),
        ("td/ns/a/sa/*", ("td/ns/a/sa/*", "old/ns/a/sa/*", "older/ns/a/sa/*")),
    ],
)
def test_principals_count_under_each_alias(given: str, expected: tuple[str, ...]) -> None:
    assert under_aliases([given], ("td", "old", "older")) == expected


def test_trust_domains_count_under_each_alias() -> None:
    assert with_aliases_of(["old", "foreign"], ("td", "old")) == ("td", "old", "foreign")
    assert with_aliases_of([], ("td", "old")) == ()
