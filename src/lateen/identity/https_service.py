"""Certificates over HTTPS and JSON, for agents that need no gRPC otherwise.

    POST /v1/certificates    {"csr": "PEM", "validitySeconds": 86400}
    200                      {"chain": ["leaf", "intermediate", ...], "roots": ["root", ...], "notAfter": "RFC 3339"}
    4xx, 5xx                 {"error": "UNAUTHENTICATED", "message": "..."}, Retry-After where it is known

The chain is what a workload presents, roots are what it trusts. Who asks is known by a bearer token or by the client
certificate, as over gRPC; the header `clusterid` says which cluster a token is from.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

import msgspec
from aiohttp import web

from lateen.identity.front_headers import evidence
from lateen.identity.issuing import CertificateRequest, Issuer, NotIssued, Reason
from lateen.identity.signing import LARGEST_REQUEST

PATH: Final = "/v1/certificates"

_LARGEST_BODY: Final = 2 * LARGEST_REQUEST
_BODY_SECONDS: Final = 10.0
_STATUS: Final = {
    Reason.UNAUTHENTICATED: 401,
    Reason.PERMISSION_DENIED: 403,
    Reason.INVALID_ARGUMENT: 400,
    Reason.RESOURCE_EXHAUSTED: 429,
    Reason.UNAVAILABLE: 503,
    Reason.INTERNAL: 500,
}


class _Body(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    csr: str
    validity_seconds: int = 0


def routes(issuer: Issuer) -> list[web.RouteDef]:
    """For an application that nobody but the TLS front can reach."""

    async def create(request: web.Request) -> web.Response:
        try:
            shown = evidence({name.lower(): value for name, value in request.headers.items()})
            issued = await issuer.issue(shown, await _read(request))
        except NotIssued as refusal:
            return _refusal(refusal)
        return _json(
            200,
            {
                "chain": [issued.certificate, *issued.path],
                "roots": issued.roots,
                "notAfter": issued.not_after,
            },
        )

    return [web.post(PATH, create)]


async def _read(request: web.Request) -> CertificateRequest:
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            content = await request.content.read(_LARGEST_BODY + 1)
            while len(content) <= _LARGEST_BODY and (more := await request.content.read(_LARGEST_BODY)):
                content += more
    except TimeoutError:
        raise NotIssued(Reason.INVALID_ARGUMENT, f"the body did not come within {_BODY_SECONDS:.0f} s") from None
    if len(content) > _LARGEST_BODY:
        raise NotIssued(Reason.INVALID_ARGUMENT, f"at most {_LARGEST_BODY} bytes are read")
    try:
        body = msgspec.json.decode(content, type=_Body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise NotIssued(Reason.INVALID_ARGUMENT, f"the body cannot be read: {error}") from None
    return CertificateRequest(body.csr, body.validity_seconds)


def _refusal(refusal: NotIssued) -> web.Response:
    headers = {"Retry-After": f"{refusal.retry_after:.0f}"} if refusal.retry_after else {}
    if refusal.reason is Reason.UNAUTHENTICATED:
        headers["WWW-Authenticate"] = "Bearer"
    return _json(_STATUS[refusal.reason], {"error": refusal.reason.value, "message": str(refusal)}, headers)


def _json(status: int, body: Any, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(status=status, body=msgspec.json.encode(body), content_type="application/json", headers=headers)
