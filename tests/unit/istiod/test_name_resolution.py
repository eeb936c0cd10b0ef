"""Names of gateways between networks are resolved, and stay resolved."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from lateen.istiod.name_resolution import NameResolution, system_resolve
from lateen.model.networks import network_gateways
from lateen.testing.mesh import Mesh

ONE = "networks: {far: {gateways: [{address: gw.example.com, port: 15443}]}}"
TWO = "networks: {far: {gateways: [{address: gw.example.com, port: 15443}, {address: b.example.com, port: 1}]}}"


class Names:
    """A resolver whose answers the test sets."""

    def __init__(self, **answers: str) -> None:
        self.answers = {f"{name}.example.com": address for name, address in answers.items()}
        self.asked: list[str] = []

    async def __call__(self, name: str) -> tuple[str, ...]:
        self.asked.append(name)
        if name not in self.answers:
            raise OSError("unknown")
        return (self.answers[name],)


def gateways(mesh: Mesh) -> list[str]:
    return [each.address for each in mesh.get(network_gateways)]


def resolving(
    mesh: Mesh, names: Names, scenario: Callable[[NameResolution, asyncio.Event], Awaitable[None]], refresh: float = 60
) -> None:
    """Runs a scenario beside the resolution; the event is set after each change."""

    async def both() -> None:
        told = asyncio.Event()
        resolution = NameResolution(mesh.engine, told.set, names, refresh)
        task = asyncio.create_task(resolution.run())
        async with asyncio.timeout(60):
            await scenario(resolution, told)
        task.cancel()

    asyncio.run(both())


def test_names_are_resolved_when_they_appear_and_forgotten_when_they_go() -> None:
    mesh, names = Mesh(), Names(gw="192.0.2.1", b="192.0.2.2")
    mesh.mesh_networks(ONE)

    async def scenario(resolution: NameResolution, told: asyncio.Event) -> None:
        await resolution.settled()
        assert gateways(mesh) == ["192.0.2.1"]
        mesh.mesh_networks(TWO)
        resolution.changed()
        await resolution.settled()
        assert gateways(mesh) == ["192.0.2.1", "192.0.2.2"]
        assert names.asked == ["gw.example.com", "b.example.com"]
        told.clear()
        mesh.mesh_networks("networks: {}")
        resolution.changed()
        await told.wait()
        mesh.mesh_networks(ONE)
        assert gateways(mesh) == []

    resolving(mesh, names, scenario)


def test_a_name_that_cannot_be_resolved_any_more_keeps_its_addresses() -> None:
    mesh, names = Mesh(), Names(gw="192.0.2.1")
    mesh.mesh_networks(ONE)

    async def scenario(resolution: NameResolution, told: asyncio.Event) -> None:
        await told.wait()
        told.clear()
        names.answers["gw.example.com"] = "192.0.2.9"
        await told.wait()
        assert gateways(mesh) == ["192.0.2.9"]
        names.answers.clear()
        asked = len(names.asked)
        while len(names.asked) < asked + 2:
            await asyncio.sleep(0)
        assert gateways(mesh) == ["192.0.2.9"]

    resolving(mesh, names, scenario, refresh=0.001)


def test_what_cannot_be_resolved_keeps_nobody_waiting(caplog: pytest.LogCaptureFixture) -> None:
    mesh, names = Mesh(), Names()
    mesh.mesh_networks(ONE)

    async def scenario(resolution: NameResolution, told: asyncio.Event) -> None:
        await resolution.settled()
        assert gateways(mesh) == []
        assert not told.is_set()

    resolving(mesh, names, scenario)
    assert "gw.example.com cannot be resolved: unknown" in caplog.text


def test_the_system_resolves() -> None:
    assert asyncio.run(system_resolve("127.0.0.1")) == ("127.0.0.1",)
    assert asyncio.run(system_resolve("::1")) == ("::1",)
    with pytest.raises(UnicodeError):
        asyncio.run(system_resolve("x" * 70 + ".example.com"))
