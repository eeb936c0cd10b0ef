"""Bad resources, with a real istiod, a real Envoy and requests under way: each is told of where it is, the last good
configuration stays, everything else goes on, and no request is lost."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from lateen.testing.live_mesh import LiveMesh, live_mesh, resource, service

pytestmark = pytest.mark.asyncio(loop_scope="module")

# What Istio's bootstraps have.
PROGRAM_SIZE = {
    "layered_runtime": {"layers": [{"name": "static", "static_layer": {"re2.max_program_size.error_level": 32768}}]}
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def mesh(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveMesh]:
    async with live_mesh(tmp_path_factory.mktemp("mesh"), bootstrap=PROGRAM_SIZE) as found:
        yield found


def by_regex(regex: str) -> dict[str, Any]:
    return {"match": [{"uri": {"regex": regex}}]}


_LATER = "2026-02-01T00:00:00Z"

BAD_ROUTES: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "of another type": ({"timeout": {"a": 1}}, ("ERROR spec.http[0].timeout",)),
    "against each other": ({"redirect": {"uri": "/x"}}, ("ERROR spec.http[0]",)),
    "a negative weight": (
        {"route": [{"destination": {"host": "web"}, "weight": -1}]},
        ("ERROR spec.http[0].route[0].weight",),
    ),
    "no regex": (by_regex("("), ("ERROR spec.http[0].match[0].uri.regex", "RE2")),
    # Right for RE2 in Unicode, but Envoy matches bytes.
    "a regex of no bytes": (by_regex(r"/\x{100}"), ("ERROR spec.http[0].match[0].uri.regex", "RE2")),
    "a regex of too large a program": (
        by_regex("(?:" + "(?:.|..){30}" * 40 + "){10}"),
        ("ERROR spec.http[0].match[0].uri.regex", "at most 32768"),
    ),
    "a header that is no header": ({"match": [{"headers": {"a b": {"exact": "c"}}}]}, ("ERROR spec.http[0].match[0]",)),
}


@pytest.mark.parametrize("name", BAD_ROUTES)
async def test_an_invalid_resource_is_rejected_and_its_last_good_version_stays(mesh: LiveMesh, name: str) -> None:
    route, words = BAD_ROUTES[name]
    mesh.manifests.write("web", mesh.routes(**route))
    await mesh.until_fault("VirtualService", "web", *words)
    (told,) = mesh.istiod.debug("status")
    assert (told["rejected"], told["inForce"]) == (True, True)
    await mesh.goes_on()
    mesh.manifests.write("web", mesh.routes())
    await mesh.until_well()


async def test_a_file_that_cannot_be_read_is_as_it_was(mesh: LiveMesh) -> None:
    mesh.manifests.write_text("web", "spec: [\n")
    await mesh.until(lambda: mesh.istiod.debug("sources")["problems"])
    await mesh.goes_on()
    mesh.manifests.write("web", mesh.routes())
    await mesh.until(lambda: not mesh.istiod.debug("sources")["problems"])


async def test_a_resource_of_10_mb_changes_nothing(mesh: LiveMesh) -> None:
    before = mesh.istiod.memory()
    large = mesh.routes()
    large["metadata"]["annotations"] = {"large": "x" * 10 * 1024 * 1024}
    mesh.manifests.write("web", large)
    await mesh.until_fault("VirtualService", "web", "ERROR", "at most 10485760 are read")
    assert "at most" in str(mesh.istiod.debug("sources")["problems"])
    await mesh.goes_on()
    mesh.manifests.write("web", mesh.routes())
    await mesh.until_well()
    assert mesh.istiod.memory() - before < 150_000_000


async def test_a_resource_as_large_as_can_be_works(mesh: LiveMesh) -> None:
    """Three thousand routes in one resource."""
    routes = mesh.routes()
    (http,) = routes["spec"]["http"]
    many = [{**http, "match": [{"uri": {"exact": f"/page/{number}"}}]} for number in range(3_000)]
    routes["spec"]["http"] = [*many, http]
    assert len(msgspec.json.encode(routes)) > 400_000
    mesh.manifests.write("web", routes)
    await mesh.goes_on()
    assert (await mesh.get("web", "/page/2999"))[0] == 200
    mesh.manifests.write("web", mesh.routes())
    await mesh.until_well()


async def test_a_port_that_two_want_for_different_protocols(mesh: LiveMesh) -> None:
    """Who was first has it, and the other is told."""
    ports = [{"number": mesh.port, "name": "tcp", "protocol": "TCP"}]
    endpoints = [{"address": "127.0.0.70", "ports": {"tcp": mesh.backend}}]
    common = {"addresses": ["10.9.9.9"], "ports": ports, "resolution": "STATIC", "endpoints": endpoints}
    first = resource("ServiceEntry", "first", {"hosts": ["first.example.com"], **common})
    late = resource("ServiceEntry", "a-late", {"hosts": ["a-late.example.com"], **common}, creationTimestamp=_LATER)
    mesh.manifests.write("conflict", first, late)
    await mesh.until_fault("ServiceEntry", "a-late", "spec.ports[0].number: is not listened on")
    await mesh.goes_on()
    mesh.manifests.remove("conflict")
    await mesh.until_well()


async def test_delegates_in_a_circle(mesh: LiveMesh) -> None:
    first = {"hosts": ["circle.example.com"], "http": [{"delegate": {"name": "second"}}]}
    second, third = ({"http": [{"delegate": {"name": name}}]} for name in ("third", "second"))
    mesh.manifests.write(
        "circle",
        *(
            resource("VirtualService", name, spec)
            for name, spec in (("first", first), ("second", second), ("third", third))
        ),
    )
    await mesh.until_fault("VirtualService", "first", "ERROR spec.http[0].delegate")
    await mesh.goes_on()
    mesh.manifests.remove("circle")
    await mesh.until_well()


async def test_a_delegate_of_the_routed_service_that_becomes_a_circle(mesh: LiveMesh) -> None:
    """What the delegate was goes on being served."""
    root = resource("VirtualService", "web", {"hosts": ["web"], "http": [{"delegate": {"name": "part"}}]})
    part = mesh.routes()
    part["metadata"]["name"] = "part"
    del part["spec"]["hosts"]
    mesh.manifests.write("web", root, part)
    await mesh.goes_on()
    circle = resource("VirtualService", "part", {"http": [{"delegate": {"name": "web"}}]})
    mesh.manifests.write("web", root, circle)
    await mesh.until_fault("VirtualService", "part", "ERROR spec.http[0].delegate")
    await mesh.goes_on()
    mesh.manifests.write("web", mesh.routes())
    await mesh.until_well()
    await mesh.goes_on()


async def test_a_subset_without_endpoints(mesh: LiveMesh) -> None:
    """Requests to it fail, as they must, and no others."""
    subset = {"name": "nobody", "labels": {"version": "nobody"}}
    to = {"route": [{"destination": {"host": "lonely", "subset": "nobody"}}]}
    mesh.manifests.write(
        "lonely",
        *service("lonely", mesh.port, mesh.backend),
        resource("DestinationRule", "lonely", {"host": "lonely", "subsets": [subset]}),
        resource("VirtualService", "lonely", {"hosts": ["lonely"], "http": [to]}),
    )
    await mesh.until_fault("DestinationRule", "lonely", "spec.subsets[0]", "version=nobody")
    await mesh.goes_on()
    assert (await mesh.get("lonely"))[0] == 503
    mesh.manifests.remove("lonely")
    await mesh.until_well()


async def test_a_subset_that_nobody_defines(mesh: LiveMesh) -> None:
    to = {"route": [{"destination": {"host": "lonely", "subset": "nobody"}}]}
    mesh.manifests.write(
        "lonely",
        *service("lonely", mesh.port, mesh.backend),
        resource("VirtualService", "lonely", {"hosts": ["lonely"], "http": [to]}),
    )
    await mesh.until_fault("VirtualService", "lonely", "ERROR spec.http[0].route[0].destination.subset")
    await mesh.goes_on()
    mesh.manifests.remove("lonely")
    await mesh.until_well()


# --- what Envoy refuses although we made it --------------------------------------------------------------------------


def patch(kind: str, value: dict[str, Any], **match: Any) -> dict[str, Any]:
    change = {"applyTo": kind, "match": match, "patch": {"operation": "MERGE", "value": value}}
    return resource("EnvoyFilter", "patch", {"configPatches": [change]})


async def test_a_cluster_that_a_patch_made_unacceptable(mesh: LiveMesh) -> None:
    """That cluster stays as it was, and all of the others follow."""
    mesh.manifests.write(
        "patch",
        patch("CLUSTER", {"lb_policy": "CLUSTER_PROVIDED"}, cluster={"service": "web.shop.svc.cluster.local"}),
    )
    await mesh.until_fault("EnvoyFilter", "patch", "ERROR", "client-1.shop rejects CDS outbound|")
    assert mesh.istiod.debug("push_status")["pilot_total_xds_rejects"]
    mesh.manifests.write("late", *service("late", mesh.port, mesh.backend))
    await mesh.until(lambda: any("late.shop" in name for name in mesh.envoy.clusters()))
    await mesh.goes_on()
    assert (await mesh.get("late"))[0] == 200
    mesh.manifests.remove("late")
    mesh.manifests.remove("patch")
    await mesh.until_well()


async def test_a_listener_that_a_patch_made_unacceptable(mesh: LiveMesh) -> None:
    mesh.manifests.write(
        "patch",
        patch("LISTENER", {"listener_filters": [{"name": "no.such.filter"}]}, listener={"portNumber": mesh.port}),
    )
    await mesh.until_fault("EnvoyFilter", "patch", "ERROR", "rejects LDS")
    await mesh.goes_on()
    mesh.manifests.remove("patch")
    await mesh.until_well()


async def test_a_route_that_a_patch_made_unacceptable(mesh: LiveMesh) -> None:
    """Its route configuration stays as it was: Envoy takes those as a whole. Endpoints and clusters follow."""
    mesh.manifests.write(
        "patch",
        patch(
            "VIRTUAL_HOST",
            {"request_headers_to_remove": [":path"]},
            context="SIDECAR_OUTBOUND",
            routeConfiguration={"vhost": {"name": f"other.shop.svc.cluster.local:{mesh.port}"}},
        ),
    )
    await mesh.until_fault("EnvoyFilter", "patch", "ERROR", "rejects RDS")
    mesh.manifests.write("late", *service("late", mesh.port, mesh.backend))
    await mesh.until(lambda: any("late.shop" in name for name in mesh.envoy.clusters()))
    await mesh.load.more()
    mesh.manifests.remove("late")
    mesh.manifests.remove("patch")
    await mesh.until_well()
    await mesh.goes_on()
