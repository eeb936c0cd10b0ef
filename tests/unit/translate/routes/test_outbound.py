from __future__ import annotations

from typing import Any

from lateen.model.proxy import Interception, Proxy, Traits
from lateen.testing.envoy import accepts, decoded
from lateen.testing.mesh import Mesh
from lateen.translate.resource import Resource, ResourceType
from lateen.translate.routes.outbound import listing


def service(name: str, namespace: str = "default", *, ip: str = "10.0.0.1", **ports: int) -> dict[str, Any]:
    spec: dict[str, Any] = {"ports": [{"name": key.replace("_", "-"), "port": port} for key, port in ports.items()]}
    spec |= {"clusterIP": ip, "clusterIPs": [ip]}
    return {"kind": "Service", "metadata": {"name": name, "namespace": namespace}, "spec": spec}


def vs(name: str, *hosts: str, namespace: str = "default", **spec: Any) -> dict[str, Any]:
    route = {"route": [{"destination": {"host": "web.default.svc.cluster.local"}}]}
    spec = {"hosts": list(hosts), "http": [route], **spec}
    return {"kind": "VirtualService", "metadata": {"name": name, "namespace": namespace}, "spec": spec}


def entry(name: str, host: str, namespace: str = "default", **spec: Any) -> dict[str, Any]:
    ports = [{"number": 80, "name": "http", "protocol": "HTTP"}]
    spec = {"hosts": [host], "ports": ports, "resolution": "DNS", **spec}
    return {"kind": "ServiceEntry", "metadata": {"name": name, "namespace": namespace}, "spec": spec}


def resources(mesh: Mesh, proxy: Proxy | None = None) -> dict[str, Resource]:
    view = mesh.views(proxy or mesh.proxy())[0]
    return {recipe.name: mesh.make(recipe) for recipe in mesh.get(listing, view)}


def config(mesh: Mesh, name: str = "80", proxy: Proxy | None = None) -> Any:
    found = resources(mesh, proxy)
    accepts({ResourceType.RDS: found.values()})
    return decoded(ResourceType.RDS, found[name])


def domains(found: Any) -> dict[str, list[str]]:
    return {host.name: list(host.domains) for host in found.virtual_hosts}


WEB = service("web", http=80)
FQDN = "web.default.svc.cluster.local"


def test_names_of_a_service_for_its_own_namespace_and_for_others() -> None:
    mesh = Mesh(WEB)
    here = domains(config(mesh))[f"{FQDN}:80"]
    there = domains(config(mesh, proxy=mesh.proxy("x.other")))[f"{FQDN}:80"]
    assert here == [FQDN, f"{FQDN}.", "web", "web.default", "web.default.svc", "10.0.0.1"]
    assert there == [name for name in here if name != "web"]


def test_pods_of_a_headless_service_have_names_below_it() -> None:
    mesh = Mesh(service("db", ip="None", http=80))
    assert {"*.db", "*.db.default.svc.cluster.local"} <= set(domains(config(mesh))["db.default.svc.cluster.local:80"])


def test_an_external_name_is_another_name_of_its_service() -> None:
    alias = {
        "kind": "Service",
        "metadata": {"name": "old", "namespace": "default"},
        "spec": {"type": "ExternalName", "externalName": FQDN, "ports": [{"port": 80}]},
    }
    found = domains(config(Mesh(WEB, alias)))
    assert {"old", "old.default.svc.cluster.local"} <= set(found[f"{FQDN}:80"])
    assert "old.default.svc.cluster.local:80" not in found


def test_one_configuration_per_port_and_one_for_each_service_of_unknown_protocol() -> None:
    mesh = Mesh(service("web", http=80, grpc=90, tcp=91, unnamed=92))
    found = resources(mesh)
    assert sorted(found) == ["80", "90", f"{FQDN}:92"]
    alone = decoded(ResourceType.RDS, found[f"{FQDN}:92"])
    assert domains(alone) == {f"{FQDN}:92": ["*"]}


def test_unknown_hosts_pass_or_are_refused() -> None:
    mesh = Mesh(WEB)
    last = config(mesh).virtual_hosts[-1]
    assert (last.name, last.routes[0].route.cluster) == ("allow_any", "PassthroughCluster")
    mesh.mesh_config("outboundTrafficPolicy: {mode: REGISTRY_ONLY}")
    last = config(mesh).virtual_hosts[-1]
    assert (last.name, last.routes[0].direct_response.status) == ("block_all", 502)


def sidecar(*hosts: str, **spec: Any) -> dict[str, Any]:
    egress = [{"hosts": list(hosts)}]
    metadata = {"name": "s", "namespace": "default"}
    return {"kind": "Sidecar", "metadata": metadata, "spec": {"egress": egress, **spec}}


def test_unknown_hosts_go_to_the_egress_proxy() -> None:
    proxied = {"mode": "ALLOW_ANY", "egressProxy": {"host": FQDN, "port": {"number": 80}}}
    mesh = Mesh(WEB, sidecar("./*", outboundTrafficPolicy=proxied))
    assert config(mesh).virtual_hosts[-1].routes[0].route.cluster == f"outbound|80||{FQDN}"


def test_a_sidecar_limits_hosts_and_virtual_services() -> None:
    mesh = Mesh(
        WEB,
        service("far", "other", ip="10.0.0.2", http=80),
        vs("v", "web"),
        vs("w", FQDN, namespace="other", http=[{"directResponse": {"status": 200}}]),
        sidecar("other/*", f"*/{FQDN}"),
    )
    found = config(mesh)
    assert set(domains(found)) == {f"{FQDN}:80", "far.other.svc.cluster.local:80", "allow_any"}
    mesh.apply(sidecar("./*"))
    assert set(domains(config(mesh))) == {f"{FQDN}:80", "allow_any"}


def routes_of(found: Any, name: str) -> list[Any]:
    return list(next(host.routes for host in found.virtual_hosts if host.name == name))


def test_without_a_virtual_service_everything_goes_to_the_service() -> None:
    (route,) = routes_of(config(Mesh(WEB)), f"{FQDN}:80")
    assert (route.name, route.match.prefix, route.route.cluster) == ("default", "/", f"outbound|80||{FQDN}")
    assert route.decorator.operation == f"{FQDN}:80/*"
    assert route.route.HasField("timeout")
    assert route.route.timeout.ToNanoseconds() == 0
    assert route.route.retry_policy.num_retries.value == 2


def test_the_mesh_says_how_often_to_try() -> None:
    mesh = Mesh(WEB)
    mesh.mesh_config("defaultHttpRetryPolicy: {attempts: 7, retryOn: '5xx,503'}")
    (route,) = routes_of(config(mesh), f"{FQDN}:80")
    policy = route.route.retry_policy
    assert (policy.num_retries.value, policy.retry_on) == (7, "5xx,retriable-status-codes")
    assert list(policy.retriable_status_codes) == [503]
    mesh.mesh_config("defaultHttpRetryPolicy: {attempts: 0}")
    (route,) = routes_of(config(mesh), f"{FQDN}:80")
    assert not route.route.HasField("retry_policy")


def test_the_mesh_says_whether_attempts_are_counted() -> None:
    mesh = Mesh(WEB)
    assert all(host.include_request_attempt_count for host in config(mesh).virtual_hosts)
    mesh.mesh_config("defaultConfig: {proxyHeaders: {attemptCount: {disabled: true}}}")
    assert not any(host.include_request_attempt_count for host in config(mesh).virtual_hosts)


def test_what_a_route_is_called() -> None:
    http = [{"name": "n", "match": [{"name": "m", "uri": {"prefix": "/a"}, "statPrefix": "s"}],
             "route": [{"destination": {"host": "web"}}]}]  # fmt: skip
    (route,) = routes_of(config(Mesh(WEB, vs("v", "web", http=http))), f"{FQDN}:80")
    assert (route.name, route.stat_prefix) == ("n.m", "s")
    assert route.decorator.operation == f"{FQDN}:80/a*"
    config_path = route.metadata.filter_metadata["istio"].fields["config"].string_value
    assert config_path == "/apis/networking.istio.io/v1/namespaces/default/virtual-service/v"


def test_a_host_without_a_service_is_reached_at_port_80() -> None:
    mesh = Mesh(service("web", http=80, http_more=8080), vs("v", "bookinfo.com"))
    assert domains(config(mesh))["bookinfo.com:80"] == ["bookinfo.com"]
    assert "bookinfo.com:8080" not in domains(config(mesh, "8080"))


def test_a_host_without_a_service_is_reached_where_the_service_beside_it_is() -> None:
    mesh = Mesh(service("web", http=8080), vs("v", "bookinfo.com", "web"))
    assert domains(config(mesh, "8080"))["bookinfo.com:8080"] == ["bookinfo.com"]


def test_a_host_within_a_wildcard_service_is_reached_at_its_ports() -> None:
    ports = [{"number": 8080, "name": "http", "protocol": "HTTP"}]
    mesh = Mesh(WEB, entry("e", "*.a.com", ports=ports, resolution="NONE"), vs("v", "x.a.com"))
    assert set(domains(config(mesh, "8080"))) == {"*.a.com:8080", "x.a.com:8080", "allow_any"}


def test_when_no_route_can_hold_the_service_is_as_without() -> None:
    http = [{"match": [{"port": 81}], "directResponse": {"status": 200}}]
    (route,) = routes_of(config(Mesh(WEB, vs("v", "web", http=http))), f"{FQDN}:80")
    assert route.name == "default"


def test_nothing_follows_what_catches_all() -> None:
    answers = [{"directResponse": {"status": status}} for status in (200, 201)]
    found = routes_of(config(Mesh(WEB, vs("v", "web", http=answers))), f"{FQDN}:80")
    assert [route.direct_response.status for route in found] == [200]


def test_the_port_of_a_destination() -> None:
    other = service("other", ip="10.0.0.2", http=8080)
    many = service("many", ip="10.0.0.3", http=80, http_b=81)

    def cluster(**destination: Any) -> str:
        http = [{"route": [{"destination": destination}]}]
        found = routes_of(config(Mesh(WEB, other, many, vs("v", "web", http=http))), f"{FQDN}:80")
        return str(found[0].route.cluster)

    assert cluster(host="other") == "outbound|8080||other.default.svc.cluster.local"
    assert cluster(host="many") == "outbound|80||many.default.svc.cluster.local"
    assert cluster(host="many", port={"number": 81}) == "outbound|81||many.default.svc.cluster.local"
    assert cluster(host="many", port={"number": 82}) == "BlackHoleCluster"


def rule(**policy: Any) -> dict[str, Any]:
    return {
        "kind": "DestinationRule",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"host": "web", "trafficPolicy": {"loadBalancer": {"consistentHash": policy}}, "subsets": [
            {"name": "v1", "labels": {"v": "1"},
             "trafficPolicy": {"loadBalancer": {"consistentHash": {"useSourceIp": True}}}}]},
    }  # fmt: skip


def test_requests_are_hashed_as_the_destination_asks() -> None:
    mesh = Mesh(WEB, rule(httpHeaderName="x-user"))
    (route,) = routes_of(config(mesh), f"{FQDN}:80")
    assert [policy.header.header_name for policy in route.route.hash_policy] == ["x-user"]
    # A retry must not avoid the host where the request belongs.
    assert not route.route.retry_policy.retry_host_predicate
    cookie = {"name": "c", "path": "/p", "ttl": "0s", "attributes": [{"name": "SameSite", "value": "Lax"}]}
    mesh.apply(rule(httpCookie=cookie))
    policy = routes_of(config(mesh), f"{FQDN}:80")[0].route.hash_policy[0].cookie
    assert (policy.name, policy.path, policy.HasField("ttl")) == ("c", "/p", True)
    mesh.apply(
        rule(httpQueryParameterName="q"),
        vs(
            "v",
            "web",
            http=[
                {
                    "route": [
                        {"destination": {"host": "web", "subset": "v1"}, "weight": 1},
                        {"destination": {"host": "web"}, "weight": 1},
                    ]
                }
            ],
        ),
    )
    found = routes_of(config(mesh), f"{FQDN}:80")[0].route.hash_policy
    assert found[0].connection_properties.source_ip
    assert found[1].query_parameter.name == "q"


def test_services_that_share_an_address_share_no_domain() -> None:
    first = entry("a", "a.com", addresses=["240.0.0.9"], resolution="STATIC", endpoints=[{"address": "1.1.1.1"}])
    second = entry("b", "b.com", addresses=["240.0.0.9"], resolution="STATIC", endpoints=[{"address": "1.1.1.2"}])
    found = domains(config(Mesh(WEB, first, second)))
    assert "240.0.0.9" in found["a.com:80"]
    assert "240.0.0.9" not in found["b.com:80"]


def test_a_full_name_comes_before_the_short_form_of_another() -> None:
    found = domains(config(Mesh(WEB, entry("e", "web.default"))))
    assert "web.default" in found["web.default:80"]
    assert "web.default" not in found[f"{FQDN}:80"]
    assert "web.default.svc" in found[f"{FQDN}:80"]


def test_a_routed_host_comes_before_the_short_form_of_a_service() -> None:
    found = domains(config(Mesh(WEB, vs("v", "web.default"))))
    assert found["web.default:80"] == ["web.default"]
    assert "web.default" not in found[f"{FQDN}:80"]


def test_a_name_without_dots_of_a_service_entry() -> None:
    mesh = Mesh(WEB, service("web", "other", ip="10.0.0.2", http=80), entry("e", "web"))
    found = domains(config(mesh))
    assert "web" in found["web:80"]
    assert "web" not in found[f"{FQDN}:80"]


def test_of_two_services_of_a_host_each_namespace_has_one() -> None:
    mesh = Mesh(entry("e", "a.com", "one"), entry("e", "a.com", "two"))
    for namespace in ("one", "two", "three"):
        assert list(domains(config(mesh, proxy=mesh.proxy(f"x.{namespace}")))) == ["a.com:80", "allow_any"]


def test_an_http_proxy_tells_ports_apart() -> None:
    mesh = Mesh(service("web", http=80, http_more=8080))
    mesh.mesh_config("proxyHttpPort: 15007")
    found = config(mesh, "http_proxy")
    listed = domains(found)
    assert not found.ignore_port_in_host_matching
    assert {FQDN, f"{FQDN}:80", "web"} <= set(listed[f"{FQDN}:80"])
    assert f"{FQDN}:8080" in listed[f"{FQDN}:8080"]
    assert FQDN not in listed[f"{FQDN}:8080"]


def test_an_ipv6_address_is_written_in_brackets() -> None:
    mesh = Mesh(service("web", ip="fd00::1", http=80))
    assert "[fd00::1]" in domains(config(mesh))[f"{FQDN}:80"]


def test_without_capture_the_routes_are_the_same() -> None:
    mesh = Mesh(WEB)
    bare = mesh.proxy(traits=Traits(interception=Interception.NONE))
    assert resources(mesh, bare)["80"] == resources(mesh)["80"]


def test_the_hash_is_of_the_port_that_is_reached() -> None:
    by_port = [{"port": {"number": 80}, "loadBalancer": {"consistentHash": {"httpHeaderName": "x-port"}}}]
    metadata = {"name": "web", "namespace": "default"}
    spec = {"host": "web", "trafficPolicy": {"portLevelSettings": by_port}}
    ruled = {"kind": "DestinationRule", "metadata": metadata, "spec": spec}
    other = service("other", ip="10.0.0.2", http=8080)
    mesh = Mesh(WEB, other, ruled, vs("v", "other", http=[{"route": [{"destination": {"host": "web"}}]}]))
    (route,) = routes_of(config(mesh, "8080"), "other.default.svc.cluster.local:8080")
    assert [policy.header.header_name for policy in route.route.hash_policy] == ["x-port"]


def test_an_alias_is_hashed_as_what_it_stands_for() -> None:
    spec = {"type": "ExternalName", "externalName": FQDN, "ports": [{"port": 80}]}
    alias = {"kind": "Service", "metadata": {"name": "old", "namespace": "default"}, "spec": spec}
    http = [{"route": [{"destination": {"host": "old"}}]}]
    mesh = Mesh(WEB, alias, rule(httpHeaderName="x"), vs("v", "a.com", http=http))
    (route,) = routes_of(config(mesh), "a.com:80")
    assert route.route.cluster == f"outbound|80||{FQDN}"
    assert [policy.header.header_name for policy in route.route.hash_policy] == ["x"]


def external_name(name: str, target: str, namespace: str = "default") -> dict[str, Any]:
    spec = {"type": "ExternalName", "externalName": target, "ports": [{"port": 80}]}
    return {"kind": "Service", "metadata": {"name": name, "namespace": namespace}, "spec": spec}


def test_an_alias_goes_by_its_name_in_its_own_namespace() -> None:
    mesh = Mesh(WEB, external_name("old", FQDN, "other"))
    here, there = (domains(config(mesh, proxy=mesh.proxy(f"x.{ns}")))[f"{FQDN}:80"] for ns in ("default", "other"))
    assert "old" in there
    assert "web" not in there
    assert "old" not in here
    assert "web" in here
    assert {"old.other", "old.other.svc.cluster.local."} <= set(here)


def test_an_alias_may_be_routed_otherwise_than_its_service() -> None:
    http = [{"directResponse": {"status": 410}}]
    mesh = Mesh(service("web", http=8080), external_name("old", FQDN), vs("v", "old", http=http))
    found = domains(config(mesh, "8080"))
    assert found["old.default.svc.cluster.local:8080"] == [
        "old.default.svc.cluster.local",
        "old",
        "old.default",
        "old.default.svc",
    ]
    assert not {"old", "old.default", "old.default.svc.cluster.local"} & set(found[f"{FQDN}:8080"])
    (route,) = routes_of(config(mesh, "8080"), f"{FQDN}:8080")
    assert route.name == "default"


def test_a_service_that_is_not_seen_may_be_routed() -> None:
    hidden = service("hidden", "other", ip="10.0.0.2", http=80)
    hidden["metadata"]["annotations"] = {"networking.istio.io/exportTo": "."}
    mesh = Mesh(WEB, hidden, vs("v", "hidden.other.svc.cluster.local"))
    found = config(mesh)
    name = "hidden.other.svc.cluster.local"
    assert domains(found)[f"{name}:80"] == [name, "hidden.other", "hidden.other.svc"]
    assert routes_of(found, f"{name}:80")[0].route.cluster == f"outbound|80||{FQDN}"
    assert f"{name}." in domains(config(mesh, proxy=mesh.proxy("x.other")))[f"{name}:80"]


def test_a_service_may_be_routed_at_port_80_where_it_does_not_listen() -> None:
    mesh = Mesh(WEB, service("api", ip="10.0.0.2", http=9090), vs("v", "api"))
    name = "api.default.svc.cluster.local"
    assert f"{name}:80" in domains(config(mesh))
    assert "10.0.0.2" in domains(config(mesh, "9090"))[f"{name}:9090"]


def test_a_service_of_byte_streams_is_not_routed_as_http() -> None:
    mesh = Mesh(WEB, service("db", ip="10.0.0.2", tcp=80), vs("v", "db"))
    assert set(domains(config(mesh))) == {f"{FQDN}:80", "allow_any"}


def test_a_routed_wildcard_is_about_the_services_that_are_seen() -> None:
    hidden = service("hidden", "other", ip="10.0.0.2", http=80)
    hidden["metadata"]["annotations"] = {"networking.istio.io/exportTo": "."}
    mesh = Mesh(WEB, hidden, vs("v", "*.other.svc.cluster.local"))
    assert domains(config(mesh))["*.other.svc.cluster.local:80"] == ["*.other.svc.cluster.local"]
    assert "*.other.svc.cluster.local:80" not in domains(config(mesh, proxy=mesh.proxy("x.other")))


def test_one_name_in_two_namespaces_is_routed_in_each() -> None:
    aliases = [external_name("old", FQDN, namespace) for namespace in ("default", "other", "third")]
    mesh = Mesh(WEB, *aliases, *(vs("v", "old", namespace=namespace) for namespace in ("default", "other")))
    for namespace in ("default", "other"):
        found = domains(config(mesh, proxy=mesh.proxy(f"x.{namespace}")))
        assert [name for name in found if "old" in found[name]] == [f"old.{namespace}.svc.cluster.local:80"]
    third = domains(config(mesh, proxy=mesh.proxy("x.third")))
    assert [name for name in third if "old" in third[name]] == [f"{FQDN}:80"]


def test_one_name_without_a_service_in_two_namespaces() -> None:
    names = [f"none.{namespace}.svc.cluster.local" for namespace in ("default", "other")]
    mesh = Mesh(WEB, *(vs(f"v{i}", name) for i, name in enumerate(names)))
    for namespace, name in zip(("default", "other"), names, strict=True):
        found = domains(config(mesh, proxy=mesh.proxy(f"x.{namespace}")))
        assert [each for each in found if "none" in found[each]] == [f"{name}:80"]
