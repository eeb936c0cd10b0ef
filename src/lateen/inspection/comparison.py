"""`proxy-status POD`: what the control plane has sent against what Envoy has, as a difference of their JSON."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator
from typing import Any, Final

from lateen.inspection import clusters, listeners, routes
from lateen.inspection.dump import Dump, Json
from lateen.inspection.protojson import camel

_CONTEXT: Final = 7
"""Lines around a difference."""
_TIME_FORMAT: Final = "RDS last loaded at {}"


def compare(sent: Dump, held: Dump) -> Iterator[str]:
    """Of each type either that it matches, or a unified difference."""
    for name, message, ours, theirs in (
        ("Clusters", clusters.MESSAGE, sent.clusters(static=False), held.clusters(static=False)),
        ("Listeners", listeners.MESSAGE, sent.listeners(static=False), held.listeners(static=False)),
        ("Routes", routes.MESSAGE, sent.routes(static=False), held.routes(static=False)),
    ):
        lines = _difference(name, _text(ours, message), _text(theirs, message))
        if lines:
            yield lines
        elif name == "Routes" and held.routes_updated():
            yield f"{name} Match ({_TIME_FORMAT.format(held.routes_updated())})\n"
        else:
            yield f"{name} Match\n"


def _text(resources: list[Json], message: str) -> list[str]:
    """Sorted by name, and keys by theirs: order says nothing here. Without fields that the control plane cannot read
    of its own messages, since it shows what it has sent without them."""
    found = sorted(
        (_comparable(camel(each, message, known=True)) for each in resources),
        key=lambda each: str(each.get("name", "")),
    )
    return json.dumps(found, indent=3, sort_keys=True).splitlines(keepends=True)


def _comparable(data: Any) -> Any:
    """Without what two writers of the same message may differ in: fields that are empty, 1 or 1.0."""
    if isinstance(data, dict):
        return {key: _comparable(value) for key, value in data.items() if value not in (None, [], "")}
    if isinstance(data, list):
        return [_comparable(each) for each in data]
    return int(data) if isinstance(data, float) and data.is_integer() else data


def _difference(name: str, sent: list[str], held: list[str]) -> str:
    if sent == held:
        return ""
    lines = difflib.unified_diff(sent, held, f"Istiod {name}", f"Envoy {name}", n=_CONTEXT)
    return "".join(lines) + "\n"
