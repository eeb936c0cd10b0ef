"""What injection writes into pods is what agents and capture read: neither side may drift."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lateen.agent import arguments, request, wait
from lateen.agent.command import prepare
from lateen.agent.log import Log
from lateen.agent.proxy_config import parse as parse_proxy_config
from lateen.agent.server.probe_settings import parse_probes
from lateen.agent.server.scrape_settings import parse_scrapes
from lateen.agent.settings import LogSettings
from lateen.api.mesh.mesh_config import MeshConfig
from lateen.capture.command import capture
from lateen.cli import pilot_agent
from lateen.injection.gateway_pod import GatewayPod, gateway_pod
from lateen.injection.values import Values
from lateen.testing.injected_pods import container, injected, pod

_FIELDS = {
    "metadata.name": "web-1",
    "metadata.namespace": "shop",
    "status.podIP": "10.1.2.3",
    "status.hostIP": "10.9.9.9",
    "spec.serviceAccountName": "web",
    "spec.nodeName": "node-1",
}
_APP = {
    "name": "app",
    "ports": [{"containerPort": 8080, "name": "http"}],
    "readinessProbe": {"httpGet": {"port": "http", "path": "/ready"}},
    "livenessProbe": {"grpc": {"port": 9000, "service": "web"}},
    "lifecycle": {"preStop": {"httpGet": {"port": 8080, "path": "/stop"}}},
}


def _injected(annotations: dict[str, str] | None = None, mesh: str = "") -> dict[str, Any]:
    return injected(pod(annotations, containers=[_APP]), mesh_text=mesh)


def _environment(proxy: dict[str, Any]) -> dict[str, str]:
    found = {}
    for each in proxy["env"]:
        source = each.get("valueFrom", {})
        field = source.get("fieldRef", {}).get("fieldPath")
        found[each["name"]] = _FIELDS[field] if field else "2" if "resourceFieldRef" in source else each["value"]
    return found


def _prepared(found: dict[str, Any], root: Any) -> Any:
    proxy = container(found, "istio-proxy")
    given = [each.replace("$(POD_NAMESPACE)", "shop") for each in proxy["args"]]
    assert given[0] == "proxy"
    info = root / "etc/istio/pod"
    info.mkdir(parents=True)
    annotations = found["metadata"]["annotations"].items()
    (info / "annotations").write_text("".join(f"{name}={json.dumps(text)}\n" for name, text in annotations))
    parsed = arguments.parse(given[1:])
    return prepare(parsed, _environment(proxy), ("10.1.2.3",), str(root), Log(LogSettings("error")))[0]


def test_the_mesh_and_the_pods_annotation_reach_the_agent_as_one(tmp_path: Any) -> None:
    found = _injected(
        {
            "proxy.istio.io/config": "terminationDrainDuration: 31s\nproxyMetadata: {A: pod}\n"
            "proxyStatsMatcher: {inclusionPrefixes: [one]}\ncontrolPlaneAuthPolicy: NONE\n"
        },
        "defaultConfig: {drainDuration: 7s, proxyAdminPort: 15999, proxyMetadata: {A: mesh, B: mesh}}",
    )
    given = json.loads(_environment(container(found, "istio-proxy"))["PROXY_CONFIG"])
    config, _, warnings = parse_proxy_config(json.dumps(given))
    assert not warnings
    assert (config.drain_duration, config.termination_drain_duration, config.proxy_admin_port) == (7, 31, 15999)
    assert config.proxy_metadata == {"A": "pod", "B": "mesh"}
    assert config.inclusion_prefixes == ("one",)
    settings = _prepared(found, tmp_path)
    assert settings.drain.duration == 31
    assert settings.admin == ("127.0.0.1", 15999)
    assert settings.certificates.source == "none"


@pytest.mark.parametrize(
    "annotations",
    [
        {},
        {"sidecar.istio.io/nativeSidecar": "false", "sidecar.istio.io/interceptionMode": "TPROXY"},
        {"status.sidecar.istio.io/port": "15099", "sidecar.istio.io/agentLogLevel": "default:debug,ads:warn"},
        {"sidecar.istio.io/logLevel": "info,http:debug", "sidecar.istio.io/componentLogLevel": ""},
        {"sidecar.istio.io/logLevel": "debug", "sidecar.istio.io/componentLogLevel": "upstream:trace,misc:error"},
        {"sidecar.istio.io/statsFlushInterval": "1m", "sidecar.istio.io/statsEvictionInterval": "1h"},
        {"sidecar.istio.io/statsHistogramBuckets": '{"istio": [1, 5]}', "sidecar.istio.io/extraStatTags": "a,b"},
        {"sidecar.istio.io/discoveryAddress": "istiod-x.mesh.svc:15012"},
        {"traffic.sidecar.istio.io/excludeInboundPorts": "9000"},
        {"traffic.sidecar.istio.io/includeOutboundPorts": "8-9"},
    ],
)  # fmt: skip
def test_whatever_annotations_say_agents_and_capture_take(annotations: dict[str, str], tmp_path: Any) -> None:
    found = _injected(annotations)
    settings = _prepared(found, tmp_path)
    environment = _environment(container(found, "istio-proxy"))
    port = int(annotations.get("status.sidecar.istio.io/port", 15020))
    assert settings.status_port == port
    probes = parse_probes(environment["ISTIO_KUBE_APP_PROBERS"])
    app = container(found, "app")
    assert app["readinessProbe"]["httpGet"] == {"path": "/app-health/app/readyz", "port": port}
    assert "/app-health/app/readyz" in probes
    assert parse_scrapes(environment.get("ISTIO_PROMETHEUS_ANNOTATIONS", ""), port) == ()
    capture.make_context("istio-iptables", container(found, "istio-init")["args"][1:])


def test_a_gateway_of_the_installation(tmp_path: Any) -> None:
    gateway = GatewayPod(
        name="gw", namespace="shop", service_account="gw", labels={"istio": "gw"},
        annotations={"proxy.istio.io/config": "concurrency: 3\nterminationDrainDuration: 9s"},
    )  # fmt: skip
    settings = _prepared(gateway_pod(gateway, MeshConfig(), Values()), tmp_path)
    assert settings.role == "router"
    assert settings.drain.duration == 9
    assert settings.envoy[settings.envoy.index("--concurrency") + 1] == "3"


@pytest.mark.parametrize(
    ("annotations", "moment", "module"),
    [
        ({}, "preStop", request),
        (
            {
                "sidecar.istio.io/nativeSidecar": "false",
                "proxy.istio.io/config": "holdApplicationUntilProxyStarts: true",
            },
            "postStart",
            wait,
        ),
    ],
)
def test_hooks_of_the_proxy_are_commands_that_there_are(
    annotations: dict[str, str], moment: str, module: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    command = container(_injected(annotations), "istio-proxy")["lifecycle"][moment]["exec"]["command"]
    monkeypatch.setattr(module.asyncio, "run", lambda work: asked.append(work.close()) or 0)
    monkeypatch.setattr("sys.argv", command)
    with pytest.raises(SystemExit) as ended:
        pilot_agent.main()
    assert ended.value.code == 0
    assert len(asked) == 1
