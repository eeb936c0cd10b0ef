from __future__ import annotations

from typing import Any

from lateen.model.proxy import GatewayView, Proxy
from lateen.testing.envoy import accepts, decoded
from lateen.testing.mesh import Mesh
from lateen.translate.resource import ResourceType
from lateen.translate.routes.gateway import listing

HTTP = {"number": 80, "name": "http", "protocol": "HTTP"}
HTTPS = {"number": 443, "name": "https", "protocol": "HTTPS"}
WEB = """
kind: Service
metadata: {name: web}
spec: {clusterIP: 10.0.0.1, clusterIPs: [10.0.0.1], ports: [{name: http, port: 80}]}
"""
FQDN = "web.default.svc.cluster.local"


def gateway(*servers: dict[str, Any], name: str = "gw", namespace: str = "istio-system") -> dict[str, Any]:
    spec = {"selector": {"istio": "ingressgateway"}, "servers": list(servers)}
    return {"kind": "Gateway", "metadata": {"name": name, "namespace": namespace}, "spec": spec}


def server(*hosts: str, port: dict[str, Any] = HTTP, **more: Any) -> dict[str, Any]:
    return {"port": port, "hosts": list(hosts), **more}


def vs(name: str, *hosts: str, namespace: str = "default", age: int = 0, **spec: Any) -> dict[str, Any]:
    spec = {"hosts": list(hosts), "gateways": ["istio-system/gw"], "http": [to()], **spec}
    metadata = {"name": name, "namespace": namespace, "creationTimestamp": f"2026-01-01T00:00:{age:02}Z"}
    return {"kind": "VirtualService", "metadata": metadata, "spec": spec}


def to(**route: Any) -> dict[str, Any]:
    return {"route": [{"destination": {"host": FQDN}}], **route}


def configs(mesh: Mesh, proxy: Proxy | None = None) -> dict[str, Any]:
    (view,) = mesh.views(proxy or mesh.gateway())
    assert isinstance(view, GatewayView)
    made = [mesh.make(recipe) for recipe in mesh.get(listing, view)]
    accepts({ResourceType.RDS: made})
    return {each.name: decoded(ResourceType.RDS, each) for each in made}


def hosts(config: Any) -> dict[str, list[str]]:
    return {host.name: list(host.domains) for host in config.virtual_hosts}


def only(mesh: Mesh) -> dict[str, list[str]]:
    (found,) = configs(mesh).values()
    return hosts(found)


def test_one_configuration_per_port_and_https_server() -> None:
    tls = {"mode": "SIMPLE", "credentialName": "c"}
    mesh = Mesh(
        WEB,
        gateway(server("a.com"), server("a.com", port=HTTPS, tls=tls)),
        vs("v", "a.com"),
    )
    found = configs(mesh)
    assert sorted(found) == ["http.80", "https.443.https.gw.istio-system"]
    assert hosts(found["http.80"]) == {"a.com:80": ["a.com"]}
    assert hosts(found["https.443.https.gw.istio-system"]) == {"a.com:443": ["a.com"]}


def test_passed_through_tls_has_no_routes() -> None:
    mesh = Mesh(WEB, gateway(server("a.com", port=HTTPS, tls={"mode": "PASSTHROUGH"})), vs("v", "a.com"))
    assert configs(mesh) == {}


def test_without_routes_nothing_is_found() -> None:
    (found,) = configs(Mesh(gateway(server("a.com")))).values()
    assert hosts(found) == {"blackhole:80": ["*"]}
    assert not found.virtual_hosts[0].routes


def test_what_both_have_is_exposed() -> None:
    mesh = Mesh(WEB, gateway(server("*.a.com", "b.com")))
    mesh.apply(vs("v", "x.a.com", "c.org"), vs("w", "*.com"))
    assert sorted(domain for found in only(mesh).values() for domain in found) == ["*.a.com", "b.com", "x.a.com"]


def test_hosts_may_be_for_some_namespaces_alone() -> None:
    mesh = Mesh(WEB, gateway(server("default/a.com", "./b.com", "*/c.com")))
    mesh.apply(vs("v", "a.com", "b.com", "c.com"), vs("w", "a.com", "b.com", namespace="istio-system"))
    assert sorted(domain for found in only(mesh).values() for domain in found) == ["a.com", "b.com", "c.com"]
    mesh.delete("VirtualService", "istio-system", "w")
    assert sorted(domain for found in only(mesh).values() for domain in found) == ["a.com", "c.com"]


def test_everything_is_a_host_too() -> None:
    assert only(Mesh(WEB, gateway(server("*")), vs("v", "*"))) == {"*:80": ["*"]}


def test_hosts_with_the_same_routes_share_a_virtual_host() -> None:
    assert only(Mesh(WEB, gateway(server("*")), vs("v", "b.com", "a.com"))) == {"a.com:80": ["a.com", "b.com"]}


def answer(status: int, **match: Any) -> dict[str, Any]:
    return {"directResponse": {"status": status}, **({"match": [match]} if match else {})}


def statuses(mesh: Mesh) -> list[int]:
    (found,) = configs(mesh).values()
    return [route.direct_response.status for route in found.virtual_hosts[0].routes]


def test_virtual_services_of_one_host_follow_one_another() -> None:
    mesh = Mesh(
        gateway(server("*")),
        vs("new", "a.com", age=2, http=[answer(203, uri={"prefix": "/n"}), answer(204)]),
        vs("old", "a.com", age=1, http=[answer(201, uri={"prefix": "/o"}), answer(202)]),
    )
    # What catches all comes last, and only the first of those counts.
    assert statuses(mesh) == [201, 203, 202]


def test_matches_of_other_gateways_and_ports_do_not_hold() -> None:
    http = [
        answer(201, gateways=["istio-system/gw"]),
        answer(202, gateways=["mesh"]),
        answer(203, gateways=["other"]),
        answer(204, port=81),
        answer(205, port=80, uri={"prefix": "/a"}),
        answer(206, sourceLabels={"istio": "ingressgateway"}, uri={"prefix": "/b"}),
        answer(207, sourceLabels={"istio": "other"}, uri={"prefix": "/c"}),
    ]
    mesh = Mesh(gateway(server("*")), vs("v", "a.com", http=[*http[1:], http[0]]))
    assert statuses(mesh) == [205, 206, 201]


def test_virtual_hosts_are_named_by_the_port_that_clients_know() -> None:
    """Two ports in front of one that the gateway listens on."""
    front = """
    kind: Service
    metadata: {name: gw, namespace: istio-system}
    spec: {clusterIP: 10.0.0.9, selector: {istio: ingressgateway}, ports: [{name: http, port: 80, targetPort: 8080}]}
    """
    direct = {"number": 8080, "name": "direct", "protocol": "HTTP"}
    routed = [vs("a", "a.com", http=[to()]), vs("b", "b.com", http=[to(timeout="1s")])]
    mesh = Mesh(WEB, front, gateway(server("b.com", port=direct), server("a.com", "b.com")), *routed)
    assert only(mesh) == {"a.com:80": ["a.com"], "b.com:8080": ["b.com"]}


def test_redirects_to_https() -> None:
    mesh = Mesh(WEB, gateway(server("a.com", "b.com", tls={"httpsRedirect": True})), vs("v", "a.com"))
    (found,) = configs(mesh).values()
    assert {host.name: host.require_tls for host in found.virtual_hosts} == {"a.com:80": 2, "b.com:80": 2}


def test_a_redirect_knows_its_scheme() -> None:
    http = [{"redirect": {"uri": "/x", "derivePort": "FROM_REQUEST_PORT"}}]
    tls = {"mode": "SIMPLE", "credentialName": "c"}
    mesh = Mesh(gateway(server("*"), server("*", port=HTTPS, tls=tls)), vs("v", "a.com", http=http))
    for found in configs(mesh).values():
        assert found.virtual_hosts[0].routes[0].redirect.port_redirect == 0


def test_claims_of_tokens() -> None:
    http = [
        answer(201, headers={"@request.auth.claims.group": {"exact": "dev"}}),
        answer(202, withoutHeaders={"@request.auth.claims[a][b]": {}}),
    ]
    (found,) = configs(Mesh(gateway(server("*")), vs("v", "a.com", http=http))).values()
    first, second = (route.match.dynamic_metadata[0] for route in found.virtual_hosts[0].routes)
    assert first.filter == "envoy.filters.http.jwt_authn"
    assert [part.key for part in first.path] == ["payload", "group"]
    assert first.value.or_match.value_matchers[1].list_match.one_of.string_match.exact == "dev"
    assert [part.key for part in second.path] == ["payload", "a", "b"]
    assert second.invert


def test_only_what_the_gateway_sees() -> None:
    mesh = Mesh(WEB, gateway(server("*")), vs("v", "a.com", exportTo=["."]))
    assert only(mesh) == {"blackhole:80": ["*"]}
    mesh.apply(vs("v", "a.com", exportTo=[".", "istio-system"]))
    assert only(mesh) == {"a.com:80": ["a.com"]}


def test_a_destination_that_is_not_there() -> None:
    mesh = Mesh(gateway(server("*")), vs("v", "a.com"))
    (found,) = configs(mesh).values()
    assert found.virtual_hosts[0].routes[0].route.cluster == "BlackHoleCluster"
    mesh.apply(WEB)
    (found,) = configs(mesh).values()
    assert found.virtual_hosts[0].routes[0].route.cluster == f"outbound|80||{FQDN}"
