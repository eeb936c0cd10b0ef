"""An application with TLS of its own, which the mesh knows nothing of."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

from lateen.testing.certificates import Pair


@contextlib.contextmanager
def tls_application(directory: Path, pair: Pair) -> Iterator[int]:
    """Its port at loopback. It ends every connection once the handshake is done."""
    (directory / "application.crt").write_text(pair.certificate)
    (directory / "application.key").write_text(pair.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "application.crt", directory / "application.key")
    listening = socket.create_server(("127.0.0.1", 0))
    serving = threading.Thread(target=_serve, args=(listening, context))
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
