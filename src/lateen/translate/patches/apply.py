"""Wraps the recipes that some EnvoyFilter patch may touch. What no patch can touch stays as it is, and shared."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from typing import Any, NamedTuple

from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.listener.v3 import listener_pb2
from envoy.config.route.v3 import route_pb2

from lateen.api.networking.envoy_filter import ApplyTo, Operation, PatchContext
from lateen.api.objects import ObjectRef
from lateen.api.schema.fault import Fault
from lateen.engine import Query, QueryFailed, Reader, query
from lateen.model.fault import ConfigError
from lateen.model.gateways import gateway_servers
from lateen.model.proxy import EnvoyView, GatewayView, InboundView, OutboundView
from lateen.translate.patches.clusters import patch_cluster
from lateen.translate.patches.listeners import LISTENER_KINDS, patch_listener
from lateen.translate.patches.matching import (
    RouteIdentity,
    cluster_name_matches,
    listener_name_matches,
    route_configuration_matches,
    sidecar_route,
)
from lateen.translate.patches.misfits import Misfits
from lateen.translate.patches.patch import Outline, PatchRef, outlined, patches, values
from lateen.translate.patches.routes import ROUTE_KINDS, patch_route_configuration
from lateen.translate.resource import Recipe, Resource, ResourceType, resource, resource_of_bytes

_ADDABLE = {ResourceType.CDS: ApplyTo.CLUSTER, ResourceType.LDS: ApplyTo.LISTENER}


class Patched(NamedTuple):
    """What became of a resource."""

    resource: Resource | None
    """None: a patch removed it."""
    misfits: tuple[tuple[ObjectRef, Fault], ...]
    """Patches that were left out, and why."""


def context_of(view: EnvoyView) -> PatchContext:
    """The context in which patches apply to a view."""
    match view:
        case OutboundView():
            return PatchContext.SIDECAR_OUTBOUND
        case InboundView():
            return PatchContext.SIDECAR_INBOUND
        case GatewayView():
            return PatchContext.GATEWAY


def patched(db: Reader, type_: ResourceType, view: EnvoyView, recipes: tuple[Recipe, ...]) -> tuple[Recipe, ...]:
    """The recipes of a view with the patches of its EnvoyFilters, removals and additions included."""
    context = context_of(view)
    kinds = _kinds(type_, context)
    found = [each for each in outlined(db, view.patches, context) if each.apply_to in kinds]
    if not found:
        return recipes
    route_of: Callable[[str], RouteIdentity] = sidecar_route
    if type_ is ResourceType.RDS and isinstance(view, GatewayView):
        route_of = _gateway_routes(db, view)
    kept = [each for recipe in recipes for each in _patched(db, type_, recipe, found, route_of(recipe.name))]
    names = {recipe.name for recipe in kept}
    return (*kept, *(each for each in _added(type_, found, context) if each.name not in names))


def _kinds(type_: ResourceType, context: PatchContext) -> tuple[ApplyTo, ...]:
    """What may be patched in resources of a type. Inbound listeners hold their route configurations in themselves."""
    match type_:
        case ResourceType.CDS:
            return (ApplyTo.CLUSTER,)
        case ResourceType.RDS:
            return ROUTE_KINDS
        case ResourceType.LDS:
            return (*LISTENER_KINDS, *ROUTE_KINDS) if context is PatchContext.SIDECAR_INBOUND else LISTENER_KINDS
        case _:
            return ()


def is_home(outline: Outline, context: PatchContext) -> bool:
    """Whether a resource that is added for any context is added in this one: once per proxy."""
    return outline.match.context is not PatchContext.ANY or context is not PatchContext.SIDECAR_INBOUND


def _gateway_routes(db: Reader, view: GatewayView) -> Callable[[str], RouteIdentity]:
    """The identity of a gateway's route configurations, by name: that of the servers which use it."""
    found: dict[str, RouteIdentity] = {}
    for server in gateway_servers(db, view):
        known = found.get(server.route_name)
        ports = tuple(sorted({server.number, server.listen_port, *(known.ports if known is not None else ())}))
        if server.is_https:
            gateway = f"{server.gateway.namespace}/{server.gateway.name}"
            found[server.route_name] = RouteIdentity(server.route_name, ports, server.port_name, gateway)
        else:
            found[server.route_name] = RouteIdentity(server.route_name, ports)
    return lambda name: found.get(name) or RouteIdentity(name, ())


def _patched(
    db: Reader, type_: ResourceType, recipe: Recipe, found: list[Outline], route: RouteIdentity
) -> Iterator[Recipe]:
    """The recipe as it is, wrapped, or not at all."""
    chosen = [each for each in found if _may_touch(type_, each, recipe.name, route)]
    refs = tuple(each.ref for each in chosen)
    if not refs:
        yield recipe
        return
    args = (type_, recipe.name, recipe.query, recipe.args, route, refs)
    if any(_removes(type_, each) for each in chosen) and _removed(db, *args):
        return
    yield Recipe(recipe.name, patched_resource, args)


def _removes(type_: ResourceType, outline: Outline) -> bool:
    return outline.operation is Operation.REMOVE and outline.apply_to is _ADDABLE.get(type_)


def _may_touch(type_: ResourceType, outline: Outline, name: str, route: RouteIdentity) -> bool:
    """By name alone, so that a listing depends on no body: false only if the patch cannot touch the resource."""
    if outline.operation is Operation.ADD and outline.apply_to is _ADDABLE.get(type_):
        return False
    match = outline.match
    match type_:
        case ResourceType.CDS:
            return cluster_name_matches(match.cluster, name) is not False
        case ResourceType.LDS if outline.apply_to in LISTENER_KINDS:
            return listener_name_matches(outline.apply_to, match, name) is not False
        case ResourceType.LDS:
            return True
        case _:
            return route_configuration_matches(match.route_configuration, route)


def _added(type_: ResourceType, found: list[Outline], context: PatchContext) -> Iterator[Recipe]:
    """Resources that patches add."""
    seen = set()
    for each in found:
        adds = each.operation is Operation.ADD and each.apply_to is _ADDABLE.get(type_)
        if adds and each.name and each.name not in seen and is_home(each, context):
            seen.add(each.name)
            yield Recipe(each.name, added_resource, (each.name, each.ref))


# --- resources ----------------------------------------------------------------------------------------------------


@query
def added_resource(db: Reader, name: str, ref: PatchRef) -> Resource:
    """A resource that is the value of a patch."""
    return resource_of_bytes(name, values(db, ref.filter)[ref.place][0] or b"")


@query
def patched_resource(
    db: Reader,
    type_: ResourceType,
    name: str,
    made_by: Query[..., Resource],
    args: tuple[Hashable, ...],
    route: RouteIdentity,
    refs: tuple[PatchRef, ...],
) -> Resource:
    """A resource with patches applied; raises what the making of the resource raises."""
    found = application(db, type_, name, made_by, args, route, refs).resource
    return found if found is not None else made_by(db, *args)


@query
def application(
    db: Reader,
    type_: ResourceType,
    name: str,
    made_by: Query[..., Resource],
    args: tuple[Hashable, ...],
    route: RouteIdentity,
    refs: tuple[PatchRef, ...],
) -> Patched:
    """What becomes of a resource when patches are applied, with those that do not fit."""
    made = made_by(db, *args)
    found = patches(db, refs)
    misfits = Misfits()
    match type_:
        case ResourceType.CDS:
            message = cluster_pb2.Cluster.FromString(made.body)
            kept = patch_cluster(message, found, misfits)
        case ResourceType.LDS:
            message = listener_pb2.Listener.FromString(made.body)
            kept = patch_listener(message, found, misfits)
        case _:
            message = route_pb2.RouteConfiguration.FromString(made.body)
            patch_route_configuration(message, route, found, misfits)
            kept = True
    return Patched(resource(name, message) if kept else None, misfits.found)


@query
def _removed(
    db: Reader,
    type_: ResourceType,
    name: str,
    made_by: Query[..., Resource],
    args: tuple[Hashable, ...],
    route: RouteIdentity,
    refs: tuple[PatchRef, ...],
) -> bool:
    """Whether a patch removes a resource. One that cannot be made is there, and erring."""
    try:
        return application(db, type_, name, made_by, args, route, refs).resource is None
    except (ConfigError, QueryFailed):
        return False


@query
def misfits_of(db: Reader, recipes: tuple[Recipe, ...]) -> tuple[tuple[ObjectRef, Fault], ...]:
    """The patches that had to be left out of some resources, each once."""
    found = dict.fromkeys(
        misfit for recipe in recipes if recipe.query is patched_resource for misfit in _misfits(db, recipe)
    )
    return tuple(found)


def _misfits(db: Reader, recipe: Recipe) -> tuple[tuple[ObjectRef, Fault], ...]:
    args: tuple[Any, ...] = recipe.args
    try:
        return application(db, *args).misfits
    except (ConfigError, QueryFailed):
        return ()
