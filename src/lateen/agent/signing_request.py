"""A private key and the request to certify it. Only for the helper process: this imports `cryptography`."""

from __future__ import annotations

from collections.abc import Callable

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from lateen.agent.settings import KeyKind

__all__ = ["CURVES", "make"]

CURVES: dict[str, Callable[[], ec.EllipticCurve]] = {"P256": ec.SECP256R1, "P384": ec.SECP384R1, "P521": ec.SECP521R1}
_PEM = serialization.Encoding.PEM


def make(kind: KeyKind) -> tuple[str, str]:
    """Key and request as PEM. The request names nobody: who asks is proven otherwise; names in it do not count."""
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
    if kind.algorithm == "RSA":
        key = rsa.generate_private_key(65537, kind.bits)
    else:
        key = ec.generate_private_key(CURVES[kind.curve]())
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    request = builder.sign(key, hashes.SHA256())
    form = serialization.PrivateFormat.PKCS8 if kind.pkcs8 else serialization.PrivateFormat.TraditionalOpenSSL
    private = key.private_bytes(_PEM, form, serialization.NoEncryption())
    return private.decode(), request.public_bytes(_PEM).decode()
