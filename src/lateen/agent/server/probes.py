"""The application's probes, made in the kubelet's place.

The kubelet's own would be redirected to the proxy, which demands mutual TLS. The agent's connections come from
127.0.0.6 (or ::6), which capture leaves alone (docs/capture.md), so that they reach the application itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import urljoin, urlsplit

from lateen.agent.http_client import BadAnswer, Origin, connect, request
from lateen.agent.log import Log
from lateen.agent.server.message import TEXT, Request, Response, words
from lateen.agent.server.probe_settings import GrpcProbe, HttpProbe, Probe

if TYPE_CHECKING:
    import ssl

MAX_BODY: Final = 10 * 1024
"""Bytes of an application's answer that are passed on, as the kubelet keeps."""
MAX_REDIRECTS: Final = 10
_OURS: Final = frozenset(
    {"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "content-length",
     "expect", "host"}
)  # fmt: skip
"""Headers about the kubelet's connection to us, or told anew."""


class Prober:
    """Makes probes of the application at `host`, the pod's address."""

    def __init__(self, probes: Mapping[str, Probe], host: str, status_port: int, log: Log) -> None:
        self._probes = probes
        self._host = host
        self._source = "::6" if ":" in host else "127.0.0.6"
        self._status_port = status_port
        self._log = log

    async def answer(self, incoming: Request) -> Response:
        """What the kubelet is told: the application's own status, or 500 and why not."""
        probe = self._probes.get(incoming.path)
        if probe is None:
            return words(HTTPStatus.BAD_REQUEST, f"no probe is known for {incoming.path}")
        try:
            async with asyncio.timeout(probe.timeout):
                return await self._make(probe, incoming)
        except TimeoutError:
            reason = f"no answer within {probe.timeout:g} s"
        except (OSError, ValueError) as error:
            # ValueError: a Host header that TLS cannot take.
            reason = str(error)
        self._log.warn(f"probe {incoming.path} of port {probe.action.port} failed: {reason}")
        return words(HTTPStatus.INTERNAL_SERVER_ERROR, f"probe of port {probe.action.port} failed: {reason}")

    async def _make(self, probe: Probe, incoming: Request) -> Response:
        origin = Origin(self._host, probe.action.port, self._source)
        if isinstance(probe.action, HttpProbe):
            return await self._get(probe.action, origin, incoming)
        if isinstance(probe.action, GrpcProbe):
            from lateen.agent.server.grpc_health import check

            failure = await check(origin, probe.action.service, incoming.header("user-agent"))
            if failure:
                raise BadAnswer(failure)
            return words(HTTPStatus.OK, "SERVING")
        _, writer = await connect(origin)
        writer.transport.abort()
        return words(HTTPStatus.OK, "connected")

    async def _get(self, probe: HttpProbe, origin: Origin, incoming: Request) -> Response:
        host = self._host_header(incoming.header("host"), probe.port)
        name = urlsplit(f"//{host}").hostname or ""
        headers = (("Host", host), *((n, v) for n, v in incoming.headers if n.lower() not in _OURS))
        url = f"{'https' if probe.tls else 'http'}://{origin.authority}{probe.path}"
        for _ in range(MAX_REDIRECTS):
            found = urlsplit(url)
            tls = _unverified() if found.scheme == "https" else None
            port = found.port or (443 if tls else 80)
            target = (found.path or "/") + (f"?{found.query}" if found.query else "")
            there = replace(origin, port=port, tls=tls, server_name=name)
            async with request(there, "GET", target, headers) as answer:
                if not 300 <= answer.status < 400:
                    body = await answer.read(MAX_BODY)
                    return Response(answer.status, body, _printable(answer.header("content-type")))
                url = _redirect(url, answer.header("location"))
            following = urlsplit(url)
            if following.hostname != found.hostname or (following.scheme == "https" and not probe.tls):
                # The kubelet takes being sent elsewhere for success, and does not go there. From HTTP to HTTPS it does
                # go; an agent without HTTPS probes has no TLS in memory, and takes that for success, too.
                return words(HTTPStatus.OK, "redirected elsewhere")
        raise BadAnswer(f"more than {MAX_REDIRECTS} redirects")

    def _host_header(self, sent: str, port: int) -> str:
        """As the application would have been sent it: with its own port instead of ours."""
        host, colon, text = sent.rpartition(":")
        return f"{host}:{port}" if colon and text == str(self._status_port) else sent


def _redirect(url: str, location: str) -> str:
    """Where to; empty where that is nowhere that a probe can go."""
    try:
        there = urljoin(url, location)
        found = urlsplit(there)
        usable = found.scheme in ("http", "https") and found.port != 0
    except ValueError:
        return ""
    return there if location and usable and all("!" <= c <= "~" for c in there) else ""


def _printable(content_type: str) -> str:
    """It goes into a header of ours."""
    return content_type if content_type and all(" " <= c <= "~" for c in content_type) else TEXT


def _unverified() -> ssl.SSLContext:
    """The kubelet verifies nothing either: it does not know which names a certificate is for."""
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["http/1.1"])
    return context
