"""What is carried over from serving to status."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from lateen.api.objects import Key, ObjectRef
from lateen.engine import Engine, Reader, query
from lateen.istiod.troubles import TroubleCarrier
from lateen.model.fault import ConfigError
from lateen.model.proxy import Generator, Traits
from lateen.status.findings import REPORTED
from lateen.testing.envoy_filters import patch, typed
from lateen.testing.mesh import Mesh
from lateen.translate.resource import ResourceType
from lateen.xds.collection import Collection
from lateen.xds.rejection import Origin, Rejection
from lateen.xds.server import XdsServer

FILTER = ObjectRef("EnvoyFilter", Key("default", "odd"))
SERVICE = {
    "kind": "Service",
    "metadata": {"name": "web"},
    "spec": {"clusterIP": "10.0.0.1", "ports": [{"name": "http", "port": 80}], "selector": {"app": "web"}},
}


def odd(operation: str) -> dict[str, Any]:
    """An EnvoyFilter that takes the TLS of every cluster to be something else."""
    socket = typed("envoy.transport_sockets.tls", "transport_sockets.raw_buffer.v3.RawBuffer")
    spec = {"configPatches": [patch("CLUSTER", operation, {"transport_socket": socket})]}
    return {"kind": "EnvoyFilter", "metadata": {"name": "odd"}, "spec": spec}


@query
def reported(db: Reader, ref: ObjectRef) -> Any:
    return REPORTED.get(db, ref)


def carrier(engine: Engine, feeds: list[Any], errors: list[Any]) -> tuple[TroubleCarrier, list[None]]:
    inventory = SimpleNamespace(feeds=lambda: feeds, errors=lambda: errors)
    changed: list[None] = []
    server = cast(XdsServer, SimpleNamespace(inventory=inventory, connections=list))
    return TroubleCarrier(engine, server, lambda: changed.append(None)), changed


def test_patches_that_do_not_fit_are_told_of_while_they_are_served() -> None:
    mesh = Mesh(SERVICE, odd("MERGE"))
    feeds = [
        SimpleNamespace(collection=Collection(1, ResourceType.CDS, view))
        for view in mesh.views(mesh.proxy("client.default"))
    ]
    carry, changed = carrier(mesh.engine, feeds, [])
    carry.carry()
    [fault] = mesh.engine.get(reported, FILTER)
    assert fault.path == "spec.configPatches[0].patch.value"
    assert "RawBuffer cannot be merged into" in fault.message
    carry.carry()
    assert len(changed) == 1
    feeds.clear()
    carry.carry()
    assert mesh.engine.get(reported, FILTER) is None
    assert len(changed) == 2


@pytest.mark.parametrize("resources", [(SERVICE,), (SERVICE, odd("ADD"))])
def test_there_is_nothing_to_tell_of_patches_that_fit(resources: tuple[dict[str, Any], ...]) -> None:
    mesh = Mesh(*resources)
    feeds = [
        SimpleNamespace(collection=Collection(1, ResourceType.CDS, view))
        for view in mesh.views(mesh.proxy("client.default"))
    ]
    carry, changed = carrier(mesh.engine, feeds, [])
    carry.carry()
    assert changed == []


def test_what_cannot_be_made_is_told_of_its_resource() -> None:
    engine = Engine()
    ref = ObjectRef("Gateway", Key("default", "edge"))
    carry, _ = carrier(engine, [], [SimpleNamespace(error=ConfigError(ref, "spec.servers[0]", "cannot be"))])
    carry.carry()
    [fault] = engine.get(reported, ref)
    assert (fault.path, fault.message) == ("spec.servers[0]", "cannot be")


@pytest.mark.parametrize(("proven_only", "proven", "told"), [(True, True, 1), (True, False, 0), (False, False, 1)])
def test_where_proxies_can_prove_themselves_nobody_else_says_what_is_wrong(
    proven_only: bool, proven: bool, told: int
) -> None:
    engine = Engine()
    origins = (Origin("virtualservices", Key("default", "web")),)
    rejection = Rejection("web.default", ResourceType.RDS, ("80",), "all is lost", origins)
    session = SimpleNamespace(rejections={ResourceType.RDS: rejection})
    connections = [SimpleNamespace(proven=proven, session=session)]
    inventory = SimpleNamespace(feeds=list, errors=list)
    server = cast(XdsServer, SimpleNamespace(inventory=inventory, connections=lambda: connections))
    TroubleCarrier(engine, server, lambda: None, proven_only=proven_only).carry()
    faults = engine.get(reported, ObjectRef("VirtualService", Key("default", "web"))) or ()
    assert len(faults) == told


def test_mutual_tls_that_a_proxy_cannot_have_is_told_of_while_the_proxy_is_there() -> None:
    spec = {"host": "web", "trafficPolicy": {"tls": {"mode": "ISTIO_MUTUAL"}}}
    mesh = Mesh(SERVICE, {"kind": "DestinationRule", "metadata": {"name": "web"}, "spec": spec})
    without = mesh.views(mesh.proxy("client.default", traits=Traits(certificates=None)))
    feeds = [
        SimpleNamespace(collection=Collection(number, type_, view))
        for number, (type_, view) in enumerate(
            (type_, view)
            for view in (*mesh.views(mesh.proxy("client.default")), *without)
            for type_ in (ResourceType.CDS, ResourceType.LDS)
        )
    ]
    carry, _ = carrier(mesh.engine, feeds, [])
    carry.carry()
    ref = ObjectRef("DestinationRule", Key("default", "web"))
    [fault] = mesh.engine.get(reported, ref)
    assert fault.path == "spec.trafficPolicy.tls.mode"
    assert "LATEEN_CERTIFICATES: none" in fault.message
    feeds[:] = feeds[: len(feeds) // 2]
    carry.carry()
    assert mesh.engine.get(reported, ref) is None


def test_what_applications_without_a_proxy_do_not_do_is_told_of_while_they_are_served() -> None:
    spec = {"host": "web", "trafficPolicy": {"tls": {"mode": "ISTIO_MUTUAL"}, "outlierDetection": {}}}
    mesh = Mesh(SERVICE, {"kind": "DestinationRule", "metadata": {"name": "web"}, "spec": spec})
    application = mesh.proxy("client.default", traits=Traits(certificates=None), generator=Generator.GRPC)
    view, _ = mesh.views(application)
    collection = Collection(1, ResourceType.CDS, view)
    recipes = mesh.recipes(ResourceType.CDS, application)
    feeds = [SimpleNamespace(collection=collection, recipe=recipes.get)]
    carry, _ = carrier(mesh.engine, feeds, [])
    ref = ObjectRef("DestinationRule", Key("default", "web"))
    carry.carry()
    # Nobody has asked for a cluster yet.
    assert [fault.path for fault in mesh.engine.get(reported, ref)] == ["spec.trafficPolicy.tls.mode"]
    name = "outbound|80||web.default.svc.cluster.local"
    collection.resources[name] = mesh.make(recipes[name])
    carry.carry()
    assert {fault.path for fault in mesh.engine.get(reported, ref)} == {
        "spec.trafficPolicy.tls.mode",
        "spec.trafficPolicy.outlierDetection",
    }
