"""Posts reviews to webhooks: TLS trust, connection reuse, bounds, and errors in Kubernetes' words."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from collections import OrderedDict
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

import aiohttp

from lateen.cluster.apiserver.admission.webhook.configuration import Target
from lateen.cluster.apiserver.admission.webhook.endpoint import NoEndpointError, resolve
from lateen.cluster.apiserver.store.store import Store
from lateen.cluster.objects import Obj

MAX_RESPONSE_BYTES = 3 * 1024 * 1024
_MAX_SHOWN_BODY = 1024
_TRUST_STORES = 128

_UNKNOWN_AUTHORITY = frozenset({18, 19, 20, 21})
_EXPIRED = 10


class WebhookCallError(Exception):
    """A call that brought no usable answer; the message goes to whoever made the request."""


class WebhookClient:
    """Keeps connections open between calls. Close it, or use it as a context manager."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._trust: OrderedDict[tuple[str, str], ssl.SSLContext] = OrderedDict()
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def post(self, target: Target, review: Obj, timeout: int) -> Any:
        """The decoded JSON answer. Raises WebhookCallError."""
        query = urlencode({"timeout": f"{timeout}s"})
        shown = f"{target.shown}{'&' if '?' in target.shown else '?'}{query}"
        try:
            async with asyncio.timeout(timeout):
                return await self._post(target, query, json.dumps(review, separators=(",", ":")).encode())
        except TimeoutError:
            reason = "context deadline exceeded"
        except NoEndpointError as error:
            reason = str(error)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            reason = _reason(error, target)
        raise WebhookCallError(f'failed to call webhook: Post "{shown}": {reason}') from None

    async def _post(self, target: Target, query: str, body: bytes) -> Any:
        url, headers, server_name = self._address(target, query)
        options: dict[str, Any] = {"ssl": self._context(target.ca_bundle, server_name), "allow_redirects": False}
        if target.service:
            options["server_hostname"] = server_name
        async with self._open_session().post(url, data=body, headers=headers, **options) as response:
            content = await _read(response)
        if response.status != 200:
            raise WebhookCallError("failed to call webhook: " + _unexpected(response.status, content))
        try:
            return json.loads(content)
        except ValueError as error:
            raise WebhookCallError(
                f"failed to call webhook: couldn't get version/kind; json parse error: {error}"
            ) from None

    def _address(self, target: Target, query: str) -> tuple[str, dict[str, str], str]:
        headers = {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "kube-apiserver"}
        if not target.service:
            parts = urlsplit(target.url)
            joined = f"{parts.query}&{query}" if parts.query else query
            return urlunsplit(parts._replace(query=joined)), headers, parts.hostname or ""
        address, port = resolve(self._store, target.namespace, target.service, target.port)
        host = f"[{address}]" if ":" in address else address
        headers["Host"] = f"{target.server_name}:{target.port}"
        return f"https://{host}:{port}/{target.path.lstrip('/')}?{query}", headers, target.server_name

    def _context(self, ca_bundle: str, server_name: str) -> ssl.SSLContext:
        # One context per trusted CA and server name: pooled connections are shared within a context alone.
        key = (ca_bundle, server_name)
        context = self._trust.get(key)
        if context is None:
            try:
                context = ssl.create_default_context(cadata=ca_bundle or None)
            except (ssl.SSLError, ValueError):
                raise WebhookCallError(
                    "failed to call webhook: unable to load root certificates: invalid caBundle"
                ) from None
            context.hostname_checks_common_name = False
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            self._trust[key] = context
            if len(self._trust) > _TRUST_STORES:
                self._trust.popitem(last=False)
        else:
            self._trust.move_to_end(key)
        return context

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            # Every call has its own deadline; proxies of the environment are for others.
            connector = aiohttp.TCPConnector(limit=0, limit_per_host=100, keepalive_timeout=30)
            timeout = aiohttp.ClientTimeout(total=None)
            self._session = aiohttp.ClientSession(
                connector=connector, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()
            )
        return self._session


async def _read(response: aiohttp.ClientResponse) -> bytes:
    content = bytearray()
    async for chunk in response.content.iter_any():
        content += chunk
        if len(content) > MAX_RESPONSE_BYTES:
            response.close()
            raise WebhookCallError(f"failed to call webhook: response is larger than {MAX_RESPONSE_BYTES} bytes")
    return bytes(content)


def _unexpected(status: int, content: bytes) -> str:
    if status == 404:
        return "the server could not find the requested resource"
    if status >= 500 or status < 400:
        shown = content[:_MAX_SHOWN_BODY].decode("utf-8", "replace").strip() or "unknown"
        return f'an error on the server ("{shown}") has prevented the request from succeeding'
    texts = {
        400: "the server rejected our request for an unknown reason",
        401: "the server has asked for the client to provide credentials",
        403: "the server rejected our request for an unknown reason",
        405: "the server does not allow this method on the requested resource",
    }
    return texts.get(status, f"the server responded with the status code {status} but did not return more information")


def _reason(error: Exception, target: Target) -> str:
    """What a Go client says of the same failure."""
    certificate = error.certificate_error if isinstance(error, aiohttp.ClientConnectorCertificateError) else error
    if isinstance(certificate, ssl.SSLCertVerificationError):
        prefix = "tls: failed to verify certificate: x509: "
        if certificate.verify_code in _UNKNOWN_AUTHORITY:
            return f"{prefix}certificate signed by unknown authority"
        if certificate.verify_code == _EXPIRED:
            return f"{prefix}certificate has expired or is not yet valid"
        return f"{prefix}{certificate.verify_message}"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        host = urlsplit(target.url).hostname
        return f"dial tcp: lookup {host}: no such host"
    if isinstance(error, aiohttp.ClientConnectorError):
        if isinstance(error.os_error, ConnectionRefusedError):
            return f"dial tcp {error.host}:{error.port}: connect: connection refused"
        return f"dial tcp {error.host}:{error.port}: connect: {error.os_error.strerror or error.os_error}"
    if isinstance(error, aiohttp.ServerDisconnectedError | ConnectionResetError | socket.timeout):
        return "EOF"
    return str(error) or type(error).__name__
