"""A control plane that comes and goes: no request is lost, and who comes back is told only what is new to it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from lateen.testing.ads_client import AdsClient
from lateen.testing.istiod import IstiodProcess
from lateen.testing.live_mesh import LiveMesh, Manifests, live_mesh, resource, service
from lateen.translate.resource import ResourceType

CDS, EDS, LDS, RDS = ResourceType.CDS, ResourceType.EDS, ResourceType.LDS, ResourceType.RDS


def port_of(istiod: IstiodProcess) -> int:
    return int(istiod.addresses["xds"].rpartition(":")[2])


@contextlib.asynccontextmanager
async def successor(mesh: LiveMesh, port: int) -> AsyncIterator[None]:
    """Another istiod at the same address, which is the mesh's from then on."""
    with IstiodProcess("--config-dir", str(mesh.manifests.directory), xds_port=port) as mesh.istiod:
        await asyncio.to_thread(mesh.istiod.until_ready)
        yield


def is_connected(mesh: LiveMesh) -> bool:
    return mesh.envoy.stats("control_plane.connected_state")["control_plane.connected_state"] == 1


def has_everything(mesh: LiveMesh) -> bool:
    """Whether all that was sent to the sidecar is acknowledged."""
    told = [each for each in mesh.istiod.debug("syncz") if each["proxy"] == "client-1.shop"]
    return (
        len(told) == 1
        and all(
            told[0].get(f"{kind}_sent") == told[0].get(f"{kind}_acked", told[0].get(f"{kind}_sent"))
            for kind in ("cluster", "listener", "route", "endpoint")
        )
        and "route_sent" in told[0]
    )


def taken(mesh: LiveMesh) -> dict[str, int]:
    """How often Envoy was told something."""
    found = mesh.envoy.stats(
        r"cluster_added|cluster_modified|cluster_removed|listener_(added|modified|removed)|config_reload$"
    )
    return {name: count for name, count in found.items() if not name.startswith("cluster.xds-grpc")}


@pytest.mark.parametrize("end", ["kill", "terminate"])
async def test_a_restart_under_load_loses_nothing_and_repeats_nothing(tmp_path: Path, end: str) -> None:
    async with live_mesh(tmp_path) as mesh:
        await mesh.goes_on()
        await mesh.until(lambda: has_everything(mesh))
        port, before = port_of(mesh.istiod), taken(mesh)
        if end == "kill":
            await asyncio.to_thread(mesh.istiod.kill)
        else:
            assert await asyncio.to_thread(mesh.istiod.terminate) == 0
            assert mesh.istiod.log[-1]["msg"] == "stopped"
        await asyncio.to_thread(mesh.envoy.until, lambda: not is_connected(mesh), "it notices")
        await mesh.load.more(50)
        async with successor(mesh, port):
            await asyncio.to_thread(mesh.envoy.until, lambda: is_connected(mesh), "it connects again")
            await mesh.until(lambda: has_everything(mesh))
            assert taken(mesh) == before
            assert mesh.istiod.debug("engine")["server"]["rejections"] == 0
            await mesh.goes_on()


async def test_what_changed_while_nobody_was_there_is_all_that_comes(tmp_path: Path) -> None:
    async with live_mesh(tmp_path) as mesh:
        await mesh.goes_on()
        port = port_of(mesh.istiod)
        mesh.manifests.write("gone", *service("gone", mesh.port, mesh.backend))
        await asyncio.to_thread(
            mesh.envoy.until, lambda: any("gone.shop" in name for name in mesh.envoy.clusters()), "it is there"
        )
        await asyncio.to_thread(mesh.istiod.kill)
        mesh.manifests.remove("gone")
        mesh.manifests.write("late", *service("late", mesh.port, mesh.backend))
        await mesh.load.more()
        async with successor(mesh, port):
            await asyncio.to_thread(
                mesh.envoy.until,
                lambda: (
                    {name.partition("||")[2] for name in mesh.envoy.clusters() if name.startswith("outbound")}
                    == {"web.shop.svc.cluster.local", "other.shop.svc.cluster.local", "late.shop.svc.cluster.local"}
                ),
                "what is gone is gone, and what is new is there",
            )
            await mesh.goes_on()
            assert (await mesh.get("late"))[0] == 200


async def test_istiods_that_die_again_and_again(tmp_path: Path) -> None:
    """Some of them before they have said anything."""
    async with live_mesh(tmp_path) as mesh:
        port = port_of(mesh.istiod)
        await asyncio.to_thread(mesh.istiod.kill)
        for _ in range(3):
            with IstiodProcess("--config-dir", str(mesh.manifests.directory), xds_port=port) as mesh.istiod:
                await mesh.until(lambda: mesh.istiod.said("listening"))
                await asyncio.to_thread(mesh.istiod.kill)
            await mesh.load.more()
        async with successor(mesh, port):
            await mesh.goes_on()


# --- clients that keep a record --------------------------------------------------------------------------------------


def small_mesh(directory: Path, order: int = 1) -> Manifests:
    """Several services without addresses of their own, written in one order or the other."""
    manifests = Manifests(directory)
    names = [f"service-{number}" for number in range(12)][::order]
    for name in names:
        ports = [{"number": 80, "name": "http", "protocol": "HTTP"}]
        endpoints = [{"address": "10.9.0.1", "labels": {"version": v}} for v in ("v1", "v2")]
        host = f"{name}.example.com"
        spec = {"hosts": [host], "ports": ports, "resolution": "STATIC", "endpoints": endpoints}
        subsets = [{"name": v, "labels": {"version": v}} for v in ("v1", "v2")]
        split = [{"destination": {"host": host, "subset": v}, "weight": 50} for v in ("v1", "v2")]
        manifests.write(
            name,
            resource("ServiceEntry", name, spec),
            resource("DestinationRule", name, {"host": host, "subsets": subsets}),
            resource("VirtualService", name, {"hosts": [host], "http": [{"route": split}]}),
        )
    return manifests


@contextlib.contextmanager
def istiod(manifests: Manifests, port: int = 0) -> Iterator[IstiodProcess]:
    with IstiodProcess("--config-dir", str(manifests.directory), xds_port=port) as found:
        found.until_ready()
        yield found


def client(address: str, number: int = 0) -> AdsClient:
    return AdsClient(address, f"sidecar~10.1.0.{number}~client-{number}.shop~shop.svc.cluster.local")


async def has_all(found: AdsClient) -> None:
    """Waits until everything refers to what is there."""
    await found.until(
        lambda: (
            len(found.held.get(CDS, ())) >= 36
            and len(found.held.get(EDS, ())) >= 36
            and "80" in found.held.get(RDS, ())
            and found.held.get(LDS)
        ),
        "all has come",
        120,
    )


def told(found: AdsClient) -> list[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    """All it was told that has anything in it."""
    return [
        (each.type.name, each.resources, each.removed) for each in found.responses if each.resources or each.removed
    ]


async def until_answered(found: AdsClient) -> None:
    """Waits until each of its types was answered, if only with nothing."""
    await found.until(
        lambda: {each.type for each in found.responses} >= {CDS, EDS, LDS, RDS}, "all types are answered", 120
    )


async def test_another_istiod_that_read_the_same_in_another_order_has_nothing_to_add(tmp_path: Path) -> None:
    first, second = small_mesh(tmp_path / "first"), small_mesh(tmp_path / "second", -1)
    with istiod(first) as one, istiod(second) as other:
        moving = client(one.addresses["xds"])
        async with moving:
            await has_all(moving)
        held = {type_: dict(each) for type_, each in moving.held.items()}
        # Of the second one everything was written anew meanwhile, and in its order of arrival.
        for name in [f"service-{number}" for number in (5, 3, 11, 0)]:
            text = (second.directory / f"{name}.yaml").read_text()
            second.remove(name)
            await asyncio.to_thread(other.until, lambda name=name: f"{name}.example" not in str(other.debug("configz")))
            second.write_text(name, text)
            await asyncio.to_thread(other.until, lambda name=name: f"{name}.example" in str(other.debug("configz")))
        moving.responses.clear()
        moving.move(other.addresses["xds"])
        async with moving:
            await until_answered(moving)
            assert told(moving) == []
        assert moving.held == held


async def test_two_hundred_proxies_reconnect_at_once(tmp_path: Path) -> None:
    manifests = small_mesh(tmp_path / "mesh")
    clients: list[AdsClient] = []
    try:
        with istiod(manifests) as first:
            port = port_of(first)
            clients += [client(first.addresses["xds"], number) for number in range(200)]
            await asyncio.gather(*(each.connect() for each in clients))
            await asyncio.gather(*(has_all(each) for each in clients))
            first.kill()
        for each in clients:
            await each.close()
            each.responses.clear()
        with istiod(manifests, port) as second:
            before = second.memory()
            await asyncio.gather(*(each.connect() for each in clients))
            await asyncio.gather(*(until_answered(each) for each in clients))
            assert second.debug("connections")["totalClients"] == 200
            assert not any(told(each) for each in clients)
            assert second.memory() - before < 150_000_000
            # And they all follow.
            manifests.write("new", *service("new", 80, 9))
            await asyncio.gather(
                *(each.until(lambda each=each: any("new.shop" in name for name in each.held[EDS])) for each in clients)
            )
    finally:
        for each in clients:
            await each.close()


# --- what istiod reads -----------------------------------------------------------------------------------------------


async def test_an_empty_mesh_is_served_and_fills(tmp_path: Path) -> None:
    manifests = Manifests(tmp_path / "mesh")
    with istiod(manifests) as found:
        async with client(found.addresses["xds"]) as empty:
            await empty.until(lambda: {each.type for each in empty.responses} >= {CDS, LDS}, "it is answered")
            assert not any("||" in name for name in empty.held[CDS] if name.startswith("outbound"))
            small_mesh(manifests.directory)
            await has_all(empty)


@pytest.mark.parametrize("how", ["removed", "moved away", "no longer a directory"])
async def test_a_directory_that_goes_leaves_everything_as_it_was(tmp_path: Path, how: str) -> None:
    """And what it has when it is back counts."""
    async with live_mesh(tmp_path) as mesh:
        directory = mesh.manifests.directory
        away = directory.with_name("away")
        directory.rename(away)
        if how == "no longer a directory":
            directory.symlink_to(directory.with_name("nowhere"))
        elif how == "removed":
            texts = {path.name: path.read_text() for path in away.iterdir()}
        await mesh.until(lambda: mesh.istiod.debug("sources")["problems"])
        await mesh.load.more(100)
        if how == "no longer a directory":
            directory.unlink()
        if how == "removed":
            directory.mkdir()
            for name, text in texts.items():
                (directory / name).write_text(text)
        else:
            away.rename(directory)
        await mesh.until(lambda: not mesh.istiod.debug("sources")["problems"])
        await mesh.goes_on()
