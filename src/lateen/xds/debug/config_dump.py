"""What a proxy has been sent, in the form of Envoy's own /config_dump (envoy.admin.v3.ConfigDump)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from google.protobuf.json_format import Error
from google.protobuf.message import DecodeError

from lateen.translate.envoy_types import decoded, readable
from lateen.translate.resource import Resource, ResourceType
from lateen.xds.connection import Connection
from lateen.xds.debug.redaction import REDACTED, redacted

_ADMIN = "type.googleapis.com/envoy.admin.v3."


def config_dump(connection: Connection, *, endpoints: bool = False) -> dict[str, Any]:
    """What was sent, whether or not it was accepted. Private keys are left out."""
    sent = {conversation.type: conversation.sent_resources() for conversation in connection.session.conversations()}

    def each(type_: ResourceType, show: Callable[[Resource], dict[str, Any]]) -> list[dict[str, Any]]:
        return [show(resource) for resource in sent.get(type_, ())]

    configs = [
        _section("Bootstrap"),
        _section(
            "Clusters",
            dynamic_active_clusters=each(
                ResourceType.CDS, lambda r: {"version_info": r.version, "cluster": _shown(ResourceType.CDS, r)}
            ),
        ),
        _section(
            "Listeners",
            dynamic_listeners=each(
                ResourceType.LDS,
                lambda r: {
                    "name": r.name,
                    "active_state": {"version_info": r.version, "listener": _shown(ResourceType.LDS, r)},
                },
            ),
        ),
        _section("ScopedRoutes"),
        _section(
            "Routes",
            dynamic_route_configs=each(
                ResourceType.RDS, lambda r: {"version_info": r.version, "route_config": _shown(ResourceType.RDS, r)}
            ),
        ),
        _section(
            "Secrets",
            dynamic_active_secrets=each(
                ResourceType.SDS,
                lambda r: {"name": r.name, "version_info": r.version, "secret": _shown(ResourceType.SDS, r)},
            ),
        ),
        _section(
            "Ecds",
            ecds_filters=each(
                ResourceType.ECDS, lambda r: {"version_info": r.version, "ecds_filter": _shown(ResourceType.ECDS, r)}
            ),
        ),
    ]
    if endpoints:
        shown = each(
            ResourceType.EDS, lambda r: {"version_info": r.version, "endpoint_config": _shown(ResourceType.EDS, r)}
        )
        configs.insert(2, _section("Endpoints", dynamic_endpoint_configs=shown))
    return {"configs": configs}


def _section(name: str, **content: list[dict[str, Any]]) -> dict[str, Any]:
    return {"@type": f"{_ADMIN}{name}ConfigDump", **content}


def _shown(type_: ResourceType, resource: Resource) -> dict[str, Any]:
    try:
        data = readable(decoded(type_, resource))
    except (DecodeError, Error, TypeError):
        # Secrets cannot be told from the rest in what cannot be read.
        return {"@type": type_.value, "name": resource.name, "value": f"{REDACTED}: {len(resource.body)} bytes"}
    found: dict[str, Any] = redacted({"@type": type_.value, **data})
    return found
