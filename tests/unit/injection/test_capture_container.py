"""The container that captures a pod's traffic, and what stands for it where a CNI plugin does that."""

from __future__ import annotations

from typing import Any

import pytest

from lateen.testing.injected_pods import configuration, container, injected, names, pod, variables


def test_capture_needs_two_capabilities_and_the_proxy_none() -> None:
    found = injected(pod())
    init, proxy = container(found, "istio-init")["securityContext"], container(found, "istio-proxy")["securityContext"]
    assert init["capabilities"] == {"add": ["NET_ADMIN", "NET_RAW"], "drop": ["ALL"]}
    assert init["runAsUser"] == 0
    assert not init["privileged"]
    assert proxy["capabilities"] == {"drop": ["ALL"]}
    assert proxy["runAsUser"] == 1337
    assert proxy["runAsNonRoot"]
    assert proxy["readOnlyRootFilesystem"]
    assert not proxy["allowPrivilegeEscalation"]


def test_with_a_cni_plugin_nothing_in_the_pod_has_capabilities() -> None:
    found = injected(pod(), configuration(pilot={"cni": {"enabled": True}}))
    assert names(found, "initContainers") == ["istio-validation", "istio-proxy"]
    validation = container(found, "istio-validation")
    assert validation["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert validation["securityContext"]["runAsNonRoot"]
    assert validation["args"][-2:] == ["--run-validation", "--skip-rule-apply"]
    annotations = found["metadata"]["annotations"]
    assert annotations["traffic.sidecar.istio.io/excludeInboundPorts"] == "15090,15021,15020"
    assert annotations["sidecar.istio.io/interceptionMode"] == "REDIRECT"


def test_multus_is_told_of_the_plugin() -> None:
    given = pod({"k8s.v1.cni.cncf.io/networks": "mine"})
    found = injected(given, configuration(pilot={"cni": {"enabled": True, "provider": "multus"}}))
    assert found["metadata"]["annotations"]["k8s.v1.cni.cncf.io/networks"] == "mine, default/istio-cni"


def _arguments(annotations: dict[str, str], **proxy: Any) -> str:
    found = injected(pod(annotations), configuration(global_={"proxy": proxy}))
    return " ".join(container(found, "istio-init")["args"])


@pytest.mark.parametrize(
    ("annotation", "text", "argument"),
    [
        ("traffic.sidecar.istio.io/includeOutboundIPRanges", "10.0.0.0/8", "-i 10.0.0.0/8"),
        ("traffic.sidecar.istio.io/excludeOutboundIPRanges", "10.1.0.0/16", "-x 10.1.0.0/16"),
        ("traffic.sidecar.istio.io/includeInboundPorts", "80,8080", "-b 80,8080"),
        ("traffic.sidecar.istio.io/includeInboundPorts", "", "-b  -d"),
        ("traffic.sidecar.istio.io/excludeInboundPorts", "22, 15020", "-d 15090,15021,15020,22"),
        ("traffic.sidecar.istio.io/includeOutboundPorts", "443", "-q 443"),
        ("traffic.sidecar.istio.io/excludeOutboundPorts", "5432", "-o 5432"),
        ("traffic.sidecar.istio.io/excludeInterfaces", "eth1", "-c eth1"),
        ("traffic.sidecar.istio.io/kubevirtInterfaces", "tap0", "-k tap0"),
        ("istio.io/reroute-virtual-interfaces", "tap1", "-k tap1"),
        ("sidecar.istio.io/interceptionMode", "TPROXY", "-m TPROXY"),
        ("sidecar.istio.io/agentLogLevel", "all:debug", "--log_output_level=all:debug"),
        ("status.sidecar.istio.io/port", "15333", "-d 15090,15021,15333"),
    ],
)
def test_annotations_of_capture(annotation: str, text: str, argument: str) -> None:
    assert argument in _arguments({annotation: text})


def test_capture_is_as_the_capture_program_has_it() -> None:
    assert _arguments({}) == (
        "istio-iptables -p 15001 -z 15006 -u 1337 -m REDIRECT -i * -x  -b * -d 15090,15021,15020 "
        "--log_output_level=default:info"
    )
    assert "-o 3306" in _arguments({}, excludeOutboundPorts="3306")


def test_nothing_is_captured_in_mode_none() -> None:
    found = injected(pod({"sidecar.istio.io/interceptionMode": "NONE"}))
    assert names(found, "initContainers") == ["istio-proxy"]
    assert variables(found)["ISTIO_META_INTERCEPTION_MODE"] == "NONE"


def test_tproxy_needs_root_and_net_admin() -> None:
    security = container(injected(pod({"sidecar.istio.io/interceptionMode": "TPROXY"})), "istio-proxy")
    assert security["securityContext"]["capabilities"]["add"] == ["NET_ADMIN"]
    assert security["securityContext"]["runAsUser"] == 0
    assert security["securityContext"]["runAsGroup"] == 1337
