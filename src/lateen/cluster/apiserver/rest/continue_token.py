"""The opaque token of a paged list: where the next page starts, and the revision that all pages show."""

from __future__ import annotations

import base64
import binascii

import msgspec

from lateen.cluster.objects import Key
from lateen.cluster.status import bad_request


class ContinueToken(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`namespace` and `name` are those of the last object of the page before."""

    revision: int
    namespace: str
    name: str

    @property
    def after(self) -> Key:
        return Key(self.namespace, self.name)

    def encode(self) -> str:
        return base64.urlsafe_b64encode(msgspec.json.encode(self)).decode().rstrip("=")


def decode_token(text: str) -> ContinueToken:
    """Raises StatusError 400."""
    try:
        padded = text + "=" * (-len(text) % 4)
        return msgspec.json.decode(base64.urlsafe_b64decode(padded), type=ContinueToken)
    except (binascii.Error, ValueError, msgspec.MsgspecError) as error:
        raise bad_request(f"continue key is not valid: {error}") from None
