"""How a pod ends: requests under way are answered."""

from __future__ import annotations

import asyncio
import http.client
import os
import signal
import ssl
import time

import aiohttp


async def _slow(running, seconds: float) -> int:
    context = ssl.create_default_context(cadata=running.control_plane.roots_pem())
    headers = {"x-answer-delay": str(seconds)}
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session,
        session.get(f"https://localhost:{running.port}/", headers=headers) as answer,
    ):
        await answer.read()
        return answer.status


async def _arrived(running) -> None:
    """The slow request is under way."""
    await running.until(lambda: _active(running.agent) > 0)


def _active(agent) -> int:
    text = agent.get(agent.admin_port, "/clusters?format=text")[1]
    return sum(int(line.rpartition("::")[2]) for line in text.splitlines() if "app::" in line and "rq_active" in line)


async def test_requests_under_way_are_answered_before_the_end(pod):
    async with pod(proxy_config={"terminationDrainDuration": "6s"}) as running:
        await running.ready()
        request = asyncio.create_task(_slow(running, 4))
        await _arrived(running)
        began = time.monotonic()
        running.agent.signal(signal.SIGTERM)
        await running.until(lambda: running.agent.get(running.agent.status_port, "/healthz/ready")[0] == 503)
        assert await request == 200
        assert await asyncio.to_thread(running.agent.ended) == 0
        assert time.monotonic() - began >= 6, "it drains for as long as it was told to"


async def test_with_nobody_connected_it_need_not_wait(pod):
    environment = {"EXIT_ON_ZERO_ACTIVE_CONNECTIONS": "true", "MINIMUM_DRAIN_DURATION": "0s"}
    async with pod(environment=environment, proxy_config={"terminationDrainDuration": "60s"}) as running:
        await running.ready()
        request = asyncio.create_task(_slow(running, 4))
        await _arrived(running)
        running.agent.signal(signal.SIGTERM)
        await running.until(lambda: "connections are open still" in running.agent.log())
        assert await request == 200
        assert await asyncio.to_thread(running.agent.ended) == 0


async def test_a_second_signal_does_not_wait(pod):
    async with pod(proxy_config={"terminationDrainDuration": "60s"}) as running:
        await running.ready()
        running.agent.signal(signal.SIGTERM)
        await running.until(lambda: "connections drain" in running.agent.log())
        running.agent.signal(signal.SIGTERM)
        assert await asyncio.to_thread(running.agent.ended, 50) == 0


async def test_an_agent_that_is_killed_while_connections_drain_does_not_prolong_that(pod):
    async with pod(proxy_config={"terminationDrainDuration": "10s"}) as running:
        await running.ready()
        agent = running.agent
        began = time.monotonic()
        agent.signal(signal.SIGTERM)
        await running.until(lambda: agent.record()["draining_since"])
        since = agent.record()["draining_since"]
        os.kill(agent.agent, signal.SIGKILL)
        await running.until(lambda: "this agent goes on with it" in agent.log())
        assert agent.record()["draining_since"] == since, "what the next one counts from"
        assert await asyncio.to_thread(agent.ended) == 0
        assert time.monotonic() - began >= 10
        assert agent.envoy == 0


async def test_a_proxy_that_drains_ahead_serves_until_its_end_which_is_then_at_once(pod):
    """What a native sidecar is told by its preStop hook."""
    async with pod(proxy_config={"terminationDrainDuration": "600s"}) as running:
        await running.ready()
        agent = running.agent
        async with running.load() as load:
            assert (await asyncio.to_thread(agent.get, agent.status_port, "/drain", "POST"))[0] == 200
            await running.until(lambda: _drains(running))
            assert agent.get(agent.status_port, "/healthz/ready")[0] == 503
            before = load.good
            await running.until(lambda: load.good > before + 20)
        load.check()
        agent.signal(signal.SIGTERM)
        assert await asyncio.to_thread(agent.ended, 90) == 0


def _drains(running) -> bool:
    """Clients are told to go elsewhere."""
    context = ssl.create_default_context(cadata=running.control_plane.roots_pem())
    connection = http.client.HTTPSConnection("localhost", running.port, context=context, timeout=60)
    try:
        connection.request("GET", "/")
        return connection.getresponse().headers.get("connection") == "close"
    finally:
        connection.close()


async def test_an_application_may_end_its_proxy(pod):
    async with pod(proxy_config={"terminationDrainDuration": "0s"}) as running:
        await running.ready()
        agent = running.agent
        assert (await asyncio.to_thread(agent.get, agent.status_port, "/quitquitquit", "POST"))[0] == 200
        assert await asyncio.to_thread(agent.ended) == 0
