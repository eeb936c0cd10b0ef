"""An application with TLS of its own, which the mesh knows nothing of."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator

from lateen.testing.certificates import Pair, server_tls


@contextlib.contextmanager
def tls_application(pair: Pair) -> Iterator[int]:
    """Its port at loopback. It ends every connection once the handshake is done."""
    listening = socket.create_server(("127.0.0.1", 0))
    serving = threading.Thread(target=_serve, args=(listening, server_tls(pair)))
    serving.start()
    try:
        yield listening.getsockname()[1]
    finally:
        # Closing alone would leave the thread in accept().
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        serving.join()


def _serve(listening: socket.socket, context: ssl.SSLContext) -> None:
    while True:
        try:
            accepted, _ = listening.accept()
        except OSError:
            return
        with accepted, contextlib.suppress(OSError):
            accepted.settimeout(10)
            context.wrap_socket(accepted, server_side=True).close()
