"""The files in which Envoy finds its certificate and the mesh's roots (SDS by path). Only for the helper process.

A certificate and its key are in one file, which is replaced in one step: they always belong together.
"""

from __future__ import annotations

import base64
import json
import os
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization

from lateen.agent import output_files
from lateen.agent.replaced_file import replace
from lateen.agent.settings import CertificateSettings

__all__ = ["BadCredentials", "check_root", "presentable", "take", "take_mounted", "validity", "write_roots"]

_TYPE = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"
_MOST = 1 << 20
"""Bytes of a file that is read."""


class BadCredentials(Exception):
    """Certificates or keys do not hold together; says what."""


def take(settings: CertificateSettings, key: str, chain: tuple[str, ...], roots: tuple[str, ...]) -> None:
    """Puts a new certificate and the roots that came with it in force. Raises BadCredentials, OSError.

    The roots go first: whoever sees the new certificate trusts its root already.
    """
    _check(key, "\n".join(chain))
    found = _certificates("the answer's roots", "\n".join(roots))
    os.makedirs(settings.directory, mode=0o700, exist_ok=True)
    replace(settings.answered_roots, _pem(found))
    write_roots(settings)
    _write_certificate(settings, key, "\n".join(part.strip() for part in chain) + "\n")


def take_mounted(settings: CertificateSettings) -> None:
    """The same with mounted files. Raises BadCredentials, OSError."""
    key, chain, roots = (
        _read(os.path.join(settings.mounted, name)) for name in ("key.pem", "cert-chain.pem", "root-cert.pem")
    )
    take(settings, key, (chain,), (roots,))


def write_roots(settings: CertificateSettings) -> None:
    """All roots that are known: of the mounted file, the last answer, ProxyConfig. Raises BadCredentials, OSError."""
    found: list[x509.Certificate] = []
    for path in (settings.roots, settings.answered_roots):
        try:
            text = _read(path)
        except FileNotFoundError:
            continue
        found += [each for each in _certificates(path, text) if each not in found]
    if settings.extra_roots:
        found += [each for each in _certificates("caCertificatesPem", settings.extra_roots) if each not in found]
    if not found:
        raise BadCredentials(f"there are no roots in {settings.roots}")
    text = _pem(found)
    _write(settings, "rootca.yaml", "ROOTCA", {"validation_context": {"trusted_ca": _inline(text)}})
    if settings.output:
        output_files.write_roots(settings.output, text)


def validity(settings: CertificateSettings) -> tuple[float, float]:
    """From when and until when the certificate in force is valid. Raises BadCredentials, OSError."""
    _, chain = _current(settings)
    leaf = _certificates("the certificate in force", chain)[0]
    return leaf.not_valid_before_utc.timestamp(), leaf.not_valid_after_utc.timestamp()


def check_root(settings: CertificateSettings) -> None:
    """Raises BadCredentials when the certificate in force is of no root that is mounted now: the mesh has moved on
    while nobody looked. Raises OSError."""
    try:
        roots = _certificates(settings.roots, _read(settings.roots))
    except FileNotFoundError:
        return
    top = _certificates("the certificate in force", _current(settings)[1])[-1]
    if not any(_issued(top, root) for root in roots):
        raise BadCredentials(f"it is of {top.issuer.rfc4514_string()}, which is no root in {settings.roots}")


def _issued(certificate: x509.Certificate, root: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(root)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def presentable(settings: CertificateSettings, now: float) -> str:
    """The certificate in force with its key, PEM, for renewal by it; nothing where there is none that is valid."""
    try:
        begin, end = validity(settings)
        key, chain = _current(settings)
    except (BadCredentials, OSError):
        return ""
    return f"{key.strip()}\n{chain}" if begin <= now < end else ""


def _current(settings: CertificateSettings) -> tuple[str, str]:
    """Key and chain."""
    try:
        found = json.loads(_read(_path(settings, "default.yaml")))["resources"][0]["tls_certificate"]
        return _text(found["private_key"]), _text(found["certificate_chain"])
    except (ValueError, KeyError, IndexError, TypeError):
        raise BadCredentials(f"{_path(settings, 'default.yaml')} has no certificate") from None


def _check(key: str, chain: str) -> None:
    try:
        private = serialization.load_pem_private_key(key.encode(), None)
    except (ValueError, TypeError) as problem:
        raise BadCredentials(f"the private key cannot be read: {problem}") from None
    leaf = _certificates("the certificate chain", chain)[0]
    form = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    if private.public_key().public_bytes(*form) != leaf.public_key().public_bytes(*form):
        raise BadCredentials("the certificate is of another key")


def _certificates(what: str, text: str) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(text.encode())
    except (ValueError, x509.InvalidVersion) as problem:
        raise BadCredentials(f"{what} cannot be read: {problem}") from None


def _pem(certificates: list[x509.Certificate]) -> str:
    return "".join(each.public_bytes(serialization.Encoding.PEM).decode() for each in certificates)


def _write_certificate(settings: CertificateSettings, key: str, chain: str) -> None:
    if settings.output:
        # First: what Envoy's file has, the next agent takes for done.
        output_files.write_certificate(settings.output, key, chain, settings.output_mode)
    secret = {"certificate_chain": _inline(chain), "private_key": _inline(key)}
    _write(settings, "default.yaml", "default", {"tls_certificate": secret})


def _inline(text: str) -> dict[str, str]:
    """As bytes, as Istio's agent does it: people read certificates out of Envoy's dump by `.inlineBytes`."""
    return {"inline_bytes": base64.b64encode(text.encode()).decode()}


def _text(source: dict[str, str]) -> str:
    return base64.b64decode(source["inline_bytes"], validate=True).decode()


def _write(settings: CertificateSettings, file: str, name: str, secret: dict[str, Any]) -> None:
    replace(_path(settings, file), json.dumps({"resources": [{"@type": _TYPE, "name": name, **secret}]}))


def _path(settings: CertificateSettings, file: str) -> str:
    return os.path.join(settings.directory, file)


def _read(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        text = file.read(_MOST + 1)
    if len(text) > _MOST:
        raise BadCredentials(f"{path} has more than {_MOST} bytes")
    return text
