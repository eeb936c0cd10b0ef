"""The user that a TLS client certificate names: CN is the user, each O a group.

Source: kubernetes apiserver/pkg/authentication/request/x509.
"""

from __future__ import annotations

import hashlib
import ssl
from asyncio import BaseTransport
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from lateen.cluster.apiserver.request import User

CREDENTIAL_ID = "authentication.kubernetes.io/credential-id"


@dataclass(frozen=True, slots=True)
class _Identity:
    """Who a connection's certificate names, and when that counts (Unix time)."""

    user: User
    not_before: float
    not_after: float


class ClientCertificates:
    """Reads each connection's certificate once: it is the same for all of the connection's requests."""

    def __init__(self) -> None:
        self._known: WeakKeyDictionary[Any, _Identity | None] = WeakKeyDictionary()

    def user(self, transport: BaseTransport | None, now: float) -> User | None:
        """The peer's user, or None without a valid certificate. TLS has verified chain and purpose; `now` is Unix time.

        A connection may outlive its certificate, hence the look at the dates.
        """
        tls: Any = transport.get_extra_info("ssl_object") if transport is not None else None
        if tls is None:
            return None
        if tls not in self._known:
            self._known[tls] = _identity(tls)
        identity = self._known[tls]
        if identity is None or not identity.not_before <= now <= identity.not_after:
            return None
        return identity.user


def _identity(tls: Any) -> _Identity | None:
    certificate = tls.getpeercert()
    if not certificate:
        return None
    attributes = [pair for part in certificate.get("subject", ()) for pair in part]
    names = [value for name, value in attributes if name == "commonName"]
    if not names or not names[0]:
        return None
    groups = tuple(value for name, value in attributes if name == "organizationName")
    fingerprint = hashlib.sha256(tls.getpeercert(binary_form=True)).hexdigest()
    return _Identity(
        User(names[0], groups=groups, extra={CREDENTIAL_ID: (f"X509SHA256={fingerprint}",)}),
        ssl.cert_time_to_seconds(certificate["notBefore"]),
        ssl.cert_time_to_seconds(certificate["notAfter"]),
    )
