"""Names as pods look them up: of Services, of their members and ports, of addresses, and of the outside."""

from __future__ import annotations

import ipaddress
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lateen.testing.local_cluster import LocalCluster

from .conftest import Stage, server

pytestmark = pytest.mark.cluster

LOOKUP = Path(__file__).with_name("lookup.py")

UPSTREAM = """
import socket, dnslib, threading
def answer(data, limit):
    query = dnslib.DNSRecord.parse(data)
    reply = query.reply()
    count = 60 if str(query.q.qname).startswith("big.") else 1
    if str(query.q.qname).startswith("absent."):
        reply.header.rcode = dnslib.RCODE.NXDOMAIN
    elif query.q.qtype == dnslib.QTYPE.A:
        for n in range(count):
            reply.add_answer(dnslib.RR(query.q.qname, dnslib.QTYPE.A, rdata=dnslib.A(f"192.0.2.{n + 1}"), ttl=1))
    whole = bytes(reply.pack())
    return whole if len(whole) <= limit else bytes(reply.truncate().pack())
def by_tcp():
    with socket.create_server(("", 53)) as listener:
        while True:
            with listener.accept()[0] as connection:
                data = connection.recv(2000)
                whole = answer(data[2:], 65535)
                connection.sendall(len(whole).to_bytes(2, "big") + whole)
threading.Thread(target=by_tcp, daemon=True).start()
datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
datagrams.bind(("", 53))
while True:
    data, asker = datagrams.recvfrom(2000)
    datagrams.sendto(answer(data, 512), asker)
"""


def lookups(stage: Stage, source: str, *questions: tuple[str, ...]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(stage.run(source, "-c", LOOKUP.read_text(), json.dumps(questions)))
    return found


def found(*answers: str) -> dict[str, Any]:
    return {"code": "NOERROR", "answers": sorted(answers), "truncated": False}


NOTHING = {"code": "NXDOMAIN", "answers": [], "truncated": False}


def reversed_name(address: str) -> str:
    return ipaddress.ip_address(address).reverse_pointer


def test_records_of_services_members_and_pods(stage: Stage) -> None:
    namespace = stage.namespace
    domain = f"{namespace}.svc.cluster.local"
    ports = [{"name": "web", "port": 80, "targetPort": "http"}, {"name": "dgram", "port": 81, "protocol": "UDP"}]
    member = server("", "", {"app": "db"})
    member["spec"].pop("nodeName")
    dual = {"ipFamilyPolicy": "RequireDualStack", "ports": ports}
    stage.apply(
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "front"},
            "spec": {**dual, "selector": {"app": "web"}},
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "db"},
            "spec": {**dual, "clusterIP": "None", "selector": {"app": "db"}},
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "elsewhere"},
            "spec": {"type": "ExternalName", "externalName": f"front.{domain}"},
        },
        {
            "apiVersion": "apps/v1",
            "kind": "StatefulSet",
            "metadata": {"name": "db"},
            "spec": {
                "serviceName": "db",
                "replicas": 2,
                "podManagementPolicy": "Parallel",
                "selector": {"matchLabels": {"app": "db"}},
                "template": {"metadata": {"labels": {"app": "db"}}, "spec": member["spec"]},
            },
        },
    )
    stage.kubectl("rollout", "status", "statefulset/db", "--timeout=60s")
    ipv4, ipv6 = stage.get("service", "front")["spec"]["clusterIPs"]
    members = [stage.pod_ips(f"db-{n}") for n in (0, 1)]
    # What resolvers make of it, with the search list of the pod: short names, and a trailing dot that forgoes it.
    stage.expect(
        "near",
        {"name": "front", "expect": [ipv4, ipv6]},
        {"name": f"front.{namespace}", "expect": [ipv4, ipv6]},
        {"name": f"front.{namespace}.svc", "expect": [ipv4, ipv6]},
        {"name": f"front.{domain}.", "expect": [ipv4, ipv6]},
        {"name": "db", "expect": [ip for ips in members for ip in ips]},
        {"name": "db-1.db", "expect": list(members[1])},
        {"name": "elsewhere", "expect": [ipv4, ipv6]},
        {"name": "kubernetes.default", "expect": [str(stage.layout.api_service_ipv4)]},
        # With a trailing dot: without, resolvers ask the world at last, which may not be there to say no.
        {"name": "front.default.svc.cluster.local.", "expect": ["no name"]},
    )
    dashed = members[0][0].replace(".", "-")
    cases: list[tuple[tuple[str, ...], dict[str, Any]]] = [
        ((f"front.{domain}", "A"), found(f"A {ipv4}")),
        ((f"front.{domain}", "AAAA"), found(f"AAAA {ipv6}")),
        ((f"front.{domain}", "TXT"), found()),
        ((f"FRONT.{domain}".upper(), "A", "tcp"), found(f"A {ipv4}")),
        ((f"_web._tcp.front.{domain}", "SRV"), found(f"SRV 0 100 80 front.{domain}")),
        ((f"_dgram._udp.front.{domain}", "SRV"), found(f"SRV 0 100 81 front.{domain}")),
        ((f"_web._udp.front.{domain}", "SRV"), NOTHING),
        ((f"_web._tcp.db.{domain}", "SRV"), found(*(f"SRV 0 50 8080 db-{n}.db.{domain}" for n in (0, 1)))),
        ((f"db-0.db.{domain}", "AAAA"), found(f"AAAA {members[0][1]}")),
        ((f"db-2.db.{domain}", "A"), NOTHING),
        ((f"elsewhere.{domain}", "CNAME"), found(f"CNAME front.{domain}")),
        ((f"elsewhere.{domain}", "A"), found(f"A {ipv4}", f"CNAME front.{domain}")),
        ((f"{dashed}.{namespace}.pod.cluster.local", "A"), found(f"A {members[0][0]}")),
        ((reversed_name(ipv4), "PTR"), found(f"PTR front.{domain}")),
        ((reversed_name(ipv6), "PTR"), found(f"PTR front.{domain}")),
        ((reversed_name(members[1][0]), "PTR"), found(f"PTR db-1.db.{domain}")),
        ((reversed_name(members[1][1]), "PTR"), found(f"PTR db-1.db.{domain}")),
        ((f"nothing.{domain}", "A"), NOTHING),
        (("front.absent.svc.cluster.local", "A"), NOTHING),
    ]
    for source in ("near", "far"):
        answers = lookups(stage, source, *(question for question, _ in cases))
        assert [(q, a) for (q, _), a in zip(cases, answers, strict=True)] == cases


def test_answers_too_big_for_a_datagram_come_by_tcp(stage: Stage) -> None:
    addresses = [f"198.51.{n // 100}.{n % 100 + 1}" for n in range(200)]
    slices = [
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {"name": f"crowd-{n}", "labels": {"kubernetes.io/service-name": "crowd"}},
            "addressType": "IPv4",
            "ports": [{"name": "web", "port": 80}],
            "endpoints": [{"addresses": [address]} for address in addresses[n : n + 100]],
        }
        for n in (0, 100)
    ]
    crowd = {"clusterIP": "None", "ports": [{"name": "web", "port": 80}]}
    stage.apply({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "crowd"}, "spec": crowd}, *slices)
    # What libc gets after it has asked again by TCP.
    stage.expect("near", {"name": "crowd", "expect": addresses})
    name = f"crowd.{stage.namespace}.svc.cluster.local"
    by_udp, by_tcp = lookups(stage, "near", (name, "A"), (name, "A", "tcp"))
    assert by_udp["truncated"]
    assert 20 < len(by_udp["answers"]) < 200
    assert by_tcp == found(*(f"A {address}" for address in addresses))


@pytest.fixture(scope="module")
def own_stage() -> Iterator[Stage]:
    """A cluster of its own, whose DNS may be changed, with a pod `upstream` that knows every name but `absent.*`."""
    with LocalCluster(nodes=2) as cluster:
        stage = Stage(cluster)
        upstream = server("upstream", stage.nodes[0].name, {"app": "upstream"})
        upstream["spec"]["containers"] = [
            {"name": "dns", "image": "python", "command": [sys.executable, "-I", "-c", UPSTREAM]}
        ]
        stage.apply(upstream)
        stage.set_up()
        yield stage


def test_outside_names_and_a_restart_of_the_servers(own_stage: Stage) -> None:
    stage = own_stage
    kube_dns = ("-n", "kube-system", "deployment/kube-dns")
    (upstream, _) = stage.pod_ips("upstream")
    own = {"dnsPolicy": "None", "dnsConfig": {"nameservers": [upstream]}}
    patch = {"spec": {"replicas": 2, "template": {"spec": own}}}
    cluster = stage.cluster
    cluster.kubectl("patch", *kube_dns, "-p", json.dumps(patch))
    cluster.kubectl("rollout", "status", *kube_dns, "--timeout=90s")
    stage.apply(
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "outside"},
            "spec": {"type": "ExternalName", "externalName": "www.example.org"},
        }
    )
    # The search list is gone through first, and none of its names is there.
    stage.expect("near", {"name": "www.example.org", "expect": ["192.0.2.1"]})
    stage.expect("far", {"name": "outside", "expect": ["192.0.2.1"]})
    many = [f"A 192.0.2.{n + 1}" for n in range(60)]
    answers = lookups(
        stage, "near", ("www.example.org", "A"), ("absent.example.org", "A"), ("big.example.org", "A"),
        ("big.example.org", "A", "tcp"), (f"outside.{stage.namespace}.svc.cluster.local", "A"),
    )  # fmt: skip
    assert answers[:2] == [found("A 192.0.2.1"), NOTHING]
    assert answers[2]["truncated"]
    assert answers[3:] == [found(*many), found("A 192.0.2.1", "CNAME www.example.org")]

    asking = subprocess.Popen(
        stage.command("near", "-c", LOOKUP.read_text(), "--until-eof", "kubernetes.default.svc.cluster.local"),
        env=cluster.environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert asking.stdout is not None
        assert asking.stdout.readline() == "begun\n"
        cluster.kubectl("rollout", "restart", *kube_dns)
        cluster.kubectl("rollout", "status", *kube_dns, "--timeout=90s")
        printed, _ = asking.communicate(timeout=60)
        codes = json.loads(printed)
        assert list(codes) == ["NOERROR"], codes
    finally:
        asking.kill()
        asking.wait()
