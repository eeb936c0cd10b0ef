"""The tables that `kubectl get` prints: names and order of columns, and cells that are easy to get wrong."""

from __future__ import annotations

import pytest

from lateen.testing.local_cluster import LocalCluster

pytestmark = pytest.mark.cluster

HEADERS = {
    "pods -A -o wide": "NAMESPACE NAME READY STATUS RESTARTS AGE IP NODE NOMINATED NODE READINESS GATES",
    "deployments -A -o wide": "NAMESPACE NAME READY UP-TO-DATE AVAILABLE AGE CONTAINERS IMAGES SELECTOR",
    "replicasets -A": "NAMESPACE NAME DESIRED CURRENT READY AGE",
    "services -A -o wide": "NAMESPACE NAME TYPE CLUSTER-IP EXTERNAL-IP PORT(S) AGE SELECTOR",
    "endpointslices -A": "NAMESPACE NAME ADDRESSTYPE PORTS ENDPOINTS AGE",
    "nodes -o wide": "NAME STATUS ROLES AGE VERSION INTERNAL-IP EXTERNAL-IP OS-IMAGE KERNEL-VERSION CONTAINER-RUNTIME",
    "namespaces": "NAME STATUS AGE",
    "configmaps -A": "NAMESPACE NAME DATA AGE",
    "serviceaccounts -A": "NAMESPACE NAME SECRETS AGE",
    "clusterroles": "NAME CREATED AT",
    "clusterrolebindings -o wide": "NAME ROLE AGE USERS GROUPS SERVICEACCOUNTS",
    "priorityclasses": "NAME VALUE GLOBAL-DEFAULT AGE PREEMPTIONPOLICY",
    "storageclasses": "NAME PROVISIONER RECLAIMPOLICY VOLUMEBINDINGMODE ALLOWVOLUMEEXPANSION AGE",
    "leases -A": "NAMESPACE NAME HOLDER AGE",
    "events -A": "NAMESPACE LAST SEEN TYPE REASON OBJECT MESSAGE",
}


@pytest.mark.parametrize("asked", HEADERS)
def test_headers(cluster: LocalCluster, asked: str) -> None:
    header = cluster.kubectl("get", *asked.split()).splitlines()[0]
    assert " ".join(header.split()) == HEADERS[asked]


def test_a_node_shows_its_first_internal_address(cluster: LocalCluster) -> None:
    for node in cluster.get("nodes")["items"]:
        first, second = (a["address"] for a in node["status"]["addresses"] if a["type"] == "InternalIP")
        assert ("." in first, ":" in second) == (True, True)
        assert (
            cluster.kubectl("get", "node", node["metadata"]["name"], "-o", "wide").splitlines()[1].split()[5] == first
        )


def test_endpoints_are_deprecated(cluster: LocalCluster) -> None:
    done = cluster.try_kubectl("get", "endpoints", "kubernetes")
    warning = "Warning: v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice\n"
    assert done.stderr == warning


def test_a_job_without_labels_has_those_of_its_pods(cluster: LocalCluster, namespace: str) -> None:
    n = ("-n", namespace)
    cluster.kubectl("create", "job", "j", "--image=busybox", *n, "--", "true")
    job = cluster.get("job", "j", *n)
    assert job["metadata"]["labels"] == job["spec"]["template"]["metadata"]["labels"]
    assert job["metadata"]["labels"]["batch.kubernetes.io/job-name"] == "j"
    cluster.kubectl("wait", "job/j", "--for=condition=Complete", "--timeout=60s", *n)
    header, row = cluster.kubectl("get", "job", "j", *n).splitlines()
    assert header.split() == ["NAME", "STATUS", "COMPLETIONS", "DURATION", "AGE"]
    assert row.split()[1:3] == ["Complete", "1/1"]
