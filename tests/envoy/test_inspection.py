"""What operators and kubelets are told of a real Envoy that our own control plane configures."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest
import yaml
from click.testing import CliRunner, Result

from lateen.agent.log import Log
from lateen.agent.server.http_server import listening_socket, serving
from lateen.agent.server.status_server import Pages
from lateen.agent.settings import AgentSettings, CertificateSettings, DrainSettings, LogSettings
from lateen.agent.state import AgentState
from lateen.cli.main import main
from lateen.inspection.comparison import compare
from lateen.inspection.dump import Dump, parse_dump
from lateen.testing.free_port import free_port
from lateen.testing.istiod import IstiodProcess
from lateen.testing.live_mesh import ADDRESS, NAMESPACE, Manifests, resource, service, sidecar_bootstrap
from lateen.testing.running_envoy import RunningEnvoy

HOST = f"web.{NAMESPACE}.svc.cluster.local"


class Proxied:
    def __init__(self, istiod: IstiodProcess, envoy: RunningEnvoy, port: int, directory: Path) -> None:
        self.istiod, self.envoy, self.port, self.directory = istiod, envoy, port, directory

    def saved(self, path: str) -> str:
        file = self.directory / "saved.json"
        file.write_text(self.envoy.admin(path))
        return str(file)

    def shown(self, *arguments: str, path: str = "/config_dump?include_eds") -> str:
        """What `lateen proxy-config` prints of a saved dump."""
        found = self.run(*arguments, "--file", self.saved(path))
        assert found.exit_code == 0, found.output
        return found.stdout

    @staticmethod
    def run(*arguments: str) -> Result:
        return CliRunner().invoke(main, ["proxy-config", *arguments])

    def rows(self, *arguments: str, path: str = "/config_dump?include_eds") -> list[list[str]]:
        """Lines below the header, cut at the columns."""
        return cut(self.shown(*arguments, path=path))


def cut(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()[1:]]


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxied]:
    directory = tmp_path_factory.mktemp("inspection")
    port, backend = free_port(), free_port()
    manifests = Manifests(directory / "mesh")
    manifests.write("services", *service("web", port, backend), *service("idle", port))
    subset = {"host": "web", "subsets": [{"name": "v1", "labels": {"version": "v1"}}]}
    routes = {
        "hosts": ["web"],
        "http": [{"match": [{"uri": {"prefix": "/a"}}], "route": [{"destination": {"host": "web"}}]}],
    }
    manifests.write(
        "rules", resource("DestinationRule", "web-rule", subset), resource("VirtualService", "web-routes", routes)
    )
    with IstiodProcess("--config-dir", str(manifests.directory)) as istiod:
        istiod.until_ready()
        xds = int(istiod.addresses["xds"].rpartition(":")[2])
        with RunningEnvoy(sidecar_bootstrap(directory, xds)) as envoy:
            envoy.until(lambda: envoy.routes().get(str(port)), "routes arrive")
            yield Proxied(istiod, envoy, port, directory)


def test_clusters(proxied: Proxied) -> None:
    text = proxied.shown("cluster")
    assert text.splitlines()[0].split("  ")[0] == "SERVICE FQDN"
    rows = cut(text)
    port = str(proxied.port)
    assert [HOST, port, "-", "outbound", "EDS", f"web-rule.{NAMESPACE}"] in rows
    assert [HOST, port, "v1", "outbound", "EDS", f"web-rule.{NAMESPACE}"] in rows
    assert ["BlackHoleCluster", "-", "-", "-", "STATIC"] in rows
    assert rows == sorted(rows, key=lambda row: row[0])


def test_filters_of_clusters(proxied: Proxied) -> None:
    assert len(proxied.rows("clusters", "--fqdn", HOST, "--port", str(proxied.port), "--direction", "outbound")) == 2
    assert len(proxied.rows("c", "--subset", "v1")) == 1
    assert proxied.rows("c", "--port", "1") == []


def test_json_is_in_protobufs_form_and_yaml_the_same(proxied: Proxied) -> None:
    asked = ("cluster", "--fqdn", HOST, "--subset", "v1")
    (cluster,) = json.loads(proxied.shown(*asked, "-o", "json"))
    assert cluster["name"] == f"outbound|{proxied.port}|v1|{HOST}"
    assert cluster["edsClusterConfig"]["serviceName"] == cluster["name"]
    assert cluster["metadata"]["filterMetadata"]["istio"]["subset"] == "v1"
    assert "default_original_port" in cluster["metadata"]["filterMetadata"]["istio"], (
        "keys of maps are not names of fields"
    )
    assert yaml.safe_load(proxied.shown(*asked, "-o", "yaml")) == [cluster]


def test_listeners(proxied: Proxied) -> None:
    text = proxied.shown("listener", "--port", str(proxied.port))
    assert text.splitlines()[0].split() == ["ADDRESSES", "PORT", "MATCH", "DESTINATION"]
    assert all(row[1] == str(proxied.port) for row in cut(text))
    assert f"Route: {proxied.port}" in text
    terse = proxied.shown("l", "--port", str(proxied.port), "--verbose=false")
    assert terse.splitlines()[0].split() == ["ADDRESSES", "PORT", "TYPE"]
    assert {row[2] for row in cut(terse)} <= {"HTTP", "HTTP+TCP"}
    (listener,) = json.loads(proxied.shown("l", "--port", str(proxied.port), "--type", "http", "-o", "json"))
    assert listener["address"]["socketAddress"]["portValue"] == proxied.port


def test_routes(proxied: Proxied) -> None:
    text = proxied.shown("route", "--name", str(proxied.port))
    assert text.splitlines()[0].split("     ")[0] == "NAME"
    assert "VHOST NAME" in text
    (row,) = (row for row in cut(text) if row[1].startswith("web."))
    assert row[0] == str(proxied.port)
    assert row[-2:] == ["/a*", f"web-routes.{NAMESPACE}"]
    ((name, hosts),) = proxied.rows("r", "--name", str(proxied.port), "--verbose=false")
    assert (name, int(hosts) > 1) == (str(proxied.port), True)
    (config,) = json.loads(proxied.shown("r", "--name", str(proxied.port), "-o", "json"))
    assert any(host["domains"][0] == HOST for host in config["virtualHosts"])


def test_endpoints(proxied: Proxied) -> None:
    cluster = f"outbound|{proxied.port}||{HOST}"
    asked = ("endpoint", "--cluster", cluster)
    text = proxied.shown(*asked, path="/clusters?format=json")
    assert text.splitlines()[0].split("     ")[0] == "ENDPOINT"
    ((address, status, outlier, of),) = cut(text)
    assert (status, outlier, of) == ("HEALTHY", "OK", cluster)
    assert proxied.rows(*asked, "--status", "unhealthy", path="/clusters?format=json") == []
    host, _, port = address.rpartition(":")
    (found,) = json.loads(
        proxied.shown(*asked, "--address", host, "--port", port, "-o", "json", path="/clusters?format=json")
    )
    assert found["hostStatuses"][0]["address"]["socketAddress"]["address"] == host


def test_secrets(proxied: Proxied) -> None:
    rows = {row[0]: row for row in proxied.rows("secret")}
    assert rows["default"][1:5] == ["Cert", "Chain", "ACTIVE", "true"]
    assert rows["ROOTCA"][1:4] == ["CA", "ACTIVE", "true"]
    for row in rows.values():
        begin, end = (datetime.strptime(each, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC) for each in (row[-1], row[-2]))
        assert begin < datetime.now(UTC) < end
    assert "PRIVATE KEY" not in proxied.shown("secret", "-o", "json")


def test_bootstrap(proxied: Proxied) -> None:
    found = json.loads(proxied.shown("bootstrap"))["bootstrap"]
    assert found["node"]["metadata"]["LABELS"] == {"app": "client"}
    assert found["dynamicResources"]["ldsConfig"]["resourceApiVersion"] == "V3"
    assert "Envoy Version:       1." in proxied.shown("b", "-o", "short")


def test_all(proxied: Proxied) -> None:
    text = proxied.shown("all", "--fqdn", HOST)
    assert f"cluster/outbound|{proxied.port}|v1|{HOST}" in text
    assert f"route/{proxied.port} " in text
    assert "secret/default" in text
    assert "listener/" in text
    assert "endpoint/" in text
    kinds = {each["@type"] for each in json.loads(proxied.shown("a", "-o", "json"))["configs"]}
    assert "type.googleapis.com/envoy.admin.v3.EndpointsConfigDump" in kinds


def test_ecds(proxied: Proxied) -> None:
    assert proxied.shown("ecds").splitlines()[0].split() == ["ECDS", "NAME", "Type"]


def test_masks_leave_what_is_asked_for(proxied: Proxied) -> None:
    """As the commands ask a pod."""

    def masked(fields: str) -> Dump:
        return parse_dump(proxied.envoy.admin(f"/config_dump?mask={fields}").encode())

    assert masked("dynamic_active_clusters,static_clusters").clusters()
    assert masked("dynamic_listeners,static_listeners").listeners()
    assert masked("dynamic_route_configs,static_route_configs").routes()
    assert masked("dynamic_active_secrets,dynamic_warming_secrets").secrets()
    assert masked("bootstrap").bootstrap


def test_what_is_no_dump_is_refused(proxied: Proxied) -> None:
    file = proxied.directory / "other.json"
    for text in ("{", "[]", '{"configs": 1}'):
        file.write_text(text)
        found = proxied.run("cluster", "--file", str(file))
        assert found.exit_code == 1
        assert str(file) in found.output
    assert proxied.run("cluster").exit_code == 2
    assert proxied.run("cluster", "--file", str(proxied.directory / "absent")).exit_code == 1


def test_what_was_sent_and_what_is_held_match(proxied: Proxied) -> None:
    status, sent = proxied.istiod.get(f"/debug/config_dump?proxyID=client-1.{NAMESPACE}")
    assert status == 200
    held = proxied.envoy.admin("/config_dump")
    parts = list(compare(parse_dump(sent.encode()), parse_dump(held.encode())))
    assert parts[:2] == ["Clusters Match\n", "Listeners Match\n"], "".join(parts)
    assert parts[2].startswith("Routes Match (RDS last loaded at ")


def test_what_differs_is_shown_around_the_difference(proxied: Proxied) -> None:
    dump = json.loads(proxied.envoy.admin("/config_dump"))
    sent = parse_dump(json.dumps(dump).encode())
    for section in dump["configs"]:
        for each in section.get("dynamic_active_clusters", ()):
            if each["cluster"]["name"].startswith("outbound|"):
                each["cluster"]["connect_timeout"] = "99s"
    first, *others = compare(sent, parse_dump(json.dumps(dump).encode()))
    assert first.startswith("--- Istiod Clusters\n+++ Envoy Clusters\n@@ ")
    assert '\n+      "connectTimeout": "99s",\n' in first
    assert others[0] == "Listeners Match\n"


async def test_the_agent_says_ready_and_gives_exact_metrics(proxied: Proxied) -> None:
    state = AgentState()
    state.certificate, state.envoy, state.obstacle = True, True, ""
    settings = AgentSettings(
        role="sidecar", node_id="", admin=proxied.envoy.admin_address, status_port=0, listen=ADDRESS, dual_stack=False,
        addresses=(ADDRESS,), envoy=(), compress_metrics=True, directory="",
        certificates=CertificateSettings(), drain=DrainSettings(), log=LogSettings(level="none"),
    )  # fmt: skip
    log = Log(LogSettings(level="none"))
    listener = listening_socket(ADDRESS, 0)
    agent = f"http://{ADDRESS}:{listener.getsockname()[1]}"
    async with serving(listener, Pages(state, settings, {}, log).answer, log), aiohttp.ClientSession() as session:

        async def get(url: str, **headers: str) -> tuple[int, str]:
            async with session.get(url, headers=headers) as answer:
                return answer.status, await answer.text()

        assert await get(f"{agent}/healthz/ready") == (200, "ready\n")
        await get(f"http://{ADDRESS}:{proxied.port}/a", Host="web")
        async with asyncio.timeout(60):
            while "\nistio_requests_total{" not in (text := (await get(f"{agent}/stats/prometheus"))[1]):
                await asyncio.sleep(0.1)
        assert "\n# TYPE istio_requests_total counter\n" in text
        assert "envoy_istio_" not in text
        assert "\nenvoy_server_live" in text
        _, envoy_only = await get(f"{agent}/stats/envoy/prometheus")
        assert "\nistio_requests_total{" in envoy_only
        assert "istio_agent_" not in envoy_only
        assert "\nenvoy_server_live" in (await get(f"{agent}/stats/prometheus?usedonly"))[1]


async def test_an_envoy_without_configuration_is_not_ready() -> None:
    from lateen.agent.server.readiness import missing
    from lateen.testing.running_envoy import ads_bootstrap

    state = AgentState()
    state.certificate, state.envoy, state.obstacle = True, True, ""
    with RunningEnvoy(ads_bootstrap("sidecar~127.0.0.1~a.b~c", free_port())) as envoy:
        found = await missing(state, envoy.admin_address, 3)
    assert any("no clusters from the control plane yet" in each for each in found)
    assert any("Envoy is" in each for each in found)
