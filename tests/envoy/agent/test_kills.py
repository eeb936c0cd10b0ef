"""Whatever is killed beside Envoy, traffic does not notice; Envoy itself comes back."""

from __future__ import annotations

import asyncio
import os
import signal


async def _requests(load, more: int = 50) -> None:
    target = load.good + more
    async with asyncio.timeout(60):
        while load.good < target:
            await asyncio.sleep(0.01)


async def test_a_killed_agent_is_not_noticed_and_the_next_one_goes_on_with_the_same_envoy(pod):
    async with pod() as running:
        await running.ready()
        agent = running.agent
        envoy, streams = agent.envoy, running.control_plane.streams
        async with running.load() as load:
            for _ in range(2):
                await _requests(load)
                killed = agent.agent
                os.kill(killed, signal.SIGKILL)
                await running.until(lambda killed=killed: agent.agent != killed and agent.is_ready())
            await _requests(load)
        load.check()
        assert agent.envoy == envoy
        assert running.control_plane.streams == streams
        assert len(running.control_plane.tokens) == 1, "the certificate that was there is good"
        assert "goes on with it" in agent.log()


async def test_an_agent_after_the_first_still_supervises(pod):
    async with pod() as running:
        await running.ready()
        agent = running.agent
        first, killed = agent.envoy, agent.agent
        os.kill(killed, signal.SIGKILL)
        await running.until(lambda: agent.agent != killed and agent.is_ready())
        os.kill(first, signal.SIGKILL)
        await running.until(lambda: agent.envoy not in (0, first) and agent.is_ready())
        agent.signal(signal.SIGTERM)
        assert await asyncio.to_thread(agent.ended) == 0
        assert not os.path.exists(f"/proc/{first}")


async def test_an_envoy_that_nobody_has_written_down_is_found(pod):
    async with pod() as running:
        await running.ready()
        agent = running.agent
        envoy, killed = agent.envoy, agent.agent
        (agent.root / "etc/istio/proxy/envoy-process.json").unlink()
        os.kill(killed, signal.SIGKILL)
        await running.until(lambda: agent.envoy == envoy and agent.agent != killed and agent.is_ready())


async def test_a_killed_envoy_is_started_again_at_once(pod):
    async with pod() as running:
        await running.ready()
        agent = running.agent
        first = agent.envoy
        os.kill(first, signal.SIGKILL)
        await running.until(lambda: agent.envoy not in (0, first) and agent.is_ready())
        assert "by SIGKILL" in agent.log()
        async with running.load() as load:
            await _requests(load)
        load.check()


async def test_an_envoy_that_ends_again_and_again_is_waited_for(pod):
    async with pod() as running:
        await running.ready()
        agent = running.agent
        for _ in range(2):
            first = agent.envoy
            os.kill(first, signal.SIGKILL)
            await running.until(lambda first=first: agent.envoy not in (0, first))
        assert "Envoy has ended 2 times; it starts again in 1 s" in agent.log()
        await running.ready()


async def test_without_its_keeper_nothing_stays_behind(pod):
    async with pod(environment={}, proxy_config={"terminationDrainDuration": "0s"}) as running:
        await running.ready()
        agent = running.agent
        processes = (agent.agent, agent.envoy)
        agent.keeper.kill()
        async with asyncio.timeout(60):
            while any(_lives(pid) for pid in processes):
                await asyncio.sleep(0.02)


def _lives(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False
