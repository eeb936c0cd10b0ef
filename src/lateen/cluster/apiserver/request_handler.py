"""What happens to every request around its verb: who, may they, how many at once, and how failures are told."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from aiohttp import web
from multidict import CIMultiDictProxy

from lateen.cluster.apiserver.auth.decision import Decision, refusal
from lateen.cluster.apiserver.negotiation import wants_yaml
from lateen.cluster.apiserver.request import Context, RequestInfo, User
from lateen.cluster.apiserver.request_metrics import RequestMetrics
from lateen.cluster.apiserver.rest.body import read_body
from lateen.cluster.apiserver.rest.call import Call, Services
from lateen.cluster.apiserver.rest.resource_path import parse_target
from lateen.cluster.apiserver.rest.response import status_response, warning_headers
from lateen.cluster.apiserver.rest.yaml_response import in_yaml
from lateen.cluster.status import StatusError, internal_error, timeout, too_many_requests

_log = logging.getLogger(__name__)

_CONTEXT: web.RequestKey[Context] = web.RequestKey("context", Context)
_AUDIT_ID: web.RequestKey[str] = web.RequestKey("audit_id", str)
_LONG_RUNNING = frozenset(("attach", "exec", "log", "portforward", "proxy"))
_READING = frozenset(("get", "list", "watch", "head", "options"))
REQUEST_TIMEOUT = 60.0
"""Seconds for anything that is neither a watch nor a stream."""


class Access(Protocol):
    """Authentication and authorization. Each raises StatusError when it refuses."""

    async def authenticate(self, request: web.Request) -> User: ...

    def acting_user(self, user: User, headers: CIMultiDictProxy[str]) -> User: ...

    def authorize(self, user: User, info: RequestInfo) -> Decision: ...


Answer = Callable[[Call], Awaitable[web.StreamResponse]]


@dataclass(slots=True)
class InFlight:
    """Bounds on requests served at once (kube-apiserver's defaults); watches and streams do not count.

    Nor do requests that are still arriving.
    """

    reading: int = 400
    writing: int = 200
    now: dict[bool, int] = field(default_factory=lambda: {True: 0, False: 0})

    def enter(self, *, reads: bool) -> None:
        if self.now[reads] >= (self.reading if reads else self.writing):
            raise too_many_requests("Too many requests, please try again later.")
        self.now[reads] += 1

    def leave(self, *, reads: bool) -> None:
        self.now[reads] -= 1


@dataclass(slots=True)
class RequestHandler:
    """An aiohttp handler for all paths. `resources` answers calls for resources, `paths` all others."""

    services: Services
    access: Access
    resources: Answer
    paths: Answer
    metrics: RequestMetrics
    in_flight: InFlight = field(default_factory=InFlight)

    async def handle(self, http: web.Request) -> web.StreamResponse:
        started = time.monotonic()
        http[_AUDIT_ID] = _audit_id(http)
        target = parse_target(http.method, http.path, http.query)
        info = target.info
        long_running = info.verb == "watch" or info.subresource in _LONG_RUNNING
        try:
            response = await self._answer(http, info, target.tail, long_running)
        except StatusError as error:
            response = status_response(error)
        except TimeoutError:
            response = status_response(timeout("request did not complete within the allotted timeout"))
        except (ConnectionError, web.HTTPException):
            raise
        except Exception:
            _log.exception("%s %s failed (audit %s)", http.method, http.path, http[_AUDIT_ID])
            response = status_response(
                internal_error(f"unexpected fault; see the API server's log for audit ID {http[_AUDIT_ID]}")
            )
        if info.path.startswith("/api") and not long_running and wants_yaml(http.headers.get("Accept", "")):
            response = in_yaml(response)
        self.metrics.observe(info, response.status, time.monotonic() - started, long_running=long_running)
        return response

    async def _answer(self, http: web.Request, info: RequestInfo, tail: str, long_running: bool) -> web.StreamResponse:
        if long_running:
            return await self._serve(await self._authorized(http, info, tail))
        reads = info.verb in _READING
        async with asyncio.timeout(REQUEST_TIMEOUT):
            call = await self._authorized(http, info, tail)
            if http.can_read_body:
                # Before it counts as in flight: clients that send slowly must not keep the others out.
                await read_body(http)
            self.in_flight.enter(reads=reads)
            try:
                return await self._serve(call)
            finally:
                self.in_flight.leave(reads=reads)

    async def _authorized(self, http: web.Request, info: RequestInfo, tail: str) -> Call:
        user = self.access.acting_user(await self.access.authenticate(http), http.headers)
        ctx = Context(
            user, info, user_agent=http.headers.get("User-Agent", "")[:1024], source_ip=http.remote or "127.0.0.1"
        )
        http[_CONTEXT] = ctx
        decision = self.access.authorize(user, info)
        if not decision.allowed:
            raise refusal(user, info, decision.reason)
        return Call(http, ctx, self.services, tail=tail)

    async def _serve(self, call: Call) -> web.StreamResponse:
        return await (self.resources if call.ctx.info.is_resource else self.paths)(call)


def _audit_id(http: web.Request) -> str:
    given = http.headers.get("Audit-ID", "")
    return given if given and len(given) <= 64 and given.isprintable() and given.isascii() else str(uuid.uuid4())


async def add_headers(http: web.Request, response: web.StreamResponse) -> None:
    """An aiohttp `on_response_prepare` signal: headers that every answer carries."""
    if _AUDIT_ID in http:
        response.headers["Audit-Id"] = http[_AUDIT_ID]
    response.headers.setdefault("Cache-Control", "no-cache, private")
    if _CONTEXT in http:
        for value in warning_headers(http[_CONTEXT].warnings):
            response.headers.add("Warning", value)
