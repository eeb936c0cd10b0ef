"""An agent, from its settings to its exit status. The heavy imports are in here: the keeper does not have them."""

from __future__ import annotations

import gc
import json
import os
import sys
from collections.abc import Mapping

__all__ = ["needs_ssl", "run"]


def run(text: str, ends: int, keeper: int) -> int:
    """The exit status. `text` is the settings, `ends` how often the end has been asked for already,
    `keeper` the process that has forked this one."""
    if not needs_ssl(os.environ):
        # asyncio does without where there is none, and takes 5 MB less.
        sys.modules["ssl"] = None  # type: ignore[assignment]
    import asyncio

    from lateen.agent.agent import live
    from lateen.agent.settings import AgentSettings

    gc.collect()
    gc.freeze()
    return asyncio.run(live(AgentSettings.from_json(text), dict(os.environ), ends, keeper))


def needs_ssl(environment: Mapping[str, str]) -> bool:
    """Whether the agent itself speaks TLS: to make HTTPS probes of the application. Certificates are a helper's."""
    try:
        probers = json.loads(environment.get("ISTIO_KUBE_APP_PROBERS", "") or "{}")
        return any(_scheme(prober) == "HTTPS" for prober in probers.values())
    except (ValueError, AttributeError):
        return False


def _scheme(prober: object) -> str:
    action = prober.get("httpGet") if isinstance(prober, dict) else None
    return str(action.get("scheme", "")).upper() if isinstance(action, dict) else ""
