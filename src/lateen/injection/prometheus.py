"""Scraping by way of the agent, which merges the application's metrics with the proxy's."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Final

import msgspec

from lateen.injection.texts import parse_bool

VARIABLE: Final = "ISTIO_PROMETHEUS_ANNOTATIONS"
_OTHER: Final = re.compile("[^A-Za-z0-9_]")
_NAMES: Final = {"prometheus_io_scrape": "scrape", "prometheus_io_path": "path", "prometheus_io_port": "port"}
"""Prometheus makes underscores of all other characters: `prometheus.io/port` and `prometheus-io/port` are the same."""


class Scraping(msgspec.Struct, frozen=True):
    """What becomes of a pod's annotations."""

    annotations: Mapping[str, str]
    variable: str
    """Where the application's metrics are, for the agent; empty: it has none."""


def merged_scraping(annotations: Mapping[str, str], enabled: bool, agent_port: int) -> Scraping | None:
    """None where annotations stay as they are: merging is off, the pod is not to be scraped, or the agent is named
    already."""
    given = {name: text for key, text in annotations.items() if (name := _NAMES.get(_OTHER.sub("_", key)))}
    if not enabled or parse_bool(given.get("scrape", "")) is False or given.get("port") == str(agent_port):
        return None
    kept = {key: text for key, text in annotations.items() if _OTHER.sub("_", key) not in _NAMES}
    kept |= {
        "prometheus.io/scrape": "true",
        "prometheus.io/path": "/stats/prometheus",
        "prometheus.io/port": str(agent_port),
    }
    return Scraping(kept, json.dumps(given, separators=(",", ":"), sort_keys=True) if given else "")
