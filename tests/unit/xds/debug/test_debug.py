"""The debug endpoints over HTTP, beside a server with a connected proxy."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.listener.v3 import listener_pb2
from envoy.extensions.filters.http.api_key_auth.v3 import api_key_auth_pb2
from envoy.extensions.filters.http.basic_auth.v3 import basic_auth_pb2
from envoy.extensions.filters.http.ext_authz.v3 import ext_authz_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2 as hcm_pb2
from envoy.extensions.filters.network.redis_proxy.v3 import redis_proxy_pb2
from envoy.extensions.transport_sockets.tls.v3 import secret_pb2, tls_pb2

from lateen.testing.ads_client import AdsClient
from lateen.testing.fake_mesh import FakeMesh
from lateen.translate.envoy_types import readable
from lateen.translate.resource import ResourceType
from lateen.xds.debug.proxies import find
from lateen.xds.debug.redaction import REDACTED, REDACTED_BYTES, redacted
from lateen.xds.debug.routes import routes
from lateen.xds.inventory import Inventory
from lateen.xds.push import PushLoop
from lateen.xds.server import Listener, XdsServer

NODE = "sidecar~10.0.0.1~web.default~default.svc.cluster.local"
CDS, SDS = ResourceType.CDS, ResourceType.SDS


class Here:
    def __init__(self, mesh: FakeMesh, server: XdsServer, proxy: AdsClient, http: Any) -> None:
        self.mesh = mesh
        self.server = server
        self.proxy = proxy
        self.http = http

    async def get(self, path: str) -> Any:
        answer = await self.http.get(path)
        assert answer.status == 200, await answer.text()
        return await answer.json()


@contextlib.asynccontextmanager
async def connected(metadata: dict[str, Any] | None = None) -> AsyncIterator[Here]:
    mesh = FakeMesh()
    mesh.set_views("web.default", "out")
    push = PushLoop(Inventory(mesh.engine, mesh.catalog))
    server = XdsServer(push)
    (port,) = await server.start(Listener("127.0.0.1:0"))
    app = web.Application()
    app.add_routes(routes(mesh.engine, server))
    task = asyncio.create_task(push.run())
    try:
        async with (
            AdsClient(f"127.0.0.1:{port}", NODE, metadata=metadata, follow=False) as proxy,
            TestClient(TestServer(app)) as http,
        ):
            await proxy.until(lambda: server.connections(), "it is connected")
            yield Here(mesh, server, proxy, http)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await server.stop()


async def settled(here: Here) -> None:
    (connection,) = here.server.connections()
    while any(conversation.outstanding for conversation in connection.session.conversations()):
        await asyncio.sleep(0)


async def test_syncz_tells_sent_and_acknowledged() -> None:
    async with connected({"CLUSTER_ID": "one", "ISTIO_VERSION": "1.2.3"}) as here:
        here.mesh.put(CDS, "out", "a", cluster_pb2.Cluster(name="a"))
        here.server.push.changed()
        await here.proxy.has(CDS, "a")
        await settled(here)
        (status,) = await here.get("/debug/syncz")
        assert status["proxy"] == "web.default"
        assert status["cluster_id"] == "one"
        assert status["istio_version"] == "1.2.3"
        assert status["cluster_sent"] == status["cluster_acked"] != ""
        assert "route_sent" not in status


async def test_syncz_does_not_take_a_rejection_for_an_acknowledgement_and_push_status_shows_it() -> None:
    async with connected() as here:
        here.proxy.reject = lambda _type, name, _held: f"{name}: no"
        here.mesh.put(CDS, "out", "a", cluster_pb2.Cluster(name="a"))
        here.server.push.changed()
        (connection,) = here.server.connections()
        while not here.server.counters.rejections:
            await asyncio.sleep(0)
        (status,) = await here.get("/debug/syncz")
        assert status["cluster_sent"] != status.get("cluster_acked")
        rejects = (await here.get("/debug/push_status"))["pilot_total_xds_rejects"]
        assert rejects["CDS/web.default"]["message"] == "a: no"
        assert rejects["CDS/web.default"]["resources"] == ["a"]
        assert connection.session.rejections


async def test_push_status_shows_what_cannot_be_made() -> None:
    async with connected() as here:
        here.mesh.put(CDS, "out", "a", cluster_pb2.Cluster(name="a"))
        here.mesh.fail(CDS, "a")
        here.mesh.put(CDS, "out", "b", cluster_pb2.Cluster(name="b"))
        here.server.push.changed()
        await here.proxy.has(CDS, "b")
        errors = (await here.get("/debug/push_status"))["pilot_resource_errors"]
        assert "cannot be made" in errors["CDS/a"]["message"]


async def test_config_dump_shows_what_was_sent_without_private_keys() -> None:
    async with connected() as here:
        secret = secret_pb2.Secret(name="s")
        secret.tls_certificate.certificate_chain.inline_string = "certificate"
        secret.tls_certificate.private_key.inline_string = "hush"
        cluster = cluster_pb2.Cluster(name="a")
        context = tls_pb2.UpstreamTlsContext()
        context.common_tls_context.tls_certificates.add().private_key.inline_bytes = b"hush"
        cluster.transport_socket.typed_config.Pack(context)
        here.mesh.put(CDS, "out", "a", cluster)
        here.mesh.put(SDS, "out", "s", secret)
        here.server.push.changed()
        await here.proxy.subscribe(SDS, "s")
        await here.proxy.has(SDS, "s")
        await here.proxy.has(CDS, "a")
        text = await (await here.http.get("/debug/config_dump?proxyID=web.default")).text()
        assert "hush" not in text
        assert "aHVzaA" not in text
        assert "certificate" in text
        sections = {
            s["@type"].rpartition(".")[2]: s
            for s in (await here.get("/debug/config_dump?proxyID=web.default"))["configs"]
        }
        (shown,) = sections["ClustersConfigDump"]["dynamic_active_clusters"]
        assert shown["cluster"]["name"] == "a"
        assert shown["version_info"] == here.proxy.held[CDS]["a"].version


async def test_a_proxy_that_is_not_here_is_told_so() -> None:
    async with connected() as here:
        assert (await here.http.get("/debug/config_dump?proxyID=nobody.default")).status == 404
        assert (await here.http.get("/debug/config_dump")).status == 400


async def test_adsz_tells_who_watches_what() -> None:
    async with connected({"LABELS": {"app": "web"}}) as here:
        await here.proxy.subscribe(ResourceType.EDS, "x", "y")
        await here.proxy.until(lambda: any(r.type is ResourceType.EDS for r in here.proxy.responses), "it is answered")
        found = await here.get("/debug/adsz")
        assert found["totalClients"] == 1
        (client,) = found["clients"]
        assert client["labels"] == {"app": "web"}
        assert client["watches"][ResourceType.EDS.value] == ["x", "y"]


async def test_every_page_of_the_list_answers() -> None:
    async with connected() as here:
        listed = await here.get("/debug/list")
        assert {"/debug/syncz", "/debug/registryz", "/debug/endpointz", "/debug/configz", "/debug/engine"} <= set(
            listed
        )
        for path in set(listed) - {"/debug/config_dump"}:
            await here.get(path)
        assert "/debug/syncz" in await (await here.http.get("/debug")).text()


async def test_who_is_not_admitted_sees_nothing() -> None:
    async def nobody(_: web.Request) -> bool:
        return False

    mesh = FakeMesh()
    server = XdsServer(PushLoop(Inventory(mesh.engine, mesh.catalog)))
    app = web.Application()
    app.add_routes(routes(mesh.engine, server, nobody))
    async with TestClient(TestServer(app)) as http:
        for path in ("/debug", "/debug/syncz", "/debug/config_dump"):
            assert (await http.get(path)).status == 401


def test_files_are_named_and_what_is_inline_is_redacted() -> None:
    data = {
        "private_key": {"filename": "/key"},
        "deep": [{"password": {"inline_string": "x"}}],
        "certificate_chain": {"inline_string": "c"},
        "session_ticket_keys": {"keys": [{"inline_bytes": "x"}]},
        "generic_secret": {"secret": {"inline_string": "x"}},
    }
    assert redacted(data) == {
        "private_key": {"filename": "/key"},
        "deep": [{"password": {"inline_string": REDACTED}}],
        "certificate_chain": {"inline_string": "c"},
        "session_ticket_keys": {"keys": [{"inline_bytes": REDACTED_BYTES}]},
        "generic_secret": {"secret": {"inline_string": REDACTED}},
    }


def test_what_envoy_itself_calls_sensitive_is_redacted_wherever_it_is() -> None:
    listener = listener_pb2.Listener(name="l")
    filters = listener.filter_chains.add().filters
    redis = redis_proxy_pb2.RedisProxy(stat_prefix="r")
    redis.downstream_auth_passwords.add().inline_string = "hush"
    redis.downstream_auth_passwords.add().filename = "/etc/password"
    filters.add(name="redis").typed_config.Pack(redis)
    manager = hcm_pb2.HttpConnectionManager(stat_prefix="h")
    users = basic_auth_pb2.BasicAuth()
    users.users.inline_string = "user:{SHA}hush"
    manager.http_filters.add(name="basic").typed_config.Pack(users)
    keys = api_key_auth_pb2.ApiKeyAuth()
    keys.credentials.add(key="hush", client="somebody")
    manager.http_filters.add(name="keys").typed_config.Pack(keys)
    checked = ext_authz_pb2.CheckSettings(context_extensions={"token": "hush"})
    route = manager.route_config.virtual_hosts.add(name="v", domains=["*"])
    route.typed_per_filter_config["authz"].Pack(ext_authz_pb2.ExtAuthzPerRoute(check_settings=checked))
    filters.add(name="http").typed_config.Pack(manager)
    text = json.dumps(redacted({"@type": ResourceType.LDS.value, **readable(listener)}))
    assert "hush" not in text
    assert text.count(REDACTED) >= 4
    for kept in ("/etc/password", '"domains": ["*"]', '"stat_prefix": "r"'):
        assert kept in text


def test_of_two_that_say_they_are_the_same_the_one_that_has_proven_it_is_looked_at() -> None:
    def connection(number: int, proven: bool) -> Any:
        proxy = SimpleNamespace(id="web.default")
        return SimpleNamespace(
            number=number, proven=proven, id=f"web.default-{number}", session=SimpleNamespace(proxy=proxy)
        )

    first, second, impostor = connection(1, True), connection(2, True), connection(3, False)
    assert find([first, second, impostor], "web.default") is second
    assert find([first, second, impostor], "web.default-3") is impostor
    assert find([impostor], "web.default") is impostor
    assert find([first], "other.default") is None
