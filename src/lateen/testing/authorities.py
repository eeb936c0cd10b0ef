"""Chains of authorities as operators plug them in, signing requests as agents make them, and a verifier."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.verification import PolicyBuilder, Store

_PEM = re.compile(rb"(-----BEGIN .+?-----\n)(.+?)(\n-----END .+?-----\n)", re.DOTALL)
_SEQUENCE = rb"\x30(?:\x82..|\x81.|.)"
_VERSION = re.compile(_SEQUENCE + _SEQUENCE + rb"(?:\xa0\x03)?\x02\x01.", re.DOTALL)
"""At the beginning of what is signed; in certificates with a tag."""
PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


class SigningPair(NamedTuple):
    """An authority's certificate and its key."""

    certificate: x509.Certificate
    key: PrivateKey

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        return key_pem(self.key)


def ec_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def rsa_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


def key_pem(key: PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def signing_pair(
    name: str,
    issuer: SigningPair | None = None,
    *,
    key: PrivateKey | None = None,
    ca: bool = True,
    path_length: int | None = None,
    begin: datetime | None = None,
    end: datetime | None = None,
) -> SigningPair:
    """An authority under an issuer, by default a root; valid for the year around now unless told otherwise."""
    key = key or ec_key()
    own = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    by = issuer.key if issuer is not None else key
    builder = (
        x509.CertificateBuilder()
        .subject_name(own)
        .issuer_name(issuer.certificate.subject if issuer is not None else own)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin or now - timedelta(days=180))
        .not_valid_after(end or now + timedelta(days=180))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=path_length if ca else None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(by.public_key()), critical=False)
        .add_extension(_usage(ca), critical=True)
    )
    return SigningPair(builder.sign(by, hashes.SHA256()), key)


def signing_request(key: PrivateKey, *, uris: tuple[str, ...] = (), common_name: str = "") -> str:
    """A signing request (PEM), with claims that a careful authority does not listen to."""
    attributes = [x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)] if common_name else []
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(attributes))
    if uris:
        names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri) for uri in uris])
        builder = builder.add_extension(names, critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


def of_no_version(pem: bytes) -> bytes:
    """The first certificate, revocation list or signing request of a PEM, of a version that there is not.

    What cryptography raises then is no ValueError.
    """
    found = _PEM.search(pem)
    assert found is not None
    begin, content, end = found.groups()
    der = bytearray(b64decode(content))
    place = _VERSION.match(der)
    assert place is not None
    der[place.end() - 1] = 9
    return begin + b64encode(der) + end


def verified_names(
    chain: tuple[str, ...], roots: tuple[str, ...], at: datetime | None = None
) -> tuple[list[str], list[x509.Certificate]]:
    """Verifies a chain (PEM, the leaf first) as a server does its client's: the URIs it proves, and the whole path.

    Raises cryptography's VerificationError.
    """
    certificates = [x509.load_pem_x509_certificate(each.encode()) for each in chain]
    store = Store([x509.load_pem_x509_certificate(each.encode()) for each in roots])
    builder = PolicyBuilder().store(store)
    if at is not None:
        builder = builder.time(at)
    client = builder.build_client_verifier().verify(certificates[0], certificates[1:])
    uris = [each.value for each in client.subjects or () if isinstance(each, x509.UniformResourceIdentifier)]
    return uris, client.chain


def _usage(ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=ca,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )
