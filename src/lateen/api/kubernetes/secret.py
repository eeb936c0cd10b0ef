"""Secrets (core/v1)."""

from __future__ import annotations

from lateen.api.objects import Metadata
from lateen.api.schema.message import Lenient

TLS_TYPE = "kubernetes.io/tls"
"""`type` of a Secret that holds `tls.crt` and `tls.key`."""


class Secret(Lenient, frozen=True):
    """Confidential bytes under keys."""

    metadata: Metadata
    type: str = ""
    data: dict[str, bytes] = {}
    """Base64 on the wire, bytes here."""
    string_data: dict[str, str] = {}
    """As manifests write it; the API server folds it into `data`, so it is empty in what is read from a cluster."""

    @property
    def values(self) -> dict[str, bytes]:
        """What the Secret holds once `stringData`, which wins, is folded in."""
        if not self.string_data:
            return self.data
        return self.data | {key: text.encode() for key, text in self.string_data.items()}
