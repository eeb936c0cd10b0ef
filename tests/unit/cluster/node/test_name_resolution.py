from __future__ import annotations

from pathlib import Path

from lateen.cluster.layout import Layout
from lateen.cluster.node.name_resolution import hostname, hosts_file, resolv_conf
from lateen.cluster.objects import Obj

LAYOUT = Layout("x", 1, Path("/nowhere"))
MACHINE = "nameserver 9.9.9.9\nsearch corp.example\noptions timeout:1\n"


def pod(**spec: object) -> Obj:
    return {"metadata": {"name": "web-0", "namespace": "shop"}, "spec": spec}


def test_cluster_first() -> None:
    assert resolv_conf(pod(), LAYOUT, MACHINE) == (
        "search shop.svc.cluster.local svc.cluster.local cluster.local\n"
        f"nameserver {LAYOUT.dns_service_ipv4}\noptions ndots:5\n"
    )


def test_other_policies_and_additions() -> None:
    assert resolv_conf(pod(dnsPolicy="Default"), LAYOUT, MACHINE) == (
        f"search corp.example\nnameserver {LAYOUT.host_ipv4}\noptions timeout:1\n"
    )
    assert resolv_conf(pod(hostNetwork=True), LAYOUT, MACHINE).startswith("search corp.example")
    own = resolv_conf(pod(hostNetwork=True, dnsPolicy="ClusterFirstWithHostNet"), LAYOUT, MACHINE)
    assert str(LAYOUT.dns_service_ipv4) in own
    config = {"nameservers": ["1.2.3.4"], "searches": ["a.b"], "options": [{"name": "edns0"}]}
    assert resolv_conf(pod(dnsPolicy="None", dnsConfig=config), LAYOUT, MACHINE) == (
        "search a.b\nnameserver 1.2.3.4\noptions edns0\n"
    )


def test_hosts() -> None:
    text = hosts_file(
        pod(subdomain="web", hostAliases=[{"ip": "1.1.1.1", "hostnames": ["one", "eins"]}]), ["10.0.0.5"], LAYOUT, ""
    )
    assert "10.0.0.5\tweb-0.web.shop.svc.cluster.local\tweb-0\n" in text
    assert text.endswith("# Entries added by HostAliases.\n1.1.1.1\tone\teins\n")


def test_hostname() -> None:
    assert hostname(pod(), "node") == "web-0"
    assert hostname(pod(hostname="h"), "node") == "h"
    assert hostname(pod(hostNetwork=True), "node") == "node"
