"""Services as their clients meet them: from pods on both nodes, from the nodes and from the host."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from .conftest import PROBE, Stage, at, client_address, hostname, server, udp_hostname

pytestmark = pytest.mark.cluster

EVERYWHERE = ("near", "far", "node1", "node2", "host")
HTTP = {"name": "web", "port": 80, "targetPort": "http"}
DATAGRAMS = {"name": "datagrams", "port": 80, "protocol": "UDP", "targetPort": "datagrams"}


def service(name: str, selector: dict[str, str] | None, **spec: Any) -> dict[str, Any]:
    """A Service of both families with an HTTP and a UDP port, both called 80 and named at the pod."""
    full: dict[str, Any] = {"ipFamilyPolicy": "RequireDualStack", "ports": [HTTP, DATAGRAMS], **spec}
    if selector is not None:
        full["selector"] = selector
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": full}


def put(stage: Stage, made: dict[str, Any]) -> dict[str, Any]:
    """Applies a Service; as it is once a load balancer, if it is one, has its addresses."""
    stage.apply(made)
    name = made["metadata"]["name"]
    if made["spec"].get("type") == "LoadBalancer":
        stage.cluster.wait_for("{.status.loadBalancer.ingress}", "service", name, "-n", stage.namespace)
    found: dict[str, Any] = stage.get("service", name)
    return found


def balancer_ips(made: dict[str, Any]) -> list[str]:
    return [ingress["ip"] for ingress in made["status"]["loadBalancer"]["ingress"]]


def test_every_way_in_of_both_families_and_protocols(stage: Stage) -> None:
    web = put(stage, service("web", {"app": "web"}, type="LoadBalancer"))
    node_port, udp_node_port = (port["nodePort"] for port in web["spec"]["ports"])
    cluster_ips, balancers = web["spec"]["clusterIPs"], balancer_ips(web)
    node_ips = [str(ip) for node in stage.nodes for ip in (node.ipv4, node.ipv6)]
    assert [":" in ip for ip in cluster_ips] == [":" in ip for ip in balancers] == [False, True]
    for source in EVERYWHERE:
        stage.expect(
            source,
            *(hostname(ip, 80, "a", "b") for ip in (*cluster_ips, *balancers)),
            *(hostname(ip, node_port, "a", "b") for ip in node_ips),
            *(udp_hostname(ip, 80, "a", "b") for ip in (*cluster_ips, *balancers)),
            *(udp_hostname(ip, udp_node_port, "a", "b") for ip in node_ips),
            # Ports that the Service does not have, and addresses that no Service has.
            *(hostname(ip, 81, "refused") for ip in cluster_ips),
        )
    for source in ("near", "far"):
        # Pods reach pods with their own address, whichever node they are on.
        stage.expect(
            source, *(client_address(ip, 80, own) for ip, own in zip(cluster_ips, stage.pod_ips(source), strict=True))
        )
    # A pod that reaches itself through its Service: also then it answers.
    alone = put(stage, service("alone", {"pod": "a"}))
    stage.expect("a", *(hostname(ip, 80, "a") for ip in alone["spec"]["clusterIPs"]))


def test_local_policies_keep_the_source_address_and_the_node(stage: Stage) -> None:
    local = put(
        stage,
        service(
            "local", {"pod": "a"}, type="LoadBalancer", externalTrafficPolicy="Local", internalTrafficPolicy="Local"
        ),
    )
    node_port = local["spec"]["ports"][0]["nodePort"]
    cluster_ips, balancers = local["spec"]["clusterIPs"], balancer_ips(local)
    one, two = ([str(node.ipv4), str(node.ipv6)] for node in stage.nodes)
    host = (str(stage.layout.host_ipv4), str(stage.layout.host_ipv6))
    stage.expect(
        "host",
        *(client_address(ip, 80, own) for ip, own in zip(balancers, host, strict=True)),
        *(client_address(ip, node_port, own) for ip, own in zip(one, host, strict=True)),
        *(hostname(ip, node_port, "silence", wait=1) for ip in two),
    )
    health = local["spec"]["healthCheckNodePort"]
    answer = {
        "service": {"namespace": stage.namespace, "name": "local"},
        "localEndpoints": 1,
        "serviceProxyHealthy": True,
    }
    stage.expect("host", {"http": at(one[0], health, "healthz"), "expect": [json.dumps(answer)]})
    answer["localEndpoints"] = 0
    stage.expect("host", {"http": at(two[0], health, "healthz"), "expect": [f"503 {json.dumps(answer)}"]})
    # Inside the cluster the load balancer's address leads to every endpoint; the cluster IP only to local ones.
    stage.expect("near", *(hostname(ip, 80, "a") for ip in (*cluster_ips, *balancers)))
    stage.expect("far", *(hostname(ip, 80, "a") for ip in balancers))
    stage.expect("far", *(hostname(ip, 80, "silence", wait=1) for ip in cluster_ips))


def test_a_load_balancer_s_address_is_gone_with_it_and_can_be_asked_for_again(stage: Stage) -> None:
    made = put(stage, service("passing", {"app": "web"}, type="LoadBalancer"))
    address = balancer_ips(made)[0]
    stage.expect("host", hostname(address, 80, "a", "b"))
    stage.kubectl("delete", "service", "passing", "--timeout=60s")
    routes = subprocess.run(["ip", "route", "show", address], capture_output=True, text=True, check=True).stdout
    assert routes == ""
    again = put(stage, service("again", {"app": "web"}, type="LoadBalancer", loadBalancerIP=address))
    assert address in balancer_ips(again)
    stage.expect("host", hostname(address, 80, "a", "b"))
    # A Service that stops being one gives it back too.
    stage.kubectl("patch", "service", "again", "-p", '{"spec": {"type": "ClusterIP", "loadBalancerIP": null}}')
    states = stage.watch("service", "again", "{.metadata.finalizers} {.status.loadBalancer}")
    assert next(state for state in states if "load-balancer-cleanup" not in state) == " {}"


def test_session_affinity_holds_a_client_to_its_server(stage: Stage) -> None:
    sticky = put(stage, service("sticky", {"app": "web"}, sessionAffinity="ClientIP"))
    addresses = sticky["spec"]["clusterIPs"]
    for source in ("near", "far", "host"):
        for address in addresses:
            stage.expect(source, {"http": at(address, 80, "echo?msg=here"), "expect": ["here"]})
            request = {"http": at(address, 80, "hostname"), "times": 16}
            (outcomes,) = json.loads(stage.run(source, "-c", PROBE.read_text(), json.dumps([request])))
            assert outcomes in (["a"], ["b"])


def test_nobody_there_is_told_at_once(stage: Stage) -> None:
    empty = put(stage, service("empty", {"app": "nobody"}, type="LoadBalancer"))
    spec = empty["spec"]
    node_ips = [str(ip) for node in stage.nodes for ip in (node.ipv4, node.ipv6)]
    for source in EVERYWHERE:
        stage.expect(
            source,
            *(hostname(ip, 80, "refused", wait=2) for ip in (*spec["clusterIPs"], *balancer_ips(empty))),
            *(hostname(ip, spec["ports"][0]["nodePort"], "refused", wait=2) for ip in node_ips),
            *(udp_hostname(ip, 80, "refused") for ip in spec["clusterIPs"]),
        )


def test_endpoints_that_the_user_writes(stage: Stage) -> None:
    addresses = stage.pod_ips("b")
    made = put(stage, service("manual", None))
    slices = [
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {"name": f"manual-{family.lower()}", "labels": {"kubernetes.io/service-name": "manual"}},
            "addressType": family,
            "ports": [{"name": "web", "port": 8080, "protocol": "TCP"}],
            "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
        }
        for family, address in zip(("IPv4", "IPv6"), addresses, strict=True)
    ]
    stage.apply(*slices)
    # The elder way, which a controller mirrors into slices.
    legacy = put(stage, service("legacy", None, ipFamilyPolicy="SingleStack"))
    endpoints = {
        "apiVersion": "v1",
        "kind": "Endpoints",
        "metadata": {"name": "legacy"},
        "subsets": [{"addresses": [{"ip": addresses[0]}], "ports": [{"name": "web", "port": 8080}]}],
    }
    stage.apply(endpoints)
    for source in ("near", "far", "host"):
        stage.expect(
            source,
            *(hostname(ip, 80, "b") for ip in made["spec"]["clusterIPs"]),
            hostname(legacy["spec"]["clusterIP"], 80, "b"),
            *(udp_hostname(ip, 80, "refused") for ip in made["spec"]["clusterIPs"]),
        )


def test_host_ports_and_headless_and_external_names(stage: Stage) -> None:
    ports = [{"containerPort": 8080, "hostPort": 38080}]
    stage.apply(server("mapped", stage.nodes[1].name, {"pod": "mapped"}, ports=ports))
    stage.kubectl("wait", "--for=condition=Ready", "pod/mapped", "--timeout=60s")
    for source in ("near", "node1", "host", "mapped"):
        stage.expect(source, *(hostname(str(ip), 38080, "mapped") for ip in (stage.nodes[1].ipv4, stage.nodes[1].ipv6)))
    stage.expect("host", hostname(str(stage.nodes[0].ipv4), 38080, "refused"))
    stage.kubectl("delete", "pod", "mapped", "--timeout=60s")
    stage.expect("host", hostname(str(stage.nodes[1].ipv4), 38080, "refused"))

    domain = f"{stage.namespace}.svc.cluster.local"
    stage.apply(
        service("headless", {"app": "web"}, clusterIP="None"),
        service("target", {"pod": "a"}),
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "alias"},
            "spec": {"type": "ExternalName", "externalName": f"target.{domain}"},
        },
    )
    stage.expect(
        "far",
        {"name": "headless", "expect": [*stage.pod_ips("a"), *stage.pod_ips("b")]},
        {"http": "alias:80/hostname", "expect": ["a"]},
    )


def test_readiness_decides_who_gets_traffic(stage: Stage) -> None:
    probe = {"exec": {"command": ["test", "-e", "/tmp/ready"]}, "periodSeconds": 1, "failureThreshold": 1}
    labels = {"app": "moody"}
    stage.apply(
        server("moody", stage.nodes[0].name, labels, readinessProbe=probe),
        server("steady", stage.nodes[1].name, labels),
    )
    ready_only = put(stage, service("moody", labels))["spec"]["clusterIP"]
    anyone = put(stage, service("anyone", labels, publishNotReadyAddresses=True))["spec"]["clusterIP"]
    stage.expect("far", hostname(ready_only, 80, "steady"), hostname(anyone, 80, "moody", "steady"))
    stage.kubectl("exec", "moody", "--", "touch", "/tmp/ready")
    stage.expect("far", hostname(ready_only, 80, "moody", "steady"))
    stage.kubectl("exec", "moody", "--", "rm", "/tmp/ready")
    stage.expect("far", hostname(ready_only, 80, "steady"), hostname(anyone, 80, "moody", "steady"))
    stage.kubectl("delete", "pod", "steady", "--timeout=60s")
    stage.expect("far", hostname(ready_only, 80, "refused"), hostname(anyone, 80, "moody"))


def test_a_rolling_update_loses_no_request(stage: Stage) -> None:
    template = server("rolling", "", {"app": "rolling"}, lifecycle={"preStop": {"sleep": {"seconds": 2}}})
    pod = template["spec"] | {"terminationGracePeriodSeconds": 30}
    del pod["nodeName"]
    pod["containers"][0]["readinessProbe"] = {"httpGet": {"path": "/healthz", "port": "http"}, "periodSeconds": 1}
    stage.apply(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "rolling"},
            "spec": {
                "replicas": 2,
                "selector": {"matchLabels": {"app": "rolling"}},
                "strategy": {"rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
                "template": {"metadata": template["metadata"] | {"name": None}, "spec": pod},
            },
        },
        service("rolling", {"app": "rolling"}),
    )
    stage.kubectl("rollout", "status", "deployment/rolling", "--timeout=60s")
    first = stage.get("pods", "-l", "app=rolling")["items"][0]
    address = stage.get("service", "rolling")["spec"]["clusterIP"]
    stage.expect("near", {"http": at(address, 80, "echo?msg=here"), "expect": ["here"]})
    stage.expect("host", {"http": at(address, 80, "echo?msg=here"), "expect": ["here"]})
    clients = [
        subprocess.Popen(
            stage.command(source, "-c", PROBE.read_text(), "--until-eof", at(address, 80, "echo?msg=here")),
            env=stage.cluster.environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for source in ("near", "host")
    ]  # fmt: skip
    try:
        for asking in clients:
            assert asking.stdout is not None
            assert asking.stdout.readline() == "begun\n"
        stage.kubectl("rollout", "restart", "deployment/rolling")
        stage.kubectl("rollout", "status", "deployment/rolling", "--timeout=90s")
        old = f"app=rolling,pod-template-hash={first['metadata']['labels']['pod-template-hash']}"
        while stage.get("pods", "-l", old)["items"]:
            # An elder kubectl complains when the last has gone meanwhile.
            stage.cluster.try_kubectl("wait", "pods", "-n", stage.namespace, "-l", old, "--for=delete")
        for asking in clients:
            printed, _ = asking.communicate(timeout=60)
            outcomes = json.loads(printed)
            assert list(outcomes) == ["here"], outcomes
    finally:
        for asking in clients:
            asking.kill()
            asking.wait()
