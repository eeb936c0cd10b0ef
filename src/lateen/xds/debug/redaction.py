"""Private keys and passwords are not for people's eyes, wherever in a configuration they are."""

from __future__ import annotations

import base64
from typing import Any, Final

from udpa.annotations import sensitive_pb2

from lateen.translate.envoy_types import message_class

REDACTED: Final = "[redacted]"
REDACTED_BYTES: Final = base64.b64encode(REDACTED.encode()).decode()
"""As Envoy writes it in a field of bytes: readers of JSON expect base64 there."""

_SECRET_FIELDS: Final = frozenset(
    {"private_key", "password", "pkcs12", "generic_secret", "session_ticket_keys", "hmac_secret", "inline_secret"}
)
"""Of Envoy's protos, beside those that they call sensitive themselves, which its own admin interface leaves out."""
_SECRET_VARIABLES: Final = frozenset({"ISTIO_META_WASM_IMAGE_PULL_SECRET"})
_PLACES: Final = frozenset({"@type", "name", "filename", "environment_variable", "sds_config"})
"""Fields that tell where a secret is, and not what."""


def redacted(data: Any) -> Any:
    """JSON data of a configuration (field names as in the protos, `@type` where a message is of any type) without its
    secrets."""
    return _redacted(data, None, False)


def _redacted(data: Any, descriptor: Any, secret: bool) -> Any:
    """`descriptor`: of the message that it is; None when that is not known."""
    if isinstance(data, list):
        return [_redacted(each, descriptor, secret) for each in data]
    if not isinstance(data, dict):
        return REDACTED if secret and isinstance(data, str) else data
    if "@type" in data:
        found = message_class(str(data["@type"]).rpartition("/")[2])
        descriptor = found.DESCRIPTOR if found is not None else None
    return {name: _field(name, value, descriptor, secret) for name, value in data.items()}


def _field(name: str, value: Any, descriptor: Any, secret: bool) -> Any:
    if name in _SECRET_VARIABLES:
        return REDACTED
    field = descriptor.fields_by_name.get(name) if descriptor is not None else None
    inner = field.message_type if field is not None else None
    if name in _PLACES:
        return _redacted(value, inner, False)
    secret = secret or name in _SECRET_FIELDS or (field is not None and _is_sensitive(field))
    if inner is not None and inner.GetOptions().map_entry and isinstance(value, dict):
        inner = inner.fields_by_name["value"].message_type
        return {key: _redacted(each, inner, secret or key in _SECRET_VARIABLES) for key, each in value.items()}
    if (
        secret
        and isinstance(value, str)
        and (name == "inline_bytes" if field is None else field.type == field.TYPE_BYTES)
    ):
        return REDACTED_BYTES
    return _redacted(value, inner, secret)


def _is_sensitive(field: Any) -> bool:
    return bool(field.GetOptions().Extensions[sensitive_pb2.sensitive])
