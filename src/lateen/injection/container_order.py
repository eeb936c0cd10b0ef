"""In which order containers start, after everything is merged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lateen.injection.names import CORE_DUMP, INIT, PROXY, VALIDATION

Containers = list[Mapping[str, Any]]


def ordered_containers(containers: Containers, proxy_first: bool) -> Containers:
    """The proxy is the last, so that kubectl goes on to mean the application's; or the first, if others wait for it."""
    proxy, others = _split(containers, (PROXY,))
    return [*proxy, *others] if proxy_first else [*others, *proxy]


def ordered_init_containers(containers: Containers, before_proxy: Sequence[str]) -> Containers:
    """With a native sidecar: capture, what asked to be before the proxy, the proxy, the application's own. Otherwise
    the application's own come before capture: until the proxy runs, captured traffic goes nowhere."""
    validation, rest = _split(containers, (VALIDATION,))
    capture, rest = _split(rest, (INIT,))
    core_dump, rest = _split(rest, (CORE_DUMP,))
    proxy, rest = _split(rest, (PROXY,))
    if not proxy:
        return [*validation, *rest, *capture, *core_dump]
    first, rest = _split(rest, before_proxy)
    return [*capture, *validation, *first, *proxy, *core_dump, *rest]


def _split(containers: Containers, names: Sequence[str]) -> tuple[Containers, Containers]:
    """Those of the names, in the order of the names, and the others."""
    named = [each for name in names for each in containers if each.get("name") == name]
    return named, [each for each in containers if each.get("name") not in names]
