"""`/portForward/NAMESPACE/POD`: agreeing on a protocol, then forwarding over it."""

from __future__ import annotations

from pathlib import Path

from aiohttp import web

from lateen.cluster.node.serving.command_request import (
    is_websocket,
    open_websocket,
    sender,
    spdy_protocol,
    switch_to_spdy,
)
from lateen.cluster.node.serving.port_forward import CHANNELS, PROTOCOL, TUNNEL, Forwarder
from lateen.cluster.node.serving.spdy_session import SpdySession
from lateen.cluster.status import bad_request
from lateen.cluster.upgraded_connection import BUFFER_BYTES, TakenOver, taken_over

MAX_PORTS = 64


async def serve_port_forward(request: web.Request, pod: str, netns: Path | None) -> web.StreamResponse:
    """Upgrades, and forwards until the client leaves."""
    forwarder = Forwarder(pod, netns)
    if is_websocket(request):
        socket = await open_websocket(request, (TUNNEL, CHANNELS))
        if socket.ws_protocol == TUNNEL:
            await forwarder.serve_tunnel(socket)
        else:
            await forwarder.serve_channels(socket, _ports(request))
        await socket.close()
        return socket
    protocol = spdy_protocol(request, (PROTOCOL,))
    async with taken_over(request) as (reader, writer):
        await switch_to_spdy(writer, protocol)
        await forwarder.serve_spdy(SpdySession(lambda: reader.read(BUFFER_BYTES), sender(writer)))
    return TakenOver()


def _ports(request: web.BaseRequest) -> list[int]:
    texts = [p for name in ("port", "ports") for value in request.query.getall(name, ()) for p in value.split(",")]
    try:
        ports = [int(text) for text in texts]
    except ValueError:
        raise bad_request(f"invalid ports {texts}") from None
    if not 0 < len(ports) <= MAX_PORTS or any(not 0 < port < 65536 for port in ports):
        raise bad_request(f"invalid ports {texts}: expected 1 to {MAX_PORTS} port numbers")
    return ports
