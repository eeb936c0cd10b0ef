"""ISTIO_PROMETHEUS_ANNOTATIONS: where the application has metrics of its own, from its pod's annotations."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

MAX_PORTS: Final = 16
_PATH: Final = "/metrics"
_PORT: Final = "80"


class BadScrape(ValueError):
    """Annotations that make no sense; says which and why."""


@dataclass(frozen=True)
class Scrape:
    """One place with metrics."""

    port: int
    path: str


def parse_scrapes(text: str, status_port: int) -> tuple[Scrape, ...]:
    """Empty where the application is not to be scraped. Raises BadScrape.

    `prometheus.io/port` may list several ports (`8080,9090`), and `prometheus.io/path` as many paths, or one for all.
    """
    if not text:
        return ()
    try:
        data = json.loads(text)
    except ValueError as error:
        raise BadScrape(f"ISTIO_PROMETHEUS_ANNOTATIONS is not JSON: {error}") from error
    if not isinstance(data, dict) or not all(isinstance(value, str) for value in data.values()):
        raise BadScrape('ISTIO_PROMETHEUS_ANNOTATIONS: {"scrape": "true", "path": "...", "port": "..."} is expected')
    if data.get("scrape") == "false":
        return ()
    ports = [port.strip() for port in (data.get("port") or _PORT).split(",")]
    paths = [path.strip() for path in (data.get("path") or _PATH).split(",")]
    if len(ports) > MAX_PORTS:
        raise BadScrape(f"prometheus.io/port: at most {MAX_PORTS} ports are taken")
    if len(paths) == 1:
        paths *= len(ports)
    if len(paths) != len(ports):
        raise BadScrape(f"prometheus.io/path: {len(ports)} paths are expected, one for each port, or one for all")
    return tuple(_scrape(port, path, status_port) for port, path in zip(ports, paths, strict=True))


def _scrape(port: str, path: str, status_port: int) -> Scrape:
    if not (port.isascii() and port.isdigit() and 0 < int(port[:6]) < 65536):
        raise BadScrape(f"prometheus.io/port: a port number is expected, not {port!r}")
    if int(port) == status_port:
        raise BadScrape(f"prometheus.io/port: {port} is the agent's own; name the application's")
    if any(not "!" <= c <= "~" for c in path):
        raise BadScrape(f"prometheus.io/path: {path!r} is not a path of a URL")
    return Scrape(int(port), path if path.startswith("/") else f"/{path}")
