"""Decides whom a ServiceAccount token stands for now: signature, times, and whether what it is bound to still exists.

Source: kubernetes pkg/serviceaccount (jwt.go, claims.go, legacy.go).
"""

from __future__ import annotations

import datetime as dt
import hmac
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from lateen.cluster.apiserver.auth import service_account
from lateen.cluster.apiserver.auth.rule import quoted
from lateen.cluster.apiserver.auth.service_account import Bound, Reference
from lateen.cluster.apiserver.auth.token_keys import InvalidTokenError, TokenKeys
from lateen.cluster.apiserver.request import User
from lateen.cluster.apiserver.store.store import Store
from lateen.cluster.objects import Key, Obj, metadata, parse_timestamp, uid_of

LEEWAY = dt.timedelta(seconds=60)
"""How long a token outlives the start of its account's or pod's deletion, so that shutdown can still be reported."""

_SKEW_SECONDS = 60
"""Clock differences forgiven in `nbf`/`iat` (source: go-jose `DefaultLeeway`)."""

Clock = Callable[[], dt.datetime]


@dataclass(frozen=True, slots=True)
class VerifiedToken:
    """Whom a token stands for, and the audiences it was made for."""

    user: User
    audiences: tuple[str, ...]


class TokenVerifier:
    """Verifies tokens against the stored ServiceAccounts, Pods, Secrets and Nodes."""

    def __init__(self, keys: TokenKeys, store: Store, clock: Clock) -> None:
        self._keys = keys
        self._store = store
        self._clock = clock

    def verify(self, token: str, audiences: Sequence[str]) -> VerifiedToken:
        """`audiences` are those accepted; the result has the ones that the token shares. Raises InvalidTokenError."""
        claims = self._keys.verify(token)
        issuer = claims.get("iss")
        if issuer == service_account.ISSUER:
            verified = self._verify_claims(claims)
        elif issuer == service_account.LEGACY_ISSUER:
            verified = self._verify_legacy(claims, token)
        else:
            raise InvalidTokenError("token was issued by somebody else")
        shared = tuple(a for a in audiences if a in verified.audiences)
        if not shared:
            made_for, wanted = quoted(verified.audiences), quoted(audiences)
            raise InvalidTokenError(f"token audiences {made_for} is invalid for the target audiences {wanted}")
        return VerifiedToken(verified.user, shared)

    def _verify_claims(self, claims: Obj) -> VerifiedToken:
        now = self._clock()
        seconds = now.timestamp()
        if seconds > _number(claims, "exp"):
            raise InvalidTokenError("service account token has expired")
        if seconds + _SKEW_SECONDS < _number(claims, "nbf"):
            raise InvalidTokenError("service account token is not valid yet")
        private = claims.get("kubernetes.io")
        if not isinstance(private, dict):
            raise InvalidTokenError("token has no kubernetes.io claims")
        namespace = str(private.get("namespace") or "")
        account = _reference(private, "serviceaccount")
        if account is None:
            raise InvalidTokenError("token names no service account")
        name = service_account.username(namespace, account.name)
        if claims.get("sub") != name:
            raise InvalidTokenError("token subject does not match its service account")
        self._require("serviceaccounts", namespace, account, now, f"service account {namespace}/{account.name}")
        bound = Bound(_reference(private, "pod"), _reference(private, "secret"), _reference(private, "node"))
        if bound.secret is not None:
            self._require("secrets", namespace, bound.secret, now, f"bound secret {bound.secret.name}")
        if bound.pod is not None:
            self._require("pods", namespace, bound.pod, now, f"bound pod {bound.pod.name}")
        elif bound.node is not None:
            # With a pod the node is information only; the pod's own existence is what counts.
            self._require("nodes", "", bound.node, now, f"bound node {bound.node.name}")
        audiences = claims.get("aud")
        listed = [audiences] if isinstance(audiences, str) else audiences or []
        user = service_account.user(namespace, account.name, account.uid, bound, str(claims.get("jti") or ""))
        return VerifiedToken(user, tuple(str(a) for a in listed))

    def _require(self, plural: str, namespace: str, reference: Reference, now: dt.datetime, what: str) -> None:
        found = self._store.get(("", plural), Key(namespace, reference.name))
        if found is None:
            raise InvalidTokenError(f"{what} has been deleted")
        if uid_of(found) != reference.uid:
            raise InvalidTokenError(f"{what} UID ({uid_of(found)}) does not match claim ({reference.uid})")
        deleted = metadata(found).get("deletionTimestamp")
        if deleted and parse_timestamp(deleted) < now - LEEWAY:
            raise InvalidTokenError(f"{what} has been deleted")

    def _verify_legacy(self, claims: Obj, token: str) -> VerifiedToken:
        prefix = "kubernetes.io/serviceaccount/"
        namespace = str(claims.get(f"{prefix}namespace") or "")
        name = str(claims.get(f"{prefix}service-account.name") or "")
        uid = str(claims.get(f"{prefix}service-account.uid") or "")
        secret_name = str(claims.get(f"{prefix}secret.name") or "")
        if not namespace or not name or claims.get("sub") != service_account.username(namespace, name):
            raise InvalidTokenError("token subject does not match its service account")
        now = self._clock()
        self._require("serviceaccounts", namespace, Reference(name, uid), now, f"service account {namespace}/{name}")
        secret = self._store.get(("", "secrets"), Key(namespace, secret_name))
        if secret is None or metadata(secret).get("deletionTimestamp"):
            raise InvalidTokenError("service account token has been invalidated")
        try:
            kept = b64decode((secret.get("data") or {}).get("token") or "", validate=True)
        except (Base64Error, ValueError, TypeError):
            kept = b""
        if not hmac.compare_digest(kept, token.encode("utf-8", "surrogateescape")):
            raise InvalidTokenError("service account token does not match server's copy")
        user = service_account.user(namespace, name, uid, Bound(), "")
        return VerifiedToken(user, (service_account.ISSUER,))


def _number(claims: Obj, name: str) -> float:
    value: Any = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidTokenError(f"token has no usable {name}")
    return value


def _reference(private: Obj, kind: str) -> Reference | None:
    value = private.get(kind)
    if not isinstance(value, dict):
        return None
    return Reference(str(value.get("name") or ""), str(value.get("uid") or ""))
