"""What the front serves with, as the files (SDS) that its Envoy watches."""

from __future__ import annotations

import json
import os
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import msgspec

SERVING: Final = "serving"
ROOTS: Final = "roots"

_SECRET: Final = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"


class TlsMaterial(msgspec.Struct, frozen=True):
    """What a TLS server of the control plane serves with, as PEM."""

    chain: str
    key: str
    roots: str
    """What client certificates are verified against; empty: they are not asked for."""

    def __repr__(self) -> str:
        return f"TlsMaterial({sha256(self.chain.encode()).hexdigest()[:12]})"


def write_secrets(directory: Path, material: TlsMaterial) -> None:
    """Each file is exchanged as a whole, with mode 0600. Raises OSError."""
    chain, key = {"inline_string": material.chain}, {"inline_string": material.key}
    _write(directory, SERVING, {"tls_certificate": {"certificate_chain": chain, "private_key": key}})
    if material.roots:
        _write(directory, ROOTS, {"validation_context": {"trusted_ca": {"inline_string": material.roots}}})


def _write(directory: Path, name: str, secret: dict[str, Any]) -> None:
    resource = {"@type": _SECRET, "name": name, **secret}
    text = json.dumps({"version_info": sha256(repr(secret).encode()).hexdigest(), "resources": [resource]})
    temporary = directory / f".{name}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    temporary.replace(directory / f"{name}.json")
