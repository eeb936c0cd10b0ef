"""ConfigMaps (core/v1)."""

from __future__ import annotations

from lateen.api.objects import Metadata
from lateen.api.schema.message import Lenient


class ConfigMap(Lenient, frozen=True):
    """Texts and bytes under keys."""

    metadata: Metadata
    data: dict[str, str] = {}
    binary_data: dict[str, bytes] = {}
    """Base64 on the wire, bytes here."""
