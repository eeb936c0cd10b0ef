"""What identity needs of a Kubernetes API: single requests, and watches. The client of the Kubernetes source is one."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
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


class WatchedApi(KubernetesApi, Protocol):
    def watch(self, path: str, parameters: Mapping[str, str]) -> AsyncGenerator[tuple[Any, ...], None]:
        """Batches of events, the first of them empty once the watch has begun. Ends when the server ends it.

        Raises OSError or another Exception when it cannot begin or go on.
        """
