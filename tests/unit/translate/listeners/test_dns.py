"""The DNS listeners of sidecars: which names lead where, and what is computed anew when something changes."""

from __future__ import annotations

from typing import Any

from envoy.config.listener.v3 import listener_pb2

from lateen.model.proxy import Interception, Traits
from lateen.testing.envoy import accepts
from lateen.testing.mesh import Mesh, endpoint_slice
from lateen.translate.listeners.dns import DNS, DNS_OVER_TCP
from lateen.translate.newer_types import DnsFilterConfig
from lateen.translate.resource import Resource, ResourceType

SERVICES = """
kind: Service
metadata: {name: web, namespace: shop}
spec: {clusterIP: 10.0.0.1, ports: [{name: http, port: 80}]}
---
kind: Service
metadata: {name: dual, namespace: bank}
spec: {clusterIP: 10.0.0.2, clusterIPs: [10.0.0.2, "2001:db8::2"], ports: [{name: http, port: 80}]}
---
kind: Service
metadata: {name: db, namespace: shop}
spec: {clusterIP: None, ports: [{name: tcp, port: 5432}]}
---
kind: Service
metadata: {name: elsewhere, namespace: shop}
spec: {type: ExternalName, externalName: example.org}
---
kind: ServiceEntry
metadata: {name: api, namespace: shop}
spec: {hosts: [API.example.com, "*.wild.example.com", "*-odd.example.com"], addresses: [192.0.2.1, 192.0.2.0/28],
  ports: [{number: 443, name: tls, protocol: TLS}], resolution: NONE}
---
kind: ServiceEntry
metadata: {name: auto, namespace: shop}
spec: {hosts: [auto.example.com], ports: [{number: 443, name: tls, protocol: TLS}], resolution: DNS}
---
kind: ServiceEntry
metadata: {name: hidden, namespace: bank}
spec: {hosts: [hidden.example.com], exportTo: ["."], addresses: [192.0.2.9], ports: [{number: 80, name: http}],
  resolution: DNS}
"""


def mesh() -> Mesh:
    slices = endpoint_slice("db", "shop", ports={"tcp": 5432}, addresses=("10.1.0.1", "10.1.0.2"))
    slices["endpoints"][0]["hostname"] = "db-0"
    return Mesh(SERVICES, slices)


def made(mesh: Mesh, namespace: str = "shop", **traits: Any) -> dict[str, Resource]:
    captured = Traits(**({"dns_capture": True} | traits))
    return mesh.resources(ResourceType.LDS, mesh.proxy(f"client.{namespace}", traits=captured))


def table(mesh: Mesh, namespace: str = "shop", **traits: Any) -> dict[str, tuple[str, ...]]:
    listener = listener_pb2.Listener.FromString(made(mesh, namespace, **traits)[DNS].body)
    config = DnsFilterConfig.FromString(listener.listener_filters[0].typed_config.value)
    domains = config.server_config.inline_dns_table.virtual_domains
    assert len({domain.name for domain in domains}) == len(domains)
    return {domain.name: tuple(domain.endpoint.address_list.address) for domain in domains}


def test_who_does_not_ask_has_none() -> None:
    assert not {DNS, DNS_OVER_TCP} & made(mesh(), dns_capture=False).keys()


def test_names_of_kubernetes_services() -> None:
    found = table(mesh())
    names = {name for name, addresses in found.items() if addresses == ("10.0.0.1",)}
    assert names == {
        "web",
        "web.shop",
        "web.shop.svc",
        "web.shop.svc.cluster.local",
        "web.shop.shop.svc.cluster.local",
        "web.shop.svc.shop.svc.cluster.local",
        "web.shop.svc.cluster.local.shop.svc.cluster.local",
    }
    assert "dual" not in found
    assert found["dual.bank"] == found["dual.bank.svc.cluster.local"] == ("10.0.0.2",)
    assert table(mesh(), ipv6=True)["dual.bank"] == ("10.0.0.2", "2001:db8::2")
    assert "elsewhere" not in found
    assert "web" not in table(mesh(), "bank")


def test_headless_services() -> None:
    found = table(mesh())
    assert found["db"] == found["db.shop.svc.cluster.local"] == ("10.1.0.1", "10.1.0.2")
    assert found["db-0.db"] == found["db-0.db.shop.svc.cluster.local"] == ("10.1.0.1",)


def test_service_entries() -> None:
    found = table(mesh())
    assert found["api.example.com"] == found["*.wild.example.com"] == ("192.0.2.1",)
    assert found["api.example.com.shop.svc.cluster.local"] == ("192.0.2.1",)
    assert not any("odd" in name for name in found)
    (automatic,) = found["auto.example.com"]
    assert automatic.startswith("240.240.")
    assert "hidden.example.com" not in found
    assert table(mesh(), "bank")["hidden.example.com"] == ("192.0.2.9",)


def test_what_a_service_is_called_is_its_own() -> None:
    """However short another one's name is."""
    world = mesh()
    world.apply(
        {
            "kind": "ServiceEntry",
            "metadata": {"name": "rival", "namespace": "shop"},
            "spec": {
                "hosts": ["web.shop"],
                "addresses": ["192.0.2.7"],
                "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}],
                "resolution": "DNS",
            },
        }
    )
    found = table(world)
    assert found["web.shop"] == ("192.0.2.7",)
    assert found["web"] == found["web.shop.svc"] == ("10.0.0.1",)


def test_namespaces_share_a_listener() -> None:
    world = mesh()
    captured = Traits(dns_capture=True)
    one, other = (
        world.recipes(ResourceType.LDS, world.proxy(f"{name}.shop", labels={"app": name}, traits=captured))[DNS]
        for name in ("a", "b")
    )
    assert one == other


def test_an_endpoint_changes_no_other_listener() -> None:
    world = mesh()
    before = made(world)
    slices = endpoint_slice("db", "shop", ports={"tcp": 5432}, addresses=("10.1.0.1",))
    world.apply(slices)
    after = made(world)
    changed = {name for name in before if after.get(name) != before[name]}
    # A listener of a headless service of byte streams is at its endpoints' addresses.
    assert changed == {DNS, "10.1.0.2_5432"}
    web = endpoint_slice("web", "shop", ports={"http": 80}, addresses=("10.1.0.7",))
    world.apply(web)
    assert made(world) == after


def test_envoy_accepts_them() -> None:
    listeners = [
        resource
        for namespace in ("shop", "bank")
        for traits in ({}, {"ipv6": True}, {"ipv4": False, "ipv6": True}, {"interception": Interception.NONE})
        for name, resource in made(mesh(), namespace, **traits).items()
        if name in (DNS, DNS_OVER_TCP)
    ]
    assert len(listeners) == 14
    accepts({ResourceType.LDS: listeners})
