"""What the control plane asks of a Kubernetes API: single requests. The client of the Kubernetes source is one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol


class Answer(Protocol):
    @property
    def status(self) -> int:
        """HTTP status."""

    @property
    def body(self) -> Any:
        """Decoded JSON."""

    @property
    def message(self) -> str:
        """In the server's words, where it is a failure."""

    @property
    def retry_after(self) -> float:
        """Seconds that the server asks to stay away."""


class KubernetesApi(Protocol):
    async def send(
        self,
        method: str,
        path: str,
        *,
        parameters: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = "application/json",
    ) -> Answer:
        """One request, whatever its answer's status. Raises OSError or ValueError when there is no answer."""
