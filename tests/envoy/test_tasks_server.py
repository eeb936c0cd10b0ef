"""What people know from the documentation to be done at the sidecar of a server: limits, scripts, mutual TLS.

One mesh of manifests as users write them, one istiod, the sidecars of a server and of a caller.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import NamedTuple

import pytest
import pytest_asyncio

from lateen.testing.backends import http_backend, tcp_backend
from lateen.testing.task_caller import Caller, http_pods
from lateen.testing.task_mesh import Answer, TaskMesh, pod

pytestmark = pytest.mark.asyncio(loop_scope="module")

SERVER = "127.0.0.2"
SERVICES = """
apiVersion: v1
kind: Service
metadata: {name: ratings}
spec: {selector: {app: ratings}, ports: [{name: http, port: $port_http, targetPort: http}]}
---
apiVersion: v1
kind: Service
metadata: {name: guarded}
spec: {selector: {app: server}, ports: [{name: http, port: $port_http, targetPort: $port_strict}]}
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: server}
spec:
  selector: {matchLabels: {app: server}}
  portLevelMtls: {$port_strict: {mode: STRICT}}
"""

FILTERS = """
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: server}
spec:
  workloadSelector: {labels: {app: server}}
  egress: [{hosts: ["~/*"]}]
  ingress:
  - port: {number: $port_limited, name: http-limited, protocol: HTTP}
    bind: $server
    defaultEndpoint: 127.0.0.1:$backend
  - port: {number: $port_scripted, name: http-scripted, protocol: HTTP}
    bind: $server
    defaultEndpoint: 127.0.0.1:$backend
  - port: {number: $port_strict, name: http-strict, protocol: HTTP}
    bind: $server
    defaultEndpoint: 127.0.0.1:$backend
  - port: {number: $port_crowded, name: tcp-crowded, protocol: TCP}
    bind: $server
    defaultEndpoint: 127.0.0.1:$stream
---
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: {name: local-rate-limit}
spec:
  workloadSelector: {labels: {app: server}}
  configPatches:
  - applyTo: HTTP_FILTER
    match:
      context: SIDECAR_INBOUND
      listener:
        portNumber: $port_limited
        filterChain: {filter: {name: envoy.filters.network.http_connection_manager}}
    patch:
      operation: INSERT_BEFORE
      value:
        name: envoy.filters.http.local_ratelimit
        typed_config:
          "@type": type.googleapis.com/udpa.type.v1.TypedStruct
          type_url: type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit
          value:
            stat_prefix: http_local_rate_limiter
            token_bucket: {max_tokens: 2, tokens_per_fill: 2, fill_interval: 300s}
            filter_enabled: {default_value: {numerator: 100, denominator: HUNDRED}}
            filter_enforced: {default_value: {numerator: 100, denominator: HUNDRED}}
            response_headers_to_add: [{header: {key: x-local-rate-limit, value: "true"}}]
---
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: {name: script}
spec:
  workloadSelector: {labels: {app: server}}
  configPatches:
  - applyTo: HTTP_FILTER
    match:
      context: SIDECAR_INBOUND
      listener:
        portNumber: $port_scripted
        filterChain:
          filter:
            name: envoy.filters.network.http_connection_manager
            subFilter: {name: envoy.filters.http.router}
    patch:
      operation: INSERT_BEFORE
      value:
        name: envoy.filters.http.lua
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua
          default_source_code:
            inline_string: |
              function envoy_on_request(handle)
                handle:headers():add("x-scripted", "yes")
              end
              function envoy_on_response(handle)
                handle:headers():remove("x-answered")
                handle:headers():add("x-script-answered", "yes")
              end
  - applyTo: NETWORK_FILTER
    match:
      context: SIDECAR_INBOUND
      listener:
        portNumber: $port_scripted
        filterChain: {filter: {name: envoy.filters.network.http_connection_manager}}
    patch:
      operation: MERGE
      value:
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          server_header_transformation: PASS_THROUGH
---
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: {name: connection-limit}
spec:
  workloadSelector: {labels: {app: server}}
  configPatches:
  - applyTo: NETWORK_FILTER
    match:
      context: SIDECAR_INBOUND
      listener: {portNumber: $port_crowded, filterChain: {filter: {name: envoy.filters.network.tcp_proxy}}}
    patch:
      operation: INSERT_BEFORE
      value:
        name: envoy.filters.network.connection_limit
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.connection_limit.v3.ConnectionLimit
          stat_prefix: limit
          max_connections: 1
---
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: {name: sanitize}
spec:
  workloadSelector: {labels: {app: caller}}
  configPatches:
  - applyTo: ROUTE_CONFIGURATION
    match: {context: SIDECAR_OUTBOUND, routeConfiguration: {name: "$port_http"}}
    patch: {operation: MERGE, value: {response_headers_to_remove: [x-envoy-upstream-service-time]}}
"""


class World(NamedTuple):
    caller: Caller
    mesh: TaskMesh

    async def served(self, port: str, **headers: str) -> Answer:
        """One request to the server."""
        return await self.mesh.call(self.mesh.port(port), "server", headers=headers, address=SERVER)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    mesh = TaskMesh(tmp_path_factory.mktemp("tasks"))
    async with AsyncExitStack() as stack:
        pods = await http_pods(stack, [("ratings", "v1", {"version": "v1"})])
        mesh.values |= {
            "server": SERVER,
            "backend": await stack.enter_async_context(http_backend("server")),
            "stream": await stack.enter_async_context(tcp_backend("server")),
        }
        injected = {"security.istio.io/tlsMode": "istio"}
        mesh.apply("services", SERVICES, *pods, pod("server", SERVER, {}, app="server", **injected))
        mesh.apply("filters", FILTERS)
        await stack.enter_async_context(mesh)
        caller = Caller(mesh, await mesh.proxy("caller", 1))
        await mesh.proxy("server", 4, address=SERVER)
        yield World(caller, mesh)


async def test_mutual_tls_of_itself(world: World) -> None:
    """Nobody says that the caller is to use it; the server insists."""
    answer = await world.caller.get("guarded")
    assert "URI=spiffe://cluster.local/ns/default/sa/caller" in answer.sent["x-forwarded-client-cert"]
    with pytest.raises(OSError):
        await world.served("strict")


async def test_local_rate_limit(world: World) -> None:
    answers = [await world.served("limited") for _ in range(4)]
    assert [answer.status for answer in answers] == [200, 200, 429, 429]
    assert answers[-1].headers["x-local-rate-limit"] == "true"
    assert (await world.served("scripted")).status == 200, "other ports are not limited"


async def test_lua(world: World) -> None:
    answer = await world.served("scripted")
    assert answer.sent["x-scripted"] == "yes"
    assert answer.headers["x-script-answered"] == "yes"
    assert "x-scripted" not in (await world.served("limited")).sent


async def test_who_the_server_says_it_is(world: World) -> None:
    assert (await world.served("limited")).headers["server"] == "istio-envoy"
    assert "envoy" not in (await world.served("scripted")).headers["server"]


async def test_envoys_own_headers_can_be_taken_out(world: World) -> None:
    assert "x-envoy-upstream-service-time" not in (await world.caller.get("ratings")).headers


async def test_connection_limit(world: World) -> None:
    address = (SERVER, world.mesh.port("crowded"))
    reader, writer = await asyncio.open_connection(*address)
    writer.write(b"first\n")
    assert await asyncio.wait_for(reader.readline(), 10) == b"server: first\n"
    second, other = await asyncio.open_connection(*address)
    other.write(b"second\n")
    try:
        assert await asyncio.wait_for(second.readline(), 10) == b""
    except ConnectionResetError:
        pass
    finally:
        other.close()
        writer.close()
