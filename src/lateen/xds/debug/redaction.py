"""Private keys and passwords are not for people's eyes, wherever in a configuration they are."""

from __future__ import annotations

from typing import Any

REDACTED = "[redacted]"

_SECRET_FIELDS = frozenset(
    {"private_key", "password", "pkcs12", "generic_secret", "session_ticket_keys", "hmac_secret", "inline_secret"}
)
"""Of Envoy's protos: what they hold (DataSources, or messages of them) is secret unless it names a file."""
_SECRET_VARIABLES = frozenset({"ISTIO_META_WASM_IMAGE_PULL_SECRET"})
_INLINE = ("inline_bytes", "inline_string")


def redacted(data: Any, secret: bool = False) -> Any:
    """JSON data of a configuration (field names as in the protos) without its secrets."""
    if isinstance(data, list):
        return [redacted(item, secret) for item in data]
    if not isinstance(data, dict):
        return data
    found = {}
    for name, value in data.items():
        if name in _SECRET_VARIABLES or (secret and name in _INLINE):
            found[name] = REDACTED
        else:
            found[name] = redacted(value, secret or name in _SECRET_FIELDS)
    return found
