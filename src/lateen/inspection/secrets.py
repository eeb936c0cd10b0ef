"""`proxy-config secret`: certificates, by what is in them. Private keys are never in a dump."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final, NamedTuple

from cryptography import x509

from lateen.inspection.dump import Dump
from lateen.inspection.table import table

HEADER = ("RESOURCE NAME", "TYPE", "STATUS", "VALID CERT", "SERIAL NUMBER", "NOT AFTER", "NOT BEFORE")
NOTHING: Final = "No secret items to show.\n"
_PEM: Final = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----\n?", re.DOTALL)


class SecretItem(NamedTuple):
    """A certificate in a secret; empty fields where there is none that can be read."""

    name: str
    type: str
    """`Cert Chain` or `CA`."""
    state: str
    """ACTIVE or WARMING."""
    valid: bool
    """Now is between its dates."""
    serial: str = ""
    """Hexadecimal."""
    not_after: str = ""
    not_before: str = ""
    identities: tuple[str, ...] = ()
    """URIs and DNS names that it is for."""


def secrets(dump: Dump, now: datetime) -> list[SecretItem]:
    """Of a chain the first certificate, of authorities all: while a root is rotated there are two."""
    return [item for held in dump.secrets() for item in _items(held.state, held.secret, now)]


def summary(found: list[SecretItem]) -> str:
    return table(HEADER, rows(found)) if found else NOTHING


def rows(found: list[SecretItem]) -> list[tuple[str, ...]]:
    return [
        (each.name, each.type, each.state, str(each.valid).lower(), each.serial, each.not_after, each.not_before)
        for each in found
    ]


def _items(state: str, secret: dict[str, Any], now: datetime) -> Iterator[SecretItem]:
    name = str(secret.get("name", ""))
    if "tls_certificate" in secret:
        kind, source = "Cert Chain", (secret["tls_certificate"] or {}).get("certificate_chain")
    elif "validation_context" in secret:
        kind, source = "CA", (secret["validation_context"] or {}).get("trusted_ca")
    else:
        yield SecretItem(name, "Cert Chain" if name == "default" else "CA", state, False)
        return
    found = _PEM.findall(_content(source or {}))
    if not found:
        yield SecretItem(name, kind, state, False)
    for pem in found[:1] if kind == "Cert Chain" else found:
        try:
            yield _item(name, kind, state, x509.load_pem_x509_certificate(pem), now)
        except (ValueError, x509.InvalidVersion):
            yield SecretItem(name, kind, state, False)


def _item(name: str, kind: str, state: str, certificate: x509.Certificate, now: datetime) -> SecretItem:
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        identities: tuple[str, ...] = ()
    else:
        uris = names.get_values_for_type(x509.UniformResourceIdentifier)
        identities = (*uris, *names.get_values_for_type(x509.DNSName))
    return SecretItem(
        name, kind, state, begin <= now <= end, f"{certificate.serial_number:x}", _time(end), _time(begin), identities
    )


def _content(source: dict[str, Any]) -> bytes:
    if "inline_string" in source:
        return str(source["inline_string"]).encode()
    try:
        return base64.b64decode(str(source.get("inline_bytes", "")), validate=True)
    except binascii.Error:
        return b""


def _time(when: datetime) -> str:
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")
