"""Pods whose application is its own proxy: what they get, and that the agent understands it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from lateen.agent import arguments
from lateen.agent.command import prepare
from lateen.agent.log import Log
from lateen.agent.settings import LogSettings
from lateen.testing.injected_pods import configuration, container, injected, pod, result, variables

_TEMPLATES = "inject.istio.io/templates"


@pytest.mark.parametrize("name", ["grpc-agent", "grpc-simple"])
def test_nobody_is_warned_of_what_works(name: str) -> None:
    assert not result(pod({_TEMPLATES: name})).warnings


@pytest.mark.parametrize("name", ["grpc-agent", "grpc-simple"])
def test_what_is_asked_of_envoy_and_of_capture_is_in_vain_and_told(name: str) -> None:
    vain = {"traffic.sidecar.istio.io/excludeOutboundPorts": "1", "sidecar.istio.io/statsInclusionPrefixes": "a"}
    given = {_TEMPLATES: name, **vain, "sidecar.istio.io/agentLogLevel": "default:debug"}
    told = result(pod(given)).warnings
    assert {each.path for each in told} == {f"metadata.annotations[{each}]" for each in vain}
    assert all(f"has no effect with {name}: " in each.message for each in told)
    assert not result(pod({**given, _TEMPLATES: f"sidecar,{name}"})).warnings, "there is an Envoy"


@pytest.mark.parametrize("native", ["true", "false"])
def test_the_agent_makes_a_bootstrap_of_what_injection_says(tmp_path: Path, native: str) -> None:
    found = injected(pod({_TEMPLATES: "grpc-agent", "sidecar.istio.io/nativeSidecar": native}))
    proxy = container(found, "istio-proxy")
    environment = variables(found, "istio-proxy") | {"POD_NAME": "web-1", "POD_NAMESPACE": "shop"}
    environment = {name: text for name, text in environment.items() if isinstance(text, str)}
    given = [each.replace("$(POD_NAMESPACE)", "shop") for each in proxy["args"][1:]]
    settings, _ = prepare(
        arguments.parse(given), environment, ("10.1.2.3",), str(tmp_path), Log(LogSettings("error"))
    )  # fmt: skip
    assert not settings.has_envoy
    mounts = {each["name"]: each["mountPath"] for each in container(found, "app")["volumeMounts"]}
    assert settings.certificates.output == mounts["istio-data"]
    assert variables(found, "app")["GRPC_XDS_BOOTSTRAP"] == f"{mounts['istio-xds']}/grpc-bootstrap.json"
    bootstrap = json.loads((tmp_path / "etc/istio/proxy/grpc-bootstrap.json").read_text())
    assert bootstrap["node"]["metadata"]["GENERATOR"] == "grpc"


def test_keys_are_in_memory_and_no_port_of_envoy_is_announced() -> None:
    found = injected(pod({_TEMPLATES: "grpc-agent"}))
    volumes = {each["name"]: each for each in found["spec"]["volumes"]}
    assert volumes["istio-data"]["emptyDir"] == volumes["istio-xds"]["emptyDir"] == {"medium": "Memory"}
    assert "ports" not in container(found, "istio-proxy")
    assert [each["name"] for each in found["spec"]["initContainers"]] == ["istio-proxy"], "nothing is captured"


def test_the_simple_bootstrap_is_of_a_client_and_server_without_certificates(tmp_path: Path) -> None:
    found = injected(pod({_TEMPLATES: "grpc-simple"}))
    (maker,) = found["spec"]["initContainers"]
    shell, option, script = maker["command"]
    values = {each["name"]: each.get("value", "") for each in maker["env"]}
    values |= {"INSTANCE_IP": "10.1.2.3", "POD_NAME": "web-1", "POD_NAMESPACE": "shop"}
    directory = container(found, "app")["volumeMounts"][0]["mountPath"]
    assert directory in script
    subprocess.run([shell, option, script.replace(directory, str(tmp_path))], env=values, check=True, timeout=30)
    bootstrap = json.loads((tmp_path / "bootstrap.json").read_text())
    assert bootstrap["xds_servers"] == [
        {
            "server_uri": "dns:///istiod.istio-system.svc:15010",
            "channel_creds": [{"type": "insecure"}],
            "server_features": ["xds_v3"],
        }
    ]
    assert bootstrap["node"]["id"] == "sidecar~10.1.2.3~web-1.shop~shop.svc.cluster.local"
    assert bootstrap["node"]["metadata"] == {"GENERATOR": "grpc", "LATEEN_CERTIFICATES": "none"}
    assert bootstrap["server_listener_resource_name_template"] == "xds.istio.io/grpc/lds/inbound/%s"


@pytest.mark.parametrize("name", ["grpc-agent", "grpc-simple"])
def test_a_users_template_of_that_name_goes_before(name: str) -> None:
    config = configuration(f"templates: {{{name}: 'metadata: {{labels: {{own: x}}}}'}}")
    found: Any = injected(pod({_TEMPLATES: name}), config)
    assert found["metadata"]["labels"]["own"] == "x"
    assert "initContainers" not in found["spec"]
