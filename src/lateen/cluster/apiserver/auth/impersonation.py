"""Acting as somebody else: the `Impersonate-*` headers, each of which needs the right to `impersonate`.

Source: kubernetes apiserver/pkg/endpoints/filters/impersonation.go.
"""

from __future__ import annotations

import logging
from urllib.parse import unquote

from multidict import CIMultiDict, CIMultiDictProxy

from lateen.cluster.apiserver.auth import service_account
from lateen.cluster.apiserver.auth.authenticator import ANONYMOUS, AUTHENTICATED
from lateen.cluster.apiserver.auth.rbac import Authorizer
from lateen.cluster.apiserver.request import RequestInfo, User
from lateen.cluster.status import internal_error

_EXTRA_PREFIX = "impersonate-extra-"
_AUTHENTICATION = "authentication.k8s.io"
_UNAUTHENTICATED = ANONYMOUS.groups[0]

_log = logging.getLogger(__name__)

Headers = CIMultiDict[str] | CIMultiDictProxy[str]


def impersonate(user: User, headers: Headers, authorizer: Authorizer) -> User:
    """Whom the request acts as: the user itself when no header asks for another.

    Raises StatusError 403 without the right to, 500 (as Kubernetes) for groups or extras without a user.
    """
    name = headers.get("Impersonate-User", "")
    groups = headers.getall("Impersonate-Group", [])
    uid = headers.get("Impersonate-Uid", "")
    extra: dict[str, list[str]] = {}
    for header, value in headers.items():
        if header.lower().startswith(_EXTRA_PREFIX):
            extra.setdefault(unquote(header[len(_EXTRA_PREFIX) :].lower()), []).append(value)
    if not name:
        if groups or uid or extra:
            raise internal_error("impersonating a group, uid or extra without impersonating a user")
        return user
    account = service_account.parse_username(name)
    if account is not None:
        authorizer.require(user, _right("", "serviceaccounts", account[1], namespace=account[0]))
        groups = groups or list(service_account.groups(account[0]))
    else:
        authorizer.require(user, _right("", "users", name))
    for group in headers.getall("Impersonate-Group", []):
        authorizer.require(user, _right("", "groups", group))
    for key, values in extra.items():
        for value in values:
            authorizer.require(user, _right(_AUTHENTICATION, "userextras", value, subresource=key))
    if uid:
        authorizer.require(user, _right(_AUTHENTICATION, "uids", uid))
    if name == ANONYMOUS.name:
        groups = groups if _UNAUTHENTICATED in groups else [*groups, _UNAUTHENTICATED]
    elif AUTHENTICATED not in groups and _UNAUTHENTICATED not in groups:
        groups = [*groups, AUTHENTICATED]
    _log.debug("%s acts as %s", user.name, name)
    return User(name, uid, tuple(groups), {key: tuple(values) for key, values in extra.items()})


def _right(group: str, plural: str, name: str, *, namespace: str = "", subresource: str = "") -> RequestInfo:
    return RequestInfo("", "impersonate", group, "v1", plural, namespace, name, subresource)
