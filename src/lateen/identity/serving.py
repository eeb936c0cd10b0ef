"""The control plane's own certificate, by which agents and the API server's webhooks know it."""

from __future__ import annotations

import os
import ssl
from datetime import datetime, timedelta

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from lateen.identity.authority import Authority
from lateen.identity.signing import sign_leaf


class ServingCertificate(msgspec.Struct, frozen=True):
    """A chain and its key, as PEM. The key is new and has been nowhere else."""

    chain: str
    key: str
    not_after: datetime

    def __repr__(self) -> str:
        return f"ServingCertificate(not_after={self.not_after.isoformat()})"


def serving_certificate(
    authority: Authority, names: tuple[str, ...], *, now: datetime, life: timedelta = timedelta(days=1)
) -> ServingCertificate:
    """For a server of these DNS names (`istiod.istio-system.svc`). Raises AuthorityExpired.

    Make another one when the authority changes, and well before `not_after`.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    hosts = [x509.DNSName(name) for name in names]
    issued = sign_leaf(authority, key.public_key(), x509.Name([]), hosts, now=now, life=life)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return ServingCertificate("".join((issued.certificate, *issued.path)), private, issued.not_after)


def load_pair(context: ssl.SSLContext, chain: str, key: str) -> None:
    """Has a server's context present this chain (PEM) from now on. Raises ssl.SSLError.

    OpenSSL reads pairs from files alone: there is one for a moment, in memory and without a name.
    """
    descriptor = os.memfd_create("serving", os.MFD_CLOEXEC)
    with os.fdopen(descriptor, "w") as file:
        file.write(f"{chain.rstrip()}\n{key}")
        file.flush()
        # Keys with a password are refused rather than asked about at a terminal.
        context.load_cert_chain(f"/proc/self/fd/{descriptor}", password="")
