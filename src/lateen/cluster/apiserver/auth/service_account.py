"""The identity of a ServiceAccount, and the claims that tokens carry of it.

Source: kubernetes pkg/serviceaccount (claims.go, legacy.go, util.go).
"""

from __future__ import annotations

from dataclasses import dataclass

from lateen.cluster.apiserver.request import User
from lateen.cluster.objects import Obj, name_of, namespace_of, uid_of

ISSUER = "https://kubernetes.default.svc.cluster.local"
"""`iss` of the tokens we sign, and the audience of those meant for the API server."""
LEGACY_ISSUER = "kubernetes/serviceaccount"
"""`iss` of the tokens kept in Secrets, which never expire."""
TOKEN_SECRET_TYPE = "kubernetes.io/service-account-token"
SECRET_NAME_ANNOTATION = "kubernetes.io/service-account.name"
SECRET_UID_ANNOTATION = "kubernetes.io/service-account.uid"

_PREFIX = "system:serviceaccount:"
_EXTRA = "authentication.kubernetes.io/"


@dataclass(frozen=True, slots=True)
class Reference:
    """A named object as it was when something was bound to it."""

    name: str
    uid: str

    @classmethod
    def to(cls, obj: Obj) -> Reference:
        return cls(name_of(obj), uid_of(obj))

    def to_json(self) -> Obj:
        return {"name": self.name, "uid": self.uid}


@dataclass(frozen=True, slots=True)
class Bound:
    """What a token is bound to: it dies with any of these."""

    pod: Reference | None = None
    secret: Reference | None = None
    node: Reference | None = None


def username(namespace: str, name: str) -> str:
    return f"{_PREFIX}{namespace}:{name}"


def parse_username(user: str) -> tuple[str, str] | None:
    """(namespace, name) when `user` is a ServiceAccount's user name."""
    if not user.startswith(_PREFIX):
        return None
    namespace, colon, name = user[len(_PREFIX) :].partition(":")
    return (namespace, name) if colon and namespace and name and ":" not in name else None


def groups(namespace: str) -> tuple[str, ...]:
    return ("system:serviceaccounts", f"system:serviceaccounts:{namespace}")


def user(namespace: str, name: str, uid: str, bound: Bound, token_id: str) -> User:
    """The user a token stands for (without `system:authenticated`, which the authenticator adds)."""
    extra: dict[str, tuple[str, ...]] = {}
    if token_id:
        extra[f"{_EXTRA}credential-id"] = (f"JTI={token_id}",)
    for kind, reference in (("pod", bound.pod), ("node", bound.node)):
        if reference is not None:
            extra[f"{_EXTRA}{kind}-name"] = (reference.name,)
            if reference.uid:
                extra[f"{_EXTRA}{kind}-uid"] = (reference.uid,)
    return User(username(namespace, name), uid, groups(namespace), extra)


def claims(
    account: Obj,
    bound: Bound,
    audiences: list[str],
    *,
    now: int,
    seconds: int,
    token_id: str,
    warn_after: int | None = None,
) -> Obj:
    """Claims of a token valid from `now` (Unix seconds) for `seconds`."""
    private: Obj = {"namespace": namespace_of(account), "serviceaccount": Reference.to(account).to_json()}
    for kind, reference in (("pod", bound.pod), ("secret", bound.secret), ("node", bound.node)):
        if reference is not None:
            private[kind] = reference.to_json()
    if warn_after is not None:
        private["warnafter"] = now + warn_after
    return {
        "aud": audiences,
        "exp": now + seconds,
        "iat": now,
        "iss": ISSUER,
        "jti": token_id,
        "kubernetes.io": dict(sorted(private.items())),
        "nbf": now,
        "sub": username(namespace_of(account), name_of(account)),
    }


def legacy_claims(account: Obj, secret_name: str) -> Obj:
    """Claims of a token kept in a Secret."""
    prefix = "kubernetes.io/serviceaccount/"
    return {
        "iss": LEGACY_ISSUER,
        f"{prefix}namespace": namespace_of(account),
        f"{prefix}secret.name": secret_name,
        f"{prefix}service-account.name": name_of(account),
        f"{prefix}service-account.uid": uid_of(account),
        "sub": username(namespace_of(account), name_of(account)),
    }
