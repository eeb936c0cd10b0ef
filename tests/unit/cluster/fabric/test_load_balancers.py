"""The load balancer controller against a small fake API server; its `ip` commands are written down."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from lateen.cluster.fabric import load_balancers
from lateen.cluster.fabric.load_balancers import CLASS, FINALIZER, LoadBalancers, wants_address
from lateen.cluster.layout import Layout

LAYOUT = Layout("c", 3, Path("/nowhere"))
ADDRESS = str(LAYOUT.load_balancers_ipv4[1])
READY = {"conditions": [{"type": "Ready", "status": "True"}]}


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    made: list[str] = []

    async def note(commands: Sequence[str], *, namespace: Path | None = None, keep_going: bool = False) -> None:
        where = "router" if namespace else "host"
        made.extend(f"{where}: {command}" for command in commands)

    monkeypatch.setattr(load_balancers, "ip_batch_async", note)
    return made


@asynccontextmanager
async def running(server: Any) -> AsyncIterator[None]:
    async with server.client(user_agent="test") as client:
        task = asyncio.create_task(LoadBalancers(client, LAYOUT).run())
        try:
            async with asyncio.timeout(60):
                yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def until(server: Any, condition: Callable[[], bool]) -> None:
    async with server.changed:
        await server.changed.wait_for(condition)


async def put_service(server: Any, name: str, **spec: Any) -> None:
    old = server.objects.get(("services", "ns", name), {})
    kept = {k: old["metadata"][k] for k in ("finalizers", "deletionTimestamp") if k in old.get("metadata", {})}
    full = {"type": "LoadBalancer", "ipFamilies": ["IPv4"], "ports": [{"port": 80}], **spec}
    await server.put("services", "ns", name, metadata=kept, spec=full, status=old.get("status", {}))


def ingress(server: Any, name: str) -> list[str]:
    status = server.objects["services", "ns", name].get("status") or {}
    return [i["ip"] for i in (status.get("loadBalancer") or {}).get("ingress") or ()]


def finalizers(server: Any, name: str) -> list[str]:
    return list(server.objects["services", "ns", name]["metadata"].get("finalizers") or ())


async def test_a_service_gets_an_address_and_routes_and_gives_them_back(
    fake_api_server: Any, commands: list[str]
) -> None:
    server = fake_api_server
    for number in (1, 2):
        await server.put("nodes", "", LAYOUT.node(number).name, status=READY)
    await put_service(server, "web")
    async with running(server):
        await until(server, lambda: ingress(server, "web") == [ADDRESS])
        assert finalizers(server, "web") == [FINALIZER]
        hops = [f"nexthop via {LAYOUT.node(n).ipv4}" for n in (1, 2)]
        (host,) = (c for c in commands if c.startswith(f"host: route replace {ADDRESS}/32"))
        assert all(hop in host for hop in hops)
        assert any(c.startswith(f"router: route replace {ADDRESS}/32") for c in commands)
        await put_service(server, "web", type="ClusterIP")
        await until(server, lambda: not finalizers(server, "web"))
        assert ingress(server, "web") == []
        assert f"host: route del {ADDRESS}/32 dev {LAYOUT.host_interface}" in commands


async def test_after_a_restart_services_keep_their_addresses(fake_api_server: Any, commands: list[str]) -> None:
    server = fake_api_server
    await server.put("nodes", "", LAYOUT.node(1).name, status=READY)
    await put_service(server, "early")
    held = str(LAYOUT.load_balancers_ipv4[1])
    await server.put(
        "services", "ns", "late",
        metadata={"finalizers": [FINALIZER]}, spec={"type": "LoadBalancer", "ipFamilies": ["IPv4"]},
        status={"loadBalancer": {"ingress": [{"ip": held, "ipMode": "VIP"}]}},
    )  # fmt: skip
    async with running(server):
        await until(server, lambda: bool(ingress(server, "early")))
    assert ingress(server, "late") == [held]
    assert ingress(server, "early") == [str(LAYOUT.load_balancers_ipv4[2])]
    assert any(c.startswith(f"host: route replace {held}/32") for c in commands)


async def test_a_wish_that_cannot_be_granted_is_an_event(fake_api_server: Any, commands: list[str]) -> None:
    server = fake_api_server
    await put_service(server, "web", loadBalancerIP="192.0.2.1")
    async with running(server):
        await until(server, lambda: any(plural == "events" for plural, _, _ in server.objects))
    (event,) = (obj for (plural, _, _), obj in server.objects.items() if plural == "events")
    assert (event["reason"], event["type"]) == ("SyncLoadBalancerFailed", "Warning")
    assert "192.0.2.1 is not in the load balancer ranges" in str(event.get("message") or event.get("note"))
    assert ingress(server, "web") == finalizers(server, "web") == []


@pytest.mark.parametrize(
    ("spec", "meta", "wants"),
    [
        ({"type": "LoadBalancer"}, {}, True),
        ({"type": "LoadBalancer", "loadBalancerClass": CLASS}, {}, True),
        ({"type": "LoadBalancer", "loadBalancerClass": "example.com/other"}, {}, False),
        ({"type": "NodePort"}, {}, False),
        ({"type": "LoadBalancer"}, {"deletionTimestamp": "2026-01-01T00:00:00Z"}, False),
    ],
)
def test_which_services_are_ours(spec: dict[str, Any], meta: dict[str, Any], wants: bool) -> None:
    assert wants_address({"metadata": {"name": "s", **meta}, "spec": spec}) is wants
