"""What `up` applies for cluster DNS fits together and asks for no more than it needs."""

from __future__ import annotations

from pathlib import Path

from lateen.cluster.dns.__main__ import HEALTH_PORT, PORT, READY_PORT
from lateen.cluster.dns.informed_state import ENDPOINT_SLICES, NAMESPACES, SERVICES
from lateen.cluster.dns.manifests import dns_manifests
from lateen.cluster.layout import Layout

LAYOUT = Layout("c", 3, Path("/nowhere"))


def test_the_parts_name_each_other() -> None:
    account, role, binding, deployment, service = dns_manifests(LAYOUT)
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    assert binding["subjects"][0]["name"] == account["metadata"]["name"]
    template = deployment["spec"]["template"]
    assert template["spec"]["serviceAccountName"] == account["metadata"]["name"]
    assert (
        service["spec"]["selector"] == deployment["spec"]["selector"]["matchLabels"] == template["metadata"]["labels"]
    )
    assert template["metadata"]["labels"]["k8s-app"] == "kube-dns"
    assert {o["metadata"].get("namespace", "kube-system") for o in (account, deployment, service)} == {"kube-system"}


def test_the_service_has_the_address_that_pods_are_told() -> None:
    spec = dns_manifests(LAYOUT)[-1]["spec"]
    assert spec["clusterIPs"] == [str(LAYOUT.dns_service_ipv4), str(LAYOUT.dns_service_ipv6)]
    assert spec["clusterIP"] == spec["clusterIPs"][0]
    assert {(port["port"], port["protocol"]) for port in spec["ports"]} == {(53, "UDP"), (53, "TCP")}


def test_probes_and_ports_are_the_program_s() -> None:
    (container,) = dns_manifests(LAYOUT)[3]["spec"]["template"]["spec"]["containers"]
    assert container["livenessProbe"]["httpGet"]["port"] == HEALTH_PORT
    assert container["readinessProbe"]["httpGet"]["port"] == READY_PORT
    assert {port["containerPort"] for port in container["ports"]} == {PORT}


def test_it_may_read_what_it_follows_and_nothing_else() -> None:
    rules = dns_manifests(LAYOUT)[1]["rules"]
    granted = {(g, r, v) for rule in rules for g in rule["apiGroups"] for r in rule["resources"] for v in rule["verbs"]}
    followed = {(gvr.group, gvr.plural) for gvr in (SERVICES, ENDPOINT_SLICES, NAMESPACES)}
    assert granted == {(group, resource, verb) for group, resource in followed for verb in ("list", "watch")}
