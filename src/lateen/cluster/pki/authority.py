"""A certificate authority: its own certificate, and what it signs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY_LIFETIME = dt.timedelta(days=3650)
CLOCK_SKEW = dt.timedelta(minutes=5)
"""Certificates are valid from this long before their making, for peers whose clock runs behind."""

Address = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom a certificate names, and for what it may be used."""

    common_name: str
    organizations: tuple[str, ...] = ()
    dns_names: tuple[str, ...] = ()
    addresses: tuple[Address, ...] = ()
    server: bool = False
    client: bool = False

    @property
    def alternative_names(self) -> list[x509.GeneralName]:
        return [*(x509.DNSName(n) for n in self.dns_names), *(x509.IPAddress(a) for a in self.addresses)]

    @property
    def name(self) -> x509.Name:
        attributes = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, o) for o in self.organizations]
        return x509.Name([*attributes, x509.NameAttribute(NameOID.COMMON_NAME, self.common_name)])

    @property
    def purposes(self) -> list[x509.ObjectIdentifier]:
        served = [ExtendedKeyUsageOID.SERVER_AUTH] if self.server else []
        return [*served, ExtendedKeyUsageOID.CLIENT_AUTH] if self.client else served


@dataclass(frozen=True, slots=True)
class Authority:
    """A CA certificate with its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def create(cls, common_name: str, now: dt.datetime) -> Authority:
        """A new self-signed P-256 authority, valid for ten years."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
        identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - CLOCK_SKEW)
            .not_valid_after(now + AUTHORITY_LIFETIME)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(key_usage(certificate_sign=True, digital_signature=True), critical=True)
            .add_extension(identifier, critical=False)
            .sign(key, hashes.SHA256())
        )
        return cls(certificate, key)

    def issue(
        self, subject: Subject, public_key: CertificatePublicKeyTypes, lifetime: dt.timedelta, now: dt.datetime
    ) -> x509.Certificate:
        """Signs an end-entity certificate for `subject`."""
        return self.sign(
            subject.name,
            public_key,
            alternative_names=subject.alternative_names,
            usage=key_usage(digital_signature=True, key_encipherment=True),
            purposes=subject.purposes,
            not_before=now - CLOCK_SKEW,
            not_after=now + lifetime,
        )

    def sign(
        self,
        name: x509.Name,
        public_key: CertificatePublicKeyTypes,
        *,
        alternative_names: Sequence[x509.GeneralName],
        usage: x509.KeyUsage | None,
        purposes: Sequence[x509.ObjectIdentifier],
        not_before: dt.datetime,
        not_after: dt.datetime,
    ) -> x509.Certificate:
        """Signs an end-entity certificate; it never outlives the authority. Without `usage` it is not restricted."""
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self.certificate.subject)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(not_before)
            .not_valid_after(min(not_after, self.certificate.not_valid_after_utc))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()),
                critical=False,
            )
        )
        if usage is not None:
            builder = builder.add_extension(usage, critical=True)
        if purposes:
            builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        if alternative_names:
            builder = builder.add_extension(x509.SubjectAlternativeName(alternative_names), critical=False)
        return builder.sign(self.key, hashes.SHA256())

    def has_issued(self, certificate: x509.Certificate) -> bool:
        try:
            certificate.verify_directly_issued_by(self.certificate)
        except (ValueError, TypeError, InvalidSignature):
            return False
        return True


def key_usage(
    *,
    digital_signature: bool = False,
    content_commitment: bool = False,
    key_encipherment: bool = False,
    data_encipherment: bool = False,
    key_agreement: bool = False,
    certificate_sign: bool = False,
    crl_sign: bool = False,
    encipher_only: bool = False,
    decipher_only: bool = False,
) -> x509.KeyUsage:
    """A `KeyUsage` of only what is named."""
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=content_commitment,
        key_encipherment=key_encipherment,
        data_encipherment=data_encipherment,
        key_agreement=key_agreement,
        key_cert_sign=certificate_sign,
        crl_sign=crl_sign,
        encipher_only=encipher_only,
        decipher_only=decipher_only,
    )
