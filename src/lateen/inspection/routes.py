"""`proxy-config route`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from lateen.inspection.dump import Dump
from lateen.inspection.origin import origin
from lateen.inspection.table import table

MESSAGE = "envoy.config.route.v3.RouteConfiguration"
HEADER = ("NAME", "VHOST NAME", "DOMAINS", "MATCH", "VIRTUAL SERVICE")
TERSE_HEADER = ("NAME", "VIRTUAL HOSTS")
_PASSTHROUGH: Final = "PassthroughCluster"
_SHOWN_DOMAINS: Final = 2


def routes(dump: Dump, name: str = "") -> list[dict[str, Any]]:
    """All, or those of a name: ports by number, then names."""
    found = [each for each in dump.routes() if not name or each.get("name") == name]
    return sorted(found, key=lambda each: _order(str(each.get("name", ""))))


def rows(found: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    """One for each route of each virtual host; what only passes traffic on is left out."""
    lines: list[tuple[str, ...]] = []
    for config in found:
        for host in config.get("virtual_hosts") or ():
            about = (
                str(config.get("name", "")),
                str(host.get("name", "")),
                described_domains(host.get("domains") or ()),
            )
            each = host.get("routes") or ()
            lines += [
                (*about, described_match(route.get("match") or {}), origin(route))
                for route in each
                if (route.get("route") or {}).get("cluster") != _PASSTHROUGH
            ]
            if not each:
                lines.append((*about, "/*", "404"))
    return lines


def summary(found: list[dict[str, Any]], *, verbose: bool = True) -> str:
    if verbose:
        return table(HEADER, rows(found))
    counts = [(str(each.get("name", "")), str(len(each.get("virtual_hosts") or ()))) for each in found]
    return table(TERSE_HEADER, counts)


def described_match(match: dict[str, Any]) -> str:
    """Of the path alone."""
    if "prefix" in match:
        return f"{match['prefix']}*"
    if "path" in match:
        return str(match["path"])
    if "path_separated_prefix" in match:
        return f"PathPrefix:{match['path_separated_prefix']}"
    if "safe_regex" in match:
        return f"regex {(match['safe_regex'] or {}).get('regex', '')}"
    return ""


def described_domains(domains: Sequence[str]) -> str:
    """The first two without ports and without their longer forms, and how many more there are."""
    if len(domains) < 2:
        return "".join(domains)
    known = set(domains)
    plain = [each for each in domains if not _has_port(each) and not _is_longer(each, known)]
    shown = ", ".join(plain[:_SHOWN_DOMAINS])
    return f"{shown} + {len(plain) - _SHOWN_DOMAINS} more..." if len(plain) > _SHOWN_DOMAINS else shown


def _has_port(domain: str) -> bool:
    return ":" in domain and not domain.endswith("]")


def _is_longer(domain: str, known: set[str]) -> bool:
    return any(domain.endswith(end) and domain.removesuffix(end) in known for end in (".svc.cluster.local", ".svc"))


def _order(name: str) -> tuple[int, int, str]:
    return (0, int(name), "") if name.isdecimal() else (1, 0, name)
