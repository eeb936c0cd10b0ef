"""A client that does next to nothing itself: one kept-alive TLS connection to a cluster's API server."""

from __future__ import annotations

import http.client
from pathlib import Path
from urllib.parse import urlsplit

from lateen.cluster.client import credentials


class ApiConnection:
    """For one thread at a time."""

    def __init__(self, kubeconfig: Path) -> None:
        endpoint = credentials.from_kubeconfig(kubeconfig)
        self._connection = http.client.HTTPSConnection(urlsplit(endpoint.server).netloc, context=endpoint.tls)

    def request(self, method: str, path: str, body: bytes | None = None, content_type: str = "") -> bytes:
        """The answer's body. Raises RuntimeError unless the status says success."""
        self._connection.request(method, path, body, {"Content-Type": content_type or "application/json"})
        response = self._connection.getresponse()
        answer = response.read()
        if response.status >= 300:
            raise RuntimeError(f"{method} {path}: {response.status} {answer[:500]!r}")
        return answer

    def close(self) -> None:
        self._connection.close()
