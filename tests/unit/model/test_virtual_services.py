from __future__ import annotations

from typing import Any

import pytest

from lateen.api.objects import Key
from lateen.engine import Reader
from lateen.model.effective_routes import (
    Source,
    applies,
    delegated_routes,
    effective,
    outlook,
    routed_namespaces,
    source_of,
)
from lateen.model.fault import ConfigError
from lateen.model.scope import EgressListener
from lateen.model.virtual_services import (
    candidates_of_host,
    chosen,
    outline,
    routed_hosts,
    virtual_services_of_gateway,
)
from lateen.testing.mesh import Mesh

ROUTE = {"route": [{"destination": {"host": "a"}}]}
HOST = "web.default.svc.cluster.local"


def vs(name: str, *hosts: str, namespace: str = "default", age: int = 0, **spec: Any) -> dict[str, Any]:
    return {
        "kind": "VirtualService",
        "metadata": {"name": name, "namespace": namespace, "creationTimestamp": f"2026-01-01T00:00:{age:02}Z"},
        "spec": {"hosts": list(hosts), "http": [ROUTE], **spec},
    }


def counts(mesh: Mesh, host: str = HOST, namespace: str = "default", listener: EgressListener | None = None) -> str:
    def find(db: Reader) -> str:
        one = chosen(candidates_of_host(db, host), namespace, listener or EgressListener())
        return f"{one.key.namespace}/{one.key.name}" if one is not None else ""

    return mesh.get(find)


def test_short_names_are_of_their_own_namespace() -> None:
    mesh = Mesh(*(vs("v", "web", namespace=each) for each in ("default", "other")))
    assert counts(mesh) == "default/v"
    assert counts(mesh, "web.other.svc.cluster.local") == "other/v"


def test_the_oldest_counts() -> None:
    mesh = Mesh(vs("new", "web", age=9), vs("old", HOST, namespace="other", age=1))
    assert counts(mesh) == "other/old"


def test_closer_hosts_count_whatever_their_age() -> None:
    mesh = Mesh(
        vs("exact", "api.a.com", age=9),
        vs("near", "*.a.com", age=5),
        vs("far", "*.com", age=1),
        vs("star", "*-api.b.com"),
    )
    assert counts(mesh, "api.a.com") == "default/exact"
    assert counts(mesh, "x.a.com") == "default/near"
    assert counts(mesh, "x.b.com") == "default/far"
    assert counts(mesh, "my-api.b.com") == "default/star"
    assert counts(mesh, "*.a.com") == "default/near"
    assert counts(mesh, "a.org") == ""


def test_hosts_are_compared_without_case() -> None:
    assert counts(Mesh(vs("v", "API.a.com")), "api.a.com") == "default/v"


def test_private_comes_before_exported_and_that_before_public() -> None:
    mesh = Mesh(
        vs("public", HOST, namespace="x", age=1),
        vs("named", HOST, namespace="x", age=2, exportTo=["a", "b"]),
        vs("private", HOST, namespace="a", age=3, exportTo=["."]),
    )
    assert counts(mesh, namespace="a") == "a/private"
    assert counts(mesh, namespace="b") == "x/named"
    assert counts(mesh, namespace="c") == "x/public"


def test_the_mesh_decides_who_sees_what_says_nothing() -> None:
    mesh = Mesh(vs("v", HOST, namespace="a"))
    mesh.mesh_config('defaultVirtualServiceExportTo: ["."]')
    assert counts(mesh, namespace="a") == "a/v"
    assert counts(mesh, namespace="b") == ""


def test_only_for_sidecars() -> None:
    assert counts(Mesh(vs("v", "web", gateways=["gw"]))) == ""
    assert counts(Mesh(vs("v", "web", gateways=["gw", "mesh"]))) == "default/v"


def test_only_with_http_routes() -> None:
    assert counts(Mesh(vs("v", "web", http=[], tcp=[ROUTE]))) == ""


def test_only_what_the_sidecar_imports() -> None:
    listener = EgressListener(imports=(("other", ("*",)),))
    assert counts(Mesh(vs("v", "web")), listener=listener) == ""
    assert counts(Mesh(vs("v", HOST, namespace="other")), listener=listener) == "other/v"


def test_a_change_of_routes_is_none_of_the_outline() -> None:
    mesh = Mesh(vs("v", "web"))
    before = mesh.get(outline, Key("default", "v"))
    mesh.apply(vs("v", "web", http=[{**ROUTE, "timeout": "1s"}]))
    assert mesh.get(outline, Key("default", "v")) == before


def test_hosts_that_sidecars_route() -> None:
    mesh = Mesh(
        "kind: Service\nmetadata: {name: web}\nspec: {clusterIP: 10.0.0.1, ports: [{port: 80}]}",
        vs("v", "web", "bookinfo.com", "*.wide.com"),
        vs("w", "*.svc.cluster.local"),
        vs("g", "gateway.com", gateways=["gw"]),
        vs("t", "tcp.com", http=[], tcp=[ROUTE]),
    )
    assert list(mesh.get(routed_hosts)) == ["*.svc.cluster.local", "*.wide.com", "bookinfo.com", HOST]


def test_of_a_gateway_in_order() -> None:
    mesh = Mesh(
        vs("b", "b.com", age=2, gateways=["gw"]),
        vs("a", "a.com", namespace="x", age=1, gateways=["default/gw", "mesh"]),
        vs("c", "c.com", namespace="x", gateways=["gw"]),
        vs("d", "d.com", namespace="x", gateways=["default/gw"], exportTo=["."]),
        vs("e", "e.com", age=3, gateways=["gw.default.svc.cluster.local"]),
    )
    found = mesh.get(virtual_services_of_gateway, "default/gw", "default")
    assert [one.key.name for one in found] == ["a", "b", "e"]


def test_names_in_full() -> None:
    spec = {
        "gateways": ["gw", "mesh"],
        "http": [{
            "match": [{"gateways": ["gw"]}],
            "route": [{"destination": {"host": "a"}}, {"destination": {"host": "A.com"}, "weight": 1}],
            "mirror": {"host": "m"},
        }],
        "tcp": [ROUTE],
        "tls": [{"match": [{"sniHosts": ["web.com"]}], **ROUTE}],
    }  # fmt: skip
    mesh = Mesh(vs("v", "web", "web.com", **spec))
    where, found = mesh.get(outline, Key("default", "v")), mesh.get(effective, Key("default", "v"))
    assert where is not None
    assert where.hosts == (HOST, "web.com")
    assert where.gateways == ("default/gw", "mesh")
    assert found is not None
    assert found.http[0].match[0].gateways == ("default/gw",)
    assert [each.destination.host for each in found.http[0].route] == ["a.default.svc.cluster.local", "a.com"]
    assert found.http[0].mirror is not None
    assert found.http[0].mirror.host == "m.default.svc.cluster.local"
    assert found.tcp[0].route[0].destination.host == "a.default.svc.cluster.local"
    assert found.tls[0].route[0].destination.host == "a.default.svc.cluster.local"


DELEGATING = {"http": [{"delegate": {"name": "d", "namespace": "other"}}, ROUTE]}


def test_destinations_of_a_delegate_are_of_its_namespace() -> None:
    mesh = Mesh(vs("v", "web", **DELEGATING), vs("d", namespace="other"))
    found = mesh.get(effective, Key("default", "v"))
    assert found is not None
    hosts = [each.route[0].destination.host for each in found.http]
    assert hosts == ["a.other.svc.cluster.local", "a.default.svc.cluster.local"]


@pytest.mark.parametrize(
    ("delegate", "why"),
    [
        (None, "does not exist"),
        (vs("d", "x.com", namespace="other"), "has hosts of its own"),
        (vs("d", namespace="other", exportTo=["."]), "is not exported"),
    ],
)
def test_a_refused_delegate_costs_only_its_route(delegate: Any, why: str) -> None:
    mesh = Mesh(vs("v", "web", **DELEGATING), *([delegate] if delegate else []))
    found = mesh.get(effective, Key("default", "v"))
    assert found is not None
    assert len(found.http) == 1
    with pytest.raises(ConfigError, match=why):
        mesh.get(delegated_routes, Key("default", "v"), 0)


def test_a_delegate_that_comes_later_is_noticed() -> None:
    mesh = Mesh(vs("v", "web", **DELEGATING))
    before = mesh.get(effective, Key("default", "v"))
    mesh.apply(vs("d", namespace="other"))
    after = mesh.get(effective, Key("default", "v"))
    assert before is not None
    assert after is not None
    assert (len(before.http), len(after.http)) == (1, 2)


def asking(**match: Any) -> dict[str, Any]:
    return {"http": [{"match": [match], **ROUTE}]}


def test_clients_that_matches_cannot_tell_apart_are_one() -> None:
    mesh = Mesh(vs("v", "web", **asking(sourceLabels={"app": "x"}, sourceNamespace="a")), vs("w", "other"))
    labels = (("app", "y"), ("version", "v1"))
    assert mesh.get(source_of, Key("default", "v"), "a", labels) == Source("a", (("app", "y"),))
    assert mesh.get(source_of, Key("default", "v"), "b", labels) == Source("", (("app", "y"),))
    assert mesh.get(source_of, Key("default", "w"), "a", labels) == Source()
    assert mesh.get(routed_namespaces) == {"a"}


def test_what_a_delegate_asks_of_clients_counts() -> None:
    mesh = Mesh(vs("v", "web", **DELEGATING), vs("d", namespace="other", **asking(sourceLabels={"app": "x"})))
    assert mesh.get(outlook, Key("default", "v")).labels == ("app",)


@pytest.mark.parametrize(
    ("match", "gateway", "expected"),
    [
        ({}, "mesh", True),
        ({"gateways": ["n/g"]}, "mesh", False),
        ({"gateways": ["n/g"], "sourceLabels": {"app": "z"}}, "n/g", True),
        ({"sourceLabels": {"app": "x"}}, "mesh", True),
        ({"sourceLabels": {"app": "x", "v": "1"}}, "mesh", False),
        ({"sourceNamespace": "a"}, "mesh", True),
        ({"sourceNamespace": "b"}, "mesh", False),
        ({"sourceNamespace": "a", "sourceLabels": {"app": "z"}}, "mesh", False),
    ],
)
def test_where_a_match_can_hold(match: Any, gateway: str, expected: bool) -> None:
    mesh = Mesh(vs("v", "web", **asking(**match)))
    found = mesh.get(effective, Key("default", "v"))
    assert found is not None
    assert applies(found.http[0].match[0], Source("a", (("app", "x"),)), gateway) is expected
