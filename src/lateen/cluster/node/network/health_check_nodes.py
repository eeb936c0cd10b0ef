"""The health checks of Services with externalTrafficPolicy Local, for load balancers: does this node have endpoints?

Answers as kube-proxy does on each Service's healthCheckNodePort: 200 with local endpoints, 503 without.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from aiohttp import web

from lateen.cluster.objects import Key

_log = logging.getLogger(__name__)


class HealthCheckServers:
    """One HTTP server per port, on the node's addresses."""

    def __init__(self, hosts: tuple[str, ...]) -> None:
        self._hosts = hosts
        self._runners: dict[int, web.AppRunner] = {}
        self._counts: dict[int, tuple[Key, int]] = {}

    async def serve(self, counts: Mapping[int, tuple[Key, int]]) -> None:
        """Serves exactly these ports: port -> (Service, number of its ready endpoints on this node)."""
        self._counts = dict(counts)
        for port in self._runners.keys() - counts.keys():
            await self._runners.pop(port).cleanup()
        for port in counts.keys() - self._runners.keys():
            runner = web.AppRunner(self._application(port), access_log=None)
            await runner.setup()
            try:
                for host in self._hosts:
                    await web.TCPSite(runner, host, port).start()
            except OSError as error:
                _log.error("health checks of %s: port %d: %s", counts[port][0], port, error)
                await runner.cleanup()
                continue
            self._runners[port] = runner

    async def close(self) -> None:
        await self.serve({})

    def _application(self, port: int) -> web.Application:
        async def answer(_request: web.Request) -> web.Response:
            key, count = self._counts[port]
            body = {
                "service": {"namespace": key.namespace, "name": key.name},
                "localEndpoints": count,
                "serviceProxyHealthy": True,
            }
            headers = {"X-Content-Type-Options": "nosniff", "X-Load-Balancing-Endpoint-Weight": str(count)}
            return web.json_response(body, status=200 if count else 503, headers=headers)

        application = web.Application()
        application.router.add_get("/{path:.*}", answer)
        return application
