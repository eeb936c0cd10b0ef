"""Connections are admitted: the judge is a ValidatingAdmissionPolicy on CONNECT."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

if TYPE_CHECKING:
    from conftest import Cluster

GROUP = "admissionregistration.k8s.io"


@pytest.mark.parametrize(
    ("path", "kind", "options"),
    [
        (
            "pods/web/exec?command=ls&command=-l&stdout=true&tty=0&container=app",
            "PodExecOptions",
            {"command": ["ls", "-l"], "stdout": True, "container": "app"},
        ),
        ("pods/web/attach?stdin=1&stderr=t", "PodAttachOptions", {"stdin": True, "stderr": True}),
        ("pods/web/portforward?ports=80,81&ports=82", "PodPortForwardOptions", {"ports": [80, 81, 82]}),
        ("pods/web:8080/proxy/a/b?x=1", "PodProxyOptions", {"path": "a/b"}),
        ("services/web/proxy/", "ServiceProxyOptions", {}),
    ],
)
async def test_policies_see_what_is_asked_for(cluster: Cluster, path: str, kind: str, options: dict[str, Any]) -> None:
    resource, _, subresource = path.partition("?")[0].split("/")[:3]
    rules = [
        {
            "operations": ["CONNECT"],
            "apiGroups": [""],
            "apiVersions": ["v1"],
            "resources": [f"{resource}/{subresource}"],
        }
    ]
    # Each field is told by a rule of its own; the last one, which nothing passes, tells that they all held.
    validations = [
        {"expression": f"object.{name} == {json.dumps(value)}", "message": f"wrong {name}"}
        for name, value in {"kind": kind, **options}.items()
    ]
    validations.append({"expression": "false", "messageExpression": "request.operation + ' ' + request.kind.kind"})
    spec = {"matchConstraints": {"resourceRules": rules}, "validations": validations}
    await cluster.store.create((GROUP, "validatingadmissionpolicies"), {"metadata": {"name": "p"}, "spec": spec})
    bound = {"policyName": "p", "validationActions": ["Deny"]}
    await cluster.store.create((GROUP, "validatingadmissionpolicybindings"), {"metadata": {"name": "b"}, "spec": bound})
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=cluster.tls())) as session:
        url = f"{cluster.url}/api/v1/namespaces/default/{path}"
        async with session.get(url) as response:
            status = await response.json()
    assert response.status == 422, status
    assert status["message"].endswith(f"denied request: CONNECT {kind}")


async def test_bad_ports(cluster: Cluster) -> None:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=cluster.tls())) as session:
        url = f"{cluster.url}/api/v1/namespaces/default/pods/web/portforward?ports=http"
        async with session.get(url) as response:
            assert response.status == 400
