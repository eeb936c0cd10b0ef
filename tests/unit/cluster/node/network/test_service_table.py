"""Scripts of changes: two Services' claims, and that unchanged ones are not touched."""

from __future__ import annotations

from lateen.cluster.node.network.service_rules import NodeFacts, render_service
from lateen.cluster.node.network.service_table import ServiceTable
from lateen.cluster.objects import Key, Obj

NODE = NodeFacts("n1", "IPv4", "10.64.0.11", "10.128.0.0/16")


def service(name: str, ip: str, *external: str) -> Obj:
    spec = {"clusterIP": ip, "externalIPs": list(external), "ports": [{"port": 80}]}
    return {"metadata": {"namespace": "d", "name": name}, "spec": spec}


def slice_of(*addresses: str) -> Obj:
    endpoints = [{"addresses": [address], "nodeName": "n1"} for address in addresses]
    return {"addressType": "IPv4", "ports": [{"name": "", "port": 8080}], "endpoints": endpoints}


def test_changes_name_only_what_changed() -> None:
    table = ServiceTable(NODE, "10.192.0.0/16")
    for name, ip in (("a", "10.192.0.1"), ("b", "10.192.0.2")):
        table.put(Key("d", name), render_service(service(name, ip), [slice_of("10.128.1.2")], NODE))
    assert "10.192.0.2 . tcp . 80 : goto internal-" in table.whole()
    assert table.changes() == ""
    new = [slice_of("10.128.1.2", "10.128.1.3")]
    table.put(Key("d", "a"), render_service(service("a", "10.192.0.1"), new, NODE))
    lines = table.changes().splitlines()
    assert [line.split()[:2] for line in lines] == [["flush", "chain"], ["add", "rule"], ["add", "element"]]
    assert all("d/b/" not in line and "10.192.0" not in line for line in lines)
    assert "numgen random mod 2 map { 0 : 10.128.1.2 . 8080, 1 : 10.128.1.3 . 8080 }" in lines[1]


def test_an_address_that_two_services_claim_passes_to_the_other() -> None:
    table = ServiceTable(NODE, "10.192.0.0/16")
    table.whole()
    for name, ip in (("a", "10.192.0.1"), ("b", "10.192.0.2")):
        fragment = render_service(service(name, ip, "192.0.2.1"), [slice_of("10.128.1.2")], NODE)
        table.put(Key("d", name), fragment)
    assert table.changes().count("192.0.2.1 . tcp . 80") == 1
    table.put(Key("d", "a"), render_service({}, [], NODE))
    script = table.changes()
    assert script.count("192.0.2.1 . tcp . 80") == 2
    assert script.index("delete element") < script.index("add element") < script.index("delete chain")
