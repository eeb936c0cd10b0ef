"""The stand-in for agnhost, over sockets."""

from __future__ import annotations

import asyncio
import socket

from lateen.cluster.images.agnhost import UdpEcho


async def test_datagrams_are_answered() -> None:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(UdpEcho, local_addr=("::", 0))
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as client:
            client.connect(("127.0.0.1", transport.get_extra_info("sockname")[1]))
            for question, answer in (
                (b"hostname\n", socket.gethostname().encode()),
                (b"clientip", b"127.0.0.1"),
                (b"echo some text", b"some text"),
            ):
                await loop.sock_sendall(client, question)
                assert await asyncio.wait_for(loop.sock_recv(client, 100), 60) == answer
    finally:
        transport.close()
