"""Namespaces (core/v1)."""

from __future__ import annotations

from lateen.api.objects import Metadata
from lateen.api.schema.message import Lenient


class Namespace(Lenient, frozen=True):
    """Its labels choose discovery, injection and the network of what runs in it."""

    metadata: Metadata
