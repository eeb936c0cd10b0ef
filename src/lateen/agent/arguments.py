"""The command line of `pilot-agent proxy`, with the flags of Istio's."""

from __future__ import annotations

import argparse
from typing import Final, NamedTuple

from lateen.agent.log import LEVELS

__all__ = ["Arguments", "parse"]

_NOT_SUPPORTED: Final = (
    "templateFile", "meshConfig", "stsPort", "tokenManagerPlugin", "log_target", "log_rotate", "log_rotate_max_age",
    "log_rotate_max_backups", "log_rotate_max_size", "log_stacktrace_level", "log_caller", "vklog",
)  # fmt: skip
_ENVOY_LEVELS: Final = ("trace", "debug", "info", "warning", "warn", "error", "critical", "off")
_EXAMPLES: Final = """Examples:
  pilot-agent proxy sidecar --domain default.svc.cluster.local
  pilot-agent proxy router --domain istio-system.svc.cluster.local --proxyLogLevel=warning
  pilot-agent proxy sidecar --concurrency 2 --log_output_level=default:debug --log_as_json

All else comes from the environment that injection sets (PROXY_CONFIG, POD_NAME, ISTIO_META_*...): docs/lifecycle.md.
"""


class Arguments(NamedTuple):
    role: str
    domain: str
    envoy_level: str
    envoy_component_levels: str
    level: str
    as_json: bool
    concurrency: int
    service_cluster: str
    outlier_log: str


def parse(arguments: list[str]) -> Arguments:
    """Ends the process with status 2, and says why, when they make no sense."""
    parser = argparse.ArgumentParser(
        prog="pilot-agent proxy",
        description="Run Envoy beside an application: certificates, bootstrap, supervision.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("role", nargs="?", default="sidecar", choices=("sidecar", "router", "waypoint"), help="what the proxy is")
    add("--domain", default="", metavar="NAME", help="DNS domain; default: NAMESPACE.svc.cluster.local")
    add("--proxyLogLevel", default="warning", metavar="LEVEL[,COMPONENT:LEVEL...]", help="Envoy's log")
    add("--proxyComponentLogLevel", default="", metavar="COMPONENT:LEVEL,...", help="Envoy's log, by component")
    add("--log_output_level", default="default:info", metavar="[SCOPE:]LEVEL,...", help=f"one of {', '.join(LEVELS)}")
    add("--log_as_json", nargs="?", const="true", default="false", choices=("true", "false"), help="log as JSON")
    add("--concurrency", type=int, default=0, metavar="N", help="Envoy's worker threads; default: by the CPU limit")
    add("--serviceCluster", default="", metavar="NAME", help="name of the service in traces")
    add("--outlierLogPath", default="", metavar="FILE", help="gets what outlier detection does")
    for name in _NOT_SUPPORTED:
        add(f"--{name}", nargs="?", const="", help=argparse.SUPPRESS)
    found = parser.parse_args(arguments)
    for name in _NOT_SUPPORTED:
        if getattr(found, name) is not None:
            parser.error(f"--{name} is not supported yet by this version")
    try:
        level = _level(found.log_output_level)
        envoy_level, components = _envoy_levels(found.proxyLogLevel, found.proxyComponentLogLevel)
    except ValueError as problem:
        parser.error(str(problem))
    if not 0 <= found.concurrency <= 1024:
        parser.error(f"--concurrency: {found.concurrency} is not a number from 0 to 1024")
    return Arguments(
        found.role, found.domain, envoy_level, components, level, found.log_as_json == "true", found.concurrency,
        found.serviceCluster, found.outlierLogPath,
    )  # fmt: skip


def _level(text: str) -> str:
    """That of the scope `default` or `all`, or of none; the agent has one level for all its scopes."""
    levels = {}
    for part in text.split(","):
        scope, _, level = part.rpartition(":")
        if level not in (*LEVELS, "fatal"):
            raise ValueError(f"--log_output_level: {part!r} is not [SCOPE:]LEVEL; levels are {', '.join(LEVELS)}")
        levels[scope or "default"] = "error" if level == "fatal" else level
    return levels.get("default") or levels.get("all") or levels.get("agent") or "info"


def _envoy_levels(level: str, components: str) -> tuple[str, str]:
    """`--proxyLogLevel` may name components, too; then the other flag does not count, as with Istio."""
    listed = level.split(",")
    own = next((part for part in reversed(listed) if ":" not in part), "warning")
    named = ",".join(part for part in listed if ":" in part) or components
    for part in (own, *(part.rpartition(":")[2] for part in named.split(",") if part)):
        if part not in _ENVOY_LEVELS:
            raise ValueError(f"--proxyLogLevel: there is no level {part!r}; there are {', '.join(_ENVOY_LEVELS)}")
    return own, named
