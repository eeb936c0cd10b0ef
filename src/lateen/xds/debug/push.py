"""What pushing has come to: what could not be made, what was rejected, and what it cost."""

from __future__ import annotations

from typing import Any

import msgspec

from lateen.engine import Engine
from lateen.xds.rejection import Rejection
from lateen.xds.server import XdsServer


def push_status(server: XdsServer) -> dict[str, dict[str, Any]]:
    """/debug/push_status: by metric and key, as Istio's, what is wrong now and with which proxy."""
    failed = {
        f"{error.type.name if error.type else 'views'}/{error.name}": {"message": str(error.error)}
        for error in server.inventory.errors()
    }
    rejected = {
        f"{rejection.type.name}/{rejection.proxy}": _rejection(rejection)
        for connection in server.connections()
        for rejection in connection.session.rejections.values()
    }
    return {
        name: dict(sorted(found.items()))
        for name, found in (("pilot_resource_errors", failed), ("pilot_total_xds_rejects", rejected))
        if found
    }


def engine_page(engine: Engine, server: XdsServer) -> dict[str, Any]:
    """/debug/engine: sizes and counts of the engine, of collections and of the server."""
    inventory, push = server.inventory, server.push
    feeds = list(inventory.feeds())
    return {
        "engine": msgspec.to_builtins(engine.statistics()),
        "collections": {
            "published": inventory.revision,
            "count": len(feeds),
            "resources": inventory.shared_resources,
            "subscriptions": len(inventory.subscriptions),
            "remembered": sum(feed.collection.remembered for feed in feeds),
        },
        "push": {"count": push.pushes, "served": push.served, "longestSeconds": push.longest},
        "server": {
            **msgspec.to_builtins(server.counters),
            "connections": len(server.connections()),
            "bytesEncoded": server.parcels.encoded,
        },
    }


def _rejection(rejection: Rejection) -> dict[str, Any]:
    return {
        "proxy": rejection.proxy,
        "message": rejection.message,
        "resources": list(rejection.names),
        "origins": [f"{origin.table}/{origin.key}" for origin in rejection.origins],
    }
