"""Evidence as the TLS front of the control plane hands it on: headers that it sets, whatever a caller has sent.

Only for what is served at sockets that nobody but the front can open; anywhere else these headers prove nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote_to_bytes

from lateen.api.addresses import unmapped
from lateen.identity.caller import Evidence

CLIENT_CERTIFICATE: Final = "x-forwarded-client-cert"
"""As Envoy writes it (SANITIZE_SET): `Hash=...;Cert="URL-encoded PEM";URI=...`; absent without a certificate."""
PEER: Final = "x-lateen-peer"
"""`ADDRESS:PORT` of the caller."""
CLUSTER: Final = "clusterid"
"""Which cluster a token is from; the caller says that."""

_CERTIFICATE: Final = re.compile(r'(?:\A|;)Cert="([^",;]*)"(?=;|\Z)')


def headers_of(metadata: object) -> Mapping[str, str]:
    """The metadata of a gRPC call as headers, by names in lower case; those of bytes are left out."""
    pairs = metadata if isinstance(metadata, tuple | list) else ()
    return {name.lower(): value for name, value in pairs if isinstance(value, str)}


def evidence(headers: Mapping[str, str]) -> Evidence:
    """By names in lower case."""
    return Evidence(
        bearer(headers.get("authorization", "")),
        _certificate(headers.get(CLIENT_CERTIFICATE, "")),
        headers.get(CLUSTER, ""),
        unmapped(headers.get(PEER, "").rpartition(":")[0].strip("[]")),
    )


def bearer(header: str) -> str:
    """The token of an `authorization` header; empty when there is none."""
    scheme, _, token = header.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _certificate(header: str) -> bytes:
    """Empty when there is not exactly one."""
    found = _CERTIFICATE.findall(header)
    return unquote_to_bytes(found[0]) if len(found) == 1 else b""
