"""The user that a TLS client certificate names: CN is the user, each O a group.

Source: kubernetes apiserver/pkg/authentication/request/x509.
"""

from __future__ import annotations

import hashlib
import ssl
from asyncio import BaseTransport
from typing import Any

from lateen.cluster.apiserver.request import User

CREDENTIAL_ID = "authentication.kubernetes.io/credential-id"


def certificate_user(transport: BaseTransport | None, now: float) -> User | None:
    """The peer's user, or None without a valid certificate. TLS has verified chain and purpose; `now` is Unix time.

    A connection may outlive its certificate, hence the look at the dates.
    """
    tls: Any = transport.get_extra_info("ssl_object") if transport is not None else None
    certificate = tls.getpeercert() if tls is not None else None
    if not certificate:
        return None
    if (
        not ssl.cert_time_to_seconds(certificate["notBefore"])
        <= now
        <= ssl.cert_time_to_seconds(certificate["notAfter"])
    ):
        return None
    attributes = [pair for part in certificate.get("subject", ()) for pair in part]
    names = [value for name, value in attributes if name == "commonName"]
    if not names or not names[0]:
        return None
    groups = tuple(value for name, value in attributes if name == "organizationName")
    fingerprint = hashlib.sha256(tls.getpeercert(binary_form=True)).hexdigest()
    return User(names[0], groups=groups, extra={CREDENTIAL_ID: (f"X509SHA256={fingerprint}",)})
