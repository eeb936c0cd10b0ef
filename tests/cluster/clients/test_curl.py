"""curl and tools like it: credentials by hand, representations, discovery, deploy tools' patches."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from lateen.testing.local_cluster import LocalCluster

pytestmark = pytest.mark.cluster

Curl = Callable[..., tuple[int, dict[str, str], str]]
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"


@pytest.fixture
def curl(cluster: LocalCluster, tmp_path: Path) -> Curl:
    """`curl(PATH, ARGUMENT...)` gives the code, headers (lower case) and body; a client certificate unless told."""
    config = yaml.safe_load(cluster.kubeconfig.read_text())
    server, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    for name, text in (
        ("ca", server["certificate-authority-data"]),
        ("cert", user["client-certificate-data"]),
        ("key", user["client-key-data"]),
    ):
        (tmp_path / name).write_bytes(base64.b64decode(text))

    def run(
        path: str, *arguments: str, certificate: bool = True, body: str | None = None
    ) -> tuple[int, dict[str, str], str]:
        who = ("--cert", str(tmp_path / "cert"), "--key", str(tmp_path / "key")) if certificate else ()
        command = ["curl", "-sS", "-i", "-m", "30", "--http1.1", "--cacert", str(tmp_path / "ca"), *who, *arguments]
        if body is not None:
            command += ["--data-binary", "@-"]
        command.append(server["server"] + path)
        done = subprocess.run(command, input=body, capture_output=True, text=True, check=True)
        head, _, answer = done.stdout.partition("\n\n")
        status, *lines = head.splitlines()
        headers = dict(line.split(": ", 1) for line in lines if ": " in line)
        return int(status.split()[1]), {name.lower(): value for name, value in headers.items()}, answer

    return run


def test_certificates_tokens_and_nobody(cluster: LocalCluster, namespace: str, curl: Curl) -> None:
    pods = f"/api/v1/namespaces/{namespace}/pods"
    code, headers, body = curl(pods)
    assert (code, headers["content-type"], json.loads(body)["kind"]) == (200, "application/json", "PodList")
    code, _, body = curl(pods, certificate=False)
    assert code == 403
    assert 'User "system:anonymous" cannot list resource "pods"' in json.loads(body)["message"]
    code, _, body = curl(pods, "-H", "Authorization: Bearer nonsense", certificate=False)
    assert (code, json.loads(body)["reason"]) == (401, "Unauthorized")
    cluster.kubectl("create", "serviceaccount", "robot", "-n", namespace)
    cluster.kubectl(
        *("create", "rolebinding", "robot", "-n", namespace, "--clusterrole=view"),
        f"--serviceaccount={namespace}:robot",
    )
    token = cluster.token("robot", namespace)
    as_robot = ("-H", f"Authorization: Bearer {token}")
    assert curl(pods, *as_robot, certificate=False)[0] == 200
    assert curl("/api/v1/nodes", *as_robot, certificate=False)[0] == 403
    for path in ("/version", "/healthz", "/readyz", "/livez"):
        assert curl(path, certificate=False)[0] == 200


def test_representations_and_discovery(namespace: str, curl: Curl) -> None:
    accounts = f"/api/v1/namespaces/{namespace}/serviceaccounts"
    for include, kind in (("Object", "ServiceAccount"), ("Metadata", "PartialObjectMetadata")):
        _, _, body = curl(f"/api/v1/namespaces?includeObject={include}&limit=1", "-H", f"Accept: {TABLE}")
        table = json.loads(body)
        expected = "Namespace" if include == "Object" else kind
        assert (table["kind"], table["rows"][0]["object"]["kind"]) == ("Table", expected)
        assert len(table["rows"]) == 1
        assert table["metadata"]["continue"]
    code, headers, body = curl(accounts, "-H", "Accept: application/vnd.kubernetes.protobuf,application/json")
    assert (code, headers["content-type"]) == (200, "application/json"), "JSON is what protobuf clients fall back to"
    assert curl(accounts, "-H", "Accept: application/vnd.kubernetes.protobuf")[0] == 406
    code, headers, body = curl(accounts, "-H", "Accept: application/yaml")
    assert (headers["content-type"], yaml.safe_load(body)["kind"]) == ("application/yaml", "ServiceAccountList")

    code, headers, body = curl("/apis", "-H", f"Accept: {AGGREGATED}")
    assert json.loads(body)["kind"] == "APIGroupDiscoveryList"
    assert headers["content-type"].endswith("as=APIGroupDiscoveryList")
    again = curl("/apis", "-H", f"Accept: {AGGREGATED}", "-H", f"If-None-Match: {headers['etag']}")
    assert (again[0], again[2]) == (304, "")
    assert json.loads(curl("/apis")[2])["kind"] == "APIGroupList"
    for absent in ("/apis/absent.example.com", "/apis/absent.example.com/v1", "/apis/apps/v9", "/absent"):
        assert curl(absent)[0] == 404


def test_what_helm_does(cluster: LocalCluster, namespace: str, curl: Curl) -> None:
    """Its release secret, a dry run on the server, a three-way strategic merge, an upgrade and an uninstall."""
    where = f"/api/v1/namespaces/{namespace}"
    deployments = f"/apis/apps/v1/namespaces/{namespace}/deployments"

    def send(method: str, path: str, body: Any, content_type: str = "application/json") -> tuple[int, Any]:
        code, _, answer = curl(path, "-X", method, "-H", f"Content-Type: {content_type}", body=json.dumps(body))
        return code, json.loads(answer)

    release = {
        "metadata": {"name": "sh.helm.release.v1.web.v1", "labels": {"owner": "helm", "status": "deployed"}},
        "type": "helm.sh/release.v1",
        "data": {"release": base64.b64encode(b"x" * 100_000).decode()},
    }
    assert send("POST", f"{where}/secrets", release)[0] == 201
    found = json.loads(curl(f"{where}/secrets?labelSelector=owner%3Dhelm%2Cstatus%3Ddeployed")[2])
    assert [item["type"] for item in found["items"]] == ["helm.sh/release.v1"]

    container = {"name": "web", "image": "busybox", "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "1"}]}
    spec = {
        "replicas": 0,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]}},
    }
    deployment = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec}
    assert send("POST", f"{deployments}?dryRun=All&fieldManager=helm", deployment)[0] == 201
    assert curl(f"{deployments}/web")[0] == 404
    assert send("POST", f"{deployments}?fieldManager=helm", deployment)[0] == 201
    cluster.kubectl("set", "env", "deployment/web", "C=live", "-n", namespace)
    patch = {
        "spec": {
            "template": {
                "spec": {
                    "$setElementOrder/containers": [{"name": "web"}],
                    "containers": [
                        {
                            "$setElementOrder/env": [{"name": "A"}],
                            "env": [{"name": "A", "value": "2"}, {"$patch": "delete", "name": "B"}],
                            "name": "web",
                        }
                    ],
                }
            }
        }
    }
    code, patched = send("PATCH", f"{deployments}/web", patch, "application/strategic-merge-patch+json")
    assert code == 200
    env = patched["spec"]["template"]["spec"]["containers"][0]["env"]
    assert {item["name"]: item["value"] for item in env} == {"A": "2", "C": "live"}
    code, gone = send("DELETE", f"{deployments}/web", {"kind": "DeleteOptions", "propagationPolicy": "Background"})
    assert (code, gone["status"]) == (200, "Success")
