"""Who uses collections and is told when they move: a session."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Protocol


class Follower(Protocol):
    def views_changed(self, views: tuple[Hashable, ...]) -> None:
        """The proxy's views, found for the first time or anew."""
