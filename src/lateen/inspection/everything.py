"""`proxy-config all`: one table after the other, from one dump."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from lateen.inspection import bootstrap, clusters, endpoints, listeners, routes, secrets
from lateen.inspection.dump import Dump
from lateen.inspection.table import NARROW, table


class Filters(NamedTuple):
    """Of each table."""

    clusters: clusters.ClusterFilter = clusters.ClusterFilter()
    listeners: listeners.ListenerFilter = listeners.ListenerFilter()
    route: str = ""
    """The name of a route configuration."""
    endpoints: endpoints.EndpointFilter = endpoints.EndpointFilter()


def summary(dump: Dump, wanted: Filters, now: datetime, *, verbose: bool = True) -> str:
    """Names say of what they are: `cluster/...`, `listener/...`, and so on."""
    chosen = clusters.clusters(dump, wanted.clusters)
    named = [(f"cluster/{each['name']}", *row) for each, row in zip(chosen, clusters.rows(chosen), strict=True)]
    parts = [bootstrap.summary(dump.bootstrap), table(("NAME", *clusters.HEADER), named)]
    parts.append(_listeners(dump, wanted, verbose=verbose))
    found = routes.routes(dump, wanted.route)
    parts.append(
        table(routes.HEADER, [(f"route/{name}", *rest) for name, *rest in routes.rows(found)])
        if verbose
        else routes.summary(found, verbose=False)
    )
    held = secrets.secrets(dump, now)
    parts.append(secrets.summary([each._replace(name=f"secret/{each.name}") for each in held]))
    assigned = endpoints.assigned_rows(dump, wanted.endpoints)
    parts.append(table(endpoints.ASSIGNED_HEADER, [(f"endpoint/{name}", *rest) for name, *rest in assigned]))
    return "\n".join(parts)


def _listeners(dump: Dump, wanted: Filters, *, verbose: bool) -> str:
    chosen = listeners.listeners(dump, wanted.listeners)
    if not verbose:
        return listeners.summary(chosen, verbose=False)
    lines = [(f"listener/{each.get('name', '')}", *row) for each in chosen for row in listeners.rows([each])]
    return table(("NAME", *listeners.HEADER), lines, NARROW)
