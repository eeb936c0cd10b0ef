"""Patches of route configurations, their virtual hosts and their routes."""

from __future__ import annotations

from typing import Any

from envoy.config.route.v3 import route_components_pb2, route_pb2

from lateen.api.networking.envoy_filter import ApplyTo, Operation
from lateen.translate.patches.matching import (
    RouteIdentity,
    names_a_route,
    route_configuration_matches,
    route_matches,
    virtual_host_matches,
)
from lateen.translate.patches.merge import merge_by
from lateen.translate.patches.misfits import Misfits
from lateen.translate.patches.patch import Patch, applying_to
from lateen.translate.patches.sequence import place

ROUTE_KINDS = (ApplyTo.ROUTE_CONFIGURATION, ApplyTo.VIRTUAL_HOST, ApplyTo.HTTP_ROUTE)


def patch_route_configuration(config: Any, route: RouteIdentity, patches: list[Patch], misfits: Misfits) -> None:
    """Applies the patches that match to a route configuration and what is in it."""
    chosen = [each for each in patches if route_configuration_matches(each.outline.match.route_configuration, route)]
    for patch in applying_to(chosen, ApplyTo.ROUTE_CONFIGURATION):
        if patch.outline.operation.is_merge:
            with misfits.of(patch):
                merge_by(patch.outline.operation, config, route_pb2.RouteConfiguration.FromString(patch.value))
    _patch_virtual_hosts(config, chosen, misfits)


# --- virtual hosts ------------------------------------------------------------------------------------------------


def _patch_virtual_hosts(config: Any, patches: list[Patch], misfits: Misfits) -> None:
    hosts, routes = applying_to(patches, ApplyTo.VIRTUAL_HOST), applying_to(patches, ApplyTo.HTTP_ROUTE)
    removed = [not _patch_virtual_host(each, hosts, routes, misfits) for each in config.virtual_hosts]
    for index in reversed([index for index, gone in enumerate(removed) if gone]):
        del config.virtual_hosts[index]
    for patch in hosts:
        if patch.outline.operation is Operation.ADD:
            config.virtual_hosts.append(route_components_pb2.VirtualHost.FromString(patch.value))


def _patch_virtual_host(host: Any, patches: list[Patch], routes: list[Patch], misfits: Misfits) -> bool:
    """False if a patch removes it."""
    for patch in patches:
        if not virtual_host_matches(patch.outline.match.route_configuration, host):
            continue
        if patch.outline.operation is Operation.REMOVE:
            return False
        with misfits.of(patch):
            if patch.outline.operation.is_merge:
                merge_by(patch.outline.operation, host, route_components_pb2.VirtualHost.FromString(patch.value))
            elif patch.outline.operation is Operation.REPLACE:
                host.CopyFrom(route_components_pb2.VirtualHost.FromString(patch.value))
    _patch_routes(host, routes, misfits)
    return True


# --- routes -------------------------------------------------------------------------------------------------------


def _patch_routes(host: Any, patches: list[Patch], misfits: Misfits) -> None:
    chosen = [each for each in patches if virtual_host_matches(each.outline.match.route_configuration, host)]
    if not chosen:
        return
    removed = {index for index, route in enumerate(host.routes) if not _patch_route(route, chosen, misfits)}
    for index in sorted(removed, reverse=True):
        del host.routes[index]
    for patch in chosen:
        if patch.outline.operation is Operation.ADD or patch.outline.operation.is_insert:
            _add_route(host, patch)


def _patch_route(route: Any, patches: list[Patch], misfits: Misfits) -> bool:
    """Merges and removals; false if a patch removes it."""
    for patch in patches:
        if not route_matches(patch.outline.match.route_configuration, route):
            continue
        if patch.outline.operation is Operation.REMOVE:
            return False
        if patch.outline.operation.is_merge:
            with misfits.of(patch):
                merge_by(patch.outline.operation, route, route_components_pb2.Route.FromString(patch.value))
    return True


def _add_route(host: Any, patch: Patch) -> None:
    match = patch.outline.match.route_configuration
    place(
        host.routes,
        route_components_pb2.Route.FromString(patch.value),
        patch.outline.operation,
        (lambda route: route_matches(match, route)) if names_a_route(match) else None,
    )
