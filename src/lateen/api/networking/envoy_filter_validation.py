"""What is wrong with an EnvoyFilter beyond its types (Istio: ValidateEnvoyFilter and its EnvoyFilter analyzer)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import re2

from lateen.api.envoy.values import build
from lateen.api.networking.envoy_filter import (
    ApplyTo,
    EnvoyConfigObjectMatch,
    EnvoyConfigObjectPatch,
    EnvoyFilter,
    ListenerMatch,
    Operation,
    PatchContext,
)
from lateen.api.objects import Object
from lateen.api.schema.fault import Fault, Severity, error, warning

HTTP_CONNECTION_MANAGER: Final = "envoy.filters.network.http_connection_manager"

MESSAGES: Final = {
    ApplyTo.LISTENER: "envoy.config.listener.v3.Listener",
    ApplyTo.FILTER_CHAIN: "envoy.config.listener.v3.FilterChain",
    ApplyTo.NETWORK_FILTER: "envoy.config.listener.v3.Filter",
    ApplyTo.LISTENER_FILTER: "envoy.config.listener.v3.ListenerFilter",
    ApplyTo.HTTP_FILTER: "envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter",
    ApplyTo.ROUTE_CONFIGURATION: "envoy.config.route.v3.RouteConfiguration",
    ApplyTo.VIRTUAL_HOST: "envoy.config.route.v3.VirtualHost",
    ApplyTo.HTTP_ROUTE: "envoy.config.route.v3.Route",
    ApplyTo.CLUSTER: "envoy.config.cluster.v3.Cluster",
    ApplyTo.EXTENSION_CONFIG: "envoy.config.core.v3.TypedExtensionConfig",
    ApplyTo.BOOTSTRAP: "envoy.config.bootstrap.v3.Bootstrap",
}
"""What the value of a patch is."""

_LISTENER_CLASS = (
    ApplyTo.LISTENER,
    ApplyTo.FILTER_CHAIN,
    ApplyTo.NETWORK_FILTER,
    ApplyTo.HTTP_FILTER,
    ApplyTo.LISTENER_FILTER,
)
_ROUTE_CLASS = (ApplyTo.ROUTE_CONFIGURATION, ApplyTo.VIRTUAL_HOST, ApplyTo.HTTP_ROUTE)
_RESOURCES = (ApplyTo.LISTENER, ApplyTo.CLUSTER, ApplyTo.EXTENSION_CONFIG)
_FILTERS = (ApplyTo.NETWORK_FILTER, ApplyTo.HTTP_FILTER, ApplyTo.LISTENER_FILTER)

_DEPRECATED_NAMES: Final = {
    "envoy.buffer": "envoy.filters.http.buffer",
    "envoy.client_ssl_auth": "envoy.filters.network.client_ssl_auth",
    "envoy.cors": "envoy.filters.http.cors",
    "envoy.csrf": "envoy.filters.http.csrf",
    "envoy.echo": "envoy.filters.network.echo",
    "envoy.ext_authz": "envoy.filters.http.ext_authz",
    "envoy.fault": "envoy.filters.http.fault",
    "envoy.grpc_http1_bridge": "envoy.filters.http.grpc_http1_bridge",
    "envoy.grpc_json_transcoder": "envoy.filters.http.grpc_json_transcoder",
    "envoy.grpc_web": "envoy.filters.http.grpc_web",
    "envoy.gzip": "envoy.filters.http.gzip",
    "envoy.health_check": "envoy.filters.http.health_check",
    "envoy.http_connection_manager": HTTP_CONNECTION_MANAGER,
    "envoy.http_dynamo_filter": "envoy.filters.http.dynamo",
    "envoy.ip_tagging": "envoy.filters.http.ip_tagging",
    "envoy.listener.http_inspector": "envoy.filters.listener.http_inspector",
    "envoy.listener.original_dst": "envoy.filters.listener.original_dst",
    "envoy.listener.original_src": "envoy.filters.listener.original_src",
    "envoy.listener.proxy_protocol": "envoy.filters.listener.proxy_protocol",
    "envoy.listener.tls_inspector": "envoy.filters.listener.tls_inspector",
    "envoy.lua": "envoy.filters.http.lua",
    "envoy.mongo_proxy": "envoy.filters.network.mongo_proxy",
    "envoy.rate_limit": "envoy.filters.http.ratelimit",
    "envoy.ratelimit": "envoy.filters.network.ratelimit",
    "envoy.redis_proxy": "envoy.filters.network.redis_proxy",
    "envoy.router": "envoy.filters.http.router",
    "envoy.squash": "envoy.filters.http.squash",
    "envoy.tcp_proxy": "envoy.filters.network.tcp_proxy",
}


def validate(obj: Object[EnvoyFilter]) -> Iterator[Fault]:
    """Faults of the whole; a patch with an error is not looked at further."""
    spec = obj.spec
    yield warning(
        "", "EnvoyFilter depends on internals of the generated configuration, which change: prefer other resources"
    )
    if spec.workload_selector is not None and not spec.workload_selector.labels:
        yield warning("spec.workloadSelector", "selects by no label: applies to all workloads of the namespace")
    for index, target in enumerate(spec.target_refs):
        path = f"spec.targetRefs[{index}]"
        if (target.group, target.kind) != ("gateway.networking.k8s.io", "Gateway"):
            yield warning(path, f"targets of kind {target.kind} are not supported yet by this version: not applied")
    for index, patch in enumerate(spec.config_patches):
        yield from _patch(patch, f"spec.configPatches[{index}]", spec.priority)


def _patch(patch: EnvoyConfigObjectPatch, path: str, priority: int) -> Iterator[Fault]:
    wrong = list(_shape(patch, path))
    yield from wrong
    if any(fault.severity is Severity.ERROR for fault in wrong):
        return
    if patch.match is not None:
        yield from _match(patch, patch.match, f"{path}.match")
    yield from _operation(patch, path, priority)
    yield from patch_value(patch, path)[1]


def _shape(patch: EnvoyConfigObjectPatch, path: str) -> Iterator[Fault]:
    if patch.apply_to is ApplyTo.INVALID:
        yield error(f"{path}.applyTo", "required")
    if patch.patch is None:
        yield error(f"{path}.patch", "required")
    elif patch.patch.operation is Operation.INVALID:
        yield error(f"{path}.patch.operation", "required")
    elif patch.patch.operation is not Operation.REMOVE and patch.patch.value is None:
        yield error(f"{path}.patch.value", f"required with operation {patch.patch.operation.value}")


def patch_value(patch: EnvoyConfigObjectPatch, path: str) -> tuple[bytes | None, tuple[Fault, ...]]:
    """The value of a patch, serialised, and its faults; None if it has none (REMOVE) or is wrong."""
    name = MESSAGES.get(patch.apply_to)
    if name is None or patch.patch is None or patch.patch.value is None:
        return None, ()
    message, faults = build(name, patch.patch.value, f"{path}.patch.value")
    return (message.SerializeToString(deterministic=True) if message is not None else None), faults


# --- match --------------------------------------------------------------------------------------------------------


def _match(patch: EnvoyConfigObjectPatch, match: EnvoyConfigObjectMatch, path: str) -> Iterator[Fault]:
    if match.context is PatchContext.WAYPOINT or match.waypoint is not None:
        yield warning(path, "waypoints are not supported yet by this version: not applied")
    if match.proxy is not None and match.proxy.proxy_version:
        try:
            re2.compile(match.proxy.proxy_version)
        except re2.error as problem:
            yield error(f"{path}.proxy.proxyVersion", f"not a regular expression: {problem}")
    chosen = {
        "listener": match.listener,
        "routeConfiguration": match.route_configuration,
        "cluster": match.cluster,
    }
    allowed = (
        "listener"
        if patch.apply_to in _LISTENER_CLASS
        else "routeConfiguration"
        if patch.apply_to in _ROUTE_CLASS
        else "cluster"
        if patch.apply_to is ApplyTo.CLUSTER
        else ""
    )
    for name, value in chosen.items():
        if value is not None and name != allowed:
            message = f"does not go with applyTo {patch.apply_to.value}" + (f": expected {allowed}" if allowed else "")
            yield error(f"{path}.{name}", message) if allowed else warning(f"{path}.{name}", f"{message}: no effect")
    if match.listener is not None and allowed == "listener":
        yield from _listener(patch, match.listener, f"{path}.listener")


def _listener(patch: EnvoyConfigObjectPatch, match: ListenerMatch, path: str) -> Iterator[Fault]:
    if match.port_name:
        yield warning(f"{path}.portName", "not implemented, neither here nor in Istio: no effect")
    if match.listener_filter and patch.apply_to is not ApplyTo.LISTENER_FILTER:
        yield warning(f"{path}.listenerFilter", f"no effect with applyTo {patch.apply_to.value}")
    yield from _deprecated_name(match.listener_filter, f"{path}.listenerFilter")
    chain = match.filter_chain
    if chain is None or chain.filter is None:
        return
    where = f"{path}.filterChain.filter"
    if patch.apply_to not in (ApplyTo.NETWORK_FILTER, ApplyTo.HTTP_FILTER):
        yield warning(where, f"no effect with applyTo {patch.apply_to.value}")
    if not chain.filter.name:
        yield error(f"{where}.name", "required")
        return
    yield from _deprecated_name(chain.filter.name, f"{where}.name")
    inner = chain.filter.sub_filter
    if inner is None:
        return
    if patch.apply_to is not ApplyTo.HTTP_FILTER:
        yield error(f"{where}.subFilter", f"does not go with applyTo {patch.apply_to.value}: only with HTTP_FILTER")
    elif _DEPRECATED_NAMES.get(chain.filter.name, chain.filter.name) != HTTP_CONNECTION_MANAGER:
        yield error(f"{where}.name", f"expected {HTTP_CONNECTION_MANAGER} with a subFilter, got {chain.filter.name!r}")
    elif not inner.name:
        yield error(f"{where}.subFilter.name", "required")
    yield from _deprecated_name(inner.name, f"{where}.subFilter.name")


def _deprecated_name(name: str, path: str) -> Iterator[Fault]:
    if name in _DEPRECATED_NAMES:
        yield warning(
            path, f"deprecated filter name {name!r}: generated filters are called {_DEPRECATED_NAMES[name]!r}"
        )


# --- operation ----------------------------------------------------------------------------------------------------


def _operation(patch: EnvoyConfigObjectPatch, path: str, priority: int) -> Iterator[Fault]:
    if patch.patch is None:
        return
    operation, apply_to = patch.patch.operation, patch.apply_to
    where = f"{path}.patch.operation"
    if apply_to is ApplyTo.BOOTSTRAP:
        yield warning(f"{path}.applyTo", "BOOTSTRAP is not supported yet by this version: not applied")
    elif apply_to is ApplyTo.EXTENSION_CONFIG:
        if operation not in (Operation.ADD, Operation.REPLACE):
            yield warning(where, "no effect with applyTo EXTENSION_CONFIG: use ADD or REPLACE")
    elif apply_to is ApplyTo.ROUTE_CONFIGURATION and not operation.is_merge:
        codes = {Operation.ADD: "IST0153", Operation.REMOVE: "IST0154", Operation.REPLACE: "IST0152"}
        message = f"{operation.value} has no effect with applyTo ROUTE_CONFIGURATION: use MERGE"
        yield Fault(where, message, Severity.WARNING, codes.get(operation, ""))
    elif operation is Operation.REPLACE and apply_to not in (*_FILTERS, ApplyTo.VIRTUAL_HOST):
        message = f"REPLACE has no effect with applyTo {apply_to.value}"
        yield Fault(where, message, Severity.WARNING, "IST0152")
    elif operation in (Operation.INSERT_BEFORE, Operation.INSERT_AFTER) and apply_to in _FILTERS and not priority:
        versioned = patch.match is not None and patch.match.proxy is not None and patch.match.proxy.proxy_version
        message = "relative to what another EnvoyFilter may put or remove: set a priority, or use INSERT_FIRST or ADD"
        yield Fault(where, message, Severity.WARNING, "IST0155" if versioned else "IST0151")
    if operation in (Operation.REMOVE, Operation.REPLACE) and apply_to in _FILTERS and not _names_a_filter(patch):
        yield warning(f"{path}.match", f"{operation.value} has no effect without the name of a filter")
    if patch.patch.filter_class.value != "UNSPECIFIED" and not (
        operation is Operation.ADD and apply_to in (ApplyTo.HTTP_FILTER, ApplyTo.NETWORK_FILTER)
    ):
        yield warning(f"{path}.patch.filterClass", "no effect except with ADD of an HTTP_FILTER or a NETWORK_FILTER")
    adds = apply_to in _RESOURCES and (operation is Operation.ADD or operation.is_insert)
    if adds and not (patch.patch.value or {}).get("name"):
        yield warning(f"{path}.patch.value.name", f"a {apply_to.value} without a name cannot be added: left out")
    if operation is Operation.REMOVE and patch.patch.value is not None:
        yield warning(f"{path}.patch.value", "no effect with REMOVE")


def _names_a_filter(patch: EnvoyConfigObjectPatch) -> bool:
    listener = patch.match.listener if patch.match is not None else None
    if listener is None:
        return False
    if patch.apply_to is ApplyTo.LISTENER_FILTER:
        return bool(listener.listener_filter)
    chain = listener.filter_chain
    if chain is None or chain.filter is None:
        return False
    return patch.apply_to is not ApplyTo.HTTP_FILTER or chain.filter.sub_filter is not None
