"""Runs what a probe or a lifecycle hook asks for: exec in the container, or a call over the network."""

from __future__ import annotations

import asyncio
from pathlib import Path

from lateen.cluster.node.probes import network
from lateen.cluster.node.probes.outcome import Outcome
from lateen.cluster.node.process_streams import run_captured
from lateen.cluster.node.shim_client import ShimError
from lateen.cluster.objects import Obj

_MAX_OUTPUT = 10 << 10
_HTTP_HOOK_SECONDS = 60.0


async def run_exec(directory: Path, container_id: str, action: Obj, timeout: float) -> Outcome:
    """Success: exit code 0."""
    command = action.get("command") or []
    try:
        async with asyncio.timeout(timeout):
            code, output = await run_captured(directory, container_id, command, _MAX_OUTPUT)
    except TimeoutError:
        shown = " ".join(command)
        return Outcome(False, f'command timed out: "{shown}" timed out after {timeout:g}s')
    except ShimError as error:
        return Outcome(False, str(error))
    return Outcome(code == 0, output)


async def run_probe(probe: Obj, container: Obj, address: str, directory: Path, container_id: str) -> Outcome:
    """One attempt of a probe, within its timeoutSeconds."""
    timeout = float(probe.get("timeoutSeconds") or 1)
    if action := probe.get("httpGet"):
        return await network.http_get(action, container, address, timeout)
    if action := probe.get("tcpSocket"):
        return await network.tcp_connect(action, container, address, timeout)
    if action := probe.get("grpc"):
        return await network.grpc_check(action, address, timeout)
    if action := probe.get("exec"):
        return await run_exec(directory, container_id, action, timeout)
    return Outcome(False, "missing probe handler")


async def run_hook(hook: Obj, container: Obj, address: str, directory: Path, container_id: str) -> Outcome:
    """A postStart or preStop action; the caller bounds its time."""
    if action := hook.get("exec"):
        code, output = 1, ""
        try:
            code, output = await run_captured(directory, container_id, action.get("command") or [], _MAX_OUTPUT)
        except ShimError as error:
            output = str(error)
        command = " ".join(action.get("command") or [])
        return Outcome(code == 0, f"command '{command}' exited with {code}: {output}")
    if action := hook.get("httpGet"):
        return await network.http_get(action, container, address, _HTTP_HOOK_SECONDS)
    if action := hook.get("tcpSocket"):
        return await network.tcp_connect(action, container, address, _HTTP_HOOK_SECONDS)
    if action := hook.get("sleep"):
        await asyncio.sleep(float(action.get("seconds") or 0))
        return Outcome(True)
    return Outcome(False, "cannot run handler: unknown handler")
