"""An agent without Envoy: what it is told, and what it tells the application's gRPC library."""

from __future__ import annotations

import asyncio
import json

import pytest

from lateen.agent.arguments import parse
from lateen.agent.command import prepare
from lateen.agent.environment import certificate_settings, proxyless, without_effect
from lateen.agent.grpc_bootstrap import grpc_bootstrap
from lateen.agent.log import Log
from lateen.agent.proxy_config import ProxyConfig
from lateen.agent.proxyless import Proxyless
from lateen.agent.settings import LogSettings
from lateen.agent.variables import BadEnvironment

_SILENT = Log(LogSettings("none"))
_ENVIRONMENT = {
    "POD_NAME": "app-1", "POD_NAMESPACE": "shop", "DISABLE_ENVOY": "true", "OUTPUT_CERTS": "/var/lib/istio/data",
}  # fmt: skip


def _prepared(root, *arguments, **environment):
    return prepare(parse(["sidecar", *arguments]), {**_ENVIRONMENT, **environment}, ("10.1.2.3",), str(root), _SILENT)


def _bootstrap(root):
    return json.loads((root / "etc/istio/proxy/grpc-bootstrap.json").read_text())


def test_the_bootstrap_says_who_this_is_and_where_certificates_are(tmp_path):
    settings, _ = _prepared(tmp_path)
    assert not settings.has_envoy
    assert settings.health_port == 15021
    assert settings.envoy == ()
    files = {
        "certificate_file": "/var/lib/istio/data/cert-chain.pem",
        "private_key_file": "/var/lib/istio/data/key.pem",
        "ca_certificate_file": "/var/lib/istio/data/root-cert.pem",
        "refresh_interval": "10s",
    }
    found = _bootstrap(tmp_path)
    assert found["xds_servers"] == [
        {
            "server_uri": "dns:///istiod.istio-system.svc:15012",
            "channel_creds": [{"type": "tls", "config": files}],
            "server_features": ["xds_v3"],
        }
    ]
    assert found["certificate_providers"] == {"default": {"plugin_name": "file_watcher", "config": files}}
    assert found["server_listener_resource_name_template"] == "xds.istio.io/grpc/lds/inbound/%s"
    assert found["node"]["id"] == "sidecar~10.1.2.3~app-1.shop~shop.svc.cluster.local"
    assert found["node"]["locality"] == {}
    metadata = found["node"]["metadata"]
    assert (metadata["GENERATOR"], metadata["NAMESPACE"], metadata["NAME"]) == ("grpc", "shop", "app-1")
    assert metadata["LATEEN_CERTIFICATES"] == {}
    assert "ENVOY_PROMETHEUS_PORT" not in metadata
    assert not (tmp_path / "etc/istio/proxy/envoy-rev.json").exists()


def test_the_bootstrap_is_written_where_the_application_is_told_to_look(tmp_path):
    _prepared(tmp_path, GRPC_XDS_BOOTSTRAP=str(tmp_path / "elsewhere.json"))
    assert "xds_servers" in json.loads((tmp_path / "elsewhere.json").read_text())


def test_a_revision_and_ipv6():
    found = grpc_bootstrap({"id": "x"}, "[fd00::1]:15012", "")
    assert found["xds_servers"][0]["server_uri"] == "dns:///[fd00::1]:15012"
    assert found["xds_servers"][0]["channel_creds"] == [{"type": "insecure"}]
    assert "certificate_providers" not in found


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"OUTPUT_CERTS": ""}, "DISABLE_ENVOY=true needs OUTPUT_CERTS"),
        ({"ISTIO_META_GENERATOR": "api"}, "ISTIO_META_GENERATOR: with DISABLE_ENVOY=true it has to be grpc, not 'api'"),
        ({"ISTIOD_SAN": "other.svc"}, "istiod.istio-system.svc, but the control plane's is of other.svc; use that"),
        (
            {"PROXY_CONFIG": '{"discoveryAddress": "localhost:15012"}'},
            "host in discoveryAddress, localhost, but the control plane's is of istiod.istio-system.svc",
        ),
        ({"DISABLE_ENVOY": "something"}, "DISABLE_ENVOY: 'something' is not true or false"),
    ],
)
def test_what_an_application_without_envoy_cannot_have_is_refused(tmp_path, environment, words):
    with pytest.raises(BadEnvironment) as caught:
        _prepared(tmp_path, **environment)
    assert words in str(caught.value)


def test_a_gateway_without_envoy_is_refused(tmp_path):
    with pytest.raises(BadEnvironment, match="DISABLE_ENVOY=true: a router is nothing without Envoy"):
        prepare(parse(["router"]), _ENVIRONMENT, ("10.1.2.3",), str(tmp_path), _SILENT)


def test_what_is_envoys_alone_has_no_effect_and_is_named(tmp_path, capfd):
    config = json.dumps({"concurrency": 2, "proxyMetadata": {"A": "b"}, "runtimeValues": {"a": "b"}})
    log = Log(LogSettings("warn"))
    environment = {**_ENVIRONMENT, "PROXY_CONFIG": config, "EXIT_ON_ZERO_ACTIVE_CONNECTIONS": "true"}
    prepare(parse(["sidecar"]), environment, ("10.1.2.3",), str(tmp_path), log)
    said = capfd.readouterr().out
    assert "EXIT_ON_ZERO_ACTIVE_CONNECTIONS has no effect: there is no Envoy (DISABLE_ENVOY)" in said
    assert "these have no effect: PROXY_CONFIG.concurrency, PROXY_CONFIG.runtimeValues\n" in said


def test_with_envoy_there_is_no_bootstrap_for_grpc():
    assert not proxyless({})
    (said,) = without_effect({"GRPC_XDS_BOOTSTRAP": "/x"})
    assert said.startswith("GRPC_XDS_BOOTSTRAP has no effect: ")
    assert without_effect({"GRPC_XDS_BOOTSTRAP": "/x", "DISABLE_ENVOY": "true"}) == ()


@pytest.mark.parametrize(("host", "mode"), [("10.96.0.1", 0o644), ("", 0o600)])
def test_in_a_pod_other_users_may_read_the_key(host, mode):
    environment = {"OUTPUT_CERTS": "/out", "KUBERNETES_SERVICE_HOST": host}
    assert certificate_settings(environment, ProxyConfig(), "/etc/istio/proxy", "/", "").output_mode == mode


async def test_the_end_comes_at_once_whatever_came_before():
    for ends, before in (
        (1, ()),
        (0, ("end",)),
        (0, ("have_certificate", "end")),
        (0, ("have_certificate", "end", "end")),
    ):
        life = Proxyless(_SILENT)
        for each in before:
            getattr(life, each)()
        async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
            assert await life.run(tasks, ends) == 0


async def test_a_drain_ahead_goes_on_until_the_end():
    life = Proxyless(_SILENT)
    async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
        running = tasks.create_task(life.run(tasks, 0))
        life.state.request_drain()
        assert life.state.draining
        await asyncio.sleep(0)
        assert not running.done()
        life.state.request_quit()
        assert await running == 0
