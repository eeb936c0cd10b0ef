"""`serviceaccounts/token`: makes a token for a ServiceAccount, bound to a Pod, Secret or Node when asked.

Source: kubernetes pkg/registry/core/serviceaccount/storage/token.go and pkg/apis/authentication/validation.
"""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

from aiohttp import web

from lateen.cluster.apiserver.auth import service_account
from lateen.cluster.apiserver.auth.authenticator import API_AUDIENCES
from lateen.cluster.apiserver.auth.node_authorizer import node_of
from lateen.cluster.apiserver.auth.review import member, spec_of, text, texts
from lateen.cluster.apiserver.auth.service_account import Bound, Reference
from lateen.cluster.apiserver.auth.token_keys import TokenKeys
from lateen.cluster.apiserver.auth.token_verifier import Clock
from lateen.cluster.apiserver.request import User
from lateen.cluster.apiserver.rest.call import Call
from lateen.cluster.apiserver.store.store import Store
from lateen.cluster.objects import GVK, Key, Obj, metadata, name_of, namespace_of, split_api_version, timestamp, uid_of
from lateen.cluster.status import (
    Cause,
    StatusError,
    bad_request,
    conflict,
    forbidden,
    invalid,
    invalid_value,
    not_found,
)

DEFAULT_SECONDS = 3600
MIN_SECONDS = 600
MAX_SECONDS = 1 << 32
WARN_ONLY_SECONDS = 3607
"""The lifetime that marks the token of the default volume: such a token works for a year, and only warns earlier, for
the sake of clients that read it once (source: `WarnOnlyBoundTokenExpirationSeconds`)."""
EXTENDED_SECONDS = 365 * 24 * 3600


class TokenRequests:
    """Answers TokenRequests."""

    def __init__(self, keys: TokenKeys, store: Store, clock: Clock) -> None:
        self._keys = keys
        self._store = store
        self._clock = clock

    async def create(self, call: Call) -> web.StreamResponse:
        return call.respond(self.answer(await call.read_object(), call.key, call.ctx.user), 201)

    def answer(self, request: Obj, key: Key, requester: User) -> Obj:
        """The TokenRequest with its status. Raises StatusError."""
        account = self._store.get(("", "serviceaccounts"), key)
        if account is None:
            raise not_found("", "serviceaccounts", key.name)
        spec = spec_of(request)
        seconds = _expiration(spec, key.name)
        audiences = texts(spec, "audiences") or list(API_AUDIENCES)
        bound = self._bound(spec, account)
        self._restrict_node(requester, account, bound)
        now = self._clock()
        lifetime, warn_after = seconds, None
        if seconds == WARN_ONLY_SECONDS and bound.pod is not None and audiences == list(API_AUDIENCES):
            lifetime, warn_after = EXTENDED_SECONDS, seconds
        claims = service_account.claims(
            account,
            bound,
            audiences,
            now=int(now.timestamp()),
            seconds=lifetime,
            token_id=str(uuid.uuid4()),
            warn_after=warn_after,
        )
        return {
            "kind": "TokenRequest",
            "apiVersion": "authentication.k8s.io/v1",
            "metadata": {"name": key.name, "namespace": key.namespace, "creationTimestamp": timestamp(now)},
            "spec": {
                "audiences": audiences,
                "expirationSeconds": seconds,
                "boundObjectRef": spec.get("boundObjectRef"),
            },
            "status": {
                "token": self._keys.sign(claims),
                "expirationTimestamp": timestamp(now + dt.timedelta(seconds=seconds)),
            },
        }

    def _bound(self, spec: Obj, account: Obj) -> Bound:
        reference = member(spec, "boundObjectRef")
        if not reference:
            return Bound()
        name, uid = text(reference, "name"), text(reference, "uid")
        gvk = GVK(*split_api_version(text(reference, "apiVersion")), text(reference, "kind"))
        match gvk:
            case GVK("", "v1", "Pod"):
                pod = self._find("pods", "Pod", Key(namespace_of(account), name), uid)
                pod_spec = pod.get("spec") or {}
                if (pod_spec.get("serviceAccountName") or "default") != name_of(account):
                    raise bad_request(
                        f'cannot bind token for serviceaccount "{name_of(account)}" to pod running with '
                        "different serviceaccount name."
                    )
                node = self._store.get(("", "nodes"), Key("", pod_spec.get("nodeName") or ""))
                return Bound(pod=Reference.to(pod), node=Reference.to(node) if node is not None else None)
            case GVK("", "v1", "Secret"):
                secret = self._find("secrets", "Secret", Key(namespace_of(account), name), uid)
                return Bound(secret=Reference.to(secret))
            case GVK("", "v1", "Node"):
                return Bound(node=Reference.to(self._find("nodes", "Node", Key("", name), uid)))
        shown = f"{gvk.api_version}, Kind={gvk.kind}"
        raise bad_request(f"cannot bind token to object of type {shown}")

    def _find(self, plural: str, kind: str, key: Key, uid: str) -> Obj:
        found = self._store.get(("", plural), key)
        if found is None:
            raise not_found("", plural, key.name)
        if uid and uid != uid_of(found):
            raise conflict(
                "",
                kind,
                key.name,
                f"the UID in the bound object reference ({uid}) does not match the UID in record. "
                "The object might have been deleted and then recreated",
            )
        return found

    def _restrict_node(self, requester: User, account: Obj, bound: Bound) -> None:
        """A node gets tokens only for pods that run on it (source: the NodeRestriction admission plugin)."""
        node = node_of(requester)
        if node is None:
            return
        if bound.pod is None:
            raise _node_refusal(account, "node requested token not bound to a pod")
        pod = self._store.get(("", "pods"), Key(namespace_of(account), bound.pod.name))
        if pod is None or (pod.get("spec") or {}).get("nodeName") != node:
            raise _node_refusal(account, "node requested token bound to a pod scheduled on a different node")


def _node_refusal(account: Obj, detail: str) -> StatusError:
    return forbidden("", "serviceaccounts", str(metadata(account).get("name")), detail)


def _expiration(spec: Obj, name: str) -> int:
    value: Any = spec.get("expirationSeconds")
    if value is None:
        return DEFAULT_SECONDS
    if isinstance(value, bool) or not isinstance(value, int):
        raise bad_request("expirationSeconds: expected an integer")
    cause: Cause | None = None
    if value < MIN_SECONDS:
        cause = invalid_value("spec.expirationSeconds", value, "may not specify a duration less than 10 minutes")
    elif value > MAX_SECONDS:
        cause = invalid_value("spec.expirationSeconds", value, "may not specify a duration larger than 2^32 seconds")
    if cause is not None:
        raise invalid("authentication.k8s.io", "TokenRequest", name, [cause])
    return value
