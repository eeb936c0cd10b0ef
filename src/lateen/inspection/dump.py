"""Envoy's /config_dump (envoy.admin.v3.ConfigDump), as its admin interface writes it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

import msgspec

MAX_DUMP: Final = 512 * 1024 * 1024
"""Bytes."""

Json = dict[str, Any]


class BadDump(ValueError):
    """Not a dump of Envoy's configuration; says why."""


class HeldSecret(NamedTuple):
    """A secret, with Envoy's word for what it does with it."""

    state: str
    """ACTIVE or WARMING."""
    secret: Json


class Dump:
    """One proxy's configuration. Sections that are not in the dump are empty."""

    def __init__(self, sections: Mapping[str, Json]) -> None:
        self._sections = sections

    @property
    def bootstrap(self) -> Json:
        return _mapping(self._section("Bootstrap").get("bootstrap"))

    def clusters(self, *, static: bool = True) -> list[Json]:
        """Those in use."""
        section = self._section("Clusters")
        names = ("dynamic_active_clusters", "static_clusters") if static else ("dynamic_active_clusters",)
        return [
            _mapping(each.get("cluster")) for name in names for each in _entries(section, name) if "cluster" in each
        ]

    def listeners(self, *, static: bool = True) -> list[Json]:
        """Those in use."""
        section = self._section("Listeners")
        active = (_mapping(each.get("active_state")) for each in _entries(section, "dynamic_listeners"))
        fixed = _entries(section, "static_listeners") if static else ()
        return [_mapping(each.get("listener")) for each in (*active, *fixed) if "listener" in each]

    def routes(self, *, static: bool = True) -> list[Json]:
        """Route configurations by themselves, and those inside of listeners, which Envoy calls static."""
        section = self._section("Routes")
        names = ("dynamic_route_configs", "static_route_configs") if static else ("dynamic_route_configs",)
        found = (each for name in names for each in _entries(section, name))
        return [_mapping(each.get("route_config")) for each in found if "route_config" in each]

    def routes_updated(self) -> str:
        """When a route configuration was taken last (RFC 3339); empty for never."""
        entries = _entries(self._section("Routes"), "dynamic_route_configs")
        return max((str(each.get("last_updated", "")) for each in entries), default="")

    def endpoints(self) -> list[Json]:
        """Load assignments (/config_dump?include_eds)."""
        section = self._section("Endpoints")
        names = ("dynamic_endpoint_configs", "static_endpoint_configs")
        found = (each for name in names for each in _entries(section, name))
        return [_mapping(each.get("endpoint_config")) for each in found if "endpoint_config" in each]

    def extensions(self) -> list[Json]:
        """Those of ECDS, as envoy.config.core.v3.TypedExtensionConfig."""
        return [
            _mapping(each.get("ecds_filter"))
            for each in _entries(self._section("Ecds"), "ecds_filters")
            if "ecds_filter" in each
        ]

    def secrets(self) -> list[HeldSecret]:
        """Active ones, then those that are waited for."""
        section = self._section("Secrets")
        return [
            HeldSecret(state, {**_mapping(each.get("secret")), "name": str(each.get("name", ""))})
            for field, state in (("dynamic_active_secrets", "ACTIVE"), ("dynamic_warming_secrets", "WARMING"))
            for each in _entries(section, field)
        ]

    def sections(self) -> list[Json]:
        """All of it."""
        return list(self._sections.values())

    def section(self, name: str) -> Json:
        """`Secrets`, `Bootstrap` and so on, whole."""
        return self._section(name)

    def _section(self, name: str) -> Json:
        return self._sections.get(name, {})


def parse_dump(content: bytes) -> Dump:
    """Raises BadDump."""
    return Dump(dict(_sections(listed(content, "configs", "config_dump"))))


def listed(content: bytes, field: str, page: str) -> list[Any]:
    """The list that a page of the admin interface consists of. Raises BadDump."""
    if len(content) > MAX_DUMP:
        raise BadDump(f"it has more than {MAX_DUMP} bytes")
    try:
        data = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadDump(f"it is not JSON: {error}") from error
    found = data.get(field) if isinstance(data, dict) else None
    if not isinstance(found, list):
        raise BadDump(f"it has no `{field}`; save it with: pilot-agent request GET {shlex.quote(page)}")
    return found


def _sections(configs: list[Any]) -> Iterator[tuple[str, Json]]:
    for section in configs:
        if isinstance(section, dict):
            yield str(section.get("@type", "")).rpartition(".")[2].removesuffix("ConfigDump"), section


def _entries(section: Json, name: str) -> list[Json]:
    found = section.get(name)
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _mapping(data: Any) -> Json:
    return data if isinstance(data, dict) else {}
