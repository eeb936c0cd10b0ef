"""The exit statuses of an agent, as the keeper reads them."""

from __future__ import annotations

from typing import Final

__all__ = ["AGENT_FAILED", "FAILED", "FINAL"]

FAILED: Final = 1
"""Another try would end the same way: Envoy does not take its bootstrap."""
FINAL: Final = (0, FAILED)
"""The container ends, too."""
AGENT_FAILED: Final = 70
"""A defect of the agent. Another one is started, as after a signal."""
