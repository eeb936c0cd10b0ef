"""What proxies see: exportTo, clashing hosts, and Sidecars, by example and by law."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from lateen.api.networking.sidecar import CaptureMode
from lateen.api.objects import Key
from lateen.model.protocol import Protocol
from lateen.model.proxy import ClientView, OutboundView
from lateen.model.scope import Scope, scope, scope_key
from lateen.model.service import ServiceKey
from lateen.testing.mesh import Mesh

NAMESPACES = ["a", "b", "c"]


def kubernetes(name: str, namespace: str, export_to: str = "", *ports: int) -> dict[str, Any]:
    return {
        "kind": "Service",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "annotations": {"networking.istio.io/exportTo": export_to} if export_to else {},
        },
        "spec": {"clusterIP": "10.0.0.1", "ports": [{"name": f"http-{port}", "port": port} for port in ports or (80,)]},
    }


def entry(host: str, namespace: str, export_to: tuple[str, ...] = (), created: str = "2024-01-01") -> dict[str, Any]:
    return {
        "kind": "ServiceEntry",
        "metadata": {
            "name": host.replace("*", "any").replace(".", "-"),
            "namespace": namespace,
            "creationTimestamp": f"{created}T00:00:00Z",
        },
        "spec": {
            "hosts": [host],
            "ports": [{"number": 443, "name": "tls", "protocol": "TLS"}],
            "exportTo": list(export_to),
        },
    }


def sidecar(namespace: str, *egress: dict[str, Any], name: str = "default", **spec: Any) -> dict[str, Any]:
    return {
        "kind": "Sidecar",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {**({"egress": list(egress)} if egress else {}), **spec},
    }


def hosts(*listed: str, **rest: Any) -> dict[str, Any]:
    return {"hosts": list(listed), **rest}


def client(mesh: Mesh, namespace: str, labels: dict[str, str] | None = None) -> ClientView:
    view = mesh.views(mesh.proxy(f"client.{namespace}", labels))[0]
    assert isinstance(view, OutboundView)
    return view


def seen(mesh: Mesh, namespace: str, labels: dict[str, str] | None = None) -> Scope:
    return mesh.get(scope, client(mesh, namespace, labels))


def names(found: Scope) -> list[str]:
    return [host.removesuffix(".svc.cluster.local") for host in found.services]


def test_services_are_seen_where_they_are_exported_to() -> None:
    mesh = Mesh(
        kubernetes("everywhere", "a"),
        kubernetes("here", "a", "."),
        kubernetes("there", "a", "b"),
        kubernetes("both", "a", ".,b"),
        kubernetes("nowhere", "a", "~"),
    )
    assert names(seen(mesh, "a")) == ["both.a", "everywhere.a", "here.a"]
    assert names(seen(mesh, "b")) == ["both.a", "everywhere.a", "there.a"]
    assert names(seen(mesh, "c")) == ["everywhere.a"]


def test_namespaces_with_nothing_of_their_own_share_one_scope() -> None:
    mesh = Mesh(kubernetes("x", "a"), kubernetes("y", "b", "."))
    assert mesh.get(scope_key, client(mesh, "a")) == mesh.get(scope_key, client(mesh, "c"))
    assert mesh.get(scope_key, client(mesh, "a")) != mesh.get(scope_key, client(mesh, "b"))
    gateway = mesh.views(mesh.gateway("gateway.a"))[0]
    assert not isinstance(gateway, OutboundView)
    assert mesh.get(scope_key, gateway) == mesh.get(scope_key, client(mesh, "c"))


def test_of_services_with_one_host_kubernetes_wins_then_the_own_namespace_then_the_oldest() -> None:
    mesh = Mesh(
        entry("x.com", "a", created="2024-03-01"),
        entry("x.com", "b", created="2024-02-01"),
        entry("x.com", "c", (".",), created="2024-01-01"),
        entry("real.a.svc.cluster.local", "b", created="2020-01-01"),
        kubernetes("real", "a"),
    )
    meanings = {namespace: seen(mesh, namespace).services for namespace in ["a", "b", "c", "d"]}
    assert {namespace: found["x.com"].namespace for namespace, found in meanings.items()} == {
        "a": "a",
        "b": "b",
        "c": "c",
        "d": "b",
    }
    assert {found["real.a.svc.cluster.local"].namespace for found in meanings.values()} == {"a"}


def test_a_sidecar_narrows_what_is_seen() -> None:
    mesh = Mesh(
        kubernetes("x", "a"),
        kubernetes("y", "a"),
        kubernetes("x", "b"),
        kubernetes("z", "b", "."),
        entry("api.example.com", "c"),
        sidecar("a", hosts("./x.a.svc.cluster.local", "b/*", "*/*.example.com")),
    )
    assert names(seen(mesh, "a")) == ["api.example.com", "x.a", "x.b"]
    assert seen(mesh, "a").key.sidecar == Key("a", "default")
    mesh.apply(sidecar("a", hosts("~/*")))
    assert names(seen(mesh, "a")) == []
    mesh.apply(sidecar("a", hosts("*/x.b.svc.cluster.local")))
    assert names(seen(mesh, "a")) == ["x.b"]
    mesh.apply(sidecar("a", ingress=[{"port": {"number": 80, "protocol": "HTTP"}}]))
    assert names(seen(mesh, "a")) == names(seen(mesh, "c"))


def test_which_sidecar_is_a_workloads() -> None:
    mesh = Mesh(
        kubernetes("x", "a"),
        sidecar("istio-system", hosts("~/*"), name="for-all"),
        sidecar("istio-system", hosts("~/*"), name="only-there", workloadSelector={"labels": {"app": "shop"}}),
        sidecar("a", hosts("*/*"), name="namespace"),
        sidecar("a", hosts("./*"), name="shop", workloadSelector={"labels": {"app": "shop"}}),
    )

    def chosen(namespace: str, **labels: str) -> Key | None:
        return seen(mesh, namespace, labels).key.sidecar

    assert chosen("a") == Key("a", "namespace")
    assert chosen("a", app="other") == Key("a", "namespace")
    assert chosen("a", app="shop", version="1") == Key("a", "shop")
    assert chosen("b", app="shop") == Key("istio-system", "for-all")
    assert chosen("istio-system", app="shop") == Key("istio-system", "only-there")
    mesh.mesh_config("rootNamespace: elsewhere")
    assert chosen("b") is None


def test_the_root_namespaces_sidecar_means_the_clients_namespace_by_a_dot() -> None:
    mesh = Mesh(kubernetes("x", "a"), kubernetes("y", "b"), sidecar("istio-system", hosts("./*")))
    assert names(seen(mesh, "a")) == ["x.a"]
    assert names(seen(mesh, "b")) == ["y.b"]


def test_listeners_with_ports_see_services_with_that_port_alone() -> None:
    mesh = Mesh(
        kubernetes("x", "a", "", 80, 81),
        kubernetes("y", "a", "", 81),
        kubernetes("z", "a", "", 82),
        sidecar(
            "a",
            hosts("./*", port={"number": 81, "protocol": "HTTP", "name": "h"}, bind="127.0.0.9", captureMode="NONE"),
            hosts("./z.a.svc.cluster.local"),
        ),
    )
    found = seen(mesh, "a")
    first, last = found.listeners
    assert (first.port, first.bind, first.capture_mode) == (81, "127.0.0.9", CaptureMode.NONE)
    assert [key.hostname.partition(".")[0] for key in first.services.values()] == ["x", "y"]
    assert [key.hostname.partition(".")[0] for key in last.services.values()] == ["z"]
    x, z = ServiceKey("x.a.svc.cluster.local", "a"), ServiceKey("z.a.svc.cluster.local", "a")
    assert found.sees_port(x, 81)
    assert not found.sees_port(x, 80)
    assert found.sees_port(z, 82)
    assert found.listener_for(81) is first
    assert found.listener_for(9999) is last


def test_a_generic_proxy_listener_and_a_socket_see_services_whole() -> None:
    mesh = Mesh(
        kubernetes("x", "a", "", 80, 81),
        sidecar(
            "a",
            hosts("./*", port={"number": 3128, "protocol": "HTTP_PROXY", "name": "proxy"}),
            hosts("b/*", port={"number": 0, "protocol": "HTTP", "name": "u"}, bind="unix:///run/x.sock"),
        ),
    )
    found = seen(mesh, "a")
    proxy, socket = found.listeners
    assert proxy.protocol is Protocol.HTTP_PROXY
    assert list(proxy.services) == ["x.a.svc.cluster.local"]
    assert found.sees_port(ServiceKey("x.a.svc.cluster.local", "a"), 80)
    assert found.listener_for(0, "unix:///run/x.sock") is socket
    assert found.listener_for(0, "unix:///run/y.sock") is None


def test_services_behind_imported_virtual_services_are_seen() -> None:
    route = {
        "kind": "VirtualService",
        "metadata": {"name": "front", "namespace": "b"},
        "spec": {
            "hosts": ["front.example.com"],
            "http": [
                {"match": [{"uri": {"prefix": "/d"}}], "delegate": {"name": "rest"}},
                {"route": [{"destination": {"host": "x"}}], "mirrors": [{"destination": {"host": "m"}}]},
            ],
        },
    }
    delegate = {
        "kind": "VirtualService",
        "metadata": {"name": "rest", "namespace": "b"},
        "spec": {"http": [{"route": [{"destination": {"host": "d"}}]}]},
    }
    mesh = Mesh(
        *(kubernetes(name, "b") for name in ("x", "m", "d", "unrelated")),
        kubernetes("own", "a"),
        route,
        delegate,
        sidecar("a", hosts("*/front.example.com")),
    )
    assert names(seen(mesh, "a")) == ["d.b", "m.b", "x.b"]
    mesh.apply({**route, "spec": {**route["spec"], "exportTo": ["."]}})
    assert names(seen(mesh, "a")) == []
    mesh.apply({**route, "spec": {**route["spec"], "gateways": ["ingress"]}})
    assert names(seen(mesh, "a")) == []


def test_which_virtual_services_a_listener_imports() -> None:
    mesh = Mesh(sidecar("a", hosts("./*", "b/*.example.com")))
    listener = seen(mesh, "a").listeners[0]
    assert listener.imports_virtual_service("a", ("anything.com",))
    assert listener.imports_virtual_service("b", ("x.example.com",))
    assert listener.imports_virtual_service("b", ("other.com", "*.com"))
    assert not listener.imports_virtual_service("b", ("other.com",))
    assert not listener.imports_virtual_service("c", ("x.example.com",))


def test_outbound_traffic() -> None:
    mesh = Mesh(
        sidecar("a", hosts("*/*"), outboundTrafficPolicy={"mode": "REGISTRY_ONLY"}),
        sidecar(
            "b",
            outboundTrafficPolicy={
                "mode": "ALLOW_ANY",
                "egressProxy": {"host": "proxy.c.svc.cluster.local", "port": {"number": 80}},
            },
        ),
        sidecar("c", hosts("*/*")),
    )
    assert not seen(mesh, "a").outbound.allow_any
    proxied = seen(mesh, "b").outbound
    assert proxied.allow_any
    assert proxied.egress_proxy is not None
    assert proxied.egress_proxy.host == "proxy.c.svc.cluster.local"
    assert seen(mesh, "c").outbound.allow_any
    mesh.mesh_config("outboundTrafficPolicy: {mode: REGISTRY_ONLY}")
    assert not seen(mesh, "c").outbound.allow_any
    assert not seen(mesh, "d").outbound.allow_any
    assert seen(mesh, "b").outbound.allow_any


def test_changes_elsewhere_recompute_no_narrow_scope() -> None:
    mesh = Mesh(kubernetes("x", "a"), sidecar("a", hosts("./*")))
    before = seen(mesh, "a")
    computed = mesh.engine.statistics().queries["scope.scope_of"].computed
    mesh.apply(kubernetes("new", "b"), entry("new.com", "c"))
    assert seen(mesh, "a") == before
    assert mesh.engine.statistics().queries["scope.scope_of"].computed == computed


# --- laws ------------------------------------------------------------------------------------------------------------

EXPORTS = st.sampled_from(["", ".", "a", "b", "a,b", "~"])
SERVICES = st.lists(
    st.builds(kubernetes, st.sampled_from(["x", "y"]), st.sampled_from(NAMESPACES), EXPORTS, st.sampled_from([80, 81])),
    max_size=6,
)
ENTRIES = st.lists(
    st.builds(
        entry,
        st.sampled_from(["x.com", "y.com", "x.a.svc.cluster.local"]),
        st.sampled_from(NAMESPACES),
        st.sampled_from([(), (".",), ("b",)]),
        st.sampled_from(["2024-01-01", "2024-02-01"]),
    ),
    max_size=5,
)
EGRESS_HOSTS = st.lists(
    st.builds(
        "{}/{}".format,
        st.sampled_from(["*", ".", "a", "b"]),
        st.sampled_from(["*", "*.com", "x.com", "x.a.svc.cluster.local", "*.svc.cluster.local"]),
    ),
    min_size=1,
    max_size=5,
    unique=True,
)


@settings(max_examples=60, deadline=None)
@given(SERVICES, ENTRIES, EGRESS_HOSTS, st.integers(1, 4), st.sampled_from(NAMESPACES))
def test_narrowing_a_sidecar_never_adds_services(
    services: list[Any], entries: list[Any], listed: list[str], kept: int, namespace: str
) -> None:
    mesh = Mesh(*services, *entries)
    without = set(seen(mesh, namespace).services)
    mesh.apply(sidecar(namespace, hosts(*listed)))
    wide = seen(mesh, namespace).services
    mesh.apply(sidecar(namespace, hosts(*listed[:kept])))
    narrow = seen(mesh, namespace).services
    mesh.apply(sidecar(namespace, hosts(*listed, port={"number": 80, "protocol": "HTTP", "name": "h"})))
    by_port = seen(mesh, namespace).services
    assert set(narrow) <= set(wide) <= without
    assert set(by_port) <= set(wide)


@settings(max_examples=60, deadline=None)
@given(SERVICES, ENTRIES, st.sampled_from(NAMESPACES))
def test_importing_everything_is_the_same_as_no_sidecar(
    services: list[Any], entries: list[Any], namespace: str
) -> None:
    mesh = Mesh(*services, *entries)
    without = seen(mesh, namespace).services
    mesh.apply(sidecar(namespace, hosts("*/*")))
    assert seen(mesh, namespace).services == without
    # The long way round: every namespace by name.
    mesh.apply(sidecar(namespace, hosts(*(f"{each}/*" for each in NAMESPACES))))
    assert seen(mesh, namespace).services == without


@settings(max_examples=60, deadline=None)
@given(SERVICES, ENTRIES, EGRESS_HOSTS, st.sampled_from(NAMESPACES))
def test_what_is_seen_is_exported_to_the_viewer(
    services: list[Any], entries: list[Any], listed: list[str], namespace: str
) -> None:
    mesh = Mesh(*services, *entries, sidecar(namespace, hosts(*listed)))
    declared: dict[ServiceKey, set[str]] = {}
    for each in entries:
        key = ServiceKey(each["spec"]["hosts"][0], each["metadata"]["namespace"])
        declared[key] = set(each["spec"]["exportTo"] or ["*"])
    for each in services:
        owner = each["metadata"]["namespace"]
        key = ServiceKey(f"{each['metadata']['name']}.{owner}.svc.cluster.local", owner)
        declared[key] = set(each["metadata"]["annotations"].get("networking.istio.io/exportTo", "*").split(","))
    for host, key in seen(mesh, namespace).services.items():
        assert key.hostname == host
        exports = declared[key]
        assert "*" in exports or namespace in exports or ("." in exports and key.namespace == namespace)
