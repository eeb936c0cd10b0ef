"""A control plane, a backend, and an agent whose Envoy serves in front of it with the workload's certificate."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable
from typing import Any, NamedTuple

import pytest

from lateen.testing.agent_control_plane import AgentControlPlane
from lateen.testing.agent_process import AgentProcess
from lateen.testing.backends import http_backend
from lateen.testing.free_port import free_port
from lateen.testing.load import Load

_EXTENSIONS = "type.googleapis.com/envoy.extensions."


class Pod(NamedTuple):
    agent: AgentProcess
    control_plane: AgentControlPlane
    port: int

    async def until(self, holds: Callable[[], Any], timeout: float = 90.0) -> None:
        await asyncio.to_thread(self.agent.until, holds, timeout)

    async def ready(self) -> None:
        await self.until(self.agent.is_ready)

    def load(self, **options: Any) -> Load:
        """Each request has a TLS handshake of its own, verified by all the roots there are."""
        context = ssl.create_default_context(cadata=self.control_plane.roots_pem())
        return Load(f"https://localhost:{self.port}", "app", tls=context, **options)


PodMaker = Callable[..., contextlib.AbstractAsyncContextManager[Pod]]


@pytest.fixture
def pod() -> PodMaker:
    """`async with pod(environment=..., proxy_config=...) as running`; `before` may add to the agent's files."""
    return _pod


@contextlib.asynccontextmanager
async def _pod(before: Callable[[AgentProcess], Any] = lambda agent: None, **options: Any) -> AsyncIterator[Pod]:
    port = free_port()
    async with http_backend("app") as backend:
        plane = AgentControlPlane(clusters=[_cluster(backend)], listeners=[])
        async with plane as control_plane:
            agent = AgentProcess(
                ca_address=f"127.0.0.1:{control_plane.certificate_port}",
                discovery_address=f"127.0.0.1:{control_plane.ads_port}",
                **{"roots": control_plane.roots_pem(), **options},
            )
            control_plane.set_listeners([_listener(port, agent)])
            before(agent)
            await asyncio.to_thread(agent.__enter__)
            try:
                yield Pod(agent, control_plane, port)
            except BaseException as error:
                await asyncio.to_thread(agent.__exit__, type(error), error, None)
                raise
            else:
                await asyncio.to_thread(agent.__exit__, None, None, None)


def _cluster(port: int) -> dict[str, Any]:
    endpoint = {"address": {"socket_address": {"address": "127.0.0.1", "port_value": port}}}
    return {
        "name": "app",
        "alt_stat_name": "outbound|80||app.shop.svc.cluster.local;",
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {"cluster_name": "app", "endpoints": [{"lb_endpoints": [{"endpoint": endpoint}]}]},
    }


def _listener(port: int, agent: AgentProcess) -> dict[str, Any]:
    source = {"path": str(agent.sds / "default.yaml"), "watched_directory": {"path": str(agent.sds)}}
    secret = {"name": "default", "sds_config": {"path_config_source": source, "resource_api_version": "V3"}}
    tls = {
        "@type": f"{_EXTENSIONS}transport_sockets.tls.v3.DownstreamTlsContext",
        "common_tls_context": {"tls_certificate_sds_secret_configs": [secret]},
    }
    routes = [{"match": {"prefix": "/"}, "route": {"cluster": "app", "timeout": "0s"}}]
    router = {"@type": f"{_EXTENSIONS}filters.http.router.v3.Router"}
    manager = {
        "@type": f"{_EXTENSIONS}filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "inbound_0.0.0.0_80;",
        "route_config": {"virtual_hosts": [{"name": "app", "domains": ["*"], "routes": routes}]},
        "http_filters": [{"name": "envoy.filters.http.router", "typed_config": router}],
    }
    filters = [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]
    return {
        "name": "virtualInbound",
        "traffic_direction": "INBOUND",
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
        "filter_chains": [
            {"filters": filters, "transport_socket": {"name": "envoy.transport_sockets.tls", "typed_config": tls}}
        ],
    }
