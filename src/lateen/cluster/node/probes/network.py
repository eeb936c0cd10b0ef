"""Probes and hooks over the network, from the node towards the pod: httpGet, tcpSocket, grpc.

Source: the kubelet's probers: which answers count, and how failures read.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from contextlib import suppress

import aiohttp

from lateen.cluster.node.probes.grpc_health import check_health
from lateen.cluster.node.probes.outcome import Outcome
from lateen.cluster.objects import Obj

_MAX_BODY = 10 << 10
_USER_AGENT = "kube-probe/1.33"


class NoPortError(ValueError):
    """A named port that the container does not have."""


def resolve_port(port: int | str, container: Obj) -> int:
    """A port by number or by the container's name for it. Raises NoPortError."""
    if isinstance(port, int):
        return port
    for candidate in container.get("ports") or ():
        if candidate.get("name") == port:
            return int(candidate["containerPort"])
    if port.isdigit():
        return int(port)
    raise NoPortError(f"couldn't find port: {port}")


def http_url(action: Obj, container: Obj, address: str) -> str:
    host = action.get("host") or address
    if ":" in host and not host.startswith("["):
        host = f"[{host}]"
    scheme = (action.get("scheme") or "HTTP").lower()
    path = action.get("path") or "/"
    return f"{scheme}://{host}:{resolve_port(action['port'], container)}{path if path.startswith('/') else '/' + path}"


async def http_get(action: Obj, container: Obj, address: str, timeout: float) -> Outcome:
    """Success: a status of 200 to 399. Certificates are not verified; redirects to other hosts count as success."""
    try:
        url = http_url(action, container, address)
    except NoPortError as error:
        return Outcome(False, str(error))
    headers = {"User-Agent": _USER_AGENT, "Accept": "*/*", "Connection": "close"}
    for header in action.get("httpHeaders") or ():
        headers[header["name"]] = header["value"]
    if headers.get("User-Agent") == "":
        del headers["User-Agent"]
    try:
        async with (
            asyncio.timeout(timeout),
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=_unverified(), force_close=True)) as session,
            session.get(url, headers=headers, allow_redirects=False) as response,
        ):
            await response.content.read(_MAX_BODY)
            if 200 <= response.status < 400:
                return Outcome(True)
            return Outcome(False, f"HTTP probe failed with statuscode: {response.status}")
    except TimeoutError:
        return Outcome(
            False, f'Get "{url}": context deadline exceeded (Client.Timeout exceeded while awaiting headers)'
        )
    except aiohttp.ClientConnectorError as error:
        target = f"{address}:{error.port}"
        reason = _reason(error.os_error)
        return Outcome(False, f'Get "{url}": dial tcp {target}: connect: {reason}')
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return Outcome(False, f'Get "{url}": {error}')


def _reason(error: OSError) -> str:
    """As Go words it; asyncio puts its own words where the system's belong."""
    return (os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)).lower()


def _unverified() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def tcp_connect(action: Obj, container: Obj, address: str, timeout: float) -> Outcome:
    """Success: the connection is accepted."""
    host = action.get("host") or address
    try:
        port = resolve_port(action["port"], container)
        async with asyncio.timeout(timeout):
            _, writer = await asyncio.open_connection(host, port)
    except TimeoutError:
        return Outcome(False, f"dial tcp {host}:{action['port']}: i/o timeout")
    except NoPortError as error:
        return Outcome(False, str(error))
    except OSError as error:
        return Outcome(False, f"dial tcp {host}:{port}: connect: {_reason(error)}")
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return Outcome(True)


async def grpc_check(action: Obj, address: str, timeout: float) -> Outcome:
    """Success: the gRPC health service says SERVING."""
    port = int(action["port"])
    try:
        async with asyncio.timeout(timeout):
            return await check_health(address, port, str(action.get("service") or ""))
    except TimeoutError:
        return Outcome(False, f'timeout: failed to connect service "{address}:{port}" within {timeout:g}s')
    except OSError as error:
        reason = _reason(error)
        return Outcome(False, f'connection error: desc = "transport: dial tcp {address}:{port}: connect: {reason}"')
