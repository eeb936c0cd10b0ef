from __future__ import annotations

from typing import Any

import pytest

from lateen.cluster.apiserver.admission.pod_security import PodSecurity
from lateen.cluster.apiserver.admission.pod_security_checks import violations
from lateen.cluster.apiserver.store.store import Store
from lateen.cluster.status import StatusError

GOOD = {
    "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
    "containers": [
        {
            "name": "c",
            "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        }
    ],
    "volumes": [{"name": "v", "emptyDir": {}}],
}
ISTIO_INIT = {"name": "istio-init", "securityContext": {"capabilities": {"add": ["NET_ADMIN", "NET_RAW"]}}}


def with_context(**context: Any) -> dict[str, Any]:
    return {"containers": [{"name": "a"}, {"name": "b", "securityContext": context}]}


@pytest.mark.parametrize(
    ("spec", "level", "found"),
    [
        (GOOD, "restricted", []),
        ({"containers": [{"name": "c"}]}, "baseline", []),
        (
            {"containers": [{"name": "c"}]},
            "restricted",
            [
                'allowPrivilegeEscalation != false (container "c" must set '
                "securityContext.allowPrivilegeEscalation=false)",
                'unrestricted capabilities (container "c" must set securityContext.capabilities.drop=["ALL"])',
                'runAsNonRoot != true (pod or container "c" must set securityContext.runAsNonRoot=true)',
                'seccompProfile (pod or container "c" must set securityContext.seccompProfile.type to '
                '"RuntimeDefault" or "Localhost")',
            ],
        ),
        (
            {"initContainers": [ISTIO_INIT]},
            "baseline",
            [
                'non-default capabilities (container "istio-init" must not include "NET_ADMIN", "NET_RAW" in '
                "securityContext.capabilities.add)"
            ],
        ),
        ({"hostNetwork": True, "hostPID": True}, "baseline", ["host namespaces (hostNetwork=true, hostPID=true)"]),
        (
            {"volumes": [{"name": "x", "hostPath": {"path": "/"}}]},
            "baseline",
            ['hostPath volumes (volume "x")'],
        ),
        (
            {"volumes": [{"name": "x", "hostPath": {"path": "/"}}], "containers": []},
            "restricted",
            ['restricted volume types (volume "x" uses restricted volume type "hostPath")'],
        ),
        (
            with_context(privileged=True),
            "baseline",
            ['privileged (container "b" must not set securityContext.privileged=true)'],
        ),
        (
            {"containers": [{"name": "c", "ports": [{"hostPort": 80}]}]},
            "baseline",
            ['hostPort (container "c" uses hostPort 80)'],
        ),
        (
            with_context(seccompProfile={"type": "Unconfined"}),
            "baseline",
            ['seccompProfile (container "b" must not set securityContext.seccompProfile.type to "Unconfined")'],
        ),
        (
            {"securityContext": {"sysctls": [{"name": "kernel.msgmax"}]}},
            "baseline",
            ["forbidden sysctls (kernel.msgmax)"],
        ),
        (with_context(privileged=True), "privileged", []),
    ],
)
def test_violations(spec: Any, level: str, found: list[str]) -> None:
    assert violations(spec, level) == found


@pytest.fixture
async def plugin(store: Store) -> PodSecurity:
    labels = {
        "pod-security.kubernetes.io/enforce": "baseline",
        "pod-security.kubernetes.io/warn": "restricted",
        "pod-security.kubernetes.io/warn-version": "v1.30",
    }
    await store.create(("", "namespaces"), {"metadata": {"name": "safe", "labels": labels}})
    return PodSecurity(store)


def pod(spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "p", "namespace": "safe"}, "spec": spec}


async def test_enforced_and_warned(plugin: PodSecurity, make: Any) -> None:
    attributes = make(obj=pod({"hostNetwork": True, "containers": []}), namespace="safe")
    with pytest.raises(StatusError) as refused:
        await plugin.validate(attributes)
    assert refused.value.message == (
        'pods "p" is forbidden: violates PodSecurity "baseline:latest": host namespaces (hostNetwork=true)'
    )
    tolerated = make(obj=pod(with_context()), namespace="safe")
    await plugin.validate(tolerated)
    assert tolerated.ctx.warnings[0].startswith('would violate PodSecurity "restricted:v1.30": ')


async def test_unlabelled_namespaces_are_free(plugin: PodSecurity, make: Any) -> None:
    await plugin.validate(make(obj=pod({"hostNetwork": True})))


async def test_an_unchanged_spec_is_not_judged_again(plugin: PodSecurity, make: Any) -> None:
    bad = pod({"hostNetwork": True})
    await plugin.validate(make("UPDATE", obj=bad, old=bad, namespace="safe"))
