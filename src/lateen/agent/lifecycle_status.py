"""The exit statuses of an agent, as the keeper reads them."""

from __future__ import annotations

__all__ = ["AGENT_FAILED", "FAILED", "FINAL"]

FAILED = 1
"""Another try would end the same way: Envoy does not take its bootstrap."""
FINAL = (0, FAILED)
"""The container ends, too."""
AGENT_FAILED = 70
"""A defect of the agent. Another one is started, as after a signal."""
