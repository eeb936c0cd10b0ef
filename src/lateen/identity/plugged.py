"""An authority out of the files of a Secret: `cacerts` as operators plug it in, `istio-ca-secret` as istiod keeps it.

Names of files are Istio's (`ca-cert.pem`, `ca-key.pem`, `cert-chain.pem`, `root-cert.pem`), or those of
kubernetes.io/tls (`tls.crt`, `tls.key`, `ca.crt`), which cert-manager writes. All is checked before anything is signed:
a mesh whose authority does not hold together would find out by failed handshakes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final, NamedTuple, TypeVar

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from lateen.api.schema.fault import Fault, Severity, error, warning
from lateen.identity.authority import Authority, SigningKey, is_self_issued

E = TypeVar("E", bound=x509.ExtensionType)

CURVES: Final = ("secp256r1", "secp384r1", "secp521r1")
"""That Envoy takes."""
SMALLEST_RSA: Final = 2048
LARGEST_RSA: Final = 8192
_LONGEST_PATH: Final = 8
_SOON: Final = timedelta(days=30)


class FileNames(NamedTuple):
    """How one convention calls the parts."""

    certificate: str
    key: str
    chain: str
    """Intermediates; may be missing."""
    roots: str
    """May be missing where the signing certificate is a root itself."""


ISTIO_NAMES: Final = FileNames("ca-cert.pem", "ca-key.pem", "cert-chain.pem", "root-cert.pem")
TLS_NAMES: Final = FileNames("tls.crt", "tls.key", "tls.crt", "ca.crt")


class Loaded(msgspec.Struct, frozen=True):
    """What came of files."""

    authority: Authority | None
    """None iff some fault is an error."""
    faults: tuple[Fault, ...] = ()
    """With paths like `data[ca-key.pem]`."""


def load(files: Mapping[str, bytes], now: datetime) -> Loaded:
    """Never raises, whatever the files contain."""
    names = TLS_NAMES if not files.get(ISTIO_NAMES.certificate) and files.get(TLS_NAMES.certificate) else ISTIO_NAMES
    faults: list[Fault] = []
    certificates = _certificates(files, names.certificate, faults)
    key = _key(files, names.key, faults)
    more = _certificates(files, names.chain, faults) if files.get(names.chain) else ()
    roots = _roots(files, names, certificates, faults)
    if faults or not certificates or key is None:
        return Loaded(None, tuple(faults))
    signing = certificates[0]
    if _public_bytes(signing) != key.public_key().public_bytes(*_PUBLIC):
        faults.append(error(f"data[{names.key}]", f"is not the key of the certificate in {names.certificate}"))
    found = _path(signing, (*certificates[1:], *more), roots)
    if found is None:
        faults.append(
            error(f"data[{names.certificate}]", f"no chain leads from this certificate to one of {names.roots}")
        )
        found = (), signing
    path, anchor = found
    faults.extend(_check_signers((signing, *(each for each in (*path[1:], anchor) if each != signing)), names, now))
    if any(fault.severity is Severity.ERROR for fault in faults):
        return Loaded(None, tuple(faults))
    # The root that signs is the last: there are clients that look at that alone.
    roots = (*(each for each in roots if each != anchor), anchor)
    return Loaded(Authority(signing, key, path, roots, anchor), tuple(faults))


# --- reading ------------------------------------------------------------------------------------------------------


def _certificates(files: Mapping[str, bytes], name: str, faults: list[Fault]) -> tuple[x509.Certificate, ...]:
    if not files.get(name):
        faults.append(error(f"data[{name}]", "is missing"))
        return ()
    try:
        return tuple(x509.load_pem_x509_certificates(files[name]))
    except (ValueError, x509.InvalidVersion):
        faults.append(error(f"data[{name}]", "expected certificates as PEM"))
        return ()


def _roots(
    files: Mapping[str, bytes], names: FileNames, signing: tuple[x509.Certificate, ...], faults: list[Fault]
) -> tuple[x509.Certificate, ...]:
    """Each once. A self-signed authority's own certificate where none are given, as istiod has always kept them."""
    if not files.get(names.roots) and signing and is_self_issued(signing[0]):
        return signing[:1]
    return tuple(dict.fromkeys(_certificates(files, names.roots, faults)))


def _key(files: Mapping[str, bytes], name: str, faults: list[Fault]) -> SigningKey | None:
    try:
        return _read_key(files.get(name, b""))
    except _Unusable as unusable:
        faults.append(error(f"data[{name}]", str(unusable)))
        return None


class _Unusable(Exception):
    """A key that cannot sign for a mesh."""


def _read_key(pem: bytes) -> SigningKey:
    if not pem:
        raise _Unusable("is missing")
    try:
        key = load_pem_private_key(pem, None)
    except TypeError:
        raise _Unusable("the private key is encrypted: expected one without a password") from None
    except (ValueError, UnsupportedAlgorithm):
        raise _Unusable("expected a private key as PEM") from None
    match key:
        case rsa.RSAPrivateKey():
            if not SMALLEST_RSA <= key.key_size <= LARGEST_RSA:
                raise _Unusable(f"expected an RSA key of {SMALLEST_RSA} to {LARGEST_RSA} bits, found {key.key_size}")
            return key
        case ec.EllipticCurvePrivateKey():
            if key.curve.name not in CURVES:
                raise _Unusable(f"expected a key on P-256, P-384 or P-521, found {key.curve.name}")
            return key
        case _:
            raise _Unusable("expected an RSA or EC key")


# --- checking -----------------------------------------------------------------------------------------------------


_PUBLIC: Final = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _public_bytes(certificate: x509.Certificate) -> bytes:
    try:
        return certificate.public_key().public_bytes(*_PUBLIC)
    except (ValueError, UnsupportedAlgorithm):
        return b""


def _path(
    signing: x509.Certificate, others: Iterable[x509.Certificate], roots: tuple[x509.Certificate, ...]
) -> tuple[tuple[x509.Certificate, ...], x509.Certificate] | None:
    """The shortest path from a certificate up to below a root, and that root. None when there is none."""
    if signing in roots:
        return (), signing
    between = tuple(dict.fromkeys(each for each in others if each not in roots and each != signing))
    paths: list[tuple[x509.Certificate, ...]] = [(signing,)]
    for _ in range(_LONGEST_PATH):
        for path in paths:
            for root in roots:
                if _issued(path[-1], root):
                    return path, root
        paths = [(*path, each) for path in paths for each in between if each not in path and _issued(path[-1], each)]
    return None


def _issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _check_signers(signers: tuple[x509.Certificate, ...], names: FileNames, now: datetime) -> list[Fault]:
    """Of the signing certificate and all above it."""
    faults = []
    for below, certificate in enumerate(signers):
        place = names.certificate if below == 0 else names.roots if below == len(signers) - 1 else names.chain
        where, called = f"data[{place}]", certificate.subject.rfc4514_string()
        problem = _why_not_ca(certificate, below)
        if problem:
            faults.append(error(where, f"{called}: {problem}"))
        begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        if now >= end:
            faults.append(error(where, f"{called}: expired at {end.isoformat()}"))
        elif now < begin:
            faults.append(error(where, f"{called}: not valid before {begin.isoformat()}"))
        elif end - now < _SOON:
            faults.append(warning(where, f"{called}: expires at {end.isoformat()}"))
    return faults


def _why_not_ca(certificate: x509.Certificate, below: int) -> str:
    """Empty when it may sign, with `below` authorities between it and leaves."""
    try:
        basic = _extension(certificate, x509.BasicConstraints)
        usage = _extension(certificate, x509.KeyUsage)
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        return "has extensions that cannot be read"
    if basic is None or not basic.ca:
        return "is not a certificate authority (basicConstraints)"
    if basic.path_length is not None and basic.path_length < below:
        return f"allows {basic.path_length} authorities below itself, and has {below}"
    if usage is not None and not usage.key_cert_sign:
        return "may not sign certificates (keyUsage)"
    return ""


def _extension(certificate: x509.Certificate, type_: type[E]) -> E | None:
    try:
        return certificate.extensions.get_extension_for_class(type_).value
    except x509.ExtensionNotFound:
        return None
