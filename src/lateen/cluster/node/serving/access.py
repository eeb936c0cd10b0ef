"""Who may use a node's HTTPS API: the API server, and whoever the cluster's authorization lets.

Source: Kubernetes' "Kubelet authentication/authorization": bearer tokens by TokenReview, certificates of the cluster's
CA by their subject; then a SubjectAccessReview for the `nodes` resource, its subresource by the path.
"""

from __future__ import annotations

from typing import Any

from aiohttp import web

from lateen.cluster.client.api import Client
from lateen.cluster.objects import GVR, Obj
from lateen.cluster.status import StatusError, internal_error, unauthorized

API_SERVER = "kube-apiserver-kubelet-client"
"""Common name of the API server's client certificate, which may do everything."""
_TOKEN_REVIEWS = GVR("authentication.k8s.io", "v1", "tokenreviews")
_ACCESS_REVIEWS = GVR("authorization.k8s.io", "v1", "subjectaccessreviews")
_VERBS = {"POST": "create", "GET": "get", "HEAD": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


class Access:
    """Asks the API server about everybody but itself."""

    def __init__(self, client: Client, node: str) -> None:
        self._client = client
        self._node = node

    async def check(self, request: web.Request) -> None:
        """Raises StatusError: unauthorized, forbidden, or internal error when the API server cannot be asked."""
        subject = certificate_subject(request)
        if subject.get("commonName") == [API_SERVER]:
            return
        try:
            user = await self._user(request, subject)
            allowed = await self._allowed(user, request)
        except OSError as error:
            raise internal_error(f"the API server cannot be asked: {error}") from None
        if not allowed:
            subresource = subresource_of(request.path)
            message = (
                f"Forbidden (user={user.get('username')}, verb={_verb(request)}, resource=nodes, "
                f"subresource={subresource})"
            )
            raise StatusError(403, "Forbidden", message)

    async def _user(self, request: web.Request, subject: dict[str, list[str]]) -> Obj:
        if subject:
            return {"username": (subject.get("commonName") or [""])[0], "groups": subject.get("organizationName") or []}
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise unauthorized()
        review = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenReview",
            "spec": {"token": token.strip()},
        }
        status = (await self._client.create(_TOKEN_REVIEWS, review)).get("status") or {}
        if not status.get("authenticated"):
            raise unauthorized()
        user: Obj = status.get("user") or {}
        return user

    async def _allowed(self, user: Obj, request: web.Request) -> bool:
        attributes = {
            "verb": _verb(request),
            "version": "v1",
            "resource": "nodes",
            "subresource": subresource_of(request.path),
            "name": self._node,
        }
        spec: Obj = {"user": user.get("username"), "groups": user.get("groups"), "resourceAttributes": attributes}
        spec |= {key: user[key] for key in ("uid", "extra") if user.get(key)}
        review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
        answer = await self._client.create(_ACCESS_REVIEWS, review)
        return bool((answer.get("status") or {}).get("allowed"))


def subresource_of(path: str) -> str:
    """Which of a node's subresources a path belongs to."""
    for prefix, subresource in (("/stats", "stats"), ("/metrics", "metrics"), ("/logs", "log")):
        if path == prefix or path.startswith(prefix + "/"):
            return subresource
    return "proxy"


def certificate_subject(request: web.Request) -> dict[str, list[str]]:
    """The subject of the caller's certificate (which TLS has verified) by attribute; empty without one."""
    transport = request.transport
    certificate: dict[str, Any] = (transport.get_extra_info("peercert") if transport is not None else None) or {}
    found: dict[str, list[str]] = {}
    for attributes in certificate.get("subject", ()):
        for key, value in attributes:
            found.setdefault(key, []).append(value)
    return found


def _verb(request: web.Request) -> str:
    return _VERBS.get(request.method, "")
