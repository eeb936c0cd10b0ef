"""Clusters side by side: pods of peers reach each other by IP, pods of others do not."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lateen.cluster.layout import load
from lateen.testing.local_cluster import LocalCluster

pytestmark = pytest.mark.cluster

ASK = """
import sys, urllib.request
for url in sys.argv[1:]:
    try:
        print(urllib.request.urlopen(url, timeout=5).read().decode())
    except OSError:
        print("no answer")
"""


def add_pod(cluster: LocalCluster, name: str, **metadata: Any) -> tuple[str, str]:
    """A pod that tells its clients' addresses; its own ones, IPv4 and IPv6."""
    container = {"name": "netexec", "image": "example.org/agnhost:2.47", "args": ["netexec"]}
    spec = {"containers": [container], "terminationGracePeriodSeconds": 0}
    cluster.apply(json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, **metadata}, "spec": spec}))
    cluster.kubectl("wait", "--for=condition=Ready", f"pod/{name}", "--timeout=60s")
    ipv4, ipv6 = cluster.get("pod", name)["status"]["podIPs"]
    return ipv4["ip"], ipv6["ip"]


def seen_by(cluster: LocalCluster, pod: str, addresses: tuple[str, ...], port: int = 8080) -> list[str]:
    """The source address that each of the servers sees of `pod`, or `no answer`."""
    urls = [f"http://[{ip}]:{port}/clientip" if ":" in ip else f"http://{ip}:{port}/clientip" for ip in addresses]
    return cluster.kubectl("exec", pod, "--", sys.executable, "-I", "-c", ASK, *urls).splitlines()


@pytest.mark.timeout(400)
def test_pods_of_peers_reach_each_other_and_no_others(tmp_path: Path) -> None:
    with (
        LocalCluster(home=tmp_path, nodes=2) as east,
        LocalCluster(home=tmp_path, options=("--peer", east.name)) as west,
        LocalCluster(home=tmp_path) as lone,
    ):
        layouts = [load(c.root) for c in (east, west, lone)]
        ranges = [
            network
            for layout in layouts
            for network in (layout.pods_ipv4, layout.services_ipv4, layout.load_balancers_ipv4, layout.fabric_ipv4)
        ]
        assert not any(a.overlaps(b) for a in ranges for b in ranges if a is not b)
        ours = add_pod(east, "web", labels={"app": "web"})
        theirs = add_pod(west, "web")
        apart = add_pod(lone, "web")

        assert seen_by(east, "web", theirs) == list(ours)
        assert seen_by(west, "web", ours) == list(theirs)
        for cluster, addresses in ((east, apart), (west, apart), (lone, ours), (lone, theirs)):
            assert seen_by(cluster, "web", addresses) == ["no answer"] * 2
        # A peer's load balancer is in reach, too: the way in for a mesh's gateways.
        east.kubectl("expose", "pod", "web", "--port=80", "--target-port=8080", "--type=LoadBalancer")
        east.wait_for("{.status.loadBalancer.ingress}", "service", "web")
        balancer = east.get("service", "web")["status"]["loadBalancer"]["ingress"][0]["ip"]
        urls = f"http://{balancer}/hostname"
        retried = ["curl", "--silent", "--fail", "--retry", "10", "--retry-connrefused", "--max-time", "60", urls]
        assert west.kubectl("exec", "web", "--", *retried) == "web"

        # Either of them may go and come back.
        west.down("--keep-state")
        assert seen_by(east, "web", theirs) == ["no answer"] * 2
        west.lateen("up", "--kubeconfig", str(west.kubeconfig))
        west.kubectl("wait", "--for=condition=Ready", "pod/web", "--timeout=60s")
        theirs = tuple(ip["ip"] for ip in west.get("pod", "web")["status"]["podIPs"])
        assert seen_by(east, "web", theirs) == list(ours)
        assert seen_by(west, "web", ours) == list(theirs)
        west.down()
        assert json.loads(east.lateen("status", "-o", "json"))["peers"] == []
        routes = subprocess.run(
            ["ip", "-n", layouts[0].fabric_netns, "route"], capture_output=True, text=True, check=True
        ).stdout
        assert str(layouts[1].pods_ipv4) not in routes
