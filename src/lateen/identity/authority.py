"""A certificate authority as a value: what signs, the chain from there up to a root, and the roots to be trusted."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

SigningKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True, slots=True)
class Authority:
    """Two are equal when their certificates are, which name the key.

    Made by `self_signed.py` and `plugged.py`, which see to it that it holds together.
    """

    certificate: x509.Certificate
    """The certificate that signs."""
    key: SigningKey = field(repr=False, compare=False)
    path: tuple[x509.Certificate, ...]
    """What a leaf is presented with: from the signing certificate up to below the root. Empty where that is a root."""
    roots: tuple[x509.Certificate, ...]
    """What workloads trust: the root of `path` among them."""
    anchor: x509.Certificate
    """The root that `path` leads to."""

    @property
    def not_after(self) -> datetime:
        """Nothing that it signs is valid for longer."""
        return min(each.not_valid_after_utc for each in (self.certificate, *self.path, self.anchor))

    @property
    def not_before(self) -> datetime:
        """Nothing that it signs is valid before."""
        return max(each.not_valid_before_utc for each in (self.certificate, *self.path, self.anchor))

    @property
    def path_pem(self) -> tuple[str, ...]:
        """`path`, one PEM each."""
        return tuple(pem(each) for each in self.path)

    @property
    def roots_pem(self) -> tuple[str, ...]:
        """`roots`, one PEM each."""
        return tuple(pem(each) for each in self.roots)

    @property
    def bundle(self) -> str:
        """All roots as one PEM, as `istio-ca-root-cert` holds them."""
        return "".join(self.roots_pem)


def pem(certificate: x509.Certificate) -> str:
    """With a line end at its end."""
    return certificate.public_bytes(Encoding.PEM).decode()


def is_self_issued(certificate: x509.Certificate) -> bool:
    """It names itself as its issuer, as roots do."""
    return certificate.subject == certificate.issuer
