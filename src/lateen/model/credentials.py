"""Certificates, keys and authorities out of Kubernetes Secrets, checked before any Envoy sees them.

A Secret holds them as `tls.crt`, `tls.key`, `ca.crt`, `ca.crl` and `tls.ocsp-staple` (type kubernetes.io/tls), or as
`cert`, `key`, `cacert` and `crl` (Istio: pilot/pkg/credentials/kube). Authorities may be in a Secret of their own,
called `<name>-cacert`. Whether a certificate has expired depends on the clock and is nothing a query may tell:
`lifetime` gives what to compare the clock with.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final, NamedTuple

import msgspec
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from lateen.api.kubernetes.secret import Secret
from lateen.api.objects import Key, ObjectRef
from lateen.engine import Reader, query
from lateen.model.fault import ConfigError
from lateen.model.inputs import SECRETS

AUTHORITIES_SUFFIX: Final = "-cacert"
"""Ends the name of a credential that stands for authorities alone."""
OF_PROXY: Final = "kubernetes://"
"""A Secret of the proxy's cluster: `kubernetes://name` or `kubernetes://namespace/name`."""
OF_CONFIG: Final = "kubernetes-gateway://"
"""A Secret of the cluster the configuration is read from: `kubernetes-gateway://namespace/name`."""

_PAIRS: Final = (("cert", "key"), ("tls.crt", "tls.key"))
_ROOTS: Final = (("cacert", "crl"), ("ca.crt", "ca.crl"))
_STAPLE: Final = "tls.ocsp-staple"
_CURVES: Final = ("secp256r1", "secp384r1", "secp521r1")
_SMALLEST_RSA: Final = 2048


class Credential(msgspec.Struct, frozen=True):
    """A certificate chain and its private key, as PEM."""

    certificate: bytes
    key: bytes
    staple: bytes = b""
    """OCSP response, DER; empty when there is none."""


class Authorities(msgspec.Struct, frozen=True):
    """Roots that client certificates are verified with, as PEM."""

    roots: bytes
    revoked: bytes = b""
    """Revocation lists, PEM; empty when there are none."""


class Lifetime(NamedTuple):
    """When a certificate chain is valid: while all of its certificates are."""

    not_before: datetime
    not_after: datetime


def wrong_scheme(name: str) -> str:
    """Why nobody serves a credential of this name; empty where it is the name of a Secret."""
    scheme, separator, _ = name.partition("://")
    if not separator or name.startswith((OF_PROXY, OF_CONFIG)):
        return ""
    return f"{scheme}:// is not supported yet by this version: name a Secret"


@query
def credential(db: Reader, key: Key) -> Credential:
    """Certificate and key of a Secret. Raises ConfigError if it is missing, or nothing that Envoy would take."""
    data = _secret(db, key).values
    for certificate, private in _PAIRS:
        if data.get(certificate) and data.get(private):
            chain = _certificates(key, certificate, data[certificate])
            _check_pair(key, certificate, chain[0], private, _private_key(key, private, data[private]))
            return Credential(data[certificate], data[private], data.get(_STAPLE, b""))
    expected = " or ".join(f"{certificate} and {private}" for certificate, private in _PAIRS)
    raise _wrong(key, "data", f"expected {expected}, {_found(data)}")


@query
def authorities(db: Reader, key: Key) -> Authorities:
    """Roots of a Secret, or of the Secret without the suffix `-cacert`. Raises ConfigError as `credential` does."""
    if SECRETS.get(db, key) is None and key.name.endswith(AUTHORITIES_SUFFIX):
        key = key._replace(name=key.name.removesuffix(AUTHORITIES_SUFFIX))
    data = _secret(db, key).values
    for roots, revoked in _ROOTS:
        if data.get(roots):
            _certificates(key, roots, data[roots])
            if data.get(revoked):
                _check_revoked(key, revoked, data[revoked])
            return Authorities(data[roots], data.get(revoked, b""))
    raise _wrong(key, "data", f"expected {' or '.join(roots for roots, _ in _ROOTS)}, {_found(data)}")


@query
def lifetime(db: Reader, key: Key) -> Lifetime:
    """When the certificate chain of a Secret is valid. Raises ConfigError as `credential` does."""
    chain = x509.load_pem_x509_certificates(credential(db, key).certificate)
    return Lifetime(max(each.not_valid_before_utc for each in chain), min(each.not_valid_after_utc for each in chain))


def _secret(db: Reader, key: Key) -> Secret:
    found = SECRETS.get(db, key)
    if found is None:
        raise _wrong(key, "", "there is no such Secret")
    return found


def _wrong(key: Key, path: str, message: str) -> ConfigError:
    return ConfigError(ObjectRef("Secret", key), path, message)


def _found(data: dict[str, bytes]) -> str:
    empty = sorted(name for name, value in data.items() if not value)
    if empty:
        return f"found {', '.join(empty)} empty"
    names = sorted(data)
    if not names:
        return "found nothing"
    return f"found {', '.join(names[:3])}" + (f" and {len(names) - 3} more" if len(names) > 3 else "")


# --- checks -------------------------------------------------------------------------------------------------------


def _certificates(key: Key, name: str, pem: bytes) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(pem)
    except (ValueError, x509.InvalidVersion):
        raise _wrong(key, f"data[{name}]", "expected certificates as PEM") from None


def _private_key(key: Key, name: str, pem: bytes) -> PrivateKeyTypes:
    try:
        return load_pem_private_key(pem, None, unsafe_skip_rsa_key_validation=True)
    except TypeError:
        raise _wrong(key, f"data[{name}]", "the private key is encrypted: expected one without a password") from None
    except (ValueError, UnsupportedAlgorithm):
        raise _wrong(key, f"data[{name}]", "expected a private key as PEM") from None


def _check_pair(
    key: Key, certificate_name: str, certificate: x509.Certificate, key_name: str, private: PrivateKeyTypes
) -> None:
    """What Envoy would refuse."""
    match private:
        case rsa.RSAPrivateKey():
            if private.key_size < _SMALLEST_RSA:
                raise _wrong(key, f"data[{key_name}]", f"expected an RSA key of at least {_SMALLEST_RSA} bits")
        case ec.EllipticCurvePrivateKey():
            if private.curve.name not in _CURVES:
                raise _wrong(key, f"data[{key_name}]", f"expected a key on P-256, P-384 or P-521: {private.curve.name}")
        case _:
            raise _wrong(key, f"data[{key_name}]", "expected an RSA or ECDSA key")
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    try:
        certified = certificate.public_key().public_bytes(*form)
    except (ValueError, UnsupportedAlgorithm):
        certified = b""
    if certified != private.public_key().public_bytes(*form):
        raise _wrong(key, f"data[{key_name}]", f"is not the key of the first certificate in {certificate_name}")


def _check_revoked(key: Key, name: str, pem: bytes) -> None:
    try:
        x509.load_pem_x509_crl(pem)
    except (ValueError, x509.InvalidVersion):
        raise _wrong(key, f"data[{name}]", "expected a certificate revocation list as PEM") from None
