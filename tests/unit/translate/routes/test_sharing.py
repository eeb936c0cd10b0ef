"""What a change recomputes, and what namespaces share: counted, not timed."""

from __future__ import annotations

from typing import Any

from lateen.engine import Observation
from lateen.model.proxy import Proxy
from lateen.testing.mesh import Mesh
from lateen.translate.resource import Resource
from lateen.translate.routes.outbound import listing

NAMESPACES = 5
EACH = 4


def service(name: str, namespace: str, number: int) -> dict[str, Any]:
    spec = {
        "clusterIP": f"10.1.0.{number}",
        "clusterIPs": [f"10.1.0.{number}"],
        "ports": [{"name": "http", "port": 80}],
    }
    return {"kind": "Service", "metadata": {"name": name, "namespace": namespace}, "spec": spec}


def vs(name: str, namespace: str, timeout: str = "1s", **match: Any) -> dict[str, Any]:
    route = {"route": [{"destination": {"host": name}}], "timeout": timeout}
    http = [{**route, "match": [match]}] if match else [route]
    metadata = {"name": name, "namespace": namespace}
    return {"kind": "VirtualService", "metadata": metadata, "spec": {"hosts": [name], "http": http}}


def mesh_of_namespaces() -> Mesh:
    mesh = Mesh()
    for n in range(NAMESPACES):
        for s in range(EACH):
            mesh.apply(service(f"s{s}", f"n{n}", n * EACH + s + 1), vs(f"s{s}", f"n{n}"))
    return mesh


def observe(mesh: Mesh, proxy: Proxy) -> Observation[Resource]:
    (recipe,) = mesh.get(listing, mesh.views(proxy)[0])
    return mesh.engine.observe(recipe.query, *recipe.args)


def computed(mesh: Mesh) -> dict[str, int]:
    return {name: each.computed for name, each in mesh.engine.statistics().queries.items()}


def since(mesh: Mesh, before: dict[str, int], *names: str) -> dict[str, int]:
    now = computed(mesh)
    return {name: now.get(name, 0) - before.get(name, 0) for name in names}


BUILT = ("http_routes.http_routes", "route_table.block_part")


def test_a_further_namespace_builds_only_what_its_own_services_are_called() -> None:
    mesh = mesh_of_namespaces()
    observe(mesh, mesh.proxy("x.n0"))
    before = computed(mesh)
    observe(mesh, mesh.proxy("x.n1"))
    # Its own services go by their bare names here, those of n0 no longer do.
    assert since(mesh, before, *BUILT) == {
        "http_routes.http_routes": 0,
        "route_table.block_part": 2,
    }
    before = computed(mesh)
    observe(mesh, mesh.proxy("x.elsewhere"))
    observe(mesh, mesh.proxy("x.nowhere"))
    assert since(mesh, before, *BUILT, "route_table.route_configuration") == {
        **dict.fromkeys(BUILT, 0),
        "route_table.route_configuration": 1,
    }


def test_a_change_of_routes_builds_one_block() -> None:
    mesh = mesh_of_namespaces()
    held = observe(mesh, mesh.proxy("x.elsewhere"))
    first = held.get()
    before = computed(mesh)
    mesh.apply(vs("s1", "n3", "9s"))
    assert held.get() != first
    built = since(mesh, before, *BUILT, "outbound_hosts.service_block", "outbound.route_table", "outbound.listing")
    assert built == {
        **dict.fromkeys(BUILT, 1),
        "outbound_hosts.service_block": 0,
        "outbound.route_table": 0,
        "outbound.listing": 0,
    }


def test_a_new_virtual_service_resolves_one_block() -> None:
    mesh = mesh_of_namespaces()
    mesh.delete("VirtualService", "n3", "s1")
    proxy = mesh.proxy("x.elsewhere")
    observe(mesh, proxy)
    before = computed(mesh)
    mesh.apply(vs("s1", "n3"))
    observe(mesh, proxy)
    assert since(mesh, before, *BUILT, "outbound_hosts.service_block") == {
        **dict.fromkeys(BUILT, 1),
        "outbound_hosts.service_block": 1,
    }


def test_an_endpoint_is_nobodys_route() -> None:
    mesh = mesh_of_namespaces()
    proxy = mesh.proxy("x.n0")
    held = observe(mesh, proxy)
    before = computed(mesh)
    mesh.apply(
        {
            "kind": "EndpointSlice",
            "metadata": {"name": "s0-x", "namespace": "n0", "labels": {"kubernetes.io/service-name": "s0"}},
            "addressType": "IPv4",
            "ports": [{"name": "http", "port": 8080}],
            "endpoints": [{"addresses": ["10.9.0.1"]}],
        }
    )
    held.get()
    mesh.get(listing, mesh.views(proxy)[0])
    assert not any(since(mesh, before, *BUILT, "outbound.listing", "outbound.route_table").values())


def test_clients_that_a_virtual_service_tells_apart_share_all_else() -> None:
    mesh = mesh_of_namespaces()
    mesh.apply(vs("s0", "n0", sourceLabels={"app": "a"}))
    observe(mesh, mesh.proxy("x.elsewhere", {"app": "a", "version": "v1"}))
    before = computed(mesh)
    observe(mesh, mesh.proxy("y.elsewhere", {"app": "b", "version": "v2"}))
    assert since(mesh, before, *BUILT) == dict.fromkeys(BUILT, 1)
    before = computed(mesh)
    observe(mesh, mesh.proxy("z.elsewhere", {"app": "b", "version": "v3"}))
    assert not any(since(mesh, before, *BUILT, "outbound.route_table").values())


def test_a_namespace_of_many_services_is_many_blocks() -> None:
    mesh = Mesh(*(doc for n in range(200) for doc in (service(f"s{n}", "big", n + 1), vs(f"s{n}", "big"))))
    proxy = mesh.proxy("x.elsewhere")
    observe(mesh, proxy)
    blocks = computed(mesh)["route_table.block_part"]
    assert 4 <= blocks <= 16
    before = computed(mesh)
    mesh.apply(service("another", "big", 201))
    observe(mesh, proxy)
    assert since(mesh, before, "outbound_hosts.service_block", *BUILT) == {
        "outbound_hosts.service_block": 1,
        "http_routes.http_routes": 0,
        "route_table.block_part": 1,
    }


def test_what_one_virtual_service_lacks_is_nothing_to_other_blocks() -> None:
    mesh = mesh_of_namespaces()
    proxy = mesh.proxy("x.elsewhere")
    observe(mesh, proxy)
    before = computed(mesh)
    lacking = vs("s1", "n3")
    lacking["spec"]["http"][0]["route"][0]["destination"]["subset"] = "none"
    mesh.apply(lacking)
    held = observe(mesh, proxy)
    assert b"BlackHoleCluster" in held.get().body
    assert since(mesh, before, "outbound_hosts.service_block", *BUILT) == {
        "outbound_hosts.service_block": 1,
        **dict.fromkeys(BUILT, 1),
    }
