"""The loop around a controller's core, against a small fake API server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from lateen.cluster.controllers.controller import Controller, Environment
from lateen.cluster.controllers.replica_set import ReplicaSetController


@asynccontextmanager
async def running(server: Any, build: Callable[[Environment], Controller]) -> AsyncIterator[Controller]:
    async with server.client(user_agent="test") as client:
        env = Environment(client)
        controller = build(env)
        tasks = [asyncio.create_task(env.informers.run()), asyncio.create_task(controller.run())]
        try:
            async with asyncio.timeout(60):
                yield controller
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def until(server: Any, condition: Callable[[], bool]) -> None:
    async with server.changed:
        await server.changed.wait_for(condition)


def pods(server: Any) -> list[dict[str, Any]]:
    return [o for (plural, _, _), o in server.objects.items() if plural == "pods"]


async def put_replica_set(server: Any, make_owner: Any, replicas: int) -> None:
    owner = make_owner("ReplicaSet", replicas=replicas)
    meta = owner["metadata"]
    await server.put("replicasets", "ns", "own", metadata={"uid": meta["uid"]}, spec=owner["spec"])


async def test_pods_are_made_once_and_lost_ones_again(fake_api_server: Any, make_owner: Any) -> None:
    server = fake_api_server
    await put_replica_set(server, make_owner, 20)
    async with running(server, ReplicaSetController) as controller:
        await until(server, lambda: len(pods(server)) == 20)
        await controller.queue.drained()
        # The pods were never late in the informer: nothing was made twice.
        assert len(pods(server)) == 20
        await server.drop("pods", "ns", pods(server)[0]["metadata"]["name"])
        await until(server, lambda: len(pods(server)) == 20)
        await put_replica_set(server, make_owner, 3)
        await until(server, lambda: len(pods(server)) == 3)
        await until(server, lambda: server.objects["replicasets", "ns", "own"].get("status", {}).get("replicas") == 3)


async def test_a_restarted_server_is_caught_up_with(fake_api_server: Any, make_owner: Any) -> None:
    server = fake_api_server
    await put_replica_set(server, make_owner, 2)
    async with running(server, ReplicaSetController):
        await until(server, lambda: len(pods(server)) == 2)
        await server.stop()
        await server.drop("pods", "ns", pods(server)[0]["metadata"]["name"])
        server.compact()
        await server.start()
        await until(server, lambda: len(pods(server)) == 2)
