"""EnvoyFilters for tests, in few words."""

from __future__ import annotations

from typing import Any

from lateen.api.networking.envoy_filter import EnvoyFilter
from lateen.api.objects import Key, Metadata, Object
from lateen.api.schema.decode import Decoder

_EXTENSIONS = "type.googleapis.com/envoy.extensions"


def typed(name: str, type_: str, **fields: Any) -> dict[str, Any]:
    """An extension by its type below `envoy.extensions` (`filters.http.lua.v3.Lua`), as JSON."""
    return {"name": name, "typed_config": {"@type": f"{_EXTENSIONS}.{type_}", **fields}}


def patch(apply_to: str, operation: str, value: dict[str, Any] | None = None, **match: Any) -> dict[str, Any]:
    """One of `configPatches`; `context`, `proxy`, `listener`, `routeConfiguration` and `cluster` are its match, and
    `filterClass` its class."""
    inner: dict[str, Any] = {"operation": operation}
    if value is not None:
        inner["value"] = value
    if "filterClass" in match:
        inner["filterClass"] = match.pop("filterClass")
    return {"applyTo": apply_to, "match": match, "patch": inner}


def envoy_filter(
    *patches: dict[str, Any], name: str = "patches", namespace: str = "default", created: str = "", **spec: Any
) -> Object[EnvoyFilter]:
    """An EnvoyFilter. Raises AssertionError, with the faults, if it does not decode."""
    value, faults = Decoder(EnvoyFilter).decode({"configPatches": list(patches), **spec})
    if value is None:
        raise AssertionError(faults)
    metadata = Metadata(name=name, namespace=namespace, creation_timestamp=created or None)
    return Object(metadata, value, Key(namespace, name))
