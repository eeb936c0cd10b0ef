from __future__ import annotations

from typing import Any

import pytest

from lateen.cluster.apiserver.kinds.core.unsupported_fields import unsupported_warnings

CONTAINER = {"name": "a", "image": "nginx"}


def container(**fields: Any) -> dict[str, Any]:
    return {"containers": [{**CONTAINER, **fields}]}


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ({"securityContext": {"seccompProfile": {"type": "RuntimeDefault"}}}, "spec.securityContext.seccompProfile"),
        ({"securityContext": {"seLinuxOptions": {"level": "s0"}}}, "spec.securityContext.seLinuxOptions"),
        ({"runtimeClassName": "gvisor"}, "spec.runtimeClassName"),
        ({"hostUsers": False}, "spec.hostUsers"),
        ({"resourceClaims": [{"name": "gpu"}]}, "spec.resourceClaims"),
        (
            {"topologySpreadConstraints": [{"maxSkew": 1}, {"minDomains": 2}]},
            "spec.topologySpreadConstraints[1].minDomains",
        ),
        (
            container(securityContext={"appArmorProfile": {"type": "Localhost"}}),
            "spec.containers[0].securityContext.appArmorProfile",
        ),
        ({"initContainers": [{"resizePolicy": [{}]}]}, "spec.initContainers[0].resizePolicy"),
        (
            container(volumeMounts=[{"name": "v"}, {"name": "w", "mountPropagation": "Bidirectional"}]),
            "spec.containers[0].volumeMounts[1].mountPropagation",
        ),
        (container(resources={"claims": [{"name": "gpu"}]}), "spec.containers[0].resources.claims"),
        ({"volumes": [{"name": "e", "emptyDir": {}}, {"name": "n", "nfs": {}}]}, "spec.volumes[1].nfs"),
        (
            {"volumes": [{"name": "p", "projected": {"sources": [{"clusterTrustBundle": {"path": "ca"}}]}}]},
            "spec.volumes[0].projected.sources[0].clusterTrustBundle",
        ),
    ],
)
def test_tells_of_what_is_ignored(spec: dict[str, Any], path: str) -> None:
    found = unsupported_warnings(spec)
    assert [warning.partition(": ")[0] for warning in found] == [path]


@pytest.mark.parametrize(
    "spec",
    [
        container(),
        {"securityContext": {"seccompProfile": {"type": "Unconfined"}, "runAsUser": 1}},
        {"hostUsers": True, "runtimeClassName": None},
        container(volumeMounts=[{"name": "v", "mountPropagation": "HostToContainer"}]),
        {"topologySpreadConstraints": [{"nodeAffinityPolicy": "Ignore", "maxSkew": 1}]},
        {"volumes": [{"name": "v", "secret": {"secretName": "s"}}]},
    ],
)
def test_says_nothing_of_what_is_done(spec: dict[str, Any]) -> None:
    assert unsupported_warnings(spec) == []
