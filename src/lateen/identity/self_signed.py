"""A root of our own making."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from lateen.identity.authority import Authority

CLOCK_SKEW = timedelta(minutes=2)
"""How long before now what we issue becomes valid: clocks of machines differ (Istio: security/pkg/pki/util)."""


class RootTerms(msgspec.Struct, frozen=True):
    """Of new self-signed roots."""

    organization: str = "cluster.local"
    """`O` of the root's Subject: the trust domain."""
    lifetime: timedelta = timedelta(days=3650)


def self_signed(now: datetime, terms: RootTerms | None = None) -> Authority:
    """A new root with an EC key on P-256. Its Subject is like no other's: two can be told apart."""
    terms = terms or RootTerms()
    key = ec.generate_private_key(ec.SECP256R1())
    serial = x509.random_serial_number()
    name = x509.Name(
        [
            x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, terms.organization[:64]),
            x509.NameAttribute(x509.NameOID.COMMON_NAME, f"Lateen root {serial % 2**32:08x}"),
        ]
    )
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + terms.lifetime)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_SIGNS_CERTIFICATES, critical=True)
        .add_extension(identifier, critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Authority(certificate, key, (), (certificate,), certificate)


_SIGNS_CERTIFICATES = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)
