"""Envoy takes every form of the bootstrap."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from lateen.agent.arguments import parse
from lateen.agent.command import prepare
from lateen.agent.log import Log
from lateen.agent.settings import LogSettings
from lateen.testing.certificates import Authority

_ENVIRONMENT = {"POD_NAME": "app-1", "POD_NAMESPACE": "shop"}
_V4, _V6 = ("10.1.2.3",), ("fd00::3",)


def _prepared(root: Path, *, addresses=_V4, arguments=("sidecar",), config=None, **environment: str):
    found = {**_ENVIRONMENT, "PROXY_CONFIG": json.dumps(config or {}), **environment}
    settings, _ = prepare(parse(list(arguments)), found, addresses, str(root), Log(LogSettings("error")))
    return settings, json.loads((root / "etc/istio/proxy/envoy-rev.json").read_text())


def _accepted(root: Path, command: tuple[str, ...]) -> str:
    """What Envoy says of it; it is in the directory of its bootstrap."""
    files = Authority().workload(root / "made", "spiffe://cluster.local/ns/shop/sa/app")
    for made, name in ((files.workload, "default.yaml"), (files.roots, "rootca.yaml")):
        (root / "etc/istio/proxy/sds" / name).write_text(Path(made).read_text())
    ran = subprocess.run([*command, "--mode", "validate"], capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    return ran.stderr


@pytest.mark.parametrize(
    ("given", "annotations"),
    [
        pytest.param({}, "", id="plain"),
        pytest.param({"arguments": ("router", "--proxyLogLevel=info,misc:error", "--log_as_json")}, "", id="router"),
        pytest.param({"arguments": ("waypoint", "--concurrency", "2")}, "", id="waypoint"),
        pytest.param({"addresses": _V6}, "", id="IPv6"),
        pytest.param({"addresses": (*_V6, *_V4), "ISTIO_DUAL_STACK": "true"}, "", id="both, IPv6 first"),
        pytest.param({"addresses": (*_V4, *_V6), "ISTIO_DUAL_STACK": "true"}, "", id="both, IPv4 first"),
        pytest.param({"config": {"discoveryAddress": "[fd00::9]:15012"}}, "", id="control plane by address"),
        pytest.param({"config": {"controlPlaneAuthPolicy": "NONE"}}, "", id="plaintext"),
        pytest.param({"config": {"statsdUdpAddress": "127.0.0.1:8125"}}, "", id="statsd"),
        pytest.param({"config": {"drainDuration": "1m", "fileFlushInterval": "5s", "fileFlushMinSizeKb": 1}}, "",
                     id="times"),
        pytest.param({"config": {"runtimeValues": {"a.b": "1", "c": "true",
                                                   "overload.global_downstream_max_connections": "100"}}}, "",
                     id="runtime"),
        pytest.param({"config": {"extraStatTags": ["x"], "proxyStatsMatcher": {"inclusionRegexps": ["a.*b"]}}}, "",
                     id="statistics"),
        pytest.param({}, 'sidecar.istio.io/statsHistogramBuckets="{\\"istio\\":[1,5,10]}"\n', id="buckets"),
        pytest.param({}, 'sidecar.istio.io/statsFlushInterval="500ms"\nsidecar.istio.io/statsEvictionInterval="1m"\n',
                     id="intervals"),
        pytest.param({}, 'sidecar.istio.io/statsFlushInterval="299s"\n', id="longest interval"),
        pytest.param({"EXIT_ON_ZERO_ACTIVE_CONNECTIONS": "true", "ENVOY_STATUS_PORT": "1234"}, "", id="environment"),
    ],
)  # fmt: skip
def test_envoy_takes_it(tmp_path, given, annotations):
    info = tmp_path / "etc/istio/pod"
    info.mkdir(parents=True)
    (info / "annotations").write_text(annotations)
    settings, _ = _prepared(tmp_path, **given)
    said = _accepted(tmp_path, settings.envoy)
    assert "deprecated" not in said.lower()


def test_a_log_of_outliers(tmp_path):
    settings, _ = _prepared(tmp_path, arguments=("sidecar", "--outlierLogPath", str(tmp_path / "outliers")))
    _accepted(tmp_path, settings.envoy)


def test_what_a_user_adds_is_merged(tmp_path):
    override = tmp_path / "override.yaml"
    override.write_text("stats_flush_interval: 7s\nnode: {metadata: {HOST: $(HOST_IP)}}\n")
    settings, _ = _prepared(tmp_path, ISTIO_BOOTSTRAP_OVERRIDE=str(override), HOST_IP="10.9.9.9")
    assert "HOST: 10.9.9.9" in settings.envoy[settings.envoy.index("--config-yaml") + 1]
    _accepted(tmp_path, settings.envoy)


def test_an_override_that_envoy_refuses(tmp_path):
    override = tmp_path / "override.yaml"
    override.write_text("no_such_field: 1\nstats_flush_interval: x\n")
    settings, _ = _prepared(tmp_path, ISTIO_BOOTSTRAP_OVERRIDE=str(override))
    with pytest.raises(AssertionError, match=r"no_such_field|stats_flush_interval"):
        _accepted(tmp_path, settings.envoy)


def test_where_it_listens(tmp_path):
    _, found = _prepared(tmp_path, addresses=(*_V6, *_V4), ISTIO_DUAL_STACK="true")
    assert found["admin"]["address"]["socket_address"] == {"protocol": "TCP", "address": "::1", "port_value": 15000}
    ports = {}
    for listener in found["static_resources"]["listeners"]:
        address = listener["address"]["socket_address"]
        other = listener["additional_addresses"][0]["address"]["socket_address"]
        ports[address["port_value"]] = (address["address"], other["address"])
    assert ports == {15090: ("::", "0.0.0.0"), 15021: ("::", "0.0.0.0")}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "2"),
        ({"ISTIO_CPU_LIMIT": "3"}, "3"),
        ({"ISTIO_CPU_LIMIT": "3", "config": {"concurrency": 4}}, "4"),
        ({"config": {"concurrency": 4}, "arguments": ("sidecar", "--concurrency=5")}, "5"),
        ({"config": {"concurrency": 0}}, None),
        ({"arguments": ("router",)}, None),
    ],
)
def test_threads(tmp_path, given, expected):
    command = _prepared(tmp_path, **given)[0].envoy
    found = command[command.index("--concurrency") + 1] if "--concurrency" in command else None
    assert found == expected


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"POD_NAME": ""}, "POD_NAME and POD_NAMESPACE have to be set"),
        ({"addresses": ()}, "INSTANCE_IP is not set"),
        ({"config": {"discoveryAddress": "istiod"}}, "'istiod' is not of the form HOST:PORT"),
        ({"CA_PROVIDER": "GoogleCA"}, "CA_PROVIDER=GoogleCA is not supported yet"),
        ({"ISTIO_CPU_LIMIT": "100m"}, "ISTIO_CPU_LIMIT: '100m' is not a number"),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path, given, words):
    with pytest.raises(ValueError) as caught:
        _prepared(tmp_path, **given)
    assert words in str(caught.value)
