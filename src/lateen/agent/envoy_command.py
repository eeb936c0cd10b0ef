"""Envoy's command line. Pure."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["EnvoyOptions", "command_line"]

_FORMAT = "%Y-%m-%dT%T.%fZ\t%l\tenvoy %n %g:%#\t%v\tthread=%t"
_FORMAT_JSON = '{"level":"%l","time":"%Y-%m-%dT%T.%fZ","scope":"envoy %n","msg":"%j","caller":"%g:%#","thread":"%t"}'


class EnvoyOptions(NamedTuple):
    """Durations in seconds."""

    bootstrap: str
    override: str
    """YAML or JSON that is merged into the bootstrap, or nothing."""
    level: str
    component_levels: str
    concurrency: int
    """Worker threads; 0 for one per processor."""
    drain: float
    parent_shutdown: float
    ipv6: bool
    flush_interval: float
    """Of access logs."""
    flush_size_kb: int
    skip_deprecated: bool
    as_json: bool


def command_line(options: EnvoyOptions) -> tuple[str, ...]:
    """All but the program. Hot restart is off: with it, Envoy would end together with who started it."""
    found = [
        "-c", options.bootstrap,
        "--disable-hot-restart",
        "--drain-time-s", str(round(options.drain)),
        "--drain-strategy", "immediate",
        "--parent-shutdown-time-s", str(round(options.parent_shutdown)),
        "--local-address-ip-version", "v6" if options.ipv6 else "v4",
        "--file-flush-interval-msec", str(max(round(options.flush_interval * 1000), 1)),
        "--file-flush-min-size-kb", str(options.flush_size_kb),
        "--allow-unknown-static-fields",
        "-l", options.level,
        "--log-format", _FORMAT_JSON if options.as_json else _FORMAT,
    ]  # fmt: skip
    if options.component_levels:
        found += ["--component-log-level", options.component_levels]
    if options.skip_deprecated:
        found.append("--skip-deprecated-logs")
    if options.override:
        found += ["--config-yaml", options.override]
    if options.concurrency:
        found += ["--concurrency", str(options.concurrency)]
    return tuple(found)
