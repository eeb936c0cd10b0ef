"""The pages of the agent's server, and what it is told at its start."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from http import HTTPStatus
from typing import Final

from lateen import __version__
from lateen.agent.log import Log
from lateen.agent.server.agent_metrics import AgentMetrics
from lateen.agent.server.http_server import Handler, listening_socket, serving
from lateen.agent.server.message import Request, Response, words
from lateen.agent.server.probe_settings import parse_probes
from lateen.agent.server.probes import Prober
from lateen.agent.server.readiness import missing
from lateen.agent.server.scrape_settings import parse_scrapes
from lateen.agent.server.scraping import Scraper
from lateen.agent.settings import AgentSettings
from lateen.agent.state import AgentState
from lateen.agent.variables import flag

_READY: Final = "/healthz/ready"
_READINESS_TIME: Final = 3.0
"""Seconds in which Envoy's admin interface has to answer."""
_PROXY_ADDRESSES: Final = frozenset({"127.0.0.6", "::6"})
"""Whence Envoy calls its application: not from this pod, whatever it looks like."""


async def serve(state: AgentState, settings: AgentSettings, environment: Mapping[str, str]) -> None:
    """Serves until it is cancelled. Raises OSError when it cannot listen, ValueError for what makes no sense."""
    log = Log(settings.log, "status")
    pages = Pages(state, settings, environment, log)
    served = [(settings.status_port, pages.answer)]
    if not settings.has_envoy:
        served.append((settings.health_port, pages.health))
    async with AsyncExitStack() as stack:
        for port, answer in served:
            listener = stack.enter_context(listening_socket(settings.listen, port, settings.dual_stack))
            await stack.enter_async_context(serving(listener, answer, log))
        await asyncio.get_running_loop().create_future()


class Pages:
    """What is answered, by path. Raises ValueError for settings that make no sense."""

    def __init__(self, state: AgentState, settings: AgentSettings, environment: Mapping[str, str], log: Log) -> None:
        self._state = state
        self._admin = settings.admin if settings.has_envoy else None
        self._log = log
        self._metrics = AgentMetrics(state, __version__)
        self._was_ready = False
        self._metrics_for_all = not flag(environment, "METRICS_LOCALHOST_ACCESS_ONLY", False)
        address = settings.addresses[0] if settings.addresses else "127.0.0.1"
        loopbacks = ("::1", "127.0.0.1") if ":" in address else ("127.0.0.1", "::1")
        legacy = flag(environment, "REWRITE_PROBE_LEGACY_LOCALHOST_DESTINATION", False)
        probes = parse_probes(environment.get("ISTIO_KUBE_APP_PROBERS", ""))
        self._prober = Prober(probes, loopbacks[0] if legacy else address, settings.status_port, log)
        # As with Istio only sidecars have an application; a gateway's own metrics are all that it has.
        annotations = environment.get("ISTIO_PROMETHEUS_ANNOTATIONS", "") if settings.role == "sidecar" else ""
        scrapes = parse_scrapes(annotations, settings.status_port)
        self._scraper = Scraper(self._admin, scrapes, loopbacks, self._metrics, log, compress=settings.compress_metrics)
        self._pages: dict[str, Handler] = {
            _READY: _reading(self._ready),
            "/stats/prometheus": _reading(self._for_scrapers(self._scraper.merged)),
            "/metrics": _reading(self._for_scrapers(self._scraper.merged)),
            "/stats/envoy/prometheus": _reading(self._for_scrapers(self._scraper.envoy_only)),
            "/quitquitquit": self._asked_by_the_pod(state.request_quit),
            "/drain": self._asked_by_the_pod(state.request_drain),
            **{path: _reading(self._prober.answer) for path in probes},
        }

    async def answer(self, request: Request) -> Response:
        """One request's."""
        page = self._pages.get(request.path)
        if page is None and request.path.startswith(("/app-health/", "/app-lifecycle/")):
            page = self._prober.answer
        if page is None:
            return words(HTTPStatus.NOT_FOUND, f"there is no {request.path} here")
        return await page(request)

    async def health(self, request: Request) -> Response:
        """One request's, at the port where otherwise Envoy listens for the kubelet."""
        if request.path != _READY:
            return words(HTTPStatus.NOT_FOUND, f"there is only {_READY} here")
        return await self.answer(request)

    async def _ready(self, request: Request) -> Response:
        found = await missing(self._state, self._admin, _READINESS_TIME)
        if (not found) != self._was_ready:
            self._was_ready = not found
            if found:
                self._log.warn(f"not ready any more: {'; '.join(found)}")
            else:
                self._log.info("ready")
                self._metrics.became_ready()
        if found:
            return words(HTTPStatus.SERVICE_UNAVAILABLE, "\n".join(found))
        return words(HTTPStatus.OK, "ready")

    def _asked_by_the_pod(self, do: Callable[[], None]) -> Handler:
        async def handle(request: Request) -> Response:
            if not _is_local(request.peer):
                return words(HTTPStatus.FORBIDDEN, "only containers of this pod may ask for that")
            if request.method != "POST":
                return words(HTTPStatus.METHOD_NOT_ALLOWED, "POST is needed", ("Allow", "POST"))
            self._log.info(f"asked for {request.path}")
            do()
            return words(HTTPStatus.OK, "OK")

        return handle

    def _for_scrapers(self, page: Handler) -> Handler:
        async def handle(request: Request) -> Response:
            if not (self._metrics_for_all or _is_local(request.peer)):
                return words(HTTPStatus.FORBIDDEN, "only containers of this pod may read metrics")
            return await page(request)

        return handle


def _reading(page: Callable[[Request], Awaitable[Response]]) -> Handler:
    async def handle(request: Request) -> Response:
        if request.method not in ("GET", "HEAD"):
            return words(HTTPStatus.METHOD_NOT_ALLOWED, "GET or HEAD is needed", ("Allow", "GET, HEAD"))
        return await page(request)

    return handle


def _is_local(peer: str) -> bool:
    try:
        return ipaddress.ip_address(peer).is_loopback and peer not in _PROXY_ADDRESSES
    except ValueError:
        return False
