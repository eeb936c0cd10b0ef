"""Patches of network filters, and of the HTTP filters and routes in connection managers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from envoy.config.listener.v3 import listener_components_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2

from lateen.api.networking.envoy_filter import ApplyTo, FilterClass
from lateen.api.networking.envoy_filter_validation import HTTP_CONNECTION_MANAGER
from lateen.translate.patches.matching import filter_named, sidecar_route, sub_filter_named
from lateen.translate.patches.merge import merge_any_by
from lateen.translate.patches.misfits import Misfits
from lateen.translate.patches.patch import Patch
from lateen.translate.patches.routes import ROUTE_KINDS, patch_route_configuration
from lateen.translate.patches.sequence import called, place

_TERMINAL: Final = frozenset(
    {
        HTTP_CONNECTION_MANAGER,
        "envoy.filters.http.router",
        "envoy.filters.network.echo",
        "envoy.filters.network.redis_proxy",
        "envoy.filters.network.tcp_proxy",
    }
)
"""Filters that must be last: Envoy takes nothing after them."""
_AUTHENTICATION: Final = frozenset({"envoy.filters.http.jwt_authn", "istio_authn"})
_AUTHORIZATION: Final = frozenset(
    {
        "envoy.filters.http.ext_authz",
        "envoy.filters.http.rbac",
        "envoy.filters.network.ext_authz",
        "envoy.filters.network.rbac",
    }
)
_STATISTICS: Final = frozenset({"istio.stats", "envoy.filters.http.grpc_stats"})


def patch_filters(chain: Any, patches: list[Patch], misfits: Misfits) -> None:
    """Applies to a filter chain the patches of its filters, which all match it."""
    network = [each for each in patches if each.outline.apply_to is ApplyTo.NETWORK_FILTER]
    _place_all(chain.filters, network, filter_named, listener_components_pb2.Filter, misfits)
    for filter_ in chain.filters:
        _merge_all(filter_, network, filter_named, listener_components_pb2.Filter, misfits)
    inner = [each for each in patches if each.outline.apply_to in (ApplyTo.HTTP_FILTER, *ROUTE_KINDS)]
    if inner:
        for filter_ in chain.filters:
            if filter_.name == HTTP_CONNECTION_MANAGER and filter_.HasField("typed_config"):
                _patch_connection_manager(filter_, inner, misfits)


def _patch_connection_manager(filter_: Any, patches: list[Patch], misfits: Misfits) -> None:
    manager = http_connection_manager_pb2.HttpConnectionManager()
    if not filter_.typed_config.Is(manager.DESCRIPTOR):
        return
    filter_.typed_config.Unpack(manager)
    http = [
        each
        for each in patches
        if each.outline.apply_to is ApplyTo.HTTP_FILTER and filter_named(each) in (None, filter_.name)
    ]
    _place_all(manager.http_filters, http, sub_filter_named, http_connection_manager_pb2.HttpFilter, misfits)
    for each in manager.http_filters:
        _merge_all(each, http, sub_filter_named, http_connection_manager_pb2.HttpFilter, misfits)
    if manager.HasField("route_config"):
        routes = [each for each in patches if each.outline.apply_to in ROUTE_KINDS]
        patch_route_configuration(manager.route_config, sidecar_route(manager.route_config.name), routes, misfits)
    filter_.typed_config.value = manager.SerializeToString(deterministic=True)


# --- one list of filters ------------------------------------------------------------------------------------------


def _place_all(
    filters: Any, patches: list[Patch], named: Callable[[Patch], str | None], class_: Any, misfits: Misfits
) -> None:
    for patch in patches:
        if patch.outline.operation.is_merge:
            continue
        with misfits.of(patch):
            value = class_.FromString(patch.value)
            place(
                filters,
                value,
                patch.outline.operation,
                called(named(patch)),
                _end(filters, value, patch.outline.filter_class),
            )


def _end(filters: Any, value: Any, class_: FilterClass) -> int:
    """Where ADD puts a filter: by its class; before a filter that must be last, unless it is such a one itself."""
    names = [each.name for each in filters]
    end = len(names) - 1 if names and names[-1] in _TERMINAL and value.name not in _TERMINAL else len(names)
    match class_:
        case FilterClass.AUTHN:
            return _after(names, _AUTHENTICATION, 0)
        case FilterClass.AUTHZ:
            return _after(names, _AUTHORIZATION, _after(names, _AUTHENTICATION, 0))
        case FilterClass.STATS:
            return next((index for index, name in enumerate(names) if name in _STATISTICS), end)
        case FilterClass.UNSPECIFIED:
            return end


def _after(names: list[str], wanted: frozenset[str], otherwise: int) -> int:
    return max((index + 1 for index, name in enumerate(names) if name in wanted), default=otherwise)


def _merge_all(
    filter_: Any, patches: list[Patch], named: Callable[[Patch], str | None], class_: Any, misfits: Misfits
) -> None:
    """Merges what names this filter, or none. A filter that is configured from elsewhere (ECDS) is left alone."""
    for patch in patches:
        if not patch.outline.operation.is_merge or not filter_.HasField("typed_config"):
            continue
        if named(patch) not in (None, filter_.name):
            continue
        with misfits.of(patch):
            value = class_.FromString(patch.value)
            if value.HasField("typed_config"):
                merge_any_by(patch.outline.operation, filter_.typed_config, value.typed_config)
            _merge_rest(filter_, value)


def _merge_rest(filter_: Any, value: Any) -> None:
    """The name, and whether an HTTP filter is optional or disabled."""
    value.ClearField("typed_config")
    if not value.name:
        value.name = filter_.name
    filter_.MergeFrom(value)
