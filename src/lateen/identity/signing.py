"""Signs a certificate for a workload. Of its request only the public key counts; all else is what has been proven."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from lateen.identity.authority import Authority, SigningKey, pem
from lateen.identity.facts import WorkloadFacts, subject
from lateen.identity.plugged import CURVES, LARGEST_RSA, SMALLEST_RSA
from lateen.identity.self_signed import CLOCK_SKEW
from lateen.model.identity import PeerIdentity

LARGEST_REQUEST: Final = 16 * 1024
"""Bytes of a signing request (PEM)."""

PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey


class BadSigningRequest(ValueError):
    """What is asked for cannot be signed; the message says why, for whoever asked."""


class AuthorityExpired(Exception):
    """The authority's own certificates are not valid now: nobody would believe what it signs."""


class Validity(msgspec.Struct, frozen=True):
    """How long certificates are valid (Istio: DEFAULT_WORKLOAD_CERT_TTL, MAX_WORKLOAD_CERT_TTL)."""

    default: timedelta = timedelta(hours=24)
    """Where nothing is asked for."""
    longest: timedelta = timedelta(days=90)
    """Who asks for more is refused."""


class Issued(msgspec.Struct, frozen=True):
    """A certificate with all that goes with it, each one PEM."""

    certificate: str
    path: tuple[str, ...]
    """Intermediates, to be presented with it."""
    roots: tuple[str, ...]
    """To be trusted."""
    serial: int
    not_before: datetime
    not_after: datetime

    @property
    def chain(self) -> tuple[str, ...]:
        """As Istio's service answers: the leaf first, roots last."""
        return (self.certificate, *self.path, *self.roots)


def public_key_of(request: bytes) -> PublicKey:
    """The key that a signing request (PEM) proves to have. Raises BadSigningRequest."""
    if len(request) > LARGEST_REQUEST:
        raise BadSigningRequest(f"the signing request has {len(request)} bytes; at most {LARGEST_REQUEST} are read")
    try:
        found = x509.load_pem_x509_csr(request)
        key = found.public_key()
    except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion):
        raise BadSigningRequest("expected a certificate signing request as PEM, with an RSA or EC key") from None
    # The key's size first: what it costs to verify a signature grows with it.
    match key:
        case rsa.RSAPublicKey():
            if not SMALLEST_RSA <= key.key_size <= LARGEST_RSA:
                raise BadSigningRequest(
                    f"expected an RSA key of {SMALLEST_RSA} to {LARGEST_RSA} bits, found {key.key_size}"
                )
        case ec.EllipticCurvePublicKey():
            if key.curve.name not in CURVES:
                raise BadSigningRequest(f"expected a key on P-256, P-384 or P-521, found {key.curve.name}")
        case _:
            raise BadSigningRequest("expected an RSA or EC key")
    try:
        good = found.is_signature_valid
    except (ValueError, UnsupportedAlgorithm, InvalidSignature):
        good = False
    if not good:
        raise BadSigningRequest("the request is not signed with the key it is for")
    return key


def sign(
    authority: Authority,
    key: PublicKey,
    identity: PeerIdentity,
    facts: WorkloadFacts,
    *,
    now: datetime,
    asked: timedelta = timedelta(),
    validity: Validity | None = None,
) -> Issued:
    """A certificate for a workload, from a little before now on, never for longer than its authority's own.

    `asked`: how long it is to be valid; zero or less for the default. Raises BadSigningRequest if that is too long,
    AuthorityExpired when the authority cannot vouch for anybody now.
    """
    terms = validity or Validity()
    if asked > terms.longest:
        raise BadSigningRequest(
            f"a certificate is asked for that is valid for {asked}; at most {terms.longest} are allowed"
        )
    names = [x509.UniformResourceIdentifier(str(identity))]
    life = asked if asked > timedelta() else terms.default
    return sign_leaf(authority, key, subject(facts), names, now=now, life=life)


def sign_leaf(
    authority: Authority,
    key: PublicKey,
    name: x509.Name,
    names: Sequence[x509.GeneralName],
    *,
    now: datetime,
    life: timedelta,
) -> Issued:
    """A certificate with exactly this Subject and these alternative names. Raises AuthorityExpired."""
    if not authority.not_before <= now < authority.not_after:
        raise AuthorityExpired(
            f"the authority is valid from {authority.not_before.isoformat()} to {authority.not_after.isoformat()}"
        )
    # Certificates tell whole seconds.
    now = now.replace(microsecond=0)
    begin = max(now - CLOCK_SKEW, authority.not_before)
    end = min(now + life, authority.not_after)
    serial = x509.random_serial_number()
    issuer = authority.certificate
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer.subject)
        .public_key(key)
        .serial_number(serial)
        .not_valid_before(begin)
        .not_valid_after(end)
        # Where there is no Subject the alternative name must be understood (RFC 5280, 4.2.1.6).
        .add_extension(x509.SubjectAlternativeName(names), critical=not name.rdns)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(key), critical=True)
        .add_extension(_BOTH_SIDES, critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(_issuer_key(issuer), critical=False)
        .sign(authority.key, _hash(authority.key))
    )
    return Issued(pem(certificate), authority.path_pem, authority.roots_pem, serial, begin, end)


_BOTH_SIDES: Final = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])


def _usage(key: PublicKey) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=isinstance(key, rsa.RSAPublicKey),
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _issuer_key(issuer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    """By the identifier that the issuer goes by, which need not be the one that its key would have."""
    try:
        own = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except x509.ExtensionNotFound:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(_issuer_public(issuer))
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own)


def _issuer_public(issuer: x509.Certificate) -> PublicKey:
    key = issuer.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey)
    return key


def _hash(key: SigningKey) -> hashes.SHA256 | hashes.SHA384 | hashes.SHA512:
    """As strong as the key."""
    match key.curve.name if isinstance(key, ec.EllipticCurvePrivateKey) else "":
        case "secp384r1":
            return hashes.SHA384()
        case "secp521r1":
            return hashes.SHA512()
        case _:
            return hashes.SHA256()
