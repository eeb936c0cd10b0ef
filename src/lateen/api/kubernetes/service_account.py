"""Service accounts (core/v1)."""

from __future__ import annotations

from lateen.api.objects import Metadata
from lateen.api.schema.message import Lenient


class ServiceAccount(Lenient, frozen=True):
    """What a workload's SPIFFE identity names."""

    metadata: Metadata
