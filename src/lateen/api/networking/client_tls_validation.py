"""What TLS settings of clients must keep to."""

from __future__ import annotations

from collections.abc import Iterator

from lateen.api.networking.destination_rule import ClientTLSSettings, TLSmode
from lateen.api.schema.fault import Fault, error, warning

_ORIGINATED = frozenset({TLSmode.SIMPLE, TLSmode.MUTUAL})
_FILES = ("client_certificate", "private_key", "ca_certificates", "ca_crl")
_NAMES = {
    "client_certificate": "clientCertificate",
    "private_key": "privateKey",
    "ca_certificates": "caCertificates",
    "ca_crl": "caCrl",
    "credential_name": "credentialName",
    "insecure_skip_verify": "insecureSkipVerify",
    "sni": "sni",
    "subject_alt_names": "subjectAltNames",
}


def client_tls_faults(path: str, tls: ClientTLSSettings | None) -> Iterator[Fault]:
    """What is wrong with the TLS settings of a client."""
    if tls is None:
        return
    if tls.insecure_skip_verify:
        yield from _unverified(path, tls)
    if tls.mode in _ORIGINATED and tls.credential_name:
        for field in _FILES:
            if getattr(tls, field):
                yield error(f"{path}.{_NAMES[field]}", "excludes credentialName")
    elif tls.mode is TLSmode.MUTUAL:
        for field in ("client_certificate", "private_key"):
            if not getattr(tls, field):
                yield error(f"{path}.{_NAMES[field]}", "is required by mode MUTUAL, or credentialName")
    yield from _without_effect(path, tls)


def _unverified(path: str, tls: ClientTLSSettings) -> Iterator[Fault]:
    excluded = {
        TLSmode.SIMPLE: ("ca_certificates", "credential_name", "subject_alt_names"),
        # The client's own certificate may be in the credential.
        TLSmode.MUTUAL: ("ca_certificates", "subject_alt_names"),
    }
    for field in excluded.get(tls.mode, ()):
        if getattr(tls, field):
            yield error(f"{path}.{_NAMES[field]}", "excludes insecureSkipVerify: nothing is verified")


def _without_effect(path: str, tls: ClientTLSSettings) -> Iterator[Fault]:
    """What a mode does not look at."""
    unused: tuple[str, ...] = ()
    if tls.mode is TLSmode.DISABLE:
        unused = tuple(_NAMES)
    elif tls.mode is TLSmode.ISTIO_MUTUAL:
        unused = (*_FILES, "credential_name", "insecure_skip_verify")
    elif tls.mode is TLSmode.SIMPLE:
        unused = () if tls.credential_name else ("client_certificate", "private_key")
    for field in unused:
        if getattr(tls, field):
            yield warning(f"{path}.{_NAMES[field]}", f"has no effect in mode {tls.mode.value}")
