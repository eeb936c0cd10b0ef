"""What gRPC does not do of what resources ask for: told to their authors while applications are served by them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from lateen.api.networking.destination_rule import (
    ConnectionPoolSettings,
    HTTPSettings,
    LoadBalancerSettings,
    PortTrafficPolicy,
    SimpleLB,
    TLSmode,
    TrafficPolicy,
)
from lateen.api.networking.virtual_service import HTTPRetry, HTTPRoute
from lateen.api.objects import Key, ObjectRef
from lateen.api.schema.fault import Fault, warning
from lateen.api.security.authorization_attributes import is_template
from lateen.api.security.authorization_policy import Action, AuthorizationPolicy
from lateen.engine import Reader, query
from lateen.model.authorization import Authorization, is_dry_run
from lateen.model.effective_routes import KIND
from lateen.model.gateway_names import MESH
from lateen.model.inputs import AUTHORIZATION_POLICIES, DESTINATION_RULES, VIRTUAL_SERVICES
from lateen.model.outbound_clusters import OutboundCluster
from lateen.model.traffic_policy import declared_policies
from lateen.translate.grpc.reduced_routes import RETRIED
from lateen.translate.grpc.routes import Target, service_routes
from lateen.translate.resource import Recipe

_WHO: Final = "gRPC applications without a proxy"
_ROUTE: Final = {
    "rewrite": "send requests as they are",
    "mirror": "mirror nothing",
    "mirrors": "mirror nothing",
    "headers": "leave headers as they are",
    "redirect": "fail such calls",
    "direct_response": "fail such calls",
}
"""By field of a route."""
_TURNS: Final = frozenset({SimpleLB.RANDOM, SimpleLB.PASSTHROUGH})


@query
def shortcomings(db: Reader, recipes: tuple[Recipe, ...]) -> tuple[tuple[ObjectRef, Fault], ...]:
    """Of all that some resources are made from."""
    found: dict[ObjectRef, tuple[Fault, ...]] = {}
    for argument in dict.fromkeys(argument for recipe in recipes for argument in recipe.args):
        match argument:
            case Target():
                block = service_routes(db, argument)
                for host in block.hosts if block is not None else ():
                    if host.routing is not None:
                        key = host.routing.virtual_service
                        for each in (key, *_delegates(db, key)):
                            found[ObjectRef(KIND, each)] = of_virtual_service(db, each)
            case OutboundCluster(rules=rules):
                for key in rules:
                    found[ObjectRef("DestinationRule", key)] = of_destination_rule(db, key)
            case Authorization(custom=custom, deny=deny, allow=allow):
                for key in (*custom, *deny, *allow):
                    found[ObjectRef("AuthorizationPolicy", key)] = of_authorization_policy(db, key)
    return tuple((ref, fault) for ref, faults in found.items() for fault in faults)


@query
def of_virtual_service(db: Reader, key: Key) -> tuple[Fault, ...]:
    """What clients do not do of a VirtualService's routes."""
    found = VIRTUAL_SERVICES.get(db, key)
    if found is None:
        return ()
    return tuple(fault for index, route in enumerate(found.spec.http) for fault in _route(f"spec.http[{index}]", route))


def _delegates(db: Reader, key: Key) -> list[Key]:
    """The VirtualServices that one delegates to."""
    found = VIRTUAL_SERVICES.get(db, key)
    references = [route.delegate for route in found.spec.http] if found is not None else []
    keys = (Key(each.namespace or key.namespace, each.name, key.cluster) for each in references if each is not None)
    return list(dict.fromkeys(keys))


def _route(path: str, route: HTTPRoute) -> Iterator[Fault]:
    if route.match and all(match.gateways and MESH not in match.gateways for match in route.match):
        return
    for name, instead in _ROUTE.items():
        if getattr(route, name):
            yield _fault(path, route, name, f"{_WHO} {instead}")
    for index, share in enumerate(route.route):
        if share.headers is not None:
            yield warning(f"{path}.route[{index}].headers", f"{_WHO} leave headers as they are")
    for index, match in enumerate(route.match):
        if match.authority is not None:
            where = f"{path}.match[{index}].authority"
            yield warning(where, f"to {_WHO} it never holds: they tell hosts apart before")
    if route.retries is not None:
        yield from _retries(f"{path}.retries", route.retries)


def _retries(path: str, retries: HTTPRetry) -> Iterator[Fault]:
    if retries.per_try_timeout is not None:
        yield warning(f"{path}.perTryTimeout", f"{_WHO} limit the call as a whole alone (timeout)")
    asked = [each for part in retries.retry_on.split(",") if (each := part.strip())]
    if asked and not set(RETRIED).intersection(asked):
        yield warning(f"{path}.retryOn", f"{_WHO} try nothing again: they know {', '.join(RETRIED)}")


@query
def of_destination_rule(db: Reader, key: Key) -> tuple[Fault, ...]:
    """What clients do not do of a DestinationRule's policies."""
    rule = DESTINATION_RULES.get(db, key)
    return tuple(_policies(declared_policies(rule.spec))) if rule is not None else ()


def _policies(policies: Iterator[tuple[str, TrafficPolicy]]) -> Iterator[Fault]:
    for path, policy in policies:
        yield from _settings(path, policy)
        if policy.proxy_protocol is not None:
            yield warning(f"{path}.proxyProtocol", f"{_WHO} make no connections that need it")
        if policy.retry_budget is not None:
            yield warning(f"{path}.retryBudget", f"{_WHO} have none")
        for index, port in enumerate(policy.port_level_settings):
            yield from _settings(f"{path}.portLevelSettings[{index}]", port)


def _settings(path: str, settings: TrafficPolicy | PortTrafficPolicy) -> Iterator[Fault]:
    if settings.load_balancer is not None:
        yield from _balancing(f"{path}.loadBalancer", settings.load_balancer)
    if settings.connection_pool is not None:
        yield from _pool(f"{path}.connectionPool", settings.connection_pool)
    if settings.outlier_detection is not None:
        yield warning(f"{path}.outlierDetection", f"{_WHO} do not judge endpoints by errors in a row")
    if settings.tls is not None and settings.tls.mode in (TLSmode.SIMPLE, TLSmode.MUTUAL):
        yield warning(f"{path}.tls.mode", f"{_WHO} make no such connections: they have the mesh's TLS alone")


def _balancing(path: str, settings: LoadBalancerSettings) -> Iterator[Fault]:
    if settings.simple in _TURNS:
        yield warning(f"{path}.simple", f"{_WHO} choose endpoints in turn (ROUND_ROBIN)")
    hashing = settings.consistent_hash
    if hashing is not None and (hashing.http_cookie is not None or hashing.http_query_parameter_name):
        yield warning(f"{path}.consistentHash", f"{_WHO} choose by a header or by the client (useSourceIp) alone")
    if hashing is not None and hashing.maglev is not None:
        yield warning(f"{path}.consistentHash.maglev", f"{_WHO} have ringHash in its stead")
    if settings.warmup is not None or settings.warmup_duration_secs is not None:
        yield warning(f"{path}.warmup", f"{_WHO} send to new endpoints as to others")


def _pool(path: str, pool: ConnectionPoolSettings) -> Iterator[Fault]:
    if pool.tcp is not None:
        yield warning(f"{path}.tcp", f"{_WHO} make connections as gRPC does")
    if pool.http is not None and msgspec.structs.replace(pool.http, http2_max_requests=0) != HTTPSettings():
        yield warning(f"{path}.http", f"{_WHO} know http2MaxRequests alone")


@query
def of_authorization_policy(db: Reader, key: Key) -> tuple[Fault, ...]:
    """What servers do not do of an AuthorizationPolicy."""
    policy = AUTHORIZATION_POLICIES.get(db, key)
    if policy is None:
        return ()
    if is_dry_run(policy):
        return (warning("metadata.annotations", f"{_WHO} try no policies: this one does nothing there"),)
    return tuple(_rules(policy.spec))


def _rules(spec: AuthorizationPolicy) -> Iterator[Fault]:
    for index, rule in enumerate(spec.rules_):
        for at, each in enumerate(rule.to):
            paths = (*each.operation.paths, *each.operation.not_paths) if each.operation is not None else ()
            if any(map(is_template, paths)):
                where = f"spec.rules[{index}].to[{at}].operation"
                instead = "allows nothing there" if spec.action is Action.ALLOW else "denies whatever the rest matches"
                yield warning(where, f"{_WHO} know no templates in paths: the rule {instead}")


def _fault(path: str, route: HTTPRoute, name: str, message: str) -> Fault:
    fields: dict[str, Any] = {each.name: each.encode_name for each in msgspec.structs.fields(route)}
    return warning(f"{path}.{fields[name]}", message)
